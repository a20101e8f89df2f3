/* test_parts.c: parts of the driver that need no run: tables, folders, and which BLAS kernel a CPU
 * allows. */
#include "driver/folder.h"
#include "driver/machine.h"
#include "driver/table.h"
#include "driver/text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char scratch[64];

static int make_scratch(void **state)
{
    (void)state;
    strcpy(scratch, "/tmp/tensorgauge parts XXXXXX");
    return mkdtemp(scratch) ? 0 : -1;
}

static int remove_scratch(void **state)
{
    (void)state;
    char *file = tgd_format("%s/t.csv", scratch);
    unlink(file);
    free(file);
    return rmdir(scratch);
}

static tg_status read_text(const char *text, tgd_table *t)
{
    char *path = tgd_format("%s/t.csv", scratch);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    const tg_status status = tgd_table_read(path, t);
    free(path);
    return status;
}

static void tables(void **state)
{
    (void)state;
    tgd_table t;
    assert_int_equal(read_text("a,b,c\n1,\"x, \"\"y\"\"\nz\", 2.5 \r\n\n,,\n7,8,9\n4,5", &t).code,
                     TG_OK);
    assert_int_equal(t.columns, 3);
    assert_int_equal(t.rows, 3); /* the unfinished last line is none */
    int b = -1;
    assert_int_equal(tgd_table_require(&t, "b", &b).code, TG_OK);
    assert_string_equal(tgd_table_text(&t, 0, b), "x, \"y\"\nz");
    assert_string_equal(tgd_table_text(&t, 0, 2), " 2.5 ");
    assert_string_equal(tgd_table_text(&t, 1, b), "");
    assert_string_equal(tgd_table_text(&t, 2, -1), "");
    assert_int_equal(t.line[0], 3);
    assert_int_equal(t.line[2], 6);
    double value = 0;
    assert_int_equal(tgd_table_number(&t, 2, b, &value).code, TG_OK);
    assert_true(value == 8);
    assert_int_equal(tgd_table_number(&t, 1, b, &value).code, TG_OK);
    assert_true(isnan(value));
    const tg_status bad = tgd_table_number(&t, 0, b, &value);
    assert_int_equal(bad.code, TG_BAD_INPUT);
    assert_non_null(strstr(bad.text, "line 3, column b"));
    assert_non_null(strstr(tgd_table_require(&t, "d", &b).text, "'d'"));
    assert_int_equal(tgd_table_column(&t, "d"), -1);
    tgd_table_free(&t);
    tgd_table_free(&t);
    assert_int_equal(read_text("a,b\n1,2\n3,45", &t).code, TG_OK); /* 45 may be half a number */
    assert_int_equal(t.rows, 1);
    tgd_table_free(&t);
}

static void bad_tables(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"", "is empty"},
        {"a,b\n1\n2,3\n", "line 2 has 1 fields; expected 2"},
        {"a,b\n1,2,3\n", "line 2 has 3 fields"},
        {"a,b,a\n", "line 1: column 'a'"},
        {"a,b\n1,\"x\"y\n", "line 2: a quote"},
        {"a,b\n1,x\"y\n", "line 2: a quote"},
        {"a,b\n1,\"x\n", "a quoted field does not end"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tgd_table t;
        const tg_status status = read_text(bad[i][0], &t);
        assert_int_equal(status.code, TG_BAD_INPUT);
        assert_non_null(strstr(status.text, bad[i][1]));
        assert_non_null(strstr(status.text, "t.csv"));
        assert_null(t.name);
    }
    tgd_table t;
    assert_int_equal(tgd_table_read("/nowhere/t.csv", &t).code, TG_BAD_INPUT);
    assert_int_equal(tgd_table_read("/", &t).code, TG_BAD_INPUT);
}

/* Two runs in one second get two folders. */
static void folders(void **state)
{
    (void)state;
    char *parent = tgd_format("%s/new/results", scratch), *path[12];
    for (int i = 0; i < 12; i++) {
        assert_int_equal(tgd_folder_make(parent, "h\xc3\xa4st/..", "a b;$(c)", &path[i]).code,
                         TG_OK);
        assert_non_null(strstr(path[i] + strlen(parent), "Z_h--st-.._a-b---c-"));
        assert_int_equal(access(path[i], W_OK), 0);
    }
    for (int i = 0; i < 12; i++) {
        assert_int_equal(rmdir(path[i]), 0); /* each is another one */
        free(path[i]);
    }
    rmdir(parent);
    *strrchr(parent, '/') = '\0';
    rmdir(parent);
    free(parent);
    char *none;
    assert_int_equal(tgd_folder_make("/dev/null/x", "h", "n", &none).code, TG_BAD_INPUT);
    assert_null(none);
}

static void blas_cores(void **state)
{
    (void)state;
    static const struct {
        const char *flags, *core, *better;
    } known[] = {
        {"sse2 ssse3", "Prescott", NULL},
        {"sse2 avx avx2 fma", "Prescott", "Haswell"},
        {"sse2 avx avx2", "Prescott", NULL},
        {"sse2 avx avx2 fma", "Sandybridge", "Haswell"},
        {"sse2 avx avx2 fma", "Zen", NULL},
        {"avx2 fma avx512f avx512dq avx512bw", "Haswell", NULL},
        {"avx2 fma avx512f avx512dq avx512bw avx512vl", "Haswell", "SkylakeX"},
        {"avx2 fma avx512f avx512dq avx512bw avx512vl", "Nehalem", "SkylakeX"},
        {"avx2 fma avx512f avx512dq avx512bw avx512vl", "zen", "SkylakeX"},
        {"avx2 fma avx512f avx512dq avx512bw avx512vl", "SkylakeX", NULL},
        {"avx2 fma avx512f avx512dq avx512bw avx512vl", "Sapphirerapids", NULL},
        {"avx2 fma", "a kernel of the future", NULL},
        {"", "", NULL},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        tgd_words flags = {NULL, 0};
        tgd_words_split(&flags, known[i].flags);
        const char *better = tgd_better_blas_core(&flags, known[i].core);
        assert_string_equal(better ? better : "none", known[i].better ? known[i].better : "none");
        tgd_words_free(&flags);
    }
}

static void this_machine(void **state)
{
    (void)state;
    tgd_machine m;
    tgd_machine_read(&m);
    assert_true(m.cores >= 1 && m.cpus >= m.cores);
    assert_int_equal(m.cpus <= sysconf(_SC_NPROCESSORS_CONF), 1);
    assert_true(strlen(m.host) > 0 && m.memory_bytes > 1e6);
    tgd_machine_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables),     cmocka_unit_test(bad_tables),   cmocka_unit_test(folders),
        cmocka_unit_test(blas_cores), cmocka_unit_test(this_machine),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
