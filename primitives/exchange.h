/* exchange.h: the algorithms behind every primitive that says y[held] = x[owned]. Private to the
 * room. */
#ifndef TG_EXCHANGE_H
#define TG_EXCHANGE_H

#include "primitives/op.h"

/* reference, p2p, and MPI_Alltoallw under the name mpi; exchange.c and alltoallw.c tell them apart.
 * */
extern const tg_algorithm tg_engine_reference, tg_engine_p2p, tg_engine_alltoallw;

/* Calls: Collective on op->comm; the status is agreed by all ranks. Plan y[held] = x[owned] and its
 * adjoint, x[owned] = the sum of y[held], between the layouts x and y. */
tg_status tg_exchange_reference(const tg_layout *x, const tg_layout *y, tg_op *op);
tg_status tg_exchange_alltoallw(const tg_layout *x, const tg_layout *y, tg_op *op);

/* Run what tg_exchange_reference planned; towards y, in and out may be the same buffer. */
void tg_exchange_run(tg_op *op, tg_space to, const void *in, void *out);

#endif
