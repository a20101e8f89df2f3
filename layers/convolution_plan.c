/* convolution_plan.c: the words of a convolution, its layouts and its operators; the grid is that of
 * convolution.h. */
#include "layers/blas.h"
#include "layers/convolution.h"
#include "layers/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const tgl_key tgl_convolution_keys[] = {
    {"batch", NULL, true},
    {"channels", NULL, true},
    {"space", NULL, true},
    {"kernel", NULL, false},
    {"stride", "1", false},
    {"padding", "0", false},
    {"dilation", "1", false},
    {"groups", "1", false},
    {"grid", "1x1x1", false},
    {"parts-out", "1", false},
    {"ranks", "0..n-1", false},
    {"from-ranks", "the grid's first part of the outputs", false},
    {"to-ranks", "the grid's first part of the inputs", false},
    {"bias", "yes", false},
    {"kernels", "auto", false},
    TGL_TYPE};

/* ---- layouts from numbers ---- */

/* One axis of a layout. */
typedef struct {
    ptrdiff_t extent;
    int parts;
    bool copied;
} axis;

static tg_status make_layout(const axis *axes, int ndim, const char *order, const char *ranks,
                             const char *side, int P, tg_layout *layout)
{
    char shape[TG_MAX_NDIM * 24] = "", grid[TG_MAX_NDIM * 16] = "";
    size_t s = 0, g = 0;
    for (int d = 0; d < ndim; d++) {
        const char *between = d ? "x" : "";
        s += (size_t)snprintf(shape + s, sizeof shape - s, "%s%td", between, axes[d].extent);
        g += (size_t)snprintf(grid + g, sizeof grid - g, "%s%d%s", between, axes[d].parts,
                              axes[d].copied ? "c" : "");
    }
    tg_layout_words words = {
        .shape = shape, .grid = grid, .order = order, .ranks = ranks, .side = side};
    return tg_layout_parse(&words, P, 0, layout);
}

static int space_parts(const tgl_convolution_spec *s)
{
    int all = 1;
    for (int d = 0; d < s->taps.space; d++)
        all *= s->parts[d];
    return all;
}

/* Place on the grid of the work. With groups, batch comes before the channels, as in the grid of x.
 */
static int place_of(const tgl_convolution_spec *s, int o, int b, int c, int q)
{
    const int slow = s->groups > 1 ? b * s->parts_out + o : o * s->parts_batch + b;
    return (slow * s->parts_in + c) * space_parts(s) + q;
}

/* Places as a rank list: the ranks that `work` has at the places of all (o, b, c, q) below the counts,
 * the last fastest, or with `b_first` b slowest. Malloc'ed; NULL without memory. */
typedef struct {
    int o, b, c, q;
    bool b_first;
} places;

static char *list_ranks(const tgl_convolution_spec *s, const tg_layout *work, places n)
{
    enum { ITEM = 12 };
    size_t used = 0, count = (size_t)n.o * (size_t)n.b * (size_t)n.c * (size_t)n.q;
    char *text = malloc(count * ITEM + 1);
    for (size_t i = 0; text && i < count; i++) {
        int q = (int)(i % (size_t)n.q), rest = (int)(i / (size_t)n.q), c = rest % n.c;
        rest /= n.c;
        int o = n.b_first ? rest % n.o : rest / n.b, b = n.b_first ? rest / n.o : rest % n.b;
        used += (size_t)snprintf(text + used, ITEM + 1, "%s%d", i ? "," : "",
                                 tg_layout_rank(work, place_of(s, o, b, c, q)));
    }
    return text;
}

/* A layout on the ranks of those places, or on the ranks that the user listed. */
static tg_status layout_at(const tgl_convolution_spec *s, const tg_layout *work, places n,
                           const char *ranks, const char *side, const axis *axes, int ndim, int P,
                           tg_layout *layout)
{
    char *text = ranks ? NULL : list_ranks(s, work, n);
    if (!ranks && !text)
        return tg_fail(TG_NO_MEMORY, "no memory for a list of ranks");
    tg_status status = make_layout(axes, ndim, NULL, ranks ? ranks : text, side, P, layout);
    free(text);
    return status;
}

