/* train_words.c: options of verb train as rows of argp. */
#include "bench/train_words.h"

#include "bench/case.h"

#include <stdlib.h>

enum {
    DATA = TGB_FIRST_OPTION,
    EPOCHS,
    BATCH,
    STEPS,
    OPTIMIZER,
    RATE,
    MOMENTUM,
    SEED_OPTION,
    KERNELS,
    DETERMINISTIC,
    OUTPUT,
    CHECKPOINT,
    RESUME
};

static const struct argp_option options[] = {
    {"data", DATA, "DIR", 0,
     "images and labels in the IDX format (default: /usr/share/datasets/fashion-mnist)", 0},
    {"epochs", EPOCHS, "N", 0, "passes over the training images (default: 10)", 0},
    {"batch", BATCH, "N", 0, "images of a step (default: 256)", 0},
    {"steps", STEPS, "N", 0, "stop after so many steps (default: the end of the epochs)", 0},
    {"optimizer", OPTIMIZER, "NAME", 0, "sgd (default) or adam", 0},
    {"rate", RATE, "X", 0, "of learning (default: 0.02; adam: 0.001)", 0},
    {"momentum", MOMENTUM, "X", 0, "of the steps; b1 of adam (default: 0.9)", 0},
    {"seed", SEED_OPTION, "N", 0, "of the initial values and of the order (default: 1)", 0},
    {"kernels", KERNELS, "NAME", 0,
     "library of the layers that name none: auto (default), onednn or openblas", 0},
    {"deterministic", DETERMINISTIC, NULL, 0,
     "refuse what may differ from run to run: algorithms that are chosen by time", 0},
    {"output", OUTPUT, "DIR", 0, "folder for training.csv, made if it is not there", 0},
    {"checkpoint", CHECKPOINT, "FILE", 0, "written after each epoch and at the end", 0},
    {"resume", RESUME, "FILE", 0,
     "go on behind this checkpoint, at any rank count; batch, seed and optimizer are its own", 0},
    TGB_HELP_ROW,
    {NULL, 0, NULL, 0, NULL, 0},
};

static tg_status parse_real(const char *what, const char *text, double most, double *value)
{
    char *end;
    *value = strtod(text, &end);
    if (end != text && *end == '\0' && *value >= 0 && *value <= most)
        return tg_success();
    return tg_fail(TG_BAD_INPUT, "%s %.40s: expected a number from 0 to %g", what, text, most);
}

static tg_status parse_rule(const char *text, const tgl_rule **rule)
{
    *rule = tgl_rule_find(text);
    return *rule ? tg_success()
                 : tg_fail(TG_BAD_INPUT, "--optimizer %.40s: expected sgd or adam", text);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    tgb_train_words *w = state->input;
    switch (key) {
    case DATA:
        w->data = text;
        return 0;
    case OUTPUT:
        w->output = text;
        return 0;
    case CHECKPOINT:
        w->checkpoint = text;
        return 0;
    case RESUME:
        w->resume = text;
        return 0;
    case KERNELS:
        w->kernels = text;
        return 0;
    case DETERMINISTIC:
        w->deterministic = true;
        return 0;
    case EPOCHS:
        return tgb_keep(&w->words, tgb_parse_int("--epochs", text, 1, 1000000, &w->epochs));
    case BATCH:
        return tgb_keep(&w->words, tgb_parse_int("--batch", text, 1, 1 << 24, &w->batch));
    case STEPS:
        return tgb_keep(&w->words, tgb_parse_int("--steps", text, 1, 1L << 40, &w->steps));
    case SEED_OPTION:
        return tgb_keep(&w->words, tgb_parse_int("--seed", text, 0, 1L << 40, &w->seed));
    case OPTIMIZER:
        return tgb_keep(&w->words, parse_rule(text, &w->rule));
    case RATE:
        return tgb_keep(&w->words, parse_real("--rate", text, 1000, &w->rates.rate));
    case MOMENTUM:
        return tgb_keep(&w->words, parse_real("--momentum", text, 1, &w->rates.momentum));
    case ARGP_KEY_ARG:
        if (w->network)
            return tgb_keep(&w->words, tg_fail(TG_BAD_INPUT, "%.60s: expected one network", text));
        w->network = text;
        return 0;
    default:
        return tgb_common_option(key, text, state);
    }
}

static const struct argp rows = {
    .options = options,
    .parser = parse,
    .args_doc = "NETWORK",
    .doc =
        "Trains a network: NETWORK is a name in networks/, such as lenet5, or a file with a layer "
        "on each line.",
};

tg_status tgb_train_words_read(int argc, char **argv, tgb_train_words *w)
{
    *w = (tgb_train_words){.data = "/usr/share/datasets/fashion-mnist",
                           .epochs = 10,
                           .batch = -1,
                           .seed = -1,
                           .rates = {.rate = -1, .momentum = -1}};
    tg_status status = tgb_parse_options(&rows, argc, argv, &w->words);
    if (status.code == TG_OK && !w->network && !w->words.help)
        status = tg_fail(TG_BAD_INPUT, "no network; expected a name in networks/, as lenet5, or a "
                                       "file");
    return status;
}

int tgb_train_help(const tgb_launch *launch)
{
    return tgb_show_help(launch, &rows, "train");
}
