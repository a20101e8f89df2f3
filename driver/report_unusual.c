/* report_unusual.c: what a reader must know before believing a time: rows that say so themselves, a slow BLAS
 * kernel, cells far from their bound. */
#include "driver/report_write.h"

#include "driver/rules.h"
#include "driver/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CELLS = 10 };
static const double far = 0.5; /* bound / time */

/* ---- rows that say so themselves ---- */

typedef struct {
    const char *title, *says;
    const char *column, *word; /* the word stands in the column; NULL: neither ok nor wrong does */
} sign;

static const sign signs[] = {
    {"Wrong values",
     "Elements of the result differ from what they must be. Such a time is no result.", "status",
     "wrong"},
    {"No time", "The cell was not measured to its end; its status says why.", "status", NULL},
    {"Ranks share cores", "A machine had more ranks than cores: such a time is no scaling result.",
     "oversubscribed", "1"},
    {"Noisy", "The ranks were disturbed: other programs or a hypervisor took their cores.", "flags",
     "noisy"},
    {"Skewed", "The ranks started so far apart that it counts in the time.", "flags", "skewed"},
    {"Below the bound",
     "The time is smaller than this machine's own bound allows: the bound or the time has to be "
     "looked into.",
     "flags", "above_bound"},
};
enum { SIGNS = sizeof signs / sizeof *signs };

/* A row, with what makes it a cell. */
typedef struct {
    const char *text, *direction, *ranks, *status;
} entry;

