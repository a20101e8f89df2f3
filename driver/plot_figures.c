/* plot_figures.c: which figures the points of a run can carry, and what each draws.
 * Speed-up on P ranks over a base of P0: S = P0 t(P0) / t(P), ideal S = P; efficiency S / P; both
 * take the ends of both intervals, so the base's uncertainty is in them. Source: Hoefler and Belli,
 * "Scientific Benchmarking of Parallel Computing Systems", SC'15, rules 1 and 5. */
#include "driver/plot_figures.h"

#include "driver/text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const tgd_value nothing = {NAN, NAN, NAN, NAN, NAN, false};

/* ---- values ---- */

static tgd_value time_of(const tgd_points *all, const tgd_point *p, const tgd_point *base)
{
    (void)all;
    const bool weak = strcmp(p->scaling, "weak") == 0;
    const double ideal_us = weak && base && p->ranks >= base->ranks ? base->time_us : NAN;
    return (tgd_value){p->time_us, p->lo_us, p->hi_us, p->bound_us, ideal_us, false};
}

/* factor * above / below, with the ends of both intervals. */
static tgd_value quotient(double factor, const tgd_point *above, const tgd_point *below)
{
    tgd_value v = nothing;
    v.value = factor * above->time_us / below->time_us;
    if (above != below) {
        v.lo = factor * above->lo_us / below->hi_us;
        v.hi = factor * above->hi_us / below->lo_us;
    }
    return v;
}

static tgd_value speedup_of(const tgd_points *all, const tgd_point *p, const tgd_point *base)
{
    (void)all;
    if (!base)
        return nothing;
    tgd_value v = quotient(base->ranks, base, p);
    v.superlinear = !p->oversubscribed && v.value > 1.05 * p->ranks;
    return v;
}

static tgd_value efficiency_of(const tgd_points *all, const tgd_point *p, const tgd_point *base)
{
    (void)all;
    if (!base)
        return nothing;
    tgd_value v = quotient((double)base->ranks / p->ranks, base, p);
    v.superlinear = !p->oversubscribed && v.value > 1.05;
    return v;
}

static tgd_value rate(double bytes, const tgd_point *p)
{
    const double GB_us = bytes * 1e-3; /* GB/s = 1e3 B/us */
    return (tgd_value){GB_us / p->time_us, GB_us / p->hi_us, GB_us / p->lo_us, NAN, NAN, false};
}

/* There and back were measured. */
static tgd_value one_way_of(const tgd_points *all, const tgd_point *p, const tgd_point *base)
{
    (void)all;
    (void)base;
    return (tgd_value){p->time_us / 2, p->lo_us / 2, p->hi_us / 2, NAN, NAN, false};
}

static tgd_value busbw_of(const tgd_points *all, const tgd_point *p, const tgd_point *base)
{
    (void)all;
    (void)base;
    return rate(p->bus_bytes, p);
}

static tgd_value algbw_of(const tgd_points *all, const tgd_point *p, const tgd_point *base)
{
    (void)all;
    (void)base;
    return rate(p->tensor_bytes, p);
}

static tgd_value ratio_of(const tgd_points *all, const tgd_point *p, const tgd_point *base)
{
    (void)base;
    for (int i = 0; i < all->count; i++) {
        const tgd_point *q = &all->at[i];
        if (strcmp(q->direction, "forward") == 0 && q->ranks == p->ranks &&
            strcmp(q->cell_case, p->cell_case) == 0 && strcmp(q->scaling, p->scaling) == 0 &&
            strcmp(q->part[TGD_PART_BUILD], p->part[TGD_PART_BUILD]) == 0 &&
            q->oversubscribed == p->oversubscribed)
            return quotient(1, p, q);
    }
    return nothing;
}

/* ---- the kinds ---- */

static bool primitive_forward(const tgd_point *p)
{
    return !p->layer && !p->machine && strcmp(p->direction, "forward") == 0;
}
static bool primitive_adjoint(const tgd_point *p)
{
    return !p->layer && p->adjoint;
}
static bool layer_any(const tgd_point *p)
{
    return p->layer;
}
static bool layer_backward(const tgd_point *p)
{
    return p->layer && p->adjoint;
}

