/* calibrate.h: the short calibration that a run measures before its cells, so that each of them
 * gets its lower bound: the same machine, the same launcher, the same rank counts. */
#ifndef TGD_CALIBRATE_H
#define TGD_CALIBRATE_H

#include "driver/campaign.h"
#include "driver/launch.h"

#include <stdio.h>

typedef struct {
    const tgd_campaign *campaign;
    const tgd_bench *bench;
    const tgd_launcher *launcher;
    const char *folder; /* of the run, from the root */
    const char *name;   /* of the file there: calibration.csv */
    FILE *log;
} tgd_calibration;

/* Calls: Local. One launch of tgbench for each rank count of the campaign, on the cells of
 * campaigns/parts/calibration.ini, in a tenth of the campaign's budget and at most the time that
 * stands there. The rows go to the file in the folder; a file that is there already is taken
 * as it is. *path: that file in malloc'ed text, for `tgbench time --calibration`; NULL: the
 * campaign wants none, this tgbench has no machine operations, or none could be measured (the log
 * says why). Errors: TG_BAD_INPUT: a file cannot be read or written. */
tg_status tgd_calibrate(const tgd_calibration *calibration, char **path);

#endif
