/* record.h: a row of results, column by column, as CSV (RFC 4180). No MPI.
 * The columns stand in columns.def, one line each, and nowhere else. */
#ifndef TGB_RECORD_H
#define TGB_RECORD_H

#include "primitives/layout.h"

#include <stdio.h>

enum { TGB_SCHEMA = 1 };

/* TGB_COL_schema, TGB_COL_run_id, ... in the order of the file, then TGB_COLUMNS = how many. */
typedef enum {
#define TGB_COLUMN(name, type, unit, meaning) TGB_COL_##name,
#include "bench/columns.def"
#undef TGB_COLUMN
    TGB_COLUMNS
} tgb_column_id;

typedef struct {
    const char *name, *type, *unit, *meaning;
} tgb_column;
extern const tgb_column tgb_columns[TGB_COLUMNS];

/* A row: one malloc'ed text a column; NULL is an empty cell: not measured. */
typedef struct {
    char *cell[TGB_COLUMNS];
} tgb_record;

/* Calls: Local. Set a cell. NAN and NULL leave it empty. Numbers have a dot in any locale and full
 * precision. They end the program with a message when there is no memory. */
void tgb_record_text(tgb_record *r, tgb_column_id column, const char *text);
void tgb_record_int(tgb_record *r, tgb_column_id column, long long value);
void tgb_record_real(tgb_record *r, tgb_column_id column, double value);
void tgb_record_clear(tgb_record *r);

/* Calls: Local. One CSV line (quoted where needed) that ends in a line feed, in a malloc'ed string;
 * the caller frees it. */
char *tgb_record_line(const tgb_record *r);
char *tgb_header_line(void);

/* Calls: Local. One field, quoted as RFC 4180 wants it when it holds a comma, quote or line end. */
void tgb_csv_field(FILE *file, const char *text);

#endif
