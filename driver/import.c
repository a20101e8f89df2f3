/* import.c: the verb import: results of other benchmarks as a run folder. */
#include "driver/export.h"

#include "bench/case.h"
#include "driver/folder.h"
#include "driver/import_tools.h"
#include "driver/options.h"
#include "driver/provenance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RANKS = TGD_FIRST_KEY, NAME, OUTPUT };

static const struct argp_option rows[] = {
    {"ranks", RANKS, "P", 0, "ranks of OSU's collectives, which do not print it", 1},
    {"name", NAME, "NAME", 0, "last word of the run folder's name (imported)", 1},
    {"output", OUTPUT, "DIR", 0, "where the run folder is made (results)", 1},
    TGD_HELP_ROW,
    {0},
};

typedef struct {
    tgd_options options;
    tgd_words files;
    long ranks;
    const char *name, *output;
} words;

static error_t take_word(int key, char *text, struct argp_state *state)
{
    words *w = state->input;
    switch (key) {
    case RANKS:
        return tgd_options_keep(&w->options, tgb_parse_int("--ranks", text, 1, 1 << 30, &w->ranks));
    case NAME:
        w->name = text;
        return 0;
    case OUTPUT:
        w->output = text;
        return 0;
    case ARGP_KEY_ARG:
        tgd_words_add(&w->files, text);
        return 0;
    default:
        return tgd_options_common(key, state);
    }
}

static const struct argp grammar = {
    .options = rows,
    .parser = take_word,
    .args_doc = "FILE...",
    .doc = "Makes a run folder of what OSU Micro-Benchmarks, Intel MPI Benchmarks or nccl-tests "
           "printed, so that it can be compared and drawn. Each FILE is a launch.\vThe column "
           "estimator says what the number is: mean_of_means (OSU's average, IMB's t_avg), "
           "half_round_trip or mean_of_batch (nccl-tests). None of these is the median of maxima "
           "that tensorgauge measures. Exit status: 0 good, 2 wrong words or files."};

static tg_status read_words(int argc, char **argv, words *w)
{
    *w = (words){.name = "imported", .output = "results"};
    tg_status status = tgd_options_read(&grammar, argc, argv, &w->options);
    if (status.code == TG_OK && w->files.count == 0 && !w->options.help)
        status = tg_fail(TG_BAD_INPUT, "import: no file given; expected FILE...");
    return status;
}

/* ---- the run folder ---- */

static tg_status write_cells(const tgd_imported *all, const char *folder)
{
    const char *slash = strrchr(folder, '/');
    char *path = tgd_format("%s/cells.csv", folder);
    FILE *out = fopen(path, "w");
    char *line = tgb_header_line();
    bool good = out && fputs(line, out) >= 0;
    free(line);
    for (int i = 0; i < all->count && good; i++) {
        tgb_record_text(&all->row[i], TGB_COL_run_id, slash ? slash + 1 : folder);
        tgb_record_int(&all->row[i], TGB_COL_cell, i + 1);
        line = tgb_record_line(&all->row[i]);
        good = fputs(line, out) >= 0;
        free(line);
    }
    if (out && fclose(out) != 0)
        good = false;
    const tg_status status =
        good ? tg_success()
             : tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected a file that can be written", path,
                       strerror(errno));
    free(path);
    return status;
}

static tg_status write_record(const words *w, const char *folder)
{
    const char *slash = strrchr(folder, '/');
    char *path = tgd_format("%s/run.json", folder), *now = tgd_utc(false);
    json_t *files = json_array();
    for (int i = 0; i < w->files.count; i++)
        json_array_append_new(files, tgd_json_text(w->files.word[i]));
    json_t *record = json_pack("{s:i, s:o, s:s, s:s, s:o}", "schema", TGB_SCHEMA, "run_id",
                               tgd_json_text(slash ? slash + 1 : folder), "version", TGD_VERSION,
                               "started", now, "imported", files);
    const tg_status status = tgd_json_write(record, path);
    json_decref(record);
    free(now);
    free(path);
    return status;
}

static tg_status read_files(const words *w, tgd_imported *all)
{
    tg_status status = tg_success();
    for (int i = 0; i < w->files.count && status.code == TG_OK; i++) {
        const int before = all->count;
        status = tgd_import_file(w->files.word[i], (int)w->ranks, all);
        for (int r = before; r < all->count; r++)
            tgb_record_int(&all->row[r], TGB_COL_launch, i);
    }
    return status;
}

static tg_status import(const words *w)
{
    tgd_imported all = {NULL, 0};
    char *folder = NULL;
    tg_status status = read_files(w, &all);
    if (status.code == TG_OK)
        status = tgd_folder_make(w->output, "files", w->name, &folder);
    if (status.code == TG_OK)
        status = write_cells(&all, folder);
    if (status.code == TG_OK)
        status = write_record(w, folder);
    if (status.code == TG_OK)
        printf("run folder: %s\n%d rows of %d file%s\n", folder, all.count, w->files.count,
               w->files.count > 1 ? "s" : "");
    tgd_imported_free(&all);
    free(folder);
    return status;
}

int tgd_import(int argc, char **argv)
{
    words w;
    tg_status status = read_words(argc, argv, &w);
    if (status.code == TG_OK && w.options.help)
        tgd_options_help(&grammar, "import");
    else if (status.code == TG_OK)
        status = import(&w);
    tgd_words_free(&w.files);
    return status.code == TG_OK ? 0 : tgd_report(status);
}
