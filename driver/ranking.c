/* ranking.c: rows of cells.csv -> the fastest algorithm of each cell's operation. Ratios are taken
 * within a launch, since what disturbs one disturbs both of its sides. */
#include "driver/ranking.h"

#include "bench/stats.h"
#include "driver/plot_points.h"
#include "driver/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CASE, OP, DIRECTION, ALGORITHM, STATUS, BUILD, TEXTS };
enum { LAUNCH, RANKS, SIZE, TIME, FRACTION, NUMBERS };
static const char *const text_name[TEXTS] = {"case",      "op",     "direction",
                                             "algorithm", "status", "build"};
static const char *const number_name[NUMBERS] = {"launch", "ranks", "size_bytes", "t_median_us",
                                                 "bound_fraction"};

/* One right row. */
typedef struct {
    const char *text[TEXTS];
    double number[NUMBERS];
    char *words; /* of its case, without operation and algorithm */
    bool raw;
} entry;

/* ---- rows ---- */

static char *words_of(const char *text)
{
    tgd_words words = {NULL, 0};
    char *kept = tgd_copy("");
    tgd_words_split(&words, text);
    for (int i = 1; i < words.count; i++) {
        if (strncmp(words.word[i], "algorithm=", strlen("algorithm=")) == 0)
            continue;
        char *longer = tgd_format("%s%s%s", kept, *kept ? " " : "", words.word[i]);
        free(kept);
        kept = longer;
    }
    tgd_words_free(&words);
    return kept;
}

/* Entries of the rows that count; the caller frees them by free_entries. */
static tg_status read_entries(const tgd_table *cells, entry *entries, int *count)
{
    int text_at[TEXTS], number_at[NUMBERS];
    tg_status status = tg_success();
    for (int i = 0; i < TEXTS && status.code == TG_OK; i++)
        status = tgd_table_require(cells, text_name[i], &text_at[i]);
    for (int i = 0; i < NUMBERS; i++)
        number_at[i] = tgd_table_column(cells, number_name[i]);
    for (int r = 0; r < cells->rows && status.code == TG_OK; r++) {
        entry *e = &entries[*count];
        *e = (entry){.words = NULL};
        for (int i = 0; i < TEXTS; i++)
            e->text[i] = tgd_table_text(cells, r, text_at[i]);
        for (int i = 0; i < NUMBERS && status.code == TG_OK; i++)
            status = tgd_table_number(cells, r, number_at[i], &e->number[i]);
        if (status.code != TG_OK || strcmp(e->text[STATUS], "ok") != 0 || !(e->number[TIME] > 0))
            continue;
        e->words = words_of(e->text[CASE]);
        e->raw = strncmp(e->text[OP], "raw:", 4) == 0;
        (*count)++;
    }
    return status;
}

static void free_entries(entry *entries, int count)
{
    for (int i = 0; i < count; i++)
        free(entries[i].words);
    free(entries);
}

/* ---- contests: rows that differ in algorithm and launch only ---- */

static int compare_contests(const entry *a, const entry *b)
{
    int order = a->raw - b->raw;
    order = order ? order : strcmp(a->text[OP], b->text[OP]);
    order = order ? order : strcmp(b->text[DIRECTION], a->text[DIRECTION]); /* forward first */
    for (int i = RANKS; i <= SIZE && !order; i++)
        order = (a->number[i] > b->number[i]) - (a->number[i] < b->number[i]);
    order = order ? order : strcmp(a->text[BUILD], b->text[BUILD]);
    return order ? order : strcmp(a->words, b->words);
}

static int by_contest(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    int order = compare_contests(a, b);
    order = order ? order : strcmp(a->text[ALGORITHM], b->text[ALGORITHM]);
    return order
               ? order
               : (a->number[LAUNCH] > b->number[LAUNCH]) - (a->number[LAUNCH] < b->number[LAUNCH]);
}

/* Median of a number over the launches of an algorithm; NAN: it has none. */
static double median_of(const entry *rows, int count, const char *algorithm, int number,
                        double *scratch)
{
    int n = 0;
    for (int i = 0; i < count; i++)
        if (strcmp(rows[i].text[ALGORITHM], algorithm) == 0 && !isnan(rows[i].number[number]))
            scratch[n++] = rows[i].number[number];
    tgb_sort(scratch, n);
    return n > 0 ? tgb_quantile(scratch, n, 0.5) : (double)NAN;
}

/* The fastest algorithm; how many there were. */
static const char *best_of(const entry *rows, int count, int *algorithms, double *scratch)
{
    const char *best = NULL;
    double best_us = INFINITY;
    *algorithms = 0;
    for (int i = 0; i < count; i++) {
        const char *name = rows[i].text[ALGORITHM];
        if ((i > 0 && strcmp(name, rows[i - 1].text[ALGORITHM]) == 0) || strcmp(name, "auto") == 0)
            continue;
        const double us = median_of(rows, count, name, TIME, scratch);
        (*algorithms)++;
        if (us < best_us) {
            best_us = us;
            best = name;
        }
    }
    return best;
}

/* Times of a in the launches over those of b in the same ones; returns how many. */
static int ratios_of(const entry *rows, int count, const char *a, const char *b, double *ratios)
{
    int n = 0;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count && strcmp(rows[i].text[ALGORITHM], a) == 0; j++)
            if (strcmp(rows[j].text[ALGORITHM], b) == 0 &&
                rows[j].number[LAUNCH] == rows[i].number[LAUNCH]) {
                ratios[n++] = rows[i].number[TIME] / rows[j].number[TIME];
                break;
            }
    return n;
}

