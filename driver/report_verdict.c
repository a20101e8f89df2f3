/* report_verdict.c: the first section of a report: what came of the runs. The judgement of accept and the
 * comparison speak first; how many cells are right is always said. */
#include "driver/report_write.h"

#include "driver/summary.h"
#include "driver/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_FINDINGS = 20, MOST_CELLS = 40 };

static void put_banner(FILE *out, const char *look, const char *text)
{
    fprintf(out, "<p class=\"verdict %s\">", look);
    tgd_html_text(out, text);
    fputs("</p>\n", out);
}

/* The text of a member, "" when it is none. */
static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* ---- the judgement of accept ---- */

static void put_rules(const json_t *rules, FILE *out)
{
    static const char *const heads[] = {"rule", "verdict", "what came of it", NULL};
    size_t i;
    json_t *rule;
    tgd_html_table(out, "Rules of the judgement", heads);
    json_array_foreach((json_t *)rules, i, rule)
    {
        fputs("<tr>", out);
        tgd_html_element(out, "th scope=\"row\"", text_of(rule, "rule"));
        tgd_html_element(out, "td", text_of(rule, "verdict"));
        tgd_html_element(out, "td class=\"long\"", text_of(rule, "text"));
        fputs("</tr>\n", out);
    }
    tgd_html_table_end(out);
}

static void put_findings(const json_t *rules, FILE *out)
{
    size_t i, k;
    json_t *rule, *finding;
    int count = 0;
    json_array_foreach((json_t *)rules, i, rule)
    {
        json_array_foreach(json_object_get(rule, "findings"), k, finding)
        {
            if (count++ >= MOST_FINDINGS)
                continue;
            fputs(count == 1 ? "<p>What is to blame:</p>\n<ul>\n<li>" : "<li>", out);
            tgd_html_text(out, text_of(rule, "rule"));
            fputs(": <strong>", out);
            tgd_html_text(out, text_of(finding, "culprit"));
            fputs("</strong>: ", out);
            tgd_html_text(out, text_of(finding, "text"));
            fputs("</li>\n", out);
        }
    }
    fputs(count > 0 ? "</ul>\n" : "", out);
    tgd_html_more(out, MOST_FINDINGS, count, "judgement.csv");
}

/* Was a run measured on after it was judged? Whole seconds, for a copy of a folder is made in any order. */
static bool is_stale(const char *cells, const char *judgement)
{
    struct stat a, b;
    return stat(cells, &a) == 0 && stat(judgement, &b) == 0 && a.st_mtime > b.st_mtime + 1;
}

static const struct {
    const char *verdict, *look, *says;
} answers[] = {
    {"pass", "good", "PASS: no rule failed"},
    {"fail", "bad", "FAIL: a rule failed"},
    {"undecided", "open", "UNDECIDED: nothing was wrong, but no times could be compared"},
    {NULL, "open", "judgement.json holds no verdict"}};

/* Was there one? */
static bool put_judgement(const char *run, FILE *out)
{
    char *path = tgd_format("%s/judgement.json", run), *cells = tgd_format("%s/cells.csv", run);
    json_t *judgement = json_load_file(path, 0, NULL);
    struct stat is;
    const bool there = stat(path, &is) == 0;
    int a = 0;
    while (answers[a].verdict && strcmp(answers[a].verdict, text_of(judgement, "verdict")) != 0)
        a++;
    if (there) {
        put_banner(out, answers[a].look, answers[a].says);
        if (is_stale(cells, path))
            fputs("<p>The run was measured further after this judgement; <code>tensorgauge "
                  "accept</code> judges it again.</p>\n",
                  out);
        const json_t *rules = json_object_get(judgement, "rules");
        put_findings(rules, out);
        put_rules(rules, out);
    }
    json_decref(judgement);
    free(path);
    free(cells);
    return there;
}

/* ---- what the run itself says ---- */

