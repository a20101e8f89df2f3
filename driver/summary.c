/* summary.c: cells.csv -> summary.csv and a few lines for a person. */
#include "driver/summary.h"

#include "bench/record.h"
#include "bench/stats.h"
#include "driver/text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- cells that are the same ---- */

/* The columns that say which cell a row is, and whether it counts. */
typedef struct {
    const tgd_table *cells;
    int key_case, direction, ranks, status, number;
} view;

static tg_status make_view(const tgd_table *cells, view *v)
{
    v->cells = cells;
    const struct {
        const char *name;
        int *column;
    } needed[] = {{"case", &v->key_case},
                  {"direction", &v->direction},
                  {"ranks", &v->ranks},
                  {"status", &v->status},
                  {"cell", &v->number}};
    for (int i = 0; i < 5; i++) {
        const tg_status status = tgd_table_require(cells, needed[i].name, needed[i].column);
        if (status.code != TG_OK)
            return status;
    }
    return tg_success();
}

/* By what makes two rows the same cell: less than, equal to or greater than 0. */
static int compare_cells(const view *v, int a, int b)
{
    const int columns[] = {v->key_case, v->direction, v->ranks};
    int order = 0;
    for (int i = 0; i < 3 && order == 0; i++)
        order = strcmp(tgd_table_text(v->cells, a, columns[i]),
                       tgd_table_text(v->cells, b, columns[i]));
    return order;
}

static bool is_ok(const view *v, int row)
{
    return strcmp(tgd_table_text(v->cells, row, v->status), "ok") == 0;
}

/* ---- one row of summary.csv ---- */

/* Values over the launches of one cell. */
typedef struct {
    double *value;
    int count;
} series;

/* The numbers of a column in the right rows among the given ones; empty cells are left out. */
static tg_status collect(const view *v, const int *rows, int count, const char *name, series *s)
{
    const int column = tgd_table_column(v->cells, name);
    s->count = 0;
    for (int i = 0; i < count; i++) {
        double value;
        const tg_status status = tgd_table_number(v->cells, rows[i], column, &value);
        if (status.code != TG_OK)
            return status;
        if (is_ok(v, rows[i]) && !isnan(value))
            s->value[s->count++] = value;
    }
    return tg_success();
}

static double median_of(series *s)
{
    tgb_sort(s->value, s->count);
    return s->count > 0 ? tgb_quantile(s->value, s->count, 0.5) : (double)NAN;
}

/* What is written behind the columns that are taken over. */
typedef struct {
    int launches;
    double median, ci_lo, ci_hi, min, max, within_cv, between_cv, bound, bound_fraction;
    const char *ci_kind;
} summary;

/* scratch holds 3 * count doubles. */
static tg_status summarise(const view *v, const int *rows, int count, double *scratch, summary *s)
{
    series a = {scratch, 0}, b = {scratch + count, 0};
    *s = (summary){.ci_kind = ""};
    tg_status status = collect(v, rows, count, "t_sd_us", &a);
    if (status.code == TG_OK)
        status = collect(v, rows, count, "t_mean_us", &b);
    for (int i = 0; i < a.count && a.count == b.count; i++)
        a.value[i] /= b.value[i];
    s->within_cv = a.count == b.count ? median_of(&a) : (double)NAN;
    const struct {
        const char *name;
        double *value;
    } medians[] = {{"bound_us", &s->bound},
                   {"bound_fraction", &s->bound_fraction},
                   {"ci_lo_us", &s->ci_lo},
                   {"ci_hi_us", &s->ci_hi}};
    for (int i = 0; i < 4 && status.code == TG_OK; i++) {
        status = collect(v, rows, count, medians[i].name, &a);
        *medians[i].value = median_of(&a);
    }
    if (status.code == TG_OK)
        status = collect(v, rows, count, "t_median_us", &a);
    s->launches = a.count;
    if (status.code != TG_OK || a.count == 0) {
        s->median = s->min = s->max = s->between_cv = (double)NAN;
        return status;
    }
    const tgb_summary over = tgb_summarise(a.value, a.count, scratch + 2 * count);
    s->median = over.median;
    s->min = over.min;
    s->max = over.max;
    s->between_cv = a.count > 1 ? over.sd / over.mean : (double)NAN;
    if (a.count > 1) {
        const bool exact = !isnan(over.ci_lo);
        s->ci_lo = exact ? over.ci_lo : over.min;
        s->ci_hi = exact ? over.ci_hi : over.max;
        s->ci_kind = exact ? "between" : "minmax";
    } else {
        s->ci_kind = isnan(s->ci_lo) ? "" : "within";
    }
    return status;
}

