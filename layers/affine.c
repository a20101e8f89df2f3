/* affine.c: the layer y = x W^T + b with its weights on a grid of parts_out x parts_in ranks.
 *
 *   forward   x is broadcast down the columns of the grid; each rank multiplies its block of W; the
 *             partial y (b added on the first column only) are summed along the rows.
 *   backward  dy is copied along the rows (the adjoint of the sum); dW = dy^T x and db are local;
 *             the partial dx = dy W are summed up the columns (the adjoint of the broadcast).
 *
 * Source: Hewett and Grady, arXiv 2006.03108, section 4. */
#include "layers/affine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef tgl_affine_layer affine;

/* The four layouts: x, its copies on the grid, the partial sums on the grid, y. */
typedef struct {
    tg_layout x, copies, partials, y;
} layouts;

/* ---- forward and backward ---- */

static void put_bias_in_rows(const affine *a, void *y)
{
    size_t row_size = (size_t)a->out * a->dtype->size;
    for (ptrdiff_t n = 0; n < a->batch && row_size > 0; n++)
        memcpy((char *)y + (size_t)n * row_size, a->parameter[1].value, row_size);
}

static void forward(tgl_layer *layer, const void *x, void *y)
{
    affine *a = (affine *)layer;
    const void *copy = a->broadcast ? a->x : x;
    void *partial = a->sum ? a->y : y;
    if (a->broadcast)
        tg_apply(a->broadcast, x, a->x);
    if (a->adds_bias)
        put_bias_in_rows(a, partial);
    a->gemm(a->batch, a->out, a->in, (tgl_factor){.data = copy},
            (tgl_factor){a->parameter[0].value, true, 0}, a->adds_bias, partial, 0);
    if (a->sum)
        tg_apply(a->sum, a->y, y);
}

static void sum_rows(const affine *a, const void *dy, void *gradient)
{
    size_t row_size = (size_t)a->out * a->dtype->size;
    memset(gradient, 0, row_size);
    for (ptrdiff_t n = 0; n < a->batch && row_size > 0; n++)
        a->dtype->add(gradient, (const char *)dy + (size_t)n * row_size, a->out);
}

static void backward(tgl_layer *layer, const void *x, const void *dy, void *dx)
{
    affine *a = (affine *)layer;
    const void *copy = a->broadcast ? a->x : x, *dy_copy = a->sum ? a->y : dy;
    void *partial = a->broadcast ? a->dx : dx;
    if (a->sum)
        tg_apply_adjoint(a->sum, (void *)dy, a->y); /* out of place: dy is only read */
    a->gemm(a->out, a->in, a->batch, (tgl_factor){dy_copy, true, 0}, (tgl_factor){.data = copy},
            false, a->parameter[0].gradient, 0);
    if (a->adds_bias)
        sum_rows(a, dy_copy, a->parameter[1].gradient);
    a->gemm(a->batch, a->in, a->out, (tgl_factor){.data = dy_copy},
            (tgl_factor){.data = a->parameter[0].value}, false, partial, 0);
    if (a->broadcast)
        tg_apply_adjoint(a->broadcast, a->dx, dx);
}

static void free_affine(tgl_layer *layer)
{
    affine *a = (affine *)layer;
    tg_free(&a->broadcast);
    tg_free(&a->sum);
    free(a->x);
    free(a->y);
    free(a->dx);
    for (int i = 0; i < 2; i++) {
        free(a->parameter[i].value);
        free(a->parameter[i].gradient);
    }
    free(a);
}

static const tgl_methods methods = {.forward = forward,
                                    .backward = backward,
                                    .free = free_affine,
                                    .fill = tgl_affine_fill,
                                    .count_wrong_forward = tgl_affine_count_wrong_forward,
                                    .count_wrong_backward = tgl_affine_count_wrong_backward};

/* ---- the words of a specification ---- */

