/* node_pieces.c: y[held] = x[owned] through shared memory inside a node, by messages between nodes.
 *
 * What a rank sends to others of its node is packed, chunk by chunk, into its ring of shared memory,
 * and they put or add it straight from there: two copies of each byte, of which the second reads
 * what is still in the cache, and none in the MPI library. Pieces that are alike for several
 * readers are packed once. While one chunk is read the next is packed. One round; the bytes of a
 * rank are those of its pieces.
 *
 * cma: a piece of long runs is one chunk that holds an address only, and the receiver copies the
 * piece from the sender's own buffer (node_read.c). The sender leaves when all have done so.
 *
 * Two ranks d = (sender - receiver) mod k apart exchange at step d: senders send by ascending step,
 * and receivers that add take them by ascending step. So sums have one order, and no cycle of ranks
 * waits for each other: of all exchanges that are left the one of the lowest step can go on.
 * Source: Graham and Shipman, "MPI support for multi-core architectures: optimized shared memory
 * collectives", EuroPVM/MPI 2008, for collectives by way of shared buffers. */
#include "primitives/node_pieces.h"

#include "primitives/exchange.h"
#include "primitives/part.h"

#include <string.h>

/* An apply under way. */
typedef struct {
    const tg_op *op;
    const tg_node_pieces *n;
    tg_flow *f;
    tg_space to, from;
    bool add;
    const void *in;
    void *out;
    int sent, received; /* streams that are done, from the first on */
    ptrdiff_t own;      /* bytes of its own pieces that this rank has put */
} transfer;

static ptrdiff_t chunk_at(const tg_stream *s, ptrdiff_t *first)
{
    *first = (ptrdiff_t)s->next * s->chunk;
    return s->bytes - *first < s->chunk ? s->bytes - *first : s->chunk;
}

/* Fill one chunk of what this rank sends. False: all are filled, or there is no place. */
static bool push(transfer *t)
{
    if (t->sent == t->f->nstreams[t->from])
        return false;
    tg_stream *s = &t->f->stream[t->from][t->sent];
    const tg_node *node = t->n->node;
    const char *packed = t->n->pieces.side[t->from].packed;
    const uint64_t number = node->done[node->rank] + s->first + (s->far ? 0 : s->next);
    char *place = tg_chunk_begin(node, number);
    if (!place)
        return false;
    ptrdiff_t first, bytes = chunk_at(s, &first);
    if (s->far) {
        const void *buffer = t->op->in_place ? packed + s->partner->offset : t->in;
        memcpy(place, &buffer, sizeof buffer);
        s->next = s->chunks - 1;
    } else if (t->op->in_place) {
        memcpy(place, packed + s->partner->offset + first, (size_t)bytes);
    } else {
        tg_part_pack(&s->partner->blocks, first, bytes, t->in, place);
    }
    tg_chunk_give(node, number, s->readers);
    if (++s->next == s->chunks)
        t->sent++;
    return true;
}

/* Put this rank's own terms where the first of others' are added to them. */
static void put_under(const transfer *t, const tg_stream *s, ptrdiff_t first, ptrdiff_t bytes)
{
    if (t->f->own == TG_OWN_UNDER && s == t->f->stream[t->to])
        tg_part_copy(&t->n->pieces.self[t->from], first, bytes, t->in, &t->n->pieces.self[t->to],
                     t->out);
}

/* Put or add the next chunk of pieces in the sender's memory, once it has told where. */
static bool pull_far(const transfer *t, tg_stream *s)
{
    const tg_node *node = t->n->node;
    const uint64_t number = node->done[s->sender] + s->first;
    const char *place = s->address ? NULL : tg_chunk_look(node, s->sender, number);
    if (place)
        memcpy(&s->address, place, sizeof s->address);
    if (!s->address)
        return false;
    const tg_blocks *blocks = &s->partner->blocks;
    ptrdiff_t first, bytes = chunk_at(s, &first);
    if (s->straight) {
        tg_node_read(node, s->sender, &s->source, first, bytes, s->address, blocks, first, t->out);
    } else {
        tg_block run = {.run_bytes = bytes};
        const tg_blocks packed = {&run, 1};
        put_under(t, s, first, bytes);
        tg_node_read(node, s->sender, &s->source, first, bytes, s->address, &packed, 0,
                     t->n->scratch);
        if (t->add)
            tg_part_add(blocks, t->op->dtype, first, bytes, t->n->scratch, t->out);
        else
            tg_part_unpack(blocks, first, bytes, t->n->scratch, t->out);
    }
    if (++s->next == s->chunks)
        tg_chunk_drop(node, s->sender, number);
    return true;
}

