/* test_weights.c: the messages and bytes that tg_weigh tells are those that apply sends and
 * receives, counted at the MPI calls; and what tg_op_messages says. Each algorithm that has weights,
 * of several operators, in both directions. */
#include "primitives/tests/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed, done, rank, size;

/* ---- counted calls ---- */

enum { SENT, RECEIVED, MOST_REQUESTS = 4096 };

static ptrdiff_t messages[2], bytes[2];
static struct {
    MPI_Request request;
    int way;
    ptrdiff_t bytes;
} kept[MOST_REQUESTS]; /* persistent ones, of the operator under test */
static int nkept;

static ptrdiff_t bytes_of(int count, MPI_Datatype type)
{
    int each;
    MPI_Type_size(type, &each);
    return (ptrdiff_t)count * each;
}

static void note(int way, ptrdiff_t carried)
{
    messages[way]++;
    bytes[way] += carried;
}

static void keep(int way, ptrdiff_t carried, MPI_Request request)
{
    if (nkept == MOST_REQUESTS)
        abort();
    kept[nkept].request = request;
    kept[nkept].way = way;
    kept[nkept++].bytes = carried;
}

static void note_started(MPI_Request request)
{
    for (int k = 0; k < nkept; k++)
        if (kept[k].request == request)
            note(kept[k].way, kept[k].bytes);
}

int MPI_Isend(const void *buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm,
              MPI_Request *request)
{
    note(SENT, bytes_of(count, type));
    return PMPI_Isend(buffer, count, type, to, tag, comm, request);
}

int MPI_Irecv(void *buffer, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm,
              MPI_Request *request)
{
    note(RECEIVED, bytes_of(count, type));
    return PMPI_Irecv(buffer, count, type, from, tag, comm, request);
}

int MPI_Send_init(const void *buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm,
                  MPI_Request *request)
{
    const int status = PMPI_Send_init(buffer, count, type, to, tag, comm, request);
    keep(SENT, bytes_of(count, type), *request);
    return status;
}

int MPI_Recv_init(void *buffer, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm,
                  MPI_Request *request)
{
    const int status = PMPI_Recv_init(buffer, count, type, from, tag, comm, request);
    keep(RECEIVED, bytes_of(count, type), *request);
    return status;
}

#ifdef TG_HAVE_PARTITIONED

int MPI_Psend_init(const void *buffer, int partitions, MPI_Count count, MPI_Datatype type, int to,
                   int tag, MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    const int status =
        PMPI_Psend_init(buffer, partitions, count, type, to, tag, comm, info, request);
    keep(SENT, partitions * bytes_of((int)count, type), *request);
    return status;
}

int MPI_Precv_init(void *buffer, int partitions, MPI_Count count, MPI_Datatype type, int from,
                   int tag, MPI_Comm comm, MPI_Info info, MPI_Request *request)
{
    const int status =
        PMPI_Precv_init(buffer, partitions, count, type, from, tag, comm, info, request);
    keep(RECEIVED, partitions * bytes_of((int)count, type), *request);
    return status;
}

int MPI_Start(MPI_Request *request)
{
    note_started(*request);
    return PMPI_Start(request);
}

#endif

int MPI_Startall(int count, MPI_Request *requests)
{
    for (int i = 0; i < count; i++)
        note_started(requests[i]);
    return PMPI_Startall(count, requests);
}

/* ---- what is compared ---- */

static void check_direction(const test_case *c, tg_op *op, bool adjoint, void *x, void *y)
{
    tg_weight told;
    ptrdiff_t mine[3], most[3], both[2];
    memset(messages, 0, sizeof messages);
    memset(bytes, 0, sizeof bytes);
    if (adjoint)
        tg_apply_adjoint(op, y, x);
    else
        tg_apply(op, x, y);
    mine[0] = messages[SENT] > messages[RECEIVED] ? messages[SENT] : messages[RECEIVED];
    mine[1] = bytes[SENT] > bytes[RECEIVED] ? bytes[SENT] : bytes[RECEIVED];
    mine[2] = messages[SENT];
    const bool same = adjoint == c->problem.primitive->transposed; /* the run that is counted */
    both[0] = mine[2]; /* over all ranks the other one is, too */
    both[1] = tg_op_messages(op, adjoint);
    MPI_Allreduce(MPI_IN_PLACE, both, 2, MPI_AINT, MPI_SUM, MPI_COMM_WORLD);
    const bool as_said = both[0] == both[1] && (!same || mine[2] == tg_op_messages(op, adjoint));
    MPI_Allreduce(mine, most, 3, MPI_AINT, MPI_MAX, MPI_COMM_WORLD);
    const tg_status status = tg_weigh(&c->problem, adjoint, &told);
    const bool good = status.code == TG_OK && told.messages == most[0] && told.bytes == most[1] &&
                      as_said && (told.rounds == 0) == (most[0] == 0);
    done++;
    failed += !good;
    if (!good)
        printf(
            "FAILED rank %d %s of %s: told %td rounds, %td messages, %td bytes; sent or received "
            "%td, %td; own %td of %td\n",
            rank, adjoint ? "adjoint" : "forward", c->line, told.rounds, told.messages, told.bytes,
            most[0], most[1], mine[2], tg_op_messages(op, adjoint));
}