/* ---- the layouts of the work ---- */

/* x with a leading axis for the parts of the output channels. */
static int axes_of_x(const tgl_convolution_spec *s, bool copies, axis *axes)
{
    axes[0] = (axis){1, copies && s->groups == 1 ? s->parts_out : 1, copies};
    axes[1] = (axis){s->batch, s->parts_batch, false};
    axes[2] = (axis){s->in, s->groups > 1 ? s->parts_out : s->parts_in, false};
    for (int d = 0; d < s->taps.space; d++)
        axes[3 + d] = (axis){s->taps.input[d], s->parts[d], false};
    return 3 + s->taps.space;
}

/* y with an axis behind the channels for the parts of the input channels. */
static int axes_of_y(const tgl_convolution_spec *s, bool copies, axis *axes)
{
    axes[0] = (axis){s->batch, s->parts_batch, false};
    axes[1] = (axis){s->out, s->parts_out, false};
    axes[2] = (axis){1, copies ? s->parts_in : 1, copies};
    for (int d = 0; d < s->taps.space; d++)
        axes[3 + d] = (axis){s->taps.output[d], s->parts[d], false};
    return 3 + s->taps.space;
}

/* Weights: output channels, input channels, taps, and an axis for copies over batch and each of
 * space. */
static int axes_of_weight(const tgl_convolution_spec *s, bool copies, axis *axes)
{
    ptrdiff_t taps = 1;
    for (int d = 0; d < s->taps.space; d++)
        taps *= s->taps.kernel[d];
    axes[0] = (axis){s->out, s->parts_out, false};
    axes[1] = (axis){s->in / s->groups, s->parts_in, false};
    axes[2] = (axis){taps, 1, false};
    axes[3] = (axis){1, copies ? s->parts_batch : 1, copies};
    for (int d = 0; d < s->taps.space; d++)
        axes[4 + d] = (axis){1, copies ? s->parts[d] : 1, copies};
    return 4 + s->taps.space;
}

static int axes_of_bias(const tgl_convolution_spec *s, bool copies, axis *axes)
{
    axes[0] = (axis){s->out, s->parts_out, false};
    axes[1] = (axis){1, copies ? s->parts_batch : 1, copies};
    for (int d = 0; d < s->taps.space; d++)
        axes[2 + d] = (axis){1, copies ? s->parts[d] : 1, copies};
    return 2 + s->taps.space;
}

/* "0132456" cut off behind ndim axes: the order of place_of. */
static const char *order_of(const char *all, int ndim, char text[TG_MAX_NDIM + 1])
{
    snprintf(text, TG_MAX_NDIM + 1, "%.*s", ndim, all);
    return text;
}

/* The copies of x lie on the whole grid of the work, in its order. */
static tg_status work_layout(const tgl_convolution_spec *s, const char *ranks, int P,
                             tg_layout *layout)
{
    axis axes[TG_MAX_NDIM];
    const int ndim = axes_of_x(s, true, axes);
    return make_layout(axes, ndim, NULL, ranks, NULL, P, layout);
}

/* x or y as the caller has it: without the axis for copies. */
static tg_status end_layout(const tgl_convolution_spec *s, const tg_layout *work, const char *ranks,
                            bool of_y, int P, tg_layout *layout)
{
    axis axes[TG_MAX_NDIM], kept[TG_MAX_NDIM];
    const int ndim = of_y ? axes_of_y(s, false, axes) : axes_of_x(s, false, axes);
    int count = 0;
    for (int d = 0; d < ndim; d++)
        if (d != (of_y ? 2 : 0))
            kept[count++] = axes[d];
    const int o = of_y || s->groups > 1 ? s->parts_out : 1;
    const places n = {o, s->parts_batch, of_y ? 1 : s->parts_in, space_parts(s), true};
    return layout_at(s, work, n, ranks, of_y ? "to" : "from", kept, count, P, layout);
}

/* ---- words ---- */

