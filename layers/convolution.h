/* convolution.h: what convolution.c and convolution_plan.c share.
 *
 * The work of a convolution is dealt out over a grid of (output channels, batch, input channels,
 * space), in that order:
 *
 *   x --broadcast over output channels--> --halo in space--> kernel --sum over input channels--> y
 *                       weights, bias --broadcast over batch and space-->
 *
 * With groups the channel axis of the grid deals out the groups: nothing is copied or summed over
 * channels then. Source: Hewett and Grady, arXiv 2006.03108, section 4. */
#ifndef TGL_CONVOLUTION_H
#define TGL_CONVOLUTION_H

#include "layers/taps.h"

typedef struct {
    ptrdiff_t batch, in, out, groups;
    tgl_taps taps;
    int parts_out, parts_batch, parts_in, parts[TGL_SPACE];
    bool bias;
    /* What is computed while the halo travels: nothing; what costs nothing more; y inside, too. */
    enum { TGL_NO_OVERLAP, TGL_AUTO_OVERLAP, TGL_OVERLAP } overlap;
    char kernels[16];
} tgl_convolution_spec;

enum { TGL_WEIGHT, TGL_BIAS };

typedef struct tgl_convolution_parts tgl_convolution_parts;

typedef struct {
    tgl_layer base;
    const tg_dtype *dtype;
    tgl_conv *conv; /* NULL: this rank is not on the grid */
    /* Operators; NULL: the buffer is used where it lies. */
    tg_op *copy_x, *halo, *sum, *copy_weight, *copy_bias;
    bool overlap;                  /* compute while the halo travels */
    tgl_convolution_parts *inside; /* NULL: y is computed at once, behind the halo */
    MPI_Comm slice; /* of the ranks with one part of the output channels; for the halo */
    /* Copies of x; what the kernel needs of x, and its cotangent; parts of y, then copies of dy;
     * copies of the parameters and parts of their gradients. */
    void *x, *dx, *needed, *dneeded, *y, *weight, *dweight, *bias, *dbias;
    tgl_parameter parameter[2];
} tgl_convolution_layer;

/* Calls: Local. The numbers behind the words; problem->x, y, words and facts. */
tg_status tgl_convolution_resolve(const tgl_words *words, tgl_problem *problem);
tg_status tgl_convolution_alone(const tgl_problem *problem, tgl_words *words);
int tgl_convolution_block(const tgl_problem *problem); /* that the kernels work in; 0: rows */
extern const tgl_key tgl_convolution_keys[];

/* ---- convolution_layout.c; Calls: Local ---- */

int tgl_convolution_space_parts(const tgl_convolution_spec *spec);

/* The copies of x: the whole grid of the work, on these ranks (NULL: the first ones). And x, or y, as
 * the caller has it, on these ranks (NULL: where they are needed without being sent). */
tg_status tgl_convolution_work(const tgl_convolution_spec *spec, const char *ranks, int P,
                               tg_layout *layout);
tg_status tgl_convolution_end(const tgl_convolution_spec *spec, const tg_layout *work,
                              const char *ranks, bool of_y, int P, tg_layout *layout);

/* All layouts of a plan; on failure those that were made. */
typedef struct {
    tg_layout x, copies, needs, partials, y; /* needs: with windows, on the ranks of one slice */
    tg_layout weight, weights, bias, biases;
} tgl_convolution_layouts;
tg_status tgl_convolution_layouts_of(const tgl_problem *problem, tgl_convolution_layouts *l);
void tgl_convolution_free_layouts(tgl_convolution_layouts *l);

/* Calls: Collective. Operators and buffers of a layer that is all zeros. Errors: as tg_plan; what was
 * made stays in the layer. */
tg_status tgl_convolution_make(MPI_Comm comm, const tgl_problem *problem,
                               tgl_convolution_layer *layer);

/* ---- convolution_inside.c: y in two parts, the first of which needs no halo; Calls: Local ---- */

/* Shapes: own, what a rank has of x, and needed, what its kernel reads: batch, channels, space; y as in
 * `partials`. kernels: the row that was chosen; most: the share of y that may be computed twice. *parts
 * is NULL where nothing would be gained: more than that, or all, needs the halo, or the kernel does not
 * take these extents. Errors: TG_NO_MEMORY. */
tg_status tgl_convolution_inside_plan(const tgl_problem *problem, const tg_box *own,
                                      const tg_box *needed, const tg_box *y,
                                      const tgl_conv_shape *whole, const char *kernels, double most,
                                      tgl_convolution_parts **parts);

/* inside: x is that of the box `own`; all of y is written, and right where it needs no halo. border:
 * from the needed x, the rest. */
void tgl_convolution_inside(tgl_convolution_parts *parts, long version, const void *x,
                            const void *w, const void *bias, void *y);
void tgl_convolution_border(tgl_convolution_parts *parts, long version, const void *needed,
                            const void *w, const void *bias, void *y);
void tgl_convolution_inside_drop(tgl_convolution_parts **parts);

/* Calls: Local. One entry by a plain loop. */
void tgl_convolution_expect(const tgl_inputs *in, int output, const ptrdiff_t *index,
                            tgl_expected *e);

#endif
