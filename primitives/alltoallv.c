/* alltoallv.c: the pieces by MPI_Alltoallv among the ranks that take part.
 *
 * One call; each rank sends what its partners need and is told a count of 0 for the others. Where
 * all pieces of a side lie as one run a partner, they are sent from or received into the user's
 * buffer; otherwise they are packed, which copies their bytes once a side. What a rank gives itself
 * is copied beside the call. Towards x pieces are added in the partners' order. The call's tables
 * are of int and have an entry for each rank that takes part. Where one is too small for a side of
 * some rank, all ranks plan MPI_Alltoallw, whose types have no such limit.
 * Source: MPI 3.1, section 5.8. */
#include "primitives/count.h"
#include "primitives/exchange.h"

#include <limits.h>
#include <stdlib.h>

typedef struct {
    tg_pieces pieces;
    tg_members members;
    /* By side, an entry for each member, counted in entries of the tensor. */
    int *counts[2];
    int *starts[2];        /* in the packed buffer */
    int *places[2];        /* in the user's buffer, where the side is direct */
    bool direct[2];        /* all partners but this rank are; no table has more than an int holds */
    MPI_Request under_way; /* between the two halves */
} alltoallv;

/* Are the pieces that arrive at, or leave, a side packed? */
static bool sends_direct(const alltoallv *v, tg_space from)
{
    return v->direct[from];
}

static bool receives_direct(const alltoallv *v, tg_space to)
{
    return v->direct[to] && !tg_pieces_add(&v->pieces, to);
}

static void pack_all(const alltoallv *v, tg_space from, const void *in)
{
    const tg_side *side = &v->pieces.side[from];
    for (const tg_partner *p = side->partners; p < side->partners + side->npartners; p++)
        if (!tg_is_self(side, p))
            tg_partner_pack(side, p, in);
}

static void unpack_all(const tg_op *op, const alltoallv *v, tg_space to, void *out)
{
    const tg_side *side = &v->pieces.side[to];
    for (const tg_partner *p = side->partners; p < side->partners + side->npartners; p++)
        if (!tg_is_self(side, p))
            tg_partner_unpack(op, p, side->packed + p->offset, out, tg_pieces_add(&v->pieces, to));
}

/* Arguments of the call. */
typedef struct {
    const void *send;
    void *receive;
    const int *send_starts, *receive_starts;
} call;

static call prepare(const tg_op *op, const alltoallv *v, tg_space to, const void *in, void *out)
{
    const tg_space from = to == TG_Y ? TG_X : TG_Y;
    const bool send = sends_direct(v, from), receive = receives_direct(v, to);
    if (!send)
        pack_all(v, from, in);
    if (receive) /* before the call: towards x it also clears */
        tg_pieces_give_self(op, &v->pieces, to, in, out);
    return (call){.send = send ? in : v->pieces.side[from].packed,
                  .receive = receive ? out : v->pieces.side[to].packed,
                  .send_starts = send ? v->places[from] : v->starts[from],
                  .receive_starts = receive ? v->places[to] : v->starts[to]};
}

static void put(const tg_op *op, const alltoallv *v, tg_space to, const void *in, void *out)
{
    if (receives_direct(v, to))
        return;
    tg_pieces_give_self(op, &v->pieces, to, in, out);
    unpack_all(op, v, to, out);
}

static void run(tg_op *op, tg_space to, const void *in, void *out)
{
    const alltoallv *v = op->state;
    if (!v->members.shared)
        return;
    const call c = prepare(op, v, to, in, out);
    MPI_Alltoallv(c.send, v->counts[to == TG_Y ? TG_X : TG_Y], c.send_starts, op->dtype->mpi(),
                  c.receive, v->counts[to], c.receive_starts, op->dtype->mpi(), v->members.mpi);
    put(op, v, to, in, out);
}

static void start(tg_op *op, tg_space to, const void *in, void *out)
{
    alltoallv *v = op->state;
    if (!v->members.shared)
        return;
    const call c = prepare(op, v, to, in, out);
    MPI_Ialltoallv(c.send, v->counts[to == TG_Y ? TG_X : TG_Y], c.send_starts, op->dtype->mpi(),
                   c.receive, v->counts[to], c.receive_starts, op->dtype->mpi(), v->members.mpi,
                   &v->under_way);
}

static void finish(tg_op *op, tg_space to, const void *in, void *out)
{
    alltoallv *v = op->state;
    if (!v->members.shared)
        return;
    /* Begun by the first half. NOLINTNEXTLINE(clang-analyzer-optin.mpi.MPI-Checker) */
    MPI_Wait(&v->under_way, MPI_STATUS_IGNORE);
    put(op, v, to, in, out);
}

