/* test_case.c: the text of a case, read and printed: good lines come back as they were, bad ones
 * are named. */
#include "bench/case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_round_trip(const char *text, const char *expected)
{
    tgb_case c;
    const tg_status status = tgb_case_parse(text, &c);
    assert_int_equal(status.code, TG_OK);
    assert_string_equal(status.text, "");
    char *printed = tgb_case_print(&c);
    assert_string_equal(printed, expected);
    free(printed);
    tgb_case_free(&c);
    assert_null(c.operation);
    tgb_case_free(&c);
}

static void good_cases(void **state)
{
    (void)state;
    expect_round_trip("noop", "noop");
    expect_round_trip("broadcast shape=N from=1 to=Pc", "broadcast shape=N from=1 to=Pc");
    expect_round_trip("  halo  shape=8x8   grid=2x2 ", "halo shape=8x8 grid=2x2");
    expect_round_trip("raw:MPI_Bcast shape=2 a=b=c", "raw:MPI_Bcast shape=2 a=b=c");
    expect_round_trip("repartition from-parts=20+19+19+19x* from-ranks=4-7,0:-2",
                      "repartition from-parts=20+19+19+19x* from-ranks=4-7,0:-2");
}

/* The error names the word and is one line. */
static void expect_error(const char *text, const char *part)
{
    tgb_case c;
    const tg_status status = tgb_case_parse(text, &c);
    assert_int_equal(status.code, TG_BAD_INPUT);
    assert_non_null(strstr(status.text, part));
    assert_null(strchr(status.text, '\n'));
    assert_null(c.operation);
    assert_int_equal(c.count, 0);
    tgb_case_free(&c);
}

static void bad_cases(void **state)
{
    (void)state;
    expect_error("", "empty");
    expect_error("   ", "empty");
    expect_error("shape=3", "'shape=3'");
    expect_error("halo shape", "'shape'");
    expect_error("halo =3", "'=3'");
    expect_error("halo shape=", "'shape='");
    expect_error("halo shape=3 grid=1 shape=3", "shape=3: the key is given twice");
    expect_error("halo shape=3\ngrid=1", "character 13");
    expect_error("halo\tshape=3", "character 5");
    expect_error("halo shape=\xc3\xa9", "character 12");
}

static void too_many_keys(void **state)
{
    (void)state;
    char text[1024] = "op";
    for (int i = 0; i < TGB_MAX_KEYS; i++) {
        const size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, " k%d=%d", i, i);
    }
    expect_round_trip(text, text);
    strcat(text, " last=1");
    expect_error(text, "'last'");
}

static void get_and_set(void **state)
{
    (void)state;
    tgb_case c;
    assert_int_equal(tgb_case_parse("halo shape=8 grid=2", &c).code, TG_OK);
    assert_string_equal(tgb_case_get(&c, "shape"), "8");
    assert_null(tgb_case_get(&c, "shap"));
    assert_int_equal(tgb_case_set(&c, "shape", "16").code, TG_OK);
    assert_int_equal(tgb_case_set(&c, "dtype", "f64").code, TG_OK);
    assert_int_equal(tgb_case_set(&c, "dtype", "f 64").code, TG_BAD_INPUT);
    assert_int_equal(tgb_case_set(&c, "d=type", "f64").code, TG_BAD_INPUT);
    assert_int_equal(tgb_case_set(&c, "dtype", "").code, TG_BAD_INPUT);
    char *printed = tgb_case_print(&c);
    assert_string_equal(printed, "halo shape=16 grid=2 dtype=f64");
    free(printed);
    tgb_case_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_cases),
        cmocka_unit_test(bad_cases),
        cmocka_unit_test(too_many_keys),
        cmocka_unit_test(get_and_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
