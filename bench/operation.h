/* operation.h: what tgbench can list, check and time, one row each.
 *
 *   words of a case --resolve--> setup (layouts, facts; no MPI) --plan--> work --run--> once
 *
 * Every primitive of tg_primitives[], every layer and network, a few raw MPI calls, chains of two
 * primitives and the measurements of the machine itself are rows; the files op_*.c make them. */
#ifndef TGB_OPERATION_H
#define TGB_OPERATION_H

#include "bench/case.h"
#include "layers/layers.h"
#include "primitives/primitives.h"

enum { TGB_MAX_OPERATIONS = 128, TGB_MAX_ALGORITHMS = 15 };

typedef struct tgb_operation tgb_operation;
typedef struct tgb_work tgb_work;

/* What --sizes means: strong, size: bytes of the whole tensor; weak: what one rank has (see
 * tgb_setup). */
typedef enum { TGB_STRONG, TGB_WEAK, TGB_SIZE } tgb_scaling;
const char *tgb_scaling_name(tgb_scaling scaling);
tg_status tgb_scaling_parse(const char *text, tgb_scaling *scaling);

/* ---- setup: a case, resolved for P ranks and one N ---- */

typedef struct {
    const tgb_operation *operation;
    int ranks;          /* P */
    char *text;         /* canonical case; malloc'ed */
    tg_problem problem; /* its layouts are owned; primitive is NULL for layers */
    tgl_problem layer;  /* layers only; owned */
    tgb_case words;     /* canonical */
    const char *algorithm;
    ptrdiff_t size_bytes;                  /* whole tensor, copies not counted */
    ptrdiff_t held_x_bytes, held_y_bytes;  /* largest over ranks */
    ptrdiff_t moved_bytes, max_rank_bytes; /* -1: not known */
    /* What weak scaling holds constant: bytes held by the largest rank, or its flops; and where it
     * is held: flops if one rank had the whole of it, or -1: the size asked for. */
    double weak_part, weak_goal;
    double flops; /* forward, summed over ranks, by formula; 0 when data only move or are added */
    int trips;    /* how often the tensor crosses in one run, one way behind the other; mostly 1 */
    bool local;   /* nothing crosses between ranks: may be batched */
    bool one_buffer;  /* x and y are one: what stays on its rank is not copied */
    bool restores[2]; /* a repetition changes its own input: forward; in other directions */
} tgb_setup;

/* Calls: Local. Resolve a case for P ranks. size < 0: no size was given. Errors: TG_BAD_INPUT names
 * the word and what was expected, TG_NO_MEMORY; the setup is then empty and needs no free. */
tg_status tgb_resolve(const tgb_case *words, int P, tgb_scaling scaling, ptrdiff_t size,
                      tgb_setup *setup);
void tgb_setup_free(tgb_setup *setup);
ptrdiff_t tgb_held_bytes(const tgb_setup *setup); /* Local. Largest part of x or y over the ranks */

/* Calls: Local. Does N stand in this case, so that it needs a size? Errors: TG_BAD_INPUT: no such
 * operation. */
tg_status tgb_needs_size(const tgb_case *words, bool *needs);

/* ---- work: a setup, planned ---- */

typedef struct {
    const char *name; /* forward, adjoint, backward, step */
    /* Run one operation: this call, and nothing else, is timed. Collective, cannot fail. */
    void (*run)(tgb_work *work);
    /* Collective. Inputs from the seed; outputs that hold nothing right. */
    void (*fill)(tgb_work *work);
    /* Local. Entries of this rank's outputs that are not what they must be; -1 without memory. */
    ptrdiff_t (*count_wrong)(tgb_work *work);
    double work_factor; /* flops of this direction / flops forward, by formula */
    /* The same operation in two halves, between which the ranks may compute; NULL: it has none. */
    void (*start)(tgb_work *work);
    void (*finish)(tgb_work *work);
} tgb_direction;