static tg_status check_sizes(const tgl_affine_spec *s, int P)
{
    if (s->batch < 0)
        return tg_fail(TG_BAD_INPUT, "batch: %td; expected 0 or more", s->batch);
    if (s->features_in < 0 || s->features_out < 0)
        return tg_fail(TG_BAD_INPUT, "features: %td:%td; expected two numbers from 0",
                       s->features_in, s->features_out);
    if (s->parts_out < 1 || s->parts_in < 1)
        return tg_fail(TG_BAD_INPUT, "grid: %dx%d; expected two numbers from 1", s->parts_out,
                       s->parts_in);
    long long needed = (long long)s->parts_out * s->parts_in;
    if (needed > P)
        return tg_fail(TG_BAD_INPUT, "grid: %dx%d needs %lld ranks; expected at most %d",
                       s->parts_out, s->parts_in, needed, P);
    ptrdiff_t in =
        tg_split_start(s->features_in, s->parts_in, 1); /* the first part is the largest */
    ptrdiff_t out = tg_split_start(s->features_out, s->parts_out, 1);
    if (!tgl_blas_fits(s->batch) || !tgl_blas_fits(in) || !tgl_blas_fits(out))
        return tg_fail(TG_BAD_INPUT,
                       "features: a rank multiplies %td x %td by %td x %td; expected extents that "
                       "the BLAS can count",
                       s->batch, in, in, out);
    return tg_success();
}

/* The algorithm must be known to the broadcast and to the sum. */
static tg_status check_words(const tgl_affine_spec *s)
{
    if (!s->dtype || !tgl_gemm_find(s->dtype))
        return tg_fail(TG_BAD_INPUT, "dtype: %s; expected f32 or f64",
                       s->dtype ? s->dtype->name : "none");
    const tg_primitive *broadcast = tg_primitive_find("broadcast"),
                       *sum = tg_primitive_find("sum_reduce");
    if (s->algorithm && tg_algorithm_find(broadcast, s->algorithm) &&
        tg_algorithm_find(sum, s->algorithm))
        return tg_success();
    char known[TG_STATUS_TEXT / 2] = "";
    size_t used = 0;
    for (const tg_algorithm *const *row = broadcast->algorithms; *row && used < sizeof known; row++)
        if (tg_algorithm_find(sum, (*row)->name))
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? " or " : "",
                                     (*row)->name);
    return tg_fail(TG_BAD_INPUT, "algorithm: %s; expected %s", s->algorithm ? s->algorithm : "none",
                   known);
}

/* ---- layouts ---- */

static void free_layouts(layouts *l)
{
    tg_layout_free(&l->x);
    tg_layout_free(&l->copies);
    tg_layout_free(&l->partials);
    tg_layout_free(&l->y);
}

/* The ranks at places 0, stride, 2 stride, ... (count of them) as a rank list in words; NULL
 * without memory. */
static char *list_ranks(const tg_layout *grid, int count, int stride)
{
    enum { RUN_TEXT = 40 };
    char *text = malloc((size_t)count * RUN_TEXT);
    size_t used = 0;
    for (int i = 0, length; text && i < count; i += length) {
        int first = tg_layout_rank(grid, i * stride);
        int step = i + 1 < count ? tg_layout_rank(grid, (i + 1) * stride) - first : 1;
        for (length = 1; i + length < count; length++)
            if (tg_layout_rank(grid, (i + length) * stride) != first + length * step)
                break;
        used += (size_t)snprintf(text + used, RUN_TEXT, "%s%d-%d:%d", i ? "," : "", first,
                                 first + (length - 1) * step, length > 1 ? step : 1);
    }
    return text;
}

/* The layout of x or y: on the ranks that the caller lists, otherwise on these places of the
 * weights' grid. */
static tg_status end_layout(tg_layout_words words, const char *ranks, int P, const tg_layout *grid,
                            int count, int stride, tg_layout *layout)
{
    char *places = ranks ? NULL : list_ranks(grid, count, stride);
    if (!ranks && !places)
        return tg_fail(TG_NO_MEMORY, "no memory for a list of %d ranks", count);
    words.ranks = ranks ? ranks : places;
    tg_status status = tg_layout_parse(&words, P, 0, layout);
    free(places);
    return status;
}

