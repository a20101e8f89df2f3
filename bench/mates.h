/* mates.h: whom each rank of a machine operation sends to and receives from. */
#ifndef TGB_MATES_H
#define TGB_MATES_H

#include "bench/operation.h"

/* Of one rank: work->raw of the machine operations. */
typedef struct {
    int to, from;          /* MPI_PROC_NULL: nobody; in pairs both are the partner */
    MPI_Request *requests; /* setup->trips of them, behind this struct */
} tgb_mates;

/* Calls: Local. Fill to and from for a rank below `busy`. Errors: TG_NO_MEMORY. */
typedef tg_status tgb_find_mates(const tgb_work *work, int busy, tgb_mates *mates);
tgb_find_mates tgb_mates_next;        /* 2i and 2i + 1 */
tgb_find_mates tgb_mates_round;       /* those of the key `round` (pairs.h) */
tgb_find_mates tgb_mates_opposite;    /* i and i + busy / 2 */
tgb_find_mates tgb_mates_permutation; /* a random cycle through all, from the seed */

#endif
