/* verbs.h: how long compare, accept, plot and report take over large runs, and how much memory. */
#ifndef TGD_VERBS_H
#define TGD_VERBS_H

#include "driver/text.h"

#include <signal.h>

typedef enum { TGD_COMPARE, TGD_ACCEPT, TGD_PLOT, TGD_REPORT, TGD_VERBS } tgd_verb;

typedef struct {
    bool ran;
    int status;               /* exit status */
    double wall_s, memory_MB; /* of the verb or of a gnuplot that it starts: the larger */
} tgd_verb_use;

/* Calls: Local. Makes two runs of about `rows` rows of cells.csv in the folder, runs each verb over
 * them, and removes them. Verbs that draw are left out where there is no gnuplot; a stop leaves out
 * what is still to come. Errors: TG_BAD_INPUT names a file that cannot be written. */
tg_status tgd_verbs_measure(const char *folder, long rows, const volatile sig_atomic_t *stop,
                            tgd_verb_use use[TGD_VERBS]);

#endif