static bool shows(const sign *s, const char *text)
{
    if (!s->word)
        return strcmp(text, "ok") != 0 && strcmp(text, "wrong") != 0;
    const size_t length = strlen(s->word);
    for (const char *at = strstr(text, s->word); at; at = strstr(at + 1, s->word))
        if ((at == text || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

static int by_cell(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    int order = strcmp(a->text, b->text);
    order = order ? order : strcmp(a->direction, b->direction);
    return order ? order : strcmp(a->ranks, b->ranks);
}

static void put_entries(const sign *s, const entry *entries, int count, FILE *out)
{
    static const char *const heads[] = {"case", "direction", "ranks", "status", "rows", NULL};
    int cells = 0;
    tgd_html_table(out, s->title, heads);
    for (int i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && by_cell(&entries[i], &entries[next]) == 0;)
            next++;
        if (cells++ >= MOST_CELLS)
            continue;
        fputs("<tr>", out);
        tgd_html_element(out, "th scope=\"row\" class=\"long\"", entries[i].text);
        tgd_html_element(out, "td", entries[i].direction);
        tgd_html_element(out, "td class=\"n\"", entries[i].ranks);
        tgd_html_element(out, "td", entries[i].status);
        fprintf(out, "<td class=\"n\">%d</td></tr>\n", next - i);
    }
    tgd_html_table_end(out);
    tgd_html_more(out, MOST_CELLS, cells, "cells.csv");
}

/* Is there one? */
static bool put_sign(const sign *s, const tgd_table *t, const char *heading, FILE *out)
{
    const int column = tgd_table_column(t, s->column), text = tgd_table_column(t, "case"),
              direction = tgd_table_column(t, "direction"), ranks = tgd_table_column(t, "ranks"),
              status = tgd_table_column(t, "status");
    entry *entries = tgd_resize(NULL, t->rows, sizeof *entries);
    int count = 0;
    for (int row = 0; row < t->rows && column >= 0; row++)
        if (shows(s, tgd_table_text(t, row, column)))
            entries[count++] =
                (entry){tgd_table_text(t, row, text), tgd_table_text(t, row, direction),
                        tgd_table_text(t, row, ranks), tgd_table_text(t, row, status)};
    if (count > 0) {
        qsort(entries, (size_t)count, sizeof *entries, by_cell);
        fprintf(out, "<%s>%s: %d of %d rows</%s>\n<p>%s</p>\n", heading, s->title, count, t->rows,
                heading, s->says);
        put_entries(s, entries, count, out);
    }
    free(entries);
    return count > 0;
}

/* ---- the BLAS kernel ---- */

static bool put_kernel(json_t *record, const char *heading, FILE *out)
{
    const tgd_measured measured = {.record = record};
    tgd_ruling ruling = {.rule = NULL};
    const bool judged = tgd_rule_blas(&measured, NULL, &ruling).code == TG_OK;
    const bool found = judged && ruling.count > 0;
    if (found) {
        tgd_html_element(out, heading, "A slow BLAS kernel");
        tgd_html_element(out, "p", ruling.text);
        fputs("<ul>\n", out);
        for (int i = 0; i < ruling.count; i++) {
            fputs("<li>", out);
            tgd_html_text(out, ruling.finding[i].culprit);
            fputs(": ", out);
            tgd_html_text(out, ruling.finding[i].text);
            fputs("</li>\n", out);
        }
        fputs("</ul>\n", out);
    }
    tgd_ruling_free(&ruling);
    return found;
}

/* ---- far from the bound ---- */

static bool is_far(const tgd_report_cell *r)
{
    return r->bound_fraction < far && !r->oversubscribed;
}

static int by_fraction(const void *left, const void *right)
{
    const tgd_report_cell *const *a = left, *const *b = right;
    const double x = (*a)->bound_fraction, y = (*b)->bound_fraction;
    return x != y ? (x > y) - (x < y) : (*a > *b) - (*a < *b);
}

static bool put_far(const tgd_report_data *data, const tgd_table *table, FILE *out)
{
    static const char *const heads[] = {"case",       "direction",    "ranks",
                                        "median, us", "bound / time", NULL};
    const char *heading = tgd_report_heading(data);
    const tgd_report_cell **cells = tgd_resize(NULL, data->cells, sizeof *cells);
    int count = 0, known = 0;
    for (int i = 0; i < data->cells; i++) {
        const tgd_report_cell *r = &data->cell[i];
        known += r->side->table == table && !isnan(r->bound_fraction);
        if (r->side->table == table && is_far(r))
            cells[count++] = r;
    }
    if (count > 0) {
        qsort(cells, (size_t)count, sizeof *cells, by_fraction);
        fprintf(out,
                "<%s>Far from the bound: %d of %d cells</%s>\n<p>Their bound is below %.0f %% of "
                "the time, on "
                "ranks with a core each. The farthest first.</p>\n",
                heading, count, known, heading, 100 * far);
        tgd_html_table(out, "Cells far from their bound", heads);
    }
    for (int i = 0; i < count && i < MOST_CELLS; i++) {
        fputs("<tr>", out);
        tgd_html_element(out, "th scope=\"row\" class=\"long\"", cells[i]->cell->text);
        tgd_html_element(out, "td", cells[i]->cell->direction);
        tgd_html_number(out, "%.0f", cells[i]->cell->ranks);
        tgd_html_number(out, "%.4g", cells[i]->median_us);
        tgd_html_number(out, "%.3f", cells[i]->bound_fraction);
        fputs("</tr>\n", out);
    }
    if (count > 0)
        tgd_html_table_end(out);
    tgd_html_more(out, MOST_CELLS, count, "the tables below");
    free(cells);
    return count > 0;
}

/* ---- the section ---- */

void tgd_report_unusual(const tgd_report_data *data, FILE *out)
{
    const char *heading = tgd_report_heading(data);
    for (int i = 0; i < data->sides->runs; i++) {
        bool found = false;
        if (data->sides->runs > 1)
            tgd_html_element(out, "h3", data->runs->word[i]);
        for (int s = 0; s < SIGNS; s++)
            found = put_sign(&signs[s], &data->sides->table[i], heading, out) || found;
        found = put_kernel(data->sides->record[i], heading, out) || found;
        found = put_far(data, &data->sides->table[i], out) || found;
        if (!found)
            fputs("<p>Nothing: no wrong values, no cell without a time, no ranks that share cores, "
                  "no "
                  "noisy or skewed row, no time below its bound or far above it, no slow BLAS "
                  "kernel, as far as "
                  "the run says.</p>\n",
                  out);
    }
}
