/* cross_entropy.c: the mean over the batch of -log softmax(x)[target], batch and classes split.
 *
 *   forward   each rank reduces its classes of a row to (largest, sum of exp, x of the target), which
 *             are gathered over the parts of the classes and merged; the rows' losses are summed, and
 *             the sums of the parts of the batch are sum_reduced to the first rank
 *   backward  dy is broadcast; dx = dy / batch (softmax(x) - 1 at the target), local
 *
 * The targets are a parameter without gradient: the class of each row, on every rank that has a part
 * of the row. */
#include "layers/layer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST, SUM, OF_TARGET, NUMBERS };

typedef struct {
    tgl_layer base;
    const tg_dtype *dtype;
    tg_op *gather;       /* the numbers of every part of the classes; NULL: one part */
    tg_op *sum, *spread; /* of the batch's parts; of dy. NULL: one rank */
    void *numbers, *all; /* rows x NUMBERS of this part; parts x rows x NUMBERS */
    void *part, *dy;     /* one entry each */
    double *log_sum;     /* of each row's exp, kept for backward */
    ptrdiff_t rows, first, columns, batch; /* of this rank: classes [first, first + columns) */
    int parts;                             /* of the classes */
    bool counts;                           /* this rank has the first part of the classes */
    tgl_parameter target;
} cross_entropy;

/* ---- forward and backward ---- */

static double at(const cross_entropy *c, const void *data, ptrdiff_t i)
{
    return c->dtype->get(data, i);
}

static ptrdiff_t target_of(const cross_entropy *c, ptrdiff_t row)
{
    return (ptrdiff_t)at(c, c->target.value, row);
}

static void reduce_row(const cross_entropy *c, const void *x, ptrdiff_t row)
{
    const ptrdiff_t begin = row * c->columns, own = target_of(c, row) - c->first;
    double largest = -HUGE_VAL, sum = 0;
    for (ptrdiff_t i = 0; i < c->columns; i++)
        largest = fmax(largest, at(c, x, begin + i));
    for (ptrdiff_t i = 0; i < c->columns; i++)
        sum += exp(at(c, x, begin + i) - largest);
    c->dtype->put(c->numbers, row * NUMBERS + LARGEST, largest);
    c->dtype->put(c->numbers, row * NUMBERS + SUM, sum);
    c->dtype->put(c->numbers, row * NUMBERS + OF_TARGET,
                  own >= 0 && own < c->columns ? at(c, x, begin + own) : 0);
}

/* The row's loss from the numbers of all parts. A part without classes has the largest -inf. */
static double merge_row(cross_entropy *c, const void *all, ptrdiff_t row)
{
    double largest = -HUGE_VAL, sum = 0, of_target = 0;
    for (int p = 0; p < c->parts; p++)
        largest = fmax(largest, at(c, all, (p * c->rows + row) * NUMBERS + LARGEST));
    for (int p = 0; p < c->parts; p++) {
        const ptrdiff_t place = (p * c->rows + row) * NUMBERS;
        if (at(c, all, place + SUM) > 0)
            sum += at(c, all, place + SUM) * exp(at(c, all, place + LARGEST) - largest);
        of_target += at(c, all, place + OF_TARGET);
    }
    c->log_sum[row] = largest + log(sum);
    return c->log_sum[row] - of_target;
}

static void forward(tgl_layer *layer, const void *x, void *y)
{
    cross_entropy *c = (cross_entropy *)layer;
    double loss = 0;
    for (ptrdiff_t row = 0; row < c->rows; row++)
        reduce_row(c, x, row);
    if (c->gather)
        tg_apply(c->gather, c->numbers, c->all);
    for (ptrdiff_t row = 0; row < c->rows; row++)
        loss += merge_row(c, c->gather ? c->all : c->numbers, row);
    c->dtype->put(c->sum ? c->part : y, 0, c->counts ? loss / (double)c->batch : 0);
    if (c->sum)
        tg_apply(c->sum, c->part, y);
}

static void backward(tgl_layer *layer, const void *x, const void *dy, void *dx)
{
    cross_entropy *c = (cross_entropy *)layer;
    if (c->spread)
        tg_apply(c->spread, dy, c->dy);
    const double scale = at(c, c->spread ? c->dy : dy, 0) / (double)c->batch;
    for (ptrdiff_t row = 0; row < c->rows; row++)
        for (ptrdiff_t i = 0; i < c->columns; i++) {
            const ptrdiff_t place = row * c->columns + i;
            const double one = c->first + i == target_of(c, row) ? 1 : 0;
            c->dtype->put(dx, place, scale * (exp(at(c, x, place) - c->log_sum[row]) - one));
        }
}

