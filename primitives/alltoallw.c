/* alltoallw.c: the pieces by MPI_Alltoallw, with subarray types instead of packing.
 *
 * Towards x, where pieces are added or their place is still being read, they arrive packed and
 * are added from there. */
#include "primitives/exchange.h"
#include "primitives/pieces.h"

#include <stdlib.h>

typedef struct {
    tg_pieces pieces;
    MPI_Comm group; /* of those who take part, with an entry for each in the tables */
    int *counts[2], *zeros;
    MPI_Datatype *types[2];              /* pieces in the rank's buffers */
    int *packed_counts, *packed_offsets; /* the same towards x, packed; offsets in bytes */
    MPI_Datatype *packed_types;
    MPI_Datatype *made[2]; /* one a partner, to be freed */
    int nmade[2];
} alltoallw;

static void release(tg_op *op)
{
    alltoallw *w = op->state;
    for (tg_space space = TG_X; space <= TG_Y; space++) {
        for (int i = 0; i < w->nmade[space]; i++)
            MPI_Type_free(&w->made[space][i]);
        free(w->made[space]);
        free(w->counts[space]);
        free(w->types[space]);
    }
    free(w->zeros);
    free(w->packed_types);
    free(w->packed_counts);
    free(w->packed_offsets);
    if (w->group != MPI_COMM_NULL)
        MPI_Comm_free(&w->group);
    tg_pieces_free(&w->pieces);
    free(w);
}

static void run(tg_op *op, tg_space to, const void *in, void *out)
{
    alltoallw *w = op->state;
    if (w->group == MPI_COMM_NULL)
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
    MPI_Alltoallw(in, w->counts[from], w->zeros, w->types[from], receiver->packed, w->packed_counts,
                  w->packed_offsets, w->packed_types, w->group);
    tg_pieces_clear(op, &w->pieces, out);
    for (int i = 0; i < receiver->npartners; i++) {
        const tg_partner *p = &receiver->partners[i];
        tg_partner_unpack(op, receiver, p, receiver->packed + p->offset, out,
                          tg_pieces_add(&w->pieces, to));
    }
}

/* ---- planning ---- */

/* The MPI type of a partner's pieces in this rank's buffer. The arrays have room for all pieces of
 * the side. */
static MPI_Datatype partner_type(const tg_op *op, tg_space space, const tg_side *s,
                                 const tg_partner *p, MPI_Datatype *types, int *ones,
                                 MPI_Aint *zeros)
{
    MPI_Datatype type;
    for (int i = 0; i < p->count; i++) {
        tg_box box = tg_piece_at(space, &s->pieces[p->first + i]);
        types[i] = tg_block_type(&op->box[space], &box, op->dtype);
        ones[i] = 1;
        zeros[i] = 0;
    }
    MPI_Type_create_struct(p->count, ones, zeros, types, &type);
    MPI_Type_commit(&type);
    for (int i = 0; i < p->count; i++)
        MPI_Type_free(&types[i]);
    return type;
}

static tg_status make_types(const tg_op *op, alltoallw *w, tg_space space)
{
    const tg_side *s = &w->pieces.side[space];
    size_t room = (size_t)s->npieces + 1;
    MPI_Datatype *types = malloc(room * sizeof *types);
    int *ones = malloc(room * sizeof *ones);
    MPI_Aint *zeros = malloc(room * sizeof *zeros);
    w->made[space] = malloc(room * sizeof *w->made[space]);
    tg_status status = tg_success();
    if (!types || !ones || !zeros || !w->made[space])
        status = tg_check_memory(NULL, (ptrdiff_t)(room * sizeof *zeros));
    for (int a = 0; status.code == TG_OK && a < op->box[space].ndim; a++)
        status = tg_check_count(op->box[space].hi[a] - op->box[space].lo[a]);
    for (int i = 0; status.code == TG_OK && i < s->npartners; i++)
        w->made[space][w->nmade[space]++] =
            partner_type(op, space, s, &s->partners[i], types, ones, zeros);
    free(types);
    free(ones);
    free(zeros);
    return status;
}

