/* plot_points.c: the cells of a run as points that a figure can draw. */
#include "driver/plot_points.h"

#include "bench/stats.h"
#include "driver/cells.h"
#include "driver/plot_family.h"
#include "driver/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- columns ---- */

/* Every column that is read, by name; X(name). */
#define TEXT_COLUMNS(X)                                                                            \
    X(run_id)                                                                                      \
    X(build)                                                                                       \
    X(mpi)                                                                                         \
    X(op)                                                                                          \
    X(direction)                                                                                   \
    X(clock)                                                                                       \
    X(case) X(algorithm) X(dtype) X(grid_x) X(grid_y) X(scaling) X(status)
#define NUMBER_COLUMNS(X)                                                                          \
    X(ranks)                                                                                       \
    X(nodes)                                                                                       \
    X(threads)                                                                                     \
    X(oversubscribed)                                                                              \
    X(size_bytes)                                                                                  \
    X(held_x_bytes)                                                                                \
    X(held_y_bytes)                                                                                \
    X(flops) X(t_median_us) X(ci_lo_us) X(ci_hi_us) X(algbw_GBps) X(busbw_GBps) X(bound_us)

enum {
#define X(name) TEXT_##name,
    TEXT_COLUMNS(X) TEXTS
#undef X
};
enum {
#define X(name) NUMBER_##name,
    NUMBER_COLUMNS(X) NUMBERS
#undef X
};

static const char *const text_name[TEXTS] = {
#define X(name) #name,
    TEXT_COLUMNS(X)
#undef X
};
static const char *const number_name[NUMBERS] = {
#define X(name) #name,
    NUMBER_COLUMNS(X)
#undef X
};

static const double MOST_RANKS = 1 << 30;

/* A row of cells.csv with the columns above. */
typedef struct {
    const char *text[TEXTS];
    double number[NUMBERS];
    bool good; /* status ok, and a time */
    int first,
        launches; /* of the first row of a cell: its rows, where they stand side by side; else 0 */
} row;

static tg_status read_rows(const tgd_table *table, row **rows)
{
    int text_at[TEXTS], number_at[NUMBERS];
    tg_status status = tg_success();
    for (int i = 0; i < TEXTS && status.code == TG_OK; i++)
        status = tgd_table_require(table, text_name[i], &text_at[i]);
    for (int i = 0; i < NUMBERS && status.code == TG_OK; i++)
        status = tgd_table_require(table, number_name[i], &number_at[i]);
    if (status.code != TG_OK)
        return status;
    *rows = tgd_resize(NULL, table->rows, sizeof **rows);
    for (int r = 0; r < table->rows; r++) {
        row *now = &(*rows)[r];
        *now = (row){.launches = 0};
        for (int i = 0; i < TEXTS; i++)
            now->text[i] = tgd_table_text(table, r, text_at[i]);
        for (int i = 0; i < NUMBERS; i++) {
            status = tgd_table_number(table, r, number_at[i], &now->number[i]);
            if (status.code != TG_OK)
                return status;
        }
        const double t_us = now->number[NUMBER_t_median_us], ranks = now->number[NUMBER_ranks];
        now->good = strcmp(now->text[TEXT_status], "ok") == 0 && tgd_is_time(t_us) && ranks >= 1 &&
                    ranks <= MOST_RANKS;
    }
    return status;
}

/* ---- from rows to points ---- */

/* Of two rows of one cell 0; NAN, which is no rank count, stands last. */
static int compare_cells(const row *a, const row *b)
{
    static const int key[] = {TEXT_direction, TEXT_scaling, TEXT_build, TEXT_case};
    const double x = a->number[NUMBER_ranks], y = b->number[NUMBER_ranks];
    int order = isnan(x) - isnan(y);
    order = order ? order : (x > y) - (x < y);
    for (size_t i = 0; i < sizeof key / sizeof *key && !order; i++)
        order = strcmp(a->text[key[i]], b->text[key[i]]);
    return order;
}

/* Rows of one cell side by side, in the order of the file. */
static int by_cell(const void *left, const void *right)
{
    const row *a = *(const row *const *)left, *b = *(const row *const *)right;
    const int order = compare_cells(a, b);
    return order ? order : (a > b) - (a < b);
}

static bool backward(const char *direction)
{
    return strcmp(direction, "adjoint") == 0 || strcmp(direction, "backward") == 0;
}

