/* idx.h: arrays of bytes in the IDX format (that of MNIST), plain or compressed by gzip. */
#ifndef TGB_IDX_H
#define TGB_IDX_H

#include "primitives/primitives.h"

enum { TGB_IDX_AXES = 3 };

typedef struct {
    int ndim;
    ptrdiff_t extent[TGB_IDX_AXES];
    unsigned char *data; /* owned */
} tgb_idx;

/* Calls: Local. An array of ndim axes. Errors: TG_BAD_INPUT names the file and what is wrong with it
 * (missing, not IDX, other axes or entries, truncated, too long), TG_NO_MEMORY; nothing is kept. */
tg_status tgb_idx_read(const char *path, int ndim, tgb_idx *idx);

/* Calls: Collective on comm. What rank 0 read, on every rank. Errors: the same on every rank. */
tg_status tgb_idx_share(MPI_Comm comm, tg_status read, tgb_idx *idx);

void tgb_idx_free(tgb_idx *idx); /* Local; an empty one may be freed again */

#endif
