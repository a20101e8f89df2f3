/* test_plans.c: 10,000 plans made and freed, without growth in memory or communicators.
 *
 * All calls that make or free a communicator are counted on their way into the MPI library. Plans
 * are made alone first, so that each makes and frees what it needs; then while as many others live
 * as there are problems, so that what they share stays. What the library itself keeps of a type that
 * was freed (in some processes 64 bytes with MPICH 4.0.2) is measured first: it is none of the plans'.
 * A library that keeps something of each persistent collective that was freed (112 bytes and more with
 * Open MPI 5.0.7) is not asked for plans of them. */
#include "primitives/tests/checks.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROBLEMS = 256, ALONE = 10000, TOGETHER = 10000, WARM_UP = 500 };

/* More growth than this is a leak: 13 bytes a plan would be. Lists of the MPI library that never
 * shrink grow by two thirds of it, ever more slowly, as plans with windows live together. */
enum { SLACK_BYTES = 128 * 1024 };

static const char *const lines[] = {
    "send_recv shape=6 from-ranks=0 to-ranks=P1",
    "broadcast shape=6 from=1 to=Pc",
    "broadcast shape=6 from=1 to=2c to-ranks=1,0",
    "sum_reduce shape=6 from=Pc to=1",
    "all_sum_reduce shape=6 grid=Pc",
    "repartition shape=6x5 from=Px1 to=1xP",
    "repartition shape=6 from=2 to=2c",
    "halo shape=9x4 grid=Px1 kernel=3x3 padding=1x1",
    "scatter shape=6 from=1 to=P",
    "gather shape=6 from=P to=1",
    "all_gather shape=6 from=P to=Pc",
    "reduce_scatter shape=6 from=Pc to=P",
};

/* ---- communicators, counted ---- */

static long made, freed;

static int count_made(int code, const MPI_Comm *comm)
{
    made += *comm != MPI_COMM_NULL;
    return code;
}

int MPI_Comm_dup(MPI_Comm comm, MPI_Comm *newcomm)
{
    return count_made(PMPI_Comm_dup(comm, newcomm), newcomm);
}

int MPI_Comm_create(MPI_Comm comm, MPI_Group group, MPI_Comm *newcomm)
{
    return count_made(PMPI_Comm_create(comm, group, newcomm), newcomm);
}

int MPI_Comm_create_group(MPI_Comm comm, MPI_Group group, int tag, MPI_Comm *newcomm)
{
    return count_made(PMPI_Comm_create_group(comm, group, tag, newcomm), newcomm);
}

int MPI_Comm_split(MPI_Comm comm, int color, int order, MPI_Comm *newcomm)
{
    return count_made(PMPI_Comm_split(comm, color, order, newcomm), newcomm);
}

int MPI_Comm_split_type(MPI_Comm comm, int type, int order, MPI_Info info, MPI_Comm *newcomm)
{
    return count_made(PMPI_Comm_split_type(comm, type, order, info, newcomm), newcomm);
}

int MPI_Dist_graph_create_adjacent(MPI_Comm comm, int sources, const int *from, const int *weights,
                                   int sinks, const int *to, const int *more_weights, MPI_Info info,
                                   int reorder, MPI_Comm *newcomm)
{
    return count_made(PMPI_Dist_graph_create_adjacent(comm, sources, from, weights, sinks, to,
                                                      more_weights, info, reorder, newcomm),
                      newcomm);
}

int MPI_Comm_free(MPI_Comm *comm)
{
    freed++;
    return PMPI_Comm_free(comm);
}

static long types_freed;

int MPI_Type_free(MPI_Datatype *type)
{
    types_freed++;
    return PMPI_Type_free(type);
}

/* ---- plans ---- */

/* Bytes that malloc has handed out. */
static long memory_in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return (long)(info.uordblks + info.hblkhd);
}

