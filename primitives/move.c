/* move.c: the bytes of blocks: packing, unpacking, copying, adding, clearing.
 *
 * Two blocks of the same runs and loops are walked together. Runs of one or two entries along more
 * than one loop, as in a transpose or between rows and blocks of channels, are walked in square
 * tiles, so that each cache line is read and written once. */
#include "primitives/block.h"

#include <string.h>

/* ---- a row: `count` runs of `bytes`, from and to with strides of their own ---- */

typedef void row_move(const tg_dtype *dtype, char *to, ptrdiff_t to_stride, const char *from,
                      ptrdiff_t from_stride, ptrdiff_t bytes, ptrdiff_t count);

/* With a constant number of bytes the compiler moves registers. */
static inline __attribute__((always_inline)) void copy_runs(char *to, ptrdiff_t to_stride,
                                                            const char *from, ptrdiff_t from_stride,
                                                            size_t bytes, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i++)
        memcpy(to + i * to_stride, from + i * from_stride, bytes);
}

static void copy_row(const tg_dtype *dtype, char *to, ptrdiff_t to_stride, const char *from,
                     ptrdiff_t from_stride, ptrdiff_t bytes, ptrdiff_t count)
{
    (void)dtype;
    switch (bytes) {
    case 2:
        copy_runs(to, to_stride, from, from_stride, 2, count);
        return;
    case 4:
        copy_runs(to, to_stride, from, from_stride, 4, count);
        return;
    case 8:
        copy_runs(to, to_stride, from, from_stride, 8, count);
        return;
    case 16:
        copy_runs(to, to_stride, from, from_stride, 16, count);
        return;
    case 32:
        copy_runs(to, to_stride, from, from_stride, 32, count);
        return;
    case 64:
        copy_runs(to, to_stride, from, from_stride, 64, count);
        return;
    default:
        copy_runs(to, to_stride, from, from_stride, (size_t)bytes, count);
    }
}

/* Short runs are brought together before they are added, and put back after it: a call of the
 * type's addition for each would cost more than the numbers. */
enum { GATHERED_BYTES = 2048, SHORT_RUN = 64 };

static void add_row(const tg_dtype *dtype, char *to, ptrdiff_t to_stride, const char *from,
                    ptrdiff_t from_stride, ptrdiff_t bytes, ptrdiff_t count)
{
    _Alignas(64) char sum[GATHERED_BYTES], term[GATHERED_BYTES];
    const ptrdiff_t size = (ptrdiff_t)dtype->size;
    if (bytes > SHORT_RUN || count == 1) {
        for (ptrdiff_t i = 0; i < count; i++)
            dtype->add(to + i * to_stride, from + i * from_stride, bytes / size);
        return;
    }
    const ptrdiff_t most = GATHERED_BYTES / bytes;
    for (ptrdiff_t first = 0; first < count; first += most) {
        const ptrdiff_t here = count - first < most ? count - first : most;
        copy_row(NULL, sum, bytes, to + first * to_stride, to_stride, bytes, here);
        copy_row(NULL, term, bytes, from + first * from_stride, from_stride, bytes, here);
        dtype->add(sum, term, here * bytes / size);
        copy_row(NULL, to + first * to_stride, to_stride, sum, bytes, bytes, here);
    }
}

static void clear_row(const tg_dtype *dtype, char *to, ptrdiff_t to_stride, const char *from,
                      ptrdiff_t from_stride, ptrdiff_t bytes, ptrdiff_t count)
{
    (void)dtype, (void)from, (void)from_stride;
    for (ptrdiff_t i = 0; i < count; i++)
        memset(to + i * to_stride, 0, (size_t)bytes);
}

/* ---- walking ---- */

/* The loops of two blocks, slowest first. */
typedef struct {
    int loops;
    bool tiled; /* the last two together */
    ptrdiff_t run_bytes;
    ptrdiff_t count[TG_MAX_LOOPS], to[TG_MAX_LOOPS], from[TG_MAX_LOOPS];
} walk_loops;

enum { TILE = 32, TILED_RUN = 8 };

static int smallest(const ptrdiff_t *stride, int loops)
{
    int best = 0;
    for (int i = 1; i < loops; i++)
        if (stride[i] <= stride[best])
            best = i;
    return best;
}

/* Moves loop i to place j behind it. */
static void move_loop(ptrdiff_t *values, int i, int j)
{
    const ptrdiff_t value = values[i];
    memmove(values + i, values + i + 1, (size_t)(j - i) * sizeof *values);
    values[j] = value;
}

static void put_last(walk_loops *w, int loop)
{
    move_loop(w->count, loop, w->loops - 1);
    move_loop(w->to, loop, w->loops - 1);
    move_loop(w->from, loop, w->loops - 1);
}

/* Short runs: the loop along which the source is dense and the one along which the target is are the
 * last two, the longer one last. */
static void tile_loops(walk_loops *w)
{
    put_last(w, smallest(w->from, w->loops));
    const int dense_target = smallest(w->to, w->loops), last = w->loops - 1;
    w->tiled = dense_target != last;
    if (!w->tiled)
        return;
    put_last(w, dense_target);
    if (w->count[last] < w->count[last - 1] && w->count[last] < TILE)
        put_last(w, last - 1);
}

