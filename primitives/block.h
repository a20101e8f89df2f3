/* block.h: where the entries of a box lie in a buffer, and moving them. Private to the room.
 *
 * A view is a buffer: the box that it holds and the store that says how. The entries of a smaller
 * box inside it are a list of blocks, nested loops around contiguous runs; one block in a row-major
 * store. A blocked store cuts the channels, and a box that begins or ends inside a block needs a
 * few. An order says where the channels are cut and which loop is innermost; two ranks that use the
 * same order for a box send and receive its bytes in the same sequence, whatever their stores. */
#ifndef TG_BLOCK_H
#define TG_BLOCK_H

#include "primitives/primitives.h"

typedef struct {
    tg_box box;
    tg_store store;
    ptrdiff_t entry_bytes;
} tg_view;

/* How both ends of a move cut the channels of a box: blocks of so many, the box's first channel so
 * far behind the beginning of one; 0: no blocks. */
typedef struct {
    int block[2];
    ptrdiff_t phase[2];
    bool channels_inside; /* the channels of a block are the innermost loop */
} tg_order;

/* Runs of contiguous bytes, counted along loops; loop 0 is the slowest. Loops that lie contiguously
 * are merged. */
enum { TG_MAX_LOOPS = TG_MAX_NDIM + 1, TG_MAX_BLOCKS = 5 };
typedef struct {
    ptrdiff_t offset;    /* bytes from the buffer's start to the first run */
    ptrdiff_t run_bytes; /* more than 0 */
    int loops;
    ptrdiff_t count[TG_MAX_LOOPS], stride[TG_MAX_LOOPS]; /* stride in bytes */
} tg_block;

/* The blocks of a box, in the sequence in which their bytes travel; none: the box is empty. */
typedef struct {
    tg_block *block;
    int count;
} tg_blocks;

/* Calls: Local, all. */
ptrdiff_t tg_view_bytes(const tg_view *view); /* of the buffer */

/* The order of `box_x` in a buffer x and the same entries `box_y` in a buffer y: y's own as far as x
 * allows. And of a box whose other end is a buffer of the same kind. */
tg_order tg_order_of(const tg_view *x, const tg_box *box_x, const tg_view *y, const tg_box *box_y);
tg_order tg_order_own(const tg_view *view, const tg_box *box);

/* Write the blocks of a box, which lies inside the view's or is empty: at most TG_MAX_BLOCKS;
 * returns how many. The view's own cuts must be in the order. */
int tg_blocks_find(const tg_view *view, const tg_box *box, const tg_order *order, tg_block *blocks);
/* The same for one box in two buffers, as blocks of the same runs and loops. */
int tg_blocks_pair(const tg_view *a, const tg_box *box_a, const tg_view *b, const tg_box *box_b,
                   const tg_order *order, tg_block *blocks_a, tg_block *blocks_b);

ptrdiff_t tg_block_bytes(const tg_block *block);
ptrdiff_t tg_blocks_bytes(const tg_blocks *blocks);
/* One contiguous run, so that its bytes can travel from or to the buffer as they lie there? */
bool tg_blocks_contiguous(const tg_blocks *blocks);

/* In move.c. */
void tg_blocks_pack(const tg_blocks *blocks, const void *buffer, void *packed);
void tg_blocks_unpack(const tg_blocks *blocks, const void *packed, void *buffer);
void tg_blocks_add(const tg_blocks *blocks, const tg_dtype *dtype, const void *packed,
                   void *buffer);
void tg_blocks_clear(const tg_blocks *blocks, void *buffer);
/* The two lists of a pair: in two buffers, or in one where they do not meet. */
void tg_blocks_copy(const tg_blocks *from, const void *source, const tg_blocks *to, void *target);
void tg_blocks_add_blocks(const tg_blocks *from, const void *source, const tg_blocks *to,
                          void *target, const tg_dtype *dtype);

/* A committed MPI type of blocks that are not none, from the buffer's start; the caller frees it. */
MPI_Datatype tg_blocks_type(const tg_blocks *blocks, const tg_dtype *dtype);

#endif