static void free_cross_entropy(tgl_layer *layer)
{
    cross_entropy *c = (cross_entropy *)layer;
    tg_free(&c->gather);
    tg_free(&c->sum);
    tg_free(&c->spread);
    void *buffers[] = {c->numbers, c->all, c->part, c->dy, c->log_sum, c->target.value};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        free(buffers[i]);
    free(c);
}

/* ---- what an entry must be ---- */

static ptrdiff_t drawn_target(const tgl_inputs *in, ptrdiff_t row)
{
    const double value = tgl_input(in, TGL_PARAMETER, 1, &row); /* in [-1, 1) */
    return (ptrdiff_t)((value + 1) / 2 * (double)in->problem->x.axis[1].extent);
}

static double log_sum_of(const tgl_inputs *in, ptrdiff_t row)
{
    double sum = 0;
    for (ptrdiff_t i = 0; i < in->problem->x.axis[1].extent; i++)
        sum += exp(tgl_input(in, TGL_X, 2, (ptrdiff_t[]){row, i})); /* x < 1: no overflow */
    return log(sum);
}

static void expect(const tgl_inputs *in, int output, const ptrdiff_t *index, tgl_expected *e)
{
    const tg_layout *x = &in->problem->x;
    const ptrdiff_t batch = x->axis[0].extent, zero = 0;
    if (output == TGL_DX) {
        const double p = exp(tgl_input(in, TGL_X, 2, index) - log_sum_of(in, index[0])),
                     dy = tgl_input(in, TGL_DY, 1, &zero) / (double)batch;
        e->value = dy * (p - (index[1] == drawn_target(in, index[0]) ? 1 : 0));
        e->scale = fabs(dy) * (p + 1);
        e->terms = (double)x->axis[1].extent;
        return;
    }
    for (ptrdiff_t row = 0; row < batch; row++) {
        const ptrdiff_t target = drawn_target(in, row);
        const double log_sum = log_sum_of(in, row),
                     of_target = tgl_input(in, TGL_X, 2, (ptrdiff_t[]){row, target});
        e->value += (log_sum - of_target) / (double)batch;
        e->scale += (fabs(log_sum) + fabs(of_target) + 1) / (double)batch;
    }
    e->terms = (double)(batch * x->axis[1].extent);
}

static void fill(tgl_layer *layer, uint64_t seed, void *x, void *dy)
{
    const cross_entropy *c = (const cross_entropy *)layer;
    const tgl_inputs in = {.problem = layer->problem, .seed = seed};
    tgl_expect_fill(layer, seed, x, dy);
    for (ptrdiff_t row = 0; row < c->rows; row++)
        c->dtype->put(c->target.value, row, (double)drawn_target(&in, c->target.box.lo[0] + row));
}

static const tgl_methods methods = {
    .forward = forward, .backward = backward, .release = free_cross_entropy, .fill = fill};

/* ---- words ---- */

static const tgl_key keys[] = {
    {"shape", NULL, true}, {"grid", "1x1", false}, {"ranks", "0..n-1", false}, TGL_TYPE};

static tg_status resolve(const tgl_words *words, tgl_problem *problem)
{
    const char *shape = tgl_words_get(words, "shape");
    tg_status status = tgl_word_layout(words, shape, NULL, problem, &problem->x);
    if (status.code == TG_OK)
        status = tgl_word_shape(&problem->x, problem);
    if (status.code != TG_OK)
        return status;
    const tg_layout *x = &problem->x;
    if (x->ndim != 2 || x->axis[0].extent < 1 || x->axis[1].extent < 1)
        return tg_fail(TG_BAD_INPUT, "shape=%.40s: expected batch and classes from 1, as in 256x10",
                       shape);
    problem->facts.flops = (double)tg_layout_count(x);
    problem->facts.busiest_flops = (double)tg_layout_max_held(x);
    problem->facts.entries_most = problem->facts.busiest_flops;
    problem->facts.group[0] = x->axis[1].parts;
    problem->facts.group[1] = x->axis[0].parts;
    return tgl_loss_layout(x, problem->ranks, 1, 0, &problem->y);
}

/* ---- plan ---- */