/* Does the library keep memory of a persistent collective that was freed? */
static bool keeps_collectives(void)
{
    enum { FIRST = 100, COUNT = 1000 };
    long before = 0;
    for (int i = 0; i < FIRST + COUNT; i++) {
        if (i == FIRST)
            before = memory_in_use();
#ifdef TG_HAVE_PERSISTENT_COLLECTIVES
        int value = 0;
        MPI_Request request;
        MPI_Bcast_init(&value, 1, MPI_INT, 0, MPI_COMM_WORLD, MPI_INFO_NULL, &request);
        MPI_Request_free(&request);
#endif
    }
    int keeps = memory_in_use() - before > COUNT;
    MPI_Allreduce(MPI_IN_PLACE, &keeps, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    return keeps != 0;
}

typedef struct {
    int rank, size;
    test_case *problem[PROBLEMS];
    int problems;
    long plans, failed;
    double kept; /* bytes that the library keeps of a type */
} session;

static void expect(session *s, bool good, const char *format, long number)
{
    if (good)
        return;
    s->failed++;
    printf("FAILED rank %d: ", s->rank);
    printf(format, number);
    printf("\n");
}

/* All lines with all their algorithms, in one of the ways to call each. */
static void make_problems(session *s)
{
    static const char *const ways[] = {"", "accumulate=yes"};
    const bool no_collectives = keeps_collectives();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char word[MODEL_WORD], shared[512], line[1024], text[256];
        model_operation(lines[i], word);
        model_line(lines[i], s->size, shared, sizeof shared);
        const tg_primitive *primitive = tg_primitive_find(word);
        for (int a = 0; primitive->algorithms[a] != NULL; a++) {
            if (no_collectives &&
                strcmp(primitive->algorithms[a]->name, "persistent-collective") == 0)
                continue;
            test_case *c = malloc(sizeof *c);
            snprintf(line, sizeof line, "%s dtype=f64 algorithm=%s %s", shared,
                     primitive->algorithms[a]->name, ways[(i + (size_t)a) % 2]);
            if (s->problems < PROBLEMS && case_make(line, s->rank, s->size, c, text)) {
                s->problem[s->problems++] = c;
            } else {
                expect(s, false, "problem %ld is none", s->problems);
                free(c);
            }
        }
    }
}

static tg_op *plan(session *s, MPI_Comm comm, long number)
{
    tg_op *op = NULL;
    tg_status status = tg_plan(comm, &s->problem[number % s->problems]->problem, &op);
    expect(s, status.code == TG_OK, "plan %ld failed", number);
    s->plans++;
    return op;
}

/* Forward, with a look at every entry. */
static void use(session *s, tg_op *op, long number)
{
    const test_case *c = s->problem[number % s->problems];
    double *x = calloc((size_t)model_count(&c->x) + 1, sizeof *x);
    double *y = calloc((size_t)model_count(&c->y) + 1, sizeof *y);
    tg_fill(&c->problem, TG_X, c->rank, 1, x);
    tg_fill(&c->problem, TG_Y, c->rank, 2, y);
    tg_apply(op, x, y);
    expect(s, tg_count_wrong(&c->problem, TG_Y, c->rank, 1, y) == 0, "plan %ld: wrong", number);
    free(x);
    free(y);
}

static double measure_kept(void)
{
    enum { FIRST = 100, COUNT = 1000 };
    long before = 0;
    for (int i = 0; i < FIRST + COUNT; i++) {
        MPI_Datatype type;
        if (i == FIRST)
            before = memory_in_use();
        PMPI_Type_vector(3, 2, 4, MPI_DOUBLE, &type);
        PMPI_Type_commit(&type);
        PMPI_Type_free(&type);
    }
    return (double)(memory_in_use() - before) / COUNT;
}

/* Since `before`, when so many types had been freed. */
static void check_memory(session *s, long before, long freed_before)
{
    long grown = memory_in_use() - before - (long)(s->kept * (double)(types_freed - freed_before));
    if (s->rank == 0)
        printf("%d ranks: %ld plans, %ld bytes more, communicators: %ld made, %ld live; %ld types "
               "freed, %g bytes kept of each\n",
               s->size, s->plans, grown, made, made - freed, types_freed, s->kept);
    expect(s, grown <= SLACK_BYTES, "the memory in use has grown by %ld bytes", grown);
}

