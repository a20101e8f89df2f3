/* compare_draw.c: a comparison as figures: the points of the other runs, with ratios in the place of
 * their times. */
#include "driver/compare_print.h"

#include "driver/plot_draw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_key(const char *text, const char *direction, int ranks, const tgd_side_cell *cell)
{
    const int order = strcmp(text, cell->text);
    const int way = order ? order : strcmp(direction, cell->direction);
    return way ? way : (ranks > cell->ranks) - (ranks < cell->ranks);
}

/* The match of a point of the other run in matches[0 .. count), which are in the order of their
 * cells; -1: none with launches on both sides. */
static int find_match(const tgd_comparison *c, int first, int count, const tgd_point *p)
{
    int lo = first, hi = first + count - 1;
    while (lo < hi) {
        const int middle = (lo + hi) / 2;
        if (by_key(p->cell_case, p->direction, p->ranks, tgd_match_cell(&c->match[middle])) > 0)
            lo = middle + 1;
        else
            hi = middle;
    }
    const bool found = count > 0 && by_key(p->cell_case, p->direction, p->ranks,
                                           tgd_match_cell(&c->match[lo])) == 0;
    return found && c->difference[lo].outcome != TGD_UNMATCHED ? lo : -1;
}

static void free_parts(tgd_point *p)
{
    for (int part = 0; part < TGD_PARTS; part++)
        free(p->part[part]);
}

/* Takes over those points of one run that have a ratio. */
static void take_points(const tgd_comparison *c, int first, int count, tgd_points *from,
                        tgd_points *to)
{
    const int other = c->match[first].other;
    const tgd_side *side = &c->sides->side[other];
    for (int i = 0; i < from->count; i++) {
        tgd_point p = from->at[i];
        const bool ours = !side->build || strcmp(p.part[TGD_PART_BUILD], side->build) == 0;
        const int match = ours ? find_match(c, first, count, &p) : -1;
        if (match < 0) {
            free_parts(&p);
            continue;
        }
        const tgd_difference *d = &c->difference[match];
        p.time_us = d->ratio;
        p.lo_us = d->lo;
        p.hi_us = d->hi;
        p.bound_us = (double)NAN;
        p.launches = d->n < d->m ? d->n : d->m;
        free(p.part[TGD_PART_BUILD]);
        p.part[TGD_PART_BUILD] =
            tgd_format("run %c", c->sides->count > 2 && other < 26 ? 'A' + other : 'B');
        to->at = tgd_resize(to->at, to->count + 1, sizeof *to->at);
        to->at[to->count++] = p;
    }
    from->count = 0;
    tgd_points_free(from);
}

static tg_status add_side(const tgd_comparison *c, int first, int count, tgd_points *points)
{
    tgd_points theirs;
    const tg_status status = tgd_points_make(c->sides->side[c->match[first].other].table, &theirs);
    if (status.code == TG_OK)
        take_points(c, first, count, &theirs, points);
    else
        tgd_points_free(&theirs);
    return status;
}

tg_status tgd_comparison_draw(const tgd_comparison *c, const char *gnuplot, const char *folder,
                              FILE *told)
{
    tgd_points points = {.threads = (double)NAN, .band = c->terms.tolerance};
    tg_status status = tg_success();
    char *names = tgd_copy("");
    for (int s = 0; s < c->sides->count; s++) {
        char *longer = tgd_format("%s%s%c = %s", names, s ? ", " : "", s < 26 ? 'A' + s : '?',
                                  c->sides->side[s].name);
        free(names);
        names = longer;
    }
    points.run_id = names;
    points.mpi = tgd_copy("of the runs");
    for (int first = 0, next; first < c->count && status.code == TG_OK; first = next) {
        for (next = first; next < c->count && c->match[next].other == c->match[first].other;)
            next++;
        status = add_side(c, first, next - first, &points);
    }
    if (status.code == TG_OK) {
        tgd_figures figures = tgd_figures_make(&points, tgd_compare_kinds);
        const tgd_easel easel = {.gnuplot = gnuplot, .folder = folder, .told = told};
        status = tgd_figures_draw(&figures, &points, &easel);
        tgd_figures_free(&figures);
    }
    tgd_points_free(&points);
    return status;
}
