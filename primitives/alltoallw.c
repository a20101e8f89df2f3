/* alltoallw.c: the pieces by MPI_Alltoallw, with derived types instead of packing.
 *
 * Towards x, where pieces are added or their place is still being read, they arrive packed and
 * are added from there. Every count is 0 or 1 and every displacement 0: how much and where is told
 * by the types, which have no limit. */
#include "primitives/count.h"
#include "primitives/exchange.h"
#include "primitives/pieces.h"

#include <stdlib.h>

/* The types of a side's partners are made for the rank's buffers; and for the packed pieces that
 * arrive at x. */
enum { PACKED = 2, TYPES };

typedef struct {
    tg_pieces pieces;
    tg_members members;
    int *counts[2], *zeros;
    MPI_Datatype *types[TYPES]; /* one a member */
    tg_types made[TYPES];       /* one a partner */
    MPI_Request *requests;      /* under way */
    int nrequests;
} alltoallw;

static void release(tg_op *op)
{
    alltoallw *w = op->state;
    for (int i = 0; i < TYPES; i++) {
        tg_types_free(&w->made[i]);
        free(w->types[i]);
    }
    free(w->counts[TG_X]);
    free(w->counts[TG_Y]);
    free(w->zeros);
    free(w->requests);
    tg_members_free(&w->members);
    tg_pieces_free(&w->pieces);
    free(w);
}

/* Do the pieces arrive packed? */
static bool arrives_packed(const alltoallw *w, tg_space to)
{
    return to == TG_X && w->pieces.side[TG_X].packed;
}

/* Before the call: what will not be written is cleared, unless it is still to be read. */
static void prepare(const alltoallw *w, tg_space to, void *out)
{
    if (to == TG_X && !arrives_packed(w, to))
        tg_pieces_clear(&w->pieces, out);
}

/* After the call. */
static void put(const tg_op *op, const alltoallw *w, tg_space to, void *out)
{
    const tg_side *receiver = &w->pieces.side[to];
    if (!arrives_packed(w, to))
        return;
    tg_pieces_clear(&w->pieces, out);
    for (int i = 0; i < receiver->npartners; i++) {
        const tg_partner *p = &receiver->partners[i];
        tg_partner_unpack(op, p, receiver->packed + p->offset, out, tg_pieces_add(&w->pieces, to));
    }
}

/* ---- the call ---- */

/* Where pieces arrive, and as which types. */
static void *arrival(const alltoallw *w, tg_space to, void *out)
{
    return arrives_packed(w, to) ? w->pieces.side[to].packed : out;
}

static const MPI_Datatype *arrival_types(const alltoallw *w, tg_space to)
{
    return w->types[arrives_packed(w, to) ? PACKED : (int)to];
}

static void wait_all(alltoallw *w)
{
    MPI_Waitall(w->nrequests, w->requests, MPI_STATUSES_IGNORE);
    w->nrequests = 0;
}

#ifdef SMPI_H

/* SimGrid's MPI_Alltoallw sends what is empty, too: P x P messages. Open MPI's and MPICH's leave them
 * out, and so does this. A rank's own piece costs no simulated time, as there. */
static void begin(alltoallw *w, tg_space to, const void *in, void *out)
{
    enum { TAG = 0 };
    const tg_space from = to == TG_Y ? TG_X : TG_Y;
    const MPI_Datatype *sent = w->types[from], *received = arrival_types(w, to);
    const int one = 1, zero = 0;
    const MPI_Comm comm = w->members.mpi;
    int self;
    MPI_Comm_rank(comm, &self);
    for (int i = 0; i < w->members.size; i++)
        if (i != self && w->counts[to][i] > 0)
            MPI_Irecv(arrival(w, to, out), 1, received[i], i, TAG, comm,
                      &w->requests[w->nrequests++]);
    for (int i = 0; i < w->members.size; i++)
        if (i != self && w->counts[from][i] > 0)
            MPI_Isend(in, 1, sent[i], i, TAG, comm, &w->requests[w->nrequests++]);
    if (w->counts[to][self] > 0)
        MPI_Alltoallw(in, &one, &zero, &sent[self], arrival(w, to, out), &one, &zero,
                      &received[self], MPI_COMM_SELF);
}

static void exchange(alltoallw *w, tg_space to, const void *in, void *out)
{
    begin(w, to, in, out);
    wait_all(w);
}

#else

static void begin(alltoallw *w, tg_space to, const void *in, void *out)
{
    const tg_space from = to == TG_Y ? TG_X : TG_Y;
    MPI_Ialltoallw(in, w->counts[from], w->zeros, w->types[from], arrival(w, to, out),
                   w->counts[to], w->zeros, arrival_types(w, to), w->members.mpi,
                   &w->requests[w->nrequests++]);
}

static void exchange(alltoallw *w, tg_space to, const void *in, void *out)
{
    const tg_space from = to == TG_Y ? TG_X : TG_Y;
    MPI_Alltoallw(in, w->counts[from], w->zeros, w->types[from], arrival(w, to, out), w->counts[to],
                  w->zeros, arrival_types(w, to), w->members.mpi);
}

#endif

static void run(tg_op *op, tg_space to, const void *in, void *out)
{
    alltoallw *w = op->state;
    if (!w->members.shared)
        return;
    prepare(w, to, out);
    exchange(w, to, in, out);
    put(op, w, to, out);
}

