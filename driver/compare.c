/* compare.c: the verb compare: words, then read, judge, print and write. */
#include "driver/compare.h"

#include "bench/case.h"
#include "driver/compare_print.h"
#include "driver/options.h"
#include "driver/paths.h"
#include "driver/plot_draw.h"

#include <stdlib.h>
#include <string.h>

enum { GOOD = 0, SLOWER = 1, LINES = 40 };

/* ---- words ---- */

enum { TOLERANCE = TGD_FIRST_KEY, HOLM, OUTPUT };

static const struct argp_option rows[] = {
    {"tolerance", TOLERANCE, "PERCENT", 0,
     "cells whose interval lies within this are the same, from 0.01 to 1000 (5)", 1},
    {"holm", HOLM, NULL, 0, "adjust p by Holm instead of Benjamini-Hochberg: fewer false verdicts",
     1},
    {"output", OUTPUT, "DIR", 0, "write compare.csv, compare.json and figures into DIR", 1},
    TGD_HELP_ROW,
    {0},
};

typedef struct {
    tgd_options options;
    tgd_words runs;
    tgd_terms terms;
    const char *output;
} words;

static tg_status read_tolerance(const char *text, double *tolerance)
{
    char *end;
    const double percent = strtod(text, &end);
    end += *end == '%';
    *tolerance = percent / 100;
    return *end == '\0' && end != text && percent >= 0.01 && percent <= 1000
               ? tg_success()
               : tg_fail(TG_BAD_INPUT,
                         "--tolerance '%.60s': expected a percentage from 0.01 to 1000", text);
}

static error_t take_word(int key, char *text, struct argp_state *state)
{
    words *w = state->input;
    switch (key) {
    case TOLERANCE:
        return tgd_options_keep(&w->options, read_tolerance(text, &w->terms.tolerance));
    case HOLM:
        w->terms.adjustment = &tgd_holm;
        return 0;
    case OUTPUT:
        w->output = text;
        return tgd_options_keep(&w->options,
                                *text ? tg_success()
                                      : tg_fail(TG_BAD_INPUT, "--output '': expected a folder"));
    case ARGP_KEY_ARG:
        tgd_words_add(&w->runs, text);
        return 0;
    default:
        return tgd_options_common(key, state);
    }
}

static const struct argp grammar = {
    .options = rows,
    .parser = take_word,
    .args_doc = "A B [C...]\nRUN",
    .doc =
        "Compares run folders with the first one, cell by cell: case, direction and ranks agree. "
        "A run that was made with --builds is compared build by build.\vA launch is the unit: "
        "verdicts need 6 launches of a cell in both runs, and more where there are many cells. "
        "faster and slower: the medians of launches differ (exact Mann-Whitney test, adjusted "
        "over all cells, 5 %). same: the whole 95 % interval of the ratio lies within the "
        "tolerance. undecided: neither. Exit status: 0 nothing is slower, 1 something is "
        "slower, 2 wrong words or files."};

static tg_status read_words(int argc, char **argv, words *w)
{
    *w = (words){.terms = {0.05, 0.05, &tgd_benjamini_hochberg}};
    tg_status status = tgd_options_read(&grammar, argc, argv, &w->options);
    if (status.code == TG_OK && w->runs.count == 0 && !w->options.help)
        status = tg_fail(TG_BAD_INPUT, "compare: no run given; expected A B [C...]");
    return status;
}

/* ---- the verb ---- */

static tg_status write_files(const tgd_comparison *c, const json_t *differences,
                             const char *gnuplot, const char *folder)
{
    char *figures = tgd_format("%s/figures", folder);
    tg_status status = tgd_comparison_write(c, differences, folder);
    if (status.code == TG_OK)
        status = tgd_comparison_draw(c, gnuplot, figures, stdout);
    free(figures);
    return status;
}

static tg_status compare(const words *w, const tgd_sides *sides, int *result)
{
    tgd_comparison c;
    char *gnuplot = NULL;
    if (sides->count < 2) {
        return tg_fail(TG_BAD_INPUT,
                       "compare: '%.150s' is one run of one build; expected a second run",
                       w->runs.word[0]);
    }
    tg_status status = w->output ? tgd_find_gnuplot("compare", &gnuplot) : tg_success();
    if (status.code != TG_OK)
        return status;
    tgd_compare_cells(sides, &w->terms, &c);
    if (c.family == 0) {
        status = tg_fail(TG_BAD_INPUT,
                         "compare: '%.80s' and '%.80s' have no cell in common with status ok; "
                         "expected cells with the same case, direction and ranks",
                         sides->side[0].name, sides->side[1].name);
    } else if (w->output) {
        status = tgd_make_folders(w->output);
    }
    if (status.code == TG_OK) {
        json_t *differences = tgd_sides_differences(sides);
        tgd_comparison_print(&c, differences, LINES, stdout);
        if (w->output)
            status = write_files(&c, differences, gnuplot, w->output);
        json_decref(differences);
        *result = c.outcomes[TGD_SLOWER] > 0 ? SLOWER : GOOD;
    }
    tgd_comparison_free(&c);
    free(gnuplot);
    return status;
}

int tgd_compare(int argc, char **argv)
{
    words w;
    tgd_sides sides = {.runs = 0};
    int result = GOOD;
    tg_status status = read_words(argc, argv, &w);
    if (status.code == TG_OK && w.options.help) {
        tgd_options_help(&grammar, "compare");
    } else if (status.code == TG_OK) {
        status = tgd_sides_read(&w.runs, &sides);
        if (status.code == TG_OK)
            status = compare(&w, &sides, &result);
    }
    tgd_sides_free(&sides);
    tgd_words_free(&w.runs);
    return status.code == TG_OK ? result : tgd_report(status);
}
