/* affine.h: what the files of the affine layers share.
 *
 * The work is dealt out over a grid of (batch, outputs, inputs), in that order. The grid of the
 * weights is that of one part of the batch:
 *
 *   x --broadcast over outputs--> GEMM, + b on the first inputs --sum_reduce over inputs--> y
 *                 weights, bias --broadcast over batch-->
 *
 * affine_sharded deals x out over the parts of the outputs, too, and y over those of the inputs:
 * all_gather and reduce_scatter then do what broadcast and sum_reduce did. */
#ifndef TGL_AFFINE_H
#define TGL_AFFINE_H

#include "layers/kernel.h"
#include "layers/layer.h"

typedef struct {
    tgl_layer base;
    const tg_dtype *dtype;
    tgl_gemm *gemm;
    const tgl_packing *packing; /* of the library of gemm */
    void *packed;               /* the product of forward by it; NULL: none */
    long multiplied;            /* the version of the weights in the last forward; 0: none */
    tgl_weights_seen seen;
    /* Operators; NULL: nothing to copy or to sum, the buffer is used where it lies. */
    tg_op *copy_x;                  /* x to its copies */
    tg_op *sum;                     /* partial y to y */
    tg_op *copy_weight, *copy_bias; /* to the parts of the batch */
    ptrdiff_t rows, in, out;        /* this rank's part of the batch; its block of W is out x in */
    bool has_bias;                  /* the layer */
    bool adds_bias, owns_bias; /* this rank has the first part of the inputs; and of the batch */
    void *x, *y, *dx;          /* copy of x; partial y, then copy of dy; partial dx */
    void *block; /* of the weights, spread for gemm in forward; NULL: used as they lie */
    void *weight, *dweight, *bias, *dbias;      /* copies, and this rank's parts of the gradients */
    tgl_parameter parameter[2];                 /* weight, bias */
    ptrdiff_t batch, features_in, features_out; /* of the whole layer: what the oracle needs */
    tg_box x_box, y_box;                        /* of the caller's x and y */
} tgl_affine_layer;

/* Calls: Collective. Operators and buffers of a layer that is all zeros. Errors: as tg_plan; what was
 * made stays in the layer. */
tg_status tgl_affine_make(MPI_Comm comm, const tgl_affine_spec *spec, tgl_affine_layer *layer);

/* affine.c. Calls: Local. What forward needs of a layer with gemm, packing and extents: packed and block.
 * Errors: TG_NO_MEMORY. */
tg_status tgl_affine_plan_product(tgl_affine_layer *layer);

/* affine_oracle.c: the layer's own check; as tgl_fill and tgl_count_wrong. */
void tgl_affine_fill(tgl_layer *layer, uint64_t seed, void *x, void *dy);
ptrdiff_t tgl_affine_count_wrong_forward(const tgl_layer *layer, uint64_t seed, const void *y);
ptrdiff_t tgl_affine_count_wrong_backward(const tgl_layer *layer, uint64_t seed, const void *dx);

#endif
