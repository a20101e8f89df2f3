/* export_formats.h: the cells of a run in formats that other programs read. */
#ifndef TGD_EXPORT_FORMATS_H
#define TGD_EXPORT_FORMATS_H

#include "driver/sides.h"

#include <stdio.h>

/* One cell: medians over its launches; NAN: not measured. */
typedef struct {
    const tgd_side *side;
    const tgd_side_cell *cell;
    double size_bytes, median_us, min_us, max_us; /* min, max: of the launches' medians */
    double osu_size_bytes, osu_avg_us, osu_min_us, osu_max_us, samples;
} tgd_exported;

typedef struct {
    const char *name, *what;
    void (*put)(const tgd_exported *cells, int count, FILE *out);
} tgd_format_row;
extern const tgd_format_row tgd_formats[]; /* ends with a row without name */

/* Calls: Local. A text of the cell's row. */
const char *tgd_exported_text(const tgd_exported *cell, const char *column);

#endif
