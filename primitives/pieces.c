/* pieces.c: the engine's map. y[held] = x[owned]; adjoint: x[owned] = the sum of all y that read
 * it.
 *
 * Each rank has two sides: at x the pieces of what it owns that others hold, at y the pieces of
 * what it holds that others own. A direction says which side sends. Pieces between two ranks
 * stand in the same order on both sides (by their place in the holder's coordinates), so that a
 * message needs no header. Towards y every entry is written once; towards x copies meet and are
 * added, unless no entry of x is held twice.
 * Source: Hewett and Grady, arXiv 2006.03108, section 3: copy and its adjoint, add. */
#include "primitives/pieces.h"

#include "primitives/count.h"

#include <stdlib.h>

/* ---- planning: local part ---- */

static int compare_pieces(const void *a, const void *b)
{
    const tg_overlap *p = a, *q = b;
    if (p->rank != q->rank)
        return p->rank < q->rank ? -1 : 1;
    for (int i = 0; i < p->box.ndim; i++)
        if (p->box.lo[i] != q->box.lo[i])
            return p->box.lo[i] < q->box.lo[i] ? -1 : 1;
    return 0;
}

/* The piece in the coordinates of this side's buffer. */
tg_box tg_piece_at(tg_space space, const tg_overlap *piece)
{
    tg_box box = piece->box;
    for (int a = 0; space == TG_X && a < box.ndim; a++) {
        box.lo[a] += piece->shift[a];
        box.hi[a] += piece->shift[a];
    }
    return box;
}

static bool stays(const tg_op *op, const tg_overlap *piece)
{
    if (!op->in_place || piece->rank != op->rank)
        return false;
    for (int a = 0; a < piece->box.ndim; a++)
        if (piece->shift[a] != 0)
            return false;
    return true;
}

/* In place the entries that are x and y at once never move: their piece is taken off the list. */
static void keep_in_place(const tg_op *op, tg_pieces *e, tg_side *s)
{
    int kept = 0;
    for (int i = 0; i < s->npieces; i++)
        if (stays(op, &s->pieces[i]))
            e->keep = s->pieces[i].box;
        else
            s->pieces[kept++] = s->pieces[i];
    s->npieces = kept;
}

static tg_status plan_requests(tg_op *op, tg_side *s)
{
    for (int i = 0; i < s->npartners; i++)
        s->messages += tg_count_calls(s->partners[i].entries);
    s->requests = tg_keep(op, s->messages * (ptrdiff_t)sizeof *s->requests);
    if (!s->requests)
        return tg_check_memory(NULL, s->messages * (ptrdiff_t)sizeof *s->requests);
    MPI_Request *next = s->requests;
    for (tg_partner *p = s->partners; p < s->partners + s->npartners; p++) {
        p->messages = tg_count_calls(p->entries);
        p->requests = next;
        next += p->messages;
    }
    return tg_success();
}

static tg_status plan_partners(tg_op *op, tg_side *s)
{
    s->self = -1;
    s->partners = tg_keep(op, s->npieces * (ptrdiff_t)sizeof *s->partners);
    if (!s->partners)
        return tg_check_memory(NULL, s->npieces * (ptrdiff_t)sizeof *s->partners);
    ptrdiff_t entries = 0;
    for (int i = 0; i < s->npieces; i++) {
        const tg_overlap *piece = &s->pieces[i];
        if (i == 0 || piece->rank != piece[-1].rank) {
            if (piece->rank == op->rank)
                s->self = s->npartners;
            s->partners[s->npartners++] = (tg_partner){
                .rank = piece->rank, .first = i, .offset = entries * (ptrdiff_t)op->dtype->size};
        }
        tg_partner *p = &s->partners[s->npartners - 1];
        p->count++;
        p->entries += tg_box_count(&piece->box);
        entries += tg_box_count(&piece->box);
    }
    s->packed_bytes = entries * (ptrdiff_t)op->dtype->size;
    return plan_requests(op, s);
}

/* The sequence in which the bytes of a piece travel, the same on both ranks. */
static tg_order order_of(const tg_problem *problem, const tg_op *op, tg_space space,
                         const tg_overlap *piece)
{
    tg_view view[2] = {{.store = problem->store_x}, {.store = problem->store_y}};
    for (tg_space s = TG_X; s <= TG_Y; s++)
        if (view[s].store.block >
            0) /* where the channels begin in the other rank's buffer counts */
            view[s] = tg_view_of(problem, s, s == space ? op->rank : piece->rank);
    const tg_box at_x = tg_piece_at(TG_X, piece), at_y = tg_piece_at(TG_Y, piece);
    return tg_order_of(&view[TG_X], &at_x, &view[TG_Y], &at_y);
}