static bool machine_one_way(const tgd_point *p)
{
    return strcmp(p->op, "machine:one_way") == 0;
}
static bool machine_message(const tgd_point *p)
{
    return machine_one_way(p) || strcmp(p->op, "machine:both_ways") == 0 ||
           strcmp(p->op, "machine:stream") == 0;
}
static bool machine_memory(const tgd_point *p)
{
    return strcmp(p->op, "machine:copy") == 0 || strcmp(p->op, "machine:triad") == 0;
}

#define BIT(part) (1u << TGD_PART_##part)
static const tgd_kind kinds[] = {
    {.stem = "time_ranks",
     .script = "time_ranks",
     .scaling = "strong",
     .column = "time_us",
     .what = "Time against the number of ranks, the tensor fixed, beside the raw MPI call where "
             "there is one",
     .y_label = "time",
     .y_ideal = NAN,
     .split = BIT(BESIDE),
     .takes = primitive_forward,
     .value = time_of},
    {.stem = "layer_time",
     .script = "layer_strong",
     .scaling = "strong",
     .column = "time_us",
     .what = "Strong scaling of a layer: time against the number of ranks",
     .y_label = "time",
     .y_ideal = NAN,
     .split = BIT(OP),
     .takes = layer_any,
     .value = time_of},
    {.stem = "layer_speedup",
     .script = "layer_strong",
     .scaling = "strong",
     .column = "speedup",
     .what = "Strong scaling of a layer: speed-up P0 t(P0) / t(P) over the base case of P0 ranks, "
             "and the ideal, P",
     .y_label = "speed-up",
     .needs_base = true,
     .y_ideal = NAN,
     .split = BIT(OP),
     .takes = layer_any,
     .value = speedup_of},
    {.stem = "layer_efficiency",
     .script = "layer_strong",
     .scaling = "strong",
     .column = "efficiency",
     .what = "Strong scaling of a layer: efficiency P0 t(P0) / (P t(P)) over the base case of P0 "
             "ranks, and the ideal, 1",
     .y_label = "efficiency",
     .needs_base = true,
     .y_ideal = 1,
     .split = BIT(OP),
     .takes = layer_any,
     .value = efficiency_of},
    {.stem = "weak",
     .script = "weak",
     .scaling = "weak",
     .column = "time_us",
     .what = "Weak scaling: time against the number of ranks, the work of a rank fixed; ideal: the "
             "time of the base case",
     .y_label = "time",
     .y_ideal = NAN,
     .split = BIT(BESIDE),
     .takes = primitive_forward,
     .value = time_of},
    {.stem = "weak",
     .script = "weak",
     .scaling = "weak",
     .column = "time_us",
     .what = "Weak scaling of a layer: time against the number of ranks, the work of a rank fixed; "
             "ideal: the time of "
             "the base case",
     .y_label = "time",
     .y_ideal = NAN,
     .split = BIT(OP),
     .takes = layer_any,
     .value = time_of},
    {.stem = "size_time",
     .script = "size_time",
     .scaling = "size",
     .column = "time_us",
     .what = "Time against the size of the tensor, all primitives, raw MPI calls dotted",
     .y_label = "time",
     .along_size = true,
     .y_ideal = NAN,
     .split = BIT(RANKS),
     .takes = primitive_forward,
     .value = time_of},
    {.stem = "size_time",
     .script = "size_time",
     .scaling = "size",
     .column = "time_us",
     .what = "Time against the size of the tensor, beside the raw MPI call",
     .y_label = "time",
     .along_size = true,
     .needs_beside = true,
     .y_ideal = NAN,
     .split = BIT(BESIDE) | BIT(RANKS),
     .takes = primitive_forward,
     .value = time_of},
    {.stem = "size_time",
     .script = "size_time",
     .scaling = "size",
     .column = "time_us",
     .what = "Time of a layer against the size of its tensor",
     .y_label = "time",
     .along_size = true,
     .y_ideal = NAN,
     .split = BIT(OP) | BIT(RANKS),
     .takes = layer_any,
     .value = time_of},
    {.stem = "size_busbw",
     .script = "size_bandwidth",
     .scaling = "size",
     .column = "busbw_GBps",
     .what = "Bus bandwidth against the size of the tensor: the largest unavoidable bytes into or "
             "out of one rank, per time",
     .y_label = "bus bandwidth (GB/s)",
     .along_size = true,
     .y_ideal = NAN,
     .split = BIT(RANKS),
     .takes = primitive_forward,
     .value = busbw_of},
    {.stem = "size_algbw",
     .script = "size_bandwidth",
     .scaling = "size",
     .column = "algbw_GBps",
     .what = "Algorithm bandwidth against the size of the tensor: the bytes of the tensor per time",
     .y_label = "algorithm bandwidth (GB/s)",
     .along_size = true,
     .y_ideal = NAN,
     .split = BIT(RANKS),
     .takes = primitive_forward,
     .value = algbw_of},
    {.stem = "adjoint",
     .script = "adjoint",
     .scaling = "strong",
     .column = "ratio",
     .what =
         "Time of the adjoint over the time of the forward operator, against the number of ranks",
     .y_label = "adjoint time / forward time",
     .y_ideal = 1,
     .split = BIT(SIZE),
     .takes = primitive_adjoint,
     .value = ratio_of},
    {.stem = "adjoint",
     .script = "adjoint",
     .scaling = "strong",
     .column = "ratio",
     .what = "Time of backward over the time of forward of a layer, against the number of ranks",
     .y_label = "backward time / forward time",
     .y_ideal = 1,
     .split = BIT(OP),
     .takes = layer_backward,
     .value = ratio_of},
    {.stem = "one_way",
     .script = "size_time",
     .scaling = "size",
     .column = "time_us",
     .what =
         "Time of a message from one rank to another, one way (half of there and back), against "
         "its size; busy: the ranks that send at once",
     .x_label = "message size (bytes)",
     .y_label = "time",
     .along_size = true,
     .y_ideal = NAN,
     .split = BIT(RANKS),
     .takes = machine_one_way,
     .value = one_way_of},
    {.stem = "link",
     .script = "size_bandwidth",
     .scaling = "size",
     .column = "algbw_GBps",
     .what =
         "Rate of one rank, one way, against the size of a message: one way alone, both ways at "
         "once, several under way together; busy: the ranks that send at once",
     .x_label = "message size (bytes)",
     .y_label = "rate of one rank (GB/s)",
     .along_size = true,
     .y_ideal = NAN,
     .split = BIT(RANKS),
     .takes = machine_message,
     .value = algbw_of},
    {.stem = "memory",
     .script = "size_bandwidth",
     .scaling = "size",
     .column = "algbw_GBps",
     .what = "Rate at which one rank reads and writes memory, against its working set; busy: the "
             "ranks that do so at once",
     .x_label = "working set of a rank (bytes)",
     .y_label = "memory rate of one rank (GB/s)",
     .along_size = true,
     .y_ideal = NAN,
     .split = BIT(RANKS),
     .takes = machine_memory,
     .value = algbw_of},
};

