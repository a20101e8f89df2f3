/* node_sum.c: all_sum_reduce through shared memory inside a node, by MPI_Allreduce between nodes.
 *
 * The ranks of a node that hold copies of one part are its members. The part is dealt out among them
 * in s shares. Each member packs its terms of the others' shares into its ring; the owner of a share
 * adds them to its own, chunk by chunk, and gives the sum of a chunk to all while the next one is
 * added. Two rounds; k members each write and read 2 (k - 1) / k of the part. Between nodes each
 * share is one MPI_Allreduce among its owners, one a node, after it has been added inside the
 * nodes; s is then the least number of members in any node.
 *
 * A small part is not dealt out: each member gives all its terms to all, who add them in the order
 * of the members. One round.
 *
 * The chunks of a member: row c holds a chunk for each other share, by ascending step (m - owner)
 * mod k, then the sum of chunk c - lag of its own share. Owners add by ascending step too: of all
 * chunks that are left the one of the lowest row and step can go on, so nobody waits in a cycle.
 * Source: Rabenseifner, "Optimization of collective reduction operations", ICCS 2004: reduce-scatter
 * and all-gather. */
#include "primitives/node_sum.h"

#include "primitives/count.h"
#include "primitives/part.h"

#include <string.h>

/* ---- chunks and their numbers ---- */

/* Packed bytes [*first, *first + returned) of the part: chunk `row` of a share. */
static ptrdiff_t chunk_of(const tg_op *op, const tg_node_sum *n, int share, int64_t row,
                          ptrdiff_t *first)
{
    const ptrdiff_t size = (ptrdiff_t)op->dtype->size;
    const ptrdiff_t end = size * tg_split_start(n->entries, n->shares, share + 1);
    *first = size * tg_split_start(n->entries, n->shares, share) + (ptrdiff_t)row * n->chunk;
    if (*first >= end)
        return 0; /* shares differ by an entry: the last chunk may be empty */
    return end - *first < n->chunk ? end - *first : n->chunk;
}

/* Which of a member's chunks has its terms for this rank; its sums. */
static uint64_t chunk_of_terms(const tg_node_sum *n, const tg_sharer *m, int64_t row)
{
    const int64_t sums = m->owns && row > n->lag ? row - n->lag : 0;
    return (uint64_t)(row * m->terms + m->place + sums);
}

static uint64_t chunk_of_sum(const tg_node_sum *n, const tg_sharer *m, int64_t row)
{
    const int64_t rows = row + n->lag + 1 < n->rows ? row + n->lag + 1 : n->rows;
    return (uint64_t)(rows * m->terms + row);
}

/* ---- running ---- */

static bool fill(const tg_node_sum *n, tg_sum_progress *p, const tg_blocks *blocks,
                 const void *buffer, ptrdiff_t first, ptrdiff_t bytes, int readers)
{
    char *place = tg_chunk_begin(&n->chunks, p->chunk);
    if (!place)
        return false;
    tg_part_pack(blocks, first, bytes, buffer, place);
    tg_chunk_give(&n->chunks, p->chunk++, readers);
    return true;
}

/* The next chunk of this rank, if there is a place for it and it is a sum already. */
static bool push(const tg_op *op, const tg_node_sum *n, tg_sum_progress *p)
{
    ptrdiff_t first;
    if (p->row == n->rows + n->lag)
        return false;
    if (p->row < n->rows && p->step < n->members) {
        const int owner = (n->mine - p->step + n->members) % n->members;
        if (n->member[owner].owns) {
            const ptrdiff_t bytes = chunk_of(op, n, owner, p->row, &first);
            if (!fill(n, p, p->from, p->in, first, bytes, 1))
                return false;
        }
        p->step++;
        return true;
    }
    const int64_t sum = p->row - n->lag;
    if (n->member[n->mine].owns && sum >= 0) {
        const ptrdiff_t bytes = chunk_of(op, n, n->mine, sum, &first);
        if (sum >= p->final || !fill(n, p, p->to, p->out, first, bytes, n->members - 1))
            return false;
    }
    p->row++;
    p->step = 1;
    return true;
}

/* The terms of the next member, this rank's own first, go to the sum of the next chunk. */
static bool add(const tg_op *op, const tg_node_sum *n, tg_sum_progress *p)
{
    if (!n->member[n->mine].owns || p->added == n->rows)
        return false;
    ptrdiff_t first, bytes = chunk_of(op, n, n->mine, p->added, &first);
    if (p->adds == 0) {
        if (!op->in_place)
            tg_part_copy(p->from, first, bytes, p->in, p->to, p->out);
    } else {
        const tg_sharer *m = &n->member[(n->mine + p->adds) % n->members];
        const uint64_t chunk = chunk_of_terms(n, m, p->added);
        const char *place = tg_chunk_look(&n->chunks, m->index, chunk);
        if (!place)
            return false;
        tg_part_add(p->to, op->dtype, first, bytes, place, p->out);
        tg_chunk_drop(&n->chunks, m->index, chunk);
    }
    if (++p->adds == n->members) {
        p->adds = 0;
        p->added++;
    }
    return true;
}

