/* row.h: a measured cell as a row of cells.csv. */
#ifndef TGB_ROW_H
#define TGB_ROW_H

#include "bench/measure.h"
#include "bench/record.h"

/* Calls: Local. ok, wrong, skipped_mem, unsupported: as the column status. */
const char *tgb_status_of(const tgb_measurement *m);

/* Calls: Local. All columns that can be known now; the others stay empty. */
void tgb_fill_row(const tgb_cell *cell, const tgb_team *team, const tgb_measurement *m,
                  const tgb_rules *rules, long launch, const char *run_id, tgb_record *row);

/* Calls: Local. First line of the MPI library's version text, tabs as blanks; lives as long as the
 * program. */
const char *tgb_mpi_version(void);

#endif
