/* norm.c: forward and backward of batch_norm and layer_norm; the formulas: norm.h. */
#include "layers/norm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- rows of this rank ---- */

static size_t bytes(const tgl_norm_layer *n, ptrdiff_t entries)
{
    return (size_t)entries * n->dtype->size;
}

static const void *row_of(const tgl_norm_layer *n, const void *data, ptrdiff_t row)
{
    return (const char *)data + bytes(n, row * n->length);
}

static ptrdiff_t group_of(const tgl_norm_layer *n, ptrdiff_t row)
{
    return row % n->groups;
}

/* Entry i of a row takes scale and shift number i or, for all, that of the group. */
static ptrdiff_t step_of(const tgl_norm_layer *n)
{
    return n->spec->along ? 1 : 0;
}

static const void *scale_of(const tgl_norm_layer *n, ptrdiff_t row)
{
    return (const char *)n->used + (n->spec->along ? 0 : bytes(n, group_of(n, row)));
}

static const void *shift_of(const tgl_norm_layer *n, ptrdiff_t row)
{
    return (const char *)scale_of(n, row) + bytes(n, n->scale_count);
}

/* ---- forward ---- */

static void measure(tgl_norm_layer *n, const void *x)
{
    memset(n->own, 0, (size_t)n->groups * sizeof *n->own);
    for (ptrdiff_t r = 0; r < n->rows; r++) {
        tgl_moments row;
        n->row_of_type->measure(n->length, row_of(n, x, r), &row);
        tgl_moments_merge(&n->own[group_of(n, r)], &row);
    }
}

/* Every rank of a group merges the parts in the same order, so that all get the same bits. */
static tgl_moments merged(const tgl_norm_layer *n, ptrdiff_t group)
{
    tgl_moments whole = {0, 0, 0};
    for (ptrdiff_t o = 0; o < n->outer; o++)
        for (ptrdiff_t i = 0; i < n->inner; i++)
            tgl_moments_merge(&whole, &n->all[(o * n->groups + group) * n->inner + i]);
    return whole;
}

/* running = (1 - momentum) running + momentum new; the variance is that of a sample. */
static void keep(const tgl_norm_layer *n, ptrdiff_t group, const tgl_moments *m)
{
    const double news[2] = {m->mean, m->m2 / (m->count > 1 ? m->count - 1 : 1)};
    for (ptrdiff_t i = 0; i < 2 && m->count > 0; i++) {
        const ptrdiff_t at = i * n->groups + group;
        const double old = n->dtype->get(n->running, at);
        n->dtype->put(n->running, at, old + n->spec->momentum * (news[i] - old));
    }
}

static void take_own(tgl_norm_layer *n, const void *x)
{
    measure(n, x);
    if (n->gather)
        tg_apply(n->gather, n->own, n->all);
    else
        memcpy(n->all, n->own, (size_t)n->groups * sizeof *n->own);
    for (ptrdiff_t g = 0; g < n->groups; g++) {
        const tgl_moments m = merged(n, g);
        n->mean[g] = m.mean;
        n->inverse[g] = 1 / sqrt(m.m2 / (m.count > 0 ? m.count : 1) + n->spec->eps);
        if (n->spec->keeps && n->owns)
            keep(n, g, &m);
    }
}

static void take_running(tgl_norm_layer *n)
{
    if (n->copy_running)
        tg_apply(n->copy_running, n->running, n->running_used);
    for (ptrdiff_t g = 0; g < n->groups; g++) {
        n->mean[g] = n->dtype->get(n->running_used, g);
        n->inverse[g] = 1 / sqrt(n->dtype->get(n->running_used, n->groups + g) + n->spec->eps);
    }
}

/* y, once mean and inverse of each group are there. */
static void normalise(tgl_norm_layer *n, const void *x, void *y)
{
    tgl_op_apply(n->copy, n->owned, n->used);
    for (ptrdiff_t r = 0; r < n->rows; r++) {
        const ptrdiff_t g = group_of(n, r);
        n->row_of_type->normalise(n->length, n->mean[g], n->inverse[g], scale_of(n, r),
                                  shift_of(n, r), step_of(n), row_of(n, x, r),
                                  (void *)row_of(n, y, r));
    }
}

static void forward(tgl_layer *layer, const void *x, void *y)
{
    tgl_norm_layer *n = (tgl_norm_layer *)layer;
    if (n->spec->applies)
        take_running(n);
    else
        take_own(n, x);
    normalise(n, x, y);
}

