/* test_algebra.c: operators made from operators. F** = F, (G F)* = F* G*, R B = k I, |B x|^2 = k
 * |x|^2, T* T = I without copies, all_sum_reduce = B R. Source: Hewett and Grady, arXiv 2006.03108,
 * section 2. */
#include "primitives/tests/checks.h"
#include "primitives/tests/random_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static MPI_Comm comm;
static int rank, size;
static long failed;
static test_verdict total;

static void finish(const char *what, const test_verdict *mine)
{
    test_verdict all = check_agree(mine, comm);
    for (int kind = 0; kind < CHECK_KINDS; kind++)
        total.done[kind] += all.done[kind];
    failed += check_failures(&all);
    if (check_failures(&all) > 0 && rank == 0)
        printf("FAILED %s\n       %s\n", what, all.text);
}

/* A line with its ranks written as P, and its plan; NULL when there is none. */
static tg_op *plan(const char *line, test_case *c, test_verdict *verdict)
{
    char text[256];
    tg_op *op = NULL;
    bool made = case_make(line, rank, size, c, text);
    check_one(verdict, CHECK_VALUES, made, "%s: %s", line, text);
    if (made) {
        tg_status status = tg_plan(comm, &c->problem, &op);
        check_one(verdict, CHECK_VALUES, status.code == TG_OK, "%s: %s", line, status.text);
    }
    return op;
}

/* F and F* have changed places, once and back again, with all that is asked of an operator. */
static void check_flip(const char *line)
{
    test_case *c = malloc(sizeof *c);
    test_verdict mine = {.text = ""};
    tg_op *op = plan(line, c, &mine);
    if (op != NULL) {
        tg_box x = tg_op_x(op), y = tg_op_y(op);
        tg_op *flipped = tg_flip(op);
        tg_box flipped_x = tg_op_x(flipped), flipped_y = tg_op_y(flipped);
        check_one(&mine, CHECK_VALUES, tg_box_equal(&flipped_x, &y) && tg_box_equal(&flipped_y, &x),
                  "the boxes have not changed places");
        test_operator there = case_flipped(flipped);
        check_operator(c, &there, comm, 40, &mine);
        tg_op *twice = tg_flip(flipped);
        test_operator back = case_operator(twice);
        check_boxes(c, twice, &mine);
        check_operator(c, &back, comm, 40, &mine);
        tg_free(&twice);
    }
    case_free(c);
    free(c);
    finish(line, &mine);
}

/* z = op(x) must be k x, forward and adjoint; x by the formula of the model. */
static void check_multiple(const test_case *c, tg_op *op, double k, bool of_x,
                           test_verdict *verdict)
{
    const tg_dtype *dtype = c->problem.dtype;
    const tg_box *box = of_x ? &c->x : &c->y;
    long count = model_count(box);
    void *in = calloc((size_t)count + 1, dtype->size),
         *out = calloc((size_t)count + 1, dtype->size);
    for (int adjoint = 0; adjoint < 2; adjoint++) {
        for (long n = 0; n < count; n++)
            dtype->put(in, n, (double)((n * 7 + rank) % 11 - 5));
        if (adjoint != 0)
            tg_apply_adjoint(op, in, out);
        else
            tg_apply(op, in, out);
        for (long n = 0; n < count; n++) {
            double expected = k * (double)((n * 7 + rank) % 11 - 5);
            check_one(verdict, CHECK_VALUES, dtype->get(out, n) == expected,
                      "rank %d, entry %ld is %g, expected %g", rank, n, dtype->get(out, n),
                      expected);
        }
    }
    free(in);
    free(out);
}

/* F* F = k I on x. */
static void check_gram(const char *line, double k)
{
    test_case *c = malloc(sizeof *c);
    test_verdict mine = {.text = ""};
    tg_op *first = plan(line, c, &mine);
    if (first != NULL) {
        test_case *again = malloc(sizeof *again);
        tg_op *second = plan(line, again, &mine), *both = NULL;
        tg_status status = tg_chain(tg_flip(second), first, &both);
        check_one(&mine, CHECK_VALUES, status.code == TG_OK, "%s", status.text);
        if (status.code == TG_OK) {
            check_multiple(c, both, k, true, &mine);
            tg_op *flipped = tg_flip(both);
            check_multiple(c, flipped, k, true, &mine);
            tg_free(&flipped);
        }
        case_free(again);
        free(again);
    }
    case_free(c);
    free(c);
    finish(line, &mine);
}