static tg_status set_number(tgl_problem *problem, const char *key, ptrdiff_t a, ptrdiff_t b)
{
    char text[64];
    snprintf(text, sizeof text, b < 0 ? "%td" : "%td:%td", a, b);
    return tgl_words_set(&problem->words, key, text);
}

static tg_status read_extents(const tgl_words *words, tgl_problem *problem, tgl_convolution_spec *s)
{
    const tgl_key *keys = tgl_convolution_keys;
    s->taps.space = 1;
    for (const char *c = tgl_words_get(words, "space"); *c; c++)
        s->taps.space += *c == 'x';
    if (s->taps.space > TGL_SPACE)
        return tg_fail(TG_BAD_INPUT, "space=%.40s: expected one to three axes, as in 28x28",
                       tgl_words_get(words, "space"));
    tg_status status = tgl_word_extent(words, keys, "batch", &s->batch);
    if (status.code == TG_OK)
        status = tgl_word_pair(words, "channels", &s->in, &s->out);
    if (status.code == TG_OK)
        status = tgl_word_extent(words, keys, "groups", &s->groups);
    if (status.code == TG_OK)
        status = tgl_word_tuple(words, keys, "space", s->taps.space, 1, s->taps.input, problem);
    if (status.code == TG_OK)
        status = set_number(problem, "batch", s->batch, -1);
    if (status.code == TG_OK)
        status = set_number(problem, "channels", s->in, s->out);
    return status.code == TG_OK ? set_number(problem, "groups", s->groups, -1) : status;
}

static tg_status check_groups(const tgl_convolution_spec *s)
{
    if (s->groups >= 1 && s->in % s->groups == 0 && s->out % s->groups == 0)
        return tg_success();
    return tg_fail(TG_BAD_INPUT, "groups=%td: expected a divisor of %td and of %td channels",
                   s->groups, s->in, s->out);
}

/* The parts of batch, input channels and space from the grid of x; those of the outputs. */
static tg_status read_grid(const tgl_words *words, tgl_problem *problem, tgl_convolution_spec *s)
{
    char shape[TG_MAX_NDIM * 24], ones[TG_MAX_NDIM * 2 + 1] = "1x1", grid[128];
    size_t used = (size_t)snprintf(shape, sizeof shape, "%tdx%td", s->batch, s->in);
    for (int d = 0; d < s->taps.space; d++) {
        used += (size_t)snprintf(shape + used, sizeof shape - used, "x%td", s->taps.input[d]);
        strcat(ones, "x1");
    }
    const char *text = tgl_words_get(words, "grid"), *out = tgl_words_get(words, "parts-out");
    tg_layout x;
    ptrdiff_t parts_out = problem->ranks;
    tg_status status = tg_layout_parse(
        &(tg_layout_words){.shape = shape, .grid = text ? text : ones}, problem->ranks, 0, &x);
    if (status.code == TG_OK && out && strcmp(out, "P") != 0)
        status = tgl_word_extent(words, tgl_convolution_keys, "parts-out", &parts_out);
    if (status.code != TG_OK)
        return status;
    tg_layout_print_grid(&x, grid, sizeof grid);
    s->parts_out = out ? (int)parts_out : 1;
    s->parts_batch = x.axis[0].parts;
    s->parts_in = x.axis[1].parts;
    bool copied = x.axis[0].copied || x.axis[1].copied;
    for (int d = 0; d < s->taps.space; d++) {
        s->parts[d] = x.axis[2 + d].parts;
        copied = copied || x.axis[2 + d].copied;
    }
    tg_layout_free(&x);
    if (copied)
        return tg_fail(TG_BAD_INPUT, "grid=%.40s: expected parts without copies, as in 1x1x2x2",
                       grid);
    long long needed = (long long)s->parts_out * s->parts_batch * s->parts_in * space_parts(s);
    if (s->parts_out < 1 || needed > problem->ranks)
        return tg_fail(TG_BAD_INPUT,
                       "parts-out=%d: with grid=%s needs %lld ranks; expected 1 or "
                       "more, and at most %d ranks",
                       s->parts_out, grid, needed, problem->ranks);
    status = tgl_words_set(&problem->words, "grid", grid);
    return status.code == TG_OK ? set_number(problem, "parts-out", s->parts_out, -1) : status;
}

