/* node_pieces.c: y[held] = x[owned] through shared memory inside a node, by messages between nodes.
 *
 * What a rank sends to others of its node is packed, chunk by chunk, into its ring of shared memory,
 * and they put or add it straight from there: two copies of each byte, of which the second reads
 * what is still in the cache, and none in the MPI library. Pieces that are alike for several
 * readers are packed once. While one chunk is read the next is packed. One round; the bytes of a
 * rank are those of its pieces.
 *
 * Pieces that several ranks of another node hold alike cross once (node_relay.c): their leader
 * receives them and passes them on through its ring; towards x it adds what its followers put into
 * theirs to its own, and sends the sum.
 *
 * cma: a piece of long runs is one chunk that holds an address only, and the receiver copies the
 * piece from the sender's own buffer (node_read.c). The sender leaves when all have done so.
 *
 * Two ranks d = (sender - receiver) mod k apart exchange at step d: senders send by ascending step,
 * and receivers that add take them by ascending step; relays come after all others, in the same way
 * and those of one step by owner. So sums have one order, and no cycle of ranks waits for each
 * other: of all exchanges that are left the first one can go on. Messages between nodes do not wait
 * for relays where pieces are passed on, and where they are added nothing in a node waits for them.
 * Source: Graham and Shipman, "MPI support for multi-core architectures: optimized shared memory
 * collectives", EuroPVM/MPI 2008, for collectives by way of shared buffers. */
#include "primitives/node_pieces.h"

#include "primitives/count.h"
#include "primitives/exchange.h"
#include "primitives/part.h"

#include <string.h>

static ptrdiff_t chunk_at(const tg_stream *s, ptrdiff_t *first)
{
    *first = (ptrdiff_t)s->next * s->chunk;
    return s->bytes - *first < s->chunk ? s->bytes - *first : s->chunk;
}

/* ---- relays on their leader ---- */

/* Towards y: have the pieces arrived? This rank puts its own copy then. */
static bool arrives(const tg_node_pieces *n, tg_relay *r)
{
    int flag;
    if (r->here)
        return true;
    MPI_Testall(r->messages, r->partner->requests, &flag, MPI_STATUSES_IGNORE);
    if (flag && r->run == r->packed)
        tg_blocks_unpack(&r->partner->blocks, r->packed, n->now.out);
    r->here = flag;
    return r->here;
}

/* Towards x: the sum goes to the owner when it is whole. */
static void add_term(const tg_node_pieces *n, tg_relay *r)
{
    if (--r->terms == 0)
        tg_start_send(n->op, r->packed, r->partner->entries, r->partner->rank,
                      r->partner->requests);
}

static void begin_relay(const tg_node_pieces *n, tg_relay *r)
{
    const tg_transfer *t = &n->now;
    const tg_partner *p = r->partner;
    if (!tg_is_leader(n, r))
        return;
    r->run = t->to == TG_Y && tg_is_direct(n->op, p) ? (char *)t->out + p->blocks.block->offset
                                                     : r->packed;
    r->here = false;
    r->terms = r->followers;
    if (t->to == TG_Y)
        tg_start_receive(n->op, r->run, p->entries, p->rank, p->requests);
    else
        tg_blocks_pack(&p->blocks, t->in, r->packed);
}

/* ---- chunks ---- */

bool tg_packs_first(const tg_node_pieces *n, tg_space to)
{
    return n->op->in_place && (to == TG_X || tg_pieces_add(&n->pieces, to));
}

/* Fill one chunk of what this rank sends. False: all are filled, or there is no place, or it is not
 * here yet. */
