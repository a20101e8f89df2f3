/* affine_plan.c: the layouts, operators and buffers of an affine layer; the grid is that of affine.h. */
#include "layers/affine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef tgl_affine_layer affine;

/* x and y as the caller has them; x as it is used and y before it is summed, on the whole grid;
 * parameters where they are owned and where they are used. */
typedef struct {
    tg_layout x, copies, partials, y, weight, weights, bias, biases;
} layouts;

static void free_layouts(layouts *l)
{
    tg_layout *all[] = {&l->x,      &l->copies,  &l->partials, &l->y,
                        &l->weight, &l->weights, &l->bias,     &l->biases};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tg_layout_free(all[i]);
}

/* ---- the words of a specification ---- */

static bool shards(const tgl_affine_spec *s, const char *what)
{
    return s->split && strcmp(s->split, what) == 0;
}

static tg_status check_split(const tgl_affine_spec *s)
{
    if (!s->split)
        return tg_success();
    if (!shards(s, "batch") && !shards(s, "features"))
        return tg_fail(TG_BAD_INPUT, "split: %.40s; expected batch or features", s->split);
    if (shards(s, "features") && s->parts_out > 1 && s->parts_in > 1)
        return tg_fail(TG_BAD_INPUT,
                       "split: features over a grid of %dx%d; expected outputs or inputs in one "
                       "part, or batch",
                       s->parts_out, s->parts_in);
    if (s->parts_batch > 1)
        return tg_fail(TG_BAD_INPUT, "split: %s with %d parts of the batch; expected one part",
                       s->split, s->parts_batch);
    return tg_success();
}

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
    if (s->parts_batch < 1)
        return tg_fail(TG_BAD_INPUT, "parts-batch: %d; expected 1 or more", s->parts_batch);
    long long needed = (long long)s->parts_out * s->parts_in;
    if (needed > P)
        return tg_fail(TG_BAD_INPUT, "grid: %dx%d needs %lld ranks; expected at most %d",
                       s->parts_out, s->parts_in, needed, P);
    if (needed * s->parts_batch > P)
        return tg_fail(TG_BAD_INPUT,
                       "parts-batch: %d with grid %dx%d needs %lld ranks; expected at most %d",
                       s->parts_batch, s->parts_out, s->parts_in, needed * s->parts_batch, P);
    ptrdiff_t in =
        tg_split_start(s->features_in, s->parts_in, 1); /* the first part is the largest */
    ptrdiff_t out = tg_split_start(s->features_out, s->parts_out, 1);
    if (!tgl_blas_fits(s->batch) || !tgl_blas_fits(in) || !tgl_blas_fits(out))
        return tg_fail(TG_BAD_INPUT,
                       "features: a rank multiplies %td x %td by %td x %td; expected extents that "
                       "the BLAS can count",
                       s->batch, in, in, out);
    return check_split(s);
}

/* What brings x to its copies, and the partial y to y. */
static const char *copy_of(const tgl_affine_spec *s)
{
    return s->split ? "all_gather" : "broadcast";
}

static const char *sum_of(const tgl_affine_spec *s)
{
    return s->split ? "reduce_scatter" : "sum_reduce";
}

static const char *kernels_of(const tgl_affine_spec *s)
{
    return s->kernels ? s->kernels : "auto";
}

/* The algorithm must be known to both. */
static tg_status check_words(const tgl_affine_spec *s)
{
    const tgl_conv_kernel *kernels;
    tgl_gemm *gemm;
    tg_status status = tgl_gemm_choose(kernels_of(s), s->dtype, &kernels, &gemm);
    if (status.code != TG_OK)
        return status;
    const tg_primitive *copy = tg_primitive_find(copy_of(s)), *sum = tg_primitive_find(sum_of(s));
    if (s->algorithm && tg_algorithm_find(copy, s->algorithm) &&
        tg_algorithm_find(sum, s->algorithm))
        return tg_success();
    char known[TG_STATUS_TEXT / 2] = "";
    size_t used = 0;
    for (const tg_algorithm *const *row = copy->algorithms; *row && used < sizeof known; row++)
        if (tg_algorithm_find(sum, (*row)->name))
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? " or " : "",
                                     (*row)->name);
    return tg_fail(TG_BAD_INPUT, "algorithm: %s; expected %s", s->algorithm ? s->algorithm : "none",
                   known);
}