static tg_status plan_gather(MPI_Comm comm, const tgl_problem *problem, cross_entropy *c)
{
    const tg_layout *x = &problem->x;
    char shape[96], from[32], to[32];
    tg_layout a = {.ndim = 0}, b = {.ndim = 0};
    if (c->parts == 1)
        return tg_success();
    snprintf(shape, sizeof shape, "%dx%tdx%d", c->parts, x->axis[0].extent, (int)NUMBERS);
    snprintf(from, sizeof from, "%dx%dx1", c->parts, x->axis[0].parts);
    snprintf(to, sizeof to, "%dcx%dx1", c->parts, x->axis[0].parts);
    const char *ranks = tgl_words_get(&problem->words, "ranks");
    tg_status status = tg_layout_parse(
        &(tg_layout_words){.shape = shape, .grid = from, .order = "102", .ranks = ranks},
        problem->ranks, 0, &a);
    if (status.code == TG_OK)
        status = tg_layout_parse(
            &(tg_layout_words){.shape = shape, .grid = to, .order = "102", .ranks = ranks},
            problem->ranks, 0, &b);
    status = tg_agree(comm, status);
    if (status.code == TG_OK)
        status = tgl_compose(comm, "all_gather", problem, &a, &b, &c->gather);
    tg_layout_free(&a);
    tg_layout_free(&b);
    return status;
}

static tg_status plan_sums(MPI_Comm comm, const tgl_problem *problem, cross_entropy *c)
{
    const tg_layout *x = &problem->x;
    tg_layout rows = {.ndim = 0}, all = {.ndim = 0};
    tg_status status = tgl_loss_layout(x, problem->ranks, x->axis[0].parts, c->parts, &rows);
    if (status.code == TG_OK)
        status = tgl_loss_layout(x, problem->ranks, tg_layout_size(x), 1, &all);
    status = tg_agree(comm, status);
    if (status.code == TG_OK)
        status = tgl_compose(comm, "sum_reduce", problem, &rows, &problem->y, &c->sum);
    if (status.code == TG_OK)
        status = tgl_compose(comm, "broadcast", problem, &problem->y, &all, &c->spread);
    tg_layout_free(&rows);
    tg_layout_free(&all);
    return status;
}

static tg_status make_local(const tgl_problem *problem, int rank, cross_entropy *c)
{
    const tg_box x = tg_layout_held(&problem->x, rank);
    const int place = tg_layout_place(&problem->x, rank);
    c->parts = problem->x.axis[1].parts;
    c->batch = problem->x.axis[0].extent;
    c->rows = x.hi[0] - x.lo[0];
    c->first = x.lo[1];
    c->columns = x.hi[1] - x.lo[1];
    c->counts = place >= 0 && place % c->parts == 0;
    c->numbers = tgl_buffer(c->rows * NUMBERS, c->dtype);
    c->all = tgl_buffer(c->rows * NUMBERS * c->parts, c->dtype);
    c->part = tgl_buffer(1, c->dtype);
    c->dy = tgl_buffer(1, c->dtype);
    c->log_sum = calloc((size_t)c->rows + 1, sizeof *c->log_sum);
    c->target = (tgl_parameter){.name = "target",
                                .box = {.ndim = 1, .lo = {x.lo[0]}, .hi = {x.hi[0]}},
                                .value = tgl_buffer(c->rows, c->dtype)};
    c->base.parameters = &c->target;
    c->base.parameter_count = place >= 0;
    c->base.flops_forward = c->base.flops_backward = (double)(c->rows * c->columns);
    const bool good = c->numbers && c->all && c->part && c->dy && c->log_sum && c->target.value;
    return good ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for a loss");
}

static tg_status plan(MPI_Comm comm, const tgl_problem *problem, tgl_layer **layer)
{
    int rank;
    MPI_Comm_rank(comm, &rank);
    cross_entropy *c = calloc(1, sizeof *c);
    if (c) {
        c->base.methods = &methods;
        c->dtype = problem->dtype;
    }
    tg_status status = tg_agree(comm, c ? make_local(problem, rank, c)
                                        : tg_fail(TG_NO_MEMORY, "no memory for a loss"));
    if (status.code == TG_OK)
        status = plan_gather(comm, problem, c);
    if (status.code == TG_OK)
        status = plan_sums(comm, problem, c);
    if (status.code == TG_OK)
        *layer = &c->base;
    else if (c)
        free_cross_entropy(&c->base);
    return status;
}

static const char *const through[] = {"all_gather", "sum_reduce", "broadcast", NULL};

const tgl_kind tgl_cross_entropy = {
    .name = "cross_entropy",
    .summary = "mean cross-entropy of softmax with target classes; batch and classes split",
    .formula = "y = mean over n of log(sum over c of exp(x[n,c])) - x[n,target[n]]",
    .backward = "dx[n,c] = dy / batch (softmax(x)[n,c] - [c = target[n]])",
    .source = "Goodfellow, Bengio, Courville, Deep Learning, 2016, section 6.2",
    .weak = "entries of x on each rank",
    .keys = keys,
    .dtypes = {"f32", "f64"},
    .through = through,
    .backward_factor = 1,
    .resolve = resolve,
    .plan = plan,
    .expect = expect,
};
