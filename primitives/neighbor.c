/* neighbor.c: the pieces by MPI_Neighbor_alltoallw, on the graph of the ranks that exchange some.
 *
 * One call, with a type for each partner: towards y from and to the user's buffers. Towards x, where
 * pieces are added or their place is still being read, they arrive packed and are added from there
 * in the partners' order. What a rank gives itself is copied beside the call. A rank with n
 * partners sends n messages; planning costs it n entries, and the library a communicator for each
 * direction. Plans with the same partners on all ranks share these.
 * Source: MPI 3.1, section 7.6, neighborhood collective communication. */
#include "primitives/exchange.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef TG_HAVE_NEIGHBOR

/* ---- graphs, shared by the plans on one communicator ---- */

struct tg_graph {
    MPI_Comm mpi;
    int users;          /* 0: not in the list of shared ones */
    int sources, sinks; /* ranks that send to this one; ranks that it sends to */
    int *ranks;         /* the sources, then the sinks */
    tg_graph *next;
};

static void free_graph(tg_graph *graph)
{
    if (graph)
        free(graph->ranks);
    free(graph);
}

/* Local. NULL without memory. */
static tg_graph *new_graph(const tg_side *receiver, const tg_side *sender)
{
    const size_t most = (size_t)receiver->npartners + (size_t)sender->npartners;
    tg_graph *graph = calloc(1, sizeof *graph);
    int *ranks = calloc(most + 1, sizeof *ranks);
    if (!graph || !ranks) {
        free(graph);
        free(ranks);
        return NULL;
    }
    graph->ranks = ranks;
    graph->sources = tg_other_ranks(receiver, ranks);
    graph->sinks = tg_other_ranks(sender, ranks + graph->sources);
    return graph;
}

static bool alike(const tg_graph *a, const tg_graph *b)
{
    return a->sources == b->sources && a->sinks == b->sinks &&
           memcmp(a->ranks, b->ranks, (size_t)(a->sources + a->sinks) * sizeof *a->ranks) == 0;
}

/* A bit for each of the newest shared graphs that is right for this rank. */
static uint64_t find_alike(const tg_comm *comm, const tg_graph *wanted)
{
    uint64_t bits = 0, bit = 1;
    for (const tg_graph *graph = comm->graphs; graph && bit != 0; graph = graph->next, bit <<= 1)
        bits |= alike(graph, wanted) ? bit : 0;
    return bits;
}

static void make_graph(tg_op *op, tg_graph *graph)
{
    /* An address that is none: the compiler must not see that, or it warns of reading there. */
    int *volatile unweighted = MPI_UNWEIGHTED;
    MPI_Dist_graph_create_adjacent(op->comm, graph->sources, graph->ranks, unweighted, graph->sinks,
                                   graph->ranks + graph->sources, unweighted, MPI_INFO_NULL, 0,
                                   &graph->mpi);
    MPI_Comm_set_errhandler(graph->mpi, MPI_ERRORS_ARE_FATAL);
    graph->users = 1;
    graph->next = op->shared->graphs;
    op->shared->graphs = graph;
}

/* A shared graph that is right on all ranks in place of the wanted one, or that one, made.
 * Collective on op->comm. */
static void open_graph(tg_op *op, tg_graph **wanted)
{
    uint64_t bits = find_alike(op->shared, *wanted);
    MPI_Allreduce(MPI_IN_PLACE, &bits, 1, MPI_UINT64_T, MPI_BAND, op->comm);
    if (bits == 0) {
        make_graph(op, *wanted);
        return;
    }
    tg_graph *graph = op->shared->graphs;
    for (; (bits & 1) == 0; bits >>= 1)
        graph = graph->next;
    free_graph(*wanted);
    graph->users++;
    *wanted = graph;
}

/* Collective, once for each open_graph; Local for a graph that was not opened, or NULL. */
static void drop_graph(tg_op *op, tg_graph *graph)
{
    if (graph && graph->users > 0) {
        if (--graph->users > 0)
            return;
        tg_graph **link = &op->shared->graphs;
        while (*link != graph)
            link = &(*link)->next;
        *link = graph->next;
        MPI_Comm_free(&graph->mpi);
    }
    free_graph(graph);
}

/* ---- running ---- */

typedef struct {
    tg_pieces pieces;
    tg_graph *graph[2];    /* by the side that receives */
    bool arrives_packed;   /* at x */
    tg_types in_buffer[2]; /* of the partners but this rank, as the next two */
    tg_types in_packed;    /* of x, when what arrives there is packed */
    int *ones;             /* counts */
    MPI_Aint *zeros;       /* displacements */
    MPI_Request under_way; /* between the two halves */
} neighbor;

static bool packed_at(const neighbor *n, tg_space to)
{
    return to == TG_X && n->arrives_packed;
}

