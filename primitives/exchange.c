/* exchange.c: the engine's own messages: the plain reference, and one that copies less.
 *
 * reference: every piece is packed, one message goes to each partner, and everything is unpacked
 * in the partners' order. p2p: pieces that are contiguous travel from and to the user's buffer,
 * and nothing is sent to oneself. */
#include "primitives/exchange.h"

#include "primitives/count.h"
#include "primitives/pieces.h"

#include <stdlib.h>

void tg_exchange_run(tg_op *op, tg_space to, const void *in, void *out)
{
    tg_pieces *e = op->state;
    tg_side *sender = &e->side[to == TG_Y ? TG_X : TG_Y], *receiver = &e->side[to];
    for (int i = 0; i < receiver->npartners; i++) {
        const tg_partner *p = &receiver->partners[i];
        tg_start_receive(receiver->packed + p->offset, p->entries, op->dtype, p->rank, op->comm,
                         p->requests);
    }
    for (int i = 0; i < sender->npartners; i++) {
        const tg_partner *p = &sender->partners[i];
        tg_partner_pack(sender, p, in);
        tg_start_send(sender->packed + p->offset, p->entries, op->dtype, p->rank, op->comm,
                      p->requests);
    }
    MPI_Waitall(receiver->messages, receiver->requests, MPI_STATUSES_IGNORE);
    MPI_Waitall(sender->messages, sender->requests, MPI_STATUSES_IGNORE);
    if (to == TG_X)
        tg_pieces_clear(op, e, out);
    for (int i = 0; i < receiver->npartners; i++) {
        const tg_partner *p = &receiver->partners[i];
        tg_partner_unpack(op, receiver, p, receiver->packed + p->offset, out, tg_pieces_add(e, to));
    }
}

/* The only piece of a partner, when it can be sent from or received into the user's buffer as it
 * lies there. */
static const tg_block *direct_block(const tg_op *op, const tg_side *s, const tg_partner *p)
{
    const tg_block *block = &s->blocks[p->first];
    return p->count == 1 && tg_block_contiguous(block) && !op->in_place ? block : NULL;
}

/* No message, so nothing to wait for. */
static void no_message(const tg_partner *p)
{
    for (int i = 0; i < p->messages; i++)
        p->requests[i] = MPI_REQUEST_NULL;
}

static void post_receives(const tg_op *op, tg_side *s, void *out, bool add)
{
    for (int i = 0; i < s->npartners; i++) {
        const tg_partner *p = &s->partners[i];
        const tg_block *direct = add ? NULL : direct_block(op, s, p);
        if (i == s->self)
            no_message(p);
        else
            tg_start_receive(direct ? (char *)out + direct->offset : s->packed + p->offset,
                             p->entries, op->dtype, p->rank, op->comm, p->requests);
    }
}

static void post_sends(const tg_op *op, tg_side *s, const void *in)
{
    for (int i = 0; i < s->npartners; i++) {
        const tg_partner *p = &s->partners[i];
        const tg_block *direct = direct_block(op, s, p);
        if (i == s->self) {
            no_message(p);
            continue;
        }
        if (!direct)
            tg_partner_pack(s, p, in);
        tg_start_send(direct ? (const char *)in + direct->offset : s->packed + p->offset,
                      p->entries, op->dtype, p->rank, op->comm, p->requests);
    }
}

/* What this rank gives itself, and the clearing that must stand between reading and adding. */
static void give_self(tg_op *op, tg_pieces *e, tg_space to, const void *in, void *out)
{
    const tg_side *sender = &e->side[to == TG_Y ? TG_X : TG_Y], *receiver = &e->side[to];
    bool in_place = op->in_place &&
                    sender->self >= 0; /* images on a periodic axis: read before they are cleared */
    const char *packed = in_place ? sender->packed + sender->partners[sender->self].offset : NULL;
    if (in_place)
        tg_partner_pack(sender, &sender->partners[sender->self], in);
    if (to == TG_X)
        tg_pieces_clear(op, e, out);
    if (in_place)
        tg_partner_unpack(op, receiver, &receiver->partners[receiver->self], packed, out,
                          tg_pieces_add(e, to));
    const tg_block *source = to == TG_Y ? e->self_x : e->self_y;
    const tg_block *target = to == TG_Y ? e->self_y : e->self_x;
    for (int i = 0; !op->in_place && i < e->self_count; i++)
        if (tg_pieces_add(e, to))
            tg_block_add_block(&source[i], in, &target[i], out, op->dtype);
        else
            tg_block_copy(&source[i], in, &target[i], out);
}

