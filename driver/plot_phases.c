/* plot_phases.c: phases.csv, joined with cells.csv by launch and cell. */
#include "driver/plot_phases.h"

#include "driver/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const tgd_phase_names[TGD_PHASES] = {"kernel", "pack", "communication", "wait",
                                                 "total"};

/* The columns by which a line finds its cell. */
enum { LAUNCH, CELL, JOINED };
static const char *const joins[JOINED] = {"launch", "cell"};
typedef struct {
    tgd_table lines;
    const tgd_table *cells;
    tgd_points *points;
    int line_at[JOINED], phase_at, median_at; /* columns of lines */
    int cell_at[JOINED], status_at;           /* columns of cells */
    int row;                                  /* the cell of the line before */
} reading;

static tg_status find_columns(reading *r)
{
    tg_status status = tgd_table_require(&r->lines, "phase", &r->phase_at);
    if (status.code == TG_OK)
        status = tgd_table_require(&r->lines, "median_us", &r->median_at);
    for (int i = 0; i < JOINED && status.code == TG_OK; i++) {
        status = tgd_table_require(&r->lines, joins[i], &r->line_at[i]);
        if (status.code == TG_OK)
            status = tgd_table_require(r->cells, joins[i], &r->cell_at[i]);
    }
    return status.code == TG_OK ? tgd_table_require(r->cells, "status", &r->status_at) : status;
}

static bool belongs(const reading *r, int line, int row)
{
    bool same = true;
    for (int i = 0; i < JOINED && same; i++)
        same = strcmp(tgd_table_text(&r->lines, line, r->line_at[i]),
                      tgd_table_text(r->cells, row, r->cell_at[i])) == 0;
    return same;
}

/* NULL: no cell that is ok. The lines stand in the order of the cells, so the search goes on where it was. */
static tgd_point *point_of(reading *r, int line)
{
    for (int step = 0; step < r->cells->rows; step++) {
        const int row = (r->row + step) % r->cells->rows;
        if (belongs(r, line, row)) {
            r->row = row;
            return strcmp(tgd_table_text(r->cells, row, r->status_at), "ok") == 0
                       ? &r->points->at[r->points->of_row[row]]
                       : NULL;
        }
    }
    return NULL;
}

static tg_status add_line(reading *r, int line)
{
    const char *phase = tgd_table_text(&r->lines, line, r->phase_at);
    double us;
    const tg_status status = tgd_table_number(&r->lines, line, r->median_at, &us);
    if (status.code != TG_OK || isnan(us))
        return status;
    if (us < 0 || us > 1e15)
        return tg_fail(TG_BAD_INPUT, "'%.150s' line %ld: column median_us: expected a time",
                       r->lines.path, r->lines.line[line]);
    tgd_point *p = point_of(r, line);
    for (int i = 0; p && i < TGD_PHASES; i++)
        if (strcmp(phase, tgd_phase_names[i]) == 0) {
            p->phase_us[i] += us;
            p->divided += i == TGD_TOTAL;
        }
    return status;
}

tg_status tgd_phases_read(const char *run, const tgd_table *cells, tgd_points *points)
{
    reading r = {.cells = cells, .points = points};
    char *path = tgd_format("%s/phases.csv", run);
    tg_status status = tg_success();
    if (access(path, F_OK) == 0) {
        status = tgd_table_read(path, &r.lines);
        if (status.code == TG_OK)
            status = find_columns(&r);
        for (int line = 0; line < r.lines.rows && status.code == TG_OK; line++)
            status = add_line(&r, line);
    }
    for (int i = 0; i < points->count; i++)
        for (int phase = 0; phase < TGD_PHASES; phase++)
            points->at[i].phase_us[phase] /= fmax(points->at[i].divided, 1);
    tgd_table_free(&r.lines);
    free(path);
    return status;
}
