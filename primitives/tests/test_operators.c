/* test_operators.c: every primitive and every algorithm of it, values and adjoint exact, against
 * index formulas.
 *
 * Each line of words below is run wherever it fits, with each algorithm of its primitive, out of
 * place, accumulating and in place, in one of the element types; then random lines. A failing line
 * is printed with all its words and can be run alone:   mpiexec -n P test_operators 'WORDS' (or:
 * --seed N, --random COUNT) */
#include "primitives/tests/checks.h"
#include "primitives/tests/random_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* P stands for the number of ranks. */
static const char *const lines[] = {
    /* one rank, one entry, nothing at all */
    "send_recv shape=1",
    "send_recv shape=7 from-ranks=0 to-ranks=0",
    "send_recv shape=7 from-ranks=0 to-ranks=1",
    "send_recv shape=7 from-ranks=1 to-ranks=0",
    "send_recv shape=0 from-ranks=0 to-ranks=1",
    "send_recv shape=3x5x2 from=1x1x1 to=1x1x1 from-ranks=2 to-ranks=0",
    "send_recv shape=2x1x3x1x2x2 from=1x1x1x1x1x1 to=1x1x1x1x1x1 from-ranks=3 to-ranks=5",
    "send_recv shape=64 from-ranks=11 to-ranks=4",
    "broadcast shape=1 from=1 to=1",
    "broadcast shape=1 from=1 to=Pc",
    "broadcast shape=13 from=1 to=Pc",
    "broadcast shape=0 from=1 to=Pc",
    "sum_reduce shape=1 from=Pc to=1",
    "sum_reduce shape=13 from=Pc to=1",
    "sum_reduce shape=0 from=Pc to=1",
    "all_sum_reduce shape=1 grid=Pc",
    "all_sum_reduce shape=13 grid=Pc",
    "all_sum_reduce shape=0 grid=Pc",
    "repartition shape=1 from=1 to=P",
    "repartition shape=13 from=1 to=P",
    "repartition shape=13 from=P to=1",
    "repartition shape=0 from=1 to=P",
    "halo shape=1 grid=P kernel=1",
    "halo shape=13 grid=P kernel=3 padding=1",
    /* broadcast and sum_reduce: roots anywhere, groups, disjoint, idle, reordered, empty parts */
    "broadcast shape=5 from=1 from-ranks=1 to=2c",
    "broadcast shape=5 from=1 from-ranks=2 to=2c",
    "broadcast shape=5 from=1 from-ranks=0 to=2c to-ranks=2,1",
    "broadcast shape=14x5 from=2x1 to=2x3c",
    "broadcast shape=14x5 from=2x1 from-ranks=5,3 to=2x3c to-ranks=5-0:-1",
    "broadcast shape=14x5 from=2x1 to=2x3c to-order=10",
    "broadcast shape=3x2 from=1x4 to=3cx4 from-ranks=7-4:-1",
    "broadcast shape=3x4 from=1x2 to=2cx2 from-parts=*x4+0 to-parts=*x4+0",
    "broadcast shape=7x5x2 from=2x2x1 to=2x2x3c to-order=102",
    "broadcast shape=5x7x3 from=2x2x1 to=2x2x3c",
    "broadcast shape=5x7x3 from=2x2x1 from-ranks=4-7 to=2x2x3c",
    "broadcast shape=5x7x3 from=2x2x1 from-order=reshaped from-ranks=4-7 to=3cx2x2",
    "broadcast shape=5x7x3 from=1x2x2 from-ranks=0,2,4,6 to=2x2x3c to-order=reshaped",
    "broadcast shape=2x3x1x2x2x3 from=1x2x1x1x2x1 to=1x2x3cx1x2x1 to-order=543210",
    "broadcast shape=3x3 from=1x1 to=2cx2c to-ranks=3-0:-1",
    "broadcast shape=6x4x2 from=1x1x2 to=2cx3cx2 to-order=201",
    "sum_reduce shape=5 from=2c to=1 to-ranks=1",
    "sum_reduce shape=5 from=2c to=1 to-ranks=2",
    "sum_reduce shape=5 from=2c from-ranks=2,1 to=1 to-ranks=0",
    "sum_reduce shape=14x5 from=2x3c to=2x1",
    "sum_reduce shape=14x5 from=2x3c from-ranks=5-0:-1 to=2x1 to-ranks=5,3",
    "sum_reduce shape=14x5 from=2x3c from-order=10 to=2x1",
    "sum_reduce shape=3x2 from=3cx4 to=1x4 to-ranks=7-4:-1",
    "sum_reduce shape=3x4 from=2cx2 to=1x2 from-parts=*x1+3 to-parts=*x1+3",
    "sum_reduce shape=5x7x3 from=2x2x3c to=2x2x1 to-ranks=4-7",
    "sum_reduce shape=5x7x3 from=3cx2x2 to=2x2x1 to-order=reshaped to-ranks=8-11",
    "sum_reduce shape=2x3x1x2x2x3 from=1x2x3cx1x2x1 from-order=543210 to=1x2x1x1x2x1",
    "sum_reduce shape=3x3 from=2cx2c from-ranks=3-0:-1 to=1x1 to-ranks=2",
    /* all_sum_reduce: no copies at all is the identity; groups along any axes */
    "all_sum_reduce shape=9 grid=P",
    "all_sum_reduce shape=14x5 grid=2x3c",
    "all_sum_reduce shape=14x5 grid=2cx3",
    "all_sum_reduce shape=14x5 grid=2cx3c",
    "all_sum_reduce shape=14x5 grid=2x3c ranks=5-0:-1 order=10",
    "all_sum_reduce shape=3x2 grid=2cx4",
    "all_sum_reduce shape=5x7x3 grid=2x2cx3 ranks=11-0:-1",
    "all_sum_reduce shape=5x7x3 grid=2x2cx3c order=201",
    "all_sum_reduce shape=4x3 grid=2cx2 ranks=6,1,4,3 parts=*x0+3",
    "all_sum_reduce shape=2x2x2x1x3x2 grid=1x2cx1x1x2x2 order=350124",
    /* scatter and gather: whole tensors, roots inside and outside, empty and explicit parts */
    "scatter shape=13 from=1 to=P",
    "gather shape=13 from=P to=1",
    "scatter shape=0 from=1 to=P",
    "gather shape=0 from=P to=1",
    "scatter shape=5 from=1 from-ranks=1 to=2",
    "scatter shape=5 from=1 from-ranks=2 to=2",
    "scatter shape=3 from=1 from-ranks=7 to=8 to-ranks=7-0:-1",
    "scatter shape=7x5 from=1x1 from-ranks=4 to=3x4",
    "scatter shape=7x5 from=1x1 from-ranks=2 to=2x3 to-ranks=5,0,4,1,3,2 to-order=10",
    "scatter shape=7x5 from=1x1 to=1x4 to-parts=*x0+3+0+2",
    "scatter shape=2x3x2x1x4x2 from=1x1x1x1x1x1 to=1x3x1x1x2x2 to-order=531420",
    "gather shape=5 from=2 to=1 to-ranks=1",
    "gather shape=5 from=2 to=1 to-ranks=2",
    "gather shape=3 from=8 from-ranks=7-0:-1 to=1 to-ranks=7",
    "gather shape=7x5 from=3x4 to=1x1 to-ranks=4",
    "gather shape=7x5 from=2x3 from-ranks=5,0,4,1,3,2 from-order=10 to=1x1 to-ranks=2",
    "gather shape=7x5 from=1x4 from-parts=*x0+3+0+2 to=1x1",
    "gather shape=2x3x2x1x4x2 from=1x3x1x1x2x2 from-order=531420 to=1x1x1x1x1x1",
    /* all_gather and reduce_scatter: groups along some axes, other ranks than parts, disjoint */
    "all_gather shape=13 from=P to=Pc",
    "reduce_scatter shape=13 from=Pc to=P",
    "all_gather shape=0 from=P to=Pc",
    "reduce_scatter shape=0 from=Pc to=P",
    "all_gather shape=7 from=5 to=5c",
    "all_gather shape=3 from=5 to=5c to-ranks=4-0:-1",
    "all_gather shape=9 from=3 from-ranks=0-2 from-parts=0+7+2 to=2c to-ranks=5,3",
    "all_gather shape=7x5 from=2x3 to=2x3c",
    "all_gather shape=7x5 from=2x3 to=2x3c from-order=10 to-ranks=5-0:-1",
    "all_gather shape=7x5 from=3x2 to=3cx2",
    "all_gather shape=7x5 from=2x2 to=2cx2c to-ranks=4-7",
    "all_gather shape=7x5x3 from=2x2x3 to=2x2cx3 to-order=201",
    "reduce_scatter shape=7 from=5c to=5",
    "reduce_scatter shape=3 from=5c from-ranks=4-0:-1 to=5",
    "reduce_scatter shape=9 from=2c from-ranks=5,3 to=3 to-ranks=0-2 to-parts=0+7+2",
    "reduce_scatter shape=7x5 from=2x3c to=2x3",
    "reduce_scatter shape=7x5 from=2x3c from-ranks=5-0:-1 to=2x3 to-order=10",
    "reduce_scatter shape=7x5 from=3cx2 to=3x2",
    "reduce_scatter shape=7x5 from=2cx2c from-ranks=4-7 to=2x2",
    "reduce_scatter shape=7x5x3 from=2x2cx3 from-order=201 to=2x2x3",
    /* repartition: uneven, explicit, empty, overlapping, disjoint, idle, reordered, copied */
    "repartition shape=10x7 from=Px1 to=1xP",
    "repartition shape=10x7 from=1xP to=Px1 to-ranks=0-P1",
    "repartition shape=7x5 from=4x1 to=2x2",
    "repartition shape=7x5 from=4x1 from-ranks=0-3 to=2x2 to-ranks=4-7",
    "repartition shape=7x5 from=2x2 from-ranks=1,3,0,2 to=4x1 to-ranks=6-0:-2",
    "repartition shape=77x5 from=4x1 from-ranks=4-7 from-parts=20+19+19+19x* to=3x4",
    "repartition shape=11x6 from=3x4 from-order=10 to=4x3 to-order=01",
    "repartition shape=11x6 from=3x2 from-order=reshaped to=3x2",
    "repartition shape=3 from=8 to=1 to-ranks=7",
    "repartition shape=3x2 from=8x1 to=1x8 to-ranks=7-0:-1",
    "repartition shape=9 from=3 to=3 from-parts=0+9+0 to-parts=4+0+5",
    "repartition shape=9 from=2 to=3 to-ranks=2,0,1 to-parts=0+0+9",
    "repartition shape=5x4x3 from=1x2x3 to=3x2x1 to-order=120",
    "repartition shape=2x3x2x2x3x2 from=1x1x2x1x3x1 to=2x3x1x1x1x1",
    "repartition shape=2x3x2x2x3x2 from=1x1x2x1x3x2 from-order=531420 to=2x3x1x1x1x2",
    "repartition shape=2x3x2x3 from=1x1x2x3 from-order=3120 to=2x3x1x1 to-ranks=11-1:-2",
    "repartition shape=8 from=2 to=2c",
    "repartition shape=8 from=2c to=2",
    "repartition shape=8 from=2c to=2c to-ranks=1,0",
    "repartition shape=8x3 from=2x2c to=4cx1 to-ranks=7-4:-1",
    "repartition shape=8x3 from=2cx3 from-ranks=5-0:-1 to=3cx2",
    "repartition shape=6 from=5 from-ranks=7-3:-1 to=4c",
    "repartition shape=14x1 from=2x2c to=1x4",
    "repartition shape=64x33 from=2x1 to=1x2",
    /* halo: one-sided, uneven, stride, dilation, padding, negative, wide, periodic, more parts than
       outputs */
    "halo shape=11 grid=3 kernel=5 padding=2",
    "halo shape=11 grid=3 kernel=5",
    "halo shape=11 grid=3 kernel=2 stride=2",
    "halo shape=20 grid=6 kernel=2 stride=2",
    "halo shape=10 grid=4 kernel=2 stride=2",
    "halo shape=10 grid=P kernel=9 padding=4",
    "halo shape=5 grid=P kernel=5 padding=2",
    "halo shape=12 grid=4 kernel=11 padding=5 ranks=3-0:-1",
    "halo shape=17 grid=4 kernel=3 dilation=4 padding=4",
    "halo shape=17 grid=5 kernel=2 stride=3 dilation=2 padding=1",
    "halo shape=9 grid=4 kernel=1 stride=4",
    "halo shape=9 grid=4 kernel=7 stride=2 padding=0",
    "halo shape=9 grid=8 kernel=8 stride=2 padding=0",
    "halo shape=8 grid=3 kernel=3 stride=2 ceil=1",
    "halo shape=7 grid=3 kernel=2 stride=3 padding=1 ceil=1",
    "halo shape=12 grid=P kernel=3 padding=1 periodic=1",
    "halo shape=5 grid=3 kernel=5 padding=2 periodic=1",
    "halo shape=3 grid=2 kernel=9 padding=4 periodic=1",
    "halo shape=2 grid=3 kernel=5 padding=2 periodic=1",
    "halo shape=1 grid=1 kernel=3 padding=1 periodic=1",
    "halo shape=6x5 grid=2x2 kernel=3x3 padding=1x1",
    "halo shape=6x5 grid=2x2 kernel=3x3 padding=1x1 periodic=1x1",
    "halo shape=6x5 grid=2x2 kernel=3x3 padding=1x1 periodic=0x1 order=10 ranks=5,1,7,2",
    "halo shape=6x9 grid=3x3 kernel=3x5 padding=1x2",
    "halo shape=10x7 grid=3x3 kernel=3x3 ranks=11-3:-1",
    "halo shape=9x8 grid=3x4 kernel=3x3 stride=2x1 padding=1x0 dilation=1x2",
    "halo shape=1x2x6x6 grid=1x1x2x2 kernel=5x5 padding=2x2",
    "halo shape=1x2x5x6x4 grid=1x1x2x3x2 kernel=3x3x3 padding=1x1x1",
    "halo shape=2x1x4x3x4x2 grid=1x1x2x1x2x2 kernel=3x1x2x2 padding=1x0x0x1 order=542310",
    "halo shape=12 grid=4 kernel=3 padding=1 parts=5+0+4+3",
    "halo shape=12x4 grid=3x2 kernel=1x3 padding=0x1 parts=1+10+1x*",
    "halo shape=6 grid=2 kernel=2 stride=9",
    "halo shape=16x16 grid=2x2 kernel=5x5 padding=2x2",
};

