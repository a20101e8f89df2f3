/* measured.h: what a run folder says, for the rules of accept: its rows, the launches of one cell
 * side by side; the times of each rank; where each rank ran. */
#ifndef TGD_MEASURED_H
#define TGD_MEASURED_H

#include "driver/table.h"

#include <jansson.h>

/* A row of cells.csv. Texts point into the table. */
typedef struct {
    const char *op, *text, *direction, *status, *dtype, *algorithm, *shape, *grid_x, *grid_y,
        *started; /* text: the case */
    int cell, launch, ranks, line;
    double time_us; /* t_median_us; NAN: none */
    double size_bytes, moved_bytes, wrong, oversubscribed;
    double slowest; /* the rank that is the slowest most often; NAN: not known */
} tgd_row;

/* All times of one rank in one cell, over all its launches. */
typedef struct {
    double *us;
    int count, room;
} tgd_times;

/* One cell: the rows that agree in case, direction and ranks, by launch. */
typedef struct {
    const tgd_row *row;
    int count;
    tgd_times *rank; /* of each of its ranks; NULL: not looked at, see tgd_measured_ranks */
    double *value;   /* t_median_us of the launches with status ok, in their order */
    int values;
} tgd_group;

typedef struct {
    char *folder;
    tgd_table table;
    tgd_row *row;
    tgd_group *group;
    int rows, groups;
    json_t *record; /* run.json; NULL: there is none */
    bool has_ranks; /* samples.csv has the times of each rank */
} tgd_measured;

/* Calls: Local. Reads cells.csv, and run.json when it is there. Errors: TG_BAD_INPUT names the
 * folder, or file, line and column; *e is then empty. */
tg_status tgd_measured_read(const char *folder, tgd_measured *e);
void tgd_measured_free(tgd_measured *e);

/* Calls: Local. Reads samples.csv: fills `rank` of the groups that are wanted. A run without that
 * file, or without times of each rank in it, leaves them empty. Errors: TG_BAD_INPUT names the
 * file, line and column. */
tg_status tgd_measured_ranks(tgd_measured *e, bool (*wanted)(const tgd_group *group));

/* Calls: Local. Median over the launches, or over the repetitions of a rank; NAN without one. */
double tgd_group_median(const tgd_group *group);
double tgd_times_median(const tgd_times *times);

/* Calls: Local. A finite number from lo to hi in a cell of a table, NAN when it is empty; a whole
 * number, which may not be missing. Errors: TG_BAD_INPUT names the file, line and column. */
tg_status tgd_number_in(const tgd_table *t, int row, int column, double lo, double hi,
                        double *value);
tg_status tgd_count_in(const tgd_table *t, int row, int column, int least, int most, int *count);

/* Calls: Local. A word of a row's case, such as busy, as malloc'ed text; NULL: it has none. */
char *tgd_row_word(const tgd_row *row, const char *key);

/* Calls: Local. Where a rank of a row ran: index of its machine, -1: not known; and malloc'ed text
 * for a person: "rank 3 (node07, CPU 3)". */
int tgd_rank_machine(const tgd_measured *e, const tgd_row *row, int rank);
char *tgd_rank_name(const tgd_measured *e, const tgd_row *row, int rank);
char *tgd_machine_name(const tgd_measured *e, const tgd_row *row, int machine); /* "node07" */

#endif