static void put_counts(const tgd_table *table, const json_t *record, bool banner, FILE *out)
{
    tgd_counts counts;
    const json_int_t planned = json_integer_value(json_object_get(record, "cells_planned"));
    if (tgd_summary_count(table, &counts).code != TG_OK)
        return;
    const long long missing = planned > counts.rows ? planned - counts.rows : 0;
    char *text =
        tgd_format("%d of %d rows are ok, %d wrong, %d without a time (%d of them killed), "
                   "%lld planned ones missing",
                   counts.rows - counts.wrong - counts.other, counts.rows, counts.wrong,
                   counts.other, counts.killed, missing);
    if (banner && counts.wrong > 0)
        put_banner(out, "bad", "WRONG: there are results with wrong values");
    else if (banner && counts.other + missing > 0)
        put_banner(out, "open", "INCOMPLETE: nothing is wrong, but cells have no time");
    else if (banner)
        put_banner(out, counts.rows > 0 ? "good" : "open",
                   counts.rows > 0 ? "OK: every cell has a time, and its values are right"
                                   : "EMPTY: nothing was measured");
    fprintf(out, "<p>Each row is a cell in a launch: %s.</p>\n", text);
    if (banner)
        fputs("<p>Whether the times are good was not judged: <code>tensorgauge accept</code> and "
              "<code>tensorgauge compare</code> do that.</p>\n",
              out);
    free(text);
}

/* ---- the comparison ---- */

static void put_sides(const tgd_report_data *data, FILE *out)
{
    static const char *const heads[] = {"side", "run", "cells", "rows left out", NULL};
    size_t i, s;
    json_t *one, *value;
    fputs("<h3>What is compared</h3>\n", out);
    tgd_html_table(out, "What is compared", heads);
    for (int k = 0; k < data->sides->count; k++) {
        fprintf(out, "<tr><th scope=\"row\">%c</th>", tgd_side_letter(k));
        tgd_html_element(out, "td class=\"long\"", data->sides->side[k].name);
        fprintf(out, "<td class=\"n\">%d</td><td class=\"n\">%d</td></tr>\n",
                data->sides->side[k].count, data->sides->side[k].left_out);
    }
    tgd_html_table_end(out);
    if (json_array_size(data->differences) == 0)
        fputs("<p>The runs name no other difference.</p>\n", out);
    static const char *const differs[] = {"what differs", "side", "value", NULL};
    if (json_array_size(data->differences) > 0)
        tgd_html_table(out, "What differs", differs);
    json_array_foreach((json_t *)data->differences, i, one)
    {
        json_array_foreach(json_object_get(one, "values"), s, value)
        {
            fputs("<tr><th scope=\"row\">", out);
            tgd_html_text(out, text_of(one, "what"));
            fprintf(out, "</th><td>%c</td>", tgd_side_letter((int)s));
            tgd_html_element(out, "td class=\"long\"",
                             *json_string_value(value) ? json_string_value(value) : "(not said)");
            fputs("</tr>\n", out);
        }
    }
    if (json_array_size(data->differences) > 0)
        tgd_html_table_end(out);
}

static void put_totals(const tgd_comparison *c, FILE *out)
{
    static const char *const heads[] = {"operation", "run",       "cells",      "A, us",
                                        "run, us",   "lost, us",  "gained, us", "slower",
                                        "faster",    "undecided", "same",       NULL};
    int count;
    tgd_total *totals = tgd_totals_make(c, &count);
    fputs("<h3>One call of every cell, summed</h3>\n", out);
    tgd_html_table(out, "One call of every cell, summed", heads);
    for (int i = 0; i < count; i++) {
        const tgd_total *t = &totals[i];
        const double times[] = {t->a_us, t->b_us, t->lost_us, t->gained_us};
        const int outcomes[] = {TGD_SLOWER, TGD_FASTER, TGD_UNDECIDED, TGD_SAME};
        fputs("<tr><th scope=\"row\">", out);
        tgd_html_text(out, t->op);
        fprintf(out, "</th><td>%c</td><td class=\"n\">%d</td>", tgd_side_letter(t->other),
                t->cells);
        for (int k = 0; k < 4; k++)
            tgd_html_number(out, "%.4g", times[k]);
        for (int k = 0; k < 4; k++)
            tgd_html_number(out, "%.0f", t->outcomes[outcomes[k]]);
        fputs("</tr>\n", out);
    }
    tgd_html_table_end(out);
    tgd_totals_free(totals, count);
}

