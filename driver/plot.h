/* plot.h: the verb plot of tensorgauge: figures from the cells of a run. */
#ifndef TGD_PLOT_H
#define TGD_PLOT_H

#include "primitives/layout.h"

/* Calls: Local. argv[0] is the verb: `plot RUN... [options]`. For each run it reads
 * RUN/cells.csv, chooses the figures that the cells can carry and writes NAME.csv, .gp, .txt, .pdf,
 * .svg and .png into RUN/figures; for several runs with --output DIR the same of all together, into DIR. Returns the exit status: 0, or 2 for wrong words or files (one
 * line on standard error, and nothing written). */
int tgd_plot(int argc, char **argv);

/* Calls: Local. Draws all of them when one of NAME.svg and NAME.txt is missing, and prints nothing. Errors:
 * TG_BAD_INPUT: as plot, also when the cells carry no figure. */
tg_status tgd_plot_missing(const char *run);

#endif
