/* block.h: a box inside a bigger box in memory, and moving it. Private to the room. */
#ifndef TG_BLOCK_H
#define TG_BLOCK_H

#include "primitives/primitives.h"

/* The bytes of a box inside a buffer that stores `around`, dense and row-major: runs of contiguous
 * bytes, counted along loops; loop 0 is the slowest. Neighbouring axes that lie contiguously are
 * merged. */
typedef struct {
    ptrdiff_t offset;    /* bytes from the buffer's start to the first run */
    ptrdiff_t run_bytes; /* 0: the box is empty */
    int loops;
    ptrdiff_t count[TG_MAX_NDIM], stride[TG_MAX_NDIM]; /* stride in bytes */
} tg_block;

/* Calls: Local, all. box lies inside around (or is empty). */
tg_block tg_block_of(const tg_box *around, const tg_box *box, size_t entry_size);
/* Boxes a and b of one shape in buffers of their own, as two blocks of the same runs and loops. */
void tg_block_pair(const tg_box *around_a, const tg_box *a, const tg_box *around_b, const tg_box *b,
                   size_t entry_size, tg_block *block_a, tg_block *block_b);
ptrdiff_t tg_block_bytes(const tg_block *block);
bool tg_block_contiguous(const tg_block *block);

void tg_block_pack(const tg_block *block, const void *buffer, void *packed);
void tg_block_unpack(const tg_block *block, const void *packed, void *buffer);
void tg_block_add(const tg_block *block, const tg_dtype *dtype, const void *packed, void *buffer);
void tg_block_clear(const tg_block *block, void *buffer);
/* The two blocks of a pair: in two buffers, or in one where they do not meet. */
void tg_block_copy(const tg_block *from, const void *source, const tg_block *to, void *target);
void tg_block_add_block(const tg_block *from, const void *source, const tg_block *to, void *target,
                        const tg_dtype *dtype);

/* Clear the entries of `box` that are not in `keep`. */
void tg_clear_except(const tg_box *around, const tg_box *box, const tg_box *keep, size_t entry_size,
                     void *buffer);

/* An MPI type of a block that is not empty, from its first byte (block->offset is not in it); the
 * caller commits and frees it. */
MPI_Datatype tg_block_type(const tg_block *block, const tg_dtype *dtype);

#endif
