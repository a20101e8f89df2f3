/* layers.h: distributed layers, each a composition of primitives around a local kernel.
 *
 * A layer is planned once, by all ranks of a communicator together, and then run forward and
 * backward many times. Parameters and their gradients belong to the layer and lie where its formula
 * wants them; inputs and outputs are the caller's: each rank passes the held box of the layer's x
 * and y layouts, dense and in the problem's stores. In a store of blocks whose last one is not full,
 * its rest is zeros in inputs; a layer writes nothing else there, so that buffers that began as
 * zeros stay right. Source: Hewett and Grady, arXiv 2006.03108, section 4. */
#ifndef TGL_LAYERS_H
#define TGL_LAYERS_H

#include "primitives/primitives.h"

typedef struct tgl_layer tgl_layer;
typedef struct tgl_kind tgl_kind;
typedef struct tgl_inputs tgl_inputs;

/* ---- words: what a line of text says of a layer ---- */

enum { TGL_MAX_WORDS = 24 };

/* Keys and values, each key once; both are owned. A case of tgbench and a line of a network are
 * such words. */
typedef struct {
    int count;
    struct {
        char *key, *value;
    } word[TGL_MAX_WORDS];
} tgl_words;

/* Calls: Local. The value of a key, or NULL; set replaces or appends. Errors of set: TG_BAD_INPUT:
 * too many keys; TG_NO_MEMORY. Empty words may be freed again. */
const char *tgl_words_get(const tgl_words *words, const char *key);
tg_status tgl_words_set(tgl_words *words, const char *key, const char *value);
void tgl_words_free(tgl_words *words);

/* Calls: Local. As set, with N in the value replaced by a number. */
tg_status tgl_words_set_sized(tgl_words *words, const char *key, const char *value, ptrdiff_t N);

typedef struct {
    const char *name;
    const char *initial; /* default, as a user may write it; NULL: the key must be given */
    bool sized;          /* an extent in its value may be solved from a size */
} tgl_key;

/* ---- problems: a layer for P ranks ---- */

/* What follows from the words, without a plan. */
typedef struct {
    double flops;         /* forward, of the whole layer; of its local kernel */
    double busiest_flops; /* forward, of the rank with most */
    ptrdiff_t parameters; /* entries of all its parameters, and of the rank with most */
    ptrdiff_t parameters_most;
    double entries_most; /* that the busiest rank reads and writes at least, forward */
    /* Ranks that one rank's input must reach, and from which its result comes, one behind the
     * other; 1: nothing crosses. */
    int group[2];
    /* Inputs of a check are whole numbers in [-range, range], on which the arithmetic is exact;
     * 0: they are real numbers in [-1, 1), and results are compared within their rounding. */
    int range;
} tgl_facts;

typedef struct {
    const tgl_kind *kind;
    int ranks;                 /* P */
    tg_layout x, y;            /* without copies; owned */
    tg_store store_x, store_y; /* how the buffers of x, dx and of y, dy lie: row unless in words */
    const tg_dtype *dtype;
    const char *algorithm; /* of its primitives; in words */
    tgl_words words;       /* canonical: every key in the row's order */
    tgl_facts facts;
    void *spec; /* what the layer's file made of the words: one block of malloc, or NULL */
} tgl_problem;

/* One entry of an output by the layer's formula. */
typedef struct {
    double value;
    double scale; /* sum of the magnitudes of its terms, 0: it must be met exactly */
    double terms; /* how many are summed */
} tgl_expected;

/* Tensors of a check: x and dy are inputs; y and dx are outputs; of the parameters the values are
 * inputs and the gradients outputs. */
enum { TGL_X, TGL_Y, TGL_DX, TGL_DY, TGL_PARAMETER };

/* What a row tells of a layer; the rows are listed in table.def. */
struct tgl_kind {
    const char *name;
    const char *summary;
    const char *formula;  /* y = ... */
    const char *backward; /* dx = ... */
    const char *source;
    const char *weak;           /* what weak scaling holds constant */
    const tgl_key *keys;        /* canonical order; ends with a row without name */
    const char *dtypes[4];      /* ends with NULL */
    const char *const *through; /* primitives that it is made of; ends with NULL */
    double backward_factor;     /* flops of backward / flops of forward */
    bool skips_dx; /* it can make its gradients without dx, and saves a forward's flops */
    bool linear;   /* and exact: <dy, y> = <dx, x> + <db, b> is checked */
    /* Local. Fills x, y, words, facts and spec; kind, ranks, dtype and algorithm are there. Errors:
     * TG_BAD_INPUT names the word; what was made is freed by tgl_resolve. */
    tg_status (*resolve)(const tgl_words *words, tgl_problem *problem);
    /* Collective. Errors: the same on every rank, with nothing kept. */
    tg_status (*plan)(MPI_Comm comm, const tgl_problem *problem, tgl_layer **layer);
    /* Local. The entry at `index` of an output (TGL_Y, TGL_DX, TGL_PARAMETER + i) by a plain loop
     * over the inputs. NULL: the layer brings a check of its own. */
    void (*expect)(const tgl_inputs *in, int output, const ptrdiff_t *index, tgl_expected *e);
    /* Local. Channels of the blocks that this rank's kernel is fastest with; 0: rows. NULL: the layer
     * has no wish of its own. */
    int (*block)(const tgl_problem *problem);
    /* Local. Words of the same layer on one rank, for the block of the rank with most: its local kernel
     * alone. NULL: the layer has none worth naming. Errors: TG_NO_MEMORY. */
    tg_status (*alone)(const tgl_problem *problem, tgl_words *words);
};

