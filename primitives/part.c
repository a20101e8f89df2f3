/* part.c: a stretch of packed bytes as smaller blocks.
 *
 * The bytes of one step of a block's slowest loop are a block with a loop less. A stretch is the end
 * of one step, some whole steps, and the beginning of one: at most 2 d + 1 blocks of d loops. */
#include "primitives/part.h"

#include <string.h>

/* What is done with each block of the stretch, or with each two of a pair. */
typedef struct mover mover;
struct mover {
    void (*move)(mover *self, const tg_blocks *blocks, const tg_blocks *to);
    const tg_dtype *dtype;
    const char *from; /* packed, or the buffer */
    char *to;
    ptrdiff_t from_step, to_step; /* 1 for the packed one, which moves on */
    struct iovec *next, *end;     /* runs to be listed */
};

/* A block, or two of the same runs and loops. */
typedef struct {
    tg_block block, to;
} pair;

static void move_whole(mover *m, pair p, ptrdiff_t bytes)
{
    const tg_blocks block = {&p.block, 1}, to = {&p.to, 1};
    m->move(m, &block, &to);
    m->from += m->from_step * bytes;
    m->to += m->to_step * bytes;
}

static ptrdiff_t bytes_of(const tg_block *block)
{
    const tg_blocks one = {(tg_block *)(uintptr_t)block, 1};
    return tg_blocks_bytes(&one);
}

/* A step of the slowest loop. */
static void enter_block(tg_block *block, ptrdiff_t step)
{
    block->offset += step * block->stride[0];
    block->loops--;
    memmove(block->count, block->count + 1, (size_t)block->loops * sizeof *block->count);
    memmove(block->stride, block->stride + 1, (size_t)block->loops * sizeof *block->stride);
}

static pair step_of(pair p, ptrdiff_t step)
{
    enter_block(&p.block, step);
    enter_block(&p.to, step);
    return p;
}

/* Some steps of the slowest loop. */
static pair steps_of(pair p, ptrdiff_t first, ptrdiff_t count)
{
    p.block.offset += first * p.block.stride[0];
    p.to.offset += first * p.to.stride[0];
    p.block.count[0] = p.to.count[0] = count;
    return p;
}

/* Bytes of one run. */
static pair run_of(pair p, ptrdiff_t lo, ptrdiff_t hi)
{
    p.block.offset += lo;
    p.to.offset += lo;
    p.block.run_bytes = p.to.run_bytes = hi - lo;
    return p;
}

/* Packed bytes [lo, hi) of a block, lo < hi. */
static void move_stretch(mover *m, pair p, ptrdiff_t lo, ptrdiff_t hi)
{
    ptrdiff_t bytes = bytes_of(&p.block);
    while ((lo > 0 || hi < bytes) && p.block.loops > 0) {
        const ptrdiff_t each = bytes / p.block.count[0];
        const ptrdiff_t head = (lo + each - 1) / each, tail = hi / each; /* whole steps between */
        if (lo < head * each && head <= tail)
            move_stretch(m, step_of(p, head - 1), lo - (head - 1) * each, each);
        if (head < tail)
            move_whole(m, steps_of(p, head, tail - head), (tail - head) * each);
        if (tail * each == hi)
            return;
        p = step_of(p, tail); /* the rest is inside one step */
        lo = head <= tail ? 0 : lo - tail * each;
        hi -= tail * each;
        bytes = each;
    }
    move_whole(m, p.block.loops > 0 ? p : run_of(p, lo, hi), hi - lo);
}

/* `to` is NULL but for a pair. */
static void move_part(mover *m, const tg_blocks *blocks, const tg_blocks *to, ptrdiff_t first,
                      ptrdiff_t bytes)
{
    ptrdiff_t lo = first, hi = first + bytes;
    for (int i = 0; hi > lo && i < blocks->count; i++) {
        const ptrdiff_t here = bytes_of(&blocks->block[i]);
        const pair p = {blocks->block[i], to ? to->block[i] : blocks->block[i]};
        if (lo < here)
            move_stretch(m, p, lo, hi < here ? hi : here);
        lo = lo > here ? lo - here : 0;
        hi -= here;
    }
}