/* ---- layouts ---- */

enum { AXES = 3 };

/* Three axes, with copies on one of them, on the ranks of the work. */
static tg_status make_layout(const tgl_affine_spec *s, const ptrdiff_t *extent, const int *parts,
                             int copied, const char *order, int P, tg_layout *layout)
{
    char shape[AXES * 24] = "", grid[AXES * 16] = "";
    size_t used = 0, g = 0;
    for (int d = 0; d < AXES; d++) {
        used +=
            (size_t)snprintf(shape + used, sizeof shape - used, "%s%td", d ? "x" : "", extent[d]);
        g += (size_t)snprintf(grid + g, sizeof grid - g, "%s%d%s", d ? "x" : "", parts[d],
                              d == copied ? "c" : "");
    }
    return tg_layout_parse(
        &(tg_layout_words){.shape = shape, .grid = grid, .ranks = s->ranks, .order = order}, P, 0,
        layout);
}

/* The same parts on the same ranks with the axes in their own order, as words list ranks. */
static tg_status straighten(tg_layout *layout)
{
    const int size = tg_layout_size(layout);
    int *ranks = malloc((size_t)size * sizeof *ranks);
    if (!ranks)
        return tg_fail(TG_NO_MEMORY, "no memory for a list of %d ranks", size);
    for (int i = 0; i < size; i++) {
        int coords[TG_MAX_NDIM], rest = i;
        for (int d = layout->ndim - 1; d >= 0; d--) {
            coords[d] = rest % layout->axis[d].parts;
            rest /= layout->axis[d].parts;
        }
        ranks[i] = tg_layout_rank(layout, tg_layout_place_at(layout, coords));
    }
    for (int d = 0; d < layout->ndim; d++)
        layout->order[d] = d;
    tg_status status = tg_layout_set_ranks(layout, ranks, size);
    free(ranks);
    return status;
}

/* x or y from its copies: the first of them or, with split, a share of each; on these ranks (NULL:
 * where they are needed without being sent). */
static tg_status make_end(const tgl_affine_spec *s, const tg_layout *copies, int copied,
                          const char *ranks, const char *side, int P, tg_layout *layout)
{
    char shape[AXES * 24], grid[AXES * 16];
    bool kept[TG_MAX_NDIM] = {true, true, true};
    tg_status status = tg_layout_copy(copies, layout);
    if (status.code != TG_OK)
        return status;
    kept[copied] = false;
    layout->axis[copied].copied = false;
    if (!s->split)
        status = tgl_keep_first(layout, kept);
    if (status.code == TG_OK && !ranks)
        return straighten(layout);
    if (status.code != TG_OK)
        return status;
    tg_layout_print_shape(layout, shape, sizeof shape);
    tg_layout_print_grid(layout, grid, sizeof grid);
    tg_layout_free(layout);
    return tg_layout_parse(
        &(tg_layout_words){.shape = shape, .grid = grid, .ranks = ranks, .side = side}, P, 0,
        layout);
}

/* 1 x batch x in, with the copies on the first axis, or on the one that is shared out. */
static tg_status make_x(const tgl_affine_spec *s, int P, layouts *l)
{
    const ptrdiff_t extent[] = {1, s->batch, s->features_in};
    int parts[] = {1, s->parts_batch, s->parts_in};
    const int copied = shards(s, "batch") ? 1 : shards(s, "features") && s->parts_out > 1 ? 2 : 0;
    parts[copied] = s->parts_out;
    tg_status status = make_layout(s, extent, parts, copied, "102", P, &l->copies);
    return status.code == TG_OK ? make_end(s, &l->copies, copied, s->from_ranks, "from", P, &l->x)
                                : status;
}

