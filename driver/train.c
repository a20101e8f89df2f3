/* train.c: the verb train: one launch of `tgbench train` in a run folder of its own, and its curves.
 * A network that is a file is named by its path from the root, so that --resume finds it. */
#include "driver/train.h"

#include "bench/case.h"
#include "driver/child.h"
#include "driver/folder.h"
#include "driver/paths.h"
#include "driver/plot.h"
#include "driver/provenance.h"
#include "driver/resume.h"
#include "driver/stop.h"
#include "driver/train_words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GOOD = 0, FAILED = 1, PARTLY = 3, TGBENCH_REFUSED = 2 };

typedef struct {
    tgd_train_words words;
    json_t *settings; /* of the run that goes on; its texts stand in words */
    char *network;    /* the words' network, if it had to be made longer */
    long ranks;
    tgd_bench bench;
    tgd_machine machine;
    tgd_launcher launcher;
    char *folder, *root_folder; /* as it is shown; from the root */
    int lock;
    FILE *log;
    json_t *record;               /* run.json */
    char refusal[TG_STATUS_TEXT]; /* the last error line of tgbench */
    bool stopped;                 /* tgbench says that a signal ended it */
    bool terminal;                /* standard error is one: step lines replace each other */
} training;

static void release(training *t)
{
    if (t->log)
        fclose(t->log);
    if (t->lock >= 0)
        close(t->lock);
    json_decref(t->record);
    json_decref(t->settings);
    free(t->folder);
    free(t->root_folder);
    free(t->network);
    tgd_launcher_free(&t->launcher);
    tgd_machine_free(&t->machine);
    tgd_bench_close(&t->bench);
}

static char *in_folder(const training *t, const char *name)
{
    return tgd_format("%s/%s", t->root_folder, name);
}

/* ---- before something is written ---- */

/* A file keeps its name wherever the run goes on; all else is a name that tgbench knows. */
static void name_network(training *t)
{
    if (access(t->words.network, F_OK) == 0 && (t->network = realpath(t->words.network, NULL)))
        t->words.network = t->network;
}

static tg_status prepare(training *t)
{
    const char *resumed = t->words.option[TGD_TRAIN_RESUME];
    tg_status status = tg_success();
    if (resumed) {
        status = tgd_resume_read(resumed, &t->record);
        t->settings =
            json_incref(json_object_get(json_object_get(t->record, "training"), "settings"));
        if (status.code == TG_OK && !t->settings)
            status = tg_fail(TG_BAD_INPUT, "--resume '%.120s': expected the folder of a training",
                             resumed);
        if (status.code == TG_OK)
            tgd_train_fill(t->settings, &t->words);
    }
    if (status.code == TG_OK && !t->words.network)
        status = tg_fail(TG_BAD_INPUT, "--resume '%.120s': run.json names no network", resumed);
    if (status.code != TG_OK)
        return status;
    name_network(t);
    const char *ranks = t->words.option[TGD_TRAIN_RANKS];
    status = tgb_parse_int("--ranks", ranks ? ranks : "1", 1, 1 << 24, &t->ranks);
    if (status.code == TG_OK)
        status = tgd_bench_open(t->words.option[TGD_TRAIN_BUILDS], NULL, &t->bench);
    if (status.code == TG_OK) {
        const tgd_launcher_choice choice = {t->words.option[TGD_TRAIN_LAUNCHER],
                                            t->words.option[TGD_TRAIN_OVERSUBSCRIBE] != NULL};
        tgd_machine_read(&t->machine);
        status = tgd_launcher_make(&t->bench, &t->machine, &choice, &t->launcher);
    }
    if (status.code == TG_OK)
        status = tgd_launch_try(&t->launcher, (int)t->ranks, TGD_TRY_S);
    return status;
}

/* ---- the run folder ---- */

static tg_status write_record(const training *t)
{
    char *path = in_folder(t, "run.json");
    const tg_status status = tgd_json_write(t->record, path);
    free(path);
    return status;
}

static tg_status open_log(training *t)
{
    char *path = in_folder(t, "log.txt");
    t->log = fopen(path, "a");
    const tg_status status =
        t->log ? tg_success()
               : tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected a file that can be written", path,
                         strerror(errno));
    free(path);
    return status;
}

/* "train-lenet5": the last part of a path without its ending. */
static tg_status make_folder(training *t)
{
    const char *slash = strrchr(t->words.network, '/'),
               *name = slash ? slash + 1 : t->words.network;
    const char *parent = t->words.option[TGD_TRAIN_OUTPUT];
    char *last = tgd_format("train-%.*s", (int)strcspn(name, "."), name);
    const tg_status status =
        tgd_folder_make(parent ? parent : "results", t->machine.host, last, &t->folder);
    free(last);
    return status;
}

static tg_status open_folder(training *t, int argc, char *const *argv)
{
    const char *resumed = t->words.option[TGD_TRAIN_RESUME];
    tg_status status = tg_success();
    if (resumed)
        t->folder = tgd_copy(resumed);
    else
        status = make_folder(t);
    if (status.code == TG_OK && !(t->root_folder = realpath(t->folder, NULL)))
        t->root_folder = tgd_copy(t->folder);
    if (status.code == TG_OK)
        status = tgd_folder_lock(t->root_folder, &t->lock);
    if (status.code == TG_OK)
        status = open_log(t);
    if (status.code != TG_OK)
        return status;
    if (resumed)
        tgd_resume_note(t->record, t->machine.host, argc, argv, 0, 0);
    else
        t->record =
            tgd_provenance(NULL, &t->launcher, strrchr(t->root_folder, '/') + 1, argc, argv);
    json_object_set_new(t->record, "training",
                        json_pack("{s:o}", "settings", tgd_train_settings(&t->words)));
    return resumed ? status : write_record(t); /* that of before stays until this launch is good */
}