extern const tgl_kind *const tgl_kinds[];        /* ends with NULL */
const tgl_kind *tgl_kind_find(const char *name); /* NULL: no such layer */

/* Calls: Local. Words for P ranks. Errors: TG_BAD_INPUT names the word and what was expected (an
 * unknown key, one that is missing, ...), TG_NO_MEMORY; the problem is then empty. An empty problem
 * may be freed again. */
tg_status tgl_resolve(const tgl_kind *kind, const tgl_words *words, int P, tgl_problem *problem);
void tgl_problem_free(tgl_problem *problem);

/* Calls: Local. The algorithms that all primitives of a layer know: the index-th, or NULL. */
const char *tgl_algorithm_at(const tgl_kind *kind, int index);

/* Calls: Collective on comm, the same problem everywhere. Parameters begin with their `start`. Errors:
 * as tg_plan; *layer is then NULL. The problem must live as long as the layer. */
tg_status tgl_plan(MPI_Comm comm, const tgl_problem *problem, tgl_layer **layer);

/* ---- affine: y = x W^T + b, W of features_out x features_in on a parts_out x parts_in grid - */

typedef struct {
    ptrdiff_t batch, features_in, features_out;
    int parts_batch;         /* each has the whole grid of the weights: data parallel */
    int parts_out, parts_in; /* grid of the weights, ranks row-major on it, batch slowest */
    /* NULL: x lies with the first part of the outputs, y with that of the inputs. batch, features: x
     * and y are split along that axis over the ranks that share a part of them (tensor parallel);
     * features only with one part of the inputs or of the outputs, both only with parts_batch 1. */
    const char *split;
    const char *ranks;      /* rank list of the grid; NULL: 0, 1, ... */
    const char *from_ranks; /* where x lies; NULL: where it is needed */
    const char *to_ranks;   /* where y lies; NULL: where it is made */
    bool bias;              /* on the grid's first column only */
    const char *kernels;    /* the library of its products: auto, openblas, onednn; NULL: auto */
    const tg_dtype *dtype;  /* f32 or f64 */
    const char *algorithm;  /* of its primitives */
} tgl_affine_spec;

/* Calls: Local. The layouts of x and y of an affine layer for P ranks; shapes 1 x batch x
 * features_in and batch x features_out x 1 (the axis of extent 1 is the one the weights' grid
 * copies). The caller frees them. Errors: TG_BAD_INPUT names the key as in a case (features, grid,
 * from-ranks ...), TG_NO_MEMORY. */
tg_status tgl_affine_layouts(const tgl_affine_spec *spec, int P, tg_layout *x, tg_layout *y);

/* Calls: Collective on comm, the same spec everywhere. Parameters start as zeros. Where x or y
 * already lies as the weights need it (one row, or one column, and the same ranks) it is used in
 * place, without a copy. Errors: as tg_plan. */
tg_status tgl_affine_plan(MPI_Comm comm, const tgl_affine_spec *spec, tgl_layer **layer);

/* ---- any layer ---- */

/* Calls: Collective. Cannot fail, allocate nothing; x and dy are only read. backward takes the x of
 * the last forward again, unchanged: the layer reads that x or the copy it kept of it, so that x is
 * not sent twice. backward writes dx and replaces the gradients of the parameters; it may follow
 * one forward any number of times. */
void tgl_forward(tgl_layer *layer, const void *x, void *y);
void tgl_backward(tgl_layer *layer, const void *x, const void *dy, void *dx);

/* Calls: Collective. backward in two halves, between which all ranks may run other layers, in one order.
 * Behind the first dx is made; the sums of the parameters' gradients are under way, and the gradients
 * are nobody's until the second. The same sums in the same order as tgl_backward. */
void tgl_backward_start(tgl_layer *layer, const void *x, const void *dy, void *dx);
void tgl_backward_finish(tgl_layer *layer);

/* Calls: Collective. y as the trained layer gives it: batch_norm with its running statistics, which
 * stay as they are; other layers as forward. No backward follows it. */
void tgl_infer(tgl_layer *layer, const void *x, void *y);

