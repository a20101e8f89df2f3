/* onednn_convolution.c: convolution by oneDNN, and its row of kernels. */
#include "layers/onednn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The numbers of a convolution as oneDNN wants them: the axes of space that are there, and an axis
 * for the groups. */
typedef struct {
    tgl_extents of;
    dnnl_dims_t strides, dilates, before, after;
} numbers;

#if DNNL_VERSION_MAJOR >= 3
static dnnl_status_t describe_forward(const numbers *n, const tgl_formats *f, bool bias,
                                      dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *pd)
{
    return dnnl_convolution_forward_primitive_desc_create(
        pd, tgl_onednn_engine(), dnnl_forward_training, dnnl_convolution_direct,
        f->of[TGL_TENSOR_X], f->of[TGL_TENSOR_WEIGHTS], bias ? f->of[TGL_TENSOR_BIAS] : NULL,
        f->of[TGL_TENSOR_Y], n->strides, n->dilates, n->before, n->after, attr);
}

static dnnl_status_t describe_data(const numbers *n, const tgl_formats *f,
                                   dnnl_primitive_desc_t hint, dnnl_primitive_attr_t attr,
                                   dnnl_primitive_desc_t *pd)
{
    return dnnl_convolution_backward_data_primitive_desc_create(
        pd, tgl_onednn_engine(), dnnl_convolution_direct, f->of[TGL_TENSOR_X],
        f->of[TGL_TENSOR_WEIGHTS], f->of[TGL_TENSOR_Y], n->strides, n->dilates, n->before, n->after,
        hint, attr);
}

static dnnl_status_t describe_weights(const numbers *n, const tgl_formats *f, bool bias,
                                      dnnl_primitive_desc_t hint, dnnl_primitive_attr_t attr,
                                      dnnl_primitive_desc_t *pd)
{
    return dnnl_convolution_backward_weights_primitive_desc_create(
        pd, tgl_onednn_engine(), dnnl_convolution_direct, f->of[TGL_TENSOR_X],
        f->of[TGL_TENSOR_WEIGHTS], bias ? f->of[TGL_TENSOR_BIAS] : NULL, f->of[TGL_TENSOR_Y],
        n->strides, n->dilates, n->before, n->after, hint, attr);
}
#else
static dnnl_status_t describe_forward(const numbers *n, const tgl_formats *f, bool bias,
                                      dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *pd)
{
    dnnl_convolution_desc_t d;
    dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
        &d, dnnl_forward_training, dnnl_convolution_direct, &f->of[TGL_TENSOR_X],
        &f->of[TGL_TENSOR_WEIGHTS], bias ? &f->of[TGL_TENSOR_BIAS] : NULL, &f->of[TGL_TENSOR_Y],
        n->strides, n->dilates, n->before, n->after);
    return status == dnnl_success
               ? dnnl_primitive_desc_create(pd, &d, attr, tgl_onednn_engine(), NULL)
               : status;
}

static dnnl_status_t describe_data(const numbers *n, const tgl_formats *f,
                                   dnnl_primitive_desc_t hint, dnnl_primitive_attr_t attr,
                                   dnnl_primitive_desc_t *pd)
{
    dnnl_convolution_desc_t d;
    dnnl_status_t status = dnnl_dilated_convolution_backward_data_desc_init(
        &d, dnnl_convolution_direct, &f->of[TGL_TENSOR_X], &f->of[TGL_TENSOR_WEIGHTS],
        &f->of[TGL_TENSOR_Y], n->strides, n->dilates, n->before, n->after);
    return status == dnnl_success
               ? dnnl_primitive_desc_create(pd, &d, attr, tgl_onednn_engine(), hint)
               : status;
}

static dnnl_status_t describe_weights(const numbers *n, const tgl_formats *f, bool bias,
                                      dnnl_primitive_desc_t hint, dnnl_primitive_attr_t attr,
                                      dnnl_primitive_desc_t *pd)
{
    dnnl_convolution_desc_t d;
    dnnl_status_t status = dnnl_dilated_convolution_backward_weights_desc_init(
        &d, dnnl_convolution_direct, &f->of[TGL_TENSOR_X], &f->of[TGL_TENSOR_WEIGHTS],
        bias ? &f->of[TGL_TENSOR_BIAS] : NULL, &f->of[TGL_TENSOR_Y], n->strides, n->dilates,
        n->before, n->after);
    return status == dnnl_success
               ? dnnl_primitive_desc_create(pd, &d, attr, tgl_onednn_engine(), hint)
               : status;
}
#endif

