/* checks.c: figures from rows, and what is expected of them. A check that needs a clock never says
 * more than `look`: a disturbed machine gives such figures too. Equality of two kinds of launches:
 * for each cell the exact rank test of the launches' medians, adjusted by Holm over the cells. */
#include "driver/checks.h"

#include "bench/stats.h"
#include "driver/twosample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const tgd_kind_names[TGD_KINDS] = {"ascending", "again", "shuffled", "counted"};

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

static const struct {
    const char *ours, *raw; /* operations */
    const char *words;      /* of both */
} couples[] = {{"broadcast", "raw:MPI_Bcast", "shape=N from=1 to=Pc"},
               {"sum_reduce", "raw:MPI_Reduce", "shape=N from=Pc to=1"},
               {"all_sum_reduce", "raw:MPI_Allreduce", "shape=N grid=Pc"}};
enum { COUPLES = sizeof couples / sizeof *couples };
static const long couple_sizes[] = {8, 65536};
enum { COUPLE_SIZES = sizeof couple_sizes / sizeof *couple_sizes, MOST_PAIRS = 100 };

char *tgd_beside_cells(int ranks, int pairs, const char *noop)
{
    char *text = tgd_format("%s0\t0\t%d\tsize\tforward\t\t%s\n", cells_header, ranks, noop);
    int cell = 1;
    for (int i = 0; i < COUPLES * COUPLE_SIZES * pairs; i++) {
        const int couple = i / pairs / COUPLE_SIZES;
        const long size = couple_sizes[i / pairs % COUPLE_SIZES];
        char *longer =
            tgd_format("%s0\t%d\t%d\tsize\tforward\t%ld\t%s %s\n"
                       "0\t%d\t%d\tsize\tforward\t%ld\t%s %s\n",
                       text, cell, ranks, size, couples[couple].ours, couples[couple].words,
                       cell + 1, ranks, size, couples[couple].raw, couples[couple].words);
        free(text);
        text = longer;
        cell += 2;
    }
    return text;
}

/* ---- numbers in rows ---- */

static const char *text_at(const tgd_table *t, int row, const char *name)
{
    return tgd_table_text(t, row, tgd_table_column(t, name));
}

static double number_at(const tgd_table *t, int row, const char *name)
{
    double value;
    const bool good = tgd_table_number(t, row, tgd_table_column(t, name), &value).code == TG_OK;
    return good ? value : (double)NAN;
}

static bool is_ok(const tgd_table *t, int row)
{
    return strcmp(text_at(t, row, "status"), "ok") == 0;
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
        double value = number_at(t, i, name);
        if (divisor)
            value /= number_at(t, i, divisor);
        if (is_ok(t, i) && isfinite(value) && (cell < 0 || number_at(t, i, "cell") == cell))
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
    for (int k = 0; k <= TGD_KINDS; k++) {
        const tgd_table *t = k < TGD_KINDS ? &e->kind[k] : &e->beside;
        rows += t->rows;
        for (int i = 0; i < t->rows; i++)
            bad += !is_ok(t, i);
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
    const double cost = median_in(&e->beside, -1, "timer_ns", NULL), step = clock_step_ns();
    (void)argument;
    snprintf(figure, TGD_FIGURE, "overhead %.1f ns, smallest step %.0f ns", cost, step);
    return isnan(cost) ? TGD_NONE : cost <= 100 && step <= 1000 ? TGD_OK : TGD_LOOK;
}

static tgd_verdict look_at_noop(const tgd_evidence *e, int argument, char figure[TGD_FIGURE])
{
    const double t_ns = 1e3 * median_in(&e->beside, 0, "t_median_us", NULL),
                 batch = median_in(&e->beside, 0, "batch", NULL),
                 cost = median_in(&e->beside, 0, "timer_ns", NULL);
    (void)argument;
    if (isnan(t_ns) || isnan(cost)) {
        snprintf(figure, TGD_FIGURE, "no row");
        return TGD_NONE;
    }
    snprintf(figure, TGD_FIGURE, "%s: %.1f ns = %.2f timer overheads (%.0f in a repetition)",
             text_at(&e->beside, 0, "op"), t_ns, t_ns / cost, batch);
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
        if (number_at(t, i, "cell") == cell && is_ok(t, i))
            values[count++] = number_at(t, i, "t_median_us");
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

/* ---- operators beside raw calls ---- */

/* Ratios of neighbours: a row of ours, and the raw row behind it. */
static int ratios_of(const tgd_table *t, int couple, long size, double values[MOST_PAIRS])
{
    int count = 0;
    for (int i = 0; i + 1 < t->rows && count < MOST_PAIRS; i++) {
        const bool fits = strcmp(text_at(t, i, "op"), couples[couple].ours) == 0 &&
                          strcmp(text_at(t, i + 1, "op"), couples[couple].raw) == 0 &&
                          number_at(t, i, "size_bytes") == (double)size && is_ok(t, i) &&
                          is_ok(t, i + 1);
        const double ratio = number_at(t, i, "t_median_us") / number_at(t, i + 1, "t_median_us");
        if (fits && isfinite(ratio))
            values[count++] = ratio;
    }
    return count;
}

static tgd_verdict look_beside(const tgd_evidence *e, int argument, char figure[TGD_FIGURE])
{
    tgd_verdict verdict = TGD_OK;
    size_t length = 0;
    figure[0] = '\0';
    for (int i = 0; i < COUPLE_SIZES; i++) {
        double values[MOST_PAIRS];
        int lo, hi;
        const int count = ratios_of(&e->beside, argument, couple_sizes[i], values);
        if (!tgb_median_ranks(count, &lo, &hi)) {
            snprintf(figure, TGD_FIGURE, "%d pairs are too few for an interval", count);
            return TGD_NONE;
        }
        const double median = median_of(values, count);
        length += (size_t)snprintf(figure + length, TGD_FIGURE - length,
                                   "%s%ld B: %.2f [%.2f, %.2f]", i > 0 ? ", " : "", couple_sizes[i],
                                   median, values[lo - 1], values[hi - 1]);
        if (values[lo - 1] > 1.25)
            verdict = TGD_LOOK;
    }
    return verdict;
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

const tgd_check tgd_checks[] = {
    {"values", "every row ok, every launch good", look_at_values, 0, false},
    {"timer", "overhead <= 100 ns, step <= 1000 ns", look_at_timer, 0, true},
    {"no-op", "<= 2 timer overheads", look_at_noop, 0, true},
    {"skew of starts", "<= 1/5 of the shortest operation", look_at_skew, TGD_FIRST_HALF, true},
    {"8 B broadcast, mean / value", "<= 0.9: the root leaves early", look_at_mean, TGD_FIRST_HALF,
     true},
    {"the same again", ">= 90 % of cells not different", look_at_kind, TGD_SECOND_HALF, true},
    {"shuffled sizes", ">= 90 % of cells not different", look_at_kind, TGD_SHUFFLED, true},
    {"with counters", ">= 90 % of cells not different", look_at_kind, TGD_COUNTED, true},
    {"broadcast / MPI_Bcast", "no interval above 1.25", look_beside, 0, true},
    {"sum_reduce / MPI_Reduce", "no interval above 1.25", look_beside, 1, true},
    {"all_sum_reduce / MPI_Allreduce", "no interval above 1.25", look_beside, 2, true},
    {"seconds per cell", "told, not judged", look_at_spent, 0, false},
    {0},
};