/* Pieces and types. Local. */
static tg_status plan_local(const tg_layout *x, const tg_layout *y, tg_op *op)
{
    alltoallw *w = calloc(1, sizeof *w);
    if (!w)
        return tg_check_memory(NULL, (ptrdiff_t)sizeof *w);
    w->group = MPI_COMM_NULL;
    op->state = w;
    op->release = release;
    op->run = run;
    const bool pack[2] = {op->in_place || !tg_each_entry_once(y), false};
    tg_status status = tg_pieces_plan(&w->pieces, x, y, op, pack);
    for (tg_space space = TG_X; status.code == TG_OK && space <= TG_Y; space++)
        status = make_types(op, w, space);
    if (status.code == TG_OK && pack[TG_X])
        status = tg_check_count(w->pieces.side[TG_X].packed_bytes);
    return status;
}

static tg_status allocate_tables(alltoallw *w, size_t size, MPI_Datatype unused)
{
    for (tg_space space = TG_X; space <= TG_Y; space++) {
        w->counts[space] = calloc(size, sizeof(int));
        w->types[space] = malloc(size * sizeof(MPI_Datatype));
    }
    w->zeros = calloc(size, sizeof(int));
    w->packed_counts = calloc(size, sizeof(int));
    w->packed_offsets = calloc(size, sizeof(int));
    w->packed_types = malloc(size * sizeof(MPI_Datatype));
    if (!w->counts[TG_X] || !w->counts[TG_Y] || !w->types[TG_X] || !w->types[TG_Y] || !w->zeros ||
        !w->packed_counts || !w->packed_offsets || !w->packed_types)
        return tg_check_memory(NULL, (ptrdiff_t)(size * sizeof(MPI_Datatype)));
    for (size_t i = 0; i < size; i++)
        w->types[TG_X][i] = w->types[TG_Y][i] = w->packed_types[i] = unused;
    return tg_success();
}

/* Enter the partners into the tables of the group. Local. */
static tg_status fill_tables(const tg_op *op, alltoallw *w)
{
    int size;
    MPI_Comm_size(w->group, &size);
    tg_status status = allocate_tables(w, (size_t)size, op->dtype->mpi());
    if (status.code != TG_OK)
        return status;
    MPI_Group all, part;
    MPI_Comm_group(op->comm, &all);
    MPI_Comm_group(w->group, &part);
    for (tg_space space = TG_X; space <= TG_Y; space++)
        for (int i = 0; i < w->pieces.side[space].npartners; i++) {
            const tg_partner *p = &w->pieces.side[space].partners[i];
            int at;
            MPI_Group_translate_ranks(all, 1, &p->rank, part, &at);
            w->counts[space][at] = 1;
            w->types[space][at] = w->made[space][i];
            if (space == TG_X && w->pieces.side[TG_X].packed) {
                w->packed_counts[at] = tg_int(p->entries);
                w->packed_offsets[at] = tg_int(p->offset);
            }
        }
    MPI_Group_free(&all);
    MPI_Group_free(&part);
    return tg_success();
}

tg_status tg_exchange_alltoallw(const tg_layout *x, const tg_layout *y, tg_op *op)
{
    tg_status status = tg_agree(op->comm, plan_local(x, y, op));
    if (status.code != TG_OK)
        return status;
    alltoallw *w = op->state;
    bool member = tg_layout_place(x, op->rank) >= 0 || tg_layout_place(y, op->rank) >= 0;
    MPI_Comm_split(op->comm, member ? 0 : MPI_UNDEFINED, op->rank, &w->group);
    return tg_agree(op->comm, member ? fill_tables(op, w) : tg_success());
}

static tg_status plan_alltoallw(const tg_problem *problem, tg_op *op)
{
    return tg_exchange_alltoallw(&problem->x, &problem->y, op);
}

const tg_algorithm tg_engine_alltoallw = {"mpi", "MPI_Alltoallw with subarray types",
                                          plan_alltoallw};
