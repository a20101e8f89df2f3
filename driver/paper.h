/* paper.h: where a figure will stand: how wide it is there, its font and its lines. */
#ifndef TGD_PAPER_H
#define TGD_PAPER_H

#include "primitives/layout.h"

#include <stdio.h>

typedef struct {
    const char *name;
    double width_cm, wide_cm; /* of a column; of the page, for figures with many curves */
    double plot_cm;           /* height between the axes */
    const char *font;
    double font_pt;
    double line; /* factor of all line widths: 1 is 0.55 pt for the thinnest */
} tgd_paper;

extern const tgd_paper tgd_papers[]; /* the first is the default; ends with a row without name */

/* Calls: Local. Errors: TG_BAD_INPUT names the word and lists what there is. */
tg_status tgd_paper_find(const char *name, const tgd_paper **paper);

/* Calls: Local. Text is so much larger than 8 pt, and so are margins. */
double tgd_paper_scale(const tgd_paper *paper);

/* Calls: Local. The lines of a NAME.gp that say it, each only where the command line does not: width_cm, font, font_pt,
 * line; with latex formats too. */
void tgd_paper_put(const tgd_paper *paper, bool wide, bool latex, FILE *file);

#endif
