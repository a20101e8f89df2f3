/* rma.c: the pieces by MPI_Put into a window of each plan.
 *
 * Every rank has a window with room for what arrives at x, packed, and one for y. While planning each
 * tells its partners where their pieces belong. A call opens the window to those who send (post),
 * waits until the receivers' windows are open (start), puts one message a partner, and closes both
 * (complete, wait); then the pieces are put or added where they belong, in the partners' order.
 * Only partners wait for each other. A rank with n partners makes n puts of the bytes that they
 * need; bytes are copied once where they are one run in the user's buffer, otherwise twice, and once
 * behind the window.
 *
 * One window would do by the standard, but MPICH's MPI_Win_start counts the windows that were opened
 * to this rank, not whose they are: a partner that is ahead and opens its own for the other direction
 * is taken for one that is late. In one direction a partner opens its window again only after this
 * rank has completed.
 *
 * There are MPI libraries that deliver wrong data through windows. A plan therefore first sends
 * numbers that name their sender, receiver and place; when any are wrong, all ranks plan p2p, and
 * rank 0 says so on the first such occasion.
 * Source: MPI 3.1, section 11.5.2, general active target synchronization. */
#include "primitives/count.h"
#include "primitives/exchange.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef TG_HAVE_RMA

typedef struct {
    tg_pieces pieces;
    MPI_Win window[2];   /* for what arrives at a side */
    char *memory[2];     /* of the windows */
    MPI_Group others[2]; /* a side's partners but this rank */
    int *ranks[2];       /* of others */
    int nothers[2];
    int64_t *place[2]; /* by a side's partners: where in their windows this rank's pieces begin */
    int64_t *told[2];  /* where in this rank's window theirs begin */
    bool opened;       /* windows and others are made */
} rma;

static char *arrived(const rma *r, tg_space to, const tg_partner *p)
{
    return r->memory[to] + p->offset;
}

/* ---- running ---- */

/* From the user's buffer, or where that is NULL, all from what stands in the packed one. */
static void put_pieces(const tg_op *op, const rma *r, tg_space from, const void *in)
{
    const tg_side *side = &r->pieces.side[from];
    const MPI_Win window = r->window[from == TG_Y ? TG_X : TG_Y];
    for (int i = 0; i < side->npartners; i++) {
        const tg_partner *p = &side->partners[i];
        if (tg_is_self(side, p))
            continue;
        const char *pieces = in && tg_is_direct(op, p) ? (const char *)in + p->blocks.block->offset
                                                       : side->packed + p->offset;
        tg_put(pieces, p->entries, op->dtype, p->rank, r->place[from][i], window);
    }
}

/* Returns when all that is sent to this rank is in its window and all that it sends has been read.
 */
static void exchange(const tg_op *op, const rma *r, tg_space to, const void *in)
{
    const tg_space from = to == TG_Y ? TG_X : TG_Y;
    if (r->nothers[from] > 0) {
        MPI_Win_start(r->others[from], 0, r->window[to]);
        put_pieces(op, r, from, in);
        MPI_Win_complete(r->window[to]);
    }
    if (r->nothers[to] > 0)
        MPI_Win_wait(r->window[to]);
}

static void open_window(const rma *r, tg_space to)
{
    if (r->nothers[to] > 0)
        MPI_Win_post(r->others[to], 0, r->window[to]);
}

/* The first half opens this rank's window and packs. It puts nothing: MPI_Win_start may wait until
 * the receivers' windows are open. */
static void start(tg_op *op, tg_space to, const void *in, void *out)
{
    const rma *r = op->state;
    const tg_side *sender = &r->pieces.side[to == TG_Y ? TG_X : TG_Y];
    (void)out;
    open_window(r, to);
    for (const tg_partner *p = sender->partners; p < sender->partners + sender->npartners; p++)
        if (!tg_is_self(sender, p) && !tg_is_direct(op, p))
            tg_partner_pack(sender, p, in);
}

