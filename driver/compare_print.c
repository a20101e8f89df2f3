/* compare_print.c: a comparison on the terminal: what differs, the verdicts, what they cost. */
#include "driver/compare_print.h"

#include "driver/plot_points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Texts of a run are data: what could steer a terminal is not printed. */
static void put_text(FILE *out, const char *text, size_t most)
{
    size_t length = 0;
    for (; *text && length < most; text++, length++)
        putc((unsigned char)*text < ' ' || *text == 127 ? '?' : *text, out);
    if (*text)
        fputs("...", out);
}

char tgd_side_letter(int side)
{
    return (char)(side < 26 ? 'A' + side : '?');
}

/* ---- what is compared ---- */

static void put_side(const tgd_side *side, int index, FILE *out)
{
    int least = 0, most = 0;
    for (int i = 0; i < side->count; i++) {
        const int n = side->cell[i].launches;
        least = n > 0 && (least == 0 || n < least) ? n : least;
        most = n > most ? n : most;
    }
    fprintf(out, "%c  ", tgd_side_letter(index));
    put_text(out, side->name, 200);
    fprintf(out, ": %d cells", side->count);
    fprintf(out, least == most ? ", launches: %d" : ", launches: %d to ", least);
    if (least != most)
        fprintf(out, "%d", most);
    if (side->left_out > 0)
        fprintf(out, "; left out: %d rows whose status is not ok", side->left_out);
    fputs(side->record ? "\n" : "; no run.json\n", out);
}

static void put_differences(const json_t *differences, FILE *out)
{
    size_t i, s;
    json_t *one, *value;
    fputs(json_array_size(differences) > 0 ? "\nWhat differs:\n"
                                           : "\nNothing differs that the runs say.\n",
          out);
    json_array_foreach((json_t *)differences, i, one)
    {
        fputs("  ", out);
        put_text(out, json_string_value(json_object_get(one, "what")), 60);
        putc('\n', out);
        json_array_foreach(json_object_get(one, "values"), s, value)
        {
            const char *text = json_string_value(value);
            fprintf(out, "    %c  ", tgd_side_letter((int)s));
            put_text(out, *text ? text : "(not said)", 100);
            putc('\n', out);
        }
    }
}

/* ---- verdicts ---- */

static void put_percent(FILE *out, double share)
{
    fprintf(out, "%.0f %%", 100 * share);
}

static int most_launches(const tgd_comparison *c)
{
    int most = 0;
    for (int i = 0; i < c->count; i++) {
        const tgd_difference *d = &c->difference[i];
        const int both = d->n < d->m ? d->n : d->m;
        most = both > most ? both : most;
    }
    return most;
}

void tgd_comparison_verdicts(const tgd_comparison *c, FILE *out)
{
    fprintf(out, "\n%d cells compared: ", c->family);
    for (int o = 0; o < TGD_UNMATCHED; o++)
        fprintf(out, "%s%d %s", o ? ", " : "", c->outcomes[o], tgd_outcome_name[o]);
    fprintf(out, " (same: within %.3g %%)\n", 100 * c->terms.tolerance);
    fprintf(out,
            "Ratios: Hodges-Lehmann on logarithms of launch medians, %.0f %% rank intervals. p: "
            "Mann-Whitney, adjusted over %d cells by %s.\n",
            100 * (1 - c->terms.level), c->family, c->terms.adjustment->name);
    const int most = most_launches(c), least = tgd_least_launches(c->family, &c->terms);
    if (most < TGD_LEAST_LAUNCHES)
        fprintf(out, "No verdict: below %d launches of a cell in both runs there is no interval.\n",
                TGD_LEAST_LAUNCHES);
    if (most < least)
        fprintf(
            out,
            "With %d launches one of %d cells could be decided: `launches = %d`. The more cells, "
            "the more launches.\n",
            least, c->family, least);
    if (!isnan(c->found[0])) {
        fputs("A slow-down would be found, with these launches and their spread:", out);
        for (int e = 0; e < TGD_EFFECTS; e++) {
            fputs(e ? ", of " : " of ", out);
            put_percent(out, tgd_effects[e] - 1);
            fputs(" in ", out);
            put_percent(out, c->found[e]);
        }
        fputs(" of the cells.\n", out);
    }
}