/* |F x|^2 = k |x|^2, with the library's own dot product. */
static void check_norm(const char *line, double k)
{
    test_case *c = malloc(sizeof *c);
    test_verdict mine = {.text = ""};
    tg_op *op = plan(line, c, &mine);
    if (op != NULL) {
        size_t entry = c->problem.dtype->size;
        void *x = calloc((size_t)model_count(&c->x) + 1, entry),
             *y = calloc((size_t)model_count(&c->y) + 1, entry);
        tg_fill(&c->problem, TG_X, rank, 3, x);
        tg_apply(op, x, y);
        double norms[2] = {tg_dot(&c->problem, TG_X, rank, x, x),
                           tg_dot(&c->problem, TG_Y, rank, y, y)};
        MPI_Allreduce(MPI_IN_PLACE, norms, 2, MPI_DOUBLE, MPI_SUM, comm);
        check_one(&mine, CHECK_DOT, norms[1] == k * norms[0] && norms[0] > 0.0,
                  "|F x|^2 is %g, expected %g x %g", norms[1], k, norms[0]);
        free(x);
        free(y);
        tg_free(&op);
    }
    case_free(c);
    free(c);
    finish(line, &mine);
}

/* F* of the first line must be the operator of the second. */
static void check_adjoint_is(const char *line, const char *adjoint_line)
{
    test_case *c = malloc(2 * sizeof *c);
    test_verdict mine = {.text = ""};
    char text[256];
    tg_op *op = plan(line, &c[0], &mine);
    bool made = case_make(adjoint_line, rank, size, &c[1], text);
    check_one(&mine, CHECK_VALUES, made, "%s: %s", adjoint_line, text);
    if (op != NULL && made) {
        tg_op *flipped = tg_flip(op);
        test_operator tested = case_operator(flipped);
        check_boxes(&c[1], flipped, &mine);
        check_operator(&c[1], &tested, comm, 40, &mine);
        op = flipped;
    }
    tg_free(&op);
    case_free(&c[0]);
    case_free(&c[1]);
    free(c);
    finish(adjoint_line, &mine);
}

/* G F must be the operator of the third line: values, adjoint, matrix. */
static void check_chain(const char *first_line, const char *second_line, const char *both_line)
{
    test_case *c = malloc(3 * sizeof *c);
    test_verdict mine = {.text = ""};
    char text[256];
    tg_op *first = plan(first_line, &c[0], &mine), *second = plan(second_line, &c[1], &mine),
          *both = NULL;
    if (first != NULL && second != NULL && case_make(both_line, rank, size, &c[2], text)) {
        tg_status status = tg_chain(second, first, &both);
        check_one(&mine, CHECK_VALUES, status.code == TG_OK, "%s", status.text);
        if (status.code == TG_OK) {
            test_operator tested = case_operator(both);
            check_boxes(&c[2], both, &mine);
            check_operator(&c[2], &tested, comm, 40, &mine);
            tg_free(&both);
        }
        case_free(&c[2]);
    } else {
        check_one(&mine, CHECK_VALUES, false, "no problem: %s", text);
    }
    case_free(&c[0]);
    case_free(&c[1]);
    free(c);
    finish(both_line, &mine);
}

/* A chain of operators that do not meet: the same status everywhere, and both operators are gone.
 */
static void check_bad_chain(const char *first_line, const char *second_line)
{
    test_case *c = malloc(2 * sizeof *c);
    test_verdict mine = {.text = ""};
    tg_op *first = plan(first_line, &c[0], &mine), *second = plan(second_line, &c[1], &mine);
    if (first != NULL && second != NULL) {
        tg_op *both = first;
        tg_status status = tg_chain(second, first, &both);
        check_one(&mine, CHECK_VALUES,
                  status.code == TG_BAD_INPUT && both == NULL && status.text[0] != '\0',
                  "code %d, text '%s'", (int)status.code, status.text);
    }
    case_free(&c[0]);
    case_free(&c[1]);
    free(c);
    finish(second_line, &mine);
}

