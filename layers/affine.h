/* affine.h: what affine.c and the check of its results share. */
#ifndef TGL_AFFINE_H
#define TGL_AFFINE_H

#include "layers/blas.h"
#include "layers/layer.h"

typedef struct {
    tgl_layer base;
    const tg_dtype *dtype;
    tgl_gemm *gemm;
    tg_op *broadcast;         /* x to its copies; NULL: nothing to copy, x is used where it lies */
    tg_op *sum;               /* partial y to y; NULL: nothing to sum, y is made where it lies */
    ptrdiff_t batch, in, out; /* this rank's block of W is out x in */
    bool has_bias, adds_bias; /* there is one; and this rank is on the first column */
    void *x, *y, *dx;         /* copy of x; partial y, then copy of dy; partial dx */
    tgl_parameter parameter[2];          /* weight, bias */
    ptrdiff_t features_in, features_out; /* of the whole layer: what the oracle needs */
    tg_box x_box, y_box;                 /* of the caller's x and y */
} tgl_affine_layer;

/* affine_oracle.c: the layer's own check; as tgl_fill and tgl_count_wrong. */
void tgl_affine_fill(tgl_layer *layer, uint64_t seed, void *x, void *dy);
ptrdiff_t tgl_affine_count_wrong_forward(const tgl_layer *layer, uint64_t seed, const void *y);
ptrdiff_t tgl_affine_count_wrong_backward(const tgl_layer *layer, uint64_t seed, const void *dx);

#endif