/* One number as the columns of cells.csv are written: all digits, a dot. */
static void put_number(FILE *out, double value)
{
    tgb_record r = {{NULL}};
    tgb_record_real(&r, TGB_COL_t_median_us, value);
    fprintf(out, ",%s", r.cell[TGB_COL_t_median_us] ? r.cell[TGB_COL_t_median_us] : "");
    tgb_record_clear(&r);
}

/* The columns of a cell are those of its first right row: a row of a cell that was not measured has
 * few of them. */
static void put_identity(const view *v, const int *rows, int count, FILE *out)
{
    int from = rows[0];
    for (int i = count - 1; i >= 0; i--)
        from = is_ok(v, rows[i]) ? rows[i] : from;
    for (int column = TGB_COL_build; column <= TGB_COL_clock; column++) {
        const int there = tgd_table_column(v->cells, tgb_columns[column].name);
        tgb_csv_field(out, tgd_table_text(v->cells, from, there));
        putc(',', out);
    }
}

static tg_status write_row(const view *v, const int *rows, int count, double *scratch, FILE *out)
{
    summary s;
    const tg_status status = summarise(v, rows, count, scratch, &s);
    if (status.code != TG_OK)
        return status;
    put_identity(v, rows, count, out);
    fprintf(out, "%d", s.launches);
    put_number(out, s.median);
    put_number(out, s.ci_lo);
    put_number(out, s.ci_hi);
    fprintf(out, ",%s", s.ci_kind);
    const double numbers[] = {s.min, s.max, s.within_cv, s.between_cv, s.bound, s.bound_fraction};
    for (int i = 0; i < 6; i++)
        put_number(out, numbers[i]);
    const char *verdict = "ok";
    for (int i = 0; i < count && strcmp(verdict, "ok") == 0; i++)
        verdict = tgd_table_text(v->cells, rows[i], v->status);
    putc(',', out);
    tgb_csv_field(out, verdict);
    putc('\n', out);
    return status;
}

/* A row of cells.csv, or the rows of one cell: `count` of them from `first` on in the sorted rows.
 */
typedef struct {
    const view *v;
    int row;
    long number; /* of the cell; of a cell's rows: the smallest */
    int first, count;
} entry;

static int by_cell(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    const int order = compare_cells(a->v, a->row, b->row);
    return order != 0 ? order : (a->number > b->number) - (a->number < b->number);
}

static int by_number(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    return a->number != b->number ? (a->number > b->number) - (a->number < b->number)
                                  : (a->row > b->row) - (a->row < b->row);
}

/* The rows sorted by cell in rows[], and the cells, in the order in which the campaign numbers
 * them, in cells[]. Returns how many cells there are. */
static int group_rows(const view *v, int *rows, entry *cells)
{
    const int n = v->cells->rows;
    entry *sorted = tgd_resize(NULL, n, sizeof *sorted);
    int count = 0;
    for (int i = 0; i < n; i++)
        sorted[i] = (entry){v, i, strtol(tgd_table_text(v->cells, i, v->number), NULL, 10), 0, 0};
    if (n > 0)
        qsort(sorted, (size_t)n, sizeof *sorted, by_cell);
    for (int i = 0; i < n; i++) {
        rows[i] = sorted[i].row;
        if (i == 0 || compare_cells(v, rows[i - 1], rows[i]) != 0) {
            cells[count] = sorted[i];
            cells[count++].first = i;
        }
        cells[count - 1].count++;
    }
    if (count > 0)
        qsort(cells, (size_t)count, sizeof *cells, by_number);
    free(sorted);
    return count;
}

