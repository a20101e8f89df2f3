/* norm.h: what batch_norm and layer_norm share; for the files of this room only.
 *
 *   y = (x - mean) / sqrt(M2 / count + eps) scale + shift
 *
 * count, mean and M2 are those of a group: the entries of x that have one index on the axes that are
 * not reduced. batch_norm reduces batch and space, and each group (a channel) has one scale and
 * shift. layer_norm reduces the last axes, and each entry of a group has its own. Any axis may be
 * split, into parts of any size:
 *
 *   x --moments of each part--> all_gather over the reduced axes --merge--> y
 *   dy --two sums of each part--> all_sum_reduce over the reduced axes --> dx
 *   scale, shift --broadcast to where they are used--> ; gradients come back by its adjoint
 *
 * Sources: Ioffe and Szegedy, arXiv 1502.03167; Ba, Kiros and Hinton, arXiv 1607.06450. */
#ifndef TGL_NORM_H
#define TGL_NORM_H

#include "layers/layer.h"
#include "layers/moments.h"

typedef struct {
    bool reduced[TG_MAX_NDIM]; /* axes of x over which means are taken */
    bool along;                /* scale and shift have the reduced axes; else the others */
    double eps, momentum;
    bool scales;  /* there are scale and shift */
    bool keeps;   /* running statistics are kept in training ... */
    bool applies; /* ... and used in place of those of x: inference */
} tgl_norm_spec;

/* Floating-point operations for an entry of x. */
#define TGL_NORM_FLOPS          8.0
#define TGL_NORM_FLOPS_BACKWARD 12.0

enum { TGL_SCALE, TGL_SHIFT, TGL_RUNNING_MEAN, TGL_RUNNING_VAR, TGL_NORM_PARAMETERS };

typedef struct tgl_norm_layer tgl_norm_layer;

/* The loops over one row, in one element type; norm_rows.c. A row is contiguous and belongs to one
 * group. xhat = (x - mean) inverse; entry i has the scale and shift i `step`. */
typedef struct {
    void (*measure)(ptrdiff_t n, const void *x, tgl_moments *moments);
    void (*normalise)(ptrdiff_t n, double mean, double inverse, const void *scale,
                      const void *shift, ptrdiff_t step, const void *x, void *y);
    /* sums[0] += sum of dy, sums[1] += sum of dy xhat */
    void (*sum)(ptrdiff_t n, double mean, double inverse, const void *x, const void *dy,
                double sums[2]);
    /* The same of dy scale; and dscale[i] += dy xhat, dshift[i] += dy */
    void (*sum_along)(ptrdiff_t n, double mean, double inverse, const void *scale, const void *x,
                      const void *dy, double sums[2], double *dscale, double *dshift);
    /* dx = inverse (dy scale - means[0] - xhat means[1]) */
    void (*spread)(ptrdiff_t n, double mean, double inverse, const void *scale, ptrdiff_t step,
                   const double means[2], const void *x, const void *dy, void *dx);
} tgl_norm_rows;

extern const tgl_norm_rows tgl_norm_rows_f32, tgl_norm_rows_f64;

struct tgl_norm_layer {
    tgl_layer base;
    const tg_dtype *dtype;
    const tgl_norm_rows *row_of_type;
    const tgl_norm_spec *spec;
    tg_op *gather;       /* moments of the other parts of the groups; NULL: one part */
    tg_op *sum;          /* the two sums of backward; NULL: one part */
    tg_op *copy;         /* scale and shift to where they are used; NULL: they lie there */
    tg_op *copy_running; /* running mean and variance, where they are used */
    /* x of this rank: rows of `length` entries; row r belongs to group r % groups */
    ptrdiff_t rows, groups, length, scale_count;
    int outer, inner;       /* parts of the reduced axes before and behind those of the groups */
    tgl_moments *own, *all; /* groups; outer x groups x inner */
    double *mean, *inverse; /* of each group: for backward, too */
    double *sums, *totals;  /* groups x 2, of this part and of all */
    double *gradient;       /* of scale and shift, of this part */
    double count;           /* entries of a whole group */
    /* Scale and shift, one behind the other, and their gradients: where they are owned, and where
     * they are used, one buffer when nothing is copied; the same of running mean and variance. */
    void *owned, *downed, *used, *dused, *running, *running_used;
    bool owns; /* this rank has parameters */
    tgl_parameter parameter[TGL_NORM_PARAMETERS];
};

/* Calls: Collective. Errors: as tg_plan. make: operators and buffers of a layer that is all zeros but
 * for dtype and spec; what was made before a failure stays in it. */
tg_status tgl_norm_plan(MPI_Comm comm, const tgl_problem *problem, tgl_layer **layer);
tg_status tgl_norm_make(MPI_Comm comm, const tgl_problem *problem, tgl_norm_layer *layer);
void tgl_norm_free_buffers(tgl_norm_layer *layer); /* Local */

/* Calls: Local; norm_expect.c. One entry by plain loops; inputs, with running statistics. */
void tgl_norm_expect(const tgl_inputs *in, int output, const ptrdiff_t *index, tgl_expected *e);
void tgl_norm_fill(tgl_layer *layer, uint64_t seed, void *x, void *dy);

#endif
