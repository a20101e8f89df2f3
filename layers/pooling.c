/* pooling.c: the largest, or the mean, of each window of every channel.
 *
 *   forward   each rank gets what its outputs need from its neighbours (halo); then its windows
 *   backward  dy goes to the largest entry of its window (the first one of equals), or in equal
 *             parts to all; the halo's adjoint adds what neighbours got.
 *
 * Batch, channels and space may be split. Padding is no entry to max_pool; avg_pool counts it in its
 * divisor with count-padding=yes, but never what a window has beyond the padding (ceil=yes). */
#include "layers/taps.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct pooling pooling;

typedef struct {
    ptrdiff_t batch, channels;
    tgl_taps taps;
    bool count_padding;
} spec;

struct pooling {
    tgl_layer base;
    const tg_dtype *dtype;
    tg_op *halo; /* NULL: x is used where it lies */
    void *needed, *dneeded;
    tgl_conv_shape shape; /* of this rank; batch counts images and channels, or blocks of them */
    int32_t *taken;       /* max_pool: the entry of its image that each output took, -1: none */
    double *share;        /* avg_pool: 1 / divisor of each output of an image */
    tgl_images images;    /* y, in blocks of so many channels; 0: in rows */
    int block;
    /* One image and channel (or block); the output's number in all of them is where `taken` is kept. */
    void (*forward)(const pooling *p, const void *x, void *y, ptrdiff_t first);
    void (*backward)(const pooling *p, const void *dy, void *dx, ptrdiff_t first);
};

/* ---- windows of one image ---- */

/* The taps [lo, hi) of output q on an axis that see an entry of this rank's x; x begins at start. */
typedef struct {
    ptrdiff_t lo, hi, start;
} seen;

static seen seen_of(const tgl_conv_shape *s, int d, ptrdiff_t q)
{
    seen v = {.start = q * s->stride[d] - s->before[d]};
    const ptrdiff_t step = s->dilation[d], room = s->input[d] - v.start;
    v.lo = v.start < 0 ? (-v.start + step - 1) / step : 0;
    v.hi = room <= 0 ? 0 : (room + step - 1) / step;
    v.hi = v.hi < s->kernel[d] ? v.hi : s->kernel[d];
    return v;
}

/* The outputs [lo, hi) of a row whose tap k sees an entry; that of output q is `first` + q stride. */
typedef struct {
    ptrdiff_t lo, hi, first;
} run;

static run run_of(const tgl_conv_shape *s, ptrdiff_t k)
{
    run r = {.first = k * s->dilation[2] - s->before[2]};
    const ptrdiff_t stride = s->stride[2], room = s->input[2] - r.first;
    r.lo = r.first < 0 ? (-r.first + stride - 1) / stride : 0;
    r.hi = room <= 0 ? 0 : (room + stride - 1) / stride;
    r.hi = r.hi < s->output[2] ? r.hi : s->output[2];
    return r;
}

/* For all rows of outputs of an image: `row` is the place of the first one. */
#define FOR_ROWS(s, row)                                                                           \
    for (ptrdiff_t row = 0, q0 = 0; q0 < (s)->output[0]; q0++)                                     \
        for (ptrdiff_t q1 = 0; q1 < (s)->output[1]; q1++, row += (s)->output[2])

/* For all taps of a row, and all its outputs that see an entry there: `entry` is its place in the image. A
 * tap is done for the whole row at once, so that the innermost loop has no branches. */
#define FOR_SEEN(s, q, entry)                                                                      \
    for (seen v0 = seen_of(s, 0, q0), v1 = seen_of(s, 1, q1), *once = &v0; once; once = NULL)      \
        for (ptrdiff_t k0 = v0.lo; k0 < v0.hi; k0++)                                               \
            for (ptrdiff_t k1 = v1.lo; k1 < v1.hi; k1++)                                           \
                for (ptrdiff_t k2 = 0; k2 < (s)->kernel[2]; k2++)                                  \
                    for (run r = run_of(s, k2), *again = &r; again; again = NULL)                  \
                        for (ptrdiff_t q = r.lo, entry = ((v0.start + k0 * (s)->dilation[0]) *     \
                                                              (s)->input[1] +                      \
                                                          v1.start + k1 * (s)->dilation[1]) *      \
                                                             (s)->input[2] +                       \
                                                         r.first + r.lo * (s)->stride[2];          \
                             q < r.hi; q++, entry += (s)->stride[2])