enum { COLUMNS = 60, RANDOM_PROBLEMS = 300, SHOWN = 20 };

typedef struct {
    MPI_Comm comm;
    int rank, size;
    long problems, failed_problems, refused;
    test_verdict total;
    long runs[16][16]; /* by primitive and algorithm */
} session;

static void count_run(session *s, const test_case *c)
{
    for (int p = 0; tg_primitives[p] != NULL && p < 16; p++) {
        for (int a = 0; tg_primitives[p]->algorithms[a] != NULL && a < 16; a++) {
            s->runs[p][a] += tg_primitives[p] == c->problem.primitive &&
                             tg_primitives[p]->algorithms[a] == c->problem.algorithm;
        }
    }
}

/* A collective of the MPI library cannot work in place where a rank's parts of x and y overlap and
 * differ; such an algorithm, never the reference, may say so. Collective. */
static bool is_refusal(const session *s, const test_case *c, const tg_status *status)
{
    bool alike = model_count(&c->x) == 0 || model_count(&c->y) == 0 || tg_box_equal(&c->x, &c->y);
    int differ = !alike;
    MPI_Allreduce(MPI_IN_PLACE, &differ, 1, MPI_INT, MPI_MAX, s->comm);
    return differ != 0 && c->problem.place == TG_IN_PLACE &&
           c->problem.algorithm != c->problem.primitive->algorithms[0] &&
           status->code == TG_BAD_INPUT && strstr(status->text, "in-place") != NULL;
}

