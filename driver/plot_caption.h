/* plot_caption.h: the caption of a figure, plain text. */
#ifndef TGD_PLOT_CAPTION_H
#define TGD_PLOT_CAPTION_H

#include "driver/plot_figures.h"

#include <stdio.h>

/* Calls: Local. */
void tgd_put_caption(FILE *file, const tgd_figure *figure, const tgd_points *points);

#endif
