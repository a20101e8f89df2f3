/* persistent_alltoallw.c: the pieces by MPI_Alltoallw_init on packed buffers.
 *
 * A persistent request binds its buffers, so that every piece for another rank is packed, as in
 * persistent.c; what a rank gives itself is copied beside the call. As in alltoallw.c every count is
 * 0 or 1 and every displacement 0: how much and where is told by the types, which have no limit.
 * Source: MPI 4.0, section 6.13, persistent collective operations. */
#include "primitives/exchange.h"

#ifdef TG_HAVE_PERSISTENT_COLLECTIVES

#include <stdlib.h>

typedef struct {
    tg_pieces pieces;
    tg_members members;
    int *counts[2], *zeros; /* an entry for each member */
    MPI_Datatype *types[2]; /* the same */
    tg_types made[2];       /* one a partner, in the packed buffer of its side */
    MPI_Request call[2];    /* by the side that is made */
} alltoallw;

static void start(tg_op *op, tg_space to, const void *in, void *out)
{
    alltoallw *w = op->state;
    const tg_side *sender = &w->pieces.side[to == TG_Y ? TG_X : TG_Y];
    if (!w->members.shared)
        return;
    for (const tg_partner *p = sender->partners; p < sender->partners + sender->npartners; p++)
        if (!tg_is_self(sender, p))
            tg_partner_pack(sender, p, in);
    MPI_Start(&w->call[to]);
    tg_pieces_give_self(op, &w->pieces, to, in, out);
}

static void finish(tg_op *op, tg_space to, const void *in, void *out)
{
    alltoallw *w = op->state;
    const tg_side *receiver = &w->pieces.side[to];
    (void)in;
    if (!w->members.shared)
        return;
    MPI_Wait(&w->call[to], MPI_STATUS_IGNORE);
    for (const tg_partner *p = receiver->partners; p < receiver->partners + receiver->npartners;
         p++)
        if (!tg_is_self(receiver, p))
            tg_partner_unpack(op, p, receiver->packed + p->offset, out,
                              tg_pieces_add(&w->pieces, to));
}

/* ---- plans ---- */

static void release(tg_op *op)
{
    alltoallw *w = op->state;
    for (tg_space space = TG_X; space <= TG_Y; space++) {
        if (w->call[space] != MPI_REQUEST_NULL)
            MPI_Request_free(&w->call[space]);
        tg_types_free(&w->made[space]);
        free(w->types[space]);
        free(w->counts[space]);
    }
    free(w->zeros);
    tg_members_free(&w->members);
    tg_pieces_free(&w->pieces);
    free(w);
}

static tg_status plan_side(tg_op *op, alltoallw *w, tg_space space)
{
    const tg_side *side = &w->pieces.side[space];
    const ptrdiff_t size = w->members.size;
    tg_status status = tg_pieces_buffer(op, &w->pieces, space, tg_packs_others);
    if (status.code == TG_OK)
        status = tg_types_plan(op, side, true, false, &w->made[space]);
    w->counts[space] = tg_keep(op, size * (ptrdiff_t)sizeof *w->counts[space]);
    w->types[space] = tg_keep(op, size * (ptrdiff_t)sizeof *w->types[space]);
    if (status.code == TG_OK && (!w->counts[space] || !w->types[space]))
        status = tg_check_memory(NULL, size * (ptrdiff_t)sizeof *w->types[space]);
    if (status.code != TG_OK)
        return status;
    for (int i = 0; i < w->members.size; i++)
        w->types[space][i] = op->dtype->mpi(); /* of nothing */
    for (int i = 0, made = 0; i < side->npartners; i++) {
        const tg_partner *p = &side->partners[i];
        if (tg_is_self(side, p))
            continue;
        const int at = tg_members_index(&w->members, p->rank);
        w->counts[space][at] = 1;
        w->types[space][at] = w->made[space].type[made++];
    }
    return status;
}

static tg_status plan_local(const tg_problem *problem, tg_op *op)
{
    const bool pack[2] = {false, false};
    alltoallw *w = tg_keep(op, (ptrdiff_t)sizeof *w);
    if (!w)
        return tg_check_memory(NULL, (ptrdiff_t)sizeof *w);
    w->call[TG_X] = w->call[TG_Y] = MPI_REQUEST_NULL;
    op->state = w;
    op->release = release;
    tg_set_halves(op, start, finish);
    tg_status status = tg_pieces_plan(&w->pieces, problem, op, pack);
    tg_set_messages(op, -1);
    if (status.code == TG_OK)
        status = tg_members_find(problem, op, &w->members);
    for (tg_space space = TG_X; status.code == TG_OK && space <= TG_Y; space++)
        status = plan_side(op, w, space);
    w->zeros = tg_keep(op, w->members.size * (ptrdiff_t)sizeof *w->zeros);
    return status.code == TG_OK ? tg_check_memory(w->zeros, w->members.size) : status;
}

static tg_status plan(const tg_problem *problem, tg_op *op)
{
    const tg_status status = tg_agree(op->comm, plan_local(problem, op));
    alltoallw *w = op->state;
    if (status.code != TG_OK || !w->members.shared)
        return status;
    tg_members_open(&w->members);
    for (tg_space to = TG_X; to <= TG_Y; to++) {
        const tg_space from = to == TG_Y ? TG_X : TG_Y;
        MPI_Alltoallw_init(w->pieces.side[from].packed, w->counts[from], w->zeros, w->types[from],
                           w->pieces.side[to].packed, w->counts[to], w->zeros, w->types[to],
                           w->members.mpi, MPI_INFO_NULL, &w->call[to]);
    }
    return status;
}

const tg_algorithm tg_engine_alltoallw_init = {"persistent-collective",
                                               "MPI_Alltoallw_init on packed pieces", plan, NULL};

#else

const tg_algorithm tg_engine_alltoallw_init = {
    "persistent-collective", "MPI_Alltoallw_init on packed pieces", tg_plan_lacking, NULL};

#endif
