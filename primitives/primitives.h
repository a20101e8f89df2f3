/* primitives.h: linear operators between two layouts of one tensor, and their adjoints.
 *
 * A problem says which primitive, between which layouts, for which element type and by which
 * algorithm. It is planned once, by all ranks of a communicator together, into an operator F that
 * is applied many times:
 *
 *     y = F x     tg_apply            y += F x     with mode = TG_ACCUMULATE
 *     x = F* y    tg_apply_adjoint    x += F* y
 *
 * x is the input space and y the output space of F, in both directions. Each rank passes the
 * address of its own part: the box that tg_op_x / tg_op_y name, in the problem's store. A rank
 * outside a layout passes any pointer, NULL too, and still takes part. The inner product of a
 * space is the sum over ranks of the local dot products, so that a tensor held k times counts k
 * times (Hewett and Grady, arXiv 2006.03108, section 2). */
#ifndef TG_PRIMITIVES_H
#define TG_PRIMITIVES_H

#include "primitives/layout.h"
#include "primitives/store.h"

#include <mpi.h>
#include <stdint.h>

/* ---- element types: one row each, in dtype.c ---- */

typedef struct tg_dtype tg_dtype;
struct tg_dtype {
    const char *name; /* as in a case: f32 */
    size_t size;      /* bytes */
    int64_t exact;    /* the type has every whole number from -exact to exact */
    /* Local, between MPI_Init and MPI_Finalize. What MPI calls an entry, and the operation that
     * adds entries: f16 and bf16 bring their own, which are made on first use and are gone after
     * MPI_Finalize. */
    MPI_Datatype (*mpi)(void);
    MPI_Op (*sum)(void);
    /* to[i] += from[i]. f16 and bf16 add in f32 and round once an addition; i32 and i8 wrap. */
    void (*add)(void *to, const void *from, ptrdiff_t count);
    /* array[index] = value, rounded or wrapped to what the type has; and the value again. c64 holds
     * value + 2 value i, and gives NAN for what has another form, so that a lost or exchanged
     * imaginary part is never right. */
    void (*put)(void *array, ptrdiff_t index, double value);
    double (*get)(const void *array, ptrdiff_t index);
    /* Real part of a[index] times the conjugate of b[index]. */
    double (*product)(const tg_dtype *dtype, const void *a, const void *b, ptrdiff_t index);
};

extern const tg_dtype *const tg_dtypes[];        /* ends with NULL */
const tg_dtype *tg_dtype_find(const char *name); /* NULL: no such type */

/* ---- primitives: one row each, listed in table.def ---- */

typedef struct tg_op tg_op;
typedef struct tg_problem tg_problem;

/* What a run of an algorithm costs in messages: the terms of models of time, such as
 * alpha rounds + beta bytes. -1: not known. */
typedef struct {
    /* Messages on the longest path when a rank sends one and receives one at a time; segments of one
     * message count once, and fewer are needed where parts are empty. Not known where a rank is in
     * two groups, whose messages wait for each other. */
    ptrdiff_t rounds;
    ptrdiff_t messages, bytes; /* that one rank sends or receives, the larger; of the busiest */
} tg_weight;

/* k ranks are in a group, n is the bytes of the whole vector of one, p partners a rank has,
 * L = ceil(log2 k), S = segments. */
typedef struct {
    const char *rounds, *bytes; /* formulas, for a list */
    const char *source;
    /* Local, without MPI: of F, or backwards of F*. For a transposed primitive
     * problem->x and problem->y are exchanged. Errors: TG_NO_MEMORY; TG_BAD_INPUT: a problem that
     * the algorithm does not take. */
    tg_status (*of)(const tg_problem *problem, bool backwards, tg_weight *weight);
} tg_weights;