/* The parts of the channels are parts of the groups then, each with its inputs and its outputs. */
static tg_status deal_out_groups(tgl_convolution_spec *s)
{
    if (s->groups == 1)
        return tg_success();
    if (s->parts_out != 1)
        return tg_fail(TG_BAD_INPUT,
                       "parts-out=%d: expected 1 with groups, which the grid's "
                       "channel axis deals out",
                       s->parts_out);
    if (s->groups % s->parts_in != 0)
        return tg_fail(TG_BAD_INPUT,
                       "groups=%td: expected a multiple of the %d parts of the "
                       "channels",
                       s->groups, s->parts_in);
    s->parts_out = s->parts_in;
    s->parts_in = 1;
    return tg_success();
}

static void write_facts(const tgl_convolution_spec *s, tgl_facts *facts)
{
    ptrdiff_t taps = 1, positions = 1, terms;
    double busiest = (double)tg_split_start(s->batch, s->parts_batch, 1);
    for (int d = 0; d < s->taps.space; d++) {
        taps *= s->taps.kernel[d];
        positions *= s->taps.output[d];
        busiest *= (double)tg_split_start(s->taps.output[d], s->parts[d], 1);
    }
    const ptrdiff_t in = s->in / s->groups, out = tg_split_start(s->out, s->parts_out, 1),
                    part_in = tg_split_start(in, s->parts_in, 1);
    facts->flops = 2 * (double)s->batch * (double)s->out * (double)(in * taps) * (double)positions;
    facts->busiest_flops = 2 * busiest * (double)out * (double)(part_in * taps);
    facts->parameters = s->out * in * taps + (s->bias ? s->out : 0);
    facts->parameters_most = out * part_in * taps + (s->bias ? out : 0);
    facts->entries_most = busiest * (double)out + (double)(out * part_in * taps);
    facts->group[0] = s->parts_out > s->parts_batch * space_parts(s)
                          ? s->parts_out
                          : s->parts_batch * space_parts(s);
    facts->group[1] = s->parts_in;
    terms = (in > s->out ? in : s->out) * taps;
    terms = terms > s->batch * positions ? terms : s->batch * positions;
    facts->range = tgl_pattern_range(terms);
}

static tg_status make_ends(const tgl_words *words, tgl_problem *problem, tgl_convolution_spec *s)
{
    const int P = problem->ranks;
    tg_layout work;
    tg_status status = work_layout(s, tgl_words_get(words, "ranks"), P, &work);
    if (status.code != TG_OK)
        return status;
    status = tgl_word_ranks("ranks", &work, problem);
    if (status.code == TG_OK)
        status = end_layout(s, &work, tgl_words_get(words, "from-ranks"), false, P, &problem->x);
    if (status.code == TG_OK)
        status = end_layout(s, &work, tgl_words_get(words, "to-ranks"), true, P, &problem->y);
    if (status.code == TG_OK)
        status = tgl_word_ranks("from-ranks", &problem->x, problem);
    if (status.code == TG_OK)
        status = tgl_word_ranks("to-ranks", &problem->y, problem);
    tg_layout_free(&work);
    return status;
}

tg_status tgl_convolution_resolve(const tgl_words *words, tgl_problem *problem)
{
    tgl_convolution_spec *s = problem->spec = calloc(1, sizeof *s);
    const char *kernels = tgl_words_get(words, "kernels");
    if (!s)
        return tg_fail(TG_NO_MEMORY, "no memory for a convolution");
    snprintf(s->kernels, sizeof s->kernels, "%s", kernels ? kernels : "auto");
    tg_status status = tgl_conv_known(s->kernels);
    if (status.code == TG_OK)
        status = read_extents(words, problem, s);
    if (status.code == TG_OK)
        status = tgl_word_yes(words, tgl_convolution_keys, "bias", &s->bias);
    if (status.code == TG_OK)
        status = check_groups(s);
    if (status.code == TG_OK)
        status = tgl_taps_read(words, tgl_convolution_keys, false, problem, &s->taps);
    if (status.code == TG_OK)
        status = read_grid(words, problem, s);
    if (status.code == TG_OK)
        status = deal_out_groups(s);
    if (status.code == TG_OK)
        status = make_ends(words, problem, s);
    if (status.code == TG_OK)
        status = tgl_words_set(&problem->words, "bias", s->bias ? "yes" : "no");
    if (status.code == TG_OK)
        status = tgl_words_set(&problem->words, "kernels", s->kernels);
    if (status.code == TG_OK)
        write_facts(s, &problem->facts);
    return status;
}