/* The copied axis gets extent 1. On failure nothing is kept. */
static tg_status make_layouts(const tgl_affine_spec *s, int P, layouts *l)
{
    *l = (layouts){.x = {.ndim = 0}};
    tg_status status = check_sizes(s, P);
    if (status.code == TG_OK)
        status = check_words(s);
    if (status.code != TG_OK)
        return status;
    char shape_x[64], shape_y[64], grid_x[64], grid_y[64], grid_copies[64], grid_partials[64];
    snprintf(shape_x, sizeof shape_x, "1x%tdx%td", s->batch, s->features_in);
    snprintf(shape_y, sizeof shape_y, "%tdx%tdx1", s->batch, s->features_out);
    snprintf(grid_x, sizeof grid_x, "1x1x%d", s->parts_in);
    snprintf(grid_y, sizeof grid_y, "1x%dx1", s->parts_out);
    snprintf(grid_copies, sizeof grid_copies, "%dcx1x%d", s->parts_out, s->parts_in);
    snprintf(grid_partials, sizeof grid_partials, "1x%dx%dc", s->parts_out, s->parts_in);
    tg_layout_words copies = {.shape = shape_x, .grid = grid_copies, .ranks = s->ranks};
    tg_layout_words partials = {.shape = shape_y, .grid = grid_partials, .ranks = s->ranks};
    tg_layout_words x = {.shape = shape_x, .grid = grid_x, .side = "from"},
                    y = {.shape = shape_y, .grid = grid_y, .side = "to"};
    status = tg_layout_parse(&copies, P, 0, &l->copies);
    if (status.code == TG_OK)
        status = tg_layout_parse(&partials, P, 0, &l->partials);
    if (status.code == TG_OK)
        status = end_layout(x, s->from_ranks, P, &l->copies, s->parts_in, 1, &l->x);
    if (status.code == TG_OK)
        status = end_layout(y, s->to_ranks, P, &l->partials, s->parts_out, s->parts_in, &l->y);
    if (status.code != TG_OK)
        free_layouts(l);
    return status;
}

tg_status tgl_affine_layouts(const tgl_affine_spec *spec, int P, tg_layout *x, tg_layout *y)
{
    layouts l;
    tg_status status = make_layouts(spec, P, &l);
    *x = l.x;
    *y = l.y;
    tg_layout_free(&l.copies);
    tg_layout_free(&l.partials);
    return status;
}

/* ---- planning ---- */

static void *make_buffer(ptrdiff_t rows, ptrdiff_t columns, const tg_dtype *dtype, bool *good)
{
    ptrdiff_t count;
    bool fits = !__builtin_mul_overflow(rows, columns, &count);
    void *buffer = fits ? tgl_buffer(count, dtype) : NULL;
    *good = *good && buffer;
    return buffer;
}

/* The places on the grid that this rank's layouts give it, and its buffers. */
static tg_status make_affine(const tgl_affine_spec *s, const layouts *l, int rank, affine **layer)
{
    affine *a = *layer = calloc(1, sizeof *a);
    if (!a)
        return tg_fail(TG_NO_MEMORY, "no memory for an affine layer");
    tg_box copy = tg_layout_held(&l->copies, rank), partial = tg_layout_held(&l->partials, rank);
    int place = tg_layout_place(&l->copies, rank);
    bool good = true;
    a->base.methods = &methods;
    a->dtype = s->dtype;
    a->gemm = tgl_gemm_find(s->dtype);
    a->batch = s->batch;
    a->in = copy.hi[2] - copy.lo[2];
    a->out = partial.hi[1] - partial.lo[1];
    a->features_in = s->features_in;
    a->features_out = s->features_out;
    a->has_bias = s->bias;
    a->adds_bias = s->bias && place >= 0 && place % s->parts_in == 0;
    a->x_box = tg_layout_held(&l->x, rank);
    a->y_box = tg_layout_held(&l->y, rank);
    a->x = make_buffer(a->batch, a->in, s->dtype, &good);
    a->dx = make_buffer(a->batch, a->in, s->dtype, &good);
    a->y = make_buffer(a->batch, a->out, s->dtype, &good);
    a->parameter[0] = (tgl_parameter){
        .name = "weight",
        .number = 0,
        .fan_in = s->features_in,
        .box = {.ndim = 2, .lo = {partial.lo[1], copy.lo[2]}, .hi = {partial.hi[1], copy.hi[2]}},
        .value = make_buffer(a->out, a->in, s->dtype, &good),
        .gradient = make_buffer(a->out, a->in, s->dtype, &good)};
    a->parameter[1] =
        (tgl_parameter){.name = "bias",
                        .number = 1,
                        .fan_in = s->features_in,
                        .box = {.ndim = 1, .lo = {partial.lo[1]}, .hi = {partial.hi[1]}},
                        .value = make_buffer(1, a->out, s->dtype, &good),
                        .gradient = make_buffer(1, a->out, s->dtype, &good)};
    a->base.parameters = a->parameter;
    a->base.parameter_count = (place >= 0) + a->adds_bias;
    double product = 2.0 * (double)a->batch * (double)a->in * (double)a->out;
    double bias = a->adds_bias ? (double)a->batch * (double)a->out : 0;
    a->base.flops_forward = product + bias;
    a->base.flops_backward = 2 * product + bias;
    return good ? tg_success()
                : tg_fail(TG_NO_MEMORY, "no memory for an affine layer of %td x %td by %td x %td",
                          a->batch, a->in, a->in, a->out);
}