#define FOR_LANES(lanes) for (ptrdiff_t c = 0; c < (lanes); c++)

/* The functions of one element type and of so many channels that lie next to each other. */
#define POOL(type, lanes, suffix)                                                                  \
    static void max_forward_##suffix(const pooling *p, const void *from, void *to,                 \
                                     ptrdiff_t first)                                              \
    {                                                                                              \
        const type *restrict x = from;                                                             \
        const ptrdiff_t width = p->shape.output[2] * (lanes);                                      \
        FOR_ROWS(&p->shape, row)                                                                   \
        {                                                                                          \
            type *restrict most = (type *)to + row * (lanes);                                      \
            int32_t *restrict taken = p->taken + (first + row) * (lanes);                          \
            for (ptrdiff_t i = 0; i < width; i++)                                                  \
                most[i] = (type) - INFINITY, taken[i] = -1;                                        \
            FOR_SEEN(&p->shape, q, entry)                                                          \
            FOR_LANES(lanes)                                                                       \
            {                                                                                      \
                const type value = x[entry * (lanes) + c], before = most[q * (lanes) + c];         \
                const int32_t place = (int32_t)(entry * (lanes) + c),                              \
                              old = taken[q * (lanes) + c];                                        \
                const bool takes = (value > before) | (old < 0) | isnan(value);                    \
                most[q * (lanes) + c] = takes ? value : before;                                    \
                taken[q * (lanes) + c] = takes ? place : old;                                      \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void max_backward_##suffix(const pooling *p, const void *from, void *to,                \
                                      ptrdiff_t first)                                             \
    {                                                                                              \
        const type *dy = from;                                                                     \
        type *dx = to;                                                                             \
        const ptrdiff_t outputs = tgl_conv_positions(&p->shape) * (lanes);                         \
        for (ptrdiff_t at = 0; at < outputs; at++)                                                 \
            if (p->taken[first * (lanes) + at] >= 0)                                               \
                dx[p->taken[first * (lanes) + at]] += dy[at];                                      \
    }                                                                                              \
    static void avg_forward_##suffix(const pooling *p, const void *from, void *to,                 \
                                     ptrdiff_t first)                                              \
    {                                                                                              \
        const type *restrict x = from;                                                             \
        (void)first;                                                                               \
        FOR_ROWS(&p->shape, row)                                                                   \
        {                                                                                          \
            type *restrict sum = (type *)to + row * (lanes);                                       \
            for (ptrdiff_t i = 0; i < p->shape.output[2] * (lanes); i++)                           \
                sum[i] = 0;                                                                        \
            FOR_SEEN(&p->shape, q, entry)                                                          \
            FOR_LANES(lanes) sum[q * (lanes) + c] += x[entry * (lanes) + c];                       \
            for (ptrdiff_t q = 0; q < p->shape.output[2]; q++)                                     \
                FOR_LANES(lanes) sum[q * (lanes) + c] *= (type)p->share[row + q];                  \
        }                                                                                          \
    }                                                                                              \
    static void avg_backward_##suffix(const pooling *p, const void *from, void *to,                \
                                      ptrdiff_t first)                                             \
    {                                                                                              \
        const type *restrict dy = from;                                                            \
        type *restrict dx = to;                                                                    \
        (void)first;                                                                               \
        FOR_ROWS(&p->shape, row)                                                                   \
        FOR_SEEN(&p->shape, q, entry)                                                              \
        FOR_LANES(lanes)                                                                           \
        dx[entry * (lanes) + c] += dy[(row + q) * (lanes) + c] * (type)p->share[row + q];          \
    }

POOL(float, 1, f32)
POOL(double, 1, f64)
POOL(float, 8, f32_8)
POOL(double, 8, f64_8)
POOL(float, 16, f32_16)
POOL(double, 16, f64_16)

