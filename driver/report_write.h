/* report_write.h: the parts of a report. The page needs no network and no script, and runs none: its
 * head forbids all but its own style and images that stand in the page. Every text of a run goes
 * through tgd_put_escaped. */
#ifndef TGD_REPORT_WRITE_H
#define TGD_REPORT_WRITE_H

#include "driver/compare_print.h"
#include "driver/html.h"

/* A cell of a side, its launches put together; NAN: not known. */
typedef struct {
    const tgd_side *side;
    const tgd_side_cell *cell;
    const char *op;
    double median_us, lo_us,
        hi_us; /* exact 95 % interval from 6 launches on, else least and most */
    double size_bytes, rate_GBps, bound_fraction;
    bool oversubscribed, exact;
} tgd_report_cell;

/* Figures of a folder. */
typedef struct {
    const char *of; /* the run, or what is compared */
    char *folder;
    char *trouble; /* why figures are missing; NULL: none is */
} tgd_gallery;

typedef struct {
    const tgd_words *runs; /* the folders, as they were given */
    const tgd_sides *sides;
    const tgd_comparison *comparison; /* NULL: one run of one build */
    const json_t *differences;        /* of the comparison */
    tgd_report_cell *cell;            /* ascending side, op, direction, ranks, size, case */
    int cells;
    tgd_gallery *gallery;
    int galleries;
} tgd_report_data;

/* Calls: Local. Fills cell and cells. Errors: TG_BAD_INPUT names the file, line and column. */
tg_status tgd_report_collect(tgd_report_data *data);

/* Calls: Local. The whole page. */
void tgd_report_write(const tgd_report_data *data, FILE *out);

/* ---- its sections ---- */

/* Calls: Local, all. */
typedef void tgd_report_section(const tgd_report_data *data, FILE *out);
tgd_report_section tgd_report_verdict, tgd_report_unusual, tgd_report_figures, tgd_report_tables,
    tgd_report_origin, tgd_report_repeat;

/* Calls: Local. The tag of a heading within what is said of one run. */
const char *tgd_report_heading(const tgd_report_data *data);

#endif