/* What a launch that was refused leaves: nothing has been trained. */
static void remove_folder(const training *t)
{
    static const char *const names[] = {"log.txt", "run.json", ".lock"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = in_folder(t, names[i]);
        unlink(path);
        free(path);
    }
    rmdir(t->root_folder);
}

/* ---- the launch ---- */

/* Lines of tgbench go to the terminal as they come, those of steps one over the other. */
static void on_line(void *context, bool is_error, const char *line)
{
    training *t = context;
    const bool step = strncmp(line, "step ", 5) == 0;
    fprintf(t->log, "%s\n", line);
    if (is_error && strncmp(line, "tgbench: ", 9) == 0)
        snprintf(t->refusal, sizeof t->refusal, "%s", line + 9);
    t->stopped = t->stopped || (is_error && strncmp(line, "tgbench: ended by a signal", 26) == 0);
    if (is_error || (step && !t->terminal))
        return;
    fprintf(stderr, t->terminal ? "\r\033[K%s" : "%s", line);
    if (!step)
        putc('\n', stderr);
    fflush(stderr);
}

static tgd_wish on_tick(void *context)
{
    const training *t = context;
    fflush(t->log);
    return tgd_stop_count() > 1 ? TGD_END : tgd_stop_count() > 0 ? TGD_FINISH : TGD_GO_ON;
}

static void add_option(tgd_words *list, const char *option, char *value)
{
    tgd_words_add(list, option);
    tgd_words_add(list, value);
    free(value);
}

static int launch(training *t)
{
    tgd_words list, environment;
    tgd_launch_words(&t->launcher, (int)t->ranks, &list, &environment);
    tgd_words_add(&list, "train");
    tgd_train_pass(&t->words, &list);
    add_option(&list, "--output", tgd_copy(t->root_folder));
    add_option(&list, "--checkpoint", in_folder(t, "checkpoint"));
    if (t->words.option[TGD_TRAIN_RESUME])
        add_option(&list, "--resume", in_folder(t, "checkpoint"));
    const tgd_child child = {.arguments = &list,
                             .environment = &environment,
                             .on_line = on_line,
                             .on_tick = on_tick,
                             .context = t};
    const double start_s = tgd_now_s();
    tgd_stop_watch();
    int status = tgd_child_run(&child);
    fprintf(t->log, "exit status %d\n", status);
    if (status == GOOD && t->stopped) /* MPICH's launcher may forget that of the ranks */
        status = PARTLY;
    json_t *launches = json_object_get(t->record, "launches");
    json_array_append_new(
        launches, json_pack("{s:i, s:i, s:i, s:i, s:f, s:f, s:i, s:o, s:o}", "launch",
                            (int)json_array_size(launches) + 1, "ranks", (int)t->ranks, "cells", 0,
                            "cells_done", 0, "budget_s", 0.0, "time_s", tgd_now_s() - start_s,
                            "exit_status", status, "environment", tgd_words_json(&environment),
                            "command", tgd_words_json(&list)));
    tgd_words_free(&list);
    tgd_words_free(&environment);
    return status;
}

/* ---- the end ---- */

static int draw(const training *t)
{
    char *gnuplot = tgd_find_program("gnuplot");
    char verb[] = "plot", *const folder = tgd_copy(t->folder);
    char *words[] = {verb, folder, NULL};
    int result = GOOD;
    if (gnuplot)
        result = tgd_plot(2, words);
    else
        puts("no curves: gnuplot is not installed (Debian: gnuplot-nox)");
    free(gnuplot);
    free(folder);
    return result;
}

static int conclude(training *t, int exit_status)
{
    if (exit_status == TGBENCH_REFUSED) {
        if (!t->words.option[TGD_TRAIN_RESUME])
            remove_folder(t);
        return tgd_report(tg_fail(TG_BAD_INPUT, "%s", t->refusal));
    }
    char *now = tgd_utc(false);
    json_object_set_new(t->record, "ended", json_string(now));
    json_object_set_new(t->record, "stopped_by_signal", json_integer(tgd_stop_signal()));
    free(now);
    const tg_status status = write_record(t);
    if (status.code != TG_OK)
        return tgd_report(status);
    printf("run folder: %s\n", t->folder);
    fflush(stdout);
    if (exit_status == GOOD)
        return draw(t);
    fprintf(stderr,
            "tensorgauge: the launch ended with status %d; %s/log.txt has what it printed, and "
            "`tensorgauge train --resume` goes on\n",
            exit_status, t->folder);
    return exit_status == PARTLY || tgd_stop_signal() ? PARTLY : FAILED;
}

int tgd_train(int argc, char **argv)
{
    training t = {.lock = -1, .terminal = isatty(STDERR_FILENO) == 1};
    tgd_words typed = {NULL, 0};
    tgd_words_add(&typed, "tensorgauge");
    for (int i = 0; i < argc; i++)
        tgd_words_add(&typed, argv[i]);
    tg_status status = tgd_train_words_read(argc, argv, &t.words);
    int result = GOOD;
    if (status.code == TG_OK && t.words.options.help) {
        tgd_train_help();
    } else {
        if (status.code == TG_OK)
            status = prepare(&t);
        if (status.code == TG_OK)
            status = open_folder(&t, typed.count, typed.word);
        result = status.code == TG_OK ? conclude(&t, launch(&t)) : tgd_report(status);
    }
    tgd_words_free(&typed);
    release(&t);
    return result;
}
