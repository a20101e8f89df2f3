/* test_words.c: sizes, times, whole numbers and comma lists; each bad text gives one line that
 * names it. */
#include "bench/case.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_bad(tg_status status, const char *text)
{
    assert_int_equal(status.code, TG_BAD_INPUT);
    assert_non_null(strstr(status.text, "--what"));
    assert_non_null(strstr(status.text, text));
    assert_non_null(strstr(status.text, "expected"));
    assert_null(strchr(status.text, '\n'));
}

static void sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        ptrdiff_t bytes;
    } good[] = {
        {"0", 0},
        {"8", 8},
        {"8B", 8},
        {"64KiB", 65536},
        {"64KB", 64000},
        {"1MiB", 1048576},
        {"1MB", 1000000},
        {"3GiB", (ptrdiff_t)3 << 30},
        {"3GB", 3000000000},
        {"9223372036854775807", PTRDIFF_MAX},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ptrdiff_t bytes = -1;
        assert_int_equal(tgb_parse_size("--what", good[i].text, &bytes).code, TG_OK);
        assert_int_equal(bytes, good[i].bytes);
    }
    static const char *const bad[] = {"12Q", "-8",  "1.5KiB",       "8 B", "B",
                                      "8b",  "KiB", "0x10",         "1e6", "9223372036854775808",
                                      "",    "+8",  "9000000000GiB"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ptrdiff_t bytes;
        expect_bad(tgb_parse_size("--what", bad[i], &bytes), bad[i]);
    }
}

static void seconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double seconds;
    } good[] = {{"90s", 90},   {"1.5min", 90}, {"200ms", 0.2},
                {"5us", 5e-6}, {"2h", 7200},   {"0s", 0}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double value = -1;
        assert_int_equal(tgb_parse_seconds("--what", good[i].text, &value).code, TG_OK);
        assert_true(fabs(value - good[i].seconds) <= 1e-12 * good[i].seconds);
    }
    static const char *const bad[] = {"90", "s", "1,5s", "-1s", "1.s", ".5s", "nan s", "1e3s", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double value;
        expect_bad(tgb_parse_seconds("--what", bad[i], &value), bad[i]);
    }
}

static void whole_numbers(void **state)
{
    (void)state;
    long value = 0;
    assert_int_equal(tgb_parse_int("--what", "7", 1, 7, &value).code, TG_OK);
    assert_int_equal(value, 7);
    assert_int_equal(tgb_parse_int("--what", "-3", -3, 7, &value).code, TG_OK);
    assert_int_equal(value, -3);
    static const char *const bad[] = {"0", "8", "x", "", "-", "3 ", "3.0", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_bad(tgb_parse_int("--what", bad[i], 1, 7, &value), bad[i]);
}

static void lists(void **state)
{
    (void)state;
    long *values;
    int count;
    assert_int_equal(tgb_parse_ints("--what", "1, 2,4", 1, 4, &values, &count).code, TG_OK);
    assert_int_equal(count, 3);
    assert_int_equal(values[0] * 100 + values[1] * 10 + values[2], 124);
    free(values);
    expect_bad(tgb_parse_ints("--what", "1,0", 1, 4, &values, &count), "'0'");
    expect_bad(tgb_parse_ints("--what", "1,,2", 1, 4, &values, &count), "1,,2");
    expect_bad(tgb_parse_ints("--what", "1,", 1, 4, &values, &count), "empty item");
    assert_null(values);

    char **words;
    assert_int_equal(tgb_parse_words("--what", "forward , adjoint", &words, &count).code, TG_OK);
    assert_int_equal(count, 2);
    assert_string_equal(words[0], "forward");
    assert_string_equal(words[1], "adjoint");
    tgb_free_words(words, count);
    expect_bad(tgb_parse_words("--what", "", &words, &count), "empty item");
}

static void size_lists(void **state)
{
    (void)state;
    ptrdiff_t *values;
    int count;
    assert_int_equal(tgb_parse_sizes("--what", "8B,1KiB:16KiB:x4,2MB", &values, &count).code,
                     TG_OK);
    const ptrdiff_t expected[] = {8, 1024, 4096, 16384, 2000000};
    assert_int_equal(count, 5);
    assert_memory_equal(values, expected, sizeof expected);
    free(values);
    assert_int_equal(tgb_parse_sizes("--what", "1B:9B:x2", &values, &count).code, TG_OK);
    assert_int_equal(count, 4); /* 1 2 4 8: the last one is not forced in */
    free(values);
    assert_int_equal(
        tgb_parse_sizes("--what", "4:9223372036854775807:x9000000000000000000", &values, &count)
            .code,
        TG_OK);
    assert_int_equal(count, 1); /* the next one would not fit in a number */
    free(values);
    static const char *const bad[] = {
        "1KiB:16MiB", "1KiB:16MiB:4",   "16MiB:1KiB:x4",     "0B:1KiB:x2",
        "1B:8B:x1",   "1B:8B:x",        "1B:8B:x2:3",        "1B:8B:x2z",
        "::",         "1B,8Q,2B:4B:x2", "1B:8B:x2,16B:2Q:x2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const tg_status status = tgb_parse_sizes("--what", bad[i], &values, &count);
        expect_bad(status, "--what");
        assert_null(values);
        assert_int_equal(count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes), cmocka_unit_test(seconds),    cmocka_unit_test(whole_numbers),
        cmocka_unit_test(lists), cmocka_unit_test(size_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
