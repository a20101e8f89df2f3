/* onednn.c: convolution and products by oneDNN; the only file that knows it.
 *
 * oneDNN chooses the layout that it is fastest in for each tensor of a pass. Where that is the
 * caller's, the caller's buffer is used as it is; otherwise the tensor is reordered to a buffer of
 * its own, or from it. Weights are brought over once for each of their versions. Everything is made
 * while planning; a run sets addresses and executes.
 * Source: the C interface of oneDNN 2.6 and of 3.0, dnnl.h. */
#include "layers/blas.h"
#include "layers/kernel.h"

#include <assert.h>
#include <dlfcn.h>
#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One processor, one stream of work in order: for all convolutions of this process, to its end. */
static dnnl_engine_t engine;
static dnnl_stream_t stream;
static int threads; /* that it was told; 0: none yet */

/* ---- what differs between the versions ---- */

/* A format is owned, a format_ref points at one. */
typedef dnnl_memory_desc_t format;

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t format_ref;

static format_ref ref_of(const format *f)
{
    return *f;
}

static dnnl_status_t make_format(format *f, int ndim, const dnnl_dims_t dims, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(f, ndim, dims, dnnl_f32, tag);
}

static void free_format(format *f)
{
    if (*f)
        dnnl_memory_desc_destroy(*f);
}
#else
typedef const dnnl_memory_desc_t *format_ref;

static format_ref ref_of(const format *f)
{
    return f;
}

static dnnl_status_t make_format(format *f, int ndim, const dnnl_dims_t dims, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(f, ndim, dims, dnnl_f32, tag);
}

static void free_format(format *f)
{
    (void)f;
}
#endif

/* The numbers of a convolution as oneDNN wants them: the axes of space that are there, and an axis
 * for the groups. */
typedef struct {
    int ndim;
    bool grouped;
    dnnl_dims_t x, y, weights, bias;
    dnnl_dims_t strides, dilates, before, after;
} numbers;

/* The tensors of a convolution; dx, dy, dw and db have the formats of x, y, w and b. */
enum { X, Y, WEIGHTS, BIAS, TENSORS };
typedef struct {
    format of[TENSORS];
} formats;

#if DNNL_VERSION_MAJOR >= 3
static dnnl_status_t describe_forward(const numbers *n, const formats *f, bool bias,
                                      dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *pd)
{
    return dnnl_convolution_forward_primitive_desc_create(
        pd, engine, dnnl_forward_training, dnnl_convolution_direct, f->of[X], f->of[WEIGHTS],
        bias ? f->of[BIAS] : NULL, f->of[Y], n->strides, n->dilates, n->before, n->after, attr);
}

static dnnl_status_t describe_data(const numbers *n, const formats *f, dnnl_primitive_desc_t hint,
                                   dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *pd)
{
    return dnnl_convolution_backward_data_primitive_desc_create(
        pd, engine, dnnl_convolution_direct, f->of[X], f->of[WEIGHTS], f->of[Y], n->strides,
        n->dilates, n->before, n->after, hint, attr);
}

static dnnl_status_t describe_weights(const numbers *n, const formats *f, bool bias,
                                      dnnl_primitive_desc_t hint, dnnl_primitive_attr_t attr,
                                      dnnl_primitive_desc_t *pd)
{
    return dnnl_convolution_backward_weights_primitive_desc_create(
        pd, engine, dnnl_convolution_direct, f->of[X], f->of[WEIGHTS], bias ? f->of[BIAS] : NULL,
        f->of[Y], n->strides, n->dilates, n->before, n->after, hint, attr);
}
#else
static dnnl_status_t describe_forward(const numbers *n, const formats *f, bool bias,
                                      dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *pd)
{
    dnnl_convolution_desc_t d;
    dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
        &d, dnnl_forward_training, dnnl_convolution_direct, &f->of[X], &f->of[WEIGHTS],
        bias ? &f->of[BIAS] : NULL, &f->of[Y], n->strides, n->dilates, n->before, n->after);
    return status == dnnl_success ? dnnl_primitive_desc_create(pd, &d, attr, engine, NULL) : status;
}

static dnnl_status_t describe_data(const numbers *n, const formats *f, dnnl_primitive_desc_t hint,
                                   dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *pd)
{
    dnnl_convolution_desc_t d;
    dnnl_status_t status = dnnl_dilated_convolution_backward_data_desc_init(
        &d, dnnl_convolution_direct, &f->of[X], &f->of[WEIGHTS], &f->of[Y], n->strides, n->dilates,
        n->before, n->after);
    return status == dnnl_success ? dnnl_primitive_desc_create(pd, &d, attr, engine, hint) : status;
}