static walk_loops loops_of(const tg_block *to, const tg_block *from)
{
    walk_loops w = {.loops = to->loops, .run_bytes = to->run_bytes};
    memcpy(w.count, to->count, (size_t)w.loops * sizeof *w.count);
    memcpy(w.to, to->stride, (size_t)w.loops * sizeof *w.to);
    memcpy(w.from, from->stride, (size_t)w.loops * sizeof *w.from);
    if (w.loops > 1 && w.run_bytes <= TILED_RUN)
        tile_loops(&w);
    return w;
}

static void move_tiles(const walk_loops *w, char *to, const char *from, row_move *move,
                       const tg_dtype *dtype)
{
    const int inner = w->loops - 1, outer = inner - 1;
    for (ptrdiff_t j0 = 0; j0 < w->count[outer]; j0 += TILE)
        for (ptrdiff_t i0 = 0; i0 < w->count[inner]; i0 += TILE) {
            const ptrdiff_t left = w->count[inner] - i0, end = j0 + TILE;
            for (ptrdiff_t j = j0; j < end && j < w->count[outer]; j++)
                move(dtype, to + j * w->to[outer] + i0 * w->to[inner], w->to[inner],
                     from + j * w->from[outer] + i0 * w->from[inner], w->from[inner], w->run_bytes,
                     left < TILE ? left : TILE);
        }
}

static void walk(const tg_block *to_block, char *to, const tg_block *from_block, const char *from,
                 row_move *move, const tg_dtype *dtype)
{
    to += to_block->offset;
    from += from_block->offset;
    if (to_block->loops == 0) {
        move(dtype, to, 0, from, 0, to_block->run_bytes, 1);
        return;
    }
    const walk_loops w = loops_of(to_block, from_block);
    const int inner = w.loops - 1;
    ptrdiff_t index[TG_MAX_LOOPS] = {0};
    for (;;) {
        if (w.tiled)
            move_tiles(&w, to, from, move, dtype);
        else
            move(dtype, to, w.to[inner], from, w.from[inner], w.run_bytes, w.count[inner]);
        int loop = inner - (w.tiled ? 2 : 1);
        for (; loop >= 0; loop--) {
            to += w.to[loop];
            from += w.from[loop];
            if (++index[loop] < w.count[loop])
                break;
            to -= w.to[loop] * w.count[loop];
            from -= w.from[loop] * w.count[loop];
            index[loop] = 0;
        }
        if (loop < 0)
            return;
    }
}

/* Who listens hears of every block. */
static void move_block(const tg_block *to_block, char *to, const tg_block *from_block,
                       const char *from, row_move *move, const tg_dtype *dtype)
{
    tg_begin(TG_PACKS, MPI_COMM_NULL);
    walk(to_block, to, from_block, from, move, dtype);
    tg_end(TG_PACKS);
}

/* The same runs and loops, packed without gaps, from the buffer's start. */
static tg_block packed_like(const tg_block *block)
{
    tg_block packed = *block;
    packed.offset = 0;
    ptrdiff_t stride = block->run_bytes;
    for (int i = block->loops - 1; i >= 0; i--) {
        packed.stride[i] = stride;
        stride *= block->count[i];
    }
    return packed;
}

void tg_blocks_pack(const tg_blocks *blocks, const void *buffer, void *packed)
{
    char *to = packed;
    for (const tg_block *b = blocks->block; b < blocks->block + blocks->count; b++) {
        tg_block target = packed_like(b);
        move_block(&target, to, b, buffer, copy_row, NULL);
        to += tg_block_bytes(b);
    }
}

static void from_packed(const tg_blocks *blocks, const char *packed, void *buffer, row_move *move,
                        const tg_dtype *dtype)
{
    for (const tg_block *b = blocks->block; b < blocks->block + blocks->count; b++) {
        tg_block source = packed_like(b);
        move_block(b, buffer, &source, packed, move, dtype);
        packed += tg_block_bytes(b);
    }
}

void tg_blocks_unpack(const tg_blocks *blocks, const void *packed, void *buffer)
{
    from_packed(blocks, packed, buffer, copy_row, NULL);
}

void tg_blocks_add(const tg_blocks *blocks, const tg_dtype *dtype, const void *packed, void *buffer)
{
    from_packed(blocks, packed, buffer, add_row, dtype);
}

void tg_blocks_copy(const tg_blocks *from, const void *source, const tg_blocks *to, void *target)
{
    for (int i = 0; i < to->count; i++)
        move_block(&to->block[i], target, &from->block[i], source, copy_row, NULL);
}

void tg_blocks_add_blocks(const tg_blocks *from, const void *source, const tg_blocks *to,
                          void *target, const tg_dtype *dtype)
{
    for (int i = 0; i < to->count; i++)
        move_block(&to->block[i], target, &from->block[i], source, add_row, dtype);
}

void tg_blocks_clear(const tg_blocks *blocks, void *buffer)
{
    for (int i = 0; i < blocks->count; i++)
        move_block(&blocks->block[i], buffer, &blocks->block[i], buffer, clear_row, NULL);
}