/* Plans and checks one line in which every choice is written. */
static void run_line(session *s, const char *line, long columns)
{
    test_case *c = malloc(sizeof *c);
    test_verdict mine = {.text = ""};
    char text[256];
    s->problems++;
    if (!case_make(line, s->rank, s->size, c, text)) {
        check_one(&mine, CHECK_VALUES, false, "not accepted: %s", text);
    } else {
        tg_op *op;
        tg_status status = tg_plan(s->comm, &c->problem, &op);
        bool refused = is_refusal(s, c, &status) && op == NULL;
        check_one(&mine, CHECK_VALUES, refused || (status.code == TG_OK && op != NULL),
                  "no plan: %s", status.text);
        s->refused += refused;
        if (status.code == TG_OK) {
            test_operator tested = case_operator(op);
            check_boxes(c, op, &mine);
            check_operator(c, &tested, s->comm, columns, &mine);
            tg_free(&op);
            check_one(&mine, CHECK_VALUES, op == NULL, "tg_free left a pointer");
        }
        count_run(s, c);
        case_free(c);
    }
    free(c);
    test_verdict all = check_agree(&mine, s->comm);
    for (int kind = 0; kind < CHECK_KINDS; kind++) {
        s->total.done[kind] += all.done[kind];
        s->total.failed[kind] += all.failed[kind];
    }
    if (check_failures(&all) > 0 && s->failed_problems++ < SHOWN && s->rank == 0)
        printf("FAILED %s\n       %ld checks: %s\n", line, check_failures(&all), all.text);
}

