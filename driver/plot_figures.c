/* plot_figures.c: which figures the points of a run can carry: points become series, series become
 * figures, each by the row of its kind. */
#include "driver/plot_figures.h"

#include "driver/text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const tgd_value nothing = {NAN, NAN, NAN, NAN, NAN, false};

#define BIT(part) (1u << TGD_PART_##part)

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

static bool has_word(const char *text, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
        if ((at == text || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

/* The words of a case that not all points of the same operation have. */
static void append_own_words(char **label, const tgd_point *p, const choice *points)
{
    tgd_words words = {NULL, 0};
    tgd_words_split(&words, p->part[TGD_PART_WORDS]);
    for (int w = 0; w < words.count; w++) {
        bool common = true;
        for (int i = 0; i < points->count && common; i++)
            common = strcmp(points->at[i]->op, p->op) != 0 ||
                     has_word(points->at[i]->part[TGD_PART_WORDS], words.word[w]);
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
    static const tgd_part order[] = {TGD_PART_ALGORITHM, TGD_PART_DIRECTION, TGD_PART_RANKS,
                                     TGD_PART_SIZE,      TGD_PART_WORK,      TGD_PART_DTYPE,
                                     TGD_PART_BUILD,     TGD_PART_LAYOUT,    TGD_PART_RUN};
    const char *op = p->raw       ? p->op + strlen("raw:")
                     : p->machine ? p->op + strlen("machine:")
                                  : p->op;
    const bool many = varies(points, TGD_PART_BESIDE);
    char *label = tgd_copy(many ? op : "");
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        if (tells_apart(kind, p, points, order[i])) {
            const char *before = order[i] == TGD_PART_RANKS ? "P=" : "";
            char *text = tgd_format("%s%s", before, p->part[order[i]]);
            append(&label, " ", text);
            free(text);
        }
    }
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

static int most_looks(const tgd_kind *kind)
{
    return kind->looks ? kind->looks : TGD_LOOKS;
}

/* Colours and marks. Returns the number of colours needed. */
static int dress(tgd_figure *figure)
{
    const unsigned same =
        (BIT(BESIDE) | BIT(SIZE) | BIT(WORK) | BIT(RANKS) | BIT(DTYPE) | BIT(BUILD) | BIT(RUN)) &
        series_parts(figure->kind);
    int looks = 0, shape = 0;
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
    }
    for (int s = 0; s < figure->count; s++) {
        tgd_series *now = &figure->series[s];
        now->shape = figure->count <= most_looks(figure->kind) ? ++shape : now->look;
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

static bool has_rivals(const tgd_figure *figure)
{
    const tgd_point *first = NULL;
    bool rivals = false;
    for (int s = 0; s < figure->count; s++) {
        const tgd_point *p = figure->series[s].raw ? NULL : member(&figure->series[s]);
        rivals = rivals || (p && first && !agree(p, first, BIT(ALGORITHM)));
        first = first ? first : p;
    }
    return rivals;
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
    return worth && (!figure->kind->needs_beside || figure->count > 1) &&
           (!figure->kind->needs_rivals || has_rivals(figure));
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

static bool has_mark(const tgd_series *series, double x, double bound_us)
{
    for (int m = 0; m < series->count; m++)
        if (series->mark[m].x == x && series->mark[m].y.bound_us == bound_us)
            return true;
    return false;
}

/* Algorithms of one operation have one bound: the first series draws it for all. */
static void share_bounds(tgd_figure *figure)
{
    for (int s = 0; s < figure->count; s++)
        for (int t = 0; t < s && !figure->series[s].shares_bound; t++) {
            tgd_series *now = &figure->series[s];
            now->shares_bound = !figure->series[t].raw;
            for (int m = 0; m < now->count && now->shares_bound; m++)
                now->shares_bound =
                    isnan(now->mark[m].y.bound_us) ||
                    has_mark(&figure->series[t], now->mark[m].x, now->mark[m].y.bound_us);
        }
}

/* The points that agree with points->at[first] in some parts, in their order; they are then taken. */
static choice take_alike(const choice *points, int first, unsigned parts, bool *taken)
{
    choice alike = {NULL, 0};
    for (int i = first; i < points->count; i++)
        if (!taken[i] && agree(points->at[first], points->at[i], parts)) {
            taken[i] = true;
            choose(&alike, points->at[i]);
        }
    return alike;
}

static bool *none_taken(const choice *points)
{
    bool *taken = tgd_resize(NULL, points->count, sizeof *taken);
    for (int i = 0; i < points->count; i++)
        taken[i] = false;
    return taken;
}

/* false, and no series: there are far too many for one figure. */
static bool add_series(tgd_figure *figure, const tgd_points *all, const choice *points)
{
    const unsigned parts = series_parts(figure->kind);
    bool *taken = none_taken(points);
    int series = 0;
    for (int i = 0; i < points->count; i++) {
        if (!taken[i]) {
            const choice alike = take_alike(points, i, parts, taken);
            free(alike.at);
            series += !points->at[i]->raw;
        }
    }
    const bool few = series <= 8 * TGD_MOST_LOOKS;
    free(taken);
    taken = none_taken(points);
    for (int i = 0; i < points->count && few; i++) {
        if (taken[i])
            continue;
        choice alike = take_alike(points, i, parts, taken);
        tgd_series one = make_series(all, figure->kind, points->at[i], points);
        free(alike.at);
        if (any_drawn(&one)) {
            figure->series = tgd_resize(figure->series, figure->count + 1, sizeof *figure->series);
            figure->series[figure->count++] = one;
        } else {
            free_series(&one);
        }
    }
    free(taken);
    return few;
}

static void make_figures(tgd_figures *figures, const tgd_points *all, const tgd_kind *kind,
                         const choice *points, const char *name, unsigned split);

/* Figures for each text of a part. */
static void split_figures(tgd_figures *figures, const tgd_points *all, const tgd_kind *kind,
                          const choice *points, const char *name, tgd_part part, unsigned split)
{
    bool *taken = none_taken(points);
    for (int i = 0; i < points->count; i++) {
        if (taken[i])
            continue;
        choice some = take_alike(points, i, 1u << part, taken);
        char *longer = longer_name(name, part, points->at[i]->part[part]);
        make_figures(figures, all, kind, &some, longer, split);
        free(longer);
        free(some.at);
    }
    free(taken);
}

/* Figures of one kind from these points: one for each text of the split parts; where there are more
 * series than colours, one for each text of the first part that differs. */
static void make_figures(tgd_figures *figures, const tgd_points *all, const tgd_kind *kind,
                         const choice *points, const char *name, unsigned split)
{
    static const tgd_part order[] = {TGD_PART_BUILD,     TGD_PART_DTYPE,     TGD_PART_BESIDE,
                                     TGD_PART_SIZE,      TGD_PART_WORK,      TGD_PART_LAYOUT,
                                     TGD_PART_WORDS,     TGD_PART_ALGORITHM, TGD_PART_RANKS,
                                     TGD_PART_DIRECTION, TGD_PART_RUN};
    for (int part = 0; part < TGD_PARTS; part++)
        if (split >> part & 1u) {
            split_figures(figures, all, kind, points, name, (tgd_part)part, split & ~(1u << part));
            return;
        }
    tgd_figure figure = {.kind = kind, .name = tgd_copy(name)};
    const bool fits = add_series(&figure, all, points) && dress(&figure) <= most_looks(kind);
    share_bounds(&figure);
    if (fits && worth_drawing(&figure)) {
        add_figure(figures, figure);
        return;
    }
    const bool divide = !fits && (figure.count == 0 || worth_drawing(&figure));
    free_figure(&figure);
    for (size_t i = 0; divide && i < sizeof order / sizeof *order; i++) {
        if ((series_parts(kind) >> order[i] & 1u) && varies(points, order[i])) {
            make_figures(figures, all, kind, points, name, 1u << order[i]);
            return;
        }
    }
}

/* The algorithm of an operation that figures along the size draw: `mpi`, or the first in the alphabet
 * where that was not measured; all of them stand side by side in figures of their own. */
typedef struct {
    const char *op, *algorithm;
} representative;

static int find_representative(const representative *list, int count, const char *op)
{
    int i = 0;
    while (i < count && strcmp(list[i].op, op) != 0)
        i++;
    return i;
}

static representative *find_representatives(const tgd_points *all, int *count)
{
    representative *list = NULL;
    *count = 0;
    for (int i = 0; i < all->count; i++) {
        const tgd_point *p = &all->at[i];
        const char *own = p->part[TGD_PART_ALGORITHM];
        const int at = find_representative(list, *count, p->op);
        if (p->raw)
            continue;
        if (at == *count) {
            list = tgd_resize(list, ++*count, sizeof *list);
            list[at] = (representative){p->op, own};
        } else if (strcmp(list[at].algorithm, "mpi") != 0 &&
                   (strcmp(own, "mpi") == 0 || strcmp(own, list[at].algorithm) < 0)) {
            list[at].algorithm = own;
        }
    }
    return list;
}

static bool represents(const representative *list, int count, const tgd_point *p)
{
    const int at = find_representative(list, count, p->op);
    return p->raw || at == count || strcmp(list[at].algorithm, p->part[TGD_PART_ALGORITHM]) == 0;
}

tgd_figures tgd_figures_make(const tgd_points *points, const tgd_kind *kinds)
{
    tgd_figures figures = {NULL, 0};
    int ops;
    representative *list = find_representatives(points, &ops);
    for (const tgd_kind *kind = kinds; kind->stem; kind++) {
        choice chosen = {NULL, 0};
        for (int i = 0; i < points->count; i++) {
            const tgd_point *p = &points->at[i];
            if (strcmp(p->scaling, kind->scaling) == 0 && kind->takes(p) &&
                (!kind->along_size || kind->needs_rivals || represents(list, ops, p)))
                choose(&chosen, p);
        }
        if (chosen.count > 0) {
            qsort(chosen.at, (size_t)chosen.count, sizeof *chosen.at, drawing_order);
            make_figures(&figures, points, kind, &chosen, kind->stem, kind->split);
        }
        free(chosen.at);
    }
    free(list);
    return figures;
}

void tgd_figures_free(tgd_figures *figures)
{
    for (int i = 0; i < figures->count; i++)
        free_figure(&figures->at[i]);
    free(figures->at);
    *figures = (tgd_figures){NULL, 0};
}

bool tgd_draws(const tgd_kind *kind, const char *column)
{
    return strcmp(kind->column, column) == 0;
}

bool tgd_has_bound(const tgd_kind *kind, const tgd_series *series, const tgd_mark *mark)
{
    return tgd_draws(kind, "time_us") && !series->raw && mark->y.bound_us > 0 &&
           isfinite(mark->y.bound_us) && isfinite(mark->y.value) && !mark->point->oversubscribed;
}

void tgd_widen(double *min, double *max, double value)
{
    if (isfinite(value) && value > 0) {
        *min = isnan(*min) ? value : fmin(*min, value);
        *max = isnan(*max) ? value : fmax(*max, value);
    }
}
