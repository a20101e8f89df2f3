/* holders.h: the ranks that hold copies of one part, for the files that move it between them.
 * Private to the room. */
#ifndef TG_HOLDERS_H
#define TG_HOLDERS_H

#include "primitives/op.h"

/* The owner of a part in x and the ranks that hold copies of it in y. */
typedef struct {
    int number;        /* the part, as a place in x */
    ptrdiff_t entries; /* of the part; more than 0 */
    int *ranks;        /* of op->comm: the copies by their places; an owner without one in front */
    int size, root;    /* ranks; the owner's index among them */
    int me;            /* this rank's index */
    bool sends, holds; /* this rank has the part of x; a copy in y */
    tg_blocks
        part[2]; /* the part in a buffer of x and in one of y, as a pair; the same everywhere */
} tg_holders;

/* Calls: Local. The groups of this rank, in ascending number: of its part of x, as the root, and of
 * its part of y, as a copy; two at most, *count tells how many were begun, which
 * tg_holders_free frees. Errors: TG_NO_MEMORY; TG_BAD_INPUT for two parts that differ, in place. */
tg_status tg_find_holders(const tg_problem *problem, tg_op *op, tg_holders found[2], int *count);
void tg_holders_free(tg_holders *holders);

/* Calls: Local. Where a part that is one run begins in a buffer. */
char *tg_part_begin(const tg_blocks *part, const void *buffer);

#endif
