/* test_halves.c: operators under way at the same time. Every operator of a list is started together
 * with each of some others, messages of the caller travel in between, and both are finished in the
 * order in which they were started: the values must be those of tg_apply and tg_apply_adjoint.
 * Each line is run by every algorithm of its primitive, so that messages of one algorithm meet those
 * of all others. One operator under way alone: test_operators. */
#include "primitives/tests/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* P stands for the number of ranks. */
static const char *const lines[] = {
    "send_recv shape=70 from=1 to=1 from-ranks=0 to-ranks=1",
    "broadcast shape=300 from=1 to=Pc",
    "broadcast shape=301 from=1 to=Pc dtype=f64 accumulate=yes",
    "broadcast shape=9000 from=1 to=Pc in-place=yes",
    "sum_reduce shape=77x3 from=Pcx1 to=1x1",
    "sum_reduce shape=9000 from=Pc to=1 dtype=i32",
    "all_sum_reduce shape=1300 grid=Pc",
    "all_sum_reduce shape=13 grid=Pc in-place=yes",
    "scatter shape=131 from=1 to=P",
    "gather shape=131 from=P to=1 accumulate=yes",
    "all_gather shape=131 from=P to=Pc dtype=bf16",
    "reduce_scatter shape=131 from=Pc to=P",
    "repartition shape=31x37 from=Px1 to=1xP",
    "repartition shape=2x24x9 from=1xPx1 to=1x1xP store-x=nchw8c store-y=row::3",
    "repartition shape=31 from=P to=Pc accumulate=yes",
    "halo shape=1x3x24x9 grid=1x1xPx1 kernel=5x3 padding=2x1",
    "halo shape=24x24 grid=1xP kernel=3x5 padding=1x2 in-place=yes",
};
enum { LINES = sizeof lines / sizeof *lines, MOST_OPERATORS = 512, STRIDES = 3, TAG = 5 };

/* An operator, and buffers of this rank. */
typedef struct {
    test_case c;
    tg_op *op;
    void *x, *y;
} planned;

static int rank, size, failed, done;
static planned operators[MOST_OPERATORS];
static int count;

/* ---- the operators ---- */

static void fail(const char *what, const char *line)
{
    failed++;
    printf("FAILED on rank %d of %d: %s: %s\n", rank, size, what, line);
}

/* The line with its P as a number, and an algorithm. */
static void write_line(const char *line, const char *algorithm, char text[1024])
{
    size_t length = 0;
    for (const char *c = line; *c; c++) {
        const bool is_count = *c == 'P' && (c[-1] == '=' || c[-1] == 'x');
        length += (size_t)(is_count ? snprintf(text + length, 1024 - length, "%d", size)
                                    : snprintf(text + length, 1024 - length, "%c", *c));
    }
    snprintf(text + length, 1024 - length, " algorithm=%s", algorithm);
}

static void *reserve(ptrdiff_t bytes)
{
    void *memory = malloc((size_t)bytes + 1);
    if (!memory)
        abort();
    return memory;
}

static void add_operator(const char *line, const char *algorithm)
{
    planned *o = &operators[count];
    char text[1024], reason[256];
    write_line(line, algorithm, text);
    if (!case_words(text, rank, size, &o->c, reason)) {
        fail(reason, text);
        return;
    }
    const tg_status status = tg_plan(MPI_COMM_WORLD, &o->c.problem, &o->op);
    if (status.code != TG_OK) {
        fail(status.text, text);
        case_free(&o->c);
        return;
    }
    o->x = reserve(tg_op_x_bytes(o->op));
    o->y = o->c.problem.place == TG_IN_PLACE ? o->x : reserve(tg_op_y_bytes(o->op));
    count++;
}

static void add_all(void)
{
    for (int i = 0; i < LINES; i++) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(lines[i], " "), lines[i]);
        if (strstr(lines[i], "to-ranks=1") && size < 2)
            continue;
        const tg_primitive *row = tg_primitive_find(name);
        for (int a = 0; row->algorithms[a] && count < MOST_OPERATORS; a++)
            add_operator(lines[i], row->algorithms[a]->name);
    }
}