static const tgl_role data_roles[] = {{DNNL_ARG_DIFF_DST, TGL_TENSOR_Y, true},
                                      {DNNL_ARG_WEIGHTS, TGL_TENSOR_WEIGHTS, true},
                                      {DNNL_ARG_DIFF_SRC, TGL_TENSOR_X, false}},
                      weights_roles[] = {{DNNL_ARG_SRC, TGL_TENSOR_X, true},
                                         {DNNL_ARG_DIFF_DST, TGL_TENSOR_Y, true},
                                         {DNNL_ARG_DIFF_WEIGHTS, TGL_TENSOR_WEIGHTS, false},
                                         {DNNL_ARG_DIFF_BIAS, TGL_TENSOR_BIAS, false}};

typedef struct {
    tgl_pass forward, data, weights;
} own;

/* ---- numbers and formats ---- */

static bool is_missing(const tgl_conv_shape *s, int d)
{
    return s->input[d] == 1 && s->output[d] == 1 && s->kernel[d] == 1 && s->stride[d] == 1 &&
           s->before[d] == 0;
}

static numbers numbers_of(const tgl_conv_shape *s)
{
    int first = 0;
    while (first < TGL_SPACE - 1 && is_missing(s, first))
        first++;
    const bool grouped = s->groups > 1;
    const int ndim = 2 + TGL_SPACE - first;
    numbers n = {.of = {.ndim = ndim,
                        .weights_ndim = ndim + grouped,
                        .x = {s->batch, s->in},
                        .y = {s->batch, s->out},
                        .bias = {s->out}}};
    int w = 0;
    if (grouped)
        n.of.weights[w++] = s->groups;
    n.of.weights[w++] = s->out / s->groups;
    n.of.weights[w++] = s->in / s->groups;
    for (int d = first, i = 0; d < TGL_SPACE; d++, i++) {
        n.of.x[2 + i] = s->input[d];
        n.of.y[2 + i] = s->output[d];
        n.of.weights[w + i] = s->kernel[d];
        n.strides[i] = s->stride[d];
        n.dilates[i] = s->dilation[d] - 1;
        n.before[i] = s->before[d];
        n.after[i] = (s->output[d] - 1) * s->stride[d] + (s->kernel[d] - 1) * s->dilation[d] + 1 -
                     s->input[d] - s->before[d];
    }
    return n;
}

static dnnl_format_tag_t tag_of(int ndim, int block)
{
    static const dnnl_format_tag_t rows[] = {dnnl_a,    dnnl_ab,    dnnl_abc,
                                             dnnl_abcd, dnnl_abcde, dnnl_abcdef},
                                   by_8[] = {dnnl_aBc8b, dnnl_aBcd8b, dnnl_aBcde8b},
                                   by_16[] = {dnnl_aBc16b, dnnl_aBcd16b, dnnl_aBcde16b};
    return block == 0 ? rows[ndim - 1] : block == 8 ? by_8[ndim - 3] : by_16[ndim - 3];
}

/* ---- plan ---- */

static dnnl_status_t plan_passes(const tgl_conv_shape *s, const numbers *n, const tgl_formats *any,
                                 const tgl_formats *users, dnnl_primitive_attr_t attr, own *o)
{
    o->forward = (tgl_pass){.roles = tgl_forward_roles, .count = 3 + s->bias};
    o->data = (tgl_pass){.roles = data_roles, .count = 3};
    o->weights = (tgl_pass){.roles = weights_roles, .count = 3 + s->bias};
    dnnl_status_t status = describe_forward(n, any, s->bias, attr, &o->forward.description);
    if (status == dnnl_success)
        status = describe_data(n, any, o->forward.description, attr, &o->data.description);
    if (status == dnnl_success)
        status = describe_weights(n, any, s->bias, o->forward.description, attr,
                                  &o->weights.description);
    if (status == dnnl_success)
        status = tgl_pass_plan(users, (const tgl_pass *[]){NULL}, &o->forward);
    if (status == dnnl_success)
        status = tgl_pass_plan(users, (const tgl_pass *[]){&o->forward, NULL}, &o->data);
    return status == dnnl_success
               ? tgl_pass_plan(users, (const tgl_pass *[]){&o->forward, &o->data, NULL},
                               &o->weights)
               : status;
}

static void free_own(tgl_conv *conv)
{
    own *o = conv->own;
    tgl_pass_free(&o->weights);
    tgl_pass_free(&o->data);
    tgl_pass_free(&o->forward);
    free(o);
}

