/* plot_phases.h: the phases of the cells of a run. */
#ifndef TGD_PLOT_PHASES_H
#define TGD_PLOT_PHASES_H

#include "driver/plot_points.h"

/* Calls: Local. Puts what RUN/phases.csv says into the points that were made of these cells; nothing
 * where there is no such file. Lines of cells that are not ok do not count. Errors: TG_BAD_INPUT names
 * the file, and the line or column. */
tg_status tgd_phases_read(const char *run, const tgd_table *cells, tgd_points *points);

#endif