/* A line with each algorithm and each way to call it, as far as its own words leave a choice. */
static void run_variants(session *s, const char *line, int number)
{
    static const char *const ways[3] = {"in-place=no accumulate=no", "in-place=no accumulate=yes",
                                        "in-place=yes accumulate=no"};
    static const char *const dtypes[3] = {"f32", "f64", "i32"};
    char word[MODEL_WORD], full[2 * LINE_SIZE];
    model_operation(line, word);
    const tg_primitive *primitive = tg_primitive_find(word);
    if (primitive == NULL) {
        snprintf(full, sizeof full, "%s", line);
        run_line(s, full, 0);
        return;
    }
    for (int a = 0; primitive->algorithms[a] != NULL; a++) {
        for (int way = 0; way < 3; way++) {
            snprintf(full, sizeof full, "%s dtype=%s algorithm=%s %s", line,
                     dtypes[(number + a + way) % 3], primitive->algorithms[a]->name, ways[way]);
            run_line(s, full, COLUMNS);
        }
    }
}

static void run_written(session *s)
{
    static model m;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char line[LINE_SIZE], word[MODEL_WORD];
        model_line(lines[i], s->size, line, sizeof line);
        model_operation(line, word);
        const tg_primitive *primitive = tg_primitive_find(word);
        if (primitive == NULL ||
            !model_read(line, primitive->two_layouts, primitive->window, primitive->sums, &m) ||
            model_highest_rank(&m) < s->size)
            run_variants(s, line, (int)i);
    }
}