static void with_size(void (*check)(const char *, double), const char *format, double k)
{
    char line[LINE_SIZE];
    model_line(format, size, line, sizeof line);
    check(line, k);
}

/* move keeps the norm of region a: |M x|^2 = |x|^2 where region b of x is 0. */
static void check_moved_norm(const char *line)
{
    test_case *c = malloc(sizeof *c);
    test_verdict mine = {.text = ""};
    tg_op *op = plan(line, c, &mine);
    if (op != NULL) {
        size_t bytes = (size_t)model_count(&c->x) * c->problem.dtype->size;
        unsigned char *x = calloc(bytes + 1, 1), *y = calloc(bytes + 1, 1);
        tg_fill(&c->problem, TG_X, rank, 3, x);
        memset(x + bytes / 2, 0, bytes / 2);
        tg_apply(op, x, y);
        double norms[2] = {tg_dot(&c->problem, TG_X, rank, x, x),
                           tg_dot(&c->problem, TG_Y, rank, y, y)};
        MPI_Allreduce(MPI_IN_PLACE, norms, 2, MPI_DOUBLE, MPI_SUM, comm);
        check_one(&mine, CHECK_DOT, norms[1] == norms[0] && norms[0] > 0.0,
                  "|F x|^2 is %g, expected %g", norms[1], norms[0]);
        free(x);
        free(y);
        tg_free(&op);
    }
    case_free(c);
    free(c);
    finish(line, &mine);
}

/* What the table of memory operators says: adjoints, and operators made from others. */
static void check_memory(void)
{
    static const char *const adjoints[][2] = {{"allocate shape=1x7x2", "deallocate shape=2x7x2"},
                                              {"deallocate shape=2x7x2", "allocate shape=1x7x2"},
                                              {"clear shape=2x7x2", "clear shape=2x7x2"}};
    static const char *const chains[][3] = {
        {"allocate shape=1x7x2", "deallocate shape=2x7x2", "all_sum_reduce shape=1x7x2"}, /* = I */
        {"deallocate shape=2x7x2", "allocate shape=1x7x2", "clear shape=2x7x2"},
        {"clear shape=2x7x2", "add shape=2x7x2", "copy shape=2x7x2"},
        {"clear shape=2x7x2", "move shape=2x7x2", "move shape=2x7x2"},
    };
    char grid[32], line[3][LINE_SIZE];
    snprintf(grid, sizeof grid, "grid=1x%dx1", size);
    for (size_t i = 0; i < sizeof adjoints / sizeof *adjoints; i++) {
        for (int k = 0; k < 2; k++)
            snprintf(line[k], LINE_SIZE, "%s %s", adjoints[i][k], grid);
        check_adjoint_is(line[0], line[1]);
    }
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
        for (int k = 0; k < 3; k++)
            snprintf(line[k], LINE_SIZE, "%s %s", chains[i][k], grid);
        check_chain(line[0], line[1], line[2]);
    }
    snprintf(line[0], LINE_SIZE, "allocate shape=1x7x2 %s", grid);
    check_gram(line[0], 1);
    check_norm(line[0], 1);
    snprintf(line[0], LINE_SIZE, "move shape=2x7x2 dtype=f64 %s", grid);
    check_moved_norm(line[0]);
}

static void flip_all(void)
{
    static const char *const shared[] = {"broadcast shape=7 from=1 to=Pc",
                                         "sum_reduce shape=7 from=Pc to=1",
                                         "all_sum_reduce shape=7 grid=Pc",
                                         "repartition shape=5x4 from=Px1 to=1xP",
                                         "halo shape=9 grid=P kernel=5 padding=2",
                                         "halo shape=9 grid=P kernel=3 padding=1 periodic=1",
                                         "halo_transposed shape=9 grid=P kernel=4 stride=2",
                                         "halo_upsample shape=9 grid=P kernel=2 stride=2",
                                         "allocate shape=1x7 grid=1xP",
                                         "deallocate shape=2x7 grid=1xP",
                                         "clear shape=2x7 grid=1xP",
                                         "add shape=2x7 grid=1xP",
                                         "copy shape=2x7 grid=1xP",
                                         "move shape=2x7 grid=1xP",
                                         "send_recv shape=6 from-ranks=0 to-ranks=0",
                                         "scatter shape=7 from=1 to=P",
                                         "gather shape=7 from=P to=1",
                                         "all_gather shape=7 from=P to=Pc",
                                         "reduce_scatter shape=7 from=Pc to=P"};
    static const char *const ways[] = {"in-place=no", "accumulate=yes", "in-place=yes"};
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        char word[MODEL_WORD], line[LINE_SIZE], full[2 * LINE_SIZE];
        model_line(shared[i], size, line, sizeof line);
        model_operation(line, word);
        const tg_primitive *primitive = tg_primitive_find(word);
        for (int a = 0; primitive != NULL && primitive->algorithms[a] != NULL; a++) {
            for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
                snprintf(full, sizeof full, "%s algorithm=%s %s", line,
                         primitive->algorithms[a]->name, ways[w]);
                check_flip(full);
            }
        }
    }
}

