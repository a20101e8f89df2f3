/* order.h: in which order the cells of a plan are measured. */
#ifndef TGD_ORDER_H
#define TGD_ORDER_H

#include "driver/plan.h"

#include <stdint.h>

/* Calls: Local. Set plan->order. Launches come one after another, each a round of all rank counts;
 * with several builds a round has one launch of each, which take turns at every rank count.
 * shuffled: within each launch the rank counts are shuffled, and within each rank count the cells,
 * so that what drifts with time does not look like an effect of size or ranks. The same seed gives
 * the same order anywhere. Source: method.md's 2.4. */
void tgd_order_make(tgd_plan *plan, long seed, bool shuffled);

/* Calls: Local. How many cells from place `at` on in the order agree in launch and ranks: one start
 * of tgbench. */
int tgd_order_group(const tgd_plan *plan, int at);

#endif
