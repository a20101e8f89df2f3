/* train_words.h: the words of `tensorgauge train`. */
#ifndef TGD_TRAIN_WORDS_H
#define TGD_TRAIN_WORDS_H

#include "driver/options.h"
#include "driver/text.h"

#include <jansson.h>

/* Options by their place in the list. The first TGD_TRAIN_SETTINGS of them say what is trained: they are kept in
 * run.json, and those after TGD_TRAIN_RANKS are passed on to tgbench. */
enum {
    TGD_TRAIN_RANKS,
    TGD_TRAIN_PASSED,
    TGD_TRAIN_SETTINGS = 11,
    TGD_TRAIN_OUTPUT = TGD_TRAIN_SETTINGS,
    TGD_TRAIN_BUILDS,
    TGD_TRAIN_LAUNCHER,
    TGD_TRAIN_OVERSUBSCRIBE,
    TGD_TRAIN_RESUME,
    TGD_TRAIN_OPTIONS
};

typedef struct {
    tgd_options options;
    const char *network;                   /* NULL: none */
    const char *option[TGD_TRAIN_OPTIONS]; /* its text, "" when it takes none, NULL: not given */
} tgd_train_words;

/* Calls: Local. Errors: TG_BAD_INPUT names the word. */
tg_status tgd_train_words_read(int argc, char **argv, tgd_train_words *words);
void tgd_train_help(void); /* onto standard output */

/* Calls: Local. The settings as an object of texts, and what such an object says where the words
 * do not; the texts stay the object's. */
json_t *tgd_train_settings(const tgd_train_words *words);
void tgd_train_fill(const json_t *settings, tgd_train_words *words);

/* Calls: Local. The words for tgbench behind its verb: network and options. */
void tgd_train_pass(const tgd_train_words *words, tgd_words *list);

#endif