static dnnl_status_t describe_weights(const numbers *n, const formats *f, bool bias,
                                      dnnl_primitive_desc_t hint, dnnl_primitive_attr_t attr,
                                      dnnl_primitive_desc_t *pd)
{
    dnnl_convolution_desc_t d;
    dnnl_status_t status = dnnl_dilated_convolution_backward_weights_desc_init(
        &d, dnnl_convolution_direct, &f->of[X], &f->of[WEIGHTS], bias ? &f->of[BIAS] : NULL,
        &f->of[Y], n->strides, n->dilates, n->before, n->after);
    return status == dnnl_success ? dnnl_primitive_desc_create(pd, &d, attr, engine, hint) : status;
}
#endif

/* ---- a convolution as planned ---- */

/* A tensor of a pass, as the caller has it and as the kernel wants it. */
typedef struct {
    dnnl_memory_t users, kernels; /* one and the same where the formats are equal */
    dnnl_primitive_t reorder;     /* from the one to the other; NULL: nothing to do */
    void *buffer;                 /* of kernels */
    bool borrowed;                /* an earlier pass has it, and brought it over */
    long version;                 /* of the weights that were brought over last; 0: none */
} tensor;

/* An argument of a pass. */
typedef struct {
    int id; /* DNNL_ARG_... */
    int of; /* X, Y, WEIGHTS or BIAS */
    bool input;
} role;

enum { ARGUMENTS = 4 }; /* the one of the bias is the last */

static const role forward_roles[] = {{DNNL_ARG_SRC, X, true},
                                     {DNNL_ARG_WEIGHTS, WEIGHTS, true},
                                     {DNNL_ARG_DST, Y, false},
                                     {DNNL_ARG_BIAS, BIAS, true}},
                  data_roles[] = {{DNNL_ARG_DIFF_DST, Y, true},
                                  {DNNL_ARG_WEIGHTS, WEIGHTS, true},
                                  {DNNL_ARG_DIFF_SRC, X, false}},
                  weights_roles[] = {{DNNL_ARG_SRC, X, true},
                                     {DNNL_ARG_DIFF_DST, Y, true},
                                     {DNNL_ARG_DIFF_WEIGHTS, WEIGHTS, false},
                                     {DNNL_ARG_DIFF_BIAS, BIAS, false}};

typedef struct {
    const role *roles;
    int count;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    tensor argument[ARGUMENTS];
    dnnl_exec_arg_t execute[ARGUMENTS + 1]; /* and the scratchpad */
    dnnl_memory_t scratch;
    void *scratch_buffer;
} pass;

typedef struct {
    pass forward, data, weights;
} own;

/* Its threads are OpenMP's, where it was built with that. */
static void take_threads(void)
{
    if (threads != tgl_blas_threads()) {
        void (*set_threads)(int) = NULL;
        *(void **)&set_threads = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
        threads = tgl_blas_threads();
        if (set_threads)
            set_threads(threads);
    }
}

static dnnl_status_t start(void)
{
    dnnl_status_t status = dnnl_success;
    if (!engine)
        status = dnnl_engine_create(&engine, dnnl_cpu, 0);
    if (status == dnnl_success && !stream)
        status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    take_threads();
    return status;
}

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
    numbers n = {.ndim = 2 + TGL_SPACE - first,
                 .grouped = s->groups > 1,
                 .x = {s->batch, s->in},
                 .y = {s->batch, s->out},
                 .bias = {s->out}};
    int w = 0;
    if (n.grouped)
        n.weights[w++] = s->groups;
    n.weights[w++] = s->out / s->groups;
    n.weights[w++] = s->in / s->groups;
    for (int d = first, i = 0; d < TGL_SPACE; d++, i++) {
        n.x[2 + i] = s->input[d];
        n.y[2 + i] = s->output[d];
        n.weights[w + i] = s->kernel[d];
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

/* Formats with these tags; the bias has but one. */
static dnnl_status_t make_formats(const numbers *n, dnnl_format_tag_t x, dnnl_format_tag_t y,
                                  dnnl_format_tag_t weights, formats *f)
{
    dnnl_status_t status = make_format(&f->of[X], n->ndim, n->x, x);
    if (status == dnnl_success)
        status = make_format(&f->of[Y], n->ndim, n->y, y);
    if (status == dnnl_success)
        status = make_format(&f->of[WEIGHTS], n->ndim + n->grouped, n->weights, weights);
    return status == dnnl_success ? make_format(&f->of[BIAS], 1, n->bias, dnnl_a) : status;
}

static void free_formats(formats *f)
{
    for (int i = 0; i < TENSORS; i++)
        free_format(&f->of[i]);
}

/* ---- plan ---- */

static dnnl_status_t make_memory(format_ref f, dnnl_memory_t *memory, void **buffer)
{
    enum { ALIGNMENT = 64 };
    const size_t size = dnnl_memory_desc_get_size(f);
    *buffer = aligned_alloc(ALIGNMENT, (size / ALIGNMENT + 1) * ALIGNMENT);
    return *buffer ? dnnl_memory_create(memory, f, engine, *buffer) : dnnl_out_of_memory;
}

static dnnl_status_t plan_reorder(format_ref from, format_ref to, dnnl_primitive_t *reorder)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status = dnnl_reorder_primitive_desc_create(&pd, from, engine, to, engine, NULL);
    if (status == dnnl_success)
        status = dnnl_primitive_create(reorder, pd);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return status;
}