static tg_status write_all(const view *v, FILE *out)
{
    for (int column = TGB_COL_build; column <= TGB_COL_clock; column++)
        fprintf(out, "%s,", tgb_columns[column].name);
    fputs("launches,median_us,ci_lo_us,ci_hi_us,ci_kind,min_us,max_us,within_cv,between_cv,"
          "bound_us,bound_fraction,status\n",
          out);
    const int n = v->cells->rows;
    int *rows = tgd_resize(NULL, n, sizeof *rows);
    entry *cells = tgd_resize(NULL, n, sizeof *cells);
    double *scratch = tgd_resize(NULL, 3 * n, sizeof *scratch);
    const int count = group_rows(v, rows, cells);
    tg_status status = tg_success();
    for (int i = 0; i < count && status.code == TG_OK; i++)
        status = write_row(v, rows + cells[i].first, cells[i].count, scratch, out);
    free(rows);
    free(cells);
    free(scratch);
    return status;
}

/* A new file takes the old one's place, or nothing changes. */
tg_status tgd_summary_write(const tgd_table *cells, const char *path)
{
    view v;
    tg_status status = make_view(cells, &v);
    if (status.code != TG_OK)
        return status;
    char *fresh = tgd_format("%s.new", path);
    FILE *out = fopen(fresh, "w");
    if (out)
        status = write_all(&v, out);
    const bool bad = !out || ferror(out) != 0;
    if ((out && fclose(out) != 0) || bad || (status.code == TG_OK && rename(fresh, path) != 0)) {
        status = tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected a file that can be written", path,
                         strerror(errno));
    }
    if (status.code != TG_OK)
        unlink(fresh);
    free(fresh);
    return status;
}

tg_status tgd_summary_count(const tgd_table *cells, tgd_counts *counts)
{
    view v;
    *counts = (tgd_counts){0, 0, 0, 0};
    const tg_status status = make_view(cells, &v);
    for (int i = 0; status.code == TG_OK && i < cells->rows; i++) {
        const char *status_text = tgd_table_text(cells, i, v.status);
        const bool wrong = strcmp(status_text, "wrong") == 0;
        counts->rows++;
        counts->killed += strcmp(status_text, "killed") == 0;
        counts->wrong += wrong;
        counts->other += !wrong && !is_ok(&v, i);
    }
    return status;
}

/* ---- a few lines for a person ---- */

/* The right forward row of an operation, at so many ranks (0: any that do not share cores), with
 * the smallest (sign -1) or largest (+1) value of a column; -1 when there is none. */
static int best_row(const tgd_table *cells, const char *op, int ranks, const char *name, int sign)
{
    int best = -1;
    for (int i = 0; i < cells->rows; i++) {
        const bool crowded = strcmp(tgd_row_text(cells, i, "oversubscribed"), "1") == 0;
        const bool fits = ranks > 0 ? tgd_row_number(cells, i, "ranks") == ranks : !crowded;
        if (!fits || strcmp(tgd_row_text(cells, i, "op"), op) != 0 ||
            strcmp(tgd_row_text(cells, i, "direction"), "forward") != 0 ||
            strcmp(tgd_row_text(cells, i, "status"), "ok") != 0 ||
            isnan(tgd_row_number(cells, i, name)))
            continue;
        if (best < 0 ||
            sign * tgd_row_number(cells, i, name) > sign * tgd_row_number(cells, best, name))
            best = i;
    }
    return best;
}

static char *bytes_text(double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    int unit = 0;
    while (unit < 3 && bytes >= 1024) {
        bytes /= 1024;
        unit++;
    }
    return tgd_format("%.4g %s", bytes, units[unit]);
}

