/* test_nodes.c --node-size N: what crosses between nodes of N ranks, counted at the MPI calls.
 *
 * With m nodes that all hold copies of a tensor of n bytes, n (m - 1) bytes cross in either
 * direction, in m - 1 messages for each rank that owns a part: a piece crosses to a node once, and
 * one sum comes back. In all_sum_reduce each node gives n bytes to MPI_Allreduce. */
#include "primitives/node.h"
#include "primitives/tests/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed, done, rank, size;

/* ---- counted calls ---- */

typedef struct {
    long messages, bytes; /* to ranks of other nodes */
    long reduced;         /* bytes given to MPI_Allreduce */
} crossing;

static crossing counted;

static long bytes_of(int count, MPI_Datatype type)
{
    int each;
    MPI_Type_size(type, &each);
    return (long)count * each;
}

int MPI_Isend(const void *buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm,
              MPI_Request *request)
{
    if (to / tg_node_size != rank / tg_node_size) {
        counted.messages++;
        counted.bytes += bytes_of(count, type);
    }
    return PMPI_Isend(buffer, count, type, to, tag, comm, request);
}

int MPI_Allreduce(const void *in, void *out, int count, MPI_Datatype type, MPI_Op how,
                  MPI_Comm comm)
{
    counted.reduced += bytes_of(count, type);
    return PMPI_Allreduce(in, out, count, type, how, comm);
}

/* ---- what is compared ---- */

typedef struct {
    const char *line;
    bool all_own; /* every rank owns a part; else one rank owns all */
    long bytes;   /* of the tensor */
} expectation;

static const expectation expectations[] = {
    {"broadcast shape=1300 from=1 to=Pc", false, 5200},
    {"broadcast shape=77x3 from=1x1 from-ranks=P1 to=1xPc store-y=row:0x1", false, 924},
    {"sum_reduce shape=131 from=Pc to=1 dtype=f64", false, 1048},
    {"sum_reduce shape=131 from=Pc to=1 to-ranks=P1 in-place=yes", false, 524},
    {"all_gather shape=131 from=P to=Pc dtype=bf16", true, 262},
    {"all_gather shape=31x12 from=1xP to=1xPc", true, 1488},
    {"reduce_scatter shape=1001 from=Pc to=P", true, 4004},
    {"repartition shape=31x24 from=Px1 to=1xPc", true, 2976},
    {"repartition shape=31x24 from=1xP to=Pcx1 in-place=yes accumulate=no", true, 2976},
};

static void expect(bool good, const char *line, const char *what, long found, long expected)
{
    done++;
    failed += !good;
    if (!good && rank == 0)
        printf("FAILED %s: %ld %s, expected %ld\n", line, found, what, expected);
}

static crossing run(tg_op *op, bool adjoint, void *x, void *y)
{
    crossing all;
    memset(&counted, 0, sizeof counted);
    if (adjoint)
        tg_apply_adjoint(op, y, x);
    else
        tg_apply(op, x, y);
    const crossing mine = counted;
    MPI_Reduce(&mine, &all, 3, MPI_LONG, MPI_SUM, 0, MPI_COMM_WORLD);
    MPI_Bcast(&all, 3, MPI_LONG, 0, MPI_COMM_WORLD);
    return all;
}

static tg_op *plan(const char *format, const char *algorithm, char *line, size_t room, test_case *c)
{
    char words[512], reason[256];
    tg_op *op = NULL;
    model_line(format, size, words, sizeof words);
    snprintf(line, room, "%s algorithm=%s", words, algorithm);
    if (!case_make(line, rank, size, c, reason) ||
        tg_plan(MPI_COMM_WORLD, &c->problem, &op).code != TG_OK)
        expect(false, line, "plans", 0, 1);
    return op;
}

static void *zeros(ptrdiff_t bytes)
{
    void *memory = calloc(1, (size_t)bytes + 1);
    if (!memory)
        abort();
    return memory;
}

static void check(const expectation *e, const char *algorithm)
{
    static test_case c;
    char line[640];
    const long others = (size - 1) / tg_node_size;
    tg_op *op = plan(e->line, algorithm, line, sizeof line, &c);
    if (!op)
        return;
    void *x = zeros(tg_op_x_bytes(op));
    void *y = c.problem.place == TG_IN_PLACE ? x : zeros(tg_op_y_bytes(op));
    for (int adjoint = 0; adjoint < 2; adjoint++) {
        const crossing all = run(op, adjoint, x, y);
        const long messages = others * (e->all_own ? size : 1);
        expect(all.messages == messages, line, "messages between nodes", all.messages, messages);
        expect(all.bytes == others * e->bytes, line, "bytes between nodes", all.bytes,
               others * e->bytes);
    }
    if (y != x)
        free(y);
    free(x);
    tg_free(&op);
    case_free(&c);
}

static void check_all_sum(const char *algorithm)
{
    static test_case c;
    char line[640];
    const long nodes = (size - 1) / tg_node_size + 1, expected = nodes > 1 ? nodes * 5204 : 0;
    tg_op *op = plan("all_sum_reduce shape=1301 grid=Pc", algorithm, line, sizeof line, &c);
    if (!op)
        return;
    void *x = zeros(tg_op_x_bytes(op)), *y = zeros(tg_op_y_bytes(op));
    const crossing all = run(op, false, x, y);
    expect(all.messages == 0, line, "messages between nodes", all.messages, 0);
    expect(all.reduced == expected, line, "bytes reduced between nodes", all.reduced, expected);
    free(y);
    free(x);
    tg_free(&op);
    case_free(&c);
}

int main(int argc, char **argv)
{
    static const char *const algorithms[] = {"node", "cma"};
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (int i = 1; i < argc; i++)
        expect(case_limit(argc, argv, &i), argv[i], "limits", 0, 1);
    for (int a = 0; a < 2; a++) {
        for (size_t i = 0; i < sizeof expectations / sizeof *expectations; i++)
            check(&expectations[i], algorithms[a]);
        check_all_sum(algorithms[a]);
    }
    if (rank == 0)
        printf("%d ranks, nodes of %d: %d counts, %d failed\n", size, tg_node_size, done, failed);
    MPI_Finalize();
    return failed == 0 && done > 70 ? 0 : 1;
}
