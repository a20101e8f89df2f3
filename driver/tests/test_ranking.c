/* test_ranking.c: the table of the fastest algorithms, from made rows of cells.csv: who wins, ratios
 * within a launch and their intervals, the raw call beside, and what does not count. */
#include "driver/ranking.h"
#include "driver/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char head[] = "launch,build,op,direction,case,algorithm,ranks,size_bytes,t_median_us,"
                           "bound_fraction,status\n";

static void put(FILE *file, int launch, const char *op, const char *algorithm, const char *words,
                double time_us, const char *status)
{
    fprintf(file, "%d,b,%s,forward,%s shape=16 dtype=f32 algorithm=%s%s,%s,2,64,%.17g,0.25,%s\n",
            launch, op, op, algorithm, words, algorithm, time_us, status);
}

/* In launch k all times are 2^k times those of launch 0: ratios within a launch stay. */
static char *print(int launches, double best_last, int *lines)
{
    char path[] = "/tmp/tensorgauge-ranking-XXXXXX", *text = NULL;
    size_t size = 0;
    const int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    tgd_table cells;
    fputs(head, file);
    for (int k = 0; k < launches; k++) {
        const double f = 1 << k, last = k == launches - 1 ? best_last : 1;
        put(file, k, "broadcast", "mpi", " in-place=no", 40 * f, "ok");
        put(file, k, "broadcast", "tree", " in-place=no", 10 * f * last, "ok");
        put(file, k, "broadcast", "cma", " in-place=no", 1 * f, "wrong");
        put(file, k, "broadcast", "auto", " in-place=no", 2 * f, "ok");
        put(file, k, "raw:MPI_Bcast", "mpi", "", 36 * f, "ok");
        put(file, k, "scatter", "mpi", "", 3 * f, "ok"); /* alone */
        put(file, k, "repartition", "mpi", " in-place=no", 40 * f, "ok");
        put(file, k, "repartition", "p2p", " in-place=no", 20 * f, "ok");
        put(file, k, "raw:MPI_Alltoallw", "mpi", "", 30 * f, "ok");
        put(file, k, "raw:MPI_Alltoallv", "mpi", "", 28 * f, "ok");
        put(file, k, "raw:MPI_Alltoallv_init", "mpi", "", 25 * f, "ok");
        put(file, k, "raw:MPI_Alltoall", "mpi", "", 2 * f, "ok"); /* only a part of it, too */
        put(file, k, "raw:repartition_messages", "mpi", "", 1 * f, "ok"); /* only a part of it */
    }
    fclose(file);
    assert_int_equal(tgd_table_read(path, &cells).code, TG_OK);
    file = open_memstream(&text, &size);
    assert_int_equal(tgd_ranking_print(&cells, true, file, lines).code, TG_OK);
    fclose(file);
    tgd_table_free(&cells);
    unlink(path);
    return text;
}

/* The line of the contest of an operation, the first of these words, has these columns. */
static void expect(const char *text, const char *want)
{
    char begin[32] = "\n", squeezed[512] = "";
    strncat(begin, want, strcspn(want, " "));
    const char *line = strstr(text, begin);
    tgd_words words = {NULL, 0};
    assert_non_null(line);
    char *one = strndup(line + 1, strcspn(line + 1, "\n"));
    tgd_words_split(&words, one);
    for (int i = 0; i < words.count; i++) {
        strcat(squeezed, i > 0 ? " " : "");
        strcat(squeezed, words.word[i]);
    }
    assert_string_equal(squeezed, want);
    free(one);
    tgd_words_free(&words);
}

static void one_launch(void **state)
{
    int lines;
    (void)state;
    char *text = print(1, 1, &lines);
    assert_int_equal(lines, 2);
    expect(text, "broadcast forward 2 64 B tree 10 40 0.25 36 0.25 broadcast shape=16 dtype=f32 "
                 "in-place=no");
    expect(text, "repartition forward 2 64 B p2p 20 40 0.5 25 0.25 repartition shape=16 dtype=f32 "
                 "in-place=no");
    free(text);
}

static void few_launches(void **state)
{
    int lines;
    (void)state;
    char *text =
        print(3, 2, &lines); /* medians over 3 launches, 1, 2 and 4 times; last ratio 0.5 */
    expect(text,
           "broadcast forward 2 64 B tree 20 80 0.25 0.250-0.500 m 72 0.25 broadcast shape=16 "
           "dtype=f32 in-place=no");
    free(text);
}

/* From 6 launches on exact ranks: of 9, the 2nd and the 8th, so that one odd launch is left out. */
static void many_launches(void **state)
{
    int lines;
    (void)state;
    char *text = print(9, 3, &lines);
    expect(text, "broadcast forward 2 64 B tree 160 640 0.25 0.250-0.250 576 0.25 broadcast "
                 "shape=16 dtype=f32 in-place=no");
    free(text);
}

static void nothing(void **state)
{
    int lines;
    (void)state;
    char *text = print(0, 1, &lines);
    assert_int_equal(lines, 0);
    assert_string_equal(text, "");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_launch), cmocka_unit_test(few_launches),
                                       cmocka_unit_test(many_launches), cmocka_unit_test(nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