struct tgb_work {
    const tgb_setup *setup;
    const tgb_direction *direction;
    MPI_Comm comm; /* of the ranks that take part */
    int rank;
    uint64_t seed;
    void *x, *y; /* this rank's buffers; in place they are one */
    ptrdiff_t x_bytes, y_bytes;
    bool one_buffer;     /* y is x */
    tg_op *op;           /* primitives */
    tgl_layer *layer;    /* layers */
    void *dx, *dy;       /* layers: as x and y */
    void *raw;           /* raw calls, machine, networks: of their own files */
    MPI_Request request; /* raw persistent calls; MPI_REQUEST_NULL: none, or not on this rank */
};

/* What an operation asks of a rank at least, whatever its algorithm; the same in both directions.
 * Source: bench/README.md, "Bounds". */
typedef struct {
    /* Ranks that one rank's data must reach, or from which one rank's result comes, itself counted;
     * two phases, one behind the other; 1: nothing crosses. */
    int group[2];
    double link_bytes; /* largest into or out of one rank */
    /* Bytes that a rank reads and writes in its own memory: of the rank with most, with least. */
    double memory_most, memory_least;
    double flops; /* of the busiest rank, forward */
} tgb_load;

struct tgb_operation {
    const char *name, *kind, *summary, *formula, *adjoint, *source;
    const tgb_direction *directions;
    int ndirections;
    const struct tgb_key *keys; /* canonical order; ends with a row without name */
    const char *algorithms[TGB_MAX_ALGORITHMS + 1]; /* ends with NULL */
    /* Ends with NULL: known words, but the MPI library lacks the calls; a plan of one is refused. */
    const char *lacking[TGB_MAX_ALGORITHMS + 1];
    const char *dtypes[TGB_MAX_ALGORITHMS + 1];  /* ends with NULL */
    const char *kernels[TGB_MAX_ALGORITHMS + 1]; /* libraries that a layer can compute with */
    const tg_primitive *primitive;               /* whose layouts and values; NULL for layers */

    /* Local. Words (all keys known, dtype and algorithm looked up) -> layouts and facts, for one P
     * and N. */
    tg_status (*resolve)(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup);
    /* Collective on work->comm. Plans, fills x_bytes and y_bytes. Errors: the same on all ranks. */
    tg_status (*plan)(tgb_work *work);
    /* Collective. The last step of planning, when x and y are there: what depends on their addresses;
     * NULL: nothing does. Cannot fail. */
    void (*bind)(tgb_work *work);
    /* Collective. Relative gap of <F x, y> and <x, F* y>; NULL: an operation without adjoint. */
    double (*adjoint_gap)(tgb_work *work);
    /* Local, after plan. Floating-point operations of this rank in one run; NULL: none worth
     * naming. */
    double (*flops)(const tgb_work *work);
    /* Local, after plan. Messages that this rank sends in one run; -1: not known. */
    ptrdiff_t (*messages)(const tgb_work *work);
    /* Local. What a run asks of a rank at least, for its lower bound; NULL: not known. */
    tg_status (*load)(const tgb_setup *setup, tgb_load *load);
    /* Local. Rounds, messages and bytes of a run by its algorithm; NULL: not known. */
    tg_status (*weigh)(const tgb_setup *setup, const tgb_direction *direction, tg_weight *weight);
    void (*release)(tgb_work *work); /* Collective; what plan made */
};

typedef struct tgb_key {
    const char *name;
    const char *initial; /* default, as a user may write it; NULL: the key must be given */
    bool sized;          /* N may stand in its value */
} tgb_key;

/* Rows of tgb_key: the words of layouts, of windows, of the element type and of how it is run; END
 * closes a list. */
/* clang-format off */
#define TGB_ONE_LAYOUT                                                                             \
    {"shape", NULL, true}, {"grid", "auto", false}, {"ranks", "0..n-1", false},                    \
    {"order", "0..d-1", false}, {"parts", "*", false}
