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

/* Runs an operator, or a half of it, towards side `to` (TG_Y: F, TG_X: F*). in == out when in_place. */
typedef void tg_pass(tg_op *op, tg_space to, const void *in, void *out);

struct tg_op {
    tg_comm *shared;          /* with the other plans on the user's communicator */
    MPI_Comm comm;            /* our duplicate, of shared: errors on it end the job */
    int rank, size;           /* in comm */
    int tag;                  /* of its messages in comm */
    const tg_dtype *dtype;    /* of both sides */
    bool in_place;            /* one buffer around both boxes */
    const char *algorithm[2]; /* that runs, by the side that is made */
    bool flipped;             /* x and y have changed places: F* is what runs forward */
    tg_view view[2];          /* this rank's buffers, by tg_space of the unflipped operator */
    /* That this rank sends in one run, by the side that is made; -1: the library decides. Towards x it
     * may be the number towards y: over all ranks that is right, unless sums are cut into segments. */
    ptrdiff_t messages[2];
    ptrdiff_t held_bytes; /* that the plan keeps on this rank */
    void *sum[2];         /* TG_ACCUMULATE: where a result is made before it is added; else NULL */
    tg_blocks whole[2];   /* TG_ACCUMULATE: all entries of the buffers */
    void *state;          /* of the algorithm */
    tg_pass *run;         /* replaces what is there */
    /* The same in two halves, between which other operators may run; both NULL: run is the first
     * half. */
    tg_pass *start, *finish;
    struct { /* what tg_start was given */
        tg_space to;
        const void *in;
        void *out;
    } under_way;
    void (*release)(tg_op *op); /* frees state; Collective; may find it half made */
};

/* Calls: Local. As many messages in both directions; -1: the library decides. */
void tg_set_messages(tg_op *op, ptrdiff_t messages);
/* Calls: Local. For an algorithm whose run is no more than its two halves. */
void tg_set_halves(tg_op *op, tg_pass *start, tg_pass *finish);
/* Calls: Local. For an algorithm that is a collective of the library, and its halves the non-blocking
 * one. SimGrid makes that of messages between one rank and each other, however it makes the blocking
 * one: under it there are no halves. */
void tg_set_collective(tg_op *op, tg_pass *run, tg_pass *start, tg_pass *finish);
/* Calls: Collective. The two halves of a run of any operator. */
void tg_start_run(tg_op *op, tg_space to, const void *in, void *out);
void tg_finish_run(tg_op *op, tg_space to, const void *in, void *out);
/* Calls: Local. An operator without an algorithm yet, which takes over the caller's share of the
 * communicator; NULL without memory. Collective: its end, however far it was made. */
tg_op *tg_op_new(tg_comm *comm, const tg_dtype *dtype);
void tg_op_drop(tg_op *op);
/* Calls: Collective on comm. All ranks learn the worst code and the text of the lowest rank that
 * has it; `fingerprint` must be the same everywhere when all are well (TG_DISAGREE). One reduction
 * when nothing is wrong. */
tg_status tg_agree_on(MPI_Comm comm, tg_status mine, uint64_t fingerprint);
/* Calls: Local. A number that all ranks have in common when they pass the same problem. */
uint64_t tg_fingerprint(const tg_problem *problem);
/* Calls: Local. TG_NO_MEMORY when pointer is NULL; bytes are named in the text. */
tg_status tg_check_memory(const void *pointer, ptrdiff_t bytes);
/* Calls: Collective. The plan of an algorithm whose calls the MPI library lacks: TG_BAD_INPUT. */
tg_status tg_plan_lacking(const tg_problem *problem, tg_op *op);
/* Calls: Local. Zeroed memory that the operator keeps, counted in its held_bytes; a valid pointer
 * for 0 bytes too, NULL without memory. free() frees it. */
void *tg_keep(tg_op *op, ptrdiff_t bytes);
/* Calls: Local. The buffers that ranks pass for a space of a problem. */
tg_view tg_view_of(const tg_problem *problem, tg_space space, int rank);
/* Calls: Local. Blocks that the operator keeps: of a box in its own order or in a given one, of a
 * pair, and of the entries of `box` that are not in `keep`. Errors: TG_NO_MEMORY. The lists are
 * freed by free(blocks.block). */
tg_status tg_keep_blocks(tg_op *op, const tg_view *view, const tg_box *box, const tg_order *order,
                         tg_blocks *blocks);
tg_status tg_keep_pair(tg_op *op, const tg_view *a, const tg_box *box_a, const tg_view *b,
                       const tg_box *box_b, tg_blocks *blocks_a, tg_blocks *blocks_b);
tg_status tg_keep_except(tg_op *op, const tg_view *view, const tg_box *box, const tg_box *keep,
                         tg_blocks *blocks);

#endif
