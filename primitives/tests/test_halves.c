/* test_halves.c [--node-size N and other limits]: operators under way at the same time. Every
 * operator of a list is started together with two others, messages of the caller and the whole apply
 * of a fourth travel in between, and they are finished in one sequence or another: the values must
 * be those of tg_apply and tg_apply_adjoint. Each line is run by every algorithm of its primitive,
 * and every primitive has a line, so that messages of one algorithm meet those of all others. One
 * operator under way alone: test_operators. */
#include "primitives/tests/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const lines[] = {
    "allocate shape=1x13 grid=1xP",
    "deallocate shape=2x13 grid=1xP",
    "clear shape=2x13 grid=1xP",
    "add shape=2x13 grid=1xP in-place=yes",
    "copy shape=2x13 grid=1xP",
    "move shape=2x13 grid=1xP accumulate=yes",
    "send_recv shape=70 from=1 to=1 from-ranks=0 to-ranks=P1",
    "send_recv shape=70x3 from=1x1 to=1x1 from-ranks=P1 to-ranks=0 store-x=row:2 store-y=row",
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
    "repartition shape=31x5 from=1x1 to=1x2c to-ranks=1,2",
    "halo shape=1x3x24x9 grid=1x1xPx1 kernel=5x3 padding=2x1",
    "halo shape=24x24 grid=1xP kernel=3x5 padding=1x2 in-place=yes",
    "halo shape=9x12 grid=Px1 kernel=3x3 padding=1x1 periodic=1x1",
    "halo_transposed shape=24x9 grid=Px1 kernel=4x3 stride=2x1 padding=1x1",
    "halo_upsample shape=9x24 grid=1xP kernel=2x2 stride=2x2",
};
enum {
    LINES = sizeof lines / sizeof *lines,
    MOST_OPERATORS = 512,
    STRIDES = 3,
    TOGETHER = 3, /* under way at once */
    TAG = 5
};

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
    char words[512], text[1024], reason[256];
    model_line(line, size, words, sizeof words);
    snprintf(text, sizeof text, "%s algorithm=%s", words, algorithm);
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

/* Every algorithm of every primitive has a line. */
static void add_all(void)
{
    for (const tg_primitive *const *row = tg_primitives; *row; row++)
        for (int a = 0; (*row)->algorithms[a]; a++) {
            const int before = count;
            for (int i = 0; i < LINES; i++) {
                char name[MODEL_WORD];
                model_operation(lines[i], name);
                if (size < 3 && strstr(lines[i], "to-ranks=1,2"))
                    continue;
                if (strcmp(name, (*row)->name) == 0 && count < MOST_OPERATORS)
                    add_operator(lines[i], (*row)->algorithms[a]->name);
            }
            if (count == before)
                fail("no operator", (*row)->algorithms[a]->name);
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

/* ---- several under way ---- */

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

static void apply(const planned *o, tg_space to)
{
    if (to == TG_Y)
        tg_apply(o->op, o->x, o->y);
    else
        tg_apply_adjoint(o->op, o->y, o->x);
}

/* The first TOGETHER are under way while the last one is applied as a whole. */
static void run_together(const planned *const o[TOGETHER + 1], const tg_space to[TOGETHER + 1],
                         const int sequence[TOGETHER])
{
    for (int i = 0; i <= TOGETHER; i++)
        fill(o[i], to[i], 11 + (uint64_t)i);
    for (int i = 0; i < TOGETHER; i++) {
        start(o[i], to[i]);
        travel();
    }
    apply(o[TOGETHER], to[TOGETHER]);
    for (int i = 0; i < TOGETHER; i++) {
        tg_finish(o[sequence[i]]->op);
        if (i == 0)
            travel();
    }
    for (int i = 0; i <= TOGETHER; i++)
        check(o[i], to[i], 11 + (uint64_t)i);
}

/* Every operator with others that stand so many places behind it, in changing directions. */
static void run_all(void)
{
    static const int strides[STRIDES] = {1, 7, 31};
    static const int sequences[][TOGETHER] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {0, 2, 1}};
    for (int s = 0; s < STRIDES; s++)
        for (int i = 0; i < count; i++) {
            const planned *together[TOGETHER + 1];
            tg_space to[TOGETHER + 1];
            for (int k = 0; k <= TOGETHER; k++) {
                together[k] = &operators[(i + k * strides[s]) % count];
                to[k] = (i + s + k * k) % 2 ? TG_X : TG_Y;
            }
            run_together(together, to, sequences[(i / 2 + s) % 4]);
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
    for (int i = 1; i < argc; i++)
        if (!case_limit(argc, argv, &i))
            fail("an argument", argv[i]);
    add_all();
    run_all();
    check_oracle();
    drop_all();
    MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0)
        printf("%d operators, %d results looked at, %d failed\n", count, done, failed);
    const bool good = failed == 0 && done >= STRIDES * (TOGETHER + 1) * count && count > 3 * 31;
    MPI_Finalize();
    return good ? 0 : 1;
}