/* ---- plans ---- */

static void release(tg_op *op)
{
    alltoallv *v = op->state;
    for (tg_space space = TG_X; space <= TG_Y; space++) {
        free(v->counts[space]);
        free(v->starts[space]);
        free(v->places[space]);
    }
    tg_members_free(&v->members);
    tg_pieces_free(&v->pieces);
    free(v);
}

/* Do the counts and starts of a side's messages fit into tables of int? */
static bool side_fits(const tg_side *side)
{
    ptrdiff_t entries = 0;
    for (const tg_partner *p = side->partners; p < side->partners + side->npartners; p++)
        entries += tg_is_self(side, p) ? 0 : p->entries;
    return tg_count_fits(entries);
}

static bool side_direct(const tg_op *op, const tg_side *side)
{
    for (const tg_partner *p = side->partners; p < side->partners + side->npartners; p++)
        if (!tg_is_self(side, p) &&
            (!tg_is_direct(op, p) ||
             p->blocks.block->offset / (ptrdiff_t)op->dtype->size > INT_MAX))
            return false;
    return !op->in_place;
}

static bool packs(const tg_op *op, const tg_pieces *e, tg_space space, const tg_partner *p)
{
    return tg_packs_others(op, e, space, p) &&
           (!side_direct(op, &e->side[space]) || tg_pieces_add(e, space));
}

static tg_status make_tables(tg_op *op, alltoallv *v, tg_space space)
{
    const tg_side *side = &v->pieces.side[space];
    const ptrdiff_t bytes = v->members.size * (ptrdiff_t)sizeof(int),
                    size = (ptrdiff_t)op->dtype->size;
    v->counts[space] = tg_keep(op, bytes);
    v->starts[space] = tg_keep(op, bytes);
    v->places[space] = tg_keep(op, bytes);
    if (!v->counts[space] || !v->starts[space] || !v->places[space])
        return tg_check_memory(NULL, bytes);
    for (const tg_partner *p = side->partners; p < side->partners + side->npartners; p++) {
        const int at = tg_members_index(&v->members, p->rank);
        if (tg_is_self(side, p))
            continue;
        v->counts[space][at] = (int)p->entries;
        v->starts[space][at] = (int)(p->offset / size);
        v->places[space][at] = v->direct[space] ? (int)(p->blocks.block->offset / size) : 0;
    }
    return tg_success();
}

static tg_status plan_side(tg_op *op, alltoallv *v, tg_space space)
{
    v->direct[space] = side_direct(op, &v->pieces.side[space]);
    tg_status status = tg_pieces_buffer(op, &v->pieces, space, packs);
    return status.code == TG_OK ? make_tables(op, v, space) : status;
}

/* *fits: this rank's sides do. */
static tg_status plan_local(const tg_problem *problem, tg_op *op, bool *fits)
{
    const bool pack[2] = {false, false};
    alltoallv *v = tg_keep(op, (ptrdiff_t)sizeof *v);
    if (!v)
        return tg_check_memory(NULL, (ptrdiff_t)sizeof *v);
    op->state = v;
    op->release = release;
    tg_set_collective(op, run, start, finish);
    tg_status status = tg_pieces_plan(&v->pieces, problem, op, pack);
    if (status.code == TG_OK)
        status = tg_members_find(problem, op, &v->members);
    tg_set_messages(op, -1);
    *fits = side_fits(&v->pieces.side[TG_X]) && side_fits(&v->pieces.side[TG_Y]);
    for (tg_space space = TG_X; *fits && status.code == TG_OK && space <= TG_Y; space++)
        status = plan_side(op, v, space);
    return status;
}

static tg_status plan(const tg_problem *problem, tg_op *op)
{
    const ptrdiff_t before = op->held_bytes;
    bool fits = true;
    tg_status status = tg_agree(op->comm, plan_local(problem, op, &fits));
    if (status.code != TG_OK)
        return status;
    int all = fits;
    MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_INT, MPI_MIN, op->comm);
    if (all) {
        tg_members_open(&((alltoallv *)op->state)->members);
        return status;
    }
    tg_start_again(op, before);
    return tg_engine_alltoallw.plan(problem, op);
}

const tg_algorithm tg_engine_alltoallv = {
    "alltoallv", "MPI_Alltoallv, packed where it must be; MPI_Alltoallw above its tables of int",
    plan, NULL};