static void finish(tg_op *op, tg_space to, const void *in, void *out)
{
    const rma *r = op->state;
    const tg_side *receiver = &r->pieces.side[to];
    exchange(op, r, to, in);
    tg_pieces_give_self(op, &r->pieces, to, in, out);
    for (const tg_partner *p = receiver->partners; p < receiver->partners + receiver->npartners;
         p++)
        if (!tg_is_self(receiver, p))
            tg_partner_unpack(op, p, arrived(r, to, p), out, tg_pieces_add(&r->pieces, to));
}

/* ---- planning: the local part ---- */

static void release(tg_op *op)
{
    rma *r = op->state;
    for (tg_space space = TG_X; space <= TG_Y; space++) {
        if (r->opened) {
            MPI_Win_free(&r->window[space]);
            MPI_Group_free(&r->others[space]);
        }
        free(r->ranks[space]);
        free(r->place[space]);
        free(r->told[space]);
    }
    tg_pieces_free(&r->pieces);
    free(r);
}

static tg_status plan_side(tg_op *op, rma *r, tg_space space)
{
    const tg_side *side = &r->pieces.side[space];
    const ptrdiff_t bytes = side->npartners * (ptrdiff_t)sizeof *r->place[space];
    r->place[space] = tg_keep(op, bytes);
    r->told[space] = tg_keep(op, bytes);
    r->ranks[space] = tg_keep(op, bytes);
    if (!r->place[space] || !r->told[space] || !r->ranks[space])
        return tg_check_memory(NULL, bytes);
    r->nothers[space] = tg_other_ranks(side, r->ranks[space]);
    return tg_pieces_buffer(op, &r->pieces, space, tg_packs_others);
}

static tg_status plan_local(const tg_problem *problem, tg_op *op)
{
    const bool pack[2] = {false, false};
    rma *r = tg_keep(op, (ptrdiff_t)sizeof *r);
    if (!r)
        return tg_check_memory(NULL, (ptrdiff_t)sizeof *r);
    op->state = r;
    op->release = release;
    tg_set_halves(op, start, finish);
    tg_status status = tg_pieces_plan(&r->pieces, problem, op, pack);
    for (tg_space space = TG_X; status.code == TG_OK && space <= TG_Y; space++)
        status = plan_side(op, r, space);
    return status;
}

/* ---- planning: windows ---- */

static void make_windows(tg_op *op, rma *r)
{
    MPI_Group all;
    MPI_Comm_group(op->comm, &all);
    for (tg_space space = TG_X; space <= TG_Y; space++) {
        const ptrdiff_t bytes = r->pieces.side[space].packed_bytes;
        MPI_Win_allocate(bytes, 1, MPI_INFO_NULL, op->comm, &r->memory[space], &r->window[space]);
        op->held_bytes += bytes;
        MPI_Group_incl(all, r->nothers[space], r->ranks[space], &r->others[space]);
    }
    MPI_Group_free(&all);
    r->opened = true;
}

/* What arrives at side `to`: each rank tells those who send it where that belongs. */
static void tell_places(const tg_op *op, rma *r, tg_space to)
{
    const tg_space from = to == TG_Y ? TG_X : TG_Y;
    const tg_side *sender = &r->pieces.side[from], *receiver = &r->pieces.side[to];
    /* Each side has a request for each partner at least. */
    for (int i = 0; i < sender->npartners; i++)
        MPI_Irecv(&r->place[from][i], 1, MPI_INT64_T, sender->partners[i].rank, op->tag, op->comm,
                  &sender->requests[i]);
    for (int i = 0; i < receiver->npartners; i++) {
        r->told[to][i] = receiver->partners[i].offset;
        MPI_Isend(&r->told[to][i], 1, MPI_INT64_T, receiver->partners[i].rank, op->tag, op->comm,
                  &receiver->requests[i]);
    }
    MPI_Waitall(sender->npartners, sender->requests, MPI_STATUSES_IGNORE);
    MPI_Waitall(receiver->npartners, receiver->requests, MPI_STATUSES_IGNORE);
}

