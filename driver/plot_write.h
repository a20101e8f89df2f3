/* plot_write.h: the files of a figure: NAME.csv (what is drawn), NAME.gp (draws it with gnuplot
 * alone) and NAME.txt (caption). */
#ifndef TGD_PLOT_WRITE_H
#define TGD_PLOT_WRITE_H

#include "driver/paper.h"
#include "driver/plot_figures.h"

/* What a NAME.gp is put together from: plots/style.gp, plots/SCRIPT.gp, plots/write.gp; and for which paper, also
 * for LaTeX. */
typedef struct {
    char *style, *script, *write;
    const tgd_paper *paper;
    bool latex;
} tgd_scripts;

/* Calls: Local. The paper is the default one. Errors: TG_BAD_INPUT names the file. After an error free as after success. */
tg_status tgd_scripts_read(const char *folder, const char *script, tgd_scripts *scripts);
void tgd_scripts_free(tgd_scripts *scripts);

/* Calls: Local. Writes the three files into the folder. Errors: TG_BAD_INPUT names the file and
 * why. */
tg_status tgd_figure_write(const tgd_figure *figure, const tgd_points *points,
                           const tgd_scripts *scripts, const char *folder);

#endif