/* A layer is an operation with a batch, or one that was run backward or in a whole step: these. */
static void add_layers(const row *rows, int count, tgd_words *layers)
{
    for (int r = 0; r < count; r++) {
        const char *direction = rows[r].text[TEXT_direction], *op = rows[r].text[TEXT_op];
        if ((strcmp(direction, "backward") == 0 || strcmp(direction, "step") == 0) &&
            !tgd_words_have(layers, op))
            tgd_words_add(layers, op);
    }
}

const char *tgd_beside(const char *op)
{
    static const char *const pair[][2] = {{"raw:MPI_Bcast", "broadcast"},
                                          {"raw:MPI_Reduce", "sum_reduce"},
                                          {"raw:MPI_Allreduce", "all_sum_reduce"},
                                          {"raw:MPI_Alltoallw", "repartition"},
                                          {"raw:MPI_Scatterv", "scatter"},
                                          {"raw:MPI_Gatherv", "gather"},
                                          {"raw:MPI_Allgatherv", "all_gather"},
                                          {"raw:MPI_Reduce_scatter", "reduce_scatter"},
                                          {"raw:MPI_Alltoallv", "repartition"},
                                          {"raw:MPI_Sendrecv", "send_recv"},
                                          {"raw:MPI_Allgather", "all_gather"},
                                          {"raw:MPI_Reduce_scatter_block", "reduce_scatter"}};
    static const char persistent[] = "_init"; /* stands where its call stands */
    const size_t whole = strlen(op), end = sizeof persistent - 1;
    const bool ends = whole > end && strcmp(op + whole - end, persistent) == 0;
    const size_t length = ends ? whole - end : whole;
    for (size_t i = 0; i < sizeof pair / sizeof *pair; i++)
        if (strlen(pair[i][0]) == length && strncmp(op, pair[i][0], length) == 0)
            return pair[i][1];
    return op;
}

static bool is_layer(const row *r, const tgd_words *layers)
{
    const char *op = r->text[TEXT_op];
    return strncmp(op, "raw:", 4) != 0 && strncmp(op, "machine:", 8) != 0 &&
           (strstr(r->text[TEXT_case], " batch=") || tgd_words_have(layers, op));
}

/* The words of a case but those of its layouts, and its data type and algorithm, which have columns
 * of their own. */
static char *fixed_words(const char *text)
{
    static const char *const layout[] = {"shape",    "grid",       "from",     "to",
                                         "ranks",    "from-ranks", "to-ranks", "from-parts",
                                         "to-parts", "parts",      "dtype",    "algorithm"};
    tgd_words all = {NULL, 0};
    char *kept = tgd_copy("");
    tgd_words_split(&all, text);
    for (int w = 1; w < all.count; w++) { /* word 0 is the operation */
        const size_t length = strcspn(all.word[w], "=");
        bool keep = true;
        for (size_t i = 0; i < sizeof layout / sizeof *layout && keep; i++)
            keep = strlen(layout[i]) != length || strncmp(all.word[w], layout[i], length) != 0;
        if (keep) {
            char *longer = tgd_format("%s%s%s", kept, *kept ? " " : "", all.word[w]);
            free(kept);
            kept = longer;
        }
    }
    tgd_words_free(&all);
    return kept;
}

/* The extents of a layer stand in its words, and one of them may grow along a sweep. */
static bool has_family(const row *r, const tgd_words *layers)
{
    return strcmp(r->text[TEXT_scaling], "strong") != 0 && is_layer(r, layers);
}

static json_t *families_of(const row *rows, int count, const tgd_words *layers)
{
    json_t *families = json_object();
    for (int r = 0; r < count; r++) {
        if (has_family(&rows[r], layers)) {
            char *words = fixed_words(rows[r].text[TEXT_case]);
            tgd_family_note(families, words);
            free(words);
        }
    }
    return families;
}

/* The words of a case that stay the same along a sweep. */
static char *words_of(const row *r, const tgd_words *layers, json_t *families)
{
    char *words = fixed_words(r->text[TEXT_case]);
    if (!has_family(r, layers))
        return words;
    char *family = tgd_family_of(families, words);
    free(words);
    return family;
}

static double larger(double a, double b) /* NAN counts as nothing */
{
    return isnan(a) ? b : isnan(b) ? a : fmax(a, b);
}

