/* cells.h: the cells.csv of a run folder, checked. */
#ifndef TGD_CELLS_H
#define TGD_CELLS_H

#include "driver/table.h"

/* Calls: Local. Reads RUN/cells.csv. Errors: TG_BAD_INPUT: no folder, no such file, what table.h
 * refuses, a row whose column `schema` is not ours; the table is then empty. */
tg_status tgd_cells_read(const char *run, tgd_table *cells);

/* Calls: Local. Can a time be one? Zero, less than a picosecond and more than thirty years are no
 * measurement, nor is NAN. */
bool tgd_is_time(double time_us);

#endif
