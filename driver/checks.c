/* checks.c: figures from rows, and what is expected of them. A check that needs a clock never says
 * more than `look`: a disturbed machine gives such figures too. Equality of two kinds of launches:
 * for each cell the exact rank test of the launches' medians, adjusted by Holm over the cells. */
#include "driver/checks.h"

#include "bench/stats.h"
#include "driver/checks_turns.h"
#include "driver/twosample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const tgd_kind_names[TGD_KINDS] = {"ascending", "again",  "shuffled",
                                               "counted",   "beside", "fastest"};

/* ---- the cells ---- */

static const char cells_header[] = "launch\tcell\tranks\tscaling\tdirection\tsize_bytes\tcase\n";

static const char *const family_cases[] = {"broadcast shape=N from=1 to=Pc",
                                           "sum_reduce shape=N from=Pc to=1",
                                           "all_sum_reduce shape=N grid=Pc"};
static const long family_sizes[] = {8, 1024, 32768, 1048576};
enum { CASES = 3, SIZES = TGD_FAMILY / CASES };

char *tgd_family_cells(int launch, int ranks, const int *order)
{
    char *text = tgd_copy(cells_header);
    for (int i = 0; i < TGD_FAMILY; i++) {
        const int cell = order ? order[i] : i;
        char *longer = tgd_format("%s%d\t%d\t%d\tsize\tforward\t%ld\t%s\n", text, launch, cell,
                                  ranks, family_sizes[cell % SIZES], family_cases[cell / SIZES]);
        free(text);
        text = longer;
    }
    return text;
}

/* ---- numbers in rows ---- */

bool tgd_row_is_ok(const tgd_table *t, int row)
{
    return strcmp(tgd_row_text(t, row, "status"), "ok") == 0;
}

static double median_of(double *values, int count)
{
    tgb_sort(values, count);
    return count > 0 ? tgb_quantile(values, count, 0.5) : (double)NAN;
}

/* The median of a column over the right rows; divided by another column when there is one. cell:
 * only rows of that cell; negative: all. */
static double median_in(const tgd_table *t, int cell, const char *name, const char *divisor)
{
    double *values = tgd_resize(NULL, t->rows, sizeof *values);
    int count = 0;
    for (int i = 0; i < t->rows; i++) {
        double value = tgd_row_number(t, i, name);
        if (divisor)
            value /= tgd_row_number(t, i, divisor);
        if (tgd_row_is_ok(t, i) && isfinite(value) &&
            (cell < 0 || tgd_row_number(t, i, "cell") == cell))
            values[count++] = value;
    }
    const double median = median_of(values, count);
    free(values);
    return median;
}

/* ---- values ---- */

static tgd_verdict look_at_values(const tgd_evidence *e, int argument, char figure[TGD_FIGURE])
{
    int rows = 0, bad = 0;
    (void)argument;
    for (int k = 0; k < TGD_KINDS; k++) {
        const tgd_table *t = &e->kind[k];
        rows += t->rows;
        for (int i = 0; i < t->rows; i++)
            bad += !tgd_row_is_ok(t, i);
    }
    snprintf(figure, TGD_FIGURE, "%d rows, %d not ok; %d launches, %d failed", rows, bad,
             e->trial->launches, e->trial->failed);
    return rows > 0 && bad == 0 && e->trial->failed == 0 ? TGD_OK : TGD_WRONG;
}

/* ---- the clock ---- */

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

/* The smallest step that two readings of the clock were seen to differ by. */
static double clock_step_ns(void)
{
    double least = (double)INFINITY;
    for (int i = 0; i < 10000; i++) {
        const double before = now_ns(), step = now_ns() - before;
        if (step > 0 && step < least)
            least = step;
    }
    return least;
}

static tgd_verdict look_at_timer(const tgd_evidence *e, int argument, char figure[TGD_FIGURE])
{
    const double cost = median_in(&e->kind[TGD_BESIDE], -1, "timer_ns", NULL),
                 step = clock_step_ns();
    (void)argument;
    snprintf(figure, TGD_FIGURE, "overhead %.1f ns, smallest step %.0f ns", cost, step);
    return isnan(cost) ? TGD_NONE : cost <= 100 && step <= 1000 ? TGD_OK : TGD_LOOK;
}

static tgd_verdict look_at_noop(const tgd_evidence *e, int argument, char figure[TGD_FIGURE])
{
    const double t_ns = 1e3 * median_in(&e->kind[TGD_BESIDE], 0, "t_median_us", NULL),
                 batch = median_in(&e->kind[TGD_BESIDE], 0, "batch", NULL),
                 cost = median_in(&e->kind[TGD_BESIDE], 0, "timer_ns", NULL);
    (void)argument;
    if (isnan(t_ns) || isnan(cost)) {
        snprintf(figure, TGD_FIGURE, "no row");
        return TGD_NONE;
    }
    snprintf(figure, TGD_FIGURE, "%s: %.1f ns = %.2f timer overheads (%.0f in a repetition)",
             tgd_row_text(&e->kind[TGD_BESIDE], 0, "op"), t_ns, t_ns / cost, batch);
    return t_ns <= 2 * cost ? TGD_OK : TGD_LOOK;
}

