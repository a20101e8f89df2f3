/* convolution.c: the layer y = w * x + b, in one to three axes of space, with batch, channels and
 * space split.
 *
 *   forward   x is copied to the parts of the output channels; each gets what its outputs need from
 *             its neighbours in space; weights and bias are copied to all parts of batch and space;
 *             the kernel's y (b added by the first part of the input channels only) are summed over
 *             the parts of the input channels.
 *   backward  the adjoints in reverse: dy is copied, the gradients are summed over batch and space,
 *             dx comes back from the neighbours and is added, and is summed over output channels.
 *   overlap   while the halo is under way: the copies of the parameters, and the outputs that need
 *             nothing of it; while the halo of dx is: dw and db. The sums of the gradients are under
 *             way until `finish`.
 *
 * The operators and the grid: convolution.h. */
#include "layers/convolution.h"

#include <stdlib.h>

/* ---- forward and backward ---- */

/* Where x is after it was copied, and after the halo. */
static const void *copied(const tgl_convolution_layer *c, const void *x)
{
    return c->copy_x ? c->x : x;
}

static const void *needed(const tgl_convolution_layer *c, const void *x)
{
    return c->halo ? c->needed : copied(c, x);
}

static const void *weight_of(const tgl_convolution_layer *c)
{
    return c->copy_weight ? c->weight : c->parameter[TGL_WEIGHT].value;
}

/* What comes before and behind finish is done while the halo's messages are under way; without overlap
 * they are awaited at once. */
static void start_halo(const tgl_convolution_layer *c, const void *x)
{
    tgl_op_start(c->halo, copied(c, x), c->needed);
    if (!c->overlap)
        tgl_op_finish(c->halo);
}

static void start_halo_adjoint(const tgl_convolution_layer *c, void *dcopied)
{
    tgl_op_start_adjoint(c->halo, c->dneeded, dcopied);
    if (!c->overlap)
        tgl_op_finish(c->halo);
}

static void finish_halo(const tgl_convolution_layer *c)
{
    if (c->overlap)
        tgl_op_finish(c->halo);
}

static void forward(tgl_layer *layer, const void *x, void *y)
{
    tgl_convolution_layer *c = (tgl_convolution_layer *)layer;
    const void *bias = c->copy_bias ? c->bias : c->parameter[TGL_BIAS].value;
    void *partial = c->sum ? c->y : y;
    tgl_op_apply(c->copy_x, x, c->x);
    start_halo(c, x);
    tgl_op_apply(c->copy_weight, c->parameter[TGL_WEIGHT].value, c->weight);
    tgl_op_apply(c->copy_bias, c->parameter[TGL_BIAS].value, c->bias);
    if (c->conv)
        c->conv->version = c->base.version;
    if (c->inside)
        tgl_convolution_inside(c->inside, c->base.version, copied(c, x), weight_of(c), bias,
                               partial);
    finish_halo(c);
    if (c->inside) {
        tgl_convolution_border(c->inside, c->base.version, c->needed, weight_of(c), bias, partial);
        tgl_conv_bring(c->conv, c->needed, weight_of(c));
    } else if (c->conv) {
        tgl_conv_forward(c->conv, needed(c, x), weight_of(c), bias, partial);
    }
    tgl_op_apply(c->sum, c->y, y);
}

static void backward(tgl_layer *layer, const void *x, const void *dy, void *dx)
{
    tgl_convolution_layer *c = (tgl_convolution_layer *)layer;
    const void *dy_copy = c->sum ? c->y : dy;
    tgl_parameter *weight = &c->parameter[TGL_WEIGHT], *bias = &c->parameter[TGL_BIAS];
    void *dcopied = c->copy_x ? c->dx : dx, *dneeded = c->halo ? c->dneeded : dcopied;
    const bool skips = c->base.skips_dx;
    tgl_op_apply_adjoint(c->sum, dy, c->y);
    if (c->conv)
        tgl_conv_backward_data(c->conv, dy_copy, weight_of(c), skips ? NULL : dneeded);
    if (!skips)
        start_halo_adjoint(c, dcopied);
    if (c->conv)
        tgl_conv_backward_weights(c->conv, needed(c, x), dy_copy,
                                  c->copy_weight ? c->dweight : weight->gradient,
                                  c->copy_bias ? c->dbias : bias->gradient);
    if (!skips) {
        finish_halo(c);
        tgl_op_apply_adjoint(c->copy_x, c->dx, dx);
    }
    tgl_op_start_adjoint(c->copy_weight, c->dweight, weight->gradient);
    tgl_op_start_adjoint(c->copy_bias, c->dbias, bias->gradient);
}

static void finish(tgl_layer *layer)
{
    tgl_convolution_layer *c = (tgl_convolution_layer *)layer;
    tgl_op_finish(c->copy_weight);
    tgl_op_finish(c->copy_bias);
}

static void free_layer(tgl_layer *layer)
{
    tgl_convolution_layer *c = (tgl_convolution_layer *)layer;
    tg_op **ops[] = {&c->copy_x, &c->halo, &c->sum, &c->copy_weight, &c->copy_bias};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        tg_free(ops[i]);
    if (c->slice != MPI_COMM_NULL)
        MPI_Comm_free(&c->slice);
    tgl_conv_free(&c->conv);
    tgl_convolution_inside_drop(&c->inside);
    void *buffers[] = {c->x,      c->dx,      c->needed, c->dneeded, c->y,
                       c->weight, c->dweight, c->bias,   c->dbias};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        free(buffers[i]);
    for (int i = 0; i < 2; i++) {
        free(c->parameter[i].value);
        free(c->parameter[i].gradient);
    }
    free(c);
}

static const tgl_methods methods = {
    .forward = forward, .backward = backward, .finish = finish, .release = free_layer};

/* ---- plan ---- */

static tg_status plan(MPI_Comm comm, const tgl_problem *problem, tgl_layer **layer)
{
    tgl_convolution_layer *c = calloc(1, sizeof *c);
    tg_status status =
        tg_agree(comm, c ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for a convolution"));
    if (status.code != TG_OK) {
        free(c);
        return status;
    }
    c->base.methods = &methods;
    c->dtype = problem->dtype;
    c->overlap = ((const tgl_convolution_spec *)problem->spec)->overlap != TGL_NO_OVERLAP;
    c->slice = MPI_COMM_NULL;
    status = tgl_convolution_make(comm, problem, c);
    if (status.code == TG_OK)
        *layer = &c->base;
    else
        free_layer(&c->base);
    return status;
}

static const char *const through[] = {"broadcast", "sum_reduce", "halo", NULL};

const tgl_kind tgl_convolution = {
    .name = "convolution",
    .summary = "convolution in 1 to 3 axes of space; batch, channels and space split",
    .formula = "y[n,o,q] = b[o] + sum over c, k of w[o,c,k] x[n,c,q stride - padding + k dilation]",
    .backward = "dx, dw: the adjoints of y in x and in w; db = sum of dy over batch and space",
    .source = "Hewett and Grady, arXiv 2006.03108, section 4",
    .weak = "flops of each rank: its block of the outputs and of the input channels",
    .keys = tgl_convolution_keys,
    .dtypes = {"f32", "f64"},
    .through = through,
    .backward_factor = 2,
    .skips_dx = true,
    .linear = true,
    .resolve = tgl_convolution_resolve,
    .plan = plan,
    .expect = tgl_convolution_expect,
    .block = tgl_convolution_block,
    .alone = tgl_convolution_alone,
};