static bool push(tg_node_pieces *n)
{
    tg_transfer *t = &n->now;
    if (t->sent == t->flow->nstreams[t->from])
        return false;
    tg_stream *s = &t->flow->stream[t->from][t->sent];
    const tg_chunks *chunks = &t->flow->chunks;
    if (s->relay && t->to == TG_Y && !arrives(n, s->relay))
        return false;
    const uint64_t chunk = s->first + (s->far ? 0 : s->next);
    char *place = tg_chunk_begin(chunks, chunk);
    if (!place)
        return false;
    ptrdiff_t first, bytes = chunk_at(s, &first);
    if (s->far) {
        tg_remote_tell(s->packed ? s->packed : t->in, place);
        s->next = s->chunks - 1;
    } else if (s->packed) {
        memcpy(place, s->packed + first, (size_t)bytes);
    } else {
        tg_part_pack(&s->partner->blocks, first, bytes, t->in, place);
    }
    tg_chunk_give(chunks, chunk, s->readers);
    if (++s->next == s->chunks)
        t->sent++;
    return true;
}

/* Put this rank's own terms where the first of others' are added to them. */
static void put_under(const tg_node_pieces *n, const tg_stream *s, ptrdiff_t first, ptrdiff_t bytes)
{
    const tg_transfer *t = &n->now;
    if (t->flow->own == TG_OWN_UNDER && s == t->flow->stream[t->to])
        tg_part_copy(&n->pieces.self[t->from], first, bytes, t->in, &n->pieces.self[t->to], t->out);
}

/* Put or add packed bytes of a stream where they belong. */
static void put(const tg_node_pieces *n, const tg_stream *s, ptrdiff_t first, ptrdiff_t bytes,
                const char *place)
{
    const tg_transfer *t = &n->now;
    const tg_dtype *dtype = n->op->dtype;
    put_under(n, s, first, bytes);
    if (s->packed)
        dtype->add(s->packed + first, place, bytes / (ptrdiff_t)dtype->size);
    else if (t->add)
        tg_part_add(&s->partner->blocks, dtype, first, bytes, place, t->out);
    else
        tg_part_unpack(&s->partner->blocks, first, bytes, place, t->out);
}

/* Put or add the next chunk of pieces in the sender's memory, once it has told where. */
static bool pull_far(const tg_node_pieces *n, tg_stream *s)
{
    const tg_transfer *t = &n->now;
    const tg_chunks *chunks = &t->flow->chunks;
    const char *place = s->told ? NULL : tg_chunk_look(chunks, s->sender, s->first);
    if (place)
        s->buffer = tg_remote_hear(n->node, s->sender, place);
    s->told = s->told || place;
    if (!s->told)
        return false;
    ptrdiff_t first, bytes = chunk_at(s, &first);
    if (s->straight) {
        tg_node_read(n->node, s->sender, &s->source, first, bytes, &s->buffer, &s->partner->blocks,
                     t->out);
    } else {
        put(n, s, first, bytes,
            tg_node_look(n->node, s->sender, &s->source, first, bytes, &s->buffer, n->scratch));
    }
    if (++s->next == s->chunks)
        tg_chunk_drop(chunks, s->sender, s->first);
    return true;
}

/* Put or add the next chunk of a stream, if it is there. */
static bool pull(const tg_node_pieces *n, tg_stream *s)
{
    const tg_chunks *chunks = &n->now.flow->chunks;
    const char *place = tg_chunk_look(chunks, s->sender, s->first + s->next);
    if (!place)
        return false;
    ptrdiff_t first, bytes = chunk_at(s, &first);
    put(n, s, first, bytes, place);
    tg_chunk_drop(chunks, s->sender, s->first + s->next);
    if (++s->next == s->chunks && s->packed)
        add_term(n, s->relay);
    return true;
}

/* One chunk of each stream that has one; where they are added, of the first unfinished stream. */
static bool pull_some(tg_node_pieces *n)
{
    tg_transfer *t = &n->now;
    bool moved = false;
    tg_stream *streams = t->flow->stream[t->to];
    const int nstreams = t->flow->nstreams[t->to];
    for (int i = t->received; i < nstreams; i++) {
        tg_stream *s = &streams[i];
        if (s->next < s->chunks)
            moved = (s->far ? pull_far : pull)(n, s) || moved;
        if (t->add)
            break;
    }
    while (t->received < nstreams && streams[t->received].next == streams[t->received].chunks)
        t->received++;
    return moved;
}

