/* plot_draw.h: the files of figures, written and drawn. */
#ifndef TGD_PLOT_DRAW_H
#define TGD_PLOT_DRAW_H

#include "driver/paper.h"
#include "driver/plot_figures.h"

#include <stdio.h>

/* Where and how figures are drawn. */
typedef struct {
    const char *gnuplot;    /* its path */
    const char *folder;     /* made when it is missing */
    const tgd_paper *paper; /* NULL: the default */
    bool latex;             /* NAME_latex.tex and its PDF, too */
    FILE *told;             /* the path of each PDF is printed here; NULL: nowhere */
} tgd_easel;

/* Calls: Local. gnuplot's path in *path (malloc'ed). Errors: TG_BAD_INPUT: it is not installed. */
tg_status tgd_find_gnuplot(const char *verb, char **path);

/* Calls: Local. Runs `gnuplot --default-settings NAME.gp` in the folder, and tells of the figure. Errors: TG_BAD_INPUT
 * with the first line of what gnuplot said. */
tg_status tgd_gnuplot_draw(const tgd_easel *easel, const char *name);

/* Calls: Local. For each figure NAME.csv, .gp, .txt, and by gnuplot .pdf, .svg and .png, on all cores. gnuplot is started without a
 * shell, in the folder, and reads no start-up file of the user. Errors: TG_BAD_INPUT names the file, or says what
 * gnuplot said. */
tg_status tgd_figures_draw(const tgd_figures *figures, const tgd_points *points,
                           const tgd_easel *easel);

#endif
