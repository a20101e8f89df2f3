/* exchange.c: the engine's own messages: the plain reference, and one that copies less.
 *
 * reference: every piece is packed, one message goes to each partner, and everything is unpacked
 * in the partners' order. p2p: pieces that are contiguous travel from and to the user's buffer,
 * and nothing is sent to oneself. */
#include "primitives/exchange.h"

#include "primitives/pieces.h"

#include <stdlib.h>

void tg_exchange_run(tg_op *op, tg_space to, const void *in, void *out)
{
    tg_pieces *e = op->state;
    tg_side *sender = &e->side[to == TG_Y ? TG_X : TG_Y], *receiver = &e->side[to];
    MPI_Datatype type = op->dtype->mpi();
    for (int i = 0; i < receiver->npartners; i++) {
        const tg_partner *p = &receiver->partners[i];
        MPI_Irecv(receiver->packed + p->offset, tg_int(p->entries), type, p->rank, 0, op->comm,
                  &receiver->requests[i]);
    }
    for (int i = 0; i < sender->npartners; i++) {
        const tg_partner *p = &sender->partners[i];
        tg_partner_pack(sender, p, in);
        MPI_Isend(sender->packed + p->offset, tg_int(p->entries), type, p->rank, 0, op->comm,
                  &sender->requests[i]);
    }
    MPI_Waitall(receiver->npartners, receiver->requests, MPI_STATUSES_IGNORE);
    MPI_Waitall(sender->npartners, sender->requests, MPI_STATUSES_IGNORE);
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

static void post_receives(const tg_op *op, tg_side *s, void *out, bool add)
{
    for (int i = 0; i < s->npartners; i++) {
        const tg_partner *p = &s->partners[i];
        const tg_block *direct = add ? NULL : direct_block(op, s, p);
        s->requests[i] = MPI_REQUEST_NULL;
        if (i != s->self)
            MPI_Irecv(direct ? (char *)out + direct->offset : s->packed + p->offset,
                      tg_int(p->entries), op->dtype->mpi(), p->rank, 0, op->comm, &s->requests[i]);
    }
}

static void post_sends(const tg_op *op, tg_side *s, const void *in)
{
    for (int i = 0; i < s->npartners; i++) {
        const tg_partner *p = &s->partners[i];
        const tg_block *direct = direct_block(op, s, p);
        s->requests[i] = MPI_REQUEST_NULL;
        if (i == s->self)
            continue;
        if (!direct)
            tg_partner_pack(s, p, in);
        MPI_Isend(direct ? (const char *)in + direct->offset : s->packed + p->offset,
                  tg_int(p->entries), op->dtype->mpi(), p->rank, 0, op->comm, &s->requests[i]);
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
    for (int i = 0; i < receiver->npartners;
         i++) { /* in the partners' order: sums repeat bit for bit */
        const tg_partner *p = &receiver->partners[i];
        if (i == receiver->self)
            continue;
        MPI_Wait(&receiver->requests[i], MPI_STATUS_IGNORE);
        if (add || !direct_block(op, receiver, p))
            tg_partner_unpack(op, receiver, p, receiver->packed + p->offset, out, add);
    }
    MPI_Waitall(sender->npartners, sender->requests, MPI_STATUSES_IGNORE);
}

/* ---- plans ---- */

static void release(tg_op *op)
{
    tg_pieces_free(op->state);
    free(op->state);
}

static tg_status plan_packed(const tg_layout *x, const tg_layout *y, tg_op *op,
                             void (*run)(tg_op *, tg_space, const void *, void *))
{
    const bool pack[2] = {true, true};
    tg_pieces *e = calloc(1, sizeof *e);
    tg_status status = tg_check_memory(e, (ptrdiff_t)sizeof *e);
    if (e) {
        op->state = e;
        op->release = release;
        op->run = run;
        status = tg_pieces_plan(e, x, y, op, pack);
    }
    return tg_agree(op->comm, status);
}

tg_status tg_exchange_reference(const tg_layout *x, const tg_layout *y, tg_op *op)
{
    return plan_packed(x, y, op, tg_exchange_run);
}

static tg_status plan_reference(const tg_problem *problem, tg_op *op)
{
    return tg_exchange_reference(&problem->x, &problem->y, op);
}

static tg_status plan_p2p(const tg_problem *problem, tg_op *op)
{
    return plan_packed(&problem->x, &problem->y, op, run_p2p);
}

const tg_algorithm tg_engine_reference = {"reference", "packed messages, the plain engine",
                                          plan_reference};
const tg_algorithm tg_engine_p2p = {"p2p", "messages, packed only where they must be", plan_p2p};
