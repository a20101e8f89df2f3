/* block.c: strided boxes: packing, adding, clearing.
 *
 * A box of d axes inside a row-major buffer is d nested loops around contiguous runs; axes that
 * are whole merge with their neighbour, so that most boxes are one or two loops. */
#include "primitives/block.h"

#include "primitives/count.h"

#include <string.h>

void tg_block_pair(const tg_box *around_a, const tg_box *a, const tg_box *around_b, const tg_box *b,
                   size_t entry_size, tg_block *block_a, tg_block *block_b)
{
    *block_a = *block_b = (tg_block){.run_bytes = 0};
    if (tg_box_count(a) == 0)
        return;
    ptrdiff_t run = (ptrdiff_t)entry_size;
    ptrdiff_t step_a = run, step_b = run; /* bytes between neighbours along the axis at hand */
    ptrdiff_t count[TG_MAX_NDIM], stride_a[TG_MAX_NDIM],
        stride_b[TG_MAX_NDIM]; /* loops, fastest first */
    int loops = 0;
    for (int axis = a->ndim - 1; axis >= 0; axis--) {
        ptrdiff_t length = a->hi[axis] - a->lo[axis];
        int last = loops - 1;
        block_a->offset += (a->lo[axis] - around_a->lo[axis]) * step_a;
        block_b->offset += (b->lo[axis] - around_b->lo[axis]) * step_b;
        if (length > 1 && loops == 0 && step_a == run && step_b == run) {
            run *= length;
        } else if (length > 1 && loops > 0 && step_a == stride_a[last] * count[last] &&
                   step_b == stride_b[last] * count[last]) {
            count[last] *= length;
        } else if (length > 1) {
            count[loops] = length;
            stride_a[loops] = step_a;
            stride_b[loops++] = step_b;
        }
        step_a *= around_a->hi[axis] - around_a->lo[axis];
        step_b *= around_b->hi[axis] - around_b->lo[axis];
    }
    block_a->loops = block_b->loops = loops;
    block_a->run_bytes = block_b->run_bytes = run;
    for (int i = 0; i < loops; i++) {
        int from = loops - 1 - i;
        block_a->count[i] = block_b->count[i] = count[from];
        block_a->stride[i] = stride_a[from];
        block_b->stride[i] = stride_b[from];
    }
}

tg_block tg_block_of(const tg_box *around, const tg_box *box, size_t entry_size)
{
    tg_block block, same;
    tg_block_pair(around, box, around, box, entry_size, &block, &same);
    return block;
}

ptrdiff_t tg_block_bytes(const tg_block *block)
{
    ptrdiff_t bytes = block->run_bytes;
    for (int i = 0; i < block->loops; i++)
        bytes *= block->count[i];
    return bytes;
}

bool tg_block_contiguous(const tg_block *block)
{
    return block->loops == 0;
}

/* ---- moving runs ---- */

/* A step along the fastest loop: `count` runs of `bytes`, from and to with strides of their own. */
typedef void row_move(const tg_dtype *dtype, char *to, ptrdiff_t to_stride, const char *from,
                      ptrdiff_t from_stride, ptrdiff_t bytes, ptrdiff_t count);

static void copy_row(const tg_dtype *dtype, char *to, ptrdiff_t to_stride, const char *from,
                     ptrdiff_t from_stride, ptrdiff_t bytes, ptrdiff_t count)
{
    (void)dtype;
    if (bytes == 4) /* columns: a constant size lets the compiler move registers */
        for (ptrdiff_t i = 0; i < count; i++)
            memcpy(to + i * to_stride, from + i * from_stride, 4);
    else if (bytes == 8)
        for (ptrdiff_t i = 0; i < count; i++)
            memcpy(to + i * to_stride, from + i * from_stride, 8);
    else
        for (ptrdiff_t i = 0; i < count; i++)
            memcpy(to + i * to_stride, from + i * from_stride, (size_t)bytes);
}

