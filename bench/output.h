/* output.h: rows onto a disk or standard output. One writer: rank 0. */
#ifndef TGB_OUTPUT_H
#define TGB_OUTPUT_H

#include "bench/cell.h"
#include "bench/counting.h"
#include "bench/measure.h"
#include "bench/record.h"

typedef struct {
    FILE *cells, *samples; /* samples NULL: rows go to standard output */
    FILE *counters;        /* NULL: nothing is counted */
    FILE *overlap;         /* NULL: not asked for */
    FILE *phases;          /* the same */
    char *run_id;          /* name of the folder; NULL: standard output */
    bool raw_all;          /* samples.csv has a line for each rank and repetition */
    long next_cell;        /* one above the largest number in cells.csv */
} tgb_output;

/* Calls: Local. Open DIR/cells.csv and DIR/samples.csv for appending, made with their headers when
 * absent; DIR NULL: standard output. Errors: TG_BAD_INPUT names the folder; nothing is left made
 * that was not there, except an empty folder. */
tg_status tgb_output_open(const char *dir, bool raw_all, tgb_output *output);
tg_status tgb_output_close(tgb_output *output);

/* Calls: Collective on the team; output is read on rank 0. The samples of a cell with the times of
 * each rank, which come one rank after another, some at a time. The row follows. */
void tgb_output_raw(tgb_output *output, const tgb_team *team, long launch, long cell,
                    const tgb_measurement *m);

/* Calls: Local. Samples first (where they are not written yet), the row last, each flushed to the disk: the row says that the cell
 * is complete. Errors: TG_BAD_INPUT: could not be written. */
tg_status tgb_output_cell(tgb_output *output, long launch, const tgb_record *row,
                          const tgb_measurement *m);

/* Calls: Local. Open DIR/counters.csv in an open output, as the other files; and write the lines of
 * one cell there, before its row. Errors: TG_BAD_INPUT; an output that was open is closed. */
tg_status tgb_output_open_counters(const char *dir, tgb_output *output);
tg_status tgb_output_counts(tgb_output *output, long launch, long cell,
                            const tgb_counting *counting);

/* Calls: Local. The same for DIR/overlap.csv, which has one line a cell. */
tg_status tgb_output_open_overlap(const char *dir, tgb_output *output);
tg_status tgb_output_overlap(tgb_output *output, long launch, long cell,
                             const tgb_overlap *overlap);

/* Calls: Local. The same for DIR/phases.csv, which has a line for each phase of a cell. */
tg_status tgb_output_open_phases(const char *dir, tgb_output *output);
tg_status tgb_output_phases(tgb_output *output, long launch, long cell,
                            const tgb_breakdown *breakdown);

#endif