static void pack(mover *m, const tg_blocks *blocks, const tg_blocks *to)
{
    (void)to;
    tg_blocks_pack(blocks, m->from, m->to);
}

static void unpack(mover *m, const tg_blocks *blocks, const tg_blocks *to)
{
    (void)to;
    tg_blocks_unpack(blocks, m->from, m->to);
}

static void add(mover *m, const tg_blocks *blocks, const tg_blocks *to)
{
    (void)to;
    tg_blocks_add(blocks, m->dtype, m->from, m->to);
}

static void copy(mover *m, const tg_blocks *blocks, const tg_blocks *to)
{
    tg_blocks_copy(blocks, m->from, to, m->to);
}

void tg_part_pack(const tg_blocks *blocks, ptrdiff_t first, ptrdiff_t bytes, const void *buffer,
                  void *packed)
{
    mover m = {.move = pack, .from = buffer, .to = packed, .to_step = 1};
    move_part(&m, blocks, NULL, first, bytes);
}

void tg_part_unpack(const tg_blocks *blocks, ptrdiff_t first, ptrdiff_t bytes, const void *packed,
                    void *buffer)
{
    mover m = {.move = unpack, .from = packed, .to = buffer, .from_step = 1};
    move_part(&m, blocks, NULL, first, bytes);
}

void tg_part_add(const tg_blocks *blocks, const tg_dtype *dtype, ptrdiff_t first, ptrdiff_t bytes,
                 const void *packed, void *buffer)
{
    mover m = {.move = add, .dtype = dtype, .from = packed, .to = buffer, .from_step = 1};
    move_part(&m, blocks, NULL, first, bytes);
}

void tg_part_copy(const tg_blocks *from, ptrdiff_t first, ptrdiff_t bytes, const void *source,
                  const tg_blocks *to, void *target)
{
    mover m = {.move = copy, .from = source, .to = target};
    move_part(&m, from, to, first, bytes);
}

static void list_runs(mover *m, const tg_blocks *blocks, const tg_blocks *to)
{
    const tg_block *b = blocks->block;
    ptrdiff_t index[TG_MAX_LOOPS] = {0}, offset = b->offset;
    int loop = 0;
    (void)to;
    while (loop >= 0 && m->next < m->end) {
        *m->next++ = (struct iovec){(char *)(uintptr_t)m->from + offset, (size_t)b->run_bytes};
        for (loop = b->loops - 1; loop >= 0; loop--) {
            offset += b->stride[loop];
            if (++index[loop] < b->count[loop])
                break;
            offset -= b->stride[loop] * b->count[loop];
            index[loop] = 0;
        }
    }
}

int tg_part_runs(const tg_blocks *blocks, ptrdiff_t first, ptrdiff_t bytes, const void *buffer,
                 struct iovec *runs, int most)
{
    mover m = {.move = list_runs, .from = buffer, .next = runs, .end = runs + most};
    move_part(&m, blocks, NULL, first, bytes);
    return (int)(m.next - runs);
}

ptrdiff_t tg_blocks_shortest(const tg_blocks *blocks)
{
    ptrdiff_t shortest = PTRDIFF_MAX;
    for (int i = 0; i < blocks->count; i++)
        if (blocks->block[i].run_bytes < shortest)
            shortest = blocks->block[i].run_bytes;
    return shortest;
}

static bool same_block(const tg_block *a, const tg_block *b)
{
    const size_t loops = (size_t)a->loops;
    return a->offset == b->offset && a->run_bytes == b->run_bytes && a->loops == b->loops &&
           memcmp(a->count, b->count, loops * sizeof *a->count) == 0 &&
           memcmp(a->stride, b->stride, loops * sizeof *a->stride) == 0;
}

bool tg_blocks_equal(const tg_blocks *a, const tg_blocks *b)
{
    bool equal = a->count == b->count;
    for (int i = 0; equal && i < a->count; i++)
        equal = same_block(&a->block[i], &b->block[i]);
    return equal;
}