#define LOOPS(size, block, suffix)                                                                 \
    {size,                                                                                         \
     block,                                                                                        \
     max_forward_##suffix,                                                                         \
     max_backward_##suffix,                                                                        \
     avg_forward_##suffix,                                                                         \
     avg_backward_##suffix}

static const struct {
    size_t size; /* of an entry */
    int block;
    void (*max_forward)(const pooling *p, const void *x, void *y, ptrdiff_t first);
    void (*max_backward)(const pooling *p, const void *dy, void *dx, ptrdiff_t first);
    void (*avg_forward)(const pooling *p, const void *x, void *y, ptrdiff_t first);
    void (*avg_backward)(const pooling *p, const void *dy, void *dx, ptrdiff_t first);
} loops[] = {LOOPS(sizeof(float), 0, f32),     LOOPS(sizeof(double), 0, f64),
             LOOPS(sizeof(float), 8, f32_8),   LOOPS(sizeof(double), 8, f64_8),
             LOOPS(sizeof(float), 16, f32_16), LOOPS(sizeof(double), 16, f64_16)};

static void choose_loops(const tgl_problem *problem, bool max, pooling *p)
{
    size_t i = 0;
    while (loops[i].size != problem->dtype->size || loops[i].block != problem->store_x.block)
        i++;
    p->forward = max ? loops[i].max_forward : loops[i].avg_forward;
    p->backward = max ? loops[i].max_backward : loops[i].avg_backward;
}

/* ---- forward and backward ---- */

/* Bytes of an image and channel, or block of channels: of x, and of y. */
static size_t bytes_x(const pooling *p)
{
    return (size_t)(p->shape.input[0] * p->shape.input[1] * p->shape.input[2] *
                    (p->block > 0 ? p->block : 1)) *
           p->dtype->size;
}

static size_t bytes_y(const pooling *p)
{
    return (size_t)(tgl_conv_positions(&p->shape) * (p->block > 0 ? p->block : 1)) * p->dtype->size;
}

static void forward(tgl_layer *layer, const void *x, void *y)
{
    pooling *p = (pooling *)layer;
    const char *in = p->halo ? p->needed : x;
    if (p->halo)
        tg_apply(p->halo, x, p->needed);
    for (ptrdiff_t i = 0; i < p->shape.batch; i++)
        p->forward(p, in + (size_t)i * bytes_x(p), (char *)y + (size_t)i * bytes_y(p),
                   i * tgl_conv_positions(&p->shape));
    if (p->block > 0) /* windows without an entry */
        tgl_clear_tails(&p->images, p->block, p->dtype->size, y);
}

static void backward(tgl_layer *layer, const void *x, const void *dy, void *dx)
{
    pooling *p = (pooling *)layer;
    char *out = p->halo ? p->dneeded : dx;
    (void)x; /* forward kept what it took */
    memset(out, 0, (size_t)p->shape.batch * bytes_x(p));
    for (ptrdiff_t i = 0; i < p->shape.batch; i++)
        p->backward(p, (const char *)dy + (size_t)i * bytes_y(p), out + (size_t)i * bytes_x(p),
                    i * tgl_conv_positions(&p->shape));
    if (p->halo)
        tg_apply_adjoint(p->halo, p->dneeded, dx);
}

static void free_pooling(tgl_layer *layer)
{
    pooling *p = (pooling *)layer;
    tg_free(&p->halo);
    free(p->needed);
    free(p->dneeded);
    free(p->taken);
    free(p->share);
    free(p);
}

static const tgl_methods methods = {
    .forward = forward, .backward = backward, .release = free_pooling};

/* ---- words ---- */

#define COMMON_KEYS                                                                                \
    {"shape", NULL, true}, {"kernel", NULL, false}, {"stride", "the kernel", false},               \
        {"padding", "0", false}, {"dilation", "1", false}, {"ceil", "no", false},                  \
        {"grid", "1x1x1", false},                                                                  \
    {                                                                                              \
        "ranks", "0..n-1", false                                                                   \
    }

static const tgl_key max_keys[] = {COMMON_KEYS, TGL_STORES, TGL_TYPE};
static const tgl_key avg_keys[] = {
    COMMON_KEYS, {"count-padding", "yes", false}, TGL_STORES, TGL_TYPE};

/* y has the grid and the ranks of x. */
static tg_status make_y(const spec *s, tgl_problem *problem)
{
    tg_status status = tg_layout_copy(&problem->x, &problem->y);
    for (int d = 0; status.code == TG_OK && d < s->taps.space; d++)
        problem->y.axis[2 + d].extent = s->taps.output[d];
    return status;
}

static tg_status check_padding(const spec *s)
{
    for (int d = 0; d < s->taps.space; d++)
        if (s->taps.padding[d] * 2 > s->taps.dilation[d] * (s->taps.kernel[d] - 1) + 1)
            return tg_fail(TG_BAD_INPUT,
                           "padding: %td on axis %d of space; expected at most half "
                           "of the window, so that each holds an entry",
                           s->taps.padding[d], d);
    return tg_success();
}

static void write_facts(const spec *s, tgl_problem *problem)
{
    const double taps = (double)tgl_taps_count(&s->taps);
    tgl_facts *facts = &problem->facts;
    facts->flops = (double)tg_layout_count(&problem->y) * taps;
    facts->busiest_flops = (double)tg_layout_max_held(&problem->y) * taps;
    facts->entries_most =
        (double)(tg_layout_max_held(&problem->x) + tg_layout_max_held(&problem->y));
    for (int d = 0; d < s->taps.space; d++)
        facts->group[0] *= s->taps.kernel[d] > 1 && problem->x.axis[2 + d].parts > 1 ? 2 : 1;
}

static tg_status read_spec(const tgl_words *words, const tgl_key *keys, tgl_problem *problem,
                           spec *s)
{
    const tg_layout *x = &problem->x;
    if (x->ndim < 3 || x->ndim > 2 + TGL_SPACE)
        return tg_fail(TG_BAD_INPUT,
                       "shape=%.40s: expected batch, channels and one to three axes "
                       "of space, as in 8x3x28x28",
                       tgl_words_get(words, "shape"));
    s->taps.space = x->ndim - 2;
    s->batch = x->axis[0].extent;
    s->channels = x->axis[1].extent;
    for (int d = 0; d < s->taps.space; d++)
        s->taps.input[d] = x->axis[2 + d].extent;
    tg_status status = tgl_word_yes(words, keys, "ceil", &s->taps.ceil);
    if (status.code == TG_OK)
        status = tgl_words_set(&problem->words, "ceil", s->taps.ceil ? "yes" : "no");
    if (status.code == TG_OK)
        status = tgl_taps_read(words, keys, true, problem, &s->taps);
    if (status.code == TG_OK)
        status = check_padding(s);
    if (status.code != TG_OK || keys == max_keys)
        return status;
    status = tgl_word_yes(words, keys, "count-padding", &s->count_padding);
    return status.code == TG_OK
               ? tgl_words_set(&problem->words, "count-padding", s->count_padding ? "yes" : "no")
               : status;
}

static tg_status resolve_with(const tgl_words *words, const tgl_key *keys, tgl_problem *problem)
{
    spec *s = problem->spec = calloc(1, sizeof *s);
    if (!s)
        return tg_fail(TG_NO_MEMORY, "no memory for a pooling");
    tg_status status =
        tgl_word_layout(words, tgl_words_get(words, "shape"), NULL, problem, &problem->x);
    if (status.code == TG_OK)
        status = tgl_word_shape(&problem->x, problem);
    if (status.code == TG_OK)
        status = read_spec(words, keys, problem, s);
    if (status.code == TG_OK)
        status = tgl_word_one_store(words, problem);
    if (status.code == TG_OK)
        status = make_y(s, problem);
    if (status.code == TG_OK)
        write_facts(s, problem);
    return status;
}

static tg_status resolve_max(const tgl_words *words, tgl_problem *problem)
{
    return resolve_with(words, max_keys, problem);
}

static tg_status resolve_avg(const tgl_words *words, tgl_problem *problem)
{
    return resolve_with(words, avg_keys, problem);
}

/* ---- plan ---- */

/* How many taps of output q count: those in the padded tensor, or those on entries. */
static double divisor_of(const spec *s, const ptrdiff_t *q)
{
    double all = 1;
    for (int d = 0; d < s->taps.space; d++) {
        const ptrdiff_t lo = s->count_padding ? -s->taps.padding[d] : 0,
                        hi = s->taps.input[d] + (s->count_padding ? s->taps.padding[d] : 0);
        ptrdiff_t count = 0;
        for (ptrdiff_t k = 0; k < s->taps.kernel[d]; k++) {
            ptrdiff_t at = q[d] * s->taps.stride[d] - s->taps.padding[d] + k * s->taps.dilation[d];
            count += at >= lo && at < hi;
        }
        all *= (double)count;
    }
    return all;
}

static void put_shares(const spec *s, const tg_box *y, pooling *p)
{
    const ptrdiff_t positions = tgl_conv_positions(&p->shape);
    ptrdiff_t q[TGL_SPACE], extent[TGL_SPACE];
    for (int d = 0; d < s->taps.space; d++)
        extent[d] = y->hi[2 + d] - y->lo[2 + d];
    for (ptrdiff_t i = 0; i < positions; i++) {
        tgl_taps_point(extent, s->taps.space, i, q);
        for (int d = 0; d < s->taps.space; d++)
            q[d] += y->lo[2 + d];
        p->share[i] = 1 / divisor_of(s, q);
    }
}

static tg_status make_local(const tgl_problem *problem, int rank, pooling *p)
{
    const spec *s = problem->spec;
    const tg_box y = tg_layout_held(&problem->y, rank),
                 x = p->halo ? tg_op_y(p->halo) : tg_layout_held(&problem->x, rank);
    tgl_taps_shape(&s->taps, &x, 2, &y, 2, &p->shape);
    p->images = tgl_images_of(&y);
    p->block = problem->store_y.block;
    p->shape.batch =
        p->images.batch *
        (p->block > 0 ? (p->images.channels + p->block - 1) / p->block : p->images.channels);
    const ptrdiff_t positions = tgl_conv_positions(&p->shape),
                    count = tg_store_entries(&problem->store_x, &x),
                    outputs = tg_store_entries(&problem->store_y, &y);
    p->base.flops_forward = p->base.flops_backward =
        (double)tg_box_count(&y) * (double)tgl_taps_count(&s->taps);
    if (bytes_x(p) / problem->dtype->size > INT32_MAX)
        return tg_fail(TG_BAD_INPUT,
                       "shape: %zu entries of a channel (or block of them) on rank %d; expected at "
                       "most %d, that they can be counted",
                       bytes_x(p) / problem->dtype->size, rank, INT32_MAX);
    if (p->halo) {
        p->needed = tgl_buffer(count, problem->dtype);
        p->dneeded = tgl_buffer(count, problem->dtype);
    }
    p->taken = malloc(((size_t)outputs + 1) * sizeof *p->taken);
    p->share = malloc(((size_t)positions + 1) * sizeof *p->share);
    if (!p->taken || !p->share || (p->halo && !(p->needed && p->dneeded)))
        return tg_fail(TG_NO_MEMORY, "rank %d has no memory for a pooling of %td entries", rank,
                       count);
    put_shares(s, &y, p);
    return tg_success();
}

static tg_status plan_halo(MPI_Comm comm, const tgl_problem *problem, tg_op **halo)
{
    const spec *s = problem->spec;
    tg_layout needs;
    int parts = 1;
    for (int d = 0; d < s->taps.space; d++)
        parts *= problem->x.axis[2 + d].parts;
    if (parts == 1) /* every rank has all of space */
        return tg_success();
    tg_status status = tg_agree(comm, tg_layout_copy(&problem->x, &needs));
    if (status.code != TG_OK)
        return status;
    tgl_taps_widen(&s->taps, &needs);
    status = tgl_compose_stores(comm, "halo", problem, &needs, &problem->store_x, NULL,
                                &problem->store_x, halo);
    tg_layout_free(&needs);
    return status;
}

static tg_status plan_with(MPI_Comm comm, const tgl_problem *problem, bool max, tgl_layer **layer)
{
    int rank;
    pooling *p = calloc(1, sizeof *p);
    MPI_Comm_rank(comm, &rank);
    tg_status status =
        tg_agree(comm, p ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for a pooling"));
    if (status.code != TG_OK) {
        free(p);
        return status;
    }
    p->base.methods = &methods;
    p->dtype = problem->dtype;
    choose_loops(problem, max, p);
    status = plan_halo(comm, problem, &p->halo);
    if (status.code == TG_OK)
        status = tg_agree(comm, make_local(problem, rank, p));
    if (status.code == TG_OK)
        *layer = &p->base;
    else
        free_pooling(&p->base);
    return status;
}

static tg_status plan_max(MPI_Comm comm, const tgl_problem *problem, tgl_layer **layer)
{
    return plan_with(comm, problem, true, layer);
}

static tg_status plan_avg(MPI_Comm comm, const tgl_problem *problem, tgl_layer **layer)
{
    return plan_with(comm, problem, false, layer);
}

/* ---- what an entry must be ---- */

/* The input that output q (batch, channel, space) takes: the largest; false: it sees none. */
static bool largest_of(const tgl_inputs *in, const spec *s, const ptrdiff_t *q, ptrdiff_t *taken,
                       double *value)
{
    const ptrdiff_t taps = tgl_taps_count(&s->taps);
    bool found = false;
    for (ptrdiff_t t = 0; t < taps; t++) {
        ptrdiff_t k[TGL_SPACE], i[2 + TGL_SPACE] = {q[0], q[1]};
        tgl_taps_point(s->taps.kernel, s->taps.space, t, k);
        if (!tgl_taps_input(&s->taps, q + 2, k, i + 2))
            continue;
        const double x = tgl_input(in, TGL_X, 2 + s->taps.space, i);
        if (!found || x > *value) {
            *value = x;
            memcpy(taken, i, sizeof i);
        }
        found = true;
    }
    return found;
}

static void expect_max(const tgl_inputs *in, int output, const ptrdiff_t *index, tgl_expected *e)
{
    const spec *s = in->problem->spec;
    const ptrdiff_t taps = tgl_taps_count(&s->taps);
    ptrdiff_t taken[2 + TGL_SPACE];
    e->terms = (double)taps;
    if (output == TGL_Y && !largest_of(in, s, index, taken, &e->value))
        e->value = -INFINITY;
    for (ptrdiff_t t = 0; output == TGL_DX && t < taps; t++) {
        ptrdiff_t k[TGL_SPACE], q[2 + TGL_SPACE] = {index[0], index[1]};
        double value = 0;
        tgl_taps_point(s->taps.kernel, s->taps.space, t, k);
        if (tgl_taps_output(&s->taps, index + 2, k, q + 2) && largest_of(in, s, q, taken, &value) &&
            memcmp(taken, index, (size_t)(2 + s->taps.space) * sizeof *taken) == 0) {
            const double dy = tgl_input(in, TGL_DY, 2 + s->taps.space, q);
            e->value += dy;
            e->scale += fabs(dy);
        }
    }
    e->terms = output == TGL_DX ? (double)(taps * taps) : (double)taps;
}

static void expect_avg(const tgl_inputs *in, int output, const ptrdiff_t *index, tgl_expected *e)
{
    const spec *s = in->problem->spec;
    const ptrdiff_t taps = tgl_taps_count(&s->taps);
    for (ptrdiff_t t = 0; t < taps; t++) {
        ptrdiff_t k[TGL_SPACE], other[2 + TGL_SPACE] = {index[0], index[1]};
        tgl_taps_point(s->taps.kernel, s->taps.space, t, k);
        const bool sees = output == TGL_Y ? tgl_taps_input(&s->taps, index + 2, k, other + 2)
                                          : tgl_taps_output(&s->taps, index + 2, k, other + 2);
        if (!sees)
            continue;
        const double part =
            tgl_input(in, output == TGL_Y ? TGL_X : TGL_DY, 2 + s->taps.space, other) /
            divisor_of(s, output == TGL_Y ? index + 2 : other + 2);
        e->value += part;
        e->scale += fabs(part);
    }
    e->terms = (double)taps;
}

/* ---- rows ---- */

static const char *const through[] = {"halo", NULL};

const tgl_kind tgl_max_pool = {
    .name = "max_pool",
    .summary = "largest entry of each window; batch, channels and space split",
    .formula = "y[q] = max over k of x[q stride - padding + k dilation]",
    .backward = "dx[i] = sum of dy[q] over the windows whose (first) largest entry is i",
    .source = "Hewett and Grady, arXiv 2006.03108, section 4",
    .weak = "taps of each rank: its block of the outputs",
    .keys = max_keys,
    .dtypes = {"f32", "f64"},
    .through = through,
    .backward_factor = 1,
    .resolve = resolve_max,
    .plan = plan_max,
    .expect = expect_max,
};

const tgl_kind tgl_avg_pool = {
    .name = "avg_pool",
    .summary = "mean of each window; batch, channels and space split",
    .formula = "y[q] = sum over k of x[q stride - padding + k dilation] / divisor[q]",
    .backward = "dx[i] = sum of dy[q] / divisor[q] over the windows that see i",
    .source = "Hewett and Grady, arXiv 2006.03108, section 4",
    .weak = "taps of each rank: its block of the outputs",
    .keys = avg_keys,
    .dtypes = {"f32", "f64"},
    .through = through,
    .backward_factor = 1,
    .resolve = resolve_avg,
    .plan = plan_avg,
    .expect = expect_avg,
};
