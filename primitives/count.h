/* count.h: MPI calls on more entries than an int counts. Private to the room.
 *
 * The one place where counts of MPI are made from ptrdiff_t. What does not fit into an int is given
 * to the calls of MPI 4, which count further (MPI_Send_c and so on), where the library has them.
 * Elsewhere it is split: messages, broadcasts and reductions into several calls, one after the other;
 * types into types of types. The calls of a split message match in order, because MPI keeps the order
 * of messages between two ranks. */
#ifndef TG_COUNT_H
#define TG_COUNT_H

#include "primitives/op.h"

/* The most entries that one MPI call is given: INT_MAX; PTRDIFF_MAX with the calls of MPI 4. A test
 * lowers it, to 2 at least, before it plans and on all ranks alike, so that small tensors are split
 * too. */
extern ptrdiff_t tg_largest_count;
/* The most that a call is given whose counts are of int: INT_MAX. A test lowers it in the same way, so
 * that small tensors need the calls of MPI 4. */
extern ptrdiff_t tg_largest_int;

/* Calls: Local. Do so many entries fit into one call that counts in int, or its tables? The entries
 * of so many that one call is given. Into how many calls are they split? 0 into 0. */
bool tg_count_fits(ptrdiff_t count);
ptrdiff_t tg_count_most(ptrdiff_t count);
int tg_count_calls(ptrdiff_t count);

/* Calls: as the MPI functions they are named after; count is the same on both ends. Messages carry
 * the operator's entries on its communicator, with its tag. The two that start one write tg_count_calls(count) requests. `in` may
 * be MPI_IN_PLACE where MPI allows it, `out` NULL where it is not written. */
void tg_send(const tg_op *op, const void *in, ptrdiff_t count, int to);
void tg_receive(const tg_op *op, void *out, ptrdiff_t count, int from);
void tg_start_send(const tg_op *op, const void *in, ptrdiff_t count, int to, MPI_Request *requests);
void tg_start_receive(const tg_op *op, void *out, ptrdiff_t count, int from, MPI_Request *requests);
/* Persistent requests, to be started later (MPI_Send_init, MPI_Recv_init). */
void tg_make_send(const tg_op *op, const void *in, ptrdiff_t count, int to, MPI_Request *requests);
void tg_make_receive(const tg_op *op, void *out, ptrdiff_t count, int from, MPI_Request *requests);
#ifdef TG_HAVE_RMA
/* MPI_Put to so many bytes behind the start of a window whose displacements count bytes. */
void tg_put(const void *in, ptrdiff_t count, const tg_dtype *dtype, int to, ptrdiff_t bytes,
            MPI_Win window);
#endif
void tg_bcast(void *buffer, ptrdiff_t count, const tg_dtype *dtype, int root, MPI_Comm comm);
void tg_reduce(const void *in, void *out, ptrdiff_t count, const tg_dtype *dtype, int root,
               MPI_Comm comm);
void tg_allreduce(const void *in, void *out, ptrdiff_t count, const tg_dtype *dtype, MPI_Comm comm);
#ifdef TG_HAVE_PERSISTENT_COLLECTIVES
/* Persistent requests (MPI_Bcast_init and so on), tg_count_calls(count) of them; all ranks start them
 * in their order. */
void tg_make_bcast(void *buffer, ptrdiff_t count, const tg_dtype *dtype, int root, MPI_Comm comm,
                   MPI_Request *requests);
void tg_make_reduce(const void *in, void *out, ptrdiff_t count, const tg_dtype *dtype, int root,
                    MPI_Comm comm, MPI_Request *requests);
void tg_make_allreduce(const void *in, void *out, ptrdiff_t count, const tg_dtype *dtype,
                       MPI_Comm comm, MPI_Request *requests);
#endif

/* Calls: Local. A type of count (at least 1) times `old`, stride bytes apart. It is not committed;
 * the caller frees it. */
MPI_Datatype tg_type_repeat(ptrdiff_t count, ptrdiff_t stride, MPI_Datatype old);

#endif