static tgd_point first_look(const row *one, const tgd_words *layers, json_t *families)
{
    const char *const *text = one->text;
    const double *number = one->number;
    tgd_point p = {.cell_case = text[TEXT_case],
                   .scaling = text[TEXT_scaling],
                   .direction = text[TEXT_direction],
                   .op = text[TEXT_op],
                   .ranks = number[NUMBER_ranks] >= 1 && number[NUMBER_ranks] <= MOST_RANKS
                                ? (int)number[NUMBER_ranks]
                                : 0,
                   .oversubscribed = number[NUMBER_oversubscribed] > 0,
                   .simulated = strcmp(text[TEXT_clock], "simulated") == 0,
                   .nodes = number[NUMBER_nodes],
                   .size_bytes = number[NUMBER_size_bytes]};
    p.raw = strncmp(p.op, "raw:", 4) == 0;
    p.machine = strncmp(p.op, "machine:", 8) == 0;
    p.layer = is_layer(one, layers);
    p.adjoint = backward(p.direction);
    p.work = p.layer && number[NUMBER_flops] > 0
                 ? number[NUMBER_flops] / p.ranks
                 : larger(number[NUMBER_held_x_bytes], number[NUMBER_held_y_bytes]);
    p.part[TGD_PART_BESIDE] = tgd_copy(tgd_beside(p.op));
    p.part[TGD_PART_OP] = tgd_copy(p.op);
    p.part[TGD_PART_ALGORITHM] = tgd_copy(p.raw ? "" : text[TEXT_algorithm]);
    p.part[TGD_PART_DIRECTION] = tgd_copy(p.direction);
    p.part[TGD_PART_RANKS] = tgd_format("%d", p.ranks);
    p.part[TGD_PART_DTYPE] = tgd_copy(text[TEXT_dtype]);
    p.part[TGD_PART_BUILD] = tgd_copy(text[TEXT_build]);
    p.part[TGD_PART_RUN] = tgd_copy("");
    p.part[TGD_PART_WORDS] = p.raw ? tgd_copy("") : words_of(one, layers, families);
    p.part[TGD_PART_LAYOUT] = strcmp(p.scaling, "size") == 0 && !p.machine
                                  ? tgd_format("%s %s", text[TEXT_grid_x], text[TEXT_grid_y])
                                  : tgd_copy("");
    return p;
}

/* Puts the launches of a point together. */
static void combine(tgd_point *p, const row *const *rows, int count)
{
    double *medians = tgd_resize(NULL, count, sizeof *medians);
    const row *one = NULL;
    int n = 0, lo = 0, hi = 0;
    for (int r = 0; r < count; r++) {
        if (rows[r]->good) {
            one = rows[r];
            medians[n++] = one->number[NUMBER_t_median_us];
        }
    }
    p->launches = n;
    p->time_us = p->lo_us = p->hi_us = p->bus_bytes = p->tensor_bytes = p->bound_us = NAN;
    if (n > 0) {
        tgb_sort(medians, n);
        p->time_us = tgb_quantile(medians, n, 0.5);
        p->lo_us = medians[0];
        p->hi_us = medians[n - 1];
        if (n == 1) {
            p->lo_us = one->number[NUMBER_ci_lo_us];
            p->hi_us = one->number[NUMBER_ci_hi_us];
        } else if (tgb_median_ranks(n, &lo, &hi)) {
            p->lo_us = medians[lo - 1];
            p->hi_us = medians[hi - 1];
        }
        if (!(tgd_is_time(p->lo_us) && p->lo_us <= p->time_us && p->hi_us >= p->time_us &&
              tgd_is_time(p->hi_us)))
            p->lo_us = p->hi_us = NAN;
        p->bus_bytes = one->number[NUMBER_busbw_GBps] * one->number[NUMBER_t_median_us] * 1e3;
        p->tensor_bytes = one->number[NUMBER_algbw_GBps] * one->number[NUMBER_t_median_us] * 1e3;
        p->bound_us = one->number[NUMBER_bound_us];
    }
    free(medians);
}

/* ---- texts that need all points ---- */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorted values become groups, each the values that lie within the ratio of its smallest one: sizes that
 * are the same but for rounding. Returns how many; first and last may be the values themselves. */
static int group_values(const double *sorted, int n, double ratio, double *first, double *last)
{
    int groups = 0;
    for (int i = 0; i < n; i++) {
        const double value = sorted[i];
        if (groups == 0 || value > first[groups - 1] * ratio)
            first[groups++] = value;
        last[groups - 1] = value;
    }
    return groups;
}

/* The largest value of the group that a value belongs to: the text of the group. */
static double group_of(double value, const double *first, const double *last, int groups)
{
    int lo = 0, hi = groups - 1;
    while (lo < hi) {
        const int middle = (lo + hi + 1) / 2;
        if (first[middle] <= value)
            lo = middle;
        else
            hi = middle - 1;
    }
    return groups > 0 ? last[lo] : value;
}

