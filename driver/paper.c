/* paper.c: the sizes of columns and pages, and the fonts that are asked for. Sources: acmart (sigconf: columns of
 * 241 pt, a page of 506 pt), IEEEtran (252 pt and 516 pt, Times), Springer Nature, "Artwork and illustrations guidelines"
 * (84 and 174 mm, Helvetica or Arial, 8 to 12 pt), Nature, "Final submission" (89 and 183 mm, sans-serif, 5 to 7 pt). The
 * Liberation fonts have the widths of Arial and Times. */
#include "driver/paper.h"

#include "driver/text.h"

#include <stdlib.h>
#include <string.h>

const tgd_paper tgd_papers[] = {
    {"springer", 8.4, 17.4, 4.65, "Liberation Sans", 8, 1},
    {"acm", 8.45, 17.8, 4.65, "Liberation Sans", 8, 1},
    {"ieee", 8.85, 18.1, 4.9, "Liberation Serif", 8, 1},
    {"nature", 8.9, 18.3, 4.9, "Liberation Sans", 7, 1},
    {"slides", 24, 24, 9.5, "Liberation Sans", 18, 2.2},
    {"web", 16, 24, 7.6, "Liberation Sans", 11, 1.4},
    {.name = NULL},
};

tg_status tgd_paper_find(const char *name, const tgd_paper **paper)
{
    char *list = tgd_copy("");
    tg_status status = tg_success();
    for (*paper = tgd_papers; (*paper)->name && strcmp((*paper)->name, name) != 0; ++*paper) {
        char *longer = tgd_format("%s%s%s", list, *list ? ", " : "", (*paper)->name);
        free(list);
        list = longer;
    }
    if (!(*paper)->name)
        status = tg_fail(TG_BAD_INPUT, "plot: --for '%.60s': expected one of %s", name, list);
    free(list);
    return status;
}

double tgd_paper_scale(const tgd_paper *paper)
{
    return paper->font_pt / 8;
}

void tgd_paper_put(const tgd_paper *paper, bool wide, bool latex, FILE *file)
{
    fprintf(file,
            "if (!exists('width_cm')) width_cm = %g\nif (!exists('font')) font = '%s'\n"
            "if (!exists('font_pt')) font_pt = %g\nif (!exists('line')) line = %g\n",
            wide ? paper->wide_cm : paper->width_cm, paper->font, paper->font_pt, paper->line);
    if (latex)
        fputs("if (!exists('formats')) formats = 'pdf svg png tex'\n", file);
}