/* The median of a column over the launches of a row's cell, by its build, and how many have it. */
static double over_launches(const tgd_table *cells, int row, const char *name, int *launches)
{
    view v;
    series s = {tgd_resize(NULL, cells->rows, sizeof *s.value), 0};
    if (make_view(cells, &v).code == TG_OK)
        for (int i = 0; i < cells->rows; i++)
            if (is_ok(&v, i) && compare_cells(&v, i, row) == 0 &&
                strcmp(tgd_row_text(cells, i, "build"), tgd_row_text(cells, row, "build")) == 0 &&
                !isnan(tgd_row_number(cells, i, name)))
                s.value[s.count++] = tgd_row_number(cells, i, name);
    const double median = median_of(&s);
    *launches = s.count;
    free(s.value);
    return median;
}

/* The smallest rank count above 1, at which "latency" and "bandwidth" have their usual meaning. */
static int smallest_group(const tgd_table *cells)
{
    double smallest = (double)INFINITY;
    for (int i = 0; i < cells->rows; i++) {
        const double ranks = tgd_row_number(cells, i, "ranks");
        smallest = ranks > 1 && ranks < smallest ? ranks : smallest;
    }
    return isfinite(smallest) ? (int)smallest : 0;
}

/* Rows: which cell to speak of, and which of its numbers. */
static const struct {
    const char *op, *pick; /* the row with the smallest or largest value of this column */
    int sign;
    const char *value, *unit;
} facts[] = {
    {"broadcast", "size_bytes", -1, "t_median_us", "us"},
    {"all_sum_reduce", "size_bytes", -1, "t_median_us", "us"},
    {"repartition", "size_bytes", 1, "busbw_GBps", "GB/s"},
};

static void print_crowded(const tgd_table *cells, FILE *out)
{
    tgd_words crowded = {NULL, 0};
    for (int i = 0; i < cells->rows; i++) {
        const char *ranks = tgd_row_text(cells, i, "ranks");
        if (strcmp(tgd_row_text(cells, i, "oversubscribed"), "1") == 0 &&
            !tgd_words_have(&crowded, ranks))
            tgd_words_add(&crowded, ranks);
    }
    for (int i = 0; i < crowded.count; i++)
        fprintf(out, "%s%s", i == 0 ? "  oversubscribed: " : ", ", crowded.word[i]);
    if (crowded.count > 0)
        fputs(" ranks share fewer cores; these times are not a scaling result\n", out);
    tgd_words_free(&crowded);
}

/* Of how many launches the number is, and whose it is, where there are several builds. */
static void print_whose(const tgd_table *cells, int row, int launches, FILE *out)
{
    if (launches > 1)
        fprintf(out, ", median of %d launches", launches);
    const char *mine = tgd_row_text(cells, row, "build");
    for (int i = 0; i < cells->rows; i++) {
        if (strcmp(tgd_row_text(cells, i, "build"), mine) != 0) {
            fprintf(out, " (build %s)", mine);
            break;
        }
    }
    fputc('\n', out);
}

void tgd_summary_print(const tgd_table *cells, FILE *out)
{
    const int ranks = smallest_group(cells);
    int launches;
    for (size_t i = 0; ranks > 0 && i < sizeof facts / sizeof *facts; i++) {
        const int row = best_row(cells, facts[i].op, ranks, facts[i].pick, facts[i].sign);
        if (row < 0 || isnan(tgd_row_number(cells, row, facts[i].value)))
            continue;
        char *size = bytes_text(tgd_row_number(cells, row, "size_bytes"));
        fprintf(out, "  %s of %s at %d ranks: %.3g %s", facts[i].op, size, ranks,
                over_launches(cells, row, facts[i].value, &launches), facts[i].unit);
        print_whose(cells, row, launches, out);
        free(size);
    }
    const int row = best_row(cells, "affine", 0, "gflops", 1);
    if (row >= 0) {
        const double count = tgd_row_number(cells, row, "ranks");
        fprintf(out, "  affine forward at %.0f rank%s: %.3g GFLOP/s in all", count,
                count > 1 ? "s" : "", over_launches(cells, row, "gflops", &launches));
        print_whose(cells, row, launches, out);
    }
    print_crowded(cells, out);
}