/* ---- grouping ---- */

/* A choice of points, in the order in which they are drawn. */
typedef struct {
    const tgd_point **at;
    int count;
} choice;

static double along(const tgd_kind *kind, const tgd_point *p)
{
    return kind->along_size ? p->size_bytes : p->ranks;
}

/* The parts that all points of one series share. */
static unsigned series_parts(const tgd_kind *kind)
{
    const unsigned all = (1u << TGD_PARTS) - 1;
    return kind->along_size                     ? all & ~(BIT(SIZE) | BIT(WORK))
           : strcmp(kind->scaling, "weak") == 0 ? all & ~(BIT(RANKS) | BIT(SIZE))
                                                : all & ~(BIT(RANKS) | BIT(WORK));
}

static bool agree(const tgd_point *a, const tgd_point *b, unsigned parts)
{
    for (int part = 0; part < TGD_PARTS; part++)
        if ((parts >> part & 1u) && strcmp(a->part[part], b->part[part]) != 0)
            return false;
    return true;
}

static bool varies(const choice *points, tgd_part part)
{
    for (int i = 1; i < points->count; i++)
        if (!agree(points->at[0], points->at[i], 1u << part))
            return true;
    return false;
}

/* Raw calls last; then by name, size, the other parts, and along x. Forward stands before its
 * adjoint. */
