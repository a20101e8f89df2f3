/* report.c: the verb report: reads and compares the runs, draws what is missing, writes the page. */
#include "driver/report.h"

#include "driver/options.h"
#include "driver/paths.h"
#include "driver/plot.h"
#include "driver/plot_draw.h"
#include "driver/report_write.h"
#include "driver/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- words ---- */

enum { OUTPUT = TGD_FIRST_KEY };

static const struct argp_option rows[] = {
    {"output", OUTPUT, "FILE", 0, "the file to write (RUN/report.html; needed for several runs)",
     1},
    TGD_HELP_ROW,
    {0},
};

typedef struct {
    tgd_options options;
    tgd_words runs;
    const char *output;
} words;

static error_t take_word(int key, char *text, struct argp_state *state)
{
    words *w = state->input;
    switch (key) {
    case OUTPUT:
        w->output = text;
        return tgd_options_keep(
            &w->options,
            *text ? tg_success() : tg_fail(TG_BAD_INPUT, "report: --output '': expected a file"));
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
    .args_doc = "RUN...",
    .doc =
        "Writes what runs say into one HTML file, for somebody who has nothing but the file: the "
        "verdict, what is unusual, figures, tables, provenance, how to repeat it. Several runs, "
        "or builds of a run, are compared with the first one.\vThe verdict is that of "
        "tensorgauge accept, when the run folder has one. Figures that are missing are drawn. "
        "Exit status: 0 good, 2 wrong words or files."};

static tg_status read_words(int argc, char **argv, words *w)
{
    *w = (words){.output = NULL};
    tg_status status = tgd_options_read(&grammar, argc, argv, &w->options);
    if (status.code == TG_OK && !w->options.help && w->runs.count == 0)
        status = tg_fail(TG_BAD_INPUT, "report: no run given; expected RUN... [--output FILE]");
    if (status.code == TG_OK && !w->options.help && w->runs.count > 1 && !w->output)
        status =
            tg_fail(TG_BAD_INPUT, "report: %d runs and no --output; expected RUN... --output FILE",
                    w->runs.count);
    return status;
}

/* ---- figures ---- */

/* A report without figures is still one, so what was in their way is a text of it. */
static void add_gallery(tgd_report_data *data, const char *of, char *folder, tg_status status)
{
    data->gallery = tgd_resize(data->gallery, data->galleries + 1, sizeof *data->gallery);
    data->gallery[data->galleries++] = (tgd_gallery){
        .of = of,
        .folder = folder,
        .trouble = status.code == TG_OK ? NULL : tgd_copy(status.text),
    };
}

/* The figures of a comparison belong to no run: they are drawn into `folder`, which is removed later. */
static tg_status draw_comparison(const tgd_comparison *c, const char *folder)
{
    char *gnuplot = NULL;
    tg_status status = tgd_find_gnuplot("report", &gnuplot);
    if (status.code == TG_OK)
        status = tgd_comparison_draw(c, gnuplot, folder, NULL);
    free(gnuplot);
    return status;
}

static void draw(tgd_report_data *data)
{
    const char *place = getenv("TMPDIR");
    if (data->comparison) {
        char *folder = tgd_format("%s/tensorgauge-report-XXXXXX", place ? place : "/tmp");
        add_gallery(data, "the comparison", folder,
                    mkdtemp(folder) ? draw_comparison(data->comparison, folder)
                                    : tg_fail(TG_BAD_INPUT, "'%.150s' cannot be made: %s", folder,
                                              strerror(errno)));
    }
    for (int i = 0; i < data->runs->count; i++) {
        const char *run = data->runs->word[i];
        add_gallery(data, run, tgd_format("%s/figures", run), tgd_plot_missing(run));
    }
}

static void free_galleries(tgd_report_data *data)
{
    for (int i = 0; i < data->galleries; i++) {
        if (data->comparison && i == 0)
            tgd_remove_folder(data->gallery[i].folder);
        free(data->gallery[i].folder);
        free(data->gallery[i].trouble);
    }
    free(data->gallery);
}

/* ---- the verb ---- */

/* No other file is taken for a report that may be written anew. */
static tg_status check_output(const char *path)
{
    static const char begin[] = "<!DOCTYPE html>";
    char first[sizeof begin] = "";
    FILE *file = fopen(path, "r");
    if (!file)
        return tg_success();
    const size_t length = fread(first, 1, sizeof begin - 1, file);
    fclose(file);
    return length == 0 || strcmp(first, begin) == 0
               ? tg_success()
               : tg_fail(TG_BAD_INPUT,
                         "report: '%.150s' is there and is no HTML file; expected a new file, or "
                         "an old report",
                         path);
}

static tg_status write_page(const tgd_report_data *data, const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return tg_fail(TG_NO_MEMORY, "no memory to report");
    tgd_report_write(data, out);
    fclose(out);
    const tg_status status = tgd_write_file(path, text);
    if (status.code == TG_OK)
        printf("%s\n", path);
    free(text);
    return status;
}

static tg_status report(const words *w, const tgd_sides *sides, const char *path)
{
    const tgd_terms terms = {0.05, 0.05, &tgd_benjamini_hochberg};
    tgd_comparison comparison;
    tgd_report_data data = {.runs = &w->runs, .sides = sides};
    tg_status status = check_output(path);
    if (status.code == TG_OK)
        status = tgd_report_collect(&data);
    if (status.code == TG_OK) {
        json_t *differences = tgd_sides_differences(sides);
        if (sides->count > 1) {
            tgd_compare_cells(sides, &terms, &comparison);
            data.comparison = &comparison;
            data.differences = differences;
        }
        draw(&data);
        status = write_page(&data, path);
        free_galleries(&data);
        if (data.comparison)
            tgd_comparison_free(&comparison);
        json_decref(differences);
    }
    free(data.cell);
    return status;
}

int tgd_report_runs(int argc, char **argv)
{
    words w;
    tgd_sides sides = {.runs = 0};
    tg_status status = read_words(argc, argv, &w);
    if (status.code == TG_OK && w.options.help) {
        tgd_options_help(&grammar, "report");
    } else if (status.code == TG_OK) {
        status = tgd_sides_read(&w.runs, &sides);
        char *path = w.output ? tgd_copy(w.output) : tgd_format("%s/report.html", w.runs.word[0]);
        if (status.code == TG_OK)
            status = report(&w, &sides, path);
        free(path);
    }
    tgd_sides_free(&sides);
    tgd_words_free(&w.runs);
    return status.code == TG_OK ? 0 : tgd_report(status);
}