static dnnl_status_t make_tensor(format_ref users, format_ref kernels, bool input, tensor *t)
{
    dnnl_status_t status = dnnl_memory_create(&t->users, users, engine, DNNL_MEMORY_NONE);
    if (status != dnnl_success || dnnl_memory_desc_equal(users, kernels)) {
        t->kernels = t->users;
        return status;
    }
    status = make_memory(kernels, &t->kernels, &t->buffer);
    if (status != dnnl_success)
        return status;
    return input ? plan_reorder(users, kernels, &t->reorder)
                 : plan_reorder(kernels, users, &t->reorder);
}

static format_ref format_of(const pass *p, int argument)
{
    return dnnl_primitive_desc_query_md(p->description, dnnl_query_exec_arg_md,
                                        p->roles[argument].id);
}

/* What an earlier pass has as an input in the same format is borrowed from it. */
static bool borrow(const pass *earlier, int of, format_ref kernels, tensor *t)
{
    for (int i = 0; i < earlier->count; i++)
        if (earlier->roles[i].input && earlier->roles[i].of == of &&
            dnnl_memory_desc_equal(format_of(earlier, i), kernels)) {
            *t = earlier->argument[i];
            t->borrowed = true;
            return true;
        }
    return false;
}

/* Arguments, scratchpad and primitive of a pass that is described. */
static dnnl_status_t plan_pass(own *o, const formats *users, pass *p)
{
    dnnl_status_t status = dnnl_success;
    for (int i = 0; i < p->count && status == dnnl_success; i++) {
        const role *r = &p->roles[i];
        const bool borrowed =
            r->input &&
            ((p != &o->forward && borrow(&o->forward, r->of, format_of(p, i), &p->argument[i])) ||
             (p == &o->weights && borrow(&o->data, r->of, format_of(p, i), &p->argument[i])));
        if (!borrowed)
            status =
                make_tensor(ref_of(&users->of[r->of]), format_of(p, i), r->input, &p->argument[i]);
        p->execute[i] = (dnnl_exec_arg_t){r->id, p->argument[i].kernels};
    }
    if (status == dnnl_success)
        status =
            make_memory(dnnl_primitive_desc_query_md(p->description, dnnl_query_scratchpad_md, 0),
                        &p->scratch, &p->scratch_buffer);
    p->execute[p->count] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, p->scratch};
    return status == dnnl_success ? dnnl_primitive_create(&p->primitive, p->description) : status;
}

static dnnl_status_t plan_passes(const tgl_conv_shape *s, const numbers *n, const formats *any,
                                 const formats *users, dnnl_primitive_attr_t attr, own *o)
{
    o->forward = (pass){.roles = forward_roles, .count = 3 + s->bias};
    o->data = (pass){.roles = data_roles, .count = 3};
    o->weights = (pass){.roles = weights_roles, .count = 3 + s->bias};
    dnnl_status_t status = describe_forward(n, any, s->bias, attr, &o->forward.description);
    if (status == dnnl_success)
        status = describe_data(n, any, o->forward.description, attr, &o->data.description);
    if (status == dnnl_success)
        status = describe_weights(n, any, s->bias, o->forward.description, attr,
                                  &o->weights.description);
    if (status == dnnl_success)
        status = plan_pass(o, users, &o->forward);
    if (status == dnnl_success)
        status = plan_pass(o, users, &o->data);
    return status == dnnl_success ? plan_pass(o, users, &o->weights) : status;
}

static void free_pass(pass *p)
{
    for (int i = 0; i < p->count; i++) {
        tensor *t = &p->argument[i];
        if (t->borrowed)
            continue;
        if (t->reorder)
            dnnl_primitive_destroy(t->reorder);
        if (t->kernels && t->kernels != t->users)
            dnnl_memory_destroy(t->kernels);
        if (t->users)
            dnnl_memory_destroy(t->users);
        free(t->buffer);
    }
    if (p->primitive)
        dnnl_primitive_destroy(p->primitive);
    if (p->scratch)
        dnnl_memory_destroy(p->scratch);
    if (p->description)
        dnnl_primitive_desc_destroy(p->description);
    free(p->scratch_buffer);
}