/* Everything that one rank does alone. On failure the layouts and the layer hold what was made so
 * far. */
static tg_status prepare(MPI_Comm comm, const tgl_affine_spec *s, layouts *l, affine **layer)
{
    int P, rank;
    MPI_Comm_size(comm, &P);
    MPI_Comm_rank(comm, &rank);
    tg_status status = make_layouts(s, P, l);
    return status.code == TG_OK ? make_affine(s, l, rank, layer) : status;
}

/* The operators tell whether the ranks passed the same sizes; the bias is no part of them. */
static tg_status agree_on_bias(MPI_Comm comm, bool bias)
{
    int with_without[2] = {bias, !bias};
    MPI_Allreduce(MPI_IN_PLACE, with_without, 2, MPI_INT, MPI_MAX, comm);
    if (with_without[0] && with_without[1])
        return tg_fail(TG_DISAGREE,
                       "bias: some ranks passed yes and some no; expected the same on every rank");
    return tg_success();
}

/* Where an operator would only copy, the buffers on its other side are not needed either. */
static void leave_out(void **buffer, void **other)
{
    free(*buffer);
    *buffer = NULL;
    free(*other);
    *other = NULL;
}

tg_status tgl_affine_plan(MPI_Comm comm, const tgl_affine_spec *spec, tgl_layer **layer)
{
    affine *a = NULL;
    layouts l = {.x = {.ndim = 0}};
    const tgl_problem through = {.dtype = spec->dtype, .algorithm = spec->algorithm};
    *layer = NULL;
    tg_status status = tg_agree(comm, prepare(comm, spec, &l, &a));
    if (status.code == TG_OK)
        status = tgl_compose(comm, "broadcast", &through, &l.x, &l.copies, &a->broadcast);
    if (status.code == TG_OK)
        status = tgl_compose(comm, "sum_reduce", &through, &l.partials, &l.y, &a->sum);
    if (status.code == TG_OK)
        status = agree_on_bias(comm, spec->bias);
    if (status.code == TG_OK) {
        if (!a->broadcast)
            leave_out(&a->x, &a->dx);
        if (!a->sum)
            leave_out(&a->y, &a->y);
        tgl_blas_start();
        *layer = &a->base;
    } else if (a) {
        free_affine(&a->base);
    }
    free_layouts(&l);
    return status;
}

/* ---- the words of a case ---- */

static const tgl_key keys[] = {{"batch", NULL, true},
                               {"features", NULL, true},
                               {"grid", "1x1", false},
                               {"ranks", "0..n-1", false},
                               {"from-ranks", "the grid's first row", false},
                               {"to-ranks", "the grid's first column", false},
                               {"bias", "yes", false},
                               TGL_TYPE};

static tg_status set_extents(tgl_problem *problem, const char *key, ptrdiff_t a, ptrdiff_t b)
{
    char text[64];
    snprintf(text, sizeof text, b < 0 ? "%td" : "%td:%td", a, b);
    return tgl_words_set(&problem->words, key, text);
}

