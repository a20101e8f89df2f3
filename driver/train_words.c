/* train_words.c: options of `tensorgauge train` as rows of argp. What tgbench understands is passed on as it
 * is: tgbench judges it. */
#include "driver/train_words.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST = TGD_FIRST_KEY };

static const struct argp_option rows[] = {
    {"ranks", FIRST, "P", 0, "ranks (1)", 1},
    {"data", FIRST + 1, "DIR", 0,
     "images and labels in the IDX format (/usr/share/datasets/fashion-mnist)", 1},
    {"epochs", FIRST + 2, "N", 0, "passes over the training images (10)", 1},
    {"batch", FIRST + 3, "N", 0, "images of a step (256)", 1},
    {"steps", FIRST + 4, "N", 0, "stop after so many steps (the end of the epochs)", 1},
    {"optimizer", FIRST + 5, "NAME", 0, "sgd (default) or adam", 1},
    {"rate", FIRST + 6, "X", 0, "of learning (0.02; adam: 0.001)", 1},
    {"momentum", FIRST + 7, "X", 0, "of the steps; b1 of adam (0.9)", 1},
    {"seed", FIRST + 8, "N", 0, "of the initial values and of the order (1)", 1},
    {"kernels", FIRST + 9, "NAME", 0, "library that layers compute with (auto)", 1},
    {"deterministic", FIRST + 10, NULL, 0, "refuse what may differ from run to run", 1},
    {"output", FIRST + TGD_TRAIN_OUTPUT, "DIR", 0, "where run folders are made (results)", 2},
    {"builds", FIRST + TGD_TRAIN_BUILDS, "DIR", 0, "folder that holds tgbench or bin/tgbench", 2},
    {"launcher", FIRST + TGD_TRAIN_LAUNCHER, "WORDS", 0,
     "MPI launcher with its words, such as 'srun --mpi=pmix'", 2},
    {"oversubscribe", FIRST + TGD_TRAIN_OVERSUBSCRIBE, NULL, 0, TGD_OVERSUBSCRIBE_HELP, 2},
    {"resume", FIRST + TGD_TRAIN_RESUME, "RUN", 0,
     "go on behind the checkpoint of this run folder; the words replace its own", 2},
    TGD_HELP_ROW,
    {0},
};
_Static_assert(sizeof rows / sizeof *rows == TGD_TRAIN_OPTIONS + 2, "a row for each option");

static const char network[] = "network"; /* its name among the settings */

static error_t take_word(int key, char *text, struct argp_state *state)
{
    tgd_train_words *w = state->input;
    if (key >= FIRST && key < FIRST + TGD_TRAIN_OPTIONS) {
        w->option[key - FIRST] = text ? text : "";
        return 0;
    }
    if (key != ARGP_KEY_ARG)
        return tgd_options_common(key, state);
    if (w->network) {
        return tgd_options_keep(&w->options,
                                tg_fail(TG_BAD_INPUT,
                                        "train: '%.80s' is one word too many; expected one NETWORK",
                                        text));
    }
    w->network = text;
    return 0;
}

static const struct argp grammar = {
    .options = rows,
    .parser = take_word,
    .args_doc = "NETWORK\n--resume RUN",
    .doc = "Trains a network: a name in networks/, such as lenet5, or a file with a layer on each "
           "line. Makes a run folder with training.csv, a checkpoint of each epoch, run.json, "
           "log.txt and the curves in figures/.\vSIGINT, SIGTERM or SIGUSR1 ends it behind the "
           "step in flight, with a checkpoint; a second one at once. Exit status: 0 good, 1 the "
           "launch failed, 2 wrong words or files, 3 stopped by a signal.",
};

tg_status tgd_train_words_read(int argc, char **argv, tgd_train_words *w)
{
    *w = (tgd_train_words){.network = NULL};
    tg_status status = tgd_options_read(&grammar, argc, argv, &w->options);
    if (status.code == TG_OK && !w->network && !w->option[TGD_TRAIN_RESUME] && !w->options.help)
        status =
            tg_fail(TG_BAD_INPUT, "train: expected a network, such as lenet5, or --resume RUN");
    return status;
}

void tgd_train_help(void)
{
    tgd_options_help(&grammar, "train");
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
            if (rows[i].arg)
                tgd_words_add(list, words->option[i]);
        }
    }
}