tg_status tg_pieces_blocks(tg_pieces *e, const tg_problem *problem, tg_op *op, tg_space space)
{
    tg_side *s = &e->side[space];
    const bool cut = problem->store_x.block > 0 || problem->store_y.block > 0;
    const ptrdiff_t bytes = s->npieces * (ptrdiff_t)sizeof *s->blocks * (cut ? TG_MAX_BLOCKS : 1);
    const tg_view view = tg_view_of(problem, space, op->rank);
    tg_block *next = s->blocks = tg_keep(op, bytes);
    if (!s->blocks)
        return tg_check_memory(NULL, bytes);
    for (tg_partner *p = s->partners; p < s->partners + s->npartners; p++) {
        p->blocks.block = next;
        for (int i = p->first; i < p->first + p->count; i++) {
            const tg_box box = tg_piece_at(space, &s->pieces[i]);
            const tg_order order = order_of(problem, op, space, &s->pieces[i]);
            next += tg_blocks_find(&view, &box, &order, next);
        }
        p->blocks.count = (int)(next - p->blocks.block);
    }
    return tg_success();
}

tg_status tg_pieces_partners(tg_pieces *e, const tg_problem *problem, tg_op *op, tg_space space)
{
    tg_side *s = &e->side[space];
    const tg_box box = space == TG_X ? tg_layout_owned(&problem->x, op->rank)
                                     : tg_layout_held(&problem->y, op->rank);
    tg_status status = space == TG_X ? tg_holders_of(&problem->y, &box, &s->pieces, &s->npieces)
                                     : tg_owners_of(&problem->x, &box, &s->pieces, &s->npieces);
    if (status.code != TG_OK)
        return status;
    if (s->npieces > 0)
        qsort(s->pieces, (size_t)s->npieces, sizeof *s->pieces, compare_pieces);
    keep_in_place(op, e, s);
    op->held_bytes += s->npieces * (ptrdiff_t)sizeof *s->pieces;
    return plan_partners(op, s);
}

static tg_status plan_side(const tg_problem *problem, tg_op *op, tg_pieces *e, tg_space space)
{
    const tg_status status = tg_pieces_partners(e, problem, op, space);
    return status.code == TG_OK ? tg_pieces_blocks(e, problem, op, space) : status;
}

static tg_status plan_self(const tg_problem *problem, tg_op *op, tg_pieces *e)
{
    const tg_side *s = &e->side[TG_Y];
    if (s->self < 0)
        return tg_success();
    const tg_partner *self = &s->partners[s->self];
    const ptrdiff_t bytes = self->count * (ptrdiff_t)sizeof(tg_block) * TG_MAX_BLOCKS;
    const tg_view x = tg_view_of(problem, TG_X, op->rank), y = tg_view_of(problem, TG_Y, op->rank);
    tg_blocks *to_x = &e->self[TG_X], *to_y = &e->self[TG_Y];
    to_x->block = tg_keep(op, bytes);
    to_y->block = tg_keep(op, bytes);
    if (!to_x->block || !to_y->block)
        return tg_check_memory(NULL, bytes);
    const tg_box all = tg_layout_held(&problem->x, op->rank);
    e->own_all = !op->in_place && self->count == 1 && self->entries == tg_box_count(&all);
    for (const tg_overlap *piece = s->pieces + self->first;
         piece < s->pieces + self->first + self->count; piece++) {
        const tg_box at_x = tg_piece_at(TG_X, piece), at_y = tg_piece_at(TG_Y, piece);
        const tg_order order = tg_order_of(&x, &at_x, &y, &at_y);
        to_y->count += tg_blocks_pair(&x, &at_x, &y, &at_y, &order, to_x->block + to_x->count,
                                      to_y->block + to_y->count);
        to_x->count = to_y->count;
    }
    return tg_success();
}

/* Towards x: zeros where no piece is written, and in place where y is no part of x. */
static tg_status plan_clear(const tg_problem *problem, tg_op *op, tg_pieces *e)
{
    const tg_view view = tg_view_of(problem, TG_X, op->rank);
    /* A copy that owns nothing has a buffer too. */
    const tg_box x = tg_layout_held(&problem->x, op->rank),
                 y = tg_layout_held(&problem->y, op->rank);
    tg_status status = tg_success();
    if (op->in_place || !e->once || e->side[TG_X].npieces == 0)
        status = tg_keep_except(op, &view, &x, &e->keep, &e->clear[TG_X]);
    if (op->in_place && status.code == TG_OK)
        status = tg_keep_except(op, &view, &y, &e->keep, &e->clear[TG_Y]);
    return status;
}

bool tg_each_entry_once(const tg_layout *y)
{
    for (int a = 0; a < y->ndim; a++)
        if (y->axis[a].window.kernel > 0 || (y->axis[a].copied && y->axis[a].parts > 1))
            return false;
    return true;
}