static void add_row(const tg_dtype *dtype, char *to, ptrdiff_t to_stride, const char *from,
                    ptrdiff_t from_stride, ptrdiff_t bytes, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i++)
        dtype->add(to + i * to_stride, from + i * from_stride, bytes / (ptrdiff_t)dtype->size);
}

static void clear_row(const tg_dtype *dtype, char *to, ptrdiff_t to_stride, const char *from,
                      ptrdiff_t from_stride, ptrdiff_t bytes, ptrdiff_t count)
{
    (void)dtype, (void)from, (void)from_stride;
    for (ptrdiff_t i = 0; i < count; i++)
        memset(to + i * to_stride, 0, (size_t)bytes);
}

/* Walk two blocks of the same runs and loops together. */
static void walk(const tg_block *to_block, char *to, const tg_block *from_block, const char *from,
                 row_move *move, const tg_dtype *dtype)
{
    if (to_block->run_bytes == 0)
        return;
    to += to_block->offset;
    from += from_block->offset;
    int inner = to_block->loops - 1;
    if (inner < 0) {
        move(dtype, to, 0, from, 0, to_block->run_bytes, 1);
        return;
    }
    ptrdiff_t index[TG_MAX_NDIM] = {0};
    for (;;) {
        move(dtype, to, to_block->stride[inner], from, from_block->stride[inner],
             to_block->run_bytes, to_block->count[inner]);
        int loop = inner - 1;
        for (; loop >= 0; loop--) {
            to += to_block->stride[loop];
            from += from_block->stride[loop];
            if (++index[loop] < to_block->count[loop])
                break;
            to -= to_block->stride[loop] * to_block->count[loop];
            from -= from_block->stride[loop] * to_block->count[loop];
            index[loop] = 0;
        }
        if (loop < 0)
            return;
    }
}

/* The same runs and loops, packed without gaps. */
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

void tg_block_pack(const tg_block *block, const void *buffer, void *packed)
{
    tg_block target = packed_like(block);
    walk(&target, packed, block, buffer, copy_row, NULL);
}

void tg_block_unpack(const tg_block *block, const void *packed, void *buffer)
{
    tg_block source = packed_like(block);
    walk(block, buffer, &source, packed, copy_row, NULL);
}

void tg_block_add(const tg_block *block, const tg_dtype *dtype, const void *packed, void *buffer)
{
    tg_block source = packed_like(block);
    walk(block, buffer, &source, packed, add_row, dtype);
}

void tg_block_copy(const tg_block *from, const void *source, const tg_block *to, void *target)
{
    walk(to, target, from, source, copy_row, NULL);
}

void tg_block_add_block(const tg_block *from, const void *source, const tg_block *to, void *target,
                        const tg_dtype *dtype)
{
    walk(to, target, from, source, add_row, dtype);
}

void tg_block_clear(const tg_block *block, void *buffer)
{
    walk(block, buffer, block, buffer, clear_row, NULL);
}

void tg_clear_except(const tg_box *around, const tg_box *box, const tg_box *keep, size_t entry_size,
                     void *buffer)
{
    tg_box rest = *box; /* shrinks to the part that is still to be cleared */
    tg_box kept = tg_box_intersect(box, keep);
    bool keeps = tg_box_count(&kept) > 0;
    for (int a = 0; keeps && a < box->ndim; a++) {
        tg_box before = rest, after = rest;
        before.hi[a] = kept.lo[a];
        after.lo[a] = kept.hi[a];
        tg_block slabs[2] = {tg_block_of(around, &before, entry_size),
                             tg_block_of(around, &after, entry_size)};
        tg_block_clear(&slabs[0], buffer);
        tg_block_clear(&slabs[1], buffer);
        rest.lo[a] = kept.lo[a];
        rest.hi[a] = kept.hi[a];
    }
    if (!keeps) {
        tg_block all = tg_block_of(around, box, entry_size);
        tg_block_clear(&all, buffer);
    }
}

MPI_Datatype tg_block_type(const tg_block *block, const tg_dtype *dtype)
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