static int drawing_order(const void *left, const void *right)
{
    const tgd_point *a = *(const tgd_point *const *)left, *b = *(const tgd_point *const *)right;
    const double keys[][2] = {{a->adjoint, b->adjoint},
                              {a->size_bytes, b->size_bytes},
                              {a->work, b->work},
                              {a->ranks, b->ranks}};
    int order = a->raw - b->raw;
    order = order ? order : strcmp(a->part[TGD_PART_BESIDE], b->part[TGD_PART_BESIDE]);
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !order; i++)
        order = (keys[i][0] > keys[i][1]) - (keys[i][0] < keys[i][1]);
    for (int part = 0; part < TGD_PARTS && !order; part++)
        order = strcmp(a->part[part], b->part[part]);
    return order ? order : (a > b) - (a < b);
}

static void choose(choice *points, const tgd_point *p)
{
    points->at = tgd_resize(points->at, points->count + 1, sizeof(tgd_point *));
    points->at[points->count++] = p;
}

/* ---- series ---- */

static void append(char **text, const char *separator, const char *more)
{
    char *longer = tgd_format("%s%s%s", *text, **text ? separator : "", more);
    free(*text);
    *text = longer;
}

/* The words of a case that not all points of the same operation have. */
static void append_own_words(char **label, const tgd_point *p, const choice *points)
{
    tgd_words words = {NULL, 0};
    tgd_words_split(&words, p->part[TGD_PART_WORDS]);
    for (int w = 0; w < words.count; w++) {
        bool common = true;
        for (int i = 0; i < points->count && common; i++) {
            tgd_words theirs = {NULL, 0};
            tgd_words_split(&theirs, points->at[i]->part[TGD_PART_WORDS]);
            common =
                strcmp(points->at[i]->op, p->op) != 0 || tgd_words_have(&theirs, words.word[w]);
            tgd_words_free(&theirs);
        }
        if (!common)
            append(label, " ", words.word[w]);
    }
    tgd_words_free(&words);
}

/* Do the points that may differ in this part do so? A raw call has no choice of algorithm; the
 * grids of two operations differ anyhow, as does the work of a rank forward and backward. */
static bool tells_apart(const tgd_kind *kind, const tgd_point *p, const choice *points,
                        tgd_part part)
{
    choice among = {NULL, 0};
    for (int i = 0; i < points->count; i++) {
        const tgd_point *q = points->at[i];
        if (!(part == TGD_PART_ALGORITHM && q->raw) &&
            !(part == TGD_PART_LAYOUT && strcmp(q->op, p->op) != 0) &&
            !(part == TGD_PART_WORK && q->adjoint != p->adjoint))
            choose(&among, q);
    }
    const bool apart = (series_parts(kind) >> part & 1u) && *p->part[part] && varies(&among, part);
    free(among.at);
    return apart;
}

/* A short name: only what tells the series apart. */
static char *label_of(const tgd_kind *kind, const tgd_point *p, const choice *points)
{
    static const tgd_part order[] = {TGD_PART_ALGORITHM, TGD_PART_DIRECTION, TGD_PART_SIZE,
                                     TGD_PART_WORK,      TGD_PART_DTYPE,     TGD_PART_BUILD,
                                     TGD_PART_LAYOUT};
    const char *op = p->raw       ? p->op + strlen("raw:")
                     : p->machine ? p->op + strlen("machine:")
                                  : p->op;
    const bool many = varies(points, TGD_PART_BESIDE);
    char *label = tgd_copy(many ? op : "");
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (tells_apart(kind, p, points, order[i]))
            append(&label, " ", p->part[order[i]]);
    append_own_words(&label, p, points);
    if (!*label)
        append(&label, "", op);
    else if (p->raw && !many)
        append(&label, " ", "raw");
    return label;
}

/* The smallest rank count that is not oversubscribed. Nothing crosses in a primitive on one rank,
 * so that is no base for one. */
static const tgd_point *base_of(const tgd_kind *kind, const tgd_point *first, const choice *points)
{
    const tgd_point *base = NULL;
    for (int i = 0; i < points->count; i++) {
        const tgd_point *p = points->at[i];
        if (agree(first, p, series_parts(kind)) && p->launches > 0 && !p->oversubscribed &&
            (p->layer || p->ranks > 1) && (!base || p->ranks < base->ranks))
            base = p;
    }
    return base;
}

static void add_mark(tgd_series *series, tgd_mark mark)
{
    series->mark = tgd_resize(series->mark, series->count + 1, sizeof *series->mark);
    series->mark[series->count++] = mark;
}