static void put_compared_cell(const tgd_comparison *c, int index, FILE *out)
{
    const tgd_match *match = &c->match[index];
    const tgd_difference *d = &c->difference[index];
    const tgd_side_cell *cell = tgd_match_cell(match);
    fprintf(out, "<tr><td>%s</td><td>%c</td>", tgd_outcome_name[d->outcome],
            tgd_side_letter(match->other));
    tgd_html_element(out, "th scope=\"row\" class=\"long\"", cell->text);
    tgd_html_element(out, "td", cell->direction);
    tgd_html_number(out, "%.0f", cell->ranks);
    tgd_html_number(out, "%.4g", d->a_median_us);
    tgd_html_number(out, "%.4g", d->b_median_us);
    tgd_html_number(out, "%+.3g", tgd_cost_us(d));
    tgd_html_number(out, "%.3f", d->ratio);
    tgd_html_number(out, "%.3f", d->lo);
    tgd_html_number(out, "%.3f", d->hi);
    tgd_html_number(out, "%.2g", isnan(d->lo) ? (double)NAN : d->p_adjusted);
    fputs("</tr>\n", out);
}

static void put_compared_cells(const tgd_comparison *c, FILE *out)
{
    static const char *const heads[] = {"verdict", "run",     "case",     "direction", "ranks",
                                        "A, us",   "run, us", "cost, us", "ratio",     "from",
                                        "to",      "p",       NULL};
    fputs("<h3>Cells, the largest loss or gain first</h3>\n", out);
    tgd_html_table(out, "Compared cells", heads);
    for (int i = 0; i < c->family && i < MOST_CELLS; i++)
        put_compared_cell(c, c->order[i], out);
    tgd_html_table_end(out);
    tgd_html_more(out, MOST_CELLS, c->family,
                  "what <code>tensorgauge compare --output</code> writes");
    if (c->outcomes[TGD_UNMATCHED] > 0)
        fprintf(out, "<p>%d cells have times on one side only, or on none.</p>\n",
                c->outcomes[TGD_UNMATCHED]);
}

static void put_comparison(const tgd_report_data *data, FILE *out)
{
    const tgd_comparison *c = data->comparison;
    const int slower = c->outcomes[TGD_SLOWER], faster = c->outcomes[TGD_FASTER];
    char *text =
        tgd_format("Against A: %d of %d cells slower, %d faster, %d the same, %d undecided", slower,
                   c->family, faster, c->outcomes[TGD_SAME], c->outcomes[TGD_UNDECIDED]);
    put_banner(out,
               slower > 0                               ? "bad"
               : c->outcomes[TGD_UNDECIDED] < c->family ? "good"
                                                        : "open",
               c->family > 0 ? text : "The runs have no cell in common: nothing was compared");
    free(text);
    put_sides(data, out);
    if (c->family == 0)
        return;
    size_t size = 0;
    FILE *lines = open_memstream(&text, &size);
    if (lines) {
        char *rest;
        tgd_comparison_verdicts(c, lines);
        fclose(lines);
        rest = text;
        for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
            if (*line)
                tgd_html_element(out, "p", line);
        free(text);
    }
    put_totals(c, out);
    put_compared_cells(c, out);
}

void tgd_report_verdict(const tgd_report_data *data, FILE *out)
{
    if (data->comparison)
        put_comparison(data, out);
    for (int i = 0; i < data->runs->count; i++) {
        if (data->comparison)
            tgd_html_element(out, "h3", data->runs->word[i]);
        const bool judged = put_judgement(data->runs->word[i], out);
        put_counts(&data->sides->table[i], data->sides->record[i], !judged, out);
    }
}