/* Each plan is the only one: it takes everything with it. */
static void plans_alone(session *s)
{
    long before = 0, types = 0, live = made - freed;
    for (long i = 0; i < WARM_UP + ALONE; i++) {
        if (i == WARM_UP) {
            before = memory_in_use();
            types = types_freed;
        }
        tg_op *op = plan(s, MPI_COMM_WORLD, i);
        if (i < s->problems)
            use(s, op, i);
        tg_free(&op);
        if (i % 100 == 0)
            expect(s, made - freed == live, "%ld communicators are left over", made - freed - live);
    }
    check_memory(s, before, types);
    expect(s, made - freed == live, "%ld communicators are left over", made - freed - live);
}

/* One plan of every problem lives; the oldest goes when the next has come. */
static void plans_together(session *s)
{
    tg_op *live[PROBLEMS] = {NULL};
    long before = 0, types = 0, made_before = 0, live_before = made - freed;
    for (long i = 0; i < WARM_UP + TOGETHER; i++) {
        if (i == WARM_UP) {
            before = memory_in_use();
            made_before = made;
            types = types_freed;
        }
        tg_op *op = plan(s, MPI_COMM_WORLD, i);
        if (i % 7 == 0)
            use(s, op, i);
        tg_free(&live[i % s->problems]);
        live[i % s->problems] = op;
    }
    check_memory(s, before, types);
    expect(s, made == made_before, "%ld communicators were made though all could be shared",
           made - made_before);
    for (int i = 0; i < s->problems; i++)
        tg_free(&live[i]);
    expect(s, made - freed == live_before, "%ld communicators are left over",
           made - freed - live_before);
}

/* A communicator that its user frees before the plans on it; and one that is not used twice. */
static void user_frees_first(session *s)
{
    long live = made - freed;
    MPI_Comm user;
    tg_op *op[PROBLEMS];
    MPI_Comm_dup(MPI_COMM_WORLD, &user);
    for (int i = 0; i < s->problems; i++)
        op[i] = plan(s, user, i);
    MPI_Comm_free(&user);
    for (int i = 0; i < s->problems; i++)
        use(s, op[i], i);
    MPI_Comm_dup(MPI_COMM_WORLD, &user);
    tg_op *other = plan(s, user, 1);
    for (int i = s->problems - 1; i >= 0; i--)
        tg_free(&op[i]);
    use(s, other, 1);
    tg_free(&other);
    MPI_Comm_free(&user);
    expect(s, made - freed == live, "%ld communicators are left over", made - freed - live);
}

/* The reference packs all that it moves: held bytes grow with the buffers, entry by entry. */
static void check_held_bytes(session *s)
{
    static test_case c;
    ptrdiff_t held[2], buffers[2];
    for (int i = 0; i < 2; i++) {
        char line[256], text[256];
        tg_op *op = NULL;
        snprintf(line, sizeof line,
                 "repartition shape=%dx12 from=%dx1 to=1x%d dtype=f64 algorithm=reference",
                 12 * (i + 1), s->size, s->size);
        bool good = case_make(line, s->rank, s->size, &c, text) &&
                    tg_plan(MPI_COMM_WORLD, &c.problem, &op).code == TG_OK;
        expect(s, good, "no plan %ld", i);
        held[i] = good ? tg_op_held_bytes(op) : 0;
        buffers[i] = good ? tg_op_x_bytes(op) + tg_op_y_bytes(op) : 0;
        tg_free(&op);
        case_free(&c);
    }
    expect(s, held[1] - held[0] == buffers[1] - buffers[0] && held[0] > buffers[0],
           "held bytes grow by %ld", (long)(held[1] - held[0]));
}

int main(int argc, char **argv)
{
    static session s;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &s.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &s.size);
    double start = MPI_Wtime();
    make_problems(&s);
    if (s.failed == 0) {
        s.kept = measure_kept();
        check_held_bytes(&s);
        user_frees_first(&s);
        plans_alone(&s);
        plans_together(&s);
    }
    for (int i = 0; i < s.problems; i++) {
        case_free(s.problem[i]);
        free(s.problem[i]);
    }
    if (s.rank == 0)
        printf("%d ranks: %ld plans of %d problems made and freed, %.1f s\n", s.size, s.plans,
               s.problems, MPI_Wtime() - start);
    MPI_Allreduce(MPI_IN_PLACE, &s.failed, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    MPI_Finalize();
    return s.plans >= ALONE + TOGETHER && s.failed == 0 ? 0 : 1;
}
