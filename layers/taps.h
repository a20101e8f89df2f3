/* taps.h: the window of a convolution or a pooling over the axes of space: which inputs an output
 * sees, and the other way round; for the files of this room only. */
#ifndef TGL_TAPS_H
#define TGL_TAPS_H

#include "layers/kernel.h"
#include "layers/layer.h"

typedef struct {
    int space;                                     /* axes of it: 1 to 3 */
    ptrdiff_t input[TGL_SPACE], output[TGL_SPACE]; /* of the whole tensors; the first `space` */
    ptrdiff_t kernel[TGL_SPACE], stride[TGL_SPACE], padding[TGL_SPACE], dilation[TGL_SPACE];
    bool ceil;
} tgl_taps;

/* Calls: Local. kernel, stride, padding and dilation from the words, and the outputs from them;
 * space and input are there. A missing stride is the kernel with stride_is_kernel, else 1. Errors:
 * TG_BAD_INPUT names the word. */
tg_status tgl_taps_read(const tgl_words *words, const tgl_key *keys, bool stride_is_kernel,
                        tgl_problem *problem, tgl_taps *t);

/* Calls: Local. The window of an axis; the windows of a layout whose first two axes are batch and
 * channels. */
tg_window tgl_taps_window(const tgl_taps *t, int d);
void tgl_taps_widen(const tgl_taps *t, tg_layout *layout);

/* What a kernel is told of space: extents of this rank's boxes, whose axes of space begin at
 * first_x and first_y; the axes that are missing are 1. Fills all but batch, in, out and groups. */
void tgl_taps_shape(const tgl_taps *t, const tg_box *x, int first_x, const tg_box *y, int first_y,
                    tgl_conv_shape *shape);

/* Calls: Local. How many taps a window has; the at-th point of a box of these extents. */
ptrdiff_t tgl_taps_count(const tgl_taps *t);
ptrdiff_t tgl_taps_product(const ptrdiff_t *extent, int axes);
void tgl_taps_point(const ptrdiff_t *extent, int axes, ptrdiff_t at, ptrdiff_t *index);

/* Calls: Local. The input that output q sees through tap k, which may be padding (false then); the
 * output that sees input i through tap k (false: none). */
bool tgl_taps_input(const tgl_taps *t, const ptrdiff_t *q, const ptrdiff_t *k, ptrdiff_t *i);
bool tgl_taps_output(const tgl_taps *t, const ptrdiff_t *i, const ptrdiff_t *k, ptrdiff_t *q);

#endif
