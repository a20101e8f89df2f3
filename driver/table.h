/* table.h: a CSV file (RFC 4180) with a header line, read whole; its columns are found by name.
 * An unfinished last line, which a killed run leaves behind, is not part of the table. */
#ifndef TGD_TABLE_H
#define TGD_TABLE_H

#include "primitives/layout.h"

typedef struct {
    char *path;
    int columns, rows; /* rows without the header */
    char **name;       /* columns of them */
    char **cell; /* cell[row * columns + column]; "" when empty. A row is one block of memory */
    long *line;  /* line of the file on which a row ends, from 1 */
} tgd_table;

/* Calls: Local. Errors: TG_BAD_INPUT names the file and the line (no file, no header, a row with
 * another number of fields, a quote in the wrong place, a column name twice, a thousand columns), TG_NO_MEMORY; *t is
 * then empty. */
tg_status tgd_table_read(const char *path, tgd_table *t);
void tgd_table_free(tgd_table *t); /* an empty table may be freed again */

/* Calls: Local. Forgets the rows that are not kept; the others stay in their order. */
void tgd_table_keep(tgd_table *t, const bool *kept);

/* Calls: Local. The same file row by row, for tables that need not fit into memory: `take` sees a
 * table of one row, row 0, which is gone afterwards. Errors: as read, or those of `take`, which end
 * the reading. */
typedef tg_status tgd_take_row(const tgd_table *t, void *context);
tg_status tgd_table_scan(const char *path, tgd_take_row *take, void *context);

/* Calls: Local. Index of a column, or -1. require: Errors: TG_BAD_INPUT names the file and the
 * column. */
int tgd_table_column(const tgd_table *t, const char *name);
tg_status tgd_table_require(const tgd_table *t, const char *name, int *column);

/* Calls: Local. The text of a cell; "" when it is empty or column is -1. */
const char *tgd_table_text(const tgd_table *t, int row, int column);

/* Calls: Local. The number in a cell, read with a dot in any locale; NAN when the cell is empty or
 * column is -1. Errors: TG_BAD_INPUT names the file, the line and the column. */
tg_status tgd_table_number(const tgd_table *t, int row, int column, double *value);

/* Calls: Local. The same by the column's name; "" and NAN also where there is no such column, NAN where
 * there is no number. */
const char *tgd_row_text(const tgd_table *t, int row, const char *name);
double tgd_row_number(const tgd_table *t, int row, const char *name);

#endif