/* ---- planning: does the library deliver? ---- */

/* A byte that names who sends it to whom, in which round, and its place in the message. */
static char sign(int from, int to, int round, ptrdiff_t place)
{
    uint64_t name =
        (uint64_t)place + ((uint64_t)from << 40) + ((uint64_t)to << 20) + ((uint64_t)round << 60);
    name ^= name >> 31;
    return (char)(unsigned char)(name * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

static void write_signs(char *message, ptrdiff_t bytes, int from, int to, int round)
{
    for (ptrdiff_t i = 0; i < bytes; i++)
        message[i] = sign(from, to, round, i);
}

/* No byte is what must arrive. */
static void write_wrong(char *message, ptrdiff_t bytes, int from, int to, int round)
{
    for (ptrdiff_t i = 0; i < bytes; i++)
        message[i] = (char)~sign(from, to, round, i);
}

static bool are_signs(const char *message, ptrdiff_t bytes, int from, int to, int round)
{
    for (ptrdiff_t i = 0; i < bytes; i++)
        if (message[i] != sign(from, to, round, i))
            return false;
    return true;
}

/* One exchange of signs towards a side: did all arrive? */
static bool delivers(const tg_op *op, rma *r, tg_space to, int round)
{
    const tg_side *sender = &r->pieces.side[to == TG_Y ? TG_X : TG_Y],
                  *receiver = &r->pieces.side[to];
    const ptrdiff_t size = (ptrdiff_t)op->dtype->size;
    bool good = true;
    for (const tg_partner *p = receiver->partners; p < receiver->partners + receiver->npartners;
         p++)
        if (!tg_is_self(receiver, p))
            write_wrong(arrived(r, to, p), p->entries * size, p->rank, op->rank, round);
    open_window(r, to);
    for (const tg_partner *p = sender->partners; p < sender->partners + sender->npartners; p++)
        if (!tg_is_self(sender, p))
            write_signs(sender->packed + p->offset, p->entries * size, op->rank, p->rank, round);
    exchange(op, r, to, NULL);
    for (const tg_partner *p = receiver->partners; p < receiver->partners + receiver->npartners;
         p++)
        if (!tg_is_self(receiver, p))
            good =
                good && are_signs(arrived(r, to, p), p->entries * size, p->rank, op->rank, round);
    return good;
}

/* On all ranks, in both directions, twice: the second time into windows that were used. */
static bool all_deliver(const tg_op *op, rma *r)
{
    int good = 1;
    for (int round = 1; round <= 2; round++)
        for (tg_space to = TG_X; to <= TG_Y; to++)
            good = delivers(op, r, to, round) && good;
    MPI_Allreduce(MPI_IN_PLACE, &good, 1, MPI_INT, MPI_MIN, op->comm);
    return good;
}

/* Once a process. */
static void say_wrong(const tg_op *op)
{
    static bool said;
    char library[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    if (said || op->rank != 0)
        return;
    said = true;
    MPI_Get_library_version(library, &length);
    fprintf(stderr,
            "tensorgauge: algorithm=rma: one-sided results of %.*s are wrong; p2p is used in its "
            "place\n",
            (int)strcspn(library, ",\n"), library);
}

static tg_status plan(const tg_problem *problem, tg_op *op)
{
    const ptrdiff_t before = op->held_bytes;
    tg_status status = tg_agree(op->comm, plan_local(problem, op));
    if (status.code != TG_OK)
        return status;
    rma *r = op->state;
    make_windows(op, r);
    for (tg_space to = TG_X; to <= TG_Y; to++)
        tell_places(op, r, to);
    if (all_deliver(op, r))
        return status;
    say_wrong(op);
    tg_start_again(op, before);
    return tg_engine_p2p.plan(problem, op);
}

const tg_algorithm tg_engine_rma = {
    "rma", "MPI_Put into windows of the partners; p2p where the library delivers wrong data", plan,
    NULL};

#endif
