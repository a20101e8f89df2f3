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
    tg_group *shared; /* of the ranks that take part; NULL: this one does not */
    MPI_Comm group;
    int *ranks; /* in the group, ascending */
    int size;
    int *counts[2], *zeros;
    MPI_Datatype *types[TYPES]; /* one a rank of the group */
    MPI_Datatype *made[TYPES];  /* one a partner, to be freed */
    int nmade[TYPES];
} alltoallw;

static void release(tg_op *op)
{
    alltoallw *w = op->state;
    for (int i = 0; i < TYPES; i++) {
        while (w->nmade[i] > 0)
            MPI_Type_free(&w->made[i][--w->nmade[i]]);
        free(w->made[i]);
        free(w->types[i]);
    }
    free(w->counts[TG_X]);
    free(w->counts[TG_Y]);
    free(w->zeros);
    free(w->ranks);
    tg_group_drop(w->shared);
    tg_pieces_free(&w->pieces);
    free(w);
}

static void run(tg_op *op, tg_space to, const void *in, void *out)
{
    alltoallw *w = op->state;
    if (!w->shared)
        return;
    tg_space from = to == TG_Y ? TG_X : TG_Y;
    const tg_side *receiver = &w->pieces.side[to];
    if (to == TG_Y || !receiver->packed) {
        if (to == TG_X)
            tg_pieces_clear(op, &w->pieces, out);
        MPI_Alltoallw(in, w->counts[from], w->zeros, w->types[from], out, w->counts[to], w->zeros,
                      w->types[to], w->group);
        return;
    }
    MPI_Alltoallw(in, w->counts[from], w->zeros, w->types[from], receiver->packed, w->counts[to],
                  w->zeros, w->types[PACKED], w->group);
    tg_pieces_clear(op, &w->pieces, out);
    for (int i = 0; i < receiver->npartners; i++) {
        const tg_partner *p = &receiver->partners[i];
        tg_partner_unpack(op, receiver, p, receiver->packed + p->offset, out,
                          tg_pieces_add(&w->pieces, to));
    }
}

/* ---- planning: types ---- */

/* Some types, each from its place in bytes, as one; frees them. */
static MPI_Datatype join_types(MPI_Datatype *types, const MPI_Aint *places, const int *ones,
                               int count)
{
    MPI_Datatype type;
    MPI_Type_create_struct(count, ones, places, types, &type);
    MPI_Type_commit(&type);
    for (int i = 0; i < count; i++)
        MPI_Type_free(&types[i]);
    return type;
}

/* The types of a side's partners. The arrays have room for all its pieces. */
static void fill_types(const tg_op *op, alltoallw *w, tg_space space, MPI_Datatype *types,
                       MPI_Aint *places, const int *ones)
{
    const tg_side *s = &w->pieces.side[space];
    for (const tg_partner *p = s->partners; p < s->partners + s->npartners; p++) {
        for (int i = 0; i < p->count; i++) {
            const tg_block *block = &s->blocks[p->first + i];
            types[i] = tg_block_type(block, op->dtype);
            places[i] = block->offset;
        }
        w->made[space][w->nmade[space]++] = join_types(types, places, ones, p->count);
    }
    for (const tg_partner *p = s->partners;
         space == TG_X && s->packed && p < s->partners + s->npartners; p++) {
        ptrdiff_t size = (ptrdiff_t)op->dtype->size;
        types[0] = tg_type_repeat(p->entries, size, op->dtype->mpi());
        places[0] = p->offset;
        w->made[PACKED][w->nmade[PACKED]++] = join_types(types, places, ones, 1);
    }
}

static tg_status make_types(tg_op *op, alltoallw *w, tg_space space)
{
    const tg_side *s = &w->pieces.side[space];
    size_t room = (size_t)s->npieces + 1;
    MPI_Datatype *types = malloc(room * sizeof *types);
    MPI_Aint *places = malloc(room * sizeof *places);
    int *ones = malloc(room * sizeof *ones);
    bool good = types && ones && places;
    for (int i = 0; i < TYPES; i++)
        if (i == (int)space || (i == PACKED && space == TG_X)) {
            w->made[i] = tg_keep(op, s->npartners * (ptrdiff_t)sizeof *w->made[i]);
            good = good && w->made[i];
        }
    for (size_t i = 0; good && i < room; i++)
        ones[i] = 1;
    if (good)
        fill_types(op, w, space, types, places, ones);
    free(types);
    free(places);
    free(ones);
    return good ? tg_success() : tg_check_memory(NULL, (ptrdiff_t)(room * sizeof *places));
}

