/* training_csv.h: training.csv: a row for each step, and one for each epoch. On rank 0 only: where csv
 * is NULL nothing is written. */
#ifndef TGB_TRAINING_CSV_H
#define TGB_TRAINING_CSV_H

#include "primitives/layout.h"

#include <stdio.h>

/* Calls: Local, all. A new file in the folder, which is made; with step >= 0 what is there goes on
 * behind the rows of that step. Errors: TG_BAD_INPUT names folder or file: there is one already, or it
 * cannot be written. */
tg_status tgb_training_csv_open(const char *folder, long step, FILE **csv);
void tgb_training_csv_step(FILE *csv, long step, long epoch, double loss, double images_per_s);
void tgb_training_csv_epoch(FILE *csv, long step, long epoch, double test_accuracy);

/* Errors: TG_BAD_INPUT: a row could not be written. */
tg_status tgb_training_csv_flush(FILE *csv);
tg_status tgb_training_csv_close(FILE *csv);

#endif
