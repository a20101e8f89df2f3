/* partitioned.c: the engine's messages in partitions, each sent as soon as it is packed.
 *
 * As in persistent.c a rank makes one request for each partner while planning, and all pieces for
 * others are packed. A message of n entries is cut into at most K partitions of ceil(n / K) entries,
 * with no more partitions than are needed for them: none is empty, and the last one may be shorter.
 * MPI knows partitions of one size only, so that the last one travels with some entries that mean
 * nothing behind it. Partitions are packed in their order, each is told to be ready at once, and the
 * receiver puts each when it has arrived. With one partition that is a persistent message.
 * Source: MPI 4.0, chapter 4, partitioned point-to-point communication. */
#include "primitives/exchange.h"

#ifdef TG_HAVE_PARTITIONED

#include "primitives/part.h"

#include <stdlib.h>

typedef struct {
    tg_pieces pieces;
    int most; /* partitions of a message */
    /* One for each partner of a side, in their order; of this rank itself MPI_REQUEST_NULL. */
    MPI_Request *send[2], *receive[2];
} partitioned;

static void start_all(const tg_side *side, MPI_Request *requests)
{
    for (int i = 0; i < side->npartners; i++)
        if (requests[i] != MPI_REQUEST_NULL)
            MPI_Start(&requests[i]);
}

/* ---- one partner ---- */

/* Entries [first, first + count) of a partner's pieces are partition i. */
static void pack_and_send(const tg_op *op, const partitioned *state, const tg_side *side,
                          const tg_partner *p, const void *in, MPI_Request request)
{
    const tg_partitions cut = tg_partitions_of(p->entries, state->most);
    const ptrdiff_t size = (ptrdiff_t)op->dtype->size, all = p->entries * size;
    for (int i = 0; i < cut.count; i++) {
        const ptrdiff_t first = i * cut.entries * size,
                        bytes = i < cut.count - 1 ? cut.entries * size : all - first;
        tg_part_pack(&p->blocks, first, bytes, in, side->packed + p->offset + first);
        MPI_Pready(i, request);
    }
}

static void receive_and_put(const tg_op *op, const partitioned *state, const tg_side *side,
                            const tg_partner *p, bool add, void *out, MPI_Request *request)
{
    const tg_partitions cut = tg_partitions_of(p->entries, state->most);
    const ptrdiff_t size = (ptrdiff_t)op->dtype->size, all = p->entries * size;
    for (int i = 0; i < cut.count; i++) {
        const ptrdiff_t first = i * cut.entries * size,
                        bytes = i < cut.count - 1 ? cut.entries * size : all - first;
        const char *const packed = side->packed + p->offset + first;
        for (int arrived = 0; !arrived;)
            MPI_Parrived(*request, i, &arrived);
        if (add)
            tg_part_add(&p->blocks, op->dtype, first, bytes, packed, out);
        else
            tg_part_unpack(&p->blocks, first, bytes, packed, out);
    }
    MPI_Wait(request, MPI_STATUS_IGNORE);
}

/* ---- running ---- */

static void start(tg_op *op, tg_space to, const void *in, void *out)
{
    partitioned *state = op->state;
    const tg_space from = to == TG_Y ? TG_X : TG_Y;
    const tg_side *sender = &state->pieces.side[from];
    start_all(&state->pieces.side[to], state->receive[to]);
    start_all(sender, state->send[from]);
    for (int i = 0; i < sender->npartners; i++)
        if (i != sender->self)
            pack_and_send(op, state, sender, &sender->partners[i], in, state->send[from][i]);
    tg_pieces_give_self(op, &state->pieces, to, in, out);
}

static void finish(tg_op *op, tg_space to, const void *in, void *out)
{
    partitioned *state = op->state;
    const tg_space from = to == TG_Y ? TG_X : TG_Y;
    const tg_side *receiver = &state->pieces.side[to];
    const bool add = tg_pieces_add(&state->pieces, to);
    (void)in;
    /* In the order of partners and partitions: sums repeat bit for bit. */
    for (int i = 0; i < receiver->npartners; i++)
        if (i != receiver->self)
            receive_and_put(op, state, receiver, &receiver->partners[i], add, out,
                            &state->receive[to][i]);
    MPI_Waitall(state->pieces.side[from].npartners, state->send[from], MPI_STATUSES_IGNORE);
}

/* ---- plans ---- */

static void free_requests(const tg_side *side, MPI_Request *requests)
{
    for (int i = 0; requests && i < side->npartners; i++)
        if (requests[i] != MPI_REQUEST_NULL)
            MPI_Request_free(&requests[i]);
    free(requests);
}

static void release(tg_op *op)
{
    partitioned *state = op->state;
    for (tg_space space = TG_X; space <= TG_Y; space++) {
        free_requests(&state->pieces.side[space], state->send[space]);
        free_requests(&state->pieces.side[space], state->receive[space]);
    }
    tg_pieces_free(&state->pieces);
    free(state);
}

/* The packed buffer, with room behind each last partition; what a rank gives itself passes through it
 * in place. */
