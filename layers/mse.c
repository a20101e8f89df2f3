/* mse.c: the mean of the squares of x - target, any axis split.
 *
 *   forward   each rank adds the squares of its entries; the sums are sum_reduced to the first rank
 *   backward  dy is broadcast; dx = 2 dy (x - target) / count, local
 *
 * The targets are a parameter without gradient, which lies as x does. */
#include "layers/layer.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    tgl_layer base;
    const tg_dtype *dtype;
    tg_op *sum, *spread; /* of the parts; of dy. NULL: one rank */
    void *part, *dy;     /* one entry each */
    ptrdiff_t entries;   /* of this rank */
    double count;        /* of x */
    tgl_parameter target;
} mse;

/* ---- forward and backward ---- */

/* The loops of one type. */
#define LOOPS(type, suffix)                                                                        \
    static double squares_##suffix(ptrdiff_t n, const type *x, const type *target)                 \
    {                                                                                              \
        double sum = 0;                                                                            \
        for (ptrdiff_t i = 0; i < n; i++)                                                          \
            sum += ((double)x[i] - (double)target[i]) * ((double)x[i] - (double)target[i]);        \
        return sum;                                                                                \
    }                                                                                              \
    static void slopes_##suffix(ptrdiff_t n, double factor, const type *x, const type *target,     \
                                type *dx)                                                          \
    {                                                                                              \
        for (ptrdiff_t i = 0; i < n; i++)                                                          \
            dx[i] = (type)(factor * ((double)x[i] - (double)target[i]));                           \
    }

LOOPS(float, f32)
LOOPS(double, f64)

static void forward(tgl_layer *layer, const void *x, void *y)
{
    mse *m = (mse *)layer;
    const double sum = m->dtype->size == sizeof(float)
                           ? squares_f32(m->entries, x, m->target.value)
                           : squares_f64(m->entries, x, m->target.value);
    m->dtype->put(m->sum ? m->part : y, 0, sum / m->count);
    if (m->sum)
        tg_apply(m->sum, m->part, y);
}

static void backward(tgl_layer *layer, const void *x, const void *dy, void *dx)
{
    mse *m = (mse *)layer;
    if (m->spread)
        tg_apply(m->spread, dy, m->dy);
    const double factor = 2 * m->dtype->get(m->spread ? m->dy : dy, 0) / m->count;
    if (m->dtype->size == sizeof(float))
        slopes_f32(m->entries, factor, x, m->target.value, dx);
    else
        slopes_f64(m->entries, factor, x, m->target.value, dx);
}

static void free_mse(tgl_layer *layer)
{
    mse *m = (mse *)layer;
    tg_free(&m->sum);
    tg_free(&m->spread);
    free(m->part);
    free(m->dy);
    free(m->target.value);
    free(m);
}

/* ---- what an entry must be ---- */

static double error_at(const tgl_inputs *in, const ptrdiff_t *index, double *size)
{
    const int ndim = in->problem->x.ndim;
    const double x = tgl_input(in, TGL_X, ndim, index),
                 target = tgl_input(in, TGL_PARAMETER, ndim, index);
    *size = fabs(x) + fabs(target);
    return x - target;
}

static void expect(const tgl_inputs *in, int output, const ptrdiff_t *index, tgl_expected *e)
{
    const tg_layout *x = &in->problem->x;
    const ptrdiff_t zero = 0, count = tg_layout_count(x);
    double size;
    if (output == TGL_DX) {
        const double factor = 2 * tgl_input(in, TGL_DY, 1, &zero) / (double)count;
        e->value = factor * error_at(in, index, &size);
        e->scale = fabs(factor) * size;
        return;
    }
    for (ptrdiff_t i = 0; i < count; i++) {
        ptrdiff_t at[TG_MAX_NDIM], rest = i;
        for (int d = x->ndim - 1; d >= 0; d--) {
            at[d] = rest % x->axis[d].extent;
            rest /= x->axis[d].extent;
        }
        const double error = error_at(in, at, &size);
        e->value += error * error / (double)count;
        e->scale += size * size / (double)count;
    }
    e->terms = (double)count;
}

static void fill(tgl_layer *layer, uint64_t seed, void *x, void *dy)
{
    const mse *m = (const mse *)layer;
    tgl_expect_fill(layer, seed, x, dy);
    if (m->base.parameter_count > 0)
        tgl_draw(&m->target.box, seed, TGL_PARAMETER, 1, m->dtype, m->target.value);
}