static void write_facts(const tgl_affine_spec *s, tgl_facts *facts)
{
    const double batch = (double)s->batch,
                 in = (double)tg_split_start(s->features_in, s->parts_in, 1),
                 out = (double)tg_split_start(s->features_out, s->parts_out, 1);
    facts->flops = 2 * batch * (double)s->features_in * (double)s->features_out;
    facts->busiest_flops = 2 * batch * in * out;
    facts->parameters = s->features_in * s->features_out + (s->bias ? s->features_out : 0);
    facts->parameters_most = (ptrdiff_t)(in * out + (s->bias ? out : 0));
    facts->entries_most = in * out + batch * in + batch * out;
    facts->group[0] = s->parts_out;
    facts->group[1] = s->parts_in;
}

/* grid=OUTxIN and ranks are read and printed as the words of a layout. */
static tg_status read_spec(const tgl_words *words, tgl_problem *problem, tgl_affine_spec *s)
{
    tg_layout grid = {.ndim = 0};
    tg_status status = tgl_word_extent(words, keys, "batch", &s->batch);
    if (status.code == TG_OK)
        status = tgl_word_pair(words, "features", &s->features_in, &s->features_out);
    if (status.code == TG_OK)
        status = tgl_word_yes(words, keys, "bias", &s->bias);
    if (status.code == TG_OK)
        status = set_extents(problem, "batch", s->batch, -1);
    if (status.code == TG_OK)
        status = set_extents(problem, "features", s->features_in, s->features_out);
    if (status.code == TG_OK)
        status = tgl_words_set(&problem->words, "bias", s->bias ? "yes" : "no");
    if (status.code == TG_OK)
        status = tgl_word_layout(words, "0x0", NULL, problem, &grid);
    if (status.code != TG_OK)
        return status;
    s->parts_out = grid.axis[0].parts;
    s->parts_in = grid.axis[1].parts;
    tg_layout_free(&grid);
    s->from_ranks = tgl_words_get(words, "from-ranks");
    s->to_ranks = tgl_words_get(words, "to-ranks");
    s->dtype = problem->dtype;
    s->algorithm = problem->algorithm;
    return tg_success();
}

/* The texts of the spec are those of the problem's words, which stay where they are. */
static void point_at_words(const tgl_problem *problem, tgl_affine_spec *s)
{
    s->ranks = tgl_words_get(&problem->words, "ranks");
    s->from_ranks = tgl_words_get(&problem->words, "from-ranks");
    s->to_ranks = tgl_words_get(&problem->words, "to-ranks");
}

static tg_status resolve(const tgl_words *words, tgl_problem *problem)
{
    tgl_affine_spec *s = problem->spec = calloc(1, sizeof *s);
    if (!s)
        return tg_fail(TG_NO_MEMORY, "no memory for an affine layer");
    tg_status status = read_spec(words, problem, s);
    if (status.code != TG_OK)
        return status;
    s->ranks = tgl_words_get(&problem->words, "ranks");
    status = tgl_affine_layouts(s, problem->ranks, &problem->x, &problem->y);
    if (status.code == TG_OK)
        status = tgl_word_ranks("from-ranks", &problem->x, problem);
    if (status.code == TG_OK)
        status = tgl_word_ranks("to-ranks", &problem->y, problem);
    if (status.code == TG_OK)
        write_facts(s, &problem->facts);
    return status;
}

static tg_status plan(MPI_Comm comm, const tgl_problem *problem, tgl_layer **layer)
{
    tgl_affine_spec spec = *(const tgl_affine_spec *)problem->spec;
    point_at_words(problem, &spec);
    return tgl_affine_plan(comm, &spec, layer);
}

static const char *const through[] = {"broadcast", "sum_reduce", NULL};

const tgl_kind tgl_affine = {
    .name = "affine",
    .summary = "linear layer with bias on a grid of weights",
    .formula = "y = x W^T + b",
    .backward = "dx = dy W, dW = dy^T x, db = sum of dy over the batch",
    .source = "Hewett and Grady, arXiv 2006.03108, section 4",
    .weak = "flops of each rank: its block of the weights and the batch",
    .keys = keys,
    .dtypes = {"f32", "f64"},
    .through = through,
    .backward_factor = 2,
    .linear = true,
    .resolve = resolve,
    .plan = plan,
};
