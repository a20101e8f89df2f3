/* norm_expect.c: an entry of batch_norm or layer_norm by plain loops over its group, for checks: the
 * mean first, then the sum of squares around it. It shares nothing with the layer but the numbers of
 * its words. */
#include "layers/norm.h"

#include <float.h>
#include <math.h>

/* ---- groups ---- */

/* All entries of x that have those of `index` on the axes that are not looped over. */
typedef struct {
    const tg_layout *x;
    const bool *looped;
    ptrdiff_t at[TG_MAX_NDIM];
} walk;

static walk begin(const tgl_inputs *in, const bool *looped, const ptrdiff_t *index)
{
    walk w = {.x = &in->problem->x, .looped = looped};
    for (int d = 0; d < w.x->ndim; d++)
        w.at[d] = looped[d] ? 0 : index[d];
    return w;
}

static bool next(walk *w)
{
    for (int d = w->x->ndim - 1; d >= 0; d--)
        if (w->looped[d]) {
            if (++w->at[d] < w->x->axis[d].extent)
                return true;
            w->at[d] = 0;
        }
    return false;
}

/* What an entry is normalised by, and the terms that this sums. */
typedef struct {
    double mean, inverse, count;
} statistics;

static double kept_mean(const tgl_inputs *in, ptrdiff_t channel)
{
    return tgl_input(in, TGL_PARAMETER + TGL_RUNNING_MEAN, 1, &channel);
}

static double kept_var(const tgl_inputs *in, ptrdiff_t channel) /* in [0.5, 2.5) */
{
    return tgl_input(in, TGL_PARAMETER + TGL_RUNNING_VAR, 1, &channel) + 1.5;
}

static statistics statistics_of(const tgl_inputs *in, const ptrdiff_t *index)
{
    const tgl_norm_spec *s = in->problem->spec;
    const int ndim = in->problem->x.ndim;
    statistics t = {0, 0, 0};
    double sum = 0, squares = 0;
    if (s->applies) {
        t.mean = kept_mean(in, index[1]);
        t.inverse = 1 / sqrt(kept_var(in, index[1]) + s->eps);
        t.count = 1;
        return t;
    }
    walk w = begin(in, s->reduced, index);
    do {
        sum += tgl_input(in, TGL_X, ndim, w.at);
        t.count++;
    } while (next(&w));
    t.mean = sum / t.count;
    do {
        const double d = tgl_input(in, TGL_X, ndim, w.at) - t.mean;
        squares += d * d;
    } while (next(&w));
    t.inverse = 1 / sqrt(squares / t.count + s->eps);
    return t;
}

/* The scale (or the shift) of an entry of x. */
static double scale_at(const tgl_inputs *in, int which, const ptrdiff_t *index)
{
    const tgl_norm_spec *s = in->problem->spec;
    ptrdiff_t at[TG_MAX_NDIM];
    int ndim = 0;
    if (!s->scales)
        return which == TGL_SCALE ? 1 : 0;
    for (int d = 0; d < in->problem->x.ndim; d++)
        if (s->reduced[d] == s->along)
            at[ndim++] = index[d];
    return tgl_input(in, TGL_PARAMETER + which, ndim, at);
}

/* ---- outputs ---- */

/* xhat, and the magnitude that its error goes with: what it is the difference of loses digits in f64,
 * whatever the type. */
static double xhat_of(const tgl_inputs *in, const statistics *t, const ptrdiff_t *index,
                      double *size)
{
    const double x = tgl_input(in, TGL_X, in->problem->x.ndim, index),
                 xhat = (x - t->mean) * t->inverse,
                 share = in->problem->dtype->size == sizeof(double) ? 1 : DBL_EPSILON / FLT_EPSILON;
    *size = fabs(xhat) + share * (fabs(x) + fabs(t->mean)) * t->inverse;
    return xhat;
}