typedef struct {
    const char *name;    /* reference, mpi, p2p */
    const char *summary; /* one line */
    /* Fills the operator's run functions; called on every rank of the problem's communicator. Its
     * status is agreed by all of them. For a transposed primitive problem->x and problem->y are
     * exchanged. */
    tg_status (*plan)(const tg_problem *problem, tg_op *op);
    const tg_weights *weights; /* NULL: the MPI library decides, or the machine; not known */
} tg_algorithm;

/* A map between the memory regions that axis 0 of a tensor counts: region r of y is the sum of the
 * regions c of x with adds[r][c], at each rank and entry by itself. */
enum { TG_REGIONS = 2 };
typedef struct {
    int of_x, of_y; /* regions, TG_REGIONS at most */
    bool adds[TG_REGIONS][TG_REGIONS];
} tg_regions;

/* Unavoidable traffic of an operator, in entries (the same for its adjoint). */
typedef struct {
    ptrdiff_t moved;    /* must cross between ranks, summed */
    ptrdiff_t max_rank; /* largest into or out of any one rank */
} tg_traffic;

typedef struct {
    const char *name;    /* broadcast */
    const char *summary; /* one line for a list */
    const char *formula; /* y = F x */
    const char *adjoint; /* x = F* y */
    const char *source;  /* where the operator comes from */
    bool two_layouts;    /* words from / to instead of grid */
    /* Words kernel, stride, padding, dilation, periodic, ceil, and what they mean; NULL: none */
    const tg_window_rule *window;
    const tg_regions *regions; /* axis 0 counts memory regions; NULL: an axis as the others */
    bool transposed;           /* algorithms plan F*, from y to x, and are run backwards */
    bool sums;                 /* F adds the copies of x; otherwise F reads x where it is owned */
    /* Local. Are they this operation's? Errors: TG_BAD_INPUT. */
    tg_status (*check)(const tg_layout *x, const tg_layout *y);
    /* Local. The grid that the word `auto` (or no word) stands for, for P ranks: of `from` (or
     * `grid`), and of `to`. Written as tg_layout_print_grid writes it. */
    void (*auto_grid)(const ptrdiff_t *extent, int ndim, int P, bool to, char *text, size_t size);
    tg_status (*traffic)(const tg_layout *x, const tg_layout *y, tg_traffic *traffic); /* Local */
    const tg_algorithm *const *algorithms; /* ends with NULL; the first is the reference */
    /* Known, but the MPI library lacks their calls: their plans refuse. Ends with NULL; NULL: none */
    const tg_algorithm *const *lacking;
} tg_primitive;

extern const tg_primitive *const tg_primitives[];        /* ends with NULL */
const tg_primitive *tg_primitive_find(const char *name); /* NULL: no such primitive */
/* Also one that the MPI library lacks. NULL: no such algorithm. */
const tg_algorithm *tg_algorithm_find(const tg_primitive *primitive, const char *name);

/* Calls: Local. The layouts of x and y that the words of a case stand for, checked; the caller
 * frees them. `to` is NULL unless primitive->two_layouts. With windows x is what ranks own, y what
 * they need. Errors: TG_BAD_INPUT when they are not this operation's, TG_NO_MEMORY; both are then
 * empty. */
tg_status tg_primitive_layouts(const tg_primitive *primitive, const tg_layout *from,
                               const tg_layout *to, tg_layout *x, tg_layout *y);

/* ---- problems and operators ---- */

/* y = F x | y += F x; two buffers | one, around both boxes. */
typedef enum { TG_REPLACE = 0, TG_ACCUMULATE } tg_mode;
typedef enum { TG_OUT_OF_PLACE = 0, TG_IN_PLACE } tg_place;
/* All buffers, on all ranks, come from anywhere | from tg_memory_alloc. It changes what is fast, not
 * what is right. */
typedef enum { TG_ANY_MEMORY = 0, TG_SHARED_MEMORY } tg_memory;

enum { TG_PARTITIONS = 4, TG_MOST_PARTITIONS = 65536 };

