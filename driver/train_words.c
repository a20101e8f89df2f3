/* train_words.c: options of `tensorgauge train` as rows. What tgbench understands is passed on as it
 * is: tgbench judges it. */
#include "driver/train_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *value, *help;
} rows[TGD_TRAIN_OPTIONS] = {
    {"ranks", "P", "ranks (1)"},
    {"data", "DIR", "images and labels in the IDX format (/usr/share/datasets/fashion-mnist)"},
    {"epochs", "N", "passes over the training images (10)"},
    {"batch", "N", "images of a step (256)"},
    {"steps", "N", "stop after so many steps (the end of the epochs)"},
    {"optimizer", "NAME", "sgd (default) or adam"},
    {"rate", "X", "of learning (0.02; adam: 0.001)"},
    {"momentum", "X", "of the steps; b1 of adam (0.9)"},
    {"seed", "N", "of the initial values and of the order (1)"},
    {"deterministic", NULL, "refuse what may differ from run to run"},
    {"output", "DIR", "where run folders are made (results)"},
    {"builds", "DIR", "folder that holds tgbench or bin/tgbench"},
    {"launcher", "WORDS", "MPI launcher with its words, such as 'srun --mpi=pmix'"},
    {"resume", "RUN", "go on behind the checkpoint of this run folder; the words replace its own"},
    {"help", NULL, "print this help"},
};

static const char network[] = "network"; /* its name among the settings */

/* The row of --NAME or --NAME=VALUE; TGD_TRAIN_OPTIONS: none. */
static int find(const char *word)
{
    const size_t length = strcspn(word, "=");
    int i = 0;
    while (i < TGD_TRAIN_OPTIONS &&
           (strncmp(word, "--", 2) != 0 || strlen(rows[i].name) != length - 2 ||
            strncmp(word + 2, rows[i].name, length - 2) != 0))
        i++;
    return i;
}

static tg_status read_option(int argc, char **argv, int *at, tgd_train_words *w)
{
    const char *word = argv[*at], *inside = strchr(word, '=');
    const int i = find(word);
    if (i == TGD_TRAIN_OPTIONS || (!rows[i].value && inside)) {
        return tg_fail(
            TG_BAD_INPUT,
            "train: unknown option '%.80s'; `tensorgauge train --help` shows all of them", word);
    }
    if (rows[i].value && !inside && *at + 1 == argc)
        return tg_fail(TG_BAD_INPUT, "train: --%s has no value; expected %s", rows[i].name,
                       rows[i].value);
    w->option[i] = inside ? inside + 1 : rows[i].value ? argv[++*at] : "";
    return tg_success();
}

tg_status tgd_train_words_read(int argc, char **argv, tgd_train_words *w)
{
    *w = (tgd_train_words){.network = NULL};
    tg_status status = tg_success();
    for (int i = 1; i < argc && status.code == TG_OK; i++)
        if (argv[i][0] == '-')
            status = read_option(argc, argv, &i, w);
        else if (w->network)
            status = tg_fail(TG_BAD_INPUT,
                             "train: '%.80s' is one word too many; expected one NETWORK", argv[i]);
        else
            w->network = argv[i];
    if (status.code == TG_OK && !w->network && !w->option[TGD_TRAIN_RESUME] &&
        !w->option[TGD_TRAIN_HELP])
        status =
            tg_fail(TG_BAD_INPUT, "train: expected a network, such as lenet5, or --resume RUN");
    return status;
}

void tgd_train_help(void)
{
    puts("Usage: tensorgauge train NETWORK [OPTION...]\n"
         "  or:  tensorgauge train --resume RUN [OPTION...]\n"
         "Trains a network: a name in networks/, such as lenet5, or a file with a layer on each "
         "line. Makes a run\n"
         "folder with training.csv, a checkpoint of each epoch, run.json, log.txt and the curves "
         "in figures/.\n");
    for (int i = 0; i < TGD_TRAIN_OPTIONS; i++)
        printf("  --%-14s %-6s %s\n", rows[i].name, rows[i].value ? rows[i].value : "",
               rows[i].help);
    puts("\nSIGINT, SIGTERM or SIGUSR1 ends it behind the step in flight, with a checkpoint; a "
         "second one at\n"
         "once. Exit status: 0 good, 1 the launch failed, 2 wrong words or files, 3 stopped by a "
         "signal.");
}

json_t *tgd_train_settings(const tgd_train_words *words)
{
    json_t *settings = json_object();
    json_object_set_new(settings, network, json_string(words->network));
    for (int i = 0; i < TGD_TRAIN_SETTINGS; i++)
        if (words->option[i])
            json_object_set_new(settings, rows[i].name, json_string(words->option[i]));
    return settings;
}

void tgd_train_fill(const json_t *settings, tgd_train_words *words)
{
    if (!words->network)
        words->network = json_string_value(json_object_get(settings, network));
    for (int i = 0; i < TGD_TRAIN_SETTINGS; i++)
        if (!words->option[i])
            words->option[i] = json_string_value(json_object_get(settings, rows[i].name));
}

void tgd_train_pass(const tgd_train_words *words, tgd_words *list)
{
    tgd_words_add(list, words->network);
    for (int i = TGD_TRAIN_PASSED; i < TGD_TRAIN_SETTINGS; i++) {
        if (words->option[i]) {
            char *name = tgd_format("--%s", rows[i].name);
            tgd_words_add(list, name);
            free(name);
            if (rows[i].value)
                tgd_words_add(list, words->option[i]);
        }
    }
}