static void expect_y(const tgl_inputs *in, const ptrdiff_t *index, tgl_expected *e)
{
    const statistics t = statistics_of(in, index);
    const double scale = scale_at(in, TGL_SCALE, index), shift = scale_at(in, TGL_SHIFT, index);
    double size;
    e->value = xhat_of(in, &t, index, &size) * scale + shift;
    e->scale = size * fabs(scale) + fabs(shift);
    e->terms = t.count;
}

static void expect_dx(const tgl_inputs *in, const ptrdiff_t *index, tgl_expected *e)
{
    const tgl_norm_spec *s = in->problem->spec;
    const int ndim = in->problem->x.ndim;
    const statistics t = statistics_of(in, index);
    double plain = 0, with_x = 0, plain_size = 0, with_x_size = 0, size;
    walk w = begin(in, s->reduced, index);
    do {
        const double part = tgl_input(in, TGL_DY, ndim, w.at) * scale_at(in, TGL_SCALE, w.at);
        with_x += part * xhat_of(in, &t, w.at, &size);
        with_x_size += fabs(part) * size;
        plain += part;
        plain_size += fabs(part);
    } while (!s->applies && next(&w));
    const double xhat = xhat_of(in, &t, index, &size),
                 own = tgl_input(in, TGL_DY, ndim, index) * scale_at(in, TGL_SCALE, index);
    e->value = t.inverse * own;
    e->scale = t.inverse * fabs(own);
    e->terms = 3 * t.count;
    if (s->applies)
        return;
    e->value -= t.inverse * (plain + xhat * with_x) / t.count;
    e->scale += t.inverse * (plain_size + size * with_x_size) / t.count;
}

/* dscale or dshift: over all entries of x that have this scale. Those of one group follow one another,
 * but their statistics are worked out again for each: plain, and slow. */
static void expect_gradient(const tgl_inputs *in, int output, const ptrdiff_t *index,
                            tgl_expected *e)
{
    const tgl_norm_spec *s = in->problem->spec;
    const int ndim = in->problem->x.ndim;
    bool looped[TG_MAX_NDIM];
    ptrdiff_t entry[TG_MAX_NDIM];
    for (int d = 0, k = 0; d < ndim; d++) {
        looped[d] = s->reduced[d] != s->along;
        entry[d] = looped[d] ? 0 : index[k++];
    }
    statistics t = {0, 0, 0};
    walk w = begin(in, looped, entry);
    double count = 0;
    do {
        double size = 1, xhat = 1;
        const double dy = tgl_input(in, TGL_DY, ndim, w.at);
        if (output == TGL_PARAMETER + TGL_SCALE) {
            if (s->along || count == 0)
                t = statistics_of(in, w.at);
            xhat = xhat_of(in, &t, w.at, &size);
        }
        e->value += dy * xhat;
        e->scale += fabs(dy) * size;
        count++;
    } while (next(&w));
    e->terms = count * (t.count > 0 ? t.count : 1);
}

void tgl_norm_expect(const tgl_inputs *in, int output, const ptrdiff_t *index, tgl_expected *e)
{
    if (output == TGL_Y)
        expect_y(in, index, e);
    else if (output == TGL_DX)
        expect_dx(in, index, e);
    else if (tg_layout_count(&in->problem->x) > 0) /* else there is nothing to sum */
        expect_gradient(in, output, index, e);
}

/* Running statistics have no gradient, but are inputs in inference. */
void tgl_norm_fill(tgl_layer *layer, uint64_t seed, void *x, void *dy)
{
    const tgl_inputs in = {.problem = layer->problem, .seed = seed};
    const tg_dtype *dtype = layer->problem->dtype;
    tgl_expect_fill(layer, seed, x, dy);
    for (int i = 0; i < layer->parameter_count; i++) {
        const tgl_parameter *p = &layer->parameters[i];
        for (ptrdiff_t c = p->box.lo[0]; p->number >= TGL_RUNNING_MEAN && c < p->box.hi[0]; c++)
            dtype->put(p->value, c - p->box.lo[0],
                       p->number == TGL_RUNNING_MEAN ? kept_mean(&in, c) : kept_var(&in, c));
    }
}