static void free_own(tgl_conv *conv)
{
    own *o = conv->own;
    free_pass(&o->weights);
    free_pass(&o->data);
    free_pass(&o->forward);
    free(o);
}

/* With formats of oneDNN's choice, and a scratchpad that is the plan's: a run allocates nothing. */
static dnnl_status_t plan_own(const tgl_conv_shape *s, own *o)
{
    const numbers n = numbers_of(s);
    static const formats none;
    formats any = none, users = none;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status = start();
    if (status == dnnl_success)
        status = dnnl_primitive_attr_create(&attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status =
            make_formats(&n, dnnl_format_tag_any, dnnl_format_tag_any, dnnl_format_tag_any, &any);
    if (status == dnnl_success)
        status = make_formats(&n, tag_of(n.ndim, s->block_x), tag_of(n.ndim, s->block_y),
                              tag_of(n.ndim + n.grouped, 0), &users);
    if (status == dnnl_success)
        status = plan_passes(s, &n, &any, &users, attr, o);
    free_formats(&any);
    free_formats(&users);
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

/* What was planned runs: an error here is ours. */
static void must(dnnl_status_t status)
{
    assert(status == dnnl_success);
    (void)status;
}

static void reorder(const tensor *t, bool input)
{
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, input ? t->users : t->kernels},
                                         {DNNL_ARG_TO, input ? t->kernels : t->users}};
    must(dnnl_primitive_execute(t->reorder, stream, 2, arguments));
}

/* One argument of a pass: where it lies, and an input as the kernel wants it. */
static void bring_argument(pass *p, int i, void *buffer, long version)
{
    tensor *t = &p->argument[i];
    const bool kept = p->roles[i].of == WEIGHTS && t->version == version;
    if (t->borrowed)
        return;
    must(dnnl_memory_set_data_handle(t->users, buffer));
    if (!t->reorder || !p->roles[i].input || kept)
        return;
    reorder(t, true);
    t->version = version;
}

static void run(pass *p, long version, void *const buffers[ARGUMENTS])
{
    for (int i = 0; i < p->count; i++)
        bring_argument(p, i, buffers[i], version);
    must(dnnl_primitive_execute(p->primitive, stream, p->count + 1, p->execute));
    for (int i = 0; i < p->count; i++)
        if (p->argument[i].reorder && !p->roles[i].input)
            reorder(&p->argument[i], false);
    must(dnnl_stream_wait(stream));
}

static void forward(tgl_conv *conv, const void *x, const void *w, const void *bias, void *y)
{
    own *o = conv->own;
    run(&o->forward, conv->version, (void *[ARGUMENTS]){(void *)x, (void *)w, y, (void *)bias});
}

static void bring(tgl_conv *conv, const void *x, const void *w)
{
    own *o = conv->own;
    bring_argument(&o->forward, 0, (void *)x, conv->version);
    bring_argument(&o->forward, 1, (void *)w, conv->version);
    must(dnnl_stream_wait(stream));
}

static void backward_data(tgl_conv *conv, const void *dy, const void *w, void *dx)
{
    own *o = conv->own;
    if (dx)
        run(&o->data, conv->version, (void *[ARGUMENTS]){(void *)dy, (void *)w, dx});
    else
        bring_argument(&o->data, 0, (void *)dy, conv->version);
}

static void backward_weights(tgl_conv *conv, const void *x, const void *dy, void *dw, void *db)
{
    own *o = conv->own;
    run(&o->weights, conv->version, (void *[ARGUMENTS]){(void *)x, (void *)dy, dw, db});
}

/* ---- products ---- */

/* One with nothing to multiply is the BLAS's. */
static void gemm_f32(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, tgl_factor a, tgl_factor b, bool add,
                     void *c, ptrdiff_t row_c)
{
    if (m == 0 || n == 0 || k == 0)
        tgl_gemm_find(tg_dtype_find("f32"))(m, n, k, a, b, add, c, row_c);
    else
        must(dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, 1, a.data,
                        tgl_factor_row(a, m, k), b.data, tgl_factor_row(b, k, n), add ? 1 : 0, c,
                        row_c ? row_c : n));
}

static tgl_gemm *find_gemm(const tg_dtype *dtype)
{
    take_threads();
    return strcmp(dtype->name, "f32") == 0 ? gemm_f32 : NULL;
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
        format f = {0};
        if (make_format(&f, n.ndim, n.y, tag_of(n.ndim, blocks[i])) == dnnl_success &&
            dnnl_memory_desc_equal(ref_of(&f), format_of(&o->forward, 2)))
            found = blocks[i];
        free_format(&f);
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
                                         .gemm = find_gemm};
