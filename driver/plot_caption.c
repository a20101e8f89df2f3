/* plot_caption.c: the caption of a figure: what is drawn, its estimator and interval, launches, base
 * case, and where it was measured. */
#include "driver/plot_caption.h"

#include "driver/plain.h"
#include "driver/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void put_range(FILE *file, const char *before, double min, double max, char *(*text)(double),
                      const char *after)
{
    char *low = text(min), *high = text(max);
    fprintf(file, "%s%s", before, low);
    if (strcmp(low, high) != 0)
        fprintf(file, " to %s", high);
    fputs(after, file);
    free(low);
    free(high);
}

static void put_series(FILE *file, const tgd_figure *figure, const tgd_series *series)
{
    const tgd_point *one = NULL;
    double size_min = NAN, size_max = NAN, work_min = NAN, work_max = NAN;
    for (int m = 0; m < series->count; m++) {
        const tgd_point *p = series->mark[m].point;
        if (p) {
            one = p;
            tgd_widen(&size_min, &size_max, p->size_bytes);
            tgd_widen(&work_min, &work_max, p->work);
        }
    }
    tgd_put_plain(file, "  ", series->label, ": ");
    tgd_put_plain(file, "", one->op, "");
    tgd_put_plain(file, " ", one->direction, "");
    if (*one->part[TGD_PART_ALGORITHM])
        tgd_put_plain(file, ", algorithm ", one->part[TGD_PART_ALGORITHM], "");
    tgd_put_plain(file, ", ", one->part[TGD_PART_DTYPE], "");
    if (isfinite(size_min))
        put_range(file, ", tensor of ", size_min, size_max, tgd_bytes_text, "");
    if (strcmp(figure->kind->scaling, "weak") == 0 && isfinite(work_min)) {
        put_range(file, ", for each rank ", work_min, work_max,
                  one->layer ? tgd_flops_text : tgd_bytes_text, one->layer ? "" : " held");
    }
    if (figure->kind->along_size)
        fprintf(file, ", %d rank%s", one->ranks, one->ranks == 1 ? "" : "s");
    if (series->base && (figure->kind->needs_base || strcmp(figure->kind->script, "weak") == 0)) {
        fprintf(file, "; base case: %d rank%s, %.4g us", series->base->ranks,
                series->base->ranks == 1 ? "" : "s", series->base->time_us);
        if (isfinite(series->base->lo_us))
            fprintf(file, " (%.4g to %.4g us)", series->base->lo_us, series->base->hi_us);
    }
    tgd_put_plain(file, ".\n    Case at the last point: ", one->cell_case, "\n");
}

static void put_interval(FILE *file, const tgd_kind *kind, int launches)
{
    fputs("Value of a cell: the median over repetitions of the maximum over ranks", file);
    fputs(launches > 1 ? "; then the median over launches.\n" : ".\n", file);
    if (launches <= 1) {
        fputs("Bars: 95 % exact binomial interval of the median, within one launch; none below 6 "
              "repetitions.\n",
              file);
    } else if (launches < 6) {
        fputs("Bars: smallest to largest launch (fewer than 6 launches give no interval).\n", file);
    } else {
        fputs("Bars: 95 % exact binomial interval of the median over launches.\n", file);
    }
    if (kind->needs_base || tgd_draws(kind, "ratio")) {
        fputs("Bars of a quotient run between the quotients of opposite ends of both intervals",
              file);
        fputs(kind->needs_base ? " (that of the base case too), so they cover at least 90 %.\n"
                               : ", so they cover at least 90 %.\n",
              file);
    }
}

/* What the marks of a figure have in common, or between what they lie. */
typedef struct {
    int least, most; /* launches */
    double nodes_min, nodes_max;
    bool hollow, stars, bounds, simulated; /* one at least is */
} shown;

