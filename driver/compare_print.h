/* compare_print.h: a comparison for a person, and as files. */
#ifndef TGD_COMPARE_PRINT_H
#define TGD_COMPARE_PRINT_H

#include "driver/compare_cells.h"

#include <stdio.h>

/* Calls: Local. The sides, what differs between them (tgd_sides_differences), the verdicts, sums for
 * each operation, what could have been found, and at most `lines` cells. Signs that could steer a
 * terminal are printed as '?'. */
void tgd_comparison_print(const tgd_comparison *comparison, const json_t *differences, int lines,
                          FILE *out);

/* Calls: Local. Of these: how many cells became what, by which test, and what could have been found; it
 * holds no text of a run. The letter that a side is called by. */
void tgd_comparison_verdicts(const tgd_comparison *comparison, FILE *out);
char tgd_side_letter(int side);

/* Calls: Local. compare.csv and compare.json in the folder; driver/README.md says what they hold.
 * Errors: TG_BAD_INPUT names the file and why. */
tg_status tgd_comparison_write(const tgd_comparison *comparison, const json_t *differences,
                               const char *folder);

/* Calls: Local. A figure for each operation, in the folder. `told` and errors: as tgd_figures_draw. */
tg_status tgd_comparison_draw(const tgd_comparison *comparison, const char *gnuplot,
                              const char *folder, FILE *told);

#endif