/* ---- operators and buffers ---- */

/* All layouts of a plan. */
typedef struct {
    tg_layout x, copies, needs, partials, y; /* needs: with windows, on the ranks of one slice */
    tg_layout weight, weights, bias, biases;
} layouts;

static void free_layouts(layouts *l)
{
    tg_layout *all[] = {&l->x,      &l->copies,  &l->needs, &l->partials, &l->y,
                        &l->weight, &l->weights, &l->bias,  &l->biases};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tg_layout_free(all[i]);
}

static tg_status make_x_and_y(const tgl_problem *problem, const tgl_convolution_spec *s, layouts *l)
{
    const int P = problem->ranks;
    axis axes[TG_MAX_NDIM];
    char order[TG_MAX_NDIM + 1];
    int ndim = axes_of_x(s, false, axes);
    tg_status status = make_layout(axes, ndim, NULL, tgl_words_get(&problem->words, "from-ranks"),
                                   "from", P, &l->x);
    ndim = axes_of_y(s, true, axes);
    if (status.code == TG_OK)
        status = make_layout(axes, ndim, order_of(s->groups > 1 ? "012345" : "102345", ndim, order),
                             tgl_words_get(&problem->words, "ranks"), NULL, P, &l->partials);
    ndim = axes_of_y(s, false, axes);
    if (status.code == TG_OK)
        status = make_layout(axes, ndim, NULL, tgl_words_get(&problem->words, "to-ranks"), "to", P,
                             &l->y);
    return status;
}

static tg_status make_parameters(const tgl_problem *problem, const tgl_convolution_spec *s,
                                 layouts *l)
{
    const int P = problem->ranks;
    const char *ranks = tgl_words_get(&problem->words, "ranks");
    const bool grouped = s->groups > 1;
    axis axes[TG_MAX_NDIM];
    char order[TG_MAX_NDIM + 1];
    int ndim = axes_of_weight(s, true, axes);
    tg_status status =
        make_layout(axes, ndim, order_of(grouped ? "3012456" : "0312456", ndim, order), ranks, NULL,
                    P, &l->weights);
    ndim = axes_of_weight(s, false, axes);
    if (status.code == TG_OK)
        status = layout_at(s, &l->copies, (places){s->parts_out, 1, s->parts_in, 1, false}, NULL,
                           NULL, axes, ndim, P, &l->weight);
    ndim = axes_of_bias(s, false, axes);
    if (status.code == TG_OK)
        status = layout_at(s, &l->copies, (places){s->parts_out, 1, 1, 1, false}, NULL, NULL, axes,
                           ndim, P, &l->bias);
    ndim = axes_of_bias(s, true, axes);
    if (status.code == TG_OK)
        status = layout_at(s, &l->copies,
                           (places){s->parts_out, s->parts_batch, 1, space_parts(s), false}, NULL,
                           NULL, axes, ndim, P, &l->biases);
    return status;
}

/* x on the ranks of a slice, in the order of their places, with what the outputs need. */
static tg_status make_needs(const tgl_convolution_spec *s, tg_layout *layout)
{
    axis axes[TG_MAX_NDIM];
    const int ndim = axes_of_x(s, true, axes),
              size = s->parts_batch * axes[2].parts * space_parts(s);
    tg_status status = make_layout(axes + 1, ndim - 1, NULL, NULL, NULL, size, layout);
    if (status.code == TG_OK)
        tgl_taps_widen(&s->taps, layout);
    return status;
}

