/* json.h: what other programs read from tgbench: its operations, and the cells of a dry run. */
#ifndef TGB_JSON_H
#define TGB_JSON_H

#include "bench/cell.h"

/* Calls: Local. To standard output; false: it could not be written. */
bool tgb_print_operations(const tgb_operation *const *row, int count);
bool tgb_print_cells(const tgb_cells *cells);

#endif
