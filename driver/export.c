/* export.c: the verb export: the cells of a run in another program's format. */
#include "driver/export.h"

#include "driver/export_formats.h"
#include "driver/options.h"
#include "driver/twosample.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT = TGD_FIRST_KEY, OUTPUT };

static const struct argp_option rows[] = {
    {"format", FORMAT, "FORMAT", 0, "osu, imb, json, markdown, latex or extrap", 1},
    {"output", OUTPUT, "FILE", 0, "write there (standard output)", 1},
    TGD_HELP_ROW,
    {0},
};

typedef struct {
    tgd_options options;
    tgd_words runs;
    const tgd_format_row *format;
    const char *output;
} words;

static tg_status find_format(const char *name, const tgd_format_row **format)
{
    char *known = tgd_copy("");
    for (*format = tgd_formats; (*format)->name; (*format)++) {
        if (strcmp((*format)->name, name) == 0) {
            free(known);
            return tg_success();
        }
        char *longer = tgd_format("%s%s%s", known, *known ? ", " : "", (*format)->name);
        free(known);
        known = longer;
    }
    const tg_status status =
        tg_fail(TG_BAD_INPUT, "--format '%.40s' is not known; expected one of %s", name, known);
    free(known);
    return status;
}

static error_t take_word(int key, char *text, struct argp_state *state)
{
    words *w = state->input;
    switch (key) {
    case FORMAT:
        return tgd_options_keep(&w->options, find_format(text, &w->format));
    case OUTPUT:
        w->output = text;
        return 0;
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
    .args_doc = "RUN",
    .doc =
        "Prints the cells of a run folder, launches put together by their median, in the format of "
        "another program. Rows whose status is not ok are left out.\vosu and imb have the means "
        "over repetitions and ranks that those programs would print; all others have medians of "
        "maxima over ranks. Exit status: 0 good, 2 wrong words or files."};

static tg_status read_words(int argc, char **argv, words *w)
{
    *w = (words){.output = NULL};
    tg_status status = tgd_options_read(&grammar, argc, argv, &w->options);
    if (status.code == TG_OK && !w->options.help && w->runs.count != 1)
        status = tg_fail(TG_BAD_INPUT, "export: %d runs given; expected one RUN", w->runs.count);
    if (status.code == TG_OK && !w->options.help && !w->format)
        status = tg_fail(TG_BAD_INPUT, "export: expected --format osu, imb, json, markdown, "
                                       "latex or extrap");
    return status;
}

/* ---- cells ---- */

static tg_status fill(const tgd_side *side, const tgd_side_cell *cell, tgd_exported *e)
{
    *e = (tgd_exported){.side = side, .cell = cell, .min_us = cell->us[0], .max_us = cell->us[0]};
    for (int i = 1; i < cell->launches; i++) {
        e->min_us = fmin(e->min_us, cell->us[i]);
        e->max_us = fmax(e->max_us, cell->us[i]);
    }
    const struct {
        const char *column;
        double *value;
    } numbers[] = {{"t_median_us", &e->median_us}, {"size_bytes", &e->size_bytes},
                   {"osu_avg_us", &e->osu_avg_us}, {"osu_size_bytes", &e->osu_size_bytes},
                   {"osu_min_us", &e->osu_min_us}, {"osu_max_us", &e->osu_max_us},
                   {"samples", &e->samples}};
    tg_status status = tg_success();
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && status.code == TG_OK; i++)
        status = tgd_side_median(side, cell, numbers[i].column, numbers[i].value);
    return status;
}

static tg_status collect(const tgd_sides *sides, tgd_exported **cells, int *count)
{
    tg_status status = tg_success();
    *cells = NULL;
    *count = 0;
    for (int s = 0; s < sides->count; s++) {
        const tgd_side *side = &sides->side[s];
        *cells = tgd_resize(*cells, *count + side->count, sizeof **cells);
        for (int i = 0; i < side->count && status.code == TG_OK; i++)
            if (side->cell[i].launches > 0)
                status = fill(side, &side->cell[i], &(*cells)[(*count)++]);
    }
    if (status.code == TG_OK && *count == 0) {
        status = tg_fail(TG_BAD_INPUT, "export: '%.150s' has no cell with status ok; expected some",
                         sides->side[0].name);
    }
    return status;
}

/* ---- the verb ---- */

static tg_status write_file(const words *w, const char *text)
{
    if (w->output)
        return tgd_write_file(w->output, text);
    return fputs(text, stdout) >= 0 && fflush(stdout) == 0
               ? tg_success()
               : tg_fail(TG_BAD_INPUT, "export: standard output cannot be written: %s",
                         strerror(errno));
}

static tg_status export(const words *w)
{
    tgd_sides sides;
    tgd_exported *cells = NULL;
    char *text = NULL;
    size_t size = 0;
    int count = 0;
    tg_status status = tgd_sides_read(&w->runs, &sides);
    if (status.code == TG_OK)
        status = collect(&sides, &cells, &count);
    FILE *out = status.code == TG_OK ? open_memstream(&text, &size) : NULL;
    if (out) {
        w->format->put(cells, count, out);
        fclose(out);
        status = write_file(w, text);
    } else if (status.code == TG_OK) {
        status = tg_fail(TG_NO_MEMORY, "no memory to export");
    }
    free(text);
    free(cells);
    tgd_sides_free(&sides);
    return status;
}

int tgd_export(int argc, char **argv)
{
    words w;
    tg_status status = read_words(argc, argv, &w);
    if (status.code == TG_OK && w.options.help)
        tgd_options_help(&grammar, "export");
    else if (status.code == TG_OK)
        status = export(&w);
    tgd_words_free(&w.runs);
    return status.code == TG_OK ? 0 : tgd_report(status);
}