/* later: where the request of a call that goes on is put; NULL: the call waits. */
static void exchange(tg_op *op, tg_space to, const void *in, void *out, MPI_Request *later)
{
    const neighbor *n = op->state;
    const tg_space from = to == TG_Y ? TG_X : TG_Y;
    const bool packed = packed_at(n, to);
    MPI_Datatype *const sent = n->in_buffer[from].type, *const received =
                                                            packed ? n->in_packed.type
                                                                   : n->in_buffer[to].type;
    void *const place = packed ? n->pieces.side[to].packed : out;
    if (!packed)
        tg_pieces_give_self(op, &n->pieces, to, in, out);
    if (later)
        MPI_Ineighbor_alltoallw(in, n->ones, n->zeros, sent, place, n->ones, n->zeros, received,
                                n->graph[to]->mpi, later);
    else
        MPI_Neighbor_alltoallw(in, n->ones, n->zeros, sent, place, n->ones, n->zeros, received,
                               n->graph[to]->mpi);
}

static void put(tg_op *op, tg_space to, const void *in, void *out)
{
    const neighbor *n = op->state;
    const tg_side *receiver = &n->pieces.side[to];
    if (!packed_at(n, to))
        return;
    tg_pieces_give_self(op, &n->pieces, to, in, out);
    for (const tg_partner *p = receiver->partners; p < receiver->partners + receiver->npartners;
         p++)
        if (!tg_is_self(receiver, p))
            tg_partner_unpack(op, p, receiver->packed + p->offset, out,
                              tg_pieces_add(&n->pieces, to));
}

static void run(tg_op *op, tg_space to, const void *in, void *out)
{
    exchange(op, to, in, out, NULL);
    put(op, to, in, out);
}

static void start(tg_op *op, tg_space to, const void *in, void *out)
{
    neighbor *n = op->state;
    exchange(op, to, in, out, &n->under_way);
}

static void finish(tg_op *op, tg_space to, const void *in, void *out)
{
    neighbor *n = op->state;
    /* Begun by the first half. NOLINTNEXTLINE(clang-analyzer-optin.mpi.MPI-Checker) */
    MPI_Wait(&n->under_way, MPI_STATUS_IGNORE);
    put(op, to, in, out);
}

/* ---- plans ---- */

static void release(tg_op *op)
{
    neighbor *n = op->state;
    for (tg_space space = TG_X; space <= TG_Y; space++) {
        drop_graph(op, n->graph[space]);
        tg_types_free(&n->in_buffer[space]);
    }
    tg_types_free(&n->in_packed);
    free(n->ones);
    free(n->zeros);
    tg_pieces_free(&n->pieces);
    free(n);
}

static bool packs(const tg_op *op, const tg_pieces *e, tg_space space, const tg_partner *p)
{
    if (tg_is_self(&e->side[space], p))
        return op->in_place;
    return space == TG_X && (op->in_place || tg_pieces_add(e, TG_X));
}

static tg_status plan_side(tg_op *op, neighbor *n, tg_space space)
{
    const tg_side *side = &n->pieces.side[space];
    tg_status status = tg_pieces_buffer(op, &n->pieces, space, packs);
    if (status.code == TG_OK)
        status = tg_types_plan(op, side, false, false, &n->in_buffer[space]);
    if (status.code == TG_OK && space == TG_X && n->arrives_packed)
        status = tg_types_plan(op, side, true, false, &n->in_packed);
    return status;
}

static tg_status plan_calls(tg_op *op, neighbor *n)
{
    const tg_side *x = &n->pieces.side[TG_X], *y = &n->pieces.side[TG_Y];
    const int most = x->npartners > y->npartners ? x->npartners : y->npartners;
    const ptrdiff_t bytes = most * (ptrdiff_t)sizeof *n->zeros;
    n->ones = tg_keep(op, most * (ptrdiff_t)sizeof *n->ones);
    n->zeros = tg_keep(op, bytes);
    n->graph[TG_X] = new_graph(x, y);
    n->graph[TG_Y] = new_graph(y, x);
    if (!n->ones || !n->zeros || !n->graph[TG_X] || !n->graph[TG_Y])
        return tg_check_memory(NULL, bytes);
    for (int i = 0; i < most; i++)
        n->ones[i] = 1;
    return tg_success();
}

static tg_status plan_local(const tg_problem *problem, tg_op *op)
{
    const bool pack[2] = {false, false};
    neighbor *n = tg_keep(op, (ptrdiff_t)sizeof *n);
    if (!n)
        return tg_check_memory(NULL, (ptrdiff_t)sizeof *n);
    op->state = n;
    op->release = release;
    op->run = run;
    op->start = start;
    op->finish = finish;
    tg_status status = tg_pieces_plan(&n->pieces, problem, op, pack);
    tg_set_messages(op, -1);
    n->arrives_packed = op->in_place || tg_pieces_add(&n->pieces, TG_X);
    for (tg_space space = TG_X; status.code == TG_OK && space <= TG_Y; space++)
        status = plan_side(op, n, space);
    return status.code == TG_OK ? plan_calls(op, n) : status;
}

static tg_status plan(const tg_problem *problem, tg_op *op)
{
    tg_status status = tg_agree(op->comm, plan_local(problem, op));
    neighbor *n = op->state;
    for (tg_space space = TG_X; status.code == TG_OK && space <= TG_Y; space++)
        open_graph(op, &n->graph[space]);
    return status;
}

const tg_algorithm tg_engine_neighbor = {
    "neighbor", "MPI_Neighbor_alltoallw with derived types on the graph of the partners", plan,
    NULL};

#endif
