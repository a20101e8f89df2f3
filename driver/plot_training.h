/* plot_training.h: the curves of a training: loss and test accuracy. */
#ifndef TGD_PLOT_TRAINING_H
#define TGD_PLOT_TRAINING_H

#include "driver/paper.h"

/* Calls: Local. Writes NAME.csv, NAME.gp and NAME.txt of each curve that RUN/training.csv can carry into
 * the folder, which is there, and gives each name to draw. paper NULL: the default. Errors: TG_BAD_INPUT names the file; what draw
 * returns. */
tg_status tgd_training_plot(const char *run, const char *scripts, const char *folder,
                            const tgd_paper *paper, bool latex,
                            tg_status (*draw)(void *context, const char *name), void *context);

#endif