/* Calls: Local, on every rank of the plan. Nobody wants dx, as of the first layer of a network: from now on
 * backward makes only the gradients, where the kind skips_dx, and does not look at dx. */
void tgl_skip_dx(tgl_layer *layer);

/* Calls: Local. To be called after any change of the parameters' values, on every rank of the plan: a
 * layer keeps what its kernel has made of them (their layout) until then. tgl_fill, tgl_network_init,
 * tgl_optimiser_step and tgl_optimiser_resume do it themselves. */
void tgl_changed(tgl_layer *layer);
void tgl_free(tgl_layer **layer); /* Collective; NULL may be freed */

/* Calls: Local. Floating-point operations of this rank in one call, those of its local kernel: sums
 * inside a communication are not counted. affine, with its block of W out x in: forward 2 batch in
 * out, and batch out more where the bias is added; backward 4 batch in out, and batch out more
 * where the bias is. */
double tgl_flops_forward(const tgl_layer *layer);
double tgl_flops_backward(const tgl_layer *layer);

/* Calls: Local. The library that all ranks' kernels are of, where a layer chooses one (word kernels):
 * openblas, onednn; otherwise NULL. */
const char *tgl_kernels(const tgl_layer *layer);

/* Calls: Local. Parameters of this rank, one after another: index 0, 1, ... ; NULL past the last.
 * box names the entries in the global parameter, dense and row-major in value and gradient. */
typedef struct {
    const char *name; /* weight, bias */
    int number;       /* which of the layer's parameters, the same on every rank */
    ptrdiff_t fan_in; /* terms that an output sums: initial values are up to 1 / sqrt(fan_in) */
    double start;     /* with a fan_in of 0: the initial value of every entry */
    tg_box box;
    void *value, *gradient; /* gradient is NULL: kept by the layer itself, as running means are */
} tgl_parameter;
const tgl_parameter *tgl_parameter_at(const tgl_layer *layer, int index);

/* ---- networks: layers in order ---- */

/* A network is a text: one case of a layer a line, in order; N stands for the batch size, P for the
 * ranks; # begins a comment. Where the output of a layer lies elsewhere than the next one wants it, a
 * repartition is put between. The last layer is the loss. kernels is the word of that name for lines that
 * take it and give none; NULL: none. */
typedef struct tgl_network tgl_network;

/* Calls: Collective, the same text everywhere. Errors: as tg_plan; the text of TG_BAD_INPUT names the
 * line. */
tg_status tgl_network_plan(MPI_Comm comm, const char *text, ptrdiff_t batch, const char *kernels,
                           tgl_network **network);
void tgl_network_free(tgl_network **network); /* Collective; NULL may be freed */

/* What follows from a text, without a plan. */
typedef struct {
    tg_layout x, y;               /* of the first and of the last layer; owned by the caller */
    double flops, flops_backward; /* of all layers */
    double busiest_flops;         /* forward: the sum of each layer's busiest rank */
    int group;                    /* the largest group of any layer */
    ptrdiff_t parameters;         /* entries of all layers */
    ptrdiff_t entries_most;       /* that a rank holds at most: parameters, and each layer's y */
} tgl_network_facts;
/* Calls: Local. For P ranks. Errors: as tgl_network_plan; nothing is then kept. */
tg_status tgl_network_resolve(const char *text, ptrdiff_t batch, const char *kernels, int P,
                              tgl_network_facts *facts);

/* Calls: Local. The index-th layer, its problem, and this rank's x of it; NULL past the last. x of
 * layer 0 is the caller's to fill before forward. */
tgl_layer *tgl_network_layer(const tgl_network *network, int index);
const tgl_problem *tgl_network_problem(const tgl_network *network, int index);
void *tgl_network_x(const tgl_network *network, int index);

/* Calls: Collective. Cannot fail, allocate nothing. forward returns the loss, the same on every rank;
 * backward replaces all gradients; it follows a forward. */
double tgl_network_forward(tgl_network *network);
void tgl_network_backward(tgl_network *network);

/* Calls: Collective. As forward, with tgl_infer of each layer. */
double tgl_network_infer(tgl_network *network);

/* Calls: Local, the same on all ranks. Are the gradients of a layer summed while backward of the layers
 * in front of it runs? At first they are. The gradients have the same bits either way. */
void tgl_network_overlap(tgl_network *network, bool overlap);

/* Calls: Local. Initial values in [-a, a], a = 1 / sqrt(fan_in), made from (seed, layer, parameter,
 * global entry), so that they do not depend on P; what has no fan_in gets its `start`. Source: LeCun,
 * Bottou, Orr, Mueller, Efficient BackProp, 1998. */
void tgl_network_init(tgl_network *network, uint64_t seed);

/* Calls: Local. Entries of all parameters with a gradient on this rank. */
ptrdiff_t tgl_network_parameters(const tgl_network *network);

