/* kernel.h: what a layer computes on one rank; for the files of this room only.
 *
 * A convolution is planned once for the extents of a rank's block and run many times. The libraries
 * that can do it are rows; each is named in one file. */
#ifndef TGL_KERNEL_H
#define TGL_KERNEL_H

#include "primitives/primitives.h"

enum { TGL_SPACE = 3 }; /* axes of space: 1-D and 2-D have leading axes of extent 1 */

/* A cross-correlation y[n, o, q] = bias[o] + sum over c, k of w[o, c, k] x[n, c', q stride - before
 * + k dilation], c' in the group of o; entries of x outside its extents are 0. Shapes: x is batch x in
 * x input, w is out x in/groups x kernel, y is batch x out x output; dense and row-major. Extents
 * may be 0. */
typedef struct {
    ptrdiff_t batch, in, out, groups;
    ptrdiff_t input[TGL_SPACE], output[TGL_SPACE], kernel[TGL_SPACE];
    ptrdiff_t stride[TGL_SPACE], dilation[TGL_SPACE];
    ptrdiff_t before[TGL_SPACE]; /* entries of padding before the first of x; any sign */
} tgl_conv_shape;

typedef struct tgl_conv tgl_conv;

/* The ways to do it: one row each. */
typedef struct {
    const char *name;
    /* Local. conv->shape and dtype are there; fills conv->own. Errors: TG_NO_MEMORY; TG_BAD_INPUT:
     * not this type or these extents. */
    tg_status (*plan)(tgl_conv *conv);
    /* Local; cannot fail, allocate nothing. They replace their outputs. */
    void (*forward)(tgl_conv *conv, const void *x, const void *w, const void *bias, void *y);
    void (*backward_data)(tgl_conv *conv, const void *dy, const void *w, void *dx);
    void (*backward_weights)(tgl_conv *conv, const void *x, const void *dy, void *dw);
    void (*free)(tgl_conv *conv); /* of own */
} tgl_conv_kernel;

struct tgl_conv {
    const tgl_conv_kernel *kernel;
    tgl_conv_shape shape;
    const tg_dtype *dtype;
    void *own; /* of the kernel */
};

extern const tgl_conv_kernel tgl_conv_openblas;

/* Calls: Local, all. name: a row's, or auto. The calls are those of the row; bias may be NULL.
 * Errors of plan: as the row's, and TG_BAD_INPUT for an unknown name; *conv is then NULL. */
tg_status tgl_conv_plan(const tgl_conv_shape *shape, const tg_dtype *dtype, const char *name,
                        tgl_conv **conv);
void tgl_conv_forward(tgl_conv *conv, const void *x, const void *w, const void *bias, void *y);
void tgl_conv_backward_data(tgl_conv *conv, const void *dy, const void *w, void *dx);
void tgl_conv_backward_weights(tgl_conv *conv, const void *x, const void *dy, void *dw);
void tgl_conv_free(tgl_conv **conv);        /* NULL may be freed */
tg_status tgl_conv_known(const char *name); /* Errors: TG_BAD_INPUT: no row has this name */

/* Products of the extents. */
ptrdiff_t tgl_conv_positions(const tgl_conv_shape *shape); /* of output */
ptrdiff_t tgl_conv_terms(const tgl_conv_shape *shape);     /* in/groups x kernel */

#endif