static const tgl_methods methods = {
    .forward = forward, .backward = backward, .release = free_mse, .fill = fill};

/* ---- words ---- */

static const tgl_key keys[] = {
    {"shape", NULL, true}, {"grid", "1x1", false}, {"ranks", "0..n-1", false}, TGL_TYPE};

static tg_status resolve(const tgl_words *words, tgl_problem *problem)
{
    enum { FLOPS = 3 };
    const char *shape = tgl_words_get(words, "shape");
    const tg_layout *x = &problem->x;
    tg_status status = tgl_word_layout(words, shape, NULL, problem, &problem->x);
    if (status.code == TG_OK)
        status = tgl_word_shape(x, problem);
    if (status.code == TG_OK && tg_layout_count(x) < 1)
        status = tg_fail(TG_BAD_INPUT, "shape=%.40s: expected extents from 1, as in 256x10", shape);
    if (status.code != TG_OK)
        return status;
    problem->facts.flops = FLOPS * (double)tg_layout_count(x);
    problem->facts.busiest_flops = FLOPS * (double)tg_layout_max_held(x);
    problem->facts.entries_most = 2 * (double)tg_layout_max_held(x);
    problem->facts.group[1] = tg_layout_size(x);
    return tgl_loss_layout(x, problem->ranks, 1, 0, &problem->y);
}

/* ---- plan ---- */

static tg_status make_local(const tgl_problem *problem, int rank, mse *m)
{
    const tg_box x = tg_layout_held(&problem->x, rank);
    m->entries = tg_box_count(&x);
    m->count = (double)tg_layout_count(&problem->x);
    m->part = tgl_buffer(1, m->dtype);
    m->dy = tgl_buffer(1, m->dtype);
    m->target =
        (tgl_parameter){.name = "target", .box = x, .value = tgl_buffer(m->entries, m->dtype)};
    m->base.parameters = &m->target;
    m->base.parameter_count = tg_layout_place(&problem->x, rank) >= 0;
    m->base.flops_forward = 3 * (double)m->entries;
    m->base.flops_backward = 2 * (double)m->entries;
    return m->part && m->dy && m->target.value ? tg_success()
                                               : tg_fail(TG_NO_MEMORY, "no memory for a loss");
}

static tg_status plan_sums(MPI_Comm comm, const tgl_problem *problem, mse *m)
{
    const tg_layout *x = &problem->x;
    tg_layout all = {.ndim = 0};
    tg_status status =
        tg_agree(comm, tgl_loss_layout(x, problem->ranks, tg_layout_size(x), 1, &all));
    if (status.code == TG_OK)
        status = tgl_compose(comm, "sum_reduce", problem, &all, &problem->y, &m->sum);
    if (status.code == TG_OK)
        status = tgl_compose(comm, "broadcast", problem, &problem->y, &all, &m->spread);
    tg_layout_free(&all);
    return status;
}

static tg_status plan(MPI_Comm comm, const tgl_problem *problem, tgl_layer **layer)
{
    int rank;
    MPI_Comm_rank(comm, &rank);
    mse *m = calloc(1, sizeof *m);
    if (m) {
        m->base.methods = &methods;
        m->dtype = problem->dtype;
    }
    tg_status status = tg_agree(comm, m ? make_local(problem, rank, m)
                                        : tg_fail(TG_NO_MEMORY, "no memory for a loss"));
    if (status.code == TG_OK)
        status = plan_sums(comm, problem, m);
    if (status.code == TG_OK)
        *layer = &m->base;
    else if (m)
        free_mse(&m->base);
    return status;
}

static const char *const through[] = {"sum_reduce", "broadcast", NULL};

const tgl_kind tgl_mse = {
    .name = "mse",
    .summary = "mean squared error against targets of the shape of x; any axis split",
    .formula = "y = mean of (x - target)^2",
    .backward = "dx = 2 dy (x - target) / count",
    .source = "Goodfellow, Bengio, Courville, Deep Learning, 2016, section 5.1.4",
    .weak = "flops of each rank: its entries of x",
    .keys = keys,
    .dtypes = {"f32", "f64"},
    .through = through,
    .backward_factor = 2.0 / 3,
    .resolve = resolve,
    .plan = plan,
    .expect = expect,
};
