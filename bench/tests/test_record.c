/* test_record.c: rows of results as CSV. Columns are those of the fixed list (columns.csv), numbers
 * keep all their digits and a dot in a locale that writes a comma, and texts are quoted as RFC 4180
 * wants. */
#include "bench/record.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COLUMNS_CSV TEST_FOLDER "/columns.csv"

static char *written_columns(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fputs("name,type,unit,meaning\n", out);
    for (int i = 0; i < TGB_COLUMNS; i++) {
        const tgb_column *c = &tgb_columns[i];
        const char *const field[] = {c->name, c->type, c->unit, c->meaning};
        for (int j = 0; j < 4; j++) {
            tgb_csv_field(out, field[j]);
            putc(j < 3 ? ',' : '\n', out);
        }
    }
    fclose(out);
    return text;
}

static void columns_are_the_fixed_ones(void **state)
{
    (void)state;
    FILE *file = fopen(COLUMNS_CSV, "r");
    assert_non_null(file);
    char expected[16384];
    const size_t size = fread(expected, 1, sizeof expected - 1, file);
    fclose(file);
    expected[size] = '\0';
    assert_true(size > 1000);
    char *written = written_columns();
    assert_string_equal(written, expected);
    free(written);
    assert_int_equal(TGB_COL_schema, 0);
    assert_int_equal(TGB_COL_t_start_iso, TGB_COLUMNS - 1);
}

static void header(void **state)
{
    (void)state;
    char *line = tgb_header_line();
    assert_int_equal(strncmp(line, "schema,run_id,launch,cell,", 26), 0);
    assert_string_equal(line + strlen(line) - 20, ",status,t_start_iso\n");
    int commas = 0;
    for (const char *c = line; *c; c++)
        commas += *c == ',';
    assert_int_equal(commas, TGB_COLUMNS - 1);
    free(line);
}

static void lines(void **state)
{
    (void)state;
    tgb_record r = {{NULL}};
    char *empty = tgb_record_line(&r);
    assert_int_equal(strlen(empty), TGB_COLUMNS);
    assert_int_equal(strspn(empty, ","), TGB_COLUMNS - 1);
    free(empty);
    tgb_record_int(&r, TGB_COL_schema, TGB_SCHEMA);
    tgb_record_text(&r, TGB_COL_run_id, "a, \"b\"");
    tgb_record_int(&r, TGB_COL_launch, -9223372036854775807LL - 1);
    tgb_record_text(&r, TGB_COL_mpi, "x");
    tgb_record_text(&r, TGB_COL_mpi, NULL);
    tgb_record_real(&r, TGB_COL_cell, 0.1);
    tgb_record_real(&r, TGB_COL_build, (double)NAN);
    char *line = tgb_record_line(&r);
    const char *start = "1,\"a, \"\"b\"\"\",-9223372036854775808,0.1,,,,";
    assert_int_equal(strncmp(line, start, strlen(start)), 0);
    free(line);
    tgb_record_clear(&r);
    tgb_record_clear(&r);
    assert_null(r.cell[TGB_COL_run_id]);
}

static void expect_number(double value, const char *expected)
{
    tgb_record r = {{NULL}};
    tgb_record_real(&r, TGB_COL_t_median_us, value);
    if (expected)
        assert_string_equal(r.cell[TGB_COL_t_median_us], expected);
    else
        assert_null(r.cell[TGB_COL_t_median_us]);
    tgb_record_clear(&r);
}

static void numbers(void **state)
{
    (void)state;
    expect_number(0, "0");
    expect_number(1.5, "1.5");
    expect_number(0.1, "0.1");
    expect_number(-2.25, "-2.25");
    expect_number(0.1 + 0.2, "0.30000000000000004");
    expect_number(1.0 / 3, "0.3333333333333333");
    expect_number(5e-324, "5e-324");
    expect_number((double)NAN, NULL);
    expect_number((double)INFINITY, NULL);
    uint64_t bits = 88172645463325252u;
    for (int i = 0; i < 20000; i++) { /* any finite number comes back */
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        double value;
        memcpy(&value, &bits, sizeof value);
        tgb_record r = {{NULL}};
        tgb_record_real(&r, TGB_COL_t_median_us, value);
        if (isfinite(value))
            assert_true(strtod(r.cell[TGB_COL_t_median_us], NULL) == value);
        tgb_record_clear(&r);
    }
}

/* The LC_NUMERIC file of a locale "comma" that writes 1.500,25, in glibc's binary form: a machine
 * without installed locales can load it too. */
static const unsigned char comma_file[] =
    "\x14\x11\x03\x20\x06\x00\x00\x00\x20\x00\x00\x00\x22\x00\x00\x00\x24\x00\x00\x00\x28\x00\x00"
    "\x00\x2c\x00\x00\x00\x30\x00\x00\x00,\0.\0\x03\x03\x00\x00,\0\0\0.\0\0\0ANSI_X3.4-1968";

static void dot_in_a_comma_locale(void **state)
{
    (void)state;
    char parent[] = "/tmp/tensorgauge-locale-XXXXXX", folder[64], path[96];
    assert_non_null(mkdtemp(parent));
    snprintf(folder, sizeof folder, "%s/comma", parent);
    snprintf(path, sizeof path, "%s/LC_NUMERIC", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(comma_file, 1, sizeof comma_file, file), sizeof comma_file);
    fclose(file);
    setenv("LOCPATH", parent, 1);
    const bool loaded = setlocale(LC_NUMERIC, "comma") != NULL;
    unlink(path);
    rmdir(folder);
    rmdir(parent);
    assert_true(loaded);

    char text[32];
    snprintf(text, sizeof text, "%g", 1.5);
    assert_string_equal(text, "1,5"); /* the locale is in force */
    expect_number(1234567.25, "1234567.25");
    expect_number(0.1, "0.1");
    snprintf(text, sizeof text, "%g", 1.5);
    assert_string_equal(text, "1,5"); /* and is left as it was */
    setlocale(LC_NUMERIC, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_the_fixed_ones),
        cmocka_unit_test(header),
        cmocka_unit_test(lines),
        cmocka_unit_test(numbers),
        cmocka_unit_test(dot_in_a_comma_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