static bool drawn(const tgd_mark *mark)
{
    return mark->y.value > 1e-15 && mark->y.value < 1e15; /* beyond: no measurement */
}

static int mark_order(const void *left, const void *right)
{
    const tgd_mark *a = left, *b = right;
    return (a->x > b->x) - (a->x < b->x);
}

static tgd_series make_series(const tgd_points *all, const tgd_kind *kind, const tgd_point *first,
                              const choice *points)
{
    tgd_series s = {.raw = first->raw, .label = label_of(kind, first, points)};
    s.base = base_of(kind, first, points);
    for (int i = 0; i < points->count; i++) {
        const tgd_point *p = points->at[i];
        if (agree(first, p, series_parts(kind)) && along(kind, p) > 0 && along(kind, p) < 0x1p62) {
            tgd_mark mark = {p, along(kind, p),
                             p->launches > 0 ? kind->value(all, p, s.base) : nothing};
            mark.y = drawn(&mark) ? mark.y : nothing;
            add_mark(&s, mark);
        }
    }
    /* Where other series have a rank count between two of ours, the line is broken. */
    const int own = s.count;
    for (int i = 0; i < points->count && !kind->along_size; i++) {
        bool known = false;
        for (int m = 0; m < s.count && !known; m++)
            known = s.mark[m].x == along(kind, points->at[i]);
        if (!known && own > 0)
            add_mark(&s, (tgd_mark){NULL, along(kind, points->at[i]), nothing});
    }
    if (s.count > 0)
        qsort(s.mark, (size_t)s.count, sizeof *s.mark, mark_order);
    return s;
}

static void free_series(tgd_series *series)
{
    free(series->label);
    free(series->mark);
}

static const tgd_point *member(const tgd_series *series)
{
    for (int m = 0; m < series->count; m++)
        if (series->mark[m].point)
            return series->mark[m].point;
    return NULL;
}

/* Colours and marks. Returns the number of colours needed. */
static int dress(tgd_figure *figure)
{
    const unsigned same =
        (BIT(BESIDE) | BIT(SIZE) | BIT(WORK) | BIT(RANKS) | BIT(DTYPE) | BIT(BUILD)) &
        series_parts(figure->kind);
    int looks = 0, raws = 0, shape = 0;
    for (int s = 0; s < figure->count; s++) {
        tgd_series *now = &figure->series[s];
        for (int t = 0; t < s && now->raw;
             t++) { /* the primitive's own, the algorithm `mpi` before others */
            const tgd_series *other = &figure->series[t];
            const bool mpi = strcmp(member(other)->part[TGD_PART_ALGORITHM], "mpi") == 0;
            if (!other->raw && (!now->look || mpi) && agree(member(now), member(other), same))
                now->look = other->look;
        }
        now->look = now->look ? now->look : ++looks;
        raws += now->raw;
    }
    for (int s = 0; s < figure->count; s++) {
        tgd_series *now = &figure->series[s];
        now->shape = figure->count <= TGD_LOOKS ? ++shape : now->look;
    }
    return looks;
}

/* ---- figures ---- */

static void free_figure(tgd_figure *figure)
{
    for (int s = 0; s < figure->count; s++)
        free_series(&figure->series[s]);
    free(figure->series);
    free(figure->name);
}

/* A figure needs a series with two places along x. */
static bool worth_drawing(const tgd_figure *figure)
{
    bool worth = false;
    for (int s = 0; s < figure->count; s++) {
        double first = NAN;
        for (int m = 0; m < figure->series[s].count; m++) {
            const tgd_mark *mark = &figure->series[s].mark[m];
            if (drawn(mark)) {
                worth = worth || (!isnan(first) && mark->x != first);
                first = isnan(first) ? mark->x : first;
            }
        }
    }
    return worth && (!figure->kind->needs_beside || figure->count > 1);
}

static bool any_drawn(const tgd_series *series)
{
    for (int m = 0; m < series->count; m++)
        if (drawn(&series->mark[m]))
            return true;
    return false;
}

