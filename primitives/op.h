/* op.h: the operator behind tg_op, for the files that implement algorithms. Private to the room.
 *
 * An operator has two sides, TG_X and TG_Y, and runs from one to the other: F from x to y, F*
 * from y to x. The adjoint is not written a second time: an algorithm is told which side sends.
 * Accumulating, flipping and chaining are done here once, for all algorithms. */
#ifndef TG_OP_H
#define TG_OP_H

#include "primitives/block.h"
#include "primitives/comm.h"
#include "primitives/primitives.h"

struct tg_op {
    tg_comm *shared;       /* with the other plans on the user's communicator */
    MPI_Comm comm;         /* our duplicate, of shared: errors on it end the job */
    int rank, size;        /* in comm */
    const tg_dtype *dtype; /* of both sides */
    bool in_place;         /* one buffer around both boxes */
    bool flipped;          /* x and y have changed places: F* is what runs forward */
    tg_box box[2];         /* this rank's buffers, by tg_space of the unflipped operator */
    ptrdiff_t messages;    /* that this rank sends in one run; -1: the library decides */
    ptrdiff_t held_bytes;  /* that the plan keeps on this rank */
    void *sum[2];          /* TG_ACCUMULATE: where a result is made before it is added; else NULL */
    void *state;           /* of the algorithm */
    /* Run towards side `to` (TG_Y: F, TG_X: F*), replacing what is there. in == out when in_place.
     */
    void (*run)(tg_op *op, tg_space to, const void *in, void *out);
    void (*release)(tg_op *op); /* frees state; Collective; may find it half made */
};

/* Calls: Local. TG_NO_MEMORY when pointer is NULL; bytes are named in the text. */
tg_status tg_check_memory(const void *pointer, ptrdiff_t bytes);
/* Calls: Local. Zeroed memory that the operator keeps, counted in its held_bytes; a valid pointer
 * for 0 bytes too, NULL without memory. free() frees it. */
void *tg_keep(tg_op *op, ptrdiff_t bytes);

#endif