/* batch x out x 1 */
static tg_status make_y(const tgl_affine_spec *s, int P, layouts *l)
{
    const ptrdiff_t extent[] = {s->batch, s->features_out, 1};
    int parts[] = {s->parts_batch, s->parts_out, 1};
    const int copied = shards(s, "batch") ? 0 : shards(s, "features") && s->parts_in > 1 ? 1 : 2;
    parts[copied] = s->parts_in;
    tg_status status =
        make_layout(s, extent, parts, copied, copied == 0 ? "102" : "012", P, &l->partials);
    return status.code == TG_OK ? make_end(s, &l->partials, copied, s->to_ranks, "to", P, &l->y)
                                : status;
}

/* 1 x out x in, with copies for the parts of the batch; the bias with the first part of the inputs. */
static tg_status make_parameters(const tgl_affine_spec *s, int P, layouts *l)
{
    const ptrdiff_t extent[] = {1, s->features_out, s->features_in};
    const int parts[] = {s->parts_batch, s->parts_out, s->parts_in};
    const bool first_in[TG_MAX_NDIM] = {true, true, false},
               first_batch[TG_MAX_NDIM] = {false, true, true};
    tg_status status = make_layout(s, extent, parts, 0, NULL, P, &l->weights);
    if (status.code == TG_OK)
        status = tg_layout_copy(&l->weights, &l->weight);
    if (status.code == TG_OK)
        status = tgl_keep_first(&l->weight, first_batch);
    if (status.code == TG_OK)
        status = tg_layout_copy(&l->weights, &l->biases);
    if (status.code == TG_OK)
        status = tgl_keep_first(&l->biases, first_in);
    if (status.code != TG_OK)
        return status;
    l->biases.axis[2].extent = 1;
    status = tg_layout_copy(&l->biases, &l->bias);
    return status.code == TG_OK ? tgl_keep_first(&l->bias, first_batch) : status;
}

static tg_status make_layouts(const tgl_affine_spec *s, int P, layouts *l)
{
    *l = (layouts){.x = {.ndim = 0}};
    tg_status status = check_sizes(s, P);
    if (status.code == TG_OK)
        status = check_words(s);
    if (status.code == TG_OK)
        status = make_x(s, P, l);
    if (status.code == TG_OK)
        status = make_y(s, P, l);
    if (status.code == TG_OK)
        status = make_parameters(s, P, l);
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
    l.x = l.y = (tg_layout){.ndim = 0};
    free_layouts(&l);
    return status;
}

/* ---- planning ---- */

static ptrdiff_t count_of(const tg_layout *layout, int rank)
{
    const tg_box box = tg_layout_held(layout, rank);
    return tg_box_count(&box);
}

static tg_status no_memory(const affine *a)
{
    return tg_fail(TG_NO_MEMORY, "no memory for an affine layer of %td x %td by %td x %td", a->rows,
                   a->in, a->in, a->out);
}

static tg_status make_buffers(const layouts *l, int rank, affine *a)
{
    const struct {
        void **buffer;
        bool wanted;
        const tg_layout *layout;
    } rows[] = {{&a->x, a->copy_x, &l->copies},
                {&a->dx, a->copy_x, &l->copies},
                {&a->y, a->sum, &l->partials},
                {&a->weight, a->copy_weight, &l->weights},
                {&a->dweight, a->copy_weight, &l->weights},
                {&a->bias, a->copy_bias, &l->biases},
                {&a->dbias, a->copy_bias, &l->biases},
                {&a->parameter[0].value, true, &l->weight},
                {&a->parameter[0].gradient, true, &l->weight},
                {&a->parameter[1].value, true, &l->bias},
                {&a->parameter[1].gradient, true, &l->bias}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].wanted &&
            !(*rows[i].buffer = tgl_buffer(count_of(rows[i].layout, rank), a->dtype)))
            return no_memory(a);
    return tgl_affine_plan_product(a);
}

