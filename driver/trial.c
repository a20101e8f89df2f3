/* trial.c: a file of cells, a launch, a look at what it printed. */
#include "driver/trial.h"

#include "driver/child.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- where the time went ---- */

static void add_phase(tgd_spent *spent, const char *name, double time_s)
{
    int i = 0;
    while (i < spent->count && strcmp(spent->phase[i].name, name) != 0)
        i++;
    if (i == TGD_MOST_PHASES)
        return;
    if (i == spent->count) {
        snprintf(spent->phase[i].name, sizeof spent->phase[i].name, "%.23s", name);
        spent->count++;
    }
    spent->phase[i].time_s += time_s;
}

/* "phases_s start=0.28 plan=0.01 ... cells=12" */
static void read_phases(tgd_spent *spent, const char *line)
{
    tgd_words words = {NULL, 0};
    tgd_words_split(&words, line);
    for (int i = 1; i < words.count; i++) {
        char *equals = strchr(words.word[i], '=');
        if (!equals)
            continue;
        *equals = '\0';
        if (strcmp(words.word[i], "cells") == 0)
            spent->cells += (int)strtol(equals + 1, NULL, 10);
        else
            add_phase(spent, words.word[i], strtod(equals + 1, NULL));
    }
    tgd_words_free(&words);
}

static void on_line(void *context, bool is_error, const char *line)
{
    tgd_trial *trial = context;
    fprintf(trial->log, "%s\n", line);
    if (!is_error && strncmp(line, "phases_s ", 9) == 0)
        read_phases(&trial->spent, line);
}

/* ---- launches ---- */

static tg_status write_cells(const char *path, const char *cells)
{
    FILE *file = fopen(path, "w");
    const bool written = file && fputs(cells, file) >= 0;
    if ((file && fclose(file) != 0) || !written)
        return tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected a file that can be written", path,
                       strerror(errno));
    return tg_success();
}

tg_status tgd_trial_launch(tgd_trial *trial, const char *name, int launch, const char *cells,
                           double budget_s, const char *options)
{
    tgd_words words, environment;
    char *path = tgd_format("%s/%s-%d.tsv", trial->folder, name, launch);
    char *values[] = {
        tgd_copy(path), tgd_format("%d", launch), tgd_format("%.0fms", 1e3 * budget_s),
        tgd_format("%s/%s", trial->folder, name), tgd_format("%s/auto.txt", trial->folder)};
    const char *const names[] = {"--cells", "--launch", "--budget", "--output", "--auto-cache"};
    enum { OPTIONS = sizeof names / sizeof *names };
    const tg_status status = write_cells(path, cells);
    tgd_launch_words(trial->launcher, trial->ranks, &words, &environment);
    tgd_words_add(&words, "time");
    for (int i = 0; i < OPTIONS; i++) {
        tgd_words_add(&words, names[i]);
        tgd_words_add(&words, values[i]);
        free(values[i]);
    }
    tgd_words_split(&words, options ? options : "");
    if (status.code == TG_OK) {
        const tgd_child child = {.arguments = &words,
                                 .environment = &environment,
                                 .on_line = on_line,
                                 .context = trial,
                                 .stop = trial->stop};
        const double start_s = tgd_now_s();
        const int answer = tgd_child_run(&child);
        trial->spent.wall_s += tgd_now_s() - start_s;
        fprintf(trial->log, "%s launch %d ended with status %d\n", name, launch, answer);
        fflush(trial->log);
        trial->launches++;
        trial->failed += answer != 0;
    }
    tgd_words_free(&words);
    tgd_words_free(&environment);
    free(path);
    return status;
}

tg_status tgd_trial_rows(const tgd_trial *trial, const char *name, tgd_table *rows)
{
    char *path = tgd_format("%s/%s/cells.csv", trial->folder, name);
    tg_status status = tg_success();
    *rows = (tgd_table){0};
    if (access(path, R_OK) == 0)
        status = tgd_table_read(path, rows);
    free(path);
    return status;
}
