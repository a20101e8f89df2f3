/* output.h: rows onto a disk or standard output. One writer: rank 0. */
#ifndef TGB_OUTPUT_H
#define TGB_OUTPUT_H

#include "bench/cell.h"
#include "bench/measure.h"
#include "bench/record.h"

typedef struct {
    FILE *cells, *samples; /* samples NULL: rows go to standard output */
    char *run_id;          /* name of the folder; NULL: standard output */
    long next_cell;        /* one above the largest number in cells.csv */
} tgb_output;

/* Calls: Local. Open DIR/cells.csv and DIR/samples.csv for appending, made with their headers when
 * absent; DIR NULL: standard output. Errors: TG_BAD_INPUT names the folder; nothing is left made
 * that was not there, except an empty folder. */
tg_status tgb_output_open(const char *dir, tgb_output *output);
tg_status tgb_output_close(tgb_output *output);

/* Calls: Local. Samples first, the row last, each flushed to the disk: the row says that the cell
 * is complete. Errors: TG_BAD_INPUT: could not be written. */
tg_status tgb_output_cell(tgb_output *output, long launch, const tgb_record *row,
                          const tgb_measurement *m);

#endif
