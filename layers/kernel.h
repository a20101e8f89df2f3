/* kernel.h: what a layer computes on one rank; for the files of this room only.
 *
 * The libraries that can do it are rows; each is named in one file. A product of matrices is a call; a
 * convolution is planned once for the extents of a rank's block and run many times. A buffer lies in
 * rows, or in blocks of channels as in primitives/store.h: where the last block is not full, its rest is
 * the tail. Tails of inputs are zeros, and zeros are all that is written to the tails of outputs. */
#ifndef TGL_KERNEL_H
#define TGL_KERNEL_H

#include "layers/blas.h"
#include "primitives/primitives.h"

enum { TGL_SPACE = 3 }; /* axes of space: 1-D and 2-D have leading axes of extent 1 */

/* A cross-correlation y[n, o, q] = bias[o] + sum over c, k of w[o, c, k] x[n, c', q stride - before
 * + k dilation], c' in the group of o; entries of x outside its extents are 0. Shapes: x is batch x in
 * x input, w is out x in/groups x kernel, y is batch x out x output; w is dense and row-major, x and y
 * lie in blocks of so many channels (0: in rows). Extents may be 0. */
typedef struct {
    ptrdiff_t batch, in, out, groups;
    ptrdiff_t input[TGL_SPACE], output[TGL_SPACE], kernel[TGL_SPACE];
    ptrdiff_t stride[TGL_SPACE], dilation[TGL_SPACE];
    ptrdiff_t before[TGL_SPACE]; /* entries of padding before the first of x; any sign */
    int block_x, block_y;
    bool bias;
} tgl_conv_shape;

typedef struct tgl_conv tgl_conv;

/* y = x W^T + bias in the layout of W that a library is fastest with: x is rows x in, W out x in, y
 * rows x out, each in rows. */
typedef struct {
    /* Local. NULL: not with these extents (all at least 1), or W is best as it lies. */
    void *(*plan)(ptrdiff_t rows, ptrdiff_t in, ptrdiff_t out, bool bias);
    /* Local; cannot fail, allocates nothing. W is brought over once for each of its versions. */
    void (*forward)(void *packed, long version, const void *x, const void *w, const void *bias,
                    void *y);
    void (*release)(void *packed); /* NULL may be released */
} tgl_packing;

/* In a build with asserts, of the weights that were brought over last: their version and checksum. */
typedef struct {
    long version;
    uint32_t checksum;
} tgl_weights_seen;

/* The ways to do it: one row each. */
typedef struct {
    const char *name;
    /* Local. conv->shape and dtype are there; fills conv->own. Errors: TG_NO_MEMORY; TG_BAD_INPUT:
     * not this type or these extents. */
    tg_status (*plan)(tgl_conv *conv);
    /* Local; cannot fail, allocate nothing. They replace their outputs. forward comes first; then
     * backward_data with the w of that forward; then backward_weights with its x and the dy of
     * backward_data: what a kernel has made of them it may use again, and what it has made of w until
     * conv->version is another one. dx is NULL where nobody wants it. bias and db are not looked at
     * without a bias. bring stands for a forward whose y others compute: x and w are there for
     * backward. NULL: it needs nothing of it. */
    void (*forward)(tgl_conv *conv, const void *x, const void *w, const void *bias, void *y);
    void (*bring)(tgl_conv *conv, const void *x, const void *w);
    void (*backward_data)(tgl_conv *conv, const void *dy, const void *w, void *dx);
    void (*backward_weights)(tgl_conv *conv, const void *x, const void *dy, void *dw, void *db);
    void (*release)(tgl_conv *conv); /* of own */
    /* Local. Channels of the blocks that it works in on this machine; 0: rows. */
    int (*block)(const tg_dtype *dtype);
    const char *(*library)(void); /* Local. Name, version, what it uses of this processor */
    tgl_gemm *(*gemm)(const tg_dtype *dtype); /* Local. Its product; NULL: none for this type */
    const tgl_packing *packing;               /* of the same types; NULL: none */
} tgl_conv_kernel;

struct tgl_conv {
    const tgl_conv_kernel *kernel;
    tgl_conv_shape shape;
    const tg_dtype *dtype;
    long version; /* of the values in w: the caller's count of their changes, from 1 */
    tgl_weights_seen seen;
    void *own; /* of the kernel */
};

extern const tgl_conv_kernel tgl_conv_onednn; /* only where the library was found */
extern const tgl_conv_kernel tgl_conv_openblas;

/* Calls: Collective on comm. name: a row's, or auto: the first row that every rank's block can be
 * done with. shape is NULL on a rank without a block. *chosen is the row's name, *conv NULL without a
 * block. Errors: the same on every rank: as the row's, and TG_BAD_INPUT for an unknown name. */
tg_status tgl_conv_plan(MPI_Comm comm, const tgl_conv_shape *shape, const tg_dtype *dtype,
                        const char *name, const char **chosen, tgl_conv **conv);

/* Calls: Local. The product of the named row (auto: of the first one that has one) and that row.
 * Errors: TG_BAD_INPUT: no row has this name, or no product for this type. */
tg_status tgl_gemm_choose(const char *name, const tg_dtype *dtype, const tgl_conv_kernel **chosen,
                          tgl_gemm **gemm);

/* Calls: Local. In a build with asserts: weights of one version are the same bytes, or tgl_changed was
 * forgotten. Else nothing. */
void tgl_weights_check(tgl_weights_seen *seen, long version, const void *w, ptrdiff_t size);

/* Calls: Local. Channels of the blocks that the named row (auto: the first one) works in. */
int tgl_conv_block(const char *name, const tg_dtype *dtype);

/* Calls: Local. As the row's; NULL may be freed. */
void tgl_conv_forward(tgl_conv *conv, const void *x, const void *w, const void *bias, void *y);
void tgl_conv_bring(tgl_conv *conv, const void *x, const void *w);
void tgl_conv_backward_data(tgl_conv *conv, const void *dy, const void *w, void *dx);
void tgl_conv_backward_weights(tgl_conv *conv, const void *x, const void *dy, void *dw, void *db);
void tgl_conv_free(tgl_conv **conv);
tg_status tgl_conv_known(const char *name); /* Errors: TG_BAD_INPUT: no row has this name */

/* ---- blocks.c: rows to blocks of channels and back; Calls: Local ---- */

/* A dense tensor of batch x channels x positions. */
typedef struct {
    ptrdiff_t batch, channels, positions;
} tgl_images;

tgl_images tgl_images_of(const tg_box *box); /* batch, channels, and axes of positions */
void tgl_to_blocks(const tgl_images *images, int block, size_t size, const void *rows,
                   void *blocks);
void tgl_from_blocks(const tgl_images *images, int block, size_t size, const void *blocks,
                     void *rows);
void tgl_clear_tails(const tgl_images *images, int block, size_t size, void *blocks);

/* Products of the extents. */
ptrdiff_t tgl_conv_positions(const tgl_conv_shape *shape); /* of output */
ptrdiff_t tgl_conv_terms(const tgl_conv_shape *shape);     /* in/groups x kernel */

#endif