/* Put or add the next chunk of a stream, if it is there. */
static bool pull(const transfer *t, tg_stream *s)
{
    const tg_node *node = t->n->node;
    const uint64_t number = node->done[s->sender] + s->first + s->next;
    const char *place = tg_chunk_look(node, s->sender, number);
    if (!place)
        return false;
    ptrdiff_t first, bytes = chunk_at(s, &first);
    put_under(t, s, first, bytes);
    if (t->add)
        tg_part_add(&s->partner->blocks, t->op->dtype, first, bytes, place, t->out);
    else
        tg_part_unpack(&s->partner->blocks, first, bytes, place, t->out);
    tg_chunk_drop(node, s->sender, number);
    s->next++;
    return true;
}

/* One chunk of each stream that has one; where they are added, of the first unfinished stream. */
static bool pull_some(transfer *t)
{
    bool moved = false;
    tg_stream *streams = t->f->stream[t->to];
    const int nstreams = t->f->nstreams[t->to];
    for (int i = t->received; i < nstreams; i++) {
        tg_stream *s = &streams[i];
        if (s->next < s->chunks)
            moved = (s->far ? pull_far : pull)(t, s) || moved;
        if (t->add)
            break;
    }
    while (t->received < nstreams && streams[t->received].next == streams[t->received].chunks)
        t->received++;
    return moved;
}

/* A chunk of what this rank gives itself. */
static bool put_own(transfer *t)
{
    const tg_pieces *e = &t->n->pieces;
    const ptrdiff_t left = t->f->own_bytes - t->own,
                    bytes = left < tg_largest_chunk ? left : tg_largest_chunk;
    if (left == 0)
        return false;
    tg_part_copy(&e->self[t->from], t->own, bytes, t->in, &e->self[t->to], t->out);
    t->own += bytes;
    return true;
}

static void begin_stream(tg_stream *s)
{
    s->next = 0;
    s->address = NULL;
}

/* Has every reader of this rank's memory done so? */
static bool is_read(const transfer *t)
{
    const tg_node *node = t->n->node;
    const tg_stream *streams = t->f->stream[t->from];
    for (int i = 0; i < t->f->nstreams[t->from]; i++)
        if (streams[i].far && !tg_chunk_begin(node, node->done[node->rank] + streams[i].first))
            return false;
    return true;
}

static void move_in_node(transfer *t)
{
    const tg_flow *f = t->f;
    bool left = true;
    for (int idle = 0; left; idle++) {
        bool moved = push(t);
        moved = pull_some(t) || moved;
        if (moved || put_own(t))
            idle = 0;
        left = t->sent < f->nstreams[t->from] || t->received < f->nstreams[t->to] ||
               t->own < f->own_bytes;
        if (left)
            tg_node_wait(t->op, idle);
    }
    for (int idle = 0; !is_read(t); idle++)
        tg_node_wait(t->op, idle);
}

void tg_run_node(tg_op *op, tg_space to, const void *in, void *out)
{
    tg_node_pieces *n = op->state;
    transfer t = {.op = op,
                  .n = n,
                  .f = &n->flow[to],
                  .to = to,
                  .from = to == TG_Y ? TG_X : TG_Y,
                  .add = tg_pieces_add(&n->pieces, to),
                  .in = in,
                  .out = out};
    for (tg_space space = TG_X; space <= TG_Y; space++)
        for (int i = 0; i < t.f->nstreams[space]; i++)
            begin_stream(&t.f->stream[space][i]);
    tg_messages_start(op, &n->pieces, to, in, out);
    for (int i = 0; op->in_place && i < t.f->nstreams[t.from]; i++)
        tg_partner_pack(&n->pieces.side[t.from], t.f->stream[t.from][i].partner, in);
    if (t.f->own == TG_OWN_FIRST) {
        while (push(&t))
            ; /* others begin to read while this rank gives itself what is its own */
        tg_pieces_give_self(op, &n->pieces, to, in, out);
    } else if (t.f->own == TG_OWN_BETWEEN && to == TG_X) {
        tg_pieces_clear(&n->pieces, out);
    }
    move_in_node(&t);
    for (int i = 0; i < n->node->size; i++)
        n->node->done[i] += t.f->fills[i];
    tg_messages_finish(op, &n->pieces, to, out);
}
