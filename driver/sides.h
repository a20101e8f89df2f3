/* sides.h: what is compared: the cells of a run, or of one build of a run, each with its launches;
 * and which cells of two sides are the same (case, direction and ranks agree). */
#ifndef TGD_SIDES_H
#define TGD_SIDES_H

#include "driver/table.h"
#include "driver/text.h"

#include <jansson.h>

typedef struct {
    const char *text, *direction; /* the case; texts of the table */
    int ranks;
    int row;         /* of the table: its first right row, else its first row */
    double *us;      /* t_median_us of each launch whose status is ok */
    int *launch_row; /* the row of each */
    int launches;
    int left_out; /* rows whose status is not ok, or that have no time */
} tgd_side_cell;

typedef struct {
    char *name;             /* as the run was given; with /BUILD where a run has several builds */
    const char *build;      /* NULL: the run has one build */
    const tgd_table *table; /* cells.csv */
    const json_t *record;   /* run.json; NULL: there is none */
    tgd_side_cell *cell;    /* ascending case, direction, ranks */
    int count;
    int left_out;
} tgd_side;

typedef struct {
    tgd_table *table; /* one for each run */
    json_t **record;
    int runs;
    tgd_side *side; /* one for each build of each run, in the order of the runs and of their rows */
    int count;
} tgd_sides;

/* Calls: Local. Reads runs. Errors: TG_BAD_INPUT names the file, line and column; *sides can then be
 * freed as after success. */
tg_status tgd_sides_read(const tgd_words *runs, tgd_sides *sides);
void tgd_sides_free(tgd_sides *sides);

/* Calls: Local. The median over a cell's launches of a column; NAN where none has it. Errors: TG_BAD_INPUT
 * names the file, line and column. */
tg_status tgd_side_median(const tgd_side *side, const tgd_side_cell *cell, const char *column,
                          double *median);

/* A cell of the first side beside the same one of another side. */
typedef struct {
    int other;                  /* which side */
    const tgd_side_cell *a, *b; /* of the first and of the other side; NULL: not there */
} tgd_match;

/* Calls: Local. All cells of the first side against those of each other one; malloc'ed, the number
 * in *count. */
tgd_match *tgd_sides_match(const tgd_sides *sides, int *count);

/* Calls: Local. The side that a match's identity is taken from: the first one where the cell is
 * there. A text of its row, "" when there is no such column. */
const char *tgd_match_text(const tgd_sides *sides, const tgd_match *match, const char *column);
const tgd_side_cell *tgd_match_cell(const tgd_match *match);

/* Calls: Local. What differs between the sides: an array of {"what", "values": [text of each side]}:
 * members of run.json that say where, how and with which versions it was measured, and columns of
 * cells.csv that say what the numbers are. The caller owns it. */
json_t *tgd_sides_differences(const tgd_sides *sides);

#endif