static void check_line(const char *line)
{
    static test_case c;
    char reason[256];
    tg_op *op = NULL;
    nkept = 0;
    if (!case_make(line, rank, size, &c, reason)) {
        failed++;
        printf("FAILED %s: %s\n", line, reason);
        return;
    }
    if (tg_plan(MPI_COMM_WORLD, &c.problem, &op).code == TG_OK) {
        void *x = calloc(1, (size_t)tg_op_x_bytes(op) + 1),
             *y = calloc(1, (size_t)tg_op_y_bytes(op) + 1);
        if (!x || !y)
            abort();
        check_direction(&c, op, false, x, y);
        check_direction(&c, op, true, x, y);
        free(x);
        free(y);
    } else {
        failed++;
        printf("FAILED %s: no plan\n", line);
    }
    tg_free(&op);
    case_free(&c);
}

/* All algorithms of the operation that have weights; the others are not known. */
static void check_algorithms(const char *format)
{
    char words[512], name[MODEL_WORD], line[640];
    model_line(format, size, words, sizeof words);
    model_operation(words, name);
    const tg_primitive *primitive = tg_primitive_find(name);
    for (int i = 0; primitive && primitive->algorithms[i]; i++) {
        if (!primitive->algorithms[i]->weights)
            continue;
        snprintf(line, sizeof line, "%s algorithm=%s", words, primitive->algorithms[i]->name);
        check_line(line);
    }
}

/* 300,001 f32 are more than a segment of 128 KiB, 3 fewer than the ranks. */
static const char *const lines[] = {
    "broadcast shape=300001 from=1 to=Pc",
    "broadcast shape=3 from=1 to=Pc",
    "broadcast shape=77 from=1 from-ranks=P1 to=Pc dtype=f64",
    "sum_reduce shape=300001 from=Pc to=1",
    "sum_reduce shape=77 from=Pc to=1 to-ranks=P1",
    "all_sum_reduce shape=300001 grid=Pc",
    "all_sum_reduce shape=5 grid=Pc",
    "scatter shape=1001 from=1 to=P",
    "gather shape=1001 from=P to=1 to-ranks=P1",
    "all_gather shape=300001 from=P to=Pc",
    "all_gather shape=3 from=P to=Pc",
    "reduce_scatter shape=300001 from=Pc to=P",
    "repartition shape=64x55 from=Px1 to=1xP",
    "halo shape=64x40 grid=Px1 kernel=3x3 padding=1x1",
    "halo shape=64x40 grid=1xP kernel=5x5 padding=2x2 periodic=yes",
    "halo shape=26 grid=P kernel=9 padding=4 in-place=yes",
    "halo shape=26x7 grid=Px1 kernel=3x1 padding=1x0 partitions=3",
    "send_recv shape=77 from-ranks=0 to-ranks=P1 partitions=10",
};

int main(int argc, char **argv)
{
    int mine[2], all[2];
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        check_algorithms(lines[i]);
    if (size >= 3) /* segments */
        check_algorithms("repartition shape=300001 from=1 to=2c to-ranks=2,1");
    if (size >= 6) { /* corners; ranks in two groups */
        check_algorithms("halo shape=24x22 grid=2x3 kernel=3x5 padding=1x2");
        check_algorithms("halo shape=25x9 grid=3x2 kernel=2x7 stride=3x1 padding=0x3 periodic=0x1");
        check_algorithms("repartition shape=33x20001 from=1x2 to=2x2c to-ranks=5,2,4,3");
        check_algorithms("broadcast shape=40x3 from=2x1 from-ranks=3,0 to=2x3c");
        check_algorithms("all_gather shape=77 from=2 to=2c to-ranks=4,5");
    }
    mine[0] = done;
    mine[1] = failed;
    MPI_Allreduce(mine, all, 2, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0)
        printf("%d ranks: %d checks, %d failed\n", size, all[0], all[1]);
    MPI_Finalize();
    return all[0] >= 80 * size && all[1] == 0 ? 0 : 1;
}