static void start(tg_op *op, tg_space to, const void *in, void *out)
{
    alltoallw *w = op->state;
    if (!w->members.shared)
        return;
    prepare(w, to, out);
    begin(w, to, in, out);
}

static void finish(tg_op *op, tg_space to, const void *in, void *out)
{
    alltoallw *w = op->state;
    (void)in;
    if (!w->members.shared)
        return;
    wait_all(w);
    put(op, w, to, out);
}

/* ---- the ranks that take part ---- */

static int ascending(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

tg_status tg_members_find(const tg_problem *problem, tg_op *op, tg_members *m)
{
    const tg_layout *x = &problem->x, *y = &problem->y;
    const int of_x = tg_layout_size(x), all = of_x + tg_layout_size(y);
    m->mpi = MPI_COMM_NULL;
    if (tg_layout_place(x, op->rank) < 0 && tg_layout_place(y, op->rank) < 0)
        return tg_success();
    m->ranks = tg_keep(op, all * (ptrdiff_t)sizeof *m->ranks);
    if (!m->ranks)
        return tg_check_memory(NULL, all * (ptrdiff_t)sizeof *m->ranks);
    for (int i = 0; i < all; i++)
        m->ranks[i] = i < of_x ? tg_layout_rank(x, i) : tg_layout_rank(y, i - of_x);
    qsort(m->ranks, (size_t)all, sizeof *m->ranks, ascending);
    for (int i = 0; i < all; i++)
        if (i == 0 || m->ranks[i] != m->ranks[i - 1])
            m->ranks[m->size++] = m->ranks[i];
    m->shared = tg_group_get(op->shared, m->ranks, m->size);
    return tg_check_memory(m->shared, m->size * (ptrdiff_t)sizeof *m->ranks);
}

void tg_members_open(tg_members *m)
{
    if (m->shared)
        m->mpi = tg_group_mpi(m->shared, 0);
}

int tg_members_index(const tg_members *m, int rank)
{
    const int *found = bsearch(&rank, m->ranks, (size_t)m->size, sizeof *m->ranks, ascending);
    return (int)(found - m->ranks);
}

void tg_members_free(tg_members *m)
{
    free(m->ranks);
    tg_group_drop(m->shared);
}

/* ---- planning ---- */

static tg_status make_tables(tg_op *op, alltoallw *w)
{
    const int size = w->members.size;
    const ptrdiff_t messages = w->pieces.side[TG_X].npartners + w->pieces.side[TG_Y].npartners;
    bool good = true;
    for (int i = 0; i < TYPES; i++) {
        w->types[i] = tg_keep(op, size * (ptrdiff_t)sizeof *w->types[i]);
        good = good && w->types[i];
        for (int j = 0; good && j < size; j++)
            w->types[i][j] = op->dtype->mpi(); /* of nothing */
    }
    w->counts[TG_X] = tg_keep(op, size * (ptrdiff_t)sizeof(int));
    w->counts[TG_Y] = tg_keep(op, size * (ptrdiff_t)sizeof(int));
    w->zeros = tg_keep(op, size * (ptrdiff_t)sizeof(int));
    w->requests = tg_keep(op, (1 + messages) * (ptrdiff_t)sizeof *w->requests);
    if (!good || !w->counts[TG_X] || !w->counts[TG_Y] || !w->zeros || !w->requests)
        return tg_check_memory(NULL, (1 + size + messages) * (ptrdiff_t)sizeof **w->types);
    for (tg_space space = TG_X; space <= TG_Y; space++)
        for (int i = 0; i < w->pieces.side[space].npartners; i++) {
            const int at = tg_members_index(&w->members, w->pieces.side[space].partners[i].rank);
            w->counts[space][at] = 1;
            w->types[space][at] = w->made[space].type[i];
            if (space == TG_X && w->made[PACKED].count > 0)
                w->types[PACKED][at] = w->made[PACKED].type[i];
        }
    return tg_success();
}

static tg_status plan_local(const tg_problem *problem, tg_op *op)
{
    alltoallw *w = tg_keep(op, (ptrdiff_t)sizeof *w);
    if (!w)
        return tg_check_memory(NULL, (ptrdiff_t)sizeof *w);
    op->state = w;
    op->release = release;
    op->run = run;
    if (!op->in_place) { /* one buffer: some libraries then take MPI_Ialltoallw for MPI_IN_PLACE */
        op->start = start;
        op->finish = finish;
    }
    const bool pack[2] = {op->in_place || !tg_each_entry_once(&problem->y), false};
    tg_status status = tg_pieces_plan(&w->pieces, problem, op, pack);
    for (tg_space space = TG_X; status.code == TG_OK && space <= TG_Y; space++)
        status = tg_types_plan(op, &w->pieces.side[space], false, true, &w->made[space]);
    if (status.code == TG_OK && pack[TG_X])
        status = tg_types_plan(op, &w->pieces.side[TG_X], true, true, &w->made[PACKED]);
    if (status.code == TG_OK)
        status = tg_members_find(problem, op, &w->members);
    if (status.code == TG_OK && w->members.shared)
        status = make_tables(op, w);
    return status;
}

static tg_status plan_alltoallw(const tg_problem *problem, tg_op *op)
{
    tg_status status = tg_agree(op->comm, plan_local(problem, op));
    if (status.code == TG_OK)
        tg_members_open(&((alltoallw *)op->state)->members);
    return status;
}

const tg_algorithm tg_engine_alltoallw = {"mpi", "MPI_Alltoallw with derived types", plan_alltoallw,
                                          NULL};