/* The sums of the nodes become the sum of all. It waits for other nodes, so this rank must have given all
 * its terms before: the owners there may wait for those of their own node, which wait for ours. */
static void add_nodes(const tg_op *op, const tg_node_sum *n, const tg_sum_progress *p)
{
    const ptrdiff_t size = (ptrdiff_t)op->dtype->size;
    const ptrdiff_t begin = tg_split_start(n->entries, n->shares, n->mine),
                    count = tg_split_start(n->entries, n->shares, n->mine + 1) - begin;
    const bool direct = tg_blocks_contiguous(p->to);
    char *const sum = direct ? (char *)p->out + p->to->block->offset + begin * size : n->packed;
    if (!direct)
        tg_part_pack(p->to, begin * size, count * size, p->out, sum);
    tg_allreduce(MPI_IN_PLACE, sum, count, op->dtype, n->between);
    if (!direct)
        tg_part_unpack(p->to, begin * size, count * size, sum, p->out);
}

/* One chunk of each owner whose sum is there; *left: chunks that are still to be read. */
static bool read_sums(const tg_op *op, tg_node_sum *n, const tg_sum_progress *p, int64_t *left)
{
    bool moved = false;
    for (int i = 0; i < n->shares; i++) {
        tg_sharer *m = &n->member[i];
        if (i == n->mine || m->had == n->rows)
            continue;
        const uint64_t chunk = chunk_of_sum(n, m, m->had);
        const char *place = tg_chunk_look(&n->chunks, m->index, chunk);
        if (!place)
            continue;
        ptrdiff_t first, bytes = chunk_of(op, n, i, m->had, &first);
        tg_part_unpack(p->to, first, bytes, place, p->out);
        tg_chunk_drop(&n->chunks, m->index, chunk);
        m->had++;
        --*left;
        moved = true;
    }
    return moved;
}

static void begin_dealt(const tg_op *op, tg_node_sum *n, tg_sum_progress *p)
{
    for (int i = 0; i < n->members; i++)
        n->member[i].had = 0;
    while (n->chunks.halves && push(op, n, p))
        ;
}

static void end_dealt(const tg_op *op, tg_node_sum *n, tg_sum_progress *p)
{
    const bool owns = n->member[n->mine].owns;
    int64_t left = n->rows * (n->shares - (owns ? 1 : 0));
    for (int idle = 0; left > 0 || p->row < n->rows + n->lag || (owns && p->added < n->rows);
         idle++) {
        bool moved = push(op, n, p);
        moved = add(op, n, p) || moved;
        if (n->between == MPI_COMM_NULL) {
            p->final = p->added;
        } else if (p->added == n->rows && p->row >= n->rows && p->final == 0) {
            add_nodes(op, n, p);
            p->final = n->rows;
        }
        if (read_sums(op, n, p, &left) || moved)
            idle = 0;
        tg_node_wait(op, idle);
    }
}

/* Every member has one chunk. */
static void begin_direct(const tg_op *op, tg_node_sum *n, tg_sum_progress *p)
{
    const ptrdiff_t bytes = n->entries * (ptrdiff_t)op->dtype->size;
    if (p->chunk == 0)
        fill(n, p, p->from, p->in, 0, bytes, n->members - 1);
}

/* This rank reads its own chunk too: in place it may have been overwritten. */
static void end_direct(const tg_op *op, tg_node_sum *n, tg_sum_progress *p)
{
    for (int idle = 0; p->chunk == 0; idle++) {
        begin_direct(op, n, p);
        tg_node_wait(op, idle);
    }
    for (int i = 0; i < n->members; i++) {
        const tg_sharer *m = &n->member[i];
        const char *place;
        for (int idle = 0; (place = tg_chunk_look(&n->chunks, m->index, 0)) == NULL; idle++)
            tg_node_wait(op, idle);
        if (i == 0)
            tg_blocks_unpack(p->to, place, p->out);
        else
            tg_blocks_add(p->to, op->dtype, place, p->out);
        if (i != n->mine)
            tg_chunk_drop(&n->chunks, m->index, 0);
    }
}

/* Wait for a chunk that tells of a member's buffer. */
static tg_remote buffer_of(const tg_op *op, const tg_node_sum *n, const tg_sharer *m,
                           uint64_t chunk)
{
    const char *place;
    for (int idle = 0; (place = tg_chunk_look(&n->chunks, m->index, chunk)) == NULL; idle++)
        tg_node_wait(op, idle);
    return tg_remote_hear(n->node, m->index, place);
}

/* Tell `readers` of a buffer of this rank, in its next chunk, if there is a place for it. */
static bool tell_buffer(const tg_node_sum *n, tg_sum_progress *p, const void *buffer, int readers)
{
    char *place = tg_chunk_begin(&n->chunks, p->chunk);
    if (!place)
        return false;
    tg_remote_tell(buffer, place);
    tg_chunk_give(&n->chunks, p->chunk++, readers);
    return true;
}