/* layer_norm has no other statistics than those of x. */
static void infer(tgl_layer *layer, const void *x, void *y)
{
    tgl_norm_layer *n = (tgl_norm_layer *)layer;
    if (!n->spec->applies && !n->spec->keeps) {
        forward(layer, x, y);
        return;
    }
    take_running(n);
    normalise(n, x, y);
}

/* ---- backward ---- */

/* Sums of this part: of dy scale where scales differ along a row, else of dy, which are then the
 * gradients, too. */
static void sum_rows(tgl_norm_layer *n, const void *x, const void *dy)
{
    const tgl_norm_rows *rows = n->row_of_type;
    memset(n->sums, 0, (size_t)n->groups * 2 * sizeof *n->sums);
    memset(n->gradient, 0, (size_t)n->scale_count * 2 * sizeof *n->gradient);
    for (ptrdiff_t r = 0; r < n->rows; r++) {
        const ptrdiff_t g = group_of(n, r);
        if (n->spec->along)
            rows->sum_along(n->length, n->mean[g], n->inverse[g], scale_of(n, r), row_of(n, x, r),
                            row_of(n, dy, r), &n->sums[2 * g], n->gradient,
                            n->gradient + n->scale_count);
        else
            rows->sum(n->length, n->mean[g], n->inverse[g], row_of(n, x, r), row_of(n, dy, r),
                      &n->sums[2 * g]);
    }
    if (n->sum)
        tg_apply(n->sum, n->sums, n->totals);
    else
        memcpy(n->totals, n->sums, (size_t)n->groups * 2 * sizeof *n->sums);
}

/* With one scale for a group the totals are the gradients on every rank: nothing more is sent. */
static void put_gradients(tgl_norm_layer *n)
{
    void *to = n->spec->along ? n->dused : n->downed;
    for (ptrdiff_t g = 0; !n->spec->along && g < n->groups; g++) {
        n->gradient[g] = n->totals[2 * g + 1];
        n->gradient[n->groups + g] = n->totals[2 * g];
    }
    for (ptrdiff_t i = 0; i < 2 * n->scale_count; i++)
        n->dtype->put(to, i, n->gradient[i]);
    if (n->spec->along)
        tgl_op_start_adjoint(n->copy, n->dused, n->downed);
}

/* What each entry of dx loses: with statistics of x itself, the means of dy scale and of dy scale
 * xhat; with running ones, which do not depend on x, nothing. */
static void means_of(const tgl_norm_layer *n, ptrdiff_t group, double means[2])
{
    const double scale = n->spec->along ? 1 : n->dtype->get(n->used, group);
    for (int i = 0; i < 2; i++)
        means[i] = n->spec->applies ? 0 : scale * n->totals[2 * group + i] / n->count;
}

static void backward(tgl_layer *layer, const void *x, const void *dy, void *dx)
{
    tgl_norm_layer *n = (tgl_norm_layer *)layer;
    sum_rows(n, x, dy);
    put_gradients(n);
    for (ptrdiff_t r = 0; r < n->rows; r++) {
        const ptrdiff_t g = group_of(n, r);
        double means[2];
        means_of(n, g, means);
        n->row_of_type->spread(n->length, n->mean[g], n->inverse[g], scale_of(n, r), step_of(n),
                               means, row_of(n, x, r), row_of(n, dy, r), (void *)row_of(n, dx, r));
    }
}

static void finish(tgl_layer *layer)
{
    const tgl_norm_layer *n = (tgl_norm_layer *)layer;
    if (n->spec->along)
        tgl_op_finish(n->copy);
}

static void free_norm(tgl_layer *layer)
{
    tgl_norm_layer *n = (tgl_norm_layer *)layer;
    tg_op **ops[] = {&n->gather, &n->sum, &n->copy, &n->copy_running};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        tg_free(ops[i]);
    tgl_norm_free_buffers(n);
    free(n);
}

static const tgl_methods methods = {.forward = forward,
                                    .infer = infer,
                                    .backward = backward,
                                    .finish = finish,
                                    .release = free_norm,
                                    .fill = tgl_norm_fill};

tg_status tgl_norm_plan(MPI_Comm comm, const tgl_problem *problem, tgl_layer **layer)
{
    tgl_norm_layer *n = calloc(1, sizeof *n);
    tg_status status =
        tg_agree(comm, n ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for a layer"));
    if (status.code != TG_OK) {
        free(n);
        return status;
    }
    n->base.methods = &methods;
    n->dtype = problem->dtype;
    n->spec = problem->spec;
    status = tgl_norm_make(comm, problem, n);
    if (status.code == TG_OK)
        *layer = &n->base;
    else
        free_norm(&n->base);
    return status;
}
