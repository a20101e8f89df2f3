/* run_words.h: the words of `tensorgauge run`. */
#ifndef TGD_RUN_WORDS_H
#define TGD_RUN_WORDS_H

#include "driver/options.h"

/* Options by their place in the list. The first TGD_SETTINGS of them are settings of a campaign of
 * the same name, which they replace. */
enum {
    TGD_SETTINGS = 28,
    TGD_OUTPUT = TGD_SETTINGS,
    TGD_BUILDS,
    TGD_LAUNCHER,
    TGD_OVERSUBSCRIBE,
    TGD_SIMULATE,
    TGD_RESUME,
    TGD_DRY_RUN,
    TGD_OPTIONS
};

typedef struct {
    tgd_options options;
    const char *campaign; /* NULL: none */
    const char
        *option[TGD_OPTIONS]; /* its text, "" when it takes none, NULL when it is not given */
} tgd_run_words;

/* Calls: Local. Errors: TG_BAD_INPUT names the word. */
tg_status tgd_run_words_read(int argc, char **argv, tgd_run_words *words);

const char *tgd_option_name(int option); /* without its dashes */
void tgd_run_help(void);                 /* onto standard output */

#endif
