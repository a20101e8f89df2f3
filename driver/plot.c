/* plot.c: the verb plot: reads the cells of runs and draws their figures. */
#include "driver/plot.h"

#include "driver/paths.h"
#include "driver/plot_draw.h"
#include "driver/plot_runs.h"
#include "driver/plot_training.h"
#include "driver/text.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- words ---- */

enum { FIRST = 256, OUTPUT = FIRST, PAPER, LATEX, SELECT, HELP };

static const struct argp_option rows[] = {
    {"output", OUTPUT, "DIR", 0,
     "write into DIR instead of RUN/figures. Several runs are then drawn into the same figures, "
     "their "
     "curves named by machine or run",
     1},
    {"for", PAPER, "PAPER", 0,
     "acm, ieee, springer, nature, slides or web: width, font, size of text, width of lines "
     "(springer: "
     "84 mm, 8 pt)",
     1},
    {"latex", LATEX, NULL, 0,
     "for each figure also NAME_latex.tex and NAME_latex.pdf, whose text LaTeX sets", 1},
    {"select", SELECT, "WORDS", 0,
     "only rows of cells.csv that agree: a column, one of = != < <= > >=, a value; as in 'op=halo "
     "ranks<=64'",
     1},
    {"help", HELP, NULL, 0, "print this help", 2},
    {0},
};

typedef struct {
    tgd_words runs;
    const char *output;
    const tgd_paper *paper;
    bool latex, help;
    tgd_selection selection;
    tg_status status; /* what was wrong with a word */
} words;

static error_t keep(words *w, tg_status status)
{
    if (w->status.code == TG_OK)
        w->status = status;
    return w->status.code == TG_OK ? 0 : EINVAL;
}