/* A chunk of what this rank gives itself. */
static bool put_own(tg_node_pieces *n)
{
    tg_transfer *t = &n->now;
    const ptrdiff_t left = t->flow->own_bytes - t->own,
                    bytes = left < tg_largest_chunk ? left : tg_largest_chunk;
    if (left == 0)
        return false;
    tg_part_copy(&n->pieces.self[t->from], t->own, bytes, t->in, &n->pieces.self[t->to], t->out);
    t->own += bytes;
    return true;
}

/* ---- running ---- */

/* Has every reader of this rank's memory done so? */
static bool is_read(const tg_node_pieces *n)
{
    const tg_transfer *t = &n->now;
    const tg_stream *streams = t->flow->stream[t->from];
    for (int i = 0; i < t->flow->nstreams[t->from]; i++)
        if (streams[i].far && !tg_chunk_is_read(&t->flow->chunks, streams[i].first))
            return false;
    return true;
}

static void move_in_node(tg_node_pieces *n)
{
    const tg_transfer *t = &n->now;
    const tg_flow *f = t->flow;
    bool left = true;
    for (int idle = 0; left; idle++) {
        bool moved = push(n);
        moved = pull_some(n) || moved;
        if (moved || put_own(n))
            idle = 0;
        left = t->sent < f->nstreams[t->from] || t->received < f->nstreams[t->to] ||
               t->own < f->own_bytes;
        if (left)
            tg_node_wait(n->op, idle);
    }
    for (int idle = 0; !is_read(n); idle++)
        tg_node_wait(n->op, idle);
}

/* In place all that is sent is packed before anything is put. */
static void begin_stream(const tg_node_pieces *n, tg_space space, tg_stream *s)
{
    const tg_transfer *t = &n->now;
    const tg_side *from = &n->pieces.side[t->from];
    s->next = 0;
    s->told = false;
    s->packed = NULL;
    if (s->relay && tg_is_leader(n, s->relay)) {
        s->packed = s->relay->run;
    } else if (space == t->from && tg_packs_first(n, t->to)) {
        s->packed = from->packed + s->partner->offset;
        tg_partner_pack(from, s->partner, t->in);
    }
}

static void begin(tg_op *op, tg_space to, const void *in, void *out, bool halves)
{
    tg_node_pieces *n = op->state;
    tg_flow *f = &n->flow[to];
    n->now = (tg_transfer){.flow = f,
                           .to = to,
                           .from = to == TG_Y ? TG_X : TG_Y,
                           .add = tg_pieces_add(&n->pieces, to),
                           .in = in,
                           .out = out};
    tg_chunks_begin(&f->chunks, halves);
    for (int i = 0; i < n->nrelays; i++)
        begin_relay(n, &n->relays[i]);
    tg_messages_start(op, &n->pieces, to, in, out);
    for (tg_space space = TG_X; space <= TG_Y; space++)
        for (int i = 0; i < f->nstreams[space]; i++)
            begin_stream(n, space, &f->stream[space][i]);
    while ((halves || f->own == TG_OWN_FIRST) && push(n))
        ; /* others begin to read while this rank gives itself what is its own */
    if (f->own == TG_OWN_FIRST)
        tg_pieces_give_self(op, &n->pieces, to, in, out);
    else if (f->own == TG_OWN_BETWEEN && to == TG_X)
        tg_pieces_clear(&n->pieces, out);
}

void tg_start_node(tg_op *op, tg_space to, const void *in, void *out)
{
    begin(op, to, in, out, true);
}

void tg_finish_node(tg_op *op, tg_space to, const void *in, void *out)
{
    tg_node_pieces *n = op->state;
    (void)in;
    tg_chunks_go_on(&n->now.flow->chunks);
    move_in_node(n);
    tg_messages_finish(op, &n->pieces, to, out);
}

void tg_run_node(tg_op *op, tg_space to, const void *in, void *out)
{
    begin(op, to, in, out, false);
    tg_finish_node(op, to, in, out);
}