/* A quantity that sizes are told apart by. */
typedef struct {
    tgd_part part;
    double ratio;
    double (*of)(const tgd_point *p);
    char *(*text)(double value);
} quantity;

static double size_of(const tgd_point *p)
{
    return p->size_bytes;
}
static double work_of(const tgd_point *p)
{
    return p->work;
}

/* Fills a part of all points of one scaling and kind. */
static void group_part(tgd_points *points, const char *scaling, bool layer, const quantity *q)
{
    double *sorted = tgd_resize(NULL, points->count, sizeof *sorted);
    double *last = tgd_resize(NULL, points->count, sizeof *last);
    int n = 0, groups = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < points->count; i++) {
            tgd_point *p = &points->at[i];
            const double value = q->of(p);
            if (p->layer != layer || strcmp(p->scaling, scaling) != 0)
                continue;
            if (pass == 1)
                p->part[q->part] =
                    isnan(value) ? tgd_copy("") : q->text(group_of(value, sorted, last, groups));
            else if (!isnan(value))
                sorted[n++] = value;
        }
        if (pass == 0) {
            qsort(sorted, (size_t)n, sizeof *sorted, ascending);
            groups = group_values(sorted, n, q->ratio, sorted, last);
        }
    }
    free(sorted);
    free(last);
}

static void group_sizes(tgd_points *points, const char *scaling, bool layer)
{
    const quantity size = {TGD_PART_SIZE, 1.10, size_of, tgd_bytes_text},
                   work = {TGD_PART_WORK, 1.25, work_of, layer ? tgd_flops_text : tgd_bytes_text};
    group_part(points, scaling, layer, &size);
    group_part(points, scaling, layer, &work);
}

/* ---- points that belong together ---- */

static int compare_points(const tgd_point *a, const tgd_point *b)
{
    const int order = strcmp(a->scaling, b->scaling);
    return order ? order : (a->ranks > b->ranks) - (a->ranks < b->ranks);
}

/* Equal: they differ in their layouts only. */
static int compare_layouts(const tgd_point *a, const tgd_point *b)
{
    const tgd_part free_part = strcmp(a->scaling, "strong") == 0 ? TGD_PART_WORK : TGD_PART_SIZE;
    int order = compare_points(a, b);
    for (int part = 0; part < TGD_PART_LAYOUT && !order; part++)
        order = part == (int)free_part ? 0 : strcmp(a->part[part], b->part[part]);
    return order;
}

/* Equal: one case, forward and adjoint. */
static int compare_cases(const tgd_point *a, const tgd_point *b)
{
    int order = compare_points(a, b);
    order = order ? order : a->oversubscribed - b->oversubscribed;
    order = order ? order : strcmp(a->part[TGD_PART_BUILD], b->part[TGD_PART_BUILD]);
    return order ? order : strcmp(a->cell_case, b->cell_case);
}

static int by_layouts(const void *left, const void *right)
{
    const tgd_point *a = *(tgd_point *const *)left, *b = *(tgd_point *const *)right;
    const int order = compare_layouts(a, b);
    return order ? order : (a > b) - (a < b);
}

/* Forward cells first. */
static int by_cases(const void *left, const void *right)
{
    const tgd_point *a = *(tgd_point *const *)left, *b = *(tgd_point *const *)right;
    int order = compare_cases(a, b);
    order = order ? order
                  : (strcmp(a->direction, "forward") != 0) - (strcmp(b->direction, "forward") != 0);
    return order ? order : (a > b) - (a < b);
}

static tgd_point **sorted_points(tgd_points *points, int (*order)(const void *, const void *))
{
    tgd_point **at = tgd_resize(NULL, points->count, sizeof(tgd_point *));
    for (int i = 0; i < points->count; i++)
        at[i] = &points->at[i];
    qsort(at, (size_t)points->count, sizeof *at, order);
    return at;
}

/* Two cells may differ in their grids only: the n-th such case of a rank count belongs to the n-th
 * series. */
static void number_layouts(tgd_points *points)
{
    tgd_point **at = sorted_points(points, by_layouts);
    for (int i = 0, before = 0; i < points->count; i++) {
        before = i > 0 && compare_layouts(at[i - 1], at[i]) == 0 ? before + 1 : 0;
        if (before > 0 &&
            strcmp(at[i]->scaling, "size") != 0) { /* that has its grids there already */
            free(at[i]->part[TGD_PART_LAYOUT]);
            at[i]->part[TGD_PART_LAYOUT] = tgd_format("layout %d", before + 1);
        }
    }
    free(at);
}