/* name, and a part's text reduced to what is safe in a file name. */
static char *longer_name(const char *name, tgd_part part, const char *text)
{
    const char *unit = part != TGD_PART_RANKS ? "" : strcmp(text, "1") == 0 ? "rank" : "ranks";
    char *longer = tgd_format("%s_%.40s%s", name, text, unit);
    char *to = longer;
    for (const char *from = longer; *from; from++)
        if (isascii((unsigned char)*from) && isalnum((unsigned char)*from))
            *to++ = *from;
        else if (*from != ' ')
            *to++ = *from == '-' || *from == '_' ? *from : '-';
    *to = '\0';
    return longer;
}

static void add_figure(tgd_figures *figures, tgd_figure figure)
{
    char *name = tgd_copy(figure.name);
    for (int i = 0, copy = 2; i < figures->count; i++) {
        if (strcmp(figures->at[i].name, figure.name) == 0) {
            free(figure.name);
            figure.name = tgd_format("%s-%d", name, copy++);
            i = -1;
        }
    }
    free(name);
    figures->at = tgd_resize(figures->at, figures->count + 1, sizeof *figures->at);
    figures->at[figures->count++] = figure;
}

/* Figures of one kind from these points: one for each text of the split parts; where there are more
 * series than colours, one for each text of the first part that differs. */
static void make_figures(tgd_figures *figures, const tgd_points *all, const tgd_kind *kind,
                         const choice *points, const char *name, unsigned split)
{
    for (int part = 0; part < TGD_PARTS; part++) {
        if (!(split >> part & 1u))
            continue;
        for (int i = 0; i < points->count; i++) {
            choice some = {NULL, 0};
            bool seen = false;
            for (int j = 0; j < i && !seen; j++)
                seen = agree(points->at[i], points->at[j], 1u << part);
            for (int j = i; j < points->count && !seen; j++)
                if (agree(points->at[i], points->at[j], 1u << part))
                    choose(&some, points->at[j]);
            if (some.count > 0) {
                char *longer = longer_name(name, (tgd_part)part, points->at[i]->part[part]);
                make_figures(figures, all, kind, &some, longer, split & ~(1u << part));
                free(longer);
            }
            free(some.at);
        }
        return;
    }

    tgd_figure figure = {.kind = kind, .name = tgd_copy(name)};
    for (int i = 0; i < points->count; i++) {
        bool seen = false;
        for (int j = 0; j < i && !seen; j++)
            seen = agree(points->at[i], points->at[j], series_parts(kind));
        if (!seen) {
            tgd_series series = make_series(all, kind, points->at[i], points);
            if (any_drawn(&series)) {
                figure.series = tgd_resize(figure.series, figure.count + 1, sizeof *figure.series);
                figure.series[figure.count++] = series;
            } else {
                free_series(&series);
            }
        }
    }
    if (!worth_drawing(&figure)) {
        free_figure(&figure);
    } else if (dress(&figure) <= TGD_LOOKS) {
        add_figure(figures, figure);
    } else {
        static const tgd_part order[] = {TGD_PART_BUILD,     TGD_PART_DTYPE, TGD_PART_WORDS,
                                         TGD_PART_SIZE,      TGD_PART_WORK,  TGD_PART_LAYOUT,
                                         TGD_PART_ALGORITHM, TGD_PART_BESIDE};
        free_figure(&figure);
        for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
            if ((series_parts(kind) >> order[i] & 1u) && varies(points, order[i])) {
                make_figures(figures, all, kind, points, name, 1u << order[i]);
                return;
            }
        }
    }
}

tgd_figures tgd_figures_make(const tgd_points *points)
{
    tgd_figures figures = {NULL, 0};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        choice chosen = {NULL, 0};
        for (int i = 0; i < points->count; i++) {
            const tgd_point *p = &points->at[i];
            if (strcmp(p->scaling, kinds[k].scaling) == 0 && kinds[k].takes(p))
                choose(&chosen, p);
        }
        if (chosen.count > 0) {
            qsort(chosen.at, (size_t)chosen.count, sizeof *chosen.at, drawing_order);
            make_figures(&figures, points, &kinds[k], &chosen, kinds[k].stem, kinds[k].split);
        }
        free(chosen.at);
    }
    return figures;
}

void tgd_figures_free(tgd_figures *figures)
{
    for (int i = 0; i < figures->count; i++)
        free_figure(&figures->at[i]);
    free(figures->at);
    *figures = (tgd_figures){NULL, 0};
}
