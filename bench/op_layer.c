/* op_layer.c: layers as operations: forward and backward of affine, y = x W^T + b. The tensor that
 * --sizes counts is x, W and y together. Weak scaling holds the floating-point operations of the
 * busiest rank at those that one rank alone has for the size. The adjoint is checked by <dy, y> =
 * <dx, x> + <db, b>, which holds for any parameters. */
#include "bench/operation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- words ---- */

static tg_status parse_extent(const char *key, const char *text, ptrdiff_t N, ptrdiff_t *extent)
{
    long value = N;
    tg_status status =
        strcmp(text, "N") == 0 ? tg_success() : tgb_parse_int(key, text, 0, INT32_MAX, &value);
    *extent = value;
    return status;
}

static tg_status parse_features(const char *text, ptrdiff_t N, tgl_affine_spec *spec)
{
    char in[32];
    const char *colon = strchr(text, ':');
    if (!colon || colon - text >= (ptrdiff_t)sizeof in)
        return tg_fail(TG_BAD_INPUT, "features=%.40s: expected IN:OUT, as in 1024:512", text);
    snprintf(in, sizeof in, "%.*s", (int)(colon - text), text);
    tg_status status = parse_extent("features", in, N, &spec->features_in);
    return status.code == TG_OK ? parse_extent("features", colon + 1, N, &spec->features_out)
                                : status;
}

/* grid=OUTxIN and ranks, read and printed as the words of a layout. */
static tg_status parse_grid(const tgb_case *words, int P, tgl_affine_spec *spec,
                            tgb_case *canonical)
{
    const char *grid = tgb_case_get(words, "grid");
    tg_layout_words w = {
        .shape = "0x0", .grid = grid ? grid : "1x1", .ranks = tgb_case_get(words, "ranks")};
    tg_layout layout;
    char text[64], ranks[4096];
    tg_status status = tg_layout_parse(&w, P, 1, &layout);
    if (status.code != TG_OK)
        return status;
    spec->parts_out = layout.axis[0].parts;
    spec->parts_in = layout.axis[1].parts;
    tg_layout_print_grid(&layout, text, sizeof text);
    if (layout.axis[0].copied || layout.axis[1].copied)
        status =
            tg_fail(TG_BAD_INPUT, "grid=%.40s: expected parts without copies, as in 2x2", text);
    if (tg_layout_print_ranks(&layout, ranks, sizeof ranks) >= (int)sizeof ranks)
        status = tg_fail(TG_BAD_INPUT, "ranks=%.40s...: expected a shorter list", ranks);
    if (status.code == TG_OK)
        status = tgb_case_set(canonical, "grid", text);
    if (status.code == TG_OK)
        status = tgb_case_set(canonical, "ranks", ranks);
    tg_layout_free(&layout);
    return status;
}

static tg_status parse_bias(const tgb_case *words, bool *bias)
{
    const char *text = tgb_case_get(words, "bias");
    *bias = !text || strcmp(text, "yes") == 0;
    if (*bias || strcmp(text, "no") == 0)
        return tg_success();
    return tg_fail(TG_BAD_INPUT, "bias=%.40s: expected yes or no", text);
}

static tg_status set_number(tgb_case *c, const char *key, ptrdiff_t a, const char *between,
                            ptrdiff_t b)
{
    char text[64];
    if (between)
        snprintf(text, sizeof text, "%td%s%td", a, between, b);
    else
        snprintf(text, sizeof text, "%td", a);
    return tgb_case_set(c, key, text);
}

static tg_status set_ranks(tgb_case *c, const char *key, const tg_layout *layout)
{
    char text[4096];
    if (tg_layout_print_ranks(layout, text, sizeof text) >= (int)sizeof text)
        return tg_fail(TG_BAD_INPUT, "%s=%.40s...: expected a shorter list", key, text);
    return tgb_case_set(c, key, text);
}