static void find_forward(tgd_points *points)
{
    tgd_point **at = sorted_points(points, by_cases);
    for (int i = 0, first = 0; i < points->count; i++) {
        first = compare_cases(at[first], at[i]) == 0 ? first : i;
        at[i]->forward =
            strcmp(at[first]->direction, "forward") == 0 ? (int)(at[first] - points->at) : -1;
    }
    free(at);
}

/* ---- from a table to points ---- */

/* In the order in which their first rows stand in the file. */
static void make_points(tgd_points *points, row *rows, int count)
{
    const row **at = tgd_resize(NULL, count, sizeof(row *));
    tgd_words layers = {NULL, 0};
    add_layers(rows, count, &layers);
    json_t *families = families_of(rows, count, &layers);
    for (int r = 0; r < count; r++) {
        at[r] = &rows[r];
        points->rejected += !rows[r].good;
    }
    qsort(at, (size_t)count, sizeof *at, by_cell);
    for (int r = 0, next; r < count; r = next) {
        for (next = r + 1; next < count && compare_cells(at[r], at[next]) == 0;)
            next++;
        rows[at[r] - rows].first = r;
        rows[at[r] - rows].launches = next - r;
    }
    points->at = tgd_resize(NULL, count, sizeof *points->at);
    points->of_row = tgd_resize(NULL, count, sizeof *points->of_row);
    for (int r = 0; r < count; r++) {
        if (rows[r].launches > 0) {
            tgd_point *p = &points->at[points->count];
            *p = first_look(&rows[r], &layers, families);
            combine(p, at + rows[r].first, rows[r].launches);
            for (int k = 0; k < rows[r].launches; k++)
                points->of_row[at[rows[r].first + k] - rows] = points->count;
            points->count++;
        }
    }
    tgd_words_free(&layers);
    json_decref(families);
    free(at);
}

tg_status tgd_points_make(const tgd_table *table, tgd_points *points)
{
    row *rows = NULL;
    *points = (tgd_points){.threads = NAN};
    tg_status status = read_rows(table, &rows);
    if (status.code != TG_OK) {
        free(rows);
        return status;
    }
    make_points(points, rows, table->rows);
    static const char *const scalings[] = {"strong", "weak", "size"};
    for (size_t s = 0; s < sizeof scalings / sizeof *scalings; s++) {
        group_sizes(points, scalings[s], false);
        group_sizes(points, scalings[s], true);
    }
    for (int i = 0; i < points->count; i++) { /* a scaling that no figure knows */
        for (int part = 0; part < TGD_PARTS; part++) {
            points->at[i].part[part] =
                points->at[i].part[part] ? points->at[i].part[part] : tgd_copy("");
        }
    }
    number_layouts(points);
    find_forward(points);
    points->run_id = tgd_copy(table->rows ? rows[0].text[TEXT_run_id] : "");
    points->mpi = tgd_copy(table->rows ? rows[0].text[TEXT_mpi] : "");
    points->threads = table->rows ? rows[0].number[NUMBER_threads] : NAN;
    free(rows);
    return status;
}

void tgd_points_free(tgd_points *points)
{
    for (int i = 0; i < points->count; i++)
        for (int part = 0; part < TGD_PARTS; part++)
            free(points->at[i].part[part]);
    free(points->at);
    free(points->of_row);
    free(points->run_id);
    free(points->mpi);
    free(points->machine);
    free(points->about);
    *points = (tgd_points){.threads = NAN};
}

void tgd_points_join(tgd_points *points, tgd_points *one, const char *run)
{
    points->at = tgd_resize(points->at, points->count + one->count, sizeof *points->at);
    for (int i = 0; i < one->count; i++) {
        tgd_point *p = &points->at[points->count + i];
        *p = one->at[i];
        p->forward += p->forward < 0 ? 0 : points->count;
        free(p->part[TGD_PART_RUN]);
        p->part[TGD_PART_RUN] = tgd_copy(run);
    }
    points->count += one->count;
    points->rejected += one->rejected;
    one->count = 0;
    tgd_points_free(one);
}

/* ---- sizes for people ---- */

char *tgd_bytes_text(double bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int i = 0;
    while (bytes >= 1024 && i < 4) {
        bytes /= 1024;
        i++;
    }
    return tgd_format("%.4g %s", bytes, unit[i]);
}

char *tgd_flops_text(double flops)
{
    static const char *const unit[] = {"FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"};
    int i = 0;
    while (flops >= 1000 && i < 4) {
        flops /= 1000;
        i++;
    }
    return tgd_format("%.3g %s", flops, unit[i]);
}