static void run_random(session *s, uint64_t seed, int count)
{
    random_source source = {seed * 1000 + (uint64_t)s->size};
    int primitives = 0;
    while (tg_primitives[primitives] != NULL)
        primitives++;
    for (int i = 0; i < count; i++) {
        static const char *const dtypes[3] = {"f32", "f64", "i32"};
        char line[LINE_SIZE], full[2 * LINE_SIZE];
        const tg_primitive *primitive = tg_primitives[i % primitives];
        int algorithms = 0;
        while (primitive->algorithms[algorithms] != NULL)
            algorithms++;
        if (!random_problem(&source, primitive->name, s->size, line))
            continue;
        long way = random_below(&source, 3);
        snprintf(full, sizeof full, "%s dtype=%s algorithm=%s in-place=%s accumulate=%s", line,
                 dtypes[random_below(&source, 3)],
                 primitive->algorithms[random_below(&source, algorithms)]->name,
                 way == 2 ? "yes" : "no", way == 1 ? "yes" : "no");
        run_line(s, full, COLUMNS / 2);
    }
}

/* Every algorithm of every primitive has had a problem. */
static void check_coverage(session *s)
{
    for (int p = 0; tg_primitives[p] != NULL && p < 16; p++) {
        for (int a = 0; tg_primitives[p]->algorithms[a] != NULL && a < 16; a++) {
            if (s->runs[p][a] == 0) {
                s->failed_problems++;
                if (s->rank == 0) {
                    printf("FAILED no problem for %s algorithm=%s\n", tg_primitives[p]->name,
                           tg_primitives[p]->algorithms[a]->name);
                }
            }
        }
    }
}

