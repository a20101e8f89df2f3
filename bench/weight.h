/* weight.h: the terms of a model of a cell's time, and what they cannot be below. */
#ifndef TGB_WEIGHT_H
#define TGB_WEIGHT_H

#include "bench/cell.h"

/* -1: not known. */
typedef struct {
    tg_weight of;         /* its algorithm */
    ptrdiff_t rounds_min; /* of any algorithm in which a rank sends one message at a time */
    ptrdiff_t bytes_min;  /* into or out of the busiest rank */
} tgb_weight;

/* Calls: Local, without MPI. Errors: TG_NO_MEMORY, or TG_BAD_INPUT: the algorithm does not take the
 * case; all is then not known. */
tg_status tgb_weigh(const tgb_cell *cell, tgb_weight *weight);

#endif