static tg_status plan_buffer(tg_op *op, partitioned *state, tg_space space)
{
    tg_side *side = &state->pieces.side[space];
    ptrdiff_t entries = 0;
    for (tg_partner *p = side->partners; p < side->partners + side->npartners; p++) {
        const tg_partitions cut = tg_partitions_of(p->entries, state->most);
        p->offset = entries * (ptrdiff_t)op->dtype->size;
        if (!tg_is_self(side, p))
            entries += cut.count * cut.entries;
        else if (op->in_place)
            entries += p->entries;
    }
    side->packed_bytes = entries * (ptrdiff_t)op->dtype->size;
    side->packed = tg_keep(op, side->packed_bytes);
    return tg_check_memory(side->packed, side->packed_bytes);
}

static tg_status plan_side(tg_op *op, partitioned *state, tg_space space)
{
    const tg_side *side = &state->pieces.side[space];
    const ptrdiff_t bytes = side->npartners * (ptrdiff_t)sizeof(MPI_Request);
    state->send[space] = tg_keep(op, bytes);
    state->receive[space] = tg_keep(op, bytes);
    for (int i = 0; state->send[space] && i < side->npartners; i++)
        state->send[space][i] = MPI_REQUEST_NULL;
    for (int i = 0; state->receive[space] && i < side->npartners; i++)
        state->receive[space][i] = MPI_REQUEST_NULL;
    if (!state->send[space] || !state->receive[space])
        return tg_check_memory(NULL, bytes);
    return plan_buffer(op, state, space);
}

static tg_status plan_local(const tg_problem *problem, tg_op *op)
{
    const bool pack[2] = {false, false};
    partitioned *state = tg_keep(op, (ptrdiff_t)sizeof *state);
    if (!state)
        return tg_check_memory(NULL, (ptrdiff_t)sizeof *state);
    state->most = tg_most_partitions(problem);
    op->state = state;
    op->release = release;
    tg_set_halves(op, start, finish);
    tg_status status = tg_pieces_plan(&state->pieces, problem, op, pack);
    for (tg_space space = TG_X; status.code == TG_OK && space <= TG_Y; space++)
        status = plan_side(op, state, space);
    const tg_side *x = &state->pieces.side[TG_X];
    tg_set_messages(op, x->npartners - (x->self >= 0));
    return status;
}

/* Of one direction: both ends of a message must be made in one order, on all ranks. */
static void make_requests(const tg_op *op, partitioned *state, tg_space to)
{
    const tg_space from = to == TG_Y ? TG_X : TG_Y;
    const tg_side *sender = &state->pieces.side[from], *receiver = &state->pieces.side[to];
    const MPI_Datatype type = op->dtype->mpi();
    for (int i = 0; i < sender->npartners; i++) {
        const tg_partner *p = &sender->partners[i];
        const tg_partitions cut = tg_partitions_of(p->entries, state->most);
        if (i != sender->self)
            MPI_Psend_init(sender->packed + p->offset, cut.count, cut.entries, type, p->rank,
                           op->tag, op->comm, MPI_INFO_NULL, &state->send[from][i]);
    }
    for (int i = 0; i < receiver->npartners; i++) {
        const tg_partner *p = &receiver->partners[i];
        const tg_partitions cut = tg_partitions_of(p->entries, state->most);
        if (i != receiver->self)
            MPI_Precv_init(receiver->packed + p->offset, cut.count, cut.entries, type, p->rank,
                           op->tag, op->comm, MPI_INFO_NULL, &state->receive[to][i]);
    }
}

/* A library lets the two ends of a message meet when it first runs. With MPICH 4.0.2 and 4.2.1 a job
 * does not end if one was freed before that: each runs once while planning, and carries zeros. */
static void run_once(partitioned *state, tg_space to)
{
    const tg_space from = to == TG_Y ? TG_X : TG_Y;
    const tg_side *sender = &state->pieces.side[from], *receiver = &state->pieces.side[to];
    start_all(receiver, state->receive[to]);
    start_all(sender, state->send[from]);
    for (int i = 0; i < sender->npartners; i++)
        if (i != sender->self)
            MPI_Pready_range(0,
                             tg_partitions_of(sender->partners[i].entries, state->most).count - 1,
                             state->send[from][i]);
    MPI_Waitall(receiver->npartners, state->receive[to], MPI_STATUSES_IGNORE);
    MPI_Waitall(sender->npartners, state->send[from], MPI_STATUSES_IGNORE);
}

static tg_status plan(const tg_problem *problem, tg_op *op)
{
    const tg_status status = tg_agree(op->comm, plan_local(problem, op));
    if (status.code != TG_OK)
        return status;
    make_requests(op, op->state, TG_Y);
    make_requests(op, op->state, TG_X);
    run_once(op->state, TG_Y);
    run_once(op->state, TG_X);
    return status;
}

#else

static tg_status plan(const tg_problem *problem, tg_op *op)
{
    return tg_plan_lacking(problem, op);
}

#endif

int tg_most_partitions(const tg_problem *problem)
{
    return problem->partitions > 0 ? problem->partitions : TG_PARTITIONS;
}

tg_partitions tg_partitions_of(ptrdiff_t entries, int most)
{
    const ptrdiff_t each = entries / most + (entries % most > 0);
    return (tg_partitions){.entries = each, .count = (int)((entries + each - 1) / each)};
}

const tg_algorithm tg_engine_partitioned = {
    "partitioned", "packed messages in partitions, each sent as soon as it is packed", plan,
    &tg_weights_of_partitioned};