/* The rows of element types say what they are. */
static void check_dtypes(session *s)
{
    static const char *const names[3] = {"f32", "f64", "i32"};
    static const size_t sizes[3] = {4, 8, 4};
    test_verdict mine = {.text = ""};
    for (int i = 0; i < 3; i++) {
        const tg_dtype *dtype = tg_dtype_find(names[i]);
        double to[4] = {0}, from[4] = {0};
        int mpi_size = 0;
        if (dtype == NULL) {
            check_one(&mine, CHECK_VALUES, false, "no dtype %s", names[i]);
            continue;
        }
        MPI_Type_size(dtype->mpi(), &mpi_size);
        check_one(&mine, CHECK_VALUES, dtype->size == sizes[i] && (size_t)mpi_size == sizes[i],
                  "size of %s", names[i]);
        for (int n = 0; n < 4; n++) {
            dtype->put(to, n, n + 1.0);
            dtype->put(from, n, -10.0 * n);
        }
        dtype->add(to, from, 3);
        for (int n = 0; n < 4; n++) {
            check_one(&mine, CHECK_VALUES, dtype->get(to, n) == n + 1.0 - (n < 3 ? 10.0 * n : 0.0),
                      "%s: add of entry %d", names[i], n);
        }
    }
    check_one(&mine, CHECK_VALUES, tg_dtype_find("f31") == NULL, "f31 is a dtype");
    check_one(&mine, CHECK_VALUES, tg_primitive_find("brodcast") == NULL,
              "brodcast is a primitive");
    if (check_failures(&mine) > 0) {
        s->failed_problems++;
        printf("FAILED %s\n", mine.text);
    }
}

int main(int argc, char **argv)
{
    static session s;
    uint64_t seed = 20261123;
    int random_problems = RANDOM_PROBLEMS;
    const char *alone = NULL;
    MPI_Init(&argc, &argv);
    s.comm = MPI_COMM_WORLD;
    MPI_Comm_rank(s.comm, &s.rank);
    MPI_Comm_size(s.comm, &s.size);
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--random") == 0 && i + 1 < argc)
            random_problems = (int)strtol(argv[++i], NULL, 10);
        else
            alone = argv[i];
    double start = MPI_Wtime();
    if (alone != NULL) {
        run_line(&s, alone, COLUMNS);
    } else {
        check_dtypes(&s);
        run_written(&s);
        run_random(&s, seed, random_problems);
        check_coverage(&s);
    }
    long checks = check_count(&s.total), failures = check_failures(&s.total);
    if (s.rank == 0) {
        printf("%d ranks, seed %llu: %ld problems (%ld refused in place), %ld checks (", s.size,
               (unsigned long long)seed, s.problems, s.refused, checks);
        for (int kind = 0; kind < CHECK_KINDS; kind++)
            printf("%s%ld %s", kind > 0 ? ", " : "", s.total.done[kind], check_names[kind]);
        printf("), %ld failed in %ld problems, %.1f s\n", failures, s.failed_problems,
               MPI_Wtime() - start);
    }
    bool every_kind = true;
    for (int kind = 0; kind < CHECK_KINDS; kind++)
        every_kind = every_kind && (s.total.done[kind] > 0 || alone != NULL);
    MPI_Finalize();
    return checks > 0 && every_kind && failures == 0 && s.failed_problems == 0 ? 0 : 1;
}
