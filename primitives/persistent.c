/* persistent.c: the engine's messages as requests that are made once, while planning.
 *
 * A persistent request binds its buffer, and the user's buffers change from call to call. Every
 * piece for another rank therefore passes through a packed buffer of the plan; what a rank gives
 * itself is copied once. A call starts the requests and makes none. One round; a rank with n
 * partners sends n messages of the bytes that they need, and copies these bytes twice.
 * Source: MPI 3.1, section 3.9, persistent communication requests. */
#include "primitives/count.h"
#include "primitives/exchange.h"

#include <stdlib.h>

typedef struct {
    tg_pieces pieces;
    MPI_Request *send[2], *receive[2]; /* of a side's messages, in the order of its requests */
    bool made;                         /* all requests are, or MPI_REQUEST_NULL */
} persistent;

/* The partner's share of a list of requests of its side. */
static MPI_Request *of_partner(MPI_Request *list, const tg_side *side, const tg_partner *p)
{
    return list + (p->requests - side->requests);
}

static void start_partner(const tg_side *side, const tg_partner *p, MPI_Request *list)
{
    MPI_Startall(p->messages, of_partner(list, side, p));
}

static void start(tg_op *op, tg_space to, const void *in, void *out)
{
    persistent *state = op->state;
    const tg_space from = to == TG_Y ? TG_X : TG_Y;
    const tg_side *sender = &state->pieces.side[from], *receiver = &state->pieces.side[to];
    for (const tg_partner *p = receiver->partners; p < receiver->partners + receiver->npartners;
         p++)
        if (!tg_is_self(receiver, p))
            start_partner(receiver, p, state->receive[to]);
    for (const tg_partner *p = sender->partners; p < sender->partners + sender->npartners; p++) {
        if (tg_is_self(sender, p))
            continue;
        tg_partner_pack(sender, p, in);
        start_partner(sender, p, state->send[from]);
    }
    tg_pieces_give_self(op, &state->pieces, to, in, out);
}

static void finish(tg_op *op, tg_space to, const void *in, void *out)
{
    persistent *state = op->state;
    const tg_space from = to == TG_Y ? TG_X : TG_Y;
    const tg_side *sender = &state->pieces.side[from], *receiver = &state->pieces.side[to];
    (void)in;
    /* In the partners' order: sums repeat bit for bit. */
    for (const tg_partner *p = receiver->partners; p < receiver->partners + receiver->npartners;
         p++) {
        if (tg_is_self(receiver, p))
            continue;
        MPI_Waitall(p->messages, of_partner(state->receive[to], receiver, p), MPI_STATUSES_IGNORE);
        tg_partner_unpack(op, p, receiver->packed + p->offset, out,
                          tg_pieces_add(&state->pieces, to));
    }
    MPI_Waitall(sender->messages, state->send[from], MPI_STATUSES_IGNORE);
}

/* ---- plans ---- */

static void release(tg_op *op)
{
    persistent *state = op->state;
    for (tg_space space = TG_X; space <= TG_Y; space++) {
        for (int i = 0; state->made && i < state->pieces.side[space].messages; i++) {
            if (state->send[space][i] != MPI_REQUEST_NULL)
                MPI_Request_free(&state->send[space][i]);
            if (state->receive[space][i] != MPI_REQUEST_NULL)
                MPI_Request_free(&state->receive[space][i]);
        }
        free(state->send[space]);
        free(state->receive[space]);
    }
    tg_pieces_free(&state->pieces);
    free(state);
}

static tg_status plan_side(tg_op *op, persistent *state, tg_space space)
{
    const tg_side *side = &state->pieces.side[space];
    const ptrdiff_t bytes = side->messages * (ptrdiff_t)sizeof *side->requests;
    state->send[space] = tg_keep(op, bytes);
    state->receive[space] = tg_keep(op, bytes);
    if (!state->send[space] || !state->receive[space])
        return tg_check_memory(NULL, bytes);
    return tg_pieces_buffer(op, &state->pieces, space, tg_packs_others);
}

static tg_status plan_local(const tg_problem *problem, tg_op *op)
{
    const bool pack[2] = {false, false};
    persistent *state = tg_keep(op, (ptrdiff_t)sizeof *state);
    if (!state)
        return tg_check_memory(NULL, (ptrdiff_t)sizeof *state);
    op->state = state;
    op->release = release;
    tg_set_halves(op, start, finish);
    tg_status status = tg_pieces_plan(&state->pieces, problem, op, pack);
    for (tg_space space = TG_X; status.code == TG_OK && space <= TG_Y; space++)
        status = plan_side(op, state, space);
    return status;
}

/* The requests of a side, which sends in one direction and receives in the other. */
static void make_requests(tg_op *op, persistent *state, tg_space space)
{
    const tg_side *side = &state->pieces.side[space];
    for (int i = 0; i < side->messages; i++)
        state->send[space][i] = state->receive[space][i] = MPI_REQUEST_NULL;
    for (const tg_partner *p = side->partners; p < side->partners + side->npartners; p++) {
        if (tg_is_self(side, p))
            continue;
        tg_make_send(op, side->packed + p->offset, p->entries, p->rank,
                     of_partner(state->send[space], side, p));
        tg_make_receive(op, side->packed + p->offset, p->entries, p->rank,
                        of_partner(state->receive[space], side, p));
    }
}

static tg_status plan(const tg_problem *problem, tg_op *op)
{
    tg_status status = tg_agree(op->comm, plan_local(problem, op));
    persistent *state = op->state;
    for (tg_space space = TG_X; status.code == TG_OK && space <= TG_Y; space++)
        make_requests(op, state, space);
    if (status.code == TG_OK)
        state->made = true;
    return status;
}

const tg_algorithm tg_engine_persistent = {"persistent",
                                           "packed messages whose requests are made while planning",
                                           plan, &tg_weights_of_pieces};