static tg_status parse_affine(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    tgl_affine_spec *spec = &setup->affine;
    tg_status status = parse_extent("batch", tgb_case_get(words, "batch"), N, &spec->batch);
    if (status.code == TG_OK)
        status = parse_features(tgb_case_get(words, "features"), N, spec);
    if (status.code == TG_OK)
        status = parse_bias(words, &spec->bias);
    if (status.code == TG_OK)
        status = set_number(&setup->words, "batch", spec->batch, NULL, 0);
    if (status.code == TG_OK)
        status = set_number(&setup->words, "features", spec->features_in, ":", spec->features_out);
    if (status.code == TG_OK)
        status = parse_grid(words, P, spec, &setup->words);
    spec->ranks = tgb_case_get(&setup->words, "ranks");
    spec->from_ranks = tgb_case_get(words, "from-ranks");
    spec->to_ranks = tgb_case_get(words, "to-ranks");
    spec->dtype = setup->problem.dtype;
    spec->algorithm = setup->algorithm;
    return status;
}

/* ---- facts ---- */

static double ceil_share(ptrdiff_t n, int parts)
{
    return (double)tg_split_start(n, parts, 1);
}

/* x goes to the parts_out blocks of a column of the grid, and behind the product come the sums of
 * its parts_in blocks of a row. The busiest rank reads its block of W and of x and writes its of y.
 * What its link carries is left out: x and y may lie where they are needed. */
static tg_status load(const tgb_setup *setup, tgb_load *l)
{
    const tgl_affine_spec *s = &setup->affine;
    const double in = ceil_share(s->features_in, s->parts_in),
                 out = ceil_share(s->features_out, s->parts_out), batch = (double)s->batch;
    l->group[0] = s->parts_out;
    l->group[1] = s->parts_in;
    l->memory_most = (in * out + batch * in + batch * out) * (double)s->dtype->size;
    l->flops = setup->weak_part;
    return tg_success();
}

static void write_facts(tgb_setup *setup)
{
    const tgl_affine_spec *s = &setup->affine;
    const tg_layout *x = &setup->problem.x, *y = &setup->problem.y;
    const ptrdiff_t size = (ptrdiff_t)s->dtype->size;
    double batch = (double)s->batch;
    setup->size_bytes =
        (tg_layout_count(x) + tg_layout_count(y) + s->features_in * s->features_out) * size;
    setup->held_x_bytes = tg_layout_max_held(x) * size;
    setup->held_y_bytes = tg_layout_max_held(y) * size;
    setup->flops = 2 * batch * (double)s->features_in * (double)s->features_out;
    setup->weak_goal = setup->flops;
    setup->weak_part = 2 * batch * ceil_share(s->features_in, s->parts_in) *
                       ceil_share(s->features_out, s->parts_out);
    setup->local = setup->ranks == 1;
}

static tg_status resolve(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    tgl_affine_spec *spec = &setup->affine;
    tg_status status = parse_affine(words, P, N, setup);
    if (status.code == TG_OK)
        status = tgl_affine_layouts(spec, P, &setup->problem.x, &setup->problem.y);
    if (status.code != TG_OK)
        return status;
    write_facts(setup);
    status = set_ranks(&setup->words, "from-ranks", &setup->problem.x);
    if (status.code == TG_OK)
        status = set_ranks(&setup->words, "to-ranks", &setup->problem.y);
    if (status.code == TG_OK)
        status = tgb_case_set(&setup->words, "bias", spec->bias ? "yes" : "no");
    if (status.code == TG_OK)
        status = tgb_case_set(&setup->words, "dtype", spec->dtype->name);
    if (status.code == TG_OK)
        status = tgb_case_set(&setup->words, "algorithm", spec->algorithm);
    spec->from_ranks = tgb_case_get(&setup->words, "from-ranks");
    spec->to_ranks = tgb_case_get(&setup->words, "to-ranks");
    return status;
}

/* ---- work ---- */

static tg_status plan(tgb_work *work)
{
    const tgb_setup *setup = work->setup;
    const ptrdiff_t size = (ptrdiff_t)setup->problem.dtype->size;
    tg_status status = tgl_affine_plan(work->comm, &setup->affine, &work->layer);
    tg_box x = tg_layout_held(&setup->problem.x, work->rank),
           y = tg_layout_held(&setup->problem.y, work->rank);
    work->x_bytes = tg_box_count(&x) * size;
    work->y_bytes = tg_box_count(&y) * size;
    return status;
}

static void free_work(tgb_work *work)
{
    tgl_free(&work->layer);
}