struct tg_problem {
    const tg_primitive *primitive;
    tg_layout x, y; /* as tg_primitive_layouts makes them; the problem does not own them */
    const tg_dtype *dtype;
    const tg_algorithm *algorithm;
    tg_mode mode;
    tg_place place;
    tg_memory memory;
    tg_store store_x, store_y; /* how the buffers hold their boxes; one store in place */
    int partitions;            /* of a message, at most; for `partitioned` only. 0: TG_PARTITIONS */
};

/* Calls: Collective on comm; every rank passes the same problem. Rank lists are ranks of comm.
 * Errors: the same status on every rank, with *op == NULL and nothing kept: TG_BAD_INPUT,
 * TG_NO_MEMORY, TG_DISAGREE (ranks passed different problems). The operator works on a duplicate of
 * comm on which MPI errors end the job. All operators on comm share it and the groups of ranks
 * inside it; it is freed with the last of them, even when comm itself was freed before. So all
 * ranks plan, apply and free the operators on one communicator in one order. */
tg_status tg_plan(MPI_Comm comm, const tg_problem *problem, tg_op **op);

/* Calls: Collective on the plan's communicator. They cannot fail and allocate nothing. Out of place
 * neither changes its input. In place x == y is one buffer that holds the box tg_op_x = tg_op_y
 * (the hull of both). tg_apply leaves the entries of x that y does not overwrite; tg_apply_adjoint
 * clears every entry of y that is not an entry of x, after sending it. For a transposed primitive
 * the two have changed places: tg_apply clears, tg_apply_adjoint leaves. */
void tg_apply(tg_op *op, const void *x, void *y);
void tg_apply_adjoint(tg_op *op, void *y, void *x);

/* Calls: Collective on the plan's communicator; tg_start or tg_start_adjoint first, then tg_finish,
 * once each. An apply in two halves, between which the caller computes: messages are under way. Until
 * tg_finish the input must stay as it is and the output is nobody's, but for entries that are x and
 * y at once in place, which may be read. Several operators may be under way if all ranks start them
 * in one order and finish them in one order. An algorithm that has no halves does all in the first.
 */
void tg_start(tg_op *op, const void *x, void *y);
void tg_start_adjoint(tg_op *op, void *y, void *x);
void tg_finish(tg_op *op);

void tg_free(tg_op **op); /* Collective; sets *op to NULL; NULL may be freed */

/* Calls: Local. Memory that other ranks of the node can read straight, where the system lets them (on
 * Linux, with the rights to trace each other); else it is ordinary memory. At an address that is a
 * multiple of 64; its bytes are not set. NULL: no memory. Freed by tg_memory_free, which takes NULL
 * too, when no operator that uses it is under way. */
void *tg_memory_alloc(ptrdiff_t bytes);
void tg_memory_free(void *memory);

/* Calls: Collective. Both take over their operators, also when they fail.
 *   tg_flip    F*: x and y change places. Local, cannot fail
 *   tg_chain   G F, with y of F = x of G on every rank. Errors: as tg_plan */
tg_op *tg_flip(tg_op *op);
tg_status tg_chain(tg_op *second, tg_op *first, tg_op **op);

/* Calls: Local. The box of this rank's x / y buffer; Units: bytes of the buffer in its store. */
tg_box tg_op_x(const tg_op *op);
tg_box tg_op_y(const tg_op *op);
ptrdiff_t tg_op_x_bytes(const tg_op *op);
ptrdiff_t tg_op_y_bytes(const tg_op *op);

/* Calls: Local. Point-to-point messages that this rank sends in one apply or adjoint; -1 when the MPI
 * library decides. In one of the two directions it may be what the rank receives instead: over all ranks
 * that is as many. */
ptrdiff_t tg_op_messages(const tg_op *op, bool adjoint);

/* Calls: Local, without MPI and without a plan. What one apply, or one apply of the adjoint, costs by
 * the steps that the problem's algorithm would plan. Units: bytes. Errors: as tg_plan's. */