static void put_parameters(const tgl_affine_spec *s, const layouts *l, int rank, affine *a)
{
    const tg_box w = tg_layout_held(&l->weight, rank), b = tg_layout_held(&l->bias, rank);
    a->parameter[0] =
        (tgl_parameter){.name = "weight",
                        .number = 0,
                        .fan_in = s->features_in,
                        .box = {.ndim = 2, .lo = {w.lo[1], w.lo[2]}, .hi = {w.hi[1], w.hi[2]}}};
    a->parameter[1] = (tgl_parameter){.name = "bias",
                                      .number = 1,
                                      .fan_in = s->features_in,
                                      .box = {.ndim = 1, .lo = {b.lo[1]}, .hi = {b.hi[1]}}};
    a->owns_bias = s->bias && tg_layout_place(&l->bias, rank) >= 0;
    a->base.parameters = a->parameter;
    a->base.parameter_count = (tg_layout_place(&l->weight, rank) >= 0) + a->owns_bias;
}

/* What this rank is, from its places on the grid. */
static void put_numbers(const tgl_affine_spec *s, const layouts *l, int rank, affine *a)
{
    const tg_box copy = tg_layout_held(&l->copies, rank),
                 partial = tg_layout_held(&l->partials, rank);
    const tgl_conv_kernel *kernels;
    tgl_gemm_choose(kernels_of(s), s->dtype, &kernels, &a->gemm); /* check_words asked */
    a->dtype = s->dtype;
    a->base.kernels = kernels->name;
    a->packing = kernels->packing;
    a->rows = copy.hi[1] - copy.lo[1];
    a->in = copy.hi[2] - copy.lo[2];
    a->out = partial.hi[1] - partial.lo[1];
    a->batch = s->batch;
    a->features_in = s->features_in;
    a->features_out = s->features_out;
    a->has_bias = s->bias;
    a->adds_bias = s->bias && tg_layout_place(&l->biases, rank) >= 0;
    a->x_box = tg_layout_held(&l->x, rank);
    a->y_box = tg_layout_held(&l->y, rank);
    const double product = 2.0 * (double)a->rows * (double)a->in * (double)a->out,
                 bias = a->adds_bias ? (double)a->rows * (double)a->out : 0;
    a->base.flops_forward = product + bias;
    a->base.flops_backward = 2 * product + bias;
    a->base.flops_dx = product;
}

static tg_status plan_operators(MPI_Comm comm, const tgl_affine_spec *s, const layouts *l,
                                affine *a)
{
    const tgl_problem through = {.dtype = s->dtype, .algorithm = s->algorithm};
    tg_status status = tgl_compose(comm, copy_of(s), &through, &l->x, &l->copies, &a->copy_x);
    if (status.code == TG_OK)
        status = tgl_compose(comm, sum_of(s), &through, &l->partials, &l->y, &a->sum);
    if (status.code == TG_OK && s->parts_batch > 1)
        status = tgl_compose(comm, "broadcast", &through, &l->weight, &l->weights, &a->copy_weight);
    if (status.code == TG_OK && s->parts_batch > 1 && s->bias)
        status = tgl_compose(comm, "broadcast", &through, &l->bias, &l->biases, &a->copy_bias);
    return status;
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

tg_status tgl_affine_make(MPI_Comm comm, const tgl_affine_spec *s, tgl_affine_layer *a)
{
    int P, rank;
    layouts l;
    MPI_Comm_size(comm, &P);
    MPI_Comm_rank(comm, &rank);
    tgl_blas_start(); /* before a library is chosen, which takes as many threads */
    tg_status status = tg_agree(comm, make_layouts(s, P, &l));
    if (status.code == TG_OK)
        status = agree_on_bias(comm, s->bias);
    if (status.code == TG_OK)
        status = plan_operators(comm, s, &l, a);
    if (status.code == TG_OK) {
        put_numbers(s, &l, rank, a);
        put_parameters(s, &l, rank, a);
        status = tg_agree(comm, make_buffers(&l, rank, a));
    }
    free_layouts(&l);
    return status;
}