static void run_forward(tgb_work *work)
{
    tgl_forward(work->layer, work->x, work->y);
}

static void run_backward(tgb_work *work)
{
    tgl_backward(work->layer, work->x, work->dy, work->dx);
}

static void fill_forward(tgb_work *work)
{
    tgl_fill(work->layer, work->seed, work->x, work->dy);
    memset(work->y, TGB_NOTHING_RIGHT, (size_t)work->y_bytes);
}

/* backward takes the x of the last forward again: there must be one. */
static void fill_backward(tgb_work *work)
{
    fill_forward(work);
    tgl_forward(work->layer, work->x, work->y);
    memset(work->dx, TGB_NOTHING_RIGHT, (size_t)work->x_bytes);
}

static ptrdiff_t wrong_forward(tgb_work *work)
{
    return tgl_count_wrong_forward(work->layer, work->seed, work->y);
}

static ptrdiff_t wrong_backward(tgb_work *work)
{
    return tgl_count_wrong_backward(work->layer, work->seed, work->dx);
}

static double dot(const tg_dtype *dtype, ptrdiff_t count, const void *a, const void *b)
{
    double sum = 0;
    for (ptrdiff_t i = 0; i < count; i++)
        sum += dtype->get(a, i) * dtype->get(b, i);
    return sum;
}

static double adjoint_gap(tgb_work *work)
{
    const tg_dtype *dtype = work->setup->problem.dtype;
    const ptrdiff_t nx = work->x_bytes / (ptrdiff_t)dtype->size,
                    ny = work->y_bytes / (ptrdiff_t)dtype->size;
    fill_backward(work);
    run_backward(work);
    tgb_products sum = {.left = dot(dtype, ny, work->dy, work->y),
                        .right = dot(dtype, nx, work->dx, work->x),
                        .out2 = dot(dtype, ny, work->y, work->y),
                        .y2 = dot(dtype, ny, work->dy, work->dy),
                        .x2 = dot(dtype, nx, work->x, work->x),
                        .back2 = dot(dtype, nx, work->dx, work->dx)};
    const tgl_parameter *p;
    for (int i = 0; (p = tgl_parameter_at(work->layer, i)); i++)
        if (strcmp(p->name, "bias") == 0)
            sum.right += dot(dtype, tg_box_count(&p->box), p->gradient, p->value);
    return tgb_gap(work->comm, &sum);
}

static double flops(const tgb_work *work)
{
    return work->direction->run == run_forward ? tgl_flops_forward(work->layer)
                                               : tgl_flops_backward(work->layer);
}

/* ---- rows ---- */

static const tgb_key keys[] = {{"batch", NULL, true},
                               {"features", NULL, true},
                               {"grid", "1x1", false},
                               {"ranks", "0..n-1", false},
                               {"from-ranks", "the grid's first row", false},
                               {"to-ranks", "the grid's first column", false},
                               {"bias", "yes", false},
                               TGB_TYPE,
                               TGB_END};

static const tgb_direction directions[] = {
    {"forward", run_forward, fill_forward, wrong_forward, 1, NULL, NULL},
    {"backward", run_backward, fill_backward, wrong_backward, 2, NULL, NULL},
};

void tgb_add_layers(void (*add)(const tgb_operation *row))
{
    static tgb_operation row = {.kind = "layer",
                                .directions = directions,
                                .ndirections = 2,
                                .keys = keys,
                                .dtypes = {"f32", "f64"},
                                .resolve = resolve,
                                .plan = plan,
                                .adjoint_gap = adjoint_gap,
                                .flops = flops,
                                .load = load,
                                .free = free_work};
    const tg_primitive *broadcast = tg_primitive_find("broadcast"),
                       *sum = tg_primitive_find("sum_reduce");
    int count = 0;
    row.name = tgl_affine.name;
    row.summary = tgl_affine.summary;
    row.formula = tgl_affine.formula;
    row.adjoint = tgl_affine.backward;
    row.source = tgl_affine.source;
    for (int i = 0; broadcast && sum && broadcast->algorithms[i] && count < TGB_MAX_ALGORITHMS; i++)
        if (tg_algorithm_find(sum, broadcast->algorithms[i]->name))
            row.algorithms[count++] = broadcast->algorithms[i]->name;
    add(&row);
}
