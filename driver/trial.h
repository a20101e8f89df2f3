/* trial.h: small launches of tgbench, for the program's own use: the rows they leave, and where
 * their time went. */
#ifndef TGD_TRIAL_H
#define TGD_TRIAL_H

#include "driver/launch.h"
#include "driver/table.h"

#include <signal.h>
#include <stdio.h>

enum { TGD_MOST_PHASES = 16 };

/* Seconds of all launches so far. */
typedef struct {
    double wall_s; /* from start to end of each launch, added up */
    int cells;     /* that the launches with phases had */
    int count;
    struct {
        char name[24];
        double time_s;
    } phase[TGD_MOST_PHASES]; /* as tgbench tells of them; in its order */
} tgd_spent;

typedef struct {
    const tgd_launcher *launcher;
    const char *folder; /* holds a folder of rows for each name, and log.txt */
    int ranks;
    const volatile sig_atomic_t *stop;
    FILE *log;
    int launches, failed; /* failed: ended with another exit status than 0 */
    tgd_spent spent;
} tgd_trial;

/* Calls: Local. Launch number `launch` of the cells in the text (what `tgbench time --cells`
 * reads), with more options or NULL; rows are appended in the folder `name`, and all launches share
 * the choices of algorithm=auto. Errors: TG_BAD_INPUT
 * when the cells could not be written. A launch that ends badly is counted, and no error. */
tg_status tgd_trial_launch(tgd_trial *trial, const char *name, int launch, const char *cells,
                           double budget_s, const char *options);

/* Calls: Local. The rows of all launches so far under a name; an empty table when there are none.
 * Errors: as tgd_table_read. */
tg_status tgd_trial_rows(const tgd_trial *trial, const char *name, tgd_table *rows);

#endif