static shown look_at(const tgd_figure *figure)
{
    shown all = {.nodes_min = NAN, .nodes_max = NAN};
    for (int s = 0; s < figure->count; s++) {
        for (int m = 0; m < figure->series[s].count; m++) {
            const tgd_mark *mark = &figure->series[s].mark[m];
            const tgd_point *p = mark->point;
            if (!p || p->launches <= 0)
                continue;
            all.least = all.least == 0 || p->launches < all.least ? p->launches : all.least;
            all.most = p->launches > all.most ? p->launches : all.most;
            tgd_widen(&all.nodes_min, &all.nodes_max, p->nodes);
            all.hollow = all.hollow || p->oversubscribed;
            all.simulated = all.simulated || p->simulated;
            all.stars = all.stars || mark->y.superlinear;
            all.bounds = all.bounds || tgd_has_bound(figure->kind, &figure->series[s], mark);
        }
    }
    return all;
}

static char *whole_text(double number)
{
    return tgd_format("%.0f", number);
}

/* Where the points come from. */
static void put_origin(FILE *file, const tgd_points *points, const shown *all)
{
    if (points->about) {
        char *about = tgd_copy(points->about), *rest = about;
        for (char *text = strsep(&rest, "\n"); text; text = strsep(&rest, "\n"))
            tgd_put_plain(file, "", text, *text ? "\n" : "");
        free(about);
        return;
    }
    if (points->machine)
        tgd_put_plain(file, "Machine: ", points->machine, ". ");
    tgd_put_plain(file, "MPI: ", points->mpi, ".");
    if (isfinite(all->nodes_min))
        put_range(file, " Nodes: ", all->nodes_min, all->nodes_max, whole_text, ".");
    if (isfinite(points->threads))
        fprintf(file, " BLAS threads of a rank: %.0f.", points->threads);
    tgd_put_plain(file, " Run: ", points->run_id, ".\n");
}

void tgd_put_caption(FILE *file, const tgd_figure *figure, const tgd_points *points)
{
    const shown all = look_at(figure);
    fprintf(file, "%s.\n", figure->kind->what);
    if (all.simulated)
        fputs("Simulated, not measured: times that SimGrid computes for the platform in the run "
              "folder.\n",
              file);
    fputs("Series:\n", file);
    for (int s = 0; s < figure->count; s++)
        put_series(file, figure, &figure->series[s]);
    if (figure->kind->bars)
        fprintf(file, "%s\n", figure->kind->bars);
    else
        put_interval(file, figure->kind, all.least);
    if (points->band > 0)
        fprintf(file, "Grey band: the same, within %.3g %%.\n", 100 * points->band);
    fprintf(file, all.least == all.most ? "Launches: %d.\n" : "Launches: %d to %d.\n", all.least,
            all.most);
    if (all.hollow && !figure->kind->divided) {
        fputs("Hollow marks: oversubscribed, more ranks than cores. They mean nothing as scaling, "
              "and no line joins them.\n",
              file);
    }
    if (all.bounds) {
        fputs("Thin lines: lower bounds from the run's own calibration, the largest of latency, "
              "link, memory and compute; none where ranks share cores.\n",
              file);
    }
    if (all.stars)
        fputs("Stars: more than 5 % above the ideal (superlinear).\n", file);
    if (!figure->kind->along_size && figure->count > 1 &&
        (tgd_draws(figure->kind, "ratio") || strcmp(figure->kind->script, "time_ranks") == 0)) {
        fputs(
            "Marks that would cover each other stand side by side; the tick is their rank count.\n",
            file);
    }
    if (points->rejected > 0)
        fprintf(file, "Not drawn: %d rows of the run whose status is not ok.\n", points->rejected);
    if (all.hollow && figure->kind->divided)
        fputs("Bars with a circle: oversubscribed, more ranks than cores.\n", file);
    if (!figure->kind->divided)
        fputs("Lines join neighbours that were measured; nothing was measured between them.\n",
              file);
    put_origin(file, points, &all);
}