/* A start is good when its skew is small against the shortest operation. */
static tgd_verdict look_at_skew(const tgd_evidence *e, int argument, char figure[TGD_FIGURE])
{
    const double skew = median_in(&e->kind[argument], -1, "skew_us", NULL);
    double shortest = (double)INFINITY;
    for (int cell = 0; cell < e->cells; cell++)
        shortest = fmin(shortest, median_in(&e->kind[argument], cell, "t_median_us", NULL));
    if (isnan(skew) || !isfinite(shortest)) {
        snprintf(figure, TGD_FIGURE, "not measured");
        return TGD_NONE;
    }
    snprintf(figure, TGD_FIGURE, "%.3f us at %d ranks; shortest operation %.3f us", skew,
             e->trial->ranks, shortest);
    return 5 * skew <= shortest ? TGD_OK : TGD_LOOK;
}

/* Cell 0 is the broadcast of 8 bytes, whose root leaves before the others have it. */
static tgd_verdict look_at_mean(const tgd_evidence *e, int argument, char figure[TGD_FIGURE])
{
    const tgd_table *t = &e->kind[argument];
    const double ratio = median_in(t, 0, "osu_avg_us", "t_median_us");
    if (isnan(ratio) || e->trial->ranks < 2) {
        snprintf(figure, TGD_FIGURE, "not measured at 2 ranks");
        return TGD_NONE;
    }
    snprintf(figure, TGD_FIGURE, "%.3f us / %.3f us = %.2f", median_in(t, 0, "osu_avg_us", NULL),
             median_in(t, 0, "t_median_us", NULL), ratio);
    return ratio <= 0.9 ? TGD_OK : TGD_LOOK;
}

/* ---- two kinds of launches ---- */

static int medians_of(const tgd_table *t, int cell, double values[TGD_MOST_VALUES])
{
    int count = 0;
    for (int i = 0; i < t->rows && count < TGD_MOST_VALUES; i++)
        if (tgd_row_number(t, i, "cell") == cell && tgd_row_is_ok(t, i))
            values[count++] = tgd_row_number(t, i, "t_median_us");
    return count;
}

/* Is a kind of launches the same as the first one, in at least nine of ten cells? */
static tgd_verdict look_at_kind(const tgd_evidence *e, int argument, char figure[TGD_FIGURE])
{
    double p[TGD_FAMILY], ratio[TGD_FAMILY], a[TGD_MOST_VALUES], b[TGD_MOST_VALUES];
    int cells = 0, same = 0;
    for (int cell = 0; cell < e->cells; cell++) {
        const int n = medians_of(&e->kind[TGD_FIRST_HALF], cell, a),
                  m = medians_of(&e->kind[argument], cell, b);
        if (n == 0 || m == 0)
            continue;
        p[cells] = tgd_rank_test(a, n, b, m);
        ratio[cells++] = median_of(b, m) / median_of(a, n);
    }
    const bool decides = cells > 0 && tgd_smallest_p(e->launches) * cells <= 0.05;
    tgd_holm.adjust(p, cells);
    for (int i = 0; i < cells; i++)
        same += p[i] > 0.05;
    tgb_sort(ratio, cells);
    if (!decides) {
        snprintf(figure, TGD_FIGURE, "%d launches each are too few to tell", e->launches);
        return TGD_NONE;
    }
    snprintf(figure, TGD_FIGURE, "%d of %d cells not different; ratios %.2f to %.2f, median %.2f",
             same, cells, ratio[0], ratio[cells - 1], tgb_quantile(ratio, cells, 0.5));
    return 10 * same >= 9 * cells ? TGD_OK : TGD_LOOK;
}

/* ---- where the time goes ---- */

static tgd_verdict look_at_spent(const tgd_evidence *e, int argument, char figure[TGD_FIGURE])
{
    const tgd_spent *s = &e->trial->spent;
    double told_s = 0;
    (void)argument;
    if (s->cells == 0) {
        snprintf(figure, TGD_FIGURE, "tgbench did not tell");
        return TGD_NONE;
    }
    for (int i = 0; i < s->count; i++)
        told_s += s->phase[i].time_s;
    size_t length = (size_t)snprintf(figure, TGD_FIGURE, "%.4f = launch %.4f", s->wall_s / s->cells,
                                     (s->wall_s - told_s) / s->cells);
    for (int i = 0; i < s->count && length < TGD_FIGURE; i++)
        length += (size_t)snprintf(figure + length, TGD_FIGURE - length, " + %s %.4f",
                                   s->phase[i].name, s->phase[i].time_s / s->cells);
    return TGD_OK;
}