static void put_totals(const tgd_comparison *c, FILE *out)
{
    int count;
    tgd_total *totals = tgd_totals_make(c, &count);
    if (count > 0)
        fprintf(out, "\nOne call of every cell, summed\n%-24s %3s %6s %11s %11s %11s %11s  %s\n",
                "operation", "run", "cells", "A us", "run us", "lost us", "gained us",
                "slower faster undecided same");
    for (int i = 0; i < count; i++) {
        const tgd_total *t = &totals[i];
        char *op = tgd_format("%.24s", t->op);
        for (char *at = op; *at; at++)
            *at = (char)((unsigned char)*at < ' ' || *at == 127 ? '?' : *at);
        fprintf(out, "%-24s %3c %6d %11.5g %11.5g %11.4g %11.4g  %6d %6d %9d %4d\n", op,
                tgd_side_letter(t->other), t->cells, t->a_us, t->b_us, t->lost_us, t->gained_us,
                t->outcomes[TGD_SLOWER], t->outcomes[TGD_FASTER], t->outcomes[TGD_UNDECIDED],
                t->outcomes[TGD_SAME]);
        free(op);
    }
    tgd_totals_free(totals, count);
}

/* ---- cells ---- */

static void put_number(FILE *out, const char *format, int width, double value)
{
    if (isfinite(value))
        fprintf(out, format, width, value);
    else
        fprintf(out, " %*s", width, "-");
}

/* What tells a cell from others at a glance; the whole case stands in the files. */
static void put_cell_name(const tgd_comparison *c, const tgd_match *match, FILE *out)
{
    static const char *const columns[] = {"op",     "direction", "shape", "grid_x",
                                          "grid_y", "algorithm", "dtype"};
    const tgd_side_cell *cell = tgd_match_cell(match);
    const bool known = *tgd_match_text(c->sides, match, "shape") != '\0';
    for (int i = 0; i < (int)(sizeof columns / sizeof *columns); i++) {
        const char *text = tgd_match_text(c->sides, match, columns[i]);
        if (i < 2 || (known && *text)) {
            fputs(i ? " " : "", out);
            put_text(out, text, 40);
        }
    }
    fprintf(out, " P=%d", cell->ranks);
    if (!known) {
        fputs("  ", out);
        put_text(out, cell->text, 100);
    }
}

static void put_line(const tgd_comparison *c, int index, FILE *out)
{
    const tgd_match *match = &c->match[index];
    const tgd_difference *d = &c->difference[index];
    fprintf(out, "%-9s %c", tgd_outcome_name[d->outcome], tgd_side_letter(match->other));
    put_number(out, " %*.4g", 10, d->a_median_us);
    put_number(out, " %*.4g", 10, d->b_median_us);
    put_number(out, " %+*.3g", 10, tgd_cost_us(d));
    put_number(out, " %*.3f", 7, d->ratio);
    char interval[64] = "-";
    if (!isnan(d->lo))
        snprintf(interval, sizeof interval, "%.3f-%.3f", d->lo, d->hi);
    fprintf(out, " %-15s", interval);
    put_number(out, " %*.2g", 8,
               d->n >= TGD_LEAST_LAUNCHES && d->m >= TGD_LEAST_LAUNCHES ? d->p_adjusted
                                                                        : (double)NAN);
    if (d->launches_needed > 9999)
        fprintf(out, " %5s  ", ">9999");
    else {
        put_number(out, " %*.0f", 5, d->launches_needed);
        fputs("  ", out);
    }
    put_cell_name(c, match, out);
    putc('\n', out);
}

static void put_cells(const tgd_comparison *c, int lines, FILE *out)
{
    const int shown = c->family < lines ? c->family : lines;
    if (shown > 0)
        fprintf(out, "\n%-11s %10s %10s %10s %7s %-15s %8s %5s  %s\n", "verdict", "A us", "run us",
                "cost us", "ratio", "interval", "p", "needs",
                "cell (needs: launches to decide it)");
    for (int i = 0; i < shown; i++)
        put_line(c, c->order[i], out);
    if (shown < c->family)
        fprintf(out, "... and %d more; --output DIR writes all of them\n", c->family - shown);
}

/* Cells that have launches on one side only. */
static void put_unmatched(const tgd_comparison *c, int lines, FILE *out)
{
    const int count = c->outcomes[TGD_UNMATCHED];
    if (count > 0)
        fprintf(out, "\nCells without a partner: %d\n", count);
    for (int i = 0; i < count && i < lines; i++) {
        const int index = c->order[c->family + i];
        const tgd_match *match = &c->match[index];
        const tgd_difference *d = &c->difference[index];
        if (d->n > 0 || d->m > 0)
            fprintf(out, "  only in %c   ", tgd_side_letter(d->n > 0 ? 0 : match->other));
        else
            fputs("  not ok      ", out);
        put_cell_name(c, match, out);
        putc('\n', out);
    }
    if (count > lines)
        fprintf(out, "  ... and %d more; --output DIR writes all of them\n", count - lines);
}

void tgd_comparison_print(const tgd_comparison *c, const json_t *differences, int lines, FILE *out)
{
    for (int s = 0; s < c->sides->count; s++)
        put_side(&c->sides->side[s], s, out);
    put_differences(differences, out);
    tgd_comparison_verdicts(c, out);
    put_totals(c, out);
    put_cells(c, lines, out);
    put_unmatched(c, lines, out);
}
