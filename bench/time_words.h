/* time_words.h: what the words of verb time ask for. */
#ifndef TGB_TIME_WORDS_H
#define TGB_TIME_WORDS_H

#include "bench/bound.h"
#include "bench/cell.h"
#include "bench/measure.h"
#include "bench/verbs.h"

typedef struct {
    tgb_words words;
    tgb_sweep sweep;
    tgb_rules rules;
    char **cases; /* not owned, as all texts here */
    int ncases;
    const char *swept; /* an option that shapes cases was given */
    const char *cells_file, *output, *facts, *calibration_file, *auto_cache;
    tgb_calibration calibration; /* rank 0 */
    long launch;
    double budget_s; /* negative: not given */
    bool turns;      /* cells of the same ranks, direction and size take turns */
    bool dry_run, json;
} tgb_time_words;

/* Calls: Local. Errors: TG_BAD_INPUT names the option or word, TG_NO_MEMORY; the words are to be
 * freed in any case. With --help only w->words.help is set. */
tg_status tgb_time_words_read(int argc, char **argv, tgb_time_words *w);
void tgb_time_words_free(tgb_time_words *w);
int tgb_time_help(const tgb_launch *launch, const char *verb); /* as tgb_show_help */

#endif
