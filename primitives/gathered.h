/* gathered.h: groups of ranks in which one side has whole boxes and the other their blocks, for the
 * files that move them. Private to the room. */
#ifndef TG_GATHERED_H
#define TG_GATHERED_H

#include "primitives/op.h"

/* One side of a group has a whole box (the root's x, every copy of y), the other has its blocks.
 * The packed whole is these blocks one after the other, in the order of the ranks. */
typedef struct {
    tg_space whole;      /* on which side the whole box is */
    bool has_whole;      /* this rank has the whole box */
    int *ranks;          /* of op->comm, in the group, ascending */
    int size, me;        /* ranks; this one's index */
    ptrdiff_t *starts;   /* entries before each rank's block; size + 1 of them */
    tg_blocks *blocks;   /* has_whole: where each rank's block lies in the whole box */
    bool in_order;       /* not in place, and the blocks follow each other in the whole box */
    ptrdiff_t begin;     /* in_order: bytes to the first of them */
    tg_box own_box;      /* this rank's block */
    tg_blocks own;       /* where it lies in this rank's buffer */
    ptrdiff_t own_count; /* its entries */
    tg_blocks clear;     /* in place: entries of y that are no entries of x */
} tg_gathered;

/* Calls: Local. The group of this rank, which is in the layouts that the group is about; what was
 * begun is freed by tg_gathered_free, also after an error. Errors: TG_NO_MEMORY.
 *   scatter  the whole box is x, on one rank; the group is that rank, *root, and all ranks of y
 *   gather   the whole box is this rank's y; the blocks are the parts of x in its group */
tg_status tg_find_scattered(const tg_problem *problem, tg_op *op, tg_gathered *g, int *root);
tg_status tg_find_gathered(const tg_problem *problem, tg_op *op, tg_gathered *g);
/* Only ranks, size, me and starts of it. */
tg_status tg_find_gathered_ranks(const tg_problem *problem, tg_op *op, tg_gathered *g);
void tg_gathered_free(tg_gathered *g);

/* Calls: Collective on op->comm. Are the ranks of x and of y the same in every group of a gather?
 * Errors: TG_NO_MEMORY, agreed by all ranks. */
tg_status tg_same_ranks(const tg_problem *problem, const tg_op *op, bool *same);
/* Calls: Local. Are they, in this rank's groups? */
tg_status tg_same_ranks_here(const tg_problem *problem, const tg_op *op, bool *same);

/* Calls: Local. All blocks between the whole box and a packed one. */
void tg_gathered_pack(const tg_gathered *g, const tg_op *op, const void *whole, char *packed);
void tg_gathered_unpack(const tg_gathered *g, const tg_op *op, const char *packed, void *whole);

#endif
