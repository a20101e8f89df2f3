/* exchange.c: the engine's own messages: the plain reference, and one that copies less.
 *
 * reference: every piece is packed, one message goes to each partner, and everything is unpacked
 * in the partners' order. p2p: pieces that are contiguous travel from and to the user's buffer,
 * and nothing is sent to oneself. */
#include "primitives/exchange.h"

#include "primitives/count.h"
#include "primitives/pieces.h"

#include <stdlib.h>

void tg_exchange_run(const tg_op *op, tg_pieces *e, tg_space to, const void *in, void *out)
{
    tg_side *sender = &e->side[to == TG_Y ? TG_X : TG_Y], *receiver = &e->side[to];
    for (int i = 0; i < receiver->npartners; i++) {
        const tg_partner *p = &receiver->partners[i];
        tg_start_receive(op, receiver->packed + p->offset, p->entries, p->rank, p->requests);
    }
    for (int i = 0; i < sender->npartners; i++) {
        const tg_partner *p = &sender->partners[i];
        tg_partner_pack(sender, p, in);
        tg_start_send(op, sender->packed + p->offset, p->entries, p->rank, p->requests);
    }
    MPI_Waitall(receiver->messages, receiver->requests, MPI_STATUSES_IGNORE);
    MPI_Waitall(sender->messages, sender->requests, MPI_STATUSES_IGNORE);
    if (to == TG_X)
        tg_pieces_clear(e, out);
    for (int i = 0; i < receiver->npartners; i++) {
        const tg_partner *p = &receiver->partners[i];
        tg_partner_unpack(op, p, receiver->packed + p->offset, out, tg_pieces_add(e, to));
    }
}

static void run_reference(tg_op *op, tg_space to, const void *in, void *out)
{
    tg_exchange_run(op, op->state, to, in, out);
}

/* Nothing to wait for, from now on. */
void tg_no_message(tg_partner *p)
{
    for (int i = 0; i < p->messages; i++)
        p->requests[i] = MPI_REQUEST_NULL;
    p->messages = 0;
}

static void post_receives(const tg_op *op, tg_side *s, void *out, bool add)
{
    for (int i = 0; i < s->npartners; i++) {
        const tg_partner *p = &s->partners[i];
        bool direct = !add && tg_is_direct(op, p);
        if (p->messages > 0)
            tg_start_receive(op,
                             direct ? (char *)out + p->blocks.block->offset : s->packed + p->offset,
                             p->entries, p->rank, p->requests);
    }
}

static void post_sends(const tg_op *op, tg_side *s, const void *in)
{
    for (int i = 0; i < s->npartners; i++) {
        const tg_partner *p = &s->partners[i];
        bool direct = tg_is_direct(op, p);
        if (p->messages == 0)
            continue;
        if (!direct)
            tg_partner_pack(s, p, in);
        tg_start_send(op,
                      direct ? (const char *)in + p->blocks.block->offset : s->packed + p->offset,
                      p->entries, p->rank, p->requests);
    }
}

void tg_messages_start(const tg_op *op, tg_pieces *e, tg_space to, const void *in, void *out)
{
    post_receives(op, &e->side[to], out, tg_pieces_add(e, to));
    post_sends(op, &e->side[to == TG_Y ? TG_X : TG_Y], in);
}

void tg_messages_finish(const tg_op *op, tg_pieces *e, tg_space to, void *out)
{
    const tg_side *sender = &e->side[to == TG_Y ? TG_X : TG_Y], *receiver = &e->side[to];
    bool add = tg_pieces_add(e, to);
    /* In the partners' order: sums repeat bit for bit. */
    for (int i = 0; i < receiver->npartners; i++) {
        const tg_partner *p = &receiver->partners[i];
        if (p->messages == 0)
            continue;
        MPI_Waitall(p->messages, p->requests, MPI_STATUSES_IGNORE);
        if (add || !tg_is_direct(op, p))
            tg_partner_unpack(op, p, receiver->packed + p->offset, out, add);
    }
    MPI_Waitall(sender->messages, sender->requests, MPI_STATUSES_IGNORE);
}

static void start_p2p(tg_op *op, tg_space to, const void *in, void *out)
{
    tg_messages_start(op, op->state, to, in, out);
    tg_pieces_give_self(op, op->state, to, in, out);
}

static void finish_p2p(tg_op *op, tg_space to, const void *in, void *out)
{
    (void)in;
    tg_messages_finish(op, op->state, to, out);
}

/* ---- plans ---- */

void tg_start_again(tg_op *op, ptrdiff_t held_bytes)
{
    op->release(op);
    op->release = NULL;
    op->start = op->finish = NULL;
    op->state = NULL;
    tg_set_messages(op, -1);
    op->held_bytes = held_bytes;
}

static void release(tg_op *op)
{
    tg_pieces_free(op->state);
    free(op->state);
}

static tg_status plan_pieces(const tg_problem *problem, tg_op *op, bool packed)
{
    const bool pack[2] = {packed, packed};
    tg_pieces *e = tg_keep(op, (ptrdiff_t)sizeof *e);
    if (!e)
        return tg_check_memory(NULL, (ptrdiff_t)sizeof *e);
    op->state = e;
    op->release = release;
    return tg_pieces_plan(e, problem, op, pack);
}

static tg_status plan_reference(const tg_problem *problem, tg_op *op)
{
    op->run = run_reference;
    return tg_agree(op->comm, plan_pieces(problem, op, true));
}

/* Are pieces packed for the partner, in one direction at least? In place also those that are no
 * message, so that all is read before anything is written. */
static bool packs(const tg_op *op, const tg_pieces *e, tg_space space, const tg_partner *p)
{
    return op->in_place || (p->messages > 0 && (!tg_is_direct(op, p) || tg_pieces_add(e, space)));
}

tg_status tg_messages_plan(tg_op *op, tg_pieces *e)
{
    tg_status status = tg_success();
    for (tg_space space = TG_X; status.code == TG_OK && space <= TG_Y; space++) {
        tg_side *s = &e->side[space];
        if (s->self >= 0)
            tg_no_message(&s->partners[s->self]);
        status = tg_pieces_buffer(op, e, space, packs);
    }
    return status;
}

static tg_status plan_p2p(const tg_problem *problem, tg_op *op)
{
    tg_status status = plan_pieces(problem, op, false);
    tg_set_halves(op, start_p2p, finish_p2p);
    if (status.code == TG_OK)
        status = tg_messages_plan(op, op->state);
    return tg_agree(op->comm, status);
}

const tg_algorithm tg_engine_reference = {"reference", "packed messages, the plain engine",
                                          plan_reference, NULL};
const tg_algorithm tg_engine_p2p = {"p2p", "messages, packed only where they must be", plan_p2p,
                                    &tg_weights_of_pieces};
