/* plot.c: the verb plot: reads the cells of runs and draws their figures. */
#include "driver/plot.h"

#include "driver/cells.h"
#include "driver/paths.h"
#include "driver/plot_draw.h"
#include "driver/plot_phases.h"
#include "driver/plot_training.h"
#include "driver/text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char help[] = "usage: tensorgauge plot RUN... [--output DIR]\n"
                           "\n"
                           "Draws the figures that the cells of a run can carry, into RUN/figures: "
                           "for each figure NAME.pdf, NAME.svg,\n"
                           "NAME.png, the data NAME.csv, the caption NAME.txt and NAME.gp, which "
                           "draws it again with gnuplot alone.\n"
                           "\n"
                           "  RUN           a run folder (it holds cells.csv, or training.csv)\n"
                           "  --output DIR  write into DIR instead; for one RUN only\n";

/* The machine as run.json describes it, or NULL: a run may come without. */
static char *machine_of(const char *run)
{
    char *path = tgd_format("%s/run.json", run);
    json_t *file = json_load_file(path, 0, NULL);
    const json_t *machine = json_object_get(file, "machine");
    const char *host = json_string_value(json_object_get(machine, "host"));
    const char *cpu = json_string_value(json_object_get(machine, "cpu_model"));
    const json_int_t cores = json_integer_value(json_object_get(machine, "cores"));
    char *text = host && cpu && cores > 0
                     ? tgd_format("%s (%s, %lld cores)", host, cpu, (long long)cores)
                     : NULL;
    json_decref(file);
    free(path);
    return text;
}

/* ---- a training ---- */

typedef struct {
    const char *gnuplot, *folder;
} easel;

static tg_status draw_curve(void *context, const char *name)
{
    const easel *e = context;
    const tg_status status = tgd_gnuplot_draw(e->gnuplot, e->folder, name);
    if (status.code == TG_OK)
        printf("%s/%s.pdf\n", e->folder, name);
    return status;
}

static tg_status plot_training(const char *run, const char *folder, const char *gnuplot)
{
    const easel e = {gnuplot, folder};
    char *data = tgd_data_folder(), *scripts = tgd_format("%s/plots", data);
    tg_status status = tgd_make_folders(folder);
    if (status.code == TG_OK)
        status = tgd_training_plot(run, scripts, folder, draw_curve, (void *)&e);
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

/* gnuplot NULL: it is looked for, and all are drawn, when a figure is missing. */
static tg_status plot_cells(const char *run, const char *folder, const char *gnuplot, FILE *told)
{
    char *found = NULL;
    tgd_table table = {0};
    tgd_points points = {0};
    tgd_figures figures = {NULL, 0};
    tg_status status = tgd_cells_read(run, &table);
    status = status.code == TG_OK ? tgd_points_make(&table, &points) : status;
    status = status.code == TG_OK ? tgd_phases_read(run, &table, &points) : status;
    if (status.code == TG_OK) {
        points.machine = machine_of(run);
        figures = tgd_figures_make(&points, tgd_kinds);
        if (figures.count == 0) {
            status = tg_fail(TG_BAD_INPUT,
                             "'%.130s' holds nothing to draw; expected cells with status ok at two "
                             "rank counts or sizes of a sweep",
                             table.path);
        }
    }
    if (status.code == TG_OK && !gnuplot && !has_all(&figures, folder)) {
        status = tgd_find_gnuplot("plot", &found);
        gnuplot = found;
    }
    if (status.code == TG_OK && gnuplot)
        status = tgd_figures_draw(&figures, &points, gnuplot, folder, told);
    free(found);
    tgd_figures_free(&figures);
    tgd_points_free(&points);
    tgd_table_free(&table);
    return status;
}

tg_status tgd_plot_missing(const char *run)
{
    char *folder = tgd_format("%s/figures", run);
    const tg_status status = plot_cells(run, folder, NULL, NULL);
    free(folder);
    return status;
}

static tg_status plot_run(const char *run, const char *output, const char *gnuplot)
{
    char *folder = output ? tgd_copy(output) : tgd_format("%s/figures", run);
    struct stat is;
    tg_status status = tg_success();
    if (stat(run, &is) != 0 || !S_ISDIR(is.st_mode))
        status = tg_fail(TG_BAD_INPUT, "'%.150s' is not a folder; expected a run folder", run);
    else if (has_file(run, "cells.csv", ""))
        status = plot_cells(run, folder, gnuplot, stdout);
    else if (has_file(run, "training.csv", ""))
        status = plot_training(run, folder, gnuplot);
    else
        status = tg_fail(TG_BAD_INPUT, "'%.150s' holds no cells.csv; expected a run folder", run);
    free(folder);
    return status;
}

/* ---- the verb ---- */

static tg_status read_words(int argc, char **argv, tgd_words *runs, const char **output)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--output") == 0) {
            if (i + 1 == argc || *output)
                return tg_fail(TG_BAD_INPUT, "plot: --output needs one folder, once");
            *output = argv[++i];
        } else if (strncmp(argv[i], "--output=", 9) == 0 && !*output) {
            *output = argv[i] + 9;
        } else if (argv[i][0] == '-') {
            return tg_fail(TG_BAD_INPUT,
                           "plot: unknown option '%.80s'; expected RUN... [--output DIR]", argv[i]);
        } else {
            tgd_words_add(runs, argv[i]);
        }
    }
    if (runs->count == 0)
        return tg_fail(TG_BAD_INPUT, "plot: no run given; expected RUN... [--output DIR]");
    if (*output && (runs->count > 1 || !**output)) {
        return tg_fail(TG_BAD_INPUT,
                       "plot: --output takes a folder and one RUN; expected RUN --output DIR");
    }
    return tg_success();
}

int tgd_plot(int argc, char **argv)
{
    tgd_words runs = {NULL, 0};
    const char *output = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return 0;
        }
    }
    tg_status status = read_words(argc, argv, &runs, &output);
    char *gnuplot = NULL;
    if (status.code == TG_OK)
        status = tgd_find_gnuplot("plot", &gnuplot);
    for (int i = 0; i < runs.count && status.code == TG_OK; i++)
        status = plot_run(runs.word[i], output, gnuplot);
    tgd_words_free(&runs);
    free(gnuplot);
    return status.code == TG_OK ? 0 : tgd_report(status);
}
