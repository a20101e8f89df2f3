/* block.c: boxes as nested loops around contiguous runs, and as MPI types.
 *
 * A box of d axes in a row-major buffer is d loops; axes that are whole merge with their neighbour,
 * so that most boxes are one or two. Channels that lie in blocks of b are cut where either end of a
 * move begins a new block. The cuts repeat after L channels, the larger of the two block sizes: a
 * head up to the first cut, at most three stretches that repeat every L, and a shorter one at the
 * end. */
#include "primitives/block.h"

#include "primitives/count.h"

ptrdiff_t tg_view_bytes(const tg_view *view)
{
    return tg_store_entries(&view->store, &view->box) * view->entry_bytes;
}

/* ---- orders: where channels are cut ---- */

static ptrdiff_t first_channel(const tg_view *view, const tg_box *box)
{
    const int c = TG_CHANNEL_AXIS;
    return view->store.before[c] + box->lo[c] - view->box.lo[c];
}

tg_order tg_order_of(const tg_view *x, const tg_box *box_x, const tg_view *y, const tg_box *box_y)
{
    const tg_view *view[2] = {x, y};
    const tg_box *box[2] = {box_x, box_y};
    tg_order order = {.channels_inside = y->store.block > 0};
    for (int i = 0; i < 2; i++) {
        order.block[i] = view[i]->store.block;
        if (order.block[i] > 0)
            order.phase[i] = first_channel(view[i], box[i]) % order.block[i];
    }
    return order;
}

tg_order tg_order_own(const tg_view *view, const tg_box *box)
{
    return tg_order_of(view, box, view, box);
}

/* Channels from `start` on, counted from the box's first; `repeat` times, `step` apart. */
typedef struct {
    ptrdiff_t start, length, repeat, step;
} stretch;

/* The first cut at or behind a channel. */
static ptrdiff_t next_cut(const tg_order *order, ptrdiff_t channel)
{
    ptrdiff_t nearest = PTRDIFF_MAX;
    for (int i = 0; i < 2; i++) {
        if (order->block[i] == 0)
            continue;
        ptrdiff_t over = (channel + order->phase[i]) % order->block[i];
        ptrdiff_t cut = over == 0 ? channel : channel + order->block[i] - over;
        nearest = cut < nearest ? cut : nearest;
    }
    return nearest;
}

/* Cut so many channels; returns how many stretches, at most TG_MAX_BLOCKS. */
static int cut_channels(const tg_order *order, ptrdiff_t channels, stretch *made)
{
    const ptrdiff_t period = order->block[0] > order->block[1] ? order->block[0] : order->block[1];
    const ptrdiff_t first = next_cut(order, 0);
    int count = 0;
    if (first > 0)
        made[count++] = (stretch){0, first < channels ? first : channels, 1, 0};
    if (first >= channels)
        return count;
    for (ptrdiff_t start = first, end; start < first + period && start < channels; start = end) {
        end = next_cut(order, start + 1);
        end = end < first + period ? end : first + period;
        ptrdiff_t whole = end > channels ? 0 : (channels - end) / period + 1;
        ptrdiff_t rest = start + whole * period;
        if (whole > 0)
            made[count++] = (stretch){start, end - start, whole, period};
        if (rest < channels)
            made[count++] = (stretch){rest, channels - rest, 1, 0};
    }
    return count;
}

/* ---- blocks of a box ---- */

/* Loops of a pair, fastest first. */
typedef struct {
    int loops;
    ptrdiff_t run;
    ptrdiff_t count[TG_MAX_LOOPS];
    ptrdiff_t stride[2][TG_MAX_LOOPS];
} nest;

/* A loop around those so far; merged where both ends lie contiguously. */
static void add_loop(nest *n, ptrdiff_t count, ptrdiff_t stride_a, ptrdiff_t stride_b)
{
    const int last = n->loops - 1;
    if (count == 1)
        return;
    if (n->loops == 0 && stride_a == n->run && stride_b == n->run) {
        n->run *= count;
    } else if (n->loops > 0 && stride_a == n->stride[0][last] * n->count[last] &&
               stride_b == n->stride[1][last] * n->count[last]) {
        n->count[last] *= count;
    } else {
        n->count[n->loops] = count;
        n->stride[0][n->loops] = stride_a;
        n->stride[1][n->loops++] = stride_b;
    }
}

/* Bytes from one place to the next on each axis; on a blocked channel axis from block to block. */
static void find_strides(const tg_view *view, ptrdiff_t stride[TG_MAX_NDIM])
{
    const tg_store *s = &view->store;
    ptrdiff_t step = view->entry_bytes * (s->block > 0 ? s->block : 1);
    for (int a = view->box.ndim - 1; a >= 0; a--) {
        stride[a] = step;
        ptrdiff_t places = s->before[a] + view->box.hi[a] - view->box.lo[a] + s->after[a];
        if (a == TG_CHANNEL_AXIS && s->block > 0)
            places = (places + s->block - 1) / s->block;
        step *= places;
    }
}

/* One end of a move, and how a stretch of its channels lies there. */
typedef struct {
    ptrdiff_t stride[TG_MAX_NDIM];
    ptrdiff_t offset;          /* of the stretch, bytes */
    ptrdiff_t channel, repeat; /* from channel to channel, from repetition to repetition; bytes */
} end;