static error_t take_word(int key, char *text, struct argp_state *state)
{
    words *w = state->input;
    switch (key) {
    case OUTPUT:
        if (w->output || !*text)
            return keep(w, tg_fail(TG_BAD_INPUT, "plot: --output needs one folder, once"));
        w->output = text;
        return 0;
    case PAPER:
        return keep(w, tgd_paper_find(text, &w->paper));
    case LATEX:
        w->latex = true;
        return 0;
    case SELECT:
        return keep(w, tgd_selection_add(&w->selection, text));
    case HELP:
        w->help = true;
        return 0;
    case ARGP_KEY_ARG:
        tgd_words_add(&w->runs, text);
        return 0;
    case ARGP_KEY_ERROR:
        return keep(
            w, tg_fail(TG_BAD_INPUT,
                       "plot: option '%.80s' is not known, or has no value or one too many; "
                       "expected RUN... [--output DIR] [--for PAPER] [--latex] [--select WORDS]",
                       state->argv[state->next - 1]));
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp grammar = {.options = rows,
                                    .parser = take_word,
                                    .args_doc = "RUN...",
                                    .doc =
                                        "Draws the figures that the cells of a run can carry, into "
                                        "RUN/figures: for each figure NAME.pdf, "
                                        "NAME.svg, NAME.png, the data NAME.csv, the caption "
                                        "NAME.txt and NAME.gp, which draws it again with "
                                        "gnuplot alone. RUN is a run folder (it holds cells.csv, "
                                        "or training.csv).\vSeveral runs with --output DIR: "
                                        "their curves stand in the same figures. Without it each "
                                        "run gets its own ones. Exit status: 0 good, 2 wrong "
                                        "words or files."};

static tg_status read_words(int argc, char **argv, words *w)
{
    const unsigned flags = ARGP_NO_ERRS | ARGP_NO_EXIT | ARGP_NO_HELP;
    *w = (words){.status = tg_success()};
    if (argp_parse(&grammar, argc, argv, flags, NULL, w) != 0 && w->status.code == TG_OK)
        w->status = tg_fail(TG_BAD_INPUT, "wrong words; expected those of tensorgauge plot --help");
    if (w->status.code == TG_OK && !w->help && w->runs.count == 0)
        w->status = tg_fail(TG_BAD_INPUT, "plot: no run given; expected RUN... [--output DIR]");
    return w->status;
}

/* ---- a training ---- */

static tg_status draw_curve(void *context, const char *name)
{
    return tgd_gnuplot_draw(context, name);
}

static tg_status plot_training(const char *run, const tgd_easel *easel)
{
    char *data = tgd_data_folder(), *scripts = tgd_format("%s/plots", data);
    tg_status status = tgd_make_folders(easel->folder);
    if (status.code == TG_OK)
        status = tgd_training_plot(run, scripts, easel->folder, easel->paper, easel->latex,
                                   draw_curve, (void *)easel);
    free(scripts);
    free(data);
    return status;
}

/* ---- a run ---- */

static bool has_file(const char *folder, const char *name, const char *ending)
{
    struct stat is;
    char *path = tgd_format("%s/%s%s", folder, name, ending);
    const bool has = stat(path, &is) == 0 && S_ISREG(is.st_mode);
    free(path);
    return has;
}

static bool has_all(const tgd_figures *figures, const char *folder)
{
    for (int i = 0; i < figures->count; i++)
        if (!has_file(folder, figures->at[i].name, ".svg") ||
            !has_file(folder, figures->at[i].name, ".txt"))
            return false;
    return true;
}

static tg_status nothing_to_draw(const char *path)
{
    return tg_fail(TG_BAD_INPUT,
                   "'%.130s' holds nothing to draw; expected cells with status ok at two rank "
                   "counts or sizes of a sweep",
                   path);
}

static tg_status plot_cells(const char *run, const tgd_selection *selection, const tgd_easel *easel)
{
    tgd_table table = {0};
    tgd_points points = {0};
    tgd_figures figures = {NULL, 0};
    tgd_easel mine = *easel;
    char *found = NULL;
    tg_status status = tgd_run_points(run, selection, &table, &points);
    if (status.code == TG_OK) {
        figures = tgd_figures_make(&points, tgd_kinds);
        status = figures.count > 0 ? status : nothing_to_draw(table.path);
    }
    if (status.code == TG_OK && !mine.gnuplot && !has_all(&figures, mine.folder)) {
        status = tgd_find_gnuplot("plot", &found);
        mine.gnuplot = found;
    }
    if (status.code == TG_OK && mine.gnuplot)
        status = tgd_figures_draw(&figures, &points, &mine);
    free(found);
    tgd_figures_free(&figures);
    tgd_points_free(&points);
    tgd_table_free(&table);
    return status;
}

tg_status tgd_plot_missing(const char *run)
{
    const tgd_selection all = {NULL, 0};
    char *folder = tgd_format("%s/figures", run);
    const tgd_easel easel = {.folder = folder}; /* gnuplot is looked for when a figure is missing */
    const tg_status status = plot_cells(run, &all, &easel);
    free(folder);
    return status;
}

static tg_status plot_run(const char *run, const words *w, tgd_easel easel)
{
    char *folder = w->output ? tgd_copy(w->output) : tgd_format("%s/figures", run);
    struct stat is;
    tg_status status = tg_success();
    easel.folder = folder;
    if (stat(run, &is) != 0 || !S_ISDIR(is.st_mode))
        status = tg_fail(TG_BAD_INPUT, "'%.150s' is not a folder; expected a run folder", run);
    else if (has_file(run, "cells.csv", ""))
        status = plot_cells(run, &w->selection, &easel);
    else if (has_file(run, "training.csv", ""))
        status = w->selection.count > 0
                     ? tg_fail(TG_BAD_INPUT,
                               "plot: --select chooses rows of cells.csv; '%.120s' holds none", run)
                     : plot_training(run, &easel);
    else
        status = tg_fail(TG_BAD_INPUT, "'%.150s' holds no cells.csv; expected a run folder", run);
    free(folder);
    return status;
}

/* ---- several runs in the same figures ---- */

static tg_status plot_together(const words *w, tgd_easel easel)
{
    tgd_sides sides;
    tgd_points points;
    tgd_figures figures = {NULL, 0};
    tg_status status = tgd_runs_points(&w->runs, &w->selection, &sides, &points);
    easel.folder = w->output;
    if (status.code == TG_OK) {
        figures = tgd_figures_make(&points, tgd_kinds);
        status = figures.count > 0 ? tgd_figures_draw(&figures, &points, &easel)
                                   : nothing_to_draw(w->runs.word[0]);
    }
    tgd_figures_free(&figures);
    tgd_points_free(&points);
    tgd_sides_free(&sides);
    return status;
}

/* ---- the verb ---- */

static tg_status plot(const words *w)
{
    char *gnuplot = NULL;
    tg_status status = tgd_find_gnuplot("plot", &gnuplot);
    const tgd_easel easel = {
        .gnuplot = gnuplot, .paper = w->paper, .latex = w->latex, .told = stdout};
    if (status.code == TG_OK && w->runs.count > 1 && w->output)
        status = plot_together(w, easel);
    else
        for (int i = 0; i < w->runs.count && status.code == TG_OK; i++)
            status = plot_run(w->runs.word[i], w, easel);
    free(gnuplot);
    return status;
}

int tgd_plot(int argc, char **argv)
{
    words w;
    tg_status status = read_words(argc, argv, &w);
    if (status.code == TG_OK && w.help) {
        char name[] = "tensorgauge plot";
        argp_help(&grammar, stdout, ARGP_HELP_STD_HELP, name);
    } else if (status.code == TG_OK) {
        status = plot(&w);
    }
    tgd_words_free(&w.runs);
    tgd_selection_free(&w.selection);
    return status.code == TG_OK ? 0 : tgd_report(status);
}
