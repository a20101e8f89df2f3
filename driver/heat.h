/* heat.h: a figure of the links between ranks: a square for each pair. */
#ifndef TGD_HEAT_H
#define TGD_HEAT_H

#include "driver/measured.h"

/* Calls: Local. For each case, direction and rank count of machine:pairs with the times of four
 * links at least: FOLDER/figures/pairs_SHAPE_Pranks.csv, .gp, .txt, and .pdf, .svg, .png by gnuplot;
 * prints the name of each PDF. Without gnuplot nothing. Errors: TG_BAD_INPUT names the file, or what
 * gnuplot said. */
tg_status tgd_heat_draw(const tgd_measured *e);

#endif
