/* layers.h: distributed layers, each a composition of primitives around a local kernel.
 *
 * A layer is planned once, by all ranks of a communicator together, and then run forward and
 * backward many times. Parameters and their gradients belong to the layer and lie where its formula
 * wants them; inputs and outputs are the caller's: each rank passes the held box of the layer's x
 * and y layouts, dense and row-major. Source: Hewett and Grady, arXiv 2006.03108, section 4. */
#ifndef TGL_LAYERS_H
#define TGL_LAYERS_H

#include "primitives/primitives.h"

typedef struct tgl_layer tgl_layer;

/* What a row tells of a layer; the rows are listed in table.def. */
typedef struct {
    const char *name;
    const char *summary;
    const char *formula;  /* y = ... */
    const char *backward; /* dx = ... */
    const char *source;
    const char *weak; /* what weak scaling holds constant */
} tgl_kind;

extern const tgl_kind *const tgl_kinds[]; /* ends with NULL */

/* ---- affine: y = x W^T + b, W of features_out x features_in on a parts_out x parts_in grid - */

typedef struct {
    ptrdiff_t batch, features_in, features_out;
    int parts_out, parts_in; /* grid of the weights, ranks row-major on it */
    const char *ranks;       /* rank list of the grid; NULL: 0 .. parts_out*parts_in - 1 */
    const char *from_ranks;  /* where x lives, parts_in of them; NULL: the grid's first row */
    const char *to_ranks;    /* where y lives, parts_out of them; NULL: the grid's first column */
    bool bias;               /* on the grid's first column only */
    const tg_dtype *dtype;   /* f32 or f64 */
    const char *algorithm;   /* of its broadcast and sum_reduce */
} tgl_affine_spec;

extern const tgl_kind tgl_affine;

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
void tgl_free(tgl_layer **layer); /* Collective; NULL may be freed */

/* Calls: Local. Floating-point operations of this rank in one call, those of its local kernel: sums
 * inside a communication are not counted. affine, with its block of W out x in: forward 2 batch in
 * out, and batch out more where the bias is added; backward 4 batch in out, and batch out more
 * where the bias is. */
double tgl_flops_forward(const tgl_layer *layer);
double tgl_flops_backward(const tgl_layer *layer);

/* Calls: Local. Parameters of this rank, one after another: index 0, 1, ... ; NULL past the last.
 * box names the entries in the global parameter, dense and row-major in value and gradient. */
typedef struct {
    const char *name; /* weight, bias */
    tg_box box;
    void *value, *gradient;
} tgl_parameter;
const tgl_parameter *tgl_parameter_at(const tgl_layer *layer, int index);

/* What a layer must give: x, dy and the parameters are filled with small integers made from (seed,
 * global entry), on which the arithmetic is exact. Calls: Local. count_wrong returns the entries
 * that differ on this rank, -1 without memory: of y after tgl_forward; of dx and of the gradients
 * after tgl_backward. Every entry is looked at. Exact in f32 when sums stay below 2^24: entries are
 * in [-r, r], with r from 8 down to 1 such that n r^2 + r < 2^24, n the largest of batch and
 * features; beyond 2^24 terms r is 1 and the random signs keep the sums small. Cost of affine:
 * about features_in features_out / parts + batch (features_in + features_out) when nothing is
 * wrong. */
void tgl_fill(tgl_layer *layer, uint64_t seed, void *x, void *dy);
ptrdiff_t tgl_count_wrong_forward(const tgl_layer *layer, uint64_t seed, const void *y);
ptrdiff_t tgl_count_wrong_backward(const tgl_layer *layer, uint64_t seed, const void *dx);

/* Calls: Local. c = a b, three square matrices of n rows, dense and row-major, by the BLAS on this
 * rank: what a layer's kernel can reach at best. Errors: false: no product for this type or n. */
bool tgl_multiply(const tg_dtype *dtype, ptrdiff_t n, const void *a, const void *b, void *c);

/* Calls: Local. The BLAS kernel in use (OpenBLAS's core name), for records. */
const char *tgl_blas_core(void);
/* Calls: Local. What the BLAS library says of its version and its build. */
const char *tgl_blas_config(void);
/* Calls: Local. Threads of the BLAS library: 1 unless set. */
void tgl_blas_set_threads(int threads);
int tgl_blas_threads(void);

#endif