#define TGB_TWO_LAYOUTS                                                                            \
    {"shape", NULL, true}, {"from", "auto", false}, {"to", "auto", false},                         \
    {"from-ranks", "0..n-1", false}, {"to-ranks", "0..n-1", false},                                \
    {"from-order", "0..d-1", false}, {"to-order", "0..d-1", false},                                \
    {"from-parts", "*", false}, {"to-parts", "*", false}
#define TGB_WINDOW                                                                                 \
    {"kernel", "1", false}, {"stride", "1", false}, {"padding", "0", false},                       \
    {"dilation", "1", false}, {"periodic", "no", false}, {"ceil", "no", false}
#define TGB_TYPE {"dtype", "f32", false}, {"algorithm", "mpi", false}
#define TGB_END  {NULL, NULL, false}
/* clang-format on */

/* Calls: Local. The words of key kernels, where the row has that key. */
void tgb_put_kernels(tgb_operation *row);

/* Calls: Local. All rows, in the order of the list; tgb_find: NULL: no such operation or direction.
 * */
const tgb_operation *const *tgb_operations(int *count);
const tgb_operation *tgb_find(const char *name);
const tgb_direction *tgb_find_direction(const tgb_operation *operation, const char *name);

/* Calls: Collective on comm. Plan a setup for one direction and make its buffers. Errors: the same
 * on all ranks, with nothing kept. */
tg_status tgb_plan(MPI_Comm comm, const tgb_setup *setup, const tgb_direction *direction,
                   uint64_t seed, tgb_work *work);
/* Calls: Local. Does a repetition change its own input, so that it is filled anew before each one? */
bool tgb_restores(const tgb_work *work);
void tgb_work_free(tgb_work *work); /* Collective */

/* Calls: Collective. Fill, run, compare, once, or twice where there is bind: wrong entries, summed over
 * ranks; -1 without memory. */
long long tgb_validate(tgb_work *work);

/* ---- for the files that make rows ---- */

void tgb_add_primitives(void (*add)(const tgb_operation *row)); /* op_primitive.c */
void tgb_add_layers(void (*add)(const tgb_operation *row));     /* op_layer.c */
void tgb_add_networks(void (*add)(const tgb_operation *row));   /* op_network.c */
void tgb_add_raw(void (*add)(const tgb_operation *row));        /* op_raw.c */
void tgb_add_machine(void (*add)(const tgb_operation *row));    /* op_machine.c */
void tgb_add_chains(void (*add)(const tgb_operation *row));     /* op_chain.c */

/* Calls: Local. Are the blocks that x and y are cut into the same, whatever their copies and ranks?
 * */
bool tgb_same_blocks(const tg_layout *x, const tg_layout *y);

/* In every byte of an output before it is made: no value of a fill. */
enum { TGB_NOTHING_RIGHT = 0xA5 };

/* Of op_primitive.c, for raw calls and chains, which stand beside a primitive and share its layouts and
 * values. */
tg_status tgb_primitive_resolve(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup);
void tgb_primitive_fill_forward(tgb_work *work);
ptrdiff_t tgb_primitive_wrong_forward(tgb_work *work);

/* Of load.c, for primitives and raw calls: from the layouts of x and y. */
tg_status tgb_load_of_layouts(const tgb_setup *setup, tgb_load *load);

/* Calls: Local. "a, b, c" of a list that ends with NULL, cut off at size. */
const char *tgb_join(const char *const *names, char *text, size_t size);

/* Parts of one rank; tgb_gap is Collective on comm and returns, over all ranks, the relative gap
 * |<Fx,y> - <x,F*y>| / max(|Fx||y|, |x||F*y|). All values are small integers: right operators give
 * 0. */
#define TGB_MAX_GAP 1e-12
typedef struct {
    double left, right;         /* <F x, y>, <x, F* y> */
    double out2, y2, x2, back2; /* |F x|^2, |y|^2, |x|^2, |F* y|^2 */
} tgb_products;
double tgb_gap(MPI_Comm comm, const tgb_products *mine);

#endif