static void free_side(tg_side *s)
{
    free(s->pieces);
    free(s->blocks);
    free(s->partners);
    free(s->packed);
    free(s->requests);
}

void tg_pieces_free(tg_pieces *e)
{
    for (tg_space space = TG_X; space <= TG_Y; space++) {
        free_side(&e->side[space]);
        free(e->self[space].block);
        free(e->clear[space].block);
    }
}

tg_status tg_pieces_plan(tg_pieces *e, const tg_problem *problem, tg_op *op, const bool pack[2])
{
    e->keep.ndim = problem->x.ndim;
    e->once = tg_each_entry_once(&problem->y);
    tg_status status = plan_side(problem, op, e, TG_X);
    if (status.code == TG_OK)
        status = plan_side(problem, op, e, TG_Y);
    if (status.code == TG_OK)
        status = plan_self(problem, op, e);
    if (status.code == TG_OK)
        status = plan_clear(problem, op, e);
    for (tg_space space = TG_X; status.code == TG_OK && space <= TG_Y; space++) {
        tg_side *s = &e->side[space];
        s->packed = pack[space] ? tg_keep(op, s->packed_bytes) : NULL;
        if (pack[space])
            status = tg_check_memory(s->packed, s->packed_bytes);
    }
    const tg_side *sender = &e->side[TG_X];
    if (status.code == TG_OK)
        tg_set_messages(op, sender->messages -
                                (sender->self < 0 ? 0 : sender->partners[sender->self].messages));
    return status;
}

/* ---- packed buffers ---- */

bool tg_is_direct(const tg_op *op, const tg_partner *p)
{
    return tg_blocks_contiguous(&p->blocks) && !op->in_place;
}

bool tg_is_self(const tg_side *s, const tg_partner *p)
{
    return p - s->partners == s->self;
}

int tg_other_ranks(const tg_side *s, int *ranks)
{
    int count = 0;
    for (const tg_partner *p = s->partners; p < s->partners + s->npartners; p++)
        if (!tg_is_self(s, p))
            ranks[count++] = p->rank;
    return count;
}

bool tg_packs_others(const tg_op *op, const tg_pieces *e, tg_space space, const tg_partner *p)
{
    return op->in_place || !tg_is_self(&e->side[space], p);
}

tg_status tg_pieces_buffer(tg_op *op, tg_pieces *e, tg_space space, tg_packs *packs)
{
    tg_side *s = &e->side[space];
    s->packed_bytes = 0;
    for (tg_partner *p = s->partners; p < s->partners + s->npartners; p++) {
        p->offset = s->packed_bytes;
        s->packed_bytes += packs(op, e, space, p) ? p->entries * (ptrdiff_t)op->dtype->size : 0;
    }
    s->packed = tg_keep(op, s->packed_bytes);
    return tg_check_memory(s->packed, s->packed_bytes);
}

/* ---- moving ---- */

bool tg_pieces_add(const tg_pieces *e, tg_space to)
{
    return to == TG_X && !e->once;
}

void tg_pieces_clear(const tg_pieces *e, void *out)
{
    tg_blocks_clear(&e->clear[TG_Y], out);
    tg_blocks_clear(&e->clear[TG_X], out);
}

void tg_partner_pack(const tg_side *s, const tg_partner *p, const void *in)
{
    tg_blocks_pack(&p->blocks, in, s->packed + p->offset);
}

void tg_partner_unpack(const tg_op *op, const tg_partner *p, const char *packed, void *out,
                       bool add)
{
    if (add)
        tg_blocks_add(&p->blocks, op->dtype, packed, out);
    else
        tg_blocks_unpack(&p->blocks, packed, out);
}

void tg_pieces_give_self(const tg_op *op, const tg_pieces *e, tg_space to, const void *in,
                         void *out)
{
    const tg_side *sender = &e->side[to == TG_Y ? TG_X : TG_Y], *receiver = &e->side[to];
    bool in_place = op->in_place &&
                    sender->self >= 0; /* images on a periodic axis: read before they are cleared */
    const char *packed = in_place ? sender->packed + sender->partners[sender->self].offset : NULL;
    if (in_place)
        tg_partner_pack(sender, &sender->partners[sender->self], in);
    if (to == TG_X && !e->own_all)
        tg_pieces_clear(e, out);
    if (in_place)
        tg_partner_unpack(op, &receiver->partners[receiver->self], packed, out,
                          tg_pieces_add(e, to));
    const tg_blocks *source = &e->self[to == TG_Y ? TG_X : TG_Y], *target = &e->self[to];
    if (!op->in_place && tg_pieces_add(e, to) && !e->own_all)
        tg_blocks_add_blocks(source, in, target, out, op->dtype);
    else if (!op->in_place)
        tg_blocks_copy(source, in, target, out);
}
