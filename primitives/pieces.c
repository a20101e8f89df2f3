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

static tg_status plan_side(tg_op *op, tg_pieces *e, tg_space space, const tg_layout *other)
{
    tg_side *s = &e->side[space];
    tg_status status = space == TG_X
                           ? tg_holders_of(other, &e->region[TG_X], &s->pieces, &s->npieces)
                           : tg_owners_of(other, &e->region[TG_Y], &s->pieces, &s->npieces);
    if (status.code != TG_OK)
        return status;
    if (s->npieces > 0)
        qsort(s->pieces, (size_t)s->npieces, sizeof *s->pieces, compare_pieces);
    keep_in_place(op, e, s);
    op->held_bytes += s->npieces * (ptrdiff_t)sizeof *s->pieces;
    s->blocks = tg_keep(op, s->npieces * (ptrdiff_t)sizeof *s->blocks);
    if (!s->blocks)
        return tg_check_memory(NULL, s->npieces * (ptrdiff_t)sizeof *s->blocks);
    for (int i = 0; i < s->npieces; i++) {
        tg_box box = tg_piece_at(space, &s->pieces[i]);
        s->blocks[i] = tg_block_of(&op->box[space], &box, op->dtype->size);
    }
    return plan_partners(op, s);
}

static tg_status plan_self(tg_op *op, tg_pieces *e)
{
    const tg_side *s = &e->side[TG_Y];
    ptrdiff_t bytes = s->self < 0 ? 0 : s->partners[s->self].count * (ptrdiff_t)sizeof *e->self_x;
    e->self_x = tg_keep(op, bytes);
    e->self_y = tg_keep(op, bytes);
    if (!e->self_x || !e->self_y)
        return tg_check_memory(NULL, bytes);
    if (s->self < 0)
        return tg_success();
    const tg_partner *self = &s->partners[s->self];
    for (const tg_overlap *piece = s->pieces + self->first;
         piece < s->pieces + self->first + self->count; piece++) {
        tg_box at_x = tg_piece_at(TG_X, piece), at_y = tg_piece_at(TG_Y, piece);
        tg_block_pair(&op->box[TG_X], &at_x, &op->box[TG_Y], &at_y, op->dtype->size,
                      &e->self_x[e->self_count], &e->self_y[e->self_count]);
        e->self_count++;
    }
    return tg_success();
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
    free_side(&e->side[TG_X]);
    free_side(&e->side[TG_Y]);
    free(e->self_x);
    free(e->self_y);
}

tg_status tg_pieces_plan(tg_pieces *e, const tg_layout *x, const tg_layout *y, tg_op *op,
                         const bool pack[2])
{
    e->region[TG_X] = tg_layout_owned(x, op->rank);
    e->region[TG_Y] = tg_layout_held(y, op->rank);
    e->keep.ndim = x->ndim;
    e->once = tg_each_entry_once(y);
    tg_status status = plan_side(op, e, TG_X, y);
    if (status.code == TG_OK)
        status = plan_side(op, e, TG_Y, x);
    e->region[TG_X] = tg_layout_held(x, op->rank); /* a copy that owns nothing has a buffer too */
    if (status.code == TG_OK)
        status = plan_self(op, e);
    for (tg_space space = TG_X; status.code == TG_OK && space <= TG_Y; space++) {
        tg_side *s = &e->side[space];
        s->packed = pack[space] ? tg_keep(op, s->packed_bytes) : NULL;
        if (pack[space])
            status = tg_check_memory(s->packed, s->packed_bytes);
    }
    const tg_side *sender = &e->side[TG_X];
    if (status.code == TG_OK)
        op->messages =
            sender->messages - (sender->self < 0 ? 0 : sender->partners[sender->self].messages);
    return status;
}

/* ---- moving ---- */

bool tg_pieces_add(const tg_pieces *e, tg_space to)
{
    return to == TG_X && !e->once;
}

void tg_pieces_clear(const tg_op *op, const tg_pieces *e, void *out)
{
    size_t entry_size = op->dtype->size;
    if (op->in_place) {
        tg_clear_except(&op->box[TG_X], &e->region[TG_Y], &e->keep, entry_size, out);
        tg_clear_except(&op->box[TG_X], &e->region[TG_X], &e->keep, entry_size, out);
    } else if (!e->once || e->side[TG_X].npieces == 0) {
        tg_clear_except(&op->box[TG_X], &e->region[TG_X], &e->keep, entry_size, out);
    }
}

void tg_partner_pack(const tg_side *s, const tg_partner *p, const void *in)
{
    char *packed = s->packed + p->offset;
    for (int i = p->first; i < p->first + p->count; i++) {
        tg_block_pack(&s->blocks[i], in, packed);
        packed += tg_block_bytes(&s->blocks[i]);
    }
}

void tg_partner_unpack(const tg_op *op, const tg_side *s, const tg_partner *p, const char *packed,
                       void *out, bool add)
{
    for (int i = p->first; i < p->first + p->count; i++) {
        if (add)
            tg_block_add(&s->blocks[i], op->dtype, packed, out);
        else
            tg_block_unpack(&s->blocks[i], packed, out);
        packed += tg_block_bytes(&s->blocks[i]);
    }
}