/* Does the raw call stand beside this contest? It has fewer words; all of them are the contest's. */
static bool stands_beside(const entry *raw, const entry *one)
{
    if (!raw->raw || strcmp(tgd_beside(raw->text[OP]), one->text[OP]) != 0 ||
        strcmp(raw->text[DIRECTION], one->text[DIRECTION]) != 0 ||
        strcmp(raw->text[BUILD], one->text[BUILD]) != 0 ||
        raw->number[RANKS] != one->number[RANKS] || raw->number[SIZE] != one->number[SIZE])
        return false;
    tgd_words some = {NULL, 0}, all = {NULL, 0};
    tgd_words_split(&some, raw->words);
    tgd_words_split(&all, one->words);
    bool beside = true;
    for (int i = 0; i < some.count; i++)
        beside = beside && tgd_words_have(&all, some.word[i]);
    tgd_words_free(&some);
    tgd_words_free(&all);
    return beside;
}

/* Of all launches of the raw call beside a contest; of two calls the better one. */
static double raw_us(const entry *entries, int count, const entry *one, double *scratch)
{
    double best = (double)NAN;
    for (int i = 0; i < count; i++) {
        if (!stands_beside(&entries[i], one))
            continue;
        int n = 0;
        for (int j = 0; j < count; j++)
            if (strcmp(entries[j].text[OP], entries[i].text[OP]) == 0 &&
                stands_beside(&entries[j], one))
                scratch[n++] = entries[j].number[TIME];
        tgb_sort(scratch, n);
        best = fmin(best, tgb_quantile(scratch, n, 0.5)); /* of a number and NAN: the number */
    }
    return best;
}

/* ---- lines ---- */

static void put_number(FILE *out, int width, double value)
{
    if (isnan(value))
        fprintf(out, " %*s", width, "-");
    else
        fprintf(out, " %*.4g", width, value);
}

static void put_ratio(FILE *out, const double *ratios, int n, double *scratch)
{
    char interval[48] = "";
    const tgb_summary s = n > 0 ? tgb_summarise(ratios, n, scratch) : (tgb_summary){.n = 0};
    if (n > 1 && !isnan(s.ci_lo))
        snprintf(interval, sizeof interval, "%.3f-%.3f", s.ci_lo, s.ci_hi);
    else if (n > 1)
        snprintf(interval, sizeof interval, "%.3f-%.3f m", s.min, s.max);
    put_number(out, 8, n > 0 ? s.median : (double)NAN);
    fprintf(out, " %-15s", interval);
}

static void put_head(FILE *out, bool cases)
{
    fputs("Fastest algorithms; us: median over launches; ratios within a launch, m: smallest to "
          "largest (fewer than 6 launches)\n",
          out);
    fprintf(out, "%-16s %-8s %5s %8s  %-17s %9s %9s %8s %-15s %9s %7s%s\n", "operation", "way",
            "ranks", "size", "best", "us", "mpi us", "best/mpi", "interval", "raw us", "bound",
            cases ? "  case" : "");
}

/* scratch holds 3 doubles for each of all entries. */
static bool put_contest(FILE *out, const entry *entries, int all, const entry *rows, int count,
                        bool cases, bool head, double *scratch)
{
    int algorithms;
    const char *best = best_of(rows, count, &algorithms, scratch);
    if (algorithms < 2)
        return false;
    if (head)
        put_head(out, cases);
    char *size = tgd_bytes_text(rows->number[SIZE]);
    fprintf(out, "%-16s %-8s %5.0f %8s  %-17s", rows->text[OP], rows->text[DIRECTION],
            rows->number[RANKS], size, best);
    free(size);
    put_number(out, 9, median_of(rows, count, best, TIME, scratch));
    put_number(out, 9, median_of(rows, count, "mpi", TIME, scratch));
    double *ratios = scratch + all;
    put_ratio(out, ratios, ratios_of(rows, count, best, "mpi", ratios), scratch + 2 * (size_t)all);
    put_number(out, 9, raw_us(entries, all, rows, scratch));
    put_number(out, 7, median_of(rows, count, best, FRACTION, scratch));
    if (cases)
        fprintf(out, "  %s %s", rows->text[OP], rows->words);
    putc('\n', out);
    return true;
}

tg_status tgd_ranking_print(const tgd_table *cells, bool cases, FILE *out, int *lines)
{
    entry *entries = tgd_resize(NULL, cells->rows + 1, sizeof *entries);
    double *scratch = tgd_resize(NULL, 3 * (cells->rows + 1), sizeof *scratch);
    int count = 0;
    *lines = 0;
    const tg_status status = read_entries(cells, entries, &count);
    if (status.code == TG_OK && count > 0)
        qsort(entries, (size_t)count, sizeof *entries, by_contest);
    for (int i = 0, next; status.code == TG_OK && i < count && !entries[i].raw; i = next) {
        for (next = i + 1; next < count && compare_contests(&entries[i], &entries[next]) == 0;)
            next++;
        *lines +=
            put_contest(out, entries, count, entries + i, next - i, cases, *lines == 0, scratch);
    }
    free_entries(entries, count);
    free(scratch);
    return status;
}