/* With formats of oneDNN's choice. */
static dnnl_status_t plan_own(const tgl_conv_shape *s, own *o)
{
    const numbers n = numbers_of(s);
    static const tgl_formats none;
    tgl_formats any = none, users = none;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status = tgl_onednn_start(&attr);
    if (status == dnnl_success)
        status = tgl_formats_make(&n.of, dnnl_format_tag_any, dnnl_format_tag_any,
                                  dnnl_format_tag_any, &any);
    if (status == dnnl_success)
        status =
            tgl_formats_make(&n.of, tag_of(n.of.ndim, s->block_x), tag_of(n.of.ndim, s->block_y),
                             tag_of(n.of.weights_ndim, 0), &users);
    if (status == dnnl_success)
        status = plan_passes(s, &n, &any, &users, attr, o);
    tgl_formats_free(&any);
    tgl_formats_free(&users);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return status;
}

static tg_status plan(tgl_conv *conv)
{
    if (strcmp(conv->dtype->name, "f32") != 0)
        return tg_fail(TG_BAD_INPUT, "kernels=onednn: dtype=%s; expected f32", conv->dtype->name);
    conv->own = calloc(1, sizeof(own));
    if (!conv->own)
        return tg_fail(TG_NO_MEMORY, "no memory for a convolution");
    const dnnl_status_t status = plan_own(&conv->shape, conv->own);
    if (status == dnnl_success)
        return tg_success();
    free_own(conv);
    if (status == dnnl_out_of_memory)
        return tg_fail(TG_NO_MEMORY, "no memory for a convolution");
    return tg_fail(TG_BAD_INPUT,
                   "kernels=onednn: oneDNN has no convolution for these extents (its status %d); "
                   "expected others, or kernels=openblas",
                   (int)status);
}

/* ---- runs ---- */

static void forward(tgl_conv *conv, const void *x, const void *w, const void *bias, void *y)
{
    own *o = conv->own;
    tgl_pass_run(&o->forward, conv->version,
                 (void *[TGL_ARGUMENTS]){(void *)x, (void *)w, y, (void *)bias});
}

static void bring(tgl_conv *conv, const void *x, const void *w)
{
    own *o = conv->own;
    tgl_pass_bring(&o->forward, 0, (void *)x, conv->version);
    tgl_pass_bring(&o->forward, 1, (void *)w, conv->version);
    tgl_pass_wait();
}

static void backward_data(tgl_conv *conv, const void *dy, const void *w, void *dx)
{
    own *o = conv->own;
    if (dx)
        tgl_pass_run(&o->data, conv->version, (void *[TGL_ARGUMENTS]){(void *)dy, (void *)w, dx});
    else
        tgl_pass_bring(&o->data, 0, (void *)dy, conv->version);
}

static void backward_weights(tgl_conv *conv, const void *x, const void *dy, void *dw, void *db)
{
    own *o = conv->own;
    tgl_pass_run(&o->weights, conv->version,
                 (void *[TGL_ARGUMENTS]){(void *)x, (void *)dy, dw, db});
}

/* ---- facts ---- */

/* The blocks of y that oneDNN chooses for a convolution with many channels. */
static int block(const tg_dtype *dtype)
{
    static const int blocks[] = {8, 16};
    const tgl_conv_shape s = {.batch = 1,
                              .in = 64,
                              .out = 64,
                              .groups = 1,
                              .input = {1, 16, 16},
                              .output = {1, 14, 14},
                              .kernel = {1, 3, 3},
                              .stride = {1, 1, 1},
                              .dilation = {1, 1, 1}};
    tgl_conv conv = {.shape = s, .dtype = dtype};
    tg_status status = plan(&conv);
    int found = 0;
    if (status.code != TG_OK)
        return 0;
    const own *o = conv.own;
    const numbers n = numbers_of(&s);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        tgl_format f = {0};
        if (tgl_format_make(&f, n.of.ndim, n.of.y, tag_of(n.of.ndim, blocks[i])) == dnnl_success &&
            dnnl_memory_desc_equal(tgl_format_refer(&f), tgl_pass_format(&o->forward, 2)))
            found = blocks[i];
        tgl_format_free(&f);
    }
    free_own(&conv);
    return found;
}

static const char *library(void)
{
    static char text[64];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "oneDNN %d.%d.%d, instruction set 0x%x", v->major, v->minor,
             v->patch, (unsigned)dnnl_get_effective_cpu_isa());
    return text;
}

const tgl_conv_kernel tgl_conv_onednn = {.name = "onednn",
                                         .plan = plan,
                                         .forward = forward,
                                         .bring = bring,
                                         .backward_data = backward_data,
                                         .backward_weights = backward_weights,
                                         .release = free_own,
                                         .block = block,
                                         .library = library,
                                         .gemm = tgl_onednn_gemm,
                                         .packing = &tgl_onednn_packing};