static tg_status make_layouts(const tgl_problem *problem, const tgl_convolution_spec *s, layouts *l)
{
    tg_status status =
        work_layout(s, tgl_words_get(&problem->words, "ranks"), problem->ranks, &l->copies);
    if (status.code == TG_OK)
        status = make_x_and_y(problem, s, l);
    if (status.code == TG_OK)
        status = make_parameters(problem, s, l);
    return status.code == TG_OK ? make_needs(s, &l->needs) : status;
}

/* The halo between the ranks of a slice; the others have none. Collective on comm. */
static tg_status plan_halo(MPI_Comm comm, const tgl_problem *problem, const tgl_convolution_spec *s,
                           const layouts *l, int place, tgl_convolution_layer *c)
{
    const int size = tg_layout_size(&l->needs);
    const int slice = place < 0 ? MPI_UNDEFINED : s->groups > 1 ? 0 : place / size;
    if (space_parts(s) == 1) /* every rank has all of space */
        return tg_success();
    MPI_Comm_split(comm, slice, place, &c->slice);
    tg_status status = tg_success();
    if (c->slice != MPI_COMM_NULL)
        status = tgl_compose(c->slice, "halo", problem, &l->needs, NULL, &c->halo);
    return tg_agree(comm, status);
}

static tg_status plan_operators(MPI_Comm comm, const tgl_problem *problem,
                                const tgl_convolution_spec *s, const layouts *l, int place,
                                tgl_convolution_layer *c)
{
    tg_status status = tgl_compose(comm, "broadcast", problem, &l->x, &l->copies, &c->copy_x);
    if (status.code == TG_OK)
        status = plan_halo(comm, problem, s, l, place, c);
    if (status.code == TG_OK)
        status = tgl_compose(comm, "sum_reduce", problem, &l->partials, &l->y, &c->sum);
    if (status.code == TG_OK)
        status = tgl_compose(comm, "broadcast", problem, &l->weight, &l->weights, &c->copy_weight);
    if (status.code == TG_OK && s->bias)
        status = tgl_compose(comm, "broadcast", problem, &l->bias, &l->biases, &c->copy_bias);
    return status;
}

/* What this rank's kernel does: from what it holds of x to its part of y. */
static tgl_conv_shape shape_of(const tgl_convolution_spec *s, const tg_box *x, const tg_box *y)
{
    tgl_conv_shape k = {.batch = x->hi[0] - x->lo[0],
                        .in = x->hi[1] - x->lo[1],
                        .out = y->hi[1] - y->lo[1],
                        .groups = s->groups > 1 ? s->groups / s->parts_out : 1};
    tgl_taps_shape(&s->taps, x, 2, y, 3, &k);
    return k;
}

/* The box of x that the kernel reads: with a halo what the rank needs, else the copy that it has. */
static tg_box box_of_x(const tgl_convolution_layer *c, const layouts *l, int rank)
{
    if (c->halo)
        return tg_op_y(c->halo);
    tg_box copy = tg_layout_held(&l->copies, rank), x = {.ndim = copy.ndim - 1};
    for (int d = 0; d < x.ndim; d++) {
        x.lo[d] = copy.lo[d + 1];
        x.hi[d] = copy.hi[d + 1];
    }
    return x;
}

/* The parameters of a rank that owns them: their boxes in the global tensors. */
static void put_boxes(const tgl_convolution_spec *s, const layouts *l, int rank,
                      tgl_convolution_layer *c)
{
    const tg_box w = tg_layout_owned(&l->weight, rank), b = tg_layout_owned(&l->bias, rank);
    tgl_parameter *weight = &c->parameter[TGL_WEIGHT], *bias = &c->parameter[TGL_BIAS];
    *weight =
        (tgl_parameter){.name = "weight", .number = TGL_WEIGHT, .box = {.ndim = 2 + s->taps.space}};
    *bias = (tgl_parameter){.name = "bias", .number = TGL_BIAS, .box = {.ndim = 1}};
    for (int d = 0; d < 2; d++) {
        weight->box.lo[d] = w.lo[d];
        weight->box.hi[d] = w.hi[d];
    }
    for (int d = 0; d < s->taps.space; d++)
        weight->box.hi[2 + d] = s->taps.kernel[d];
    bias->box.lo[0] = b.lo[0];
    bias->box.hi[0] = b.hi[0];
    const bool has_weight = tg_layout_place(&l->weight, rank) >= 0;
    c->base.parameters = c->parameter;
    c->base.parameter_count = has_weight + (s->bias && tg_layout_place(&l->bias, rank) >= 0);
}