static end find_end(const tg_view *view, const tg_box *box, const stretch *s)
{
    const int block = view->store.block;
    end e = {.offset = 0};
    find_strides(view, e.stride);
    for (int a = 0; a < box->ndim; a++)
        if (a != TG_CHANNEL_AXIS)
            e.offset += (view->store.before[a] + box->lo[a] - view->box.lo[a]) * e.stride[a];
    if (box->ndim <= TG_CHANNEL_AXIS)
        return e;
    ptrdiff_t stride = e.stride[TG_CHANNEL_AXIS], first = first_channel(view, box) + s->start;
    if (block > 0) {
        e.offset += first / block * stride + first % block * view->entry_bytes;
        e.channel = view->entry_bytes;
        e.repeat = s->step / block * stride;
    } else {
        e.offset += first * stride;
        e.channel = stride;
        e.repeat = s->step * stride;
    }
    return e;
}

static tg_block block_of(const nest *n, const end *e, int side)
{
    tg_block block = {.offset = e->offset, .run_bytes = n->run, .loops = n->loops};
    for (int i = 0; i < n->loops; i++) {
        block.count[i] = n->count[n->loops - 1 - i];
        block.stride[i] = n->stride[side][n->loops - 1 - i];
    }
    return block;
}

int tg_blocks_pair(const tg_view *a, const tg_box *box_a, const tg_view *b, const tg_box *box_b,
                   const tg_order *order, tg_block *blocks_a, tg_block *blocks_b)
{
    const int c = TG_CHANNEL_AXIS;
    const bool has_channels = box_a->ndim > c;
    stretch stretches[TG_MAX_BLOCKS];
    if (tg_box_count(box_a) == 0)
        return 0;
    const int count =
        cut_channels(order, has_channels ? box_a->hi[c] - box_a->lo[c] : 1, stretches);
    for (int i = 0; i < count; i++) {
        const stretch *s = &stretches[i];
        const end ea = find_end(a, box_a, s), eb = find_end(b, box_b, s);
        nest n = {.run = a->entry_bytes};
        if (order->channels_inside && has_channels)
            add_loop(&n, s->length, ea.channel, eb.channel);
        for (int axis = box_a->ndim - 1; axis > c; axis--)
            add_loop(&n, box_a->hi[axis] - box_a->lo[axis], ea.stride[axis], eb.stride[axis]);
        if (!order->channels_inside && has_channels)
            add_loop(&n, s->length, ea.channel, eb.channel);
        if (has_channels)
            add_loop(&n, s->repeat, ea.repeat, eb.repeat);
        add_loop(&n, box_a->hi[0] - box_a->lo[0], ea.stride[0], eb.stride[0]);
        blocks_a[i] = block_of(&n, &ea, 0);
        blocks_b[i] = block_of(&n, &eb, 1);
    }
    return count;
}

int tg_blocks_find(const tg_view *view, const tg_box *box, const tg_order *order, tg_block *blocks)
{
    tg_block same[TG_MAX_BLOCKS];
    return tg_blocks_pair(view, box, view, box, order, blocks, same);
}

ptrdiff_t tg_block_bytes(const tg_block *block)
{
    ptrdiff_t bytes = block->run_bytes;
    for (int i = 0; i < block->loops; i++)
        bytes *= block->count[i];
    return bytes;
}

ptrdiff_t tg_blocks_bytes(const tg_blocks *blocks)
{
    ptrdiff_t bytes = 0;
    for (int i = 0; i < blocks->count; i++)
        bytes += tg_block_bytes(&blocks->block[i]);
    return bytes;
}

bool tg_blocks_contiguous(const tg_blocks *blocks)
{
    return blocks->count == 1 && blocks->block[0].loops == 0;
}

/* ---- MPI types ---- */

/* A type of one block, from its first byte. */
static MPI_Datatype block_type(const tg_block *block, const tg_dtype *dtype)
{
    const ptrdiff_t size = (ptrdiff_t)dtype->size;
    MPI_Datatype type = tg_type_repeat(block->run_bytes / size, size, dtype->mpi());
    for (int loop = block->loops - 1; loop >= 0; loop--) {
        MPI_Datatype inner = type;
        type = tg_type_repeat(block->count[loop], block->stride[loop], inner);
        MPI_Type_free(&inner);
    }
    return type;
}

/* Types of up to so many blocks are joined at a time, so that no memory is asked for. */
enum { JOINED = 64 };

static MPI_Datatype join_types(const tg_block *blocks, int count, const tg_dtype *dtype)
{
    MPI_Datatype part[JOINED], type;
    MPI_Aint place[JOINED];
    int ones[JOINED];
    const int each = (count + JOINED - 1) / JOINED; /* blocks of a part */
    int parts = 0, first = 0;
    do {
        const int here = count - first < each ? count - first : each;
        ones[parts] = 1;
        place[parts] = here == 1 ? blocks[first].offset : 0;
        part[parts] =
            here == 1 ? block_type(&blocks[first], dtype) : join_types(blocks + first, here, dtype);
        first += each;
        parts++;
    } while (first < count);
    MPI_Type_create_struct(parts, ones, place, part, &type);
    while (parts-- > 0)
        MPI_Type_free(&part[parts]);
    return type;
}

MPI_Datatype tg_blocks_type(const tg_blocks *blocks, const tg_dtype *dtype)
{
    MPI_Datatype type = join_types(blocks->block, blocks->count, dtype);
    MPI_Type_commit(&type);
    return type;
}