/* The first chunk of each member tells of its terms. */
static void begin_reading(const tg_op *op, tg_node_sum *n, tg_sum_progress *p)
{
    (void)op;
    if (p->chunk == 0)
        tell_buffer(n, p, p->in, n->shares - (n->member[n->mine].owns ? 1 : 0));
}

/* This rank's share is added from the members' memory, through the scratch. */
static void read_terms(const tg_op *op, const tg_node_sum *n, const tg_sum_progress *p)
{
    for (int64_t row = 0; row < n->rows; row++) {
        ptrdiff_t first, bytes = chunk_of(op, n, n->mine, row, &first);
        if (!op->in_place)
            tg_part_copy(p->from, first, bytes, p->in, p->to, p->out);
        for (int step = 1; step < n->members; step++) {
            const tg_sharer *m = &n->member[(n->mine + step) % n->members];
            const tg_remote in = buffer_of(op, n, m, 0);
            tg_part_add(p->to, op->dtype, first, bytes,
                        tg_node_look(n->node, m->index, p->from, first, bytes, &in, n->scratch),
                        p->out);
        }
    }
    for (int i = 0; i < n->members; i++)
        if (i != n->mine)
            tg_chunk_drop(&n->chunks, n->member[i].index, 0);
}

/* The second chunk of an owner tells of its sums. A buffer is left when all have read
 * it. */
static void end_reading(const tg_op *op, tg_node_sum *n, tg_sum_progress *p)
{
    const ptrdiff_t size = (ptrdiff_t)op->dtype->size;
    for (int idle = 0; p->chunk == 0; idle++) {
        begin_reading(op, n, p);
        tg_node_wait(op, idle);
    }
    if (n->member[n->mine].owns) {
        read_terms(op, n, p);
        if (n->between != MPI_COMM_NULL)
            add_nodes(op, n, p);
        for (int idle = 0; !tell_buffer(n, p, p->out, n->members - 1); idle++)
            tg_node_wait(op, idle);
    }
    for (int step = 1; step < n->members; step++) {
        const int i = (n->mine + step) % n->members;
        const tg_sharer *m = &n->member[i];
        if (!m->owns)
            continue;
        const ptrdiff_t first = size * tg_split_start(n->entries, n->shares, i),
                        end = size * tg_split_start(n->entries, n->shares, i + 1);
        const tg_remote sums = buffer_of(op, n, m, 1);
        tg_node_read(n->node, m->index, p->to, first, end - first, &sums, p->to, p->out);
        tg_chunk_drop(&n->chunks, m->index, 1);
    }
    for (uint64_t chunk = 0; chunk < p->chunk; chunk++)
        for (int idle = 0; !tg_chunk_is_read(&n->chunks, chunk); idle++)
            tg_node_wait(op, idle);
}

/* No other member in the node. */
static void begin_alone(const tg_op *op, tg_node_sum *n, tg_sum_progress *p)
{
    (void)n;
    if (!op->in_place)
        tg_blocks_copy(p->from, p->in, p->to, p->out);
}

static void end_alone(const tg_op *op, tg_node_sum *n, tg_sum_progress *p)
{
    if (n->between != MPI_COMM_NULL)
        add_nodes(op, n, p);
}

/* ---- halves ---- */

typedef struct {
    void (*begin)(const tg_op *op, tg_node_sum *n, tg_sum_progress *p); /* waits for nobody */
    void (*end)(const tg_op *op, tg_node_sum *n, tg_sum_progress *p);
} way;

/* How this rank takes part; NULL: it has no part. */
static const way *way_of(const tg_node_sum *n)
{
    static const way alone = {begin_alone, end_alone}, direct = {begin_direct, end_direct},
                     reading = {begin_reading, end_reading}, dealt = {begin_dealt, end_dealt};
    return n->entries == 0   ? NULL
           : n->members == 1 ? &alone
           : n->direct       ? &direct
           : n->reads        ? &reading
                             : &dealt;
}

static void begin(tg_op *op, tg_space to, const void *in, void *out, bool halves)
{
    tg_node_sum *n = op->state;
    const tg_space from = to == TG_Y ? TG_X : TG_Y; /* its own adjoint */
    n->now = (tg_sum_progress){
        .in = in, .out = out, .from = &n->part[from], .to = &n->part[to], .step = 1};
    tg_chunks_begin(&n->chunks, halves);
    if (way_of(n))
        way_of(n)->begin(op, n, &n->now);
}

void tg_start_node_sum(tg_op *op, tg_space to, const void *in, void *out)
{
    begin(op, to, in, out, true);
}

void tg_finish_node_sum(tg_op *op, tg_space to, const void *in, void *out)
{
    tg_node_sum *n = op->state;
    (void)to, (void)in, (void)out;
    tg_chunks_go_on(&n->chunks);
    if (way_of(n))
        way_of(n)->end(op, n, &n->now);
}

void tg_run_node_sum(tg_op *op, tg_space to, const void *in, void *out)
{
    begin(op, to, in, out, false);
    tg_finish_node_sum(op, to, in, out);
}