/* ---- the verbs ---- */

static tgd_verdict look_at_verb(const tgd_evidence *e, int argument, char figure[TGD_FIGURE])
{
    enum { MOST_S = 10, MOST_MB = 1000 };
    const tgd_verb_use *use = &e->verb[argument];
    if (!use->ran) {
        snprintf(figure, TGD_FIGURE, "%s", e->rows > 0 ? "no gnuplot here" : "left out");
        return TGD_NONE;
    }
    if (use->status > 1) {
        snprintf(figure, TGD_FIGURE, "ended with status %d", use->status);
        return TGD_WRONG;
    }
    snprintf(figure, TGD_FIGURE, "%.1f s, %.0f MB for %ld rows a run", use->wall_s, use->memory_MB,
             e->rows);
    return use->wall_s <= MOST_S && use->memory_MB <= MOST_MB ? TGD_OK : TGD_LOOK;
}

#define CLOCK   "the clock"
#define KINDS   "launches of the same cells"
#define BESIDE  "an operator beside the raw call, in turns"
#define FASTEST "algorithm=auto beside the library's own ways, in turns"
#define COPY    "a copy of y / algorithm=auto, 16 MiB, in turns"
#define VERBS   "verbs over large runs"
static const char one_call[] = "8 B: <= 0.15 us more; above: <= 1.05";
static const char large_run[] = "<= 10 s and 1000 MB";
static const char best[] = "<= 1, and <= 0.77 or copy / it >= 0.85";

const tgd_check tgd_checks[] = {
    {CLOCK, "values", "every row ok, every launch good", look_at_values, 0, false},
    {CLOCK, "timer", "overhead <= 100 ns, step <= 1000 ns", look_at_timer, 0, true},
    {CLOCK, "no-op", "<= 2 timer overheads", look_at_noop, 0, true},
    {CLOCK, "skew of starts", "<= 1/5 of the shortest operation", look_at_skew, TGD_FIRST_HALF,
     true},
    {CLOCK, "8 B broadcast, mean / value", "<= 0.9: the root leaves early", look_at_mean,
     TGD_FIRST_HALF, true},
    {KINDS, "the same again", ">= 90 % of cells not different", look_at_kind, TGD_SECOND_HALF,
     true},
    {KINDS, "shuffled sizes", ">= 90 % of cells not different", look_at_kind, TGD_SHUFFLED, true},
    {KINDS, "with counters", ">= 90 % of cells not different", look_at_kind, TGD_COUNTED, true},
    {BESIDE, "broadcast / MPI_Bcast", one_call, tgd_look_beside, 0, true},
    {BESIDE, "sum_reduce / MPI_Reduce", one_call, tgd_look_beside, 1, true},
    {BESIDE, "all_sum_reduce / MPI_Allreduce", one_call, tgd_look_beside, 2, true},
    {BESIDE, "scatter / MPI_Scatterv", one_call, tgd_look_beside, 3, true},
    {BESIDE, "gather / MPI_Gatherv", one_call, tgd_look_beside, 4, true},
    {BESIDE, "all_gather / MPI_Allgatherv", one_call, tgd_look_beside, 5, true},
    {BESIDE, "reduce_scatter / the call", one_call, tgd_look_beside, 6, true},
    {BESIDE, "small halo - its messages", "<= 2 us", tgd_look_messages, 0, true},
    {FASTEST, "broadcast / MPI_Bcast", best, tgd_look_race, 0, true},
    {FASTEST, "all_sum_reduce / MPI_Allreduce", best, tgd_look_race, 1, true},
    {FASTEST, "all_gather / MPI_Allgatherv", best, tgd_look_race, 2, true},
    {FASTEST, "repartition / the better call", best, tgd_look_race, 3, true},
    {COPY, "repartition, strided", ">= 0.5", tgd_look_copy, 0, true},
    {COPY, "repartition, contiguous", ">= 0.8", tgd_look_copy, 1, true},
    {COPY, "halo, contiguous", ">= 0.8", tgd_look_copy, 2, true},
    {COPY, "halo, strided", ">= 0.5", tgd_look_copy, 3, true},
    {VERBS, "compare", large_run, look_at_verb, TGD_COMPARE, false},
    {VERBS, "accept", large_run, look_at_verb, TGD_ACCEPT, false},
    {VERBS, "plot", large_run, look_at_verb, TGD_PLOT, false},
    {VERBS, "report", large_run, look_at_verb, TGD_REPORT, false},
    {"the time of this check", "seconds per cell", "told, not judged", look_at_spent, 0, false},
    {0},
};