static void run_p2p(tg_op *op, tg_space to, const void *in, void *out)
{
    tg_pieces *e = op->state;
    tg_side *sender = &e->side[to == TG_Y ? TG_X : TG_Y], *receiver = &e->side[to];
    bool add = tg_pieces_add(e, to);
    post_receives(op, receiver, out, add);
    post_sends(op, sender, in);
    give_self(op, e, to, in, out);
    /* In the partners' order: sums repeat bit for bit. */
    for (int i = 0; i < receiver->npartners; i++) {
        const tg_partner *p = &receiver->partners[i];
        if (i == receiver->self)
            continue;
        MPI_Waitall(p->messages, p->requests, MPI_STATUSES_IGNORE);
        if (add || !direct_block(op, receiver, p))
            tg_partner_unpack(op, receiver, p, receiver->packed + p->offset, out, add);
    }
    MPI_Waitall(sender->messages, sender->requests, MPI_STATUSES_IGNORE);
}

/* ---- plans ---- */

static void release(tg_op *op)
{
    tg_pieces_free(op->state);
    free(op->state);
}

static tg_status plan_pieces(const tg_layout *x, const tg_layout *y, tg_op *op, bool packs,
                             void (*run)(tg_op *, tg_space, const void *, void *))
{
    const bool pack[2] = {packs, packs};
    tg_pieces *e = tg_keep(op, (ptrdiff_t)sizeof *e);
    if (!e)
        return tg_check_memory(NULL, (ptrdiff_t)sizeof *e);
    op->state = e;
    op->release = release;
    op->run = run;
    return tg_pieces_plan(e, x, y, op, pack);
}

tg_status tg_exchange_reference(const tg_layout *x, const tg_layout *y, tg_op *op)
{
    return tg_agree(op->comm, plan_pieces(x, y, op, true, tg_exchange_run));
}

static tg_status plan_reference(const tg_problem *problem, tg_op *op)
{
    return tg_exchange_reference(&problem->x, &problem->y, op);
}

/* Packed buffers for those partners only that a message is packed for, in one direction at least.
 */
static tg_status pack_where_needed(tg_op *op, const tg_pieces *e, tg_space space, tg_side *s)
{
    s->packed_bytes = 0;
    for (int i = 0; i < s->npartners; i++) {
        tg_partner *p = &s->partners[i];
        bool needed =
            i == s->self ? op->in_place : !direct_block(op, s, p) || tg_pieces_add(e, space);
        p->offset = s->packed_bytes;
        s->packed_bytes += needed ? p->entries * (ptrdiff_t)op->dtype->size : 0;
    }
    s->packed = tg_keep(op, s->packed_bytes);
    return tg_check_memory(s->packed, s->packed_bytes);
}

static tg_status plan_p2p(const tg_problem *problem, tg_op *op)
{
    tg_status status = plan_pieces(&problem->x, &problem->y, op, false, run_p2p);
    tg_pieces *e = op->state;
    for (tg_space space = TG_X; status.code == TG_OK && space <= TG_Y; space++)
        status = pack_where_needed(op, e, space, &e->side[space]);
    return tg_agree(op->comm, status);
}

const tg_algorithm tg_engine_reference = {"reference", "packed messages, the plain engine",
                                          plan_reference};
const tg_algorithm tg_engine_p2p = {"p2p", "messages, packed only where they must be", plan_p2p};