static ptrdiff_t count_of(const tg_layout *layout, int rank)
{
    const tg_box box = tg_layout_held(layout, rank);
    return tg_box_count(&box);
}

static tg_status make_buffers(tgl_convolution_layer *c, const layouts *l, int rank,
                              ptrdiff_t needed)
{
    const struct {
        void **buffer;
        bool wanted;
        ptrdiff_t count;
    } rows[] = {{&c->x, c->copy_x, count_of(&l->copies, rank)},
                {&c->dx, c->copy_x, count_of(&l->copies, rank)},
                {&c->needed, c->halo, needed},
                {&c->dneeded, c->halo, needed},
                {&c->y, c->sum, count_of(&l->partials, rank)},
                {&c->weight, c->copy_weight, count_of(&l->weights, rank)},
                {&c->dweight, c->copy_weight, count_of(&l->weights, rank)},
                {&c->bias, c->copy_bias, count_of(&l->biases, rank)},
                {&c->dbias, c->copy_bias, count_of(&l->biases, rank)},
                {&c->parameter[0].value, true, tg_box_count(&c->parameter[0].box)},
                {&c->parameter[0].gradient, true, tg_box_count(&c->parameter[0].box)},
                {&c->parameter[1].value, true, tg_box_count(&c->parameter[1].box)},
                {&c->parameter[1].gradient, true, tg_box_count(&c->parameter[1].box)}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].wanted && !(*rows[i].buffer = tgl_buffer(rows[i].count, c->dtype)))
            return tg_fail(TG_NO_MEMORY, "rank %d has no memory for %td entries of a convolution",
                           rank, rows[i].count);
    return tg_success();
}

/* Everything that one rank does alone, once the operators stand. */
static tg_status make_local(const tgl_convolution_spec *s, const layouts *l, int rank, int place,
                            tgl_convolution_layer *c)
{
    const tg_box x = box_of_x(c, l, rank), y = tg_layout_held(&l->partials, rank);
    const tgl_conv_shape shape = shape_of(s, &x, &y);
    put_boxes(s, l, rank, c);
    c->adds_bias = s->bias && place >= 0 && tg_layout_place(&l->biases, rank) >= 0;
    tg_status status = make_buffers(c, l, rank, tg_box_count(&x));
    if (place < 0 || status.code != TG_OK)
        return status;
    c->batch = shape.batch;
    c->out = shape.out;
    c->positions = tgl_conv_positions(&shape);
    c->base.flops_forward = 2 * (double)shape.batch * (double)shape.out *
                            (double)tgl_conv_terms(&shape) * (double)c->positions;
    c->base.flops_backward = 2 * c->base.flops_forward;
    return tgl_conv_plan(&shape, c->dtype, s->kernels, &c->conv);
}

tg_status tgl_convolution_make(MPI_Comm comm, const tgl_problem *problem, tgl_convolution_layer *c)
{
    const tgl_convolution_spec *s = problem->spec;
    layouts l = {.x = {.ndim = 0}};
    int rank;
    MPI_Comm_rank(comm, &rank);
    tg_status status = tg_agree(comm, make_layouts(problem, s, &l));
    const int place = status.code == TG_OK ? tg_layout_place(&l.copies, rank) : -1;
    if (status.code == TG_OK)
        status = plan_operators(comm, problem, s, &l, place, c);
    if (status.code == TG_OK)
        status = tg_agree(comm, make_local(s, &l, rank, place, c));
    free_layouts(&l);
    tgl_blas_start();
    return status;
}
