/* report_cells.c: the cells of a report, launches put together, and their tables: one for each operation
 * of each side. */
#include "driver/report_write.h"

#include "bench/stats.h"
#include "driver/plot_points.h"
#include "driver/text.h"
#include "driver/twosample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 200 };

/* ---- launches put together ---- */

static double first_known(double a, double b)
{
    return isnan(a) ? b : a;
}

static tg_status fill(const tgd_side *side, const tgd_side_cell *cell, tgd_report_cell *r)
{
    double scratch[TGD_MOST_VALUES], bus = (double)NAN, whole = (double)NAN, shared = (double)NAN;
    const double none = (double)NAN;
    const tgd_table *t = side->table;
    *r = (tgd_report_cell){.side = side,
                           .cell = cell,
                           .op = tgd_table_text(t, cell->row, tgd_table_column(t, "op")),
                           .median_us = none,
                           .lo_us = none,
                           .hi_us = none};
    const struct {
        const char *column;
        double *value;
    } numbers[] = {{"size_bytes", &r->size_bytes},
                   {"bound_fraction", &r->bound_fraction},
                   {"busbw_GBps", &bus},
                   {"algbw_GBps", &whole},
                   {"oversubscribed", &shared}};
    tg_status status = tg_success();
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && status.code == TG_OK; i++)
        status = tgd_side_median(side, cell, numbers[i].column, numbers[i].value);
    r->rate_GBps = first_known(bus, whole);
    r->oversubscribed = shared > 0;
    if (cell->launches == 0)
        return status;
    const tgb_summary over = tgb_summarise(cell->us, cell->launches, scratch);
    r->exact = !isnan(over.ci_lo);
    r->median_us = over.median;
    r->lo_us = r->exact ? over.ci_lo : over.min;
    r->hi_us = r->exact ? over.ci_hi : over.max;
    return status;
}

static const char *text_of(const tgd_report_cell *r, const char *column)
{
    const tgd_table *t = r->side->table;
    return tgd_table_text(t, r->cell->row, tgd_table_column(t, column));
}

static int by_number(double a, double b)
{
    return (a > b) - (a < b);
}

static int by_place(const void *left, const void *right)
{
    const tgd_report_cell *a = left, *b = right;
    int order = (a->side > b->side) - (a->side < b->side);
    order = order ? order : strcmp(a->op, b->op);
    order = order ? order : strcmp(a->cell->direction, b->cell->direction);
    order = order ? order : by_number(a->cell->ranks, b->cell->ranks);
    order = order ? order : by_number(a->size_bytes, b->size_bytes);
    return order ? order : strcmp(a->cell->text, b->cell->text);
}

tg_status tgd_report_collect(tgd_report_data *data)
{
    const tgd_sides *sides = data->sides;
    tg_status status = tg_success();
    for (int s = 0; s < sides->count; s++) {
        const tgd_side *side = &sides->side[s];
        data->cell = tgd_resize(data->cell, data->cells + side->count, sizeof *data->cell);
        for (int i = 0; i < side->count && status.code == TG_OK; i++)
            status = fill(side, &side->cell[i], &data->cell[data->cells++]);
    }
    if (data->cells > 0)
        qsort(data->cell, (size_t)data->cells, sizeof *data->cell, by_place);
    return status;
}

/* ---- tables ---- */

static void put_row(const tgd_report_cell *r, FILE *out)
{
    char *size = isnan(r->size_bytes) ? tgd_copy("") : tgd_bytes_text(r->size_bytes);
    fputs("<tr>", out);
    tgd_html_element(out, "th scope=\"row\" class=\"long\"", r->cell->text);
    tgd_html_element(out, "td", r->cell->direction);
    fprintf(out, "<td class=\"n\">%d%s</td>", r->cell->ranks, r->oversubscribed ? " *" : "");
    tgd_html_element(out, "td class=\"n\"", size);
    fprintf(out, "<td class=\"n\">%d</td>", r->cell->launches);
    tgd_html_number(out, "%.4g", r->median_us);
    tgd_html_number(out, "%.4g", r->lo_us);
    tgd_html_number(out, r->exact || isnan(r->hi_us) ? "%.4g" : "%.4g &dagger;", r->hi_us);
    tgd_html_number(out, "%.3g", r->rate_GBps);
    tgd_html_number(out, "%.2f", r->bound_fraction);
    tgd_html_element(out, "td", r->cell->launches > 0 ? text_of(r, "flags") : text_of(r, "status"));
    fputs("</tr>\n", out);
    free(size);
}

/* The cells first .. next - 1, of one operation of one side. */
static void put_table(const tgd_report_data *data, int first, int next, FILE *out)
{
    static const char *const heads[] = {
        "case", "direction", "ranks", "size",         "launches",        "median, us",
        "from", "to",        "GB/s",  "bound / time", "flags or status", NULL};
    const tgd_report_cell *r = &data->cell[first];
    char *title =
        data->sides->count > 1 ? tgd_format("%s, %s", r->op, r->side->name) : tgd_copy(r->op);
    tgd_html_element(out, "h3", title);
    tgd_html_table(out, title, heads);
    for (int i = first; i < next && i < first + MOST_ROWS; i++)
        put_row(&data->cell[i], out);
    tgd_html_table_end(out);
    tgd_html_more(out, MOST_ROWS, next - first, "cells.csv of the run folder");
    free(title);
}

void tgd_report_tables(const tgd_report_data *data, FILE *out)
{
    fputs("<p>The time of a cell is the median over launches of t_median_us: of each launch the "
          "median "
          "over repetitions of the slowest rank's time. From and to are the exact 95 % interval of "
          "that "
          "median from 6 launches on; with &dagger; they are the least and the largest launch. "
          "GB/s is "
          "busbw_GBps: the bytes that one rank cannot avoid to send or receive, over the time; "
          "where nothing "
          "crosses, algbw_GBps: size over time. Bound / time: the share of the time that this "
          "machine could not "
          "do without. * ranks share cores.</p>\n",
          out);
    if (data->cells == 0)
        fputs("<p>There are none.</p>\n", out);
    for (int first = 0, next; first < data->cells; first = next) {
        for (next = first + 1; next < data->cells &&
                               data->cell[next].side == data->cell[first].side &&
                               strcmp(data->cell[next].op, data->cell[first].op) == 0;)
            next++;
        put_table(data, first, next, out);
    }
}
