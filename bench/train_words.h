/* train_words.h: the words of verb train. */
#ifndef TGB_TRAIN_WORDS_H
#define TGB_TRAIN_WORDS_H

#include "bench/verbs.h"
#include "layers/layers.h"

typedef struct {
    tgb_words words;
    const char *network;             /* a name in networks/, or a file */
    const char *data, *output;       /* folders; output: NULL: none */
    const char *checkpoint, *resume; /* files; NULL: none */
    const char *kernels;             /* of the layers that name none; NULL: auto */
    long epochs, steps;              /* steps: 0: to the end of the epochs */
    long batch, seed;                /* -1: not given */
    const tgl_rule *rule;            /* NULL: not given */
    tgl_rates rates;                 /* rate and momentum: -1: not given */
    bool deterministic;
} tgb_train_words;

/* Calls: Local. Errors: TG_BAD_INPUT names the word. */
tg_status tgb_train_words_read(int argc, char **argv, tgb_train_words *w);
int tgb_train_help(const tgb_launch *launch);

#endif