/* ---- planning: ranks and tables ---- */

static int ascending(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* The ranks of both layouts, ascending, each once. */
static tg_status find_ranks(const tg_layout *x, const tg_layout *y, tg_op *op, alltoallw *w)
{
    int of_x = tg_layout_size(x), all = of_x + tg_layout_size(y);
    w->ranks = tg_keep(op, all * (ptrdiff_t)sizeof *w->ranks);
    if (!w->ranks)
        return tg_check_memory(NULL, all * (ptrdiff_t)sizeof *w->ranks);
    for (int i = 0; i < all; i++)
        w->ranks[i] = i < of_x ? tg_layout_rank(x, i) : tg_layout_rank(y, i - of_x);
    qsort(w->ranks, (size_t)all, sizeof *w->ranks, ascending);
    for (int i = 0; i < all; i++)
        if (i == 0 || w->ranks[i] != w->ranks[i - 1])
            w->ranks[w->size++] = w->ranks[i];
    w->shared = tg_group_get(op->shared, w->ranks, w->size);
    return tg_check_memory(w->shared, w->size * (ptrdiff_t)sizeof *w->ranks);
}

static tg_status make_tables(tg_op *op, alltoallw *w)
{
    bool good = true;
    for (int i = 0; i < TYPES; i++) {
        w->types[i] = tg_keep(op, w->size * (ptrdiff_t)sizeof *w->types[i]);
        good = good && w->types[i];
        for (int j = 0; good && j < w->size; j++)
            w->types[i][j] = op->dtype->mpi(); /* of nothing */
    }
    w->counts[TG_X] = tg_keep(op, w->size * (ptrdiff_t)sizeof(int));
    w->counts[TG_Y] = tg_keep(op, w->size * (ptrdiff_t)sizeof(int));
    w->zeros = tg_keep(op, w->size * (ptrdiff_t)sizeof(int));
    if (!good || !w->counts[TG_X] || !w->counts[TG_Y] || !w->zeros)
        return tg_check_memory(NULL, w->size * (ptrdiff_t)sizeof **w->types);
    for (tg_space space = TG_X; space <= TG_Y; space++)
        for (int i = 0; i < w->pieces.side[space].npartners; i++) {
            const int *found = bsearch(&w->pieces.side[space].partners[i].rank, w->ranks,
                                       (size_t)w->size, sizeof *w->ranks, ascending);
            ptrdiff_t at = found - w->ranks; /* a partner is in one of the layouts */
            w->counts[space][at] = 1;
            w->types[space][at] = w->made[space][i];
            if (space == TG_X && w->nmade[PACKED] > 0)
                w->types[PACKED][at] = w->made[PACKED][i];
        }
    return tg_success();
}

static tg_status plan_local(const tg_layout *x, const tg_layout *y, tg_op *op)
{
    alltoallw *w = tg_keep(op, (ptrdiff_t)sizeof *w);
    if (!w)
        return tg_check_memory(NULL, (ptrdiff_t)sizeof *w);
    w->group = MPI_COMM_NULL;
    op->state = w;
    op->release = release;
    op->run = run;
    const bool pack[2] = {op->in_place || !tg_each_entry_once(y), false};
    bool member = tg_layout_place(x, op->rank) >= 0 || tg_layout_place(y, op->rank) >= 0;
    tg_status status = tg_pieces_plan(&w->pieces, x, y, op, pack);
    for (tg_space space = TG_X; status.code == TG_OK && space <= TG_Y; space++)
        status = make_types(op, w, space);
    if (status.code == TG_OK && member)
        status = find_ranks(x, y, op, w);
    if (status.code == TG_OK && member)
        status = make_tables(op, w);
    return status;
}

tg_status tg_exchange_alltoallw(const tg_layout *x, const tg_layout *y, tg_op *op)
{
    tg_status status = tg_agree(op->comm, plan_local(x, y, op));
    alltoallw *w = op->state;
    if (status.code == TG_OK && w->shared)
        w->group = tg_group_mpi(w->shared, 0);
    return status;
}

static tg_status plan_alltoallw(const tg_problem *problem, tg_op *op)
{
    return tg_exchange_alltoallw(&problem->x, &problem->y, op);
}

const tg_algorithm tg_engine_alltoallw = {"mpi", "MPI_Alltoallw with derived types",
                                          plan_alltoallw};
