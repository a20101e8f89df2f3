/* convolution_layout.c: where x, y and the parameters of a convolution lie, and their copies; the grid
 * is that of convolution.h. */
#include "layers/convolution.h"

#include <stdio.h>
#include <stdlib.h>

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

int tgl_convolution_space_parts(const tgl_convolution_spec *s)
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
    return (slow * s->parts_in + c) * tgl_convolution_space_parts(s) + q;
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

/* x with an axis behind the channels for the parts of the output channels. The channels are axis 1
 * everywhere, as blocks of them want it. */
static int axes_of_x(const tgl_convolution_spec *s, bool copies, axis *axes)
{
    axes[0] = (axis){s->batch, s->parts_batch, false};
    axes[1] = (axis){s->in, s->groups > 1 ? s->parts_out : s->parts_in, false};
    axes[2] = (axis){1, copies && s->groups == 1 ? s->parts_out : 1, copies};
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
tg_status tgl_convolution_work(const tgl_convolution_spec *s, const char *ranks, int P,
                               tg_layout *layout)
{
    axis axes[TG_MAX_NDIM];
    char order[TG_MAX_NDIM + 1];
    const int ndim = axes_of_x(s, true, axes);
    return make_layout(axes, ndim, order_of("201345", ndim, order), ranks, NULL, P, layout);
}

/* x or y as the caller has it: without the axis for copies. */
tg_status tgl_convolution_end(const tgl_convolution_spec *s, const tg_layout *work,
                              const char *ranks, bool of_y, int P, tg_layout *layout)
{
    axis axes[TG_MAX_NDIM], kept[TG_MAX_NDIM];
    const int ndim = of_y ? axes_of_y(s, false, axes) : axes_of_x(s, false, axes);
    int count = 0;
    for (int d = 0; d < ndim; d++)
        if (d != 2)
            kept[count++] = axes[d];
    const int o = of_y || s->groups > 1 ? s->parts_out : 1;
    const places n = {o, s->parts_batch, of_y ? 1 : s->parts_in, tgl_convolution_space_parts(s),
                      true};
    return layout_at(s, work, n, ranks, of_y ? "to" : "from", kept, count, P, layout);
}

/* ---- the layouts of a plan ---- */

void tgl_convolution_free_layouts(tgl_convolution_layouts *l)
{
    tg_layout *all[] = {&l->x,      &l->copies,  &l->needs, &l->partials, &l->y,
                        &l->weight, &l->weights, &l->bias,  &l->biases};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tg_layout_free(all[i]);
}

static tg_status make_x_and_y(const tgl_problem *problem, const tgl_convolution_spec *s,
                              tgl_convolution_layouts *l)
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
                                 tgl_convolution_layouts *l)
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
        status = layout_at(
            s, &l->copies,
            (places){s->parts_out, s->parts_batch, 1, tgl_convolution_space_parts(s), false}, NULL,
            NULL, axes, ndim, P, &l->biases);
    return status;
}

/* x on the ranks of a slice, in the order of their places, with what the outputs need. */
static tg_status make_needs(const tgl_convolution_spec *s, tg_layout *layout)
{
    axis axes[TG_MAX_NDIM];
    const int ndim = axes_of_x(s, false, axes) - 1,
              size = s->parts_batch * axes[1].parts * tgl_convolution_space_parts(s);
    for (int d = 2; d < ndim; d++)
        axes[d] = axes[d + 1];
    tg_status status = make_layout(axes, ndim, NULL, NULL, NULL, size, layout);
    if (status.code == TG_OK)
        tgl_taps_widen(&s->taps, layout);
    return status;
}

tg_status tgl_convolution_layouts_of(const tgl_problem *problem, tgl_convolution_layouts *l)
{
    const tgl_convolution_spec *s = problem->spec;
    tg_status status = tgl_convolution_work(s, tgl_words_get(&problem->words, "ranks"),
                                            problem->ranks, &l->copies);
    if (status.code == TG_OK)
        status = make_x_and_y(problem, s, l);
    if (status.code == TG_OK)
        status = make_parameters(problem, s, l);
    return status.code == TG_OK ? make_needs(s, &l->needs) : status;
}