/* ---- optimisers: what becomes of the parameters ---- */

typedef struct {
    double rate;     /* of learning */
    double momentum; /* of the steps; adam: b1 */
    double second;   /* adam: b2, of the squares */
    double epsilon;  /* adam */
} tgl_rates;

enum { TGL_MOST_STATES = 2 };

/* A rule as a row. t counts the steps from 1; state holds `states` tensors as large as the parameter,
 * zeros at first. */
typedef void tgl_rule_step(const tgl_rates *rates, long t, ptrdiff_t n, const void *gradient,
                           void *const *state, void *value);
typedef struct {
    const char *name, *formula, *source;
    int states;        /* tensors kept of each parameter */
    tgl_rates initial; /* where a user names none */
    tgl_rule_step *step_f32, *step_f64;
} tgl_rule;
extern const tgl_rule tgl_rules[];               /* ends with a row without name */
const tgl_rule *tgl_rule_find(const char *name); /* NULL: no such rule */

typedef struct tgl_optimiser tgl_optimiser;

/* Calls: Collective on the network's comm. The network must live as long. Errors: as tg_plan. */
tg_status tgl_optimiser_make(MPI_Comm comm, const tgl_network *network, const tgl_rule *rule,
                             tgl_optimiser **optimiser);
void tgl_optimiser_free(tgl_optimiser **optimiser); /* Local; NULL may be freed */

/* Calls: Local, on all ranks; allocates nothing. One step with the gradients of the last backward. */
void tgl_optimiser_step(tgl_optimiser *optimiser, const tgl_rates *rates);
/* Calls: Local, on all ranks. So many steps have been made before; what is kept was filled by the caller. */
void tgl_optimiser_resume(tgl_optimiser *optimiser, long steps);

/* A tensor that must be kept so that training can go on: a parameter of a layer, or what the rule
 * keeps of it. */
typedef struct {
    int layer;        /* its place in the network */
    const char *kind; /* of that layer */
    int number;       /* of the layer's parameters */
    int state;        /* -1: the parameter itself */
    const tg_dtype *dtype;
    tg_box whole;
    tg_box box; /* this rank's part, dense and row-major in data; empty: it has none */
    void *data;
} tgl_kept;
/* Calls: Local. The index-th, the same on every rank; false: past the last. */
bool tgl_optimiser_kept(const tgl_optimiser *optimiser, int index, tgl_kept *kept);

/* What a layer must give: x, dy and the parameters are filled with values made from (seed, global
 * entry). Calls: Local. count_wrong returns the entries that differ on this rank, -1 without
 * memory: of y after tgl_forward; of dx and of the gradients after tgl_backward.
 * A layer whose row has `expect` is compared with it entry by entry: all entries while that costs
 * at most 2^24 terms an output, otherwise the first, the last and as many others, drawn by the
 * seed, as that pays for, 64 at least. Its whole numbers must be met exactly, its real numbers
 * within 8 eps sqrt(terms) scale.
 * affine has a check of its own: every entry is looked at. Exact in f32 when sums stay below 2^24: entries are
 * in [-r, r], with r from 8 down to 1 such that n r^2 + r < 2^24, n the largest of batch and
 * features; beyond 2^24 terms r is 1 and the random signs keep the sums small. Cost of affine:
 * about features_in features_out / parts + batch (features_in + features_out) when nothing is
 * wrong. */
void tgl_fill(tgl_layer *layer, uint64_t seed, void *x, void *dy);
ptrdiff_t tgl_count_wrong_forward(const tgl_layer *layer, uint64_t seed, const void *y);
ptrdiff_t tgl_count_wrong_backward(const tgl_layer *layer, uint64_t seed, const void *dx);

/* Calls: Local. c = a b, three square matrices of n rows, dense and row-major, by the named library
 * (openblas, onednn, auto) on this rank: what a layer's kernel can reach at best. Errors: false: no
 * such library in this build, or no product for this type or n. */
bool tgl_multiply(const char *kernels, const tg_dtype *dtype, ptrdiff_t n, const void *a,
                  const void *b, void *c);

/* Calls: Local. The BLAS kernel in use (OpenBLAS's core name), for records. */
const char *tgl_blas_core(void);
/* Calls: Local. What the BLAS library says of its version and its build. */
const char *tgl_blas_config(void);
/* Calls: Local. The words of kernels=: auto, then the libraries of this build; NULL at their end. */
const char *tgl_kernels_at(int index);

/* Calls: Local. The first library that kernels=auto asks: its version, and what it uses of this
 * processor. */
const char *tgl_kernels_library(void);
/* Calls: Local. Threads of the BLAS library: 1 unless set. oneDNN takes as many. */
void tgl_blas_set_threads(int threads);
int tgl_blas_threads(void);

#endif