int main(int argc, char **argv)
{
    char first[LINE_SIZE], second[LINE_SIZE], both[LINE_SIZE];
    MPI_Init(&argc, &argv);
    comm = MPI_COMM_WORLD;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    flip_all();
    check_memory();
    with_size(check_gram, "broadcast shape=7 from=1 to=Pc", size);
    with_size(check_gram, "broadcast shape=7 from=1 to=Pc dtype=i32 algorithm=mpi", size);
    with_size(check_gram, "repartition shape=10x7 from=Px1 to=1xP dtype=f64", 1);
    with_size(check_gram, "repartition shape=10x7 from=Px1 to=Pcx1", size);
    with_size(check_norm, "broadcast shape=31 from=1 to=Pc", size);
    with_size(check_norm, "repartition shape=10x7 from=Px1 to=1xP", 1);
    with_size(check_norm, "send_recv shape=5", 1);
    with_size(check_norm, "scatter shape=9 from=1 to=P", 1);
    with_size(check_norm, "gather shape=9 from=P to=1", 1);
    with_size(check_norm, "all_gather shape=9 from=P to=Pc algorithm=mpi", size);
    if (size >= 6) {
        check_gram("broadcast shape=7x5 from=2x1 to=2x3c to-ranks=5-0:-1", 3);
        check_norm("broadcast shape=7x5 from=2x1 to=2x3c to-ranks=5-0:-1", 3);
        check_gram("broadcast shape=7x5x2 from=1x1x1 to=2cx3cx1 algorithm=mpi", 6);
        check_gram("repartition shape=7x5 from=2x3 to=3x2 to-ranks=5-0:-1", 1);
    }
    model_line("repartition shape=6x5 from=Px1 to=1xP", size, first, sizeof first);
    model_line("repartition shape=6x5 from=1xP to=1x1", size, second, sizeof second);
    model_line("repartition shape=6x5 from=Px1 to=1x1", size, both, sizeof both);
    check_chain(first, second, both);
    model_line("reduce_scatter shape=9 from=Pc to=P", size, first, sizeof first);
    model_line("all_gather shape=9 from=P to=Pc", size, second, sizeof second);
    model_line("all_sum_reduce shape=9 grid=Pc", size, both, sizeof both);
    check_chain(first, second, both);
    model_line("sum_reduce shape=9 from=Pc to=1", size, first, sizeof first);
    model_line("broadcast shape=9 from=1 to=Pc", size, second, sizeof second);
    model_line("all_sum_reduce shape=9 grid=Pc", size, both, sizeof both);
    check_chain(first, second, both);
    if (size > 1) {
        check_bad_chain(first, first);
        check_bad_chain("repartition shape=9 from=1 to=2 dtype=f64",
                        "repartition shape=9 from=2 to=1 dtype=f32");
        check_bad_chain("repartition shape=9 from=1 to=2 accumulate=yes",
                        "repartition shape=9 from=2 to=1");
        check_bad_chain("repartition shape=9 from=1 to=2",
                        "repartition shape=9 from=2 to=1 in-place=yes");
    }
    if (rank == 0)
        printf("%d ranks: %ld checks, %ld failed\n", size, check_count(&total), failed);
    MPI_Finalize();
    return failed == 0 && check_count(&total) > 0 ? 0 : 1;
}