tg_status tg_weigh(const tg_problem *problem, bool adjoint, tg_weight *weight);

/* Calls: Local. The name of the algorithm that tg_apply (or tg_apply_adjoint) runs: what
 * algorithm=auto has chosen, else the problem's; a chain of two has several. */
const char *tg_op_algorithm(const tg_op *op, bool adjoint);

/* ---- listening: for who wants to know what the time of a run goes into ---- */

/* An operator runs, or one of its halves; blocks of a box are packed, unpacked, copied, added or
 * cleared by loops of this room. */
typedef enum { TG_COMMUNICATES, TG_PACKS, TG_ACTIVITIES } tg_activity;

/* Both are told around an activity; activities nest. begin of TG_COMMUNICATES is Collective on comm,
 * so that it may wait there for all ranks; all else is Local, and comm is MPI_COMM_NULL. */
typedef struct {
    void (*begin)(void *context, tg_activity activity, MPI_Comm comm);
    void (*end)(void *context, tg_activity activity);
    void *context;
} tg_listener;

/* Who listens in this process; NULL, as at first: nobody, and then all of this costs a test of a
 * pointer. Set by the caller of operators, between them. */
extern const tg_listener *tg_listening;

/* Calls: as the listener's. Also for a room that calls MPI itself in a run. */
static inline void tg_begin(tg_activity activity, MPI_Comm comm)
{
    if (tg_listening)
        tg_listening->begin(tg_listening->context, activity, comm);
}

static inline void tg_end(tg_activity activity)
{
    if (tg_listening)
        tg_listening->end(tg_listening->context, activity);
}

/* Calls: Local. What algorithm=auto has chosen in this process, and what it is to know from before:
 * a file of one line for each problem. Rank 0 of a problem's communicator decides, so loading and
 * saving there is enough; choices that were made with another MPI library are not loaded. Saving
 * puts a new file in the place of an old one. Errors: TG_BAD_INPUT names the file, and the line. */
tg_status tg_auto_save(const char *path);
tg_status tg_auto_load(const char *path);

/* Calls: Local. Units: bytes of this rank's memory that the plan keeps: tables, packed buffers,
 * scratch; without what the MPI library keeps, and without the communicators that plans share. */
ptrdiff_t tg_op_held_bytes(const tg_op *op);

/* Calls: Collective on comm. The worst of the ranks' statuses, the lowest such rank's text: what
 * every plan function passes its local verdict through, so that no rank leaves alone. */
tg_status tg_agree(MPI_Comm comm, tg_status mine);

/* ---- what an operator must give, entry by entry (oracle.c) ---- */

/* Which of the two spaces a buffer belongs to. */
typedef enum { TG_X, TG_Y } tg_space;

/* Calls: Local. Fill rank's buffer of a space with small integers made from (seed, global entry,
 * place on the grid): from -8 to 8, in bf16 and i8 from -1 to 1, and more zeros the more copies an
 * entry has, so that sums are exact in the element type and in any order. In place the buffer is
 * the hull box and entries outside the space get other values. */
void tg_fill(const tg_problem *problem, tg_space space, int rank, uint64_t seed, void *buffer);

/* Calls: Local. Entries of rank's output that differ from what tg_fill'ed inputs must give: of y
 * after tg_apply (space TG_Y), of x after tg_apply_adjoint (TG_X). In TG_ACCUMULATE mode the output
 * had been tg_fill'ed with `seed + 1` before. Works from the layouts' boxes alone and shares no
 * code with the engine. Errors: -1 when there is no memory to compare. */
ptrdiff_t tg_count_wrong(const tg_problem *problem, tg_space space, int rank, uint64_t seed,
                         const void *buffer);

/* Calls: Local. Sum over the space's entries of a[i] b[i], in double; for c64 the real part of the
 * sum of a[i] times the conjugate of b[i]. */
double tg_dot(const tg_problem *problem, tg_space space, int rank, const void *a, const void *b);

#endif