static void drop_all(void)
{
    for (int i = 0; i < count; i++) {
        tg_free(&operators[i].op);
        if (operators[i].y != operators[i].x)
            free(operators[i].y);
        free(operators[i].x);
        case_free(&operators[i].c);
    }
}

/* ---- two under way ---- */

/* Inputs from the seed; what is there before, where it is added to. */
static void fill(const planned *o, tg_space to, uint64_t seed)
{
    const tg_problem *p = &o->c.problem;
    void *const in = to == TG_Y ? o->x : o->y, *const out = to == TG_Y ? o->y : o->x;
    if (in != out)
        memset(out, 0x55, (size_t)(to == TG_Y ? tg_op_y_bytes(o->op) : tg_op_x_bytes(o->op)));
    if (in != out && p->mode == TG_ACCUMULATE)
        tg_fill(p, to, rank, seed + 1, out);
    tg_fill(p, to == TG_Y ? TG_X : TG_Y, rank, seed, in);
}

static void start(const planned *o, tg_space to)
{
    if (to == TG_Y)
        tg_start(o->op, o->x, o->y);
    else
        tg_start_adjoint(o->op, o->y, o->x);
}

/* Messages of the caller, on the communicator that the operators were planned on. */
static void travel(void)
{
    int sent = rank, received = -1;
    const int to = (rank + 1) % size, from = (rank + size - 1) % size;
    MPI_Sendrecv(&sent, 1, MPI_INT, to, TAG, &received, 1, MPI_INT, from, TAG, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE);
    if (received != from)
        fail("a message of the caller", "");
}

static void check(const planned *o, tg_space to, uint64_t seed)
{
    const void *out = to == TG_Y ? o->y : o->x;
    done++;
    if (tg_count_wrong(&o->c.problem, to, rank, seed, out) != 0)
        fail(to == TG_Y ? "forward" : "adjoint", o->c.line);
}

static void run_pair(const planned *a, tg_space a_to, const planned *b, tg_space b_to)
{
    fill(a, a_to, 11);
    fill(b, b_to, 12);
    start(a, a_to);
    travel();
    start(b, b_to);
    travel();
    tg_finish(a->op);
    tg_finish(b->op);
    check(a, a_to, 11);
    check(b, b_to, 12);
}

/* Every operator with others that stand so many places behind it. */
static void run_pairs(void)
{
    static const int strides[STRIDES] = {1, 7, 31};
    for (int s = 0; s < STRIDES; s++)
        for (int i = 0; i < count; i++) {
            const planned *a = &operators[i], *b = &operators[(i + strides[s]) % count];
            if (a == b)
                continue;
            run_pair(a, i % 2 ? TG_X : TG_Y, b, i % 3 ? TG_Y : TG_X);
            run_pair(a, i % 2 ? TG_Y : TG_X, b, i % 3 ? TG_X : TG_Y);
        }
}

/* What was filled for one seed is wrong for another: the checks can fail. */
static void check_oracle(void)
{
    static int seen[MOST_OPERATORS];
    for (int i = 0; i < count; i++) {
        const planned *o = &operators[i];
        fill(o, TG_Y, 11);
        start(o, TG_Y);
        tg_finish(o->op);
        seen[i] = tg_count_wrong(&o->c.problem, TG_Y, rank, 99, o->y) > 0;
    }
    MPI_Allreduce(MPI_IN_PLACE, seen, count, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    for (int i = 0; i < count; i++)
        if (seen[i] == 0)
            fail("an oracle that sees nothing", operators[i].c.line);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    add_all();
    run_pairs();
    check_oracle();
    drop_all();
    MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0)
        printf("%d operators, %d results looked at, %d failed\n", count, done, failed);
    const bool good = failed == 0 && done > 100;
    MPI_Finalize();
    return good ? 0 : 1;
}
