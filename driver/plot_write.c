/* plot_write.c: the files of a figure. What a run's CSV says is data: it goes into the data file,
 * and into a gnuplot script only as a label in single quotes, reduced to letters, digits and a few
 * signs. */
#include "driver/plot_write.h"

#include "bench/record.h"
#include "driver/plain.h"
#include "driver/plot_caption.h"
#include "driver/text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the data file ---- */

static void put_number(FILE *file, double value)
{
    if (isfinite(value))
        fprintf(file, ",%.12g", value);
    else
        fputc(',', file); /* empty: not measured */
}

static void put_field(FILE *file, const char *text)
{
    char *copy = tgd_plain(text);
    fputc(',', file);
    tgb_csv_field(file, copy);
    free(copy);
}

static void put_data(FILE *file, const tgd_figure *figure, const tgd_points *points,
                     const tgd_scripts *scripts)
{
    (void)points;
    (void)scripts;
    fprintf(file,
            "series,label,op,direction,algorithm,dtype,ranks,size_bytes,rank_work,oversubscribed,"
            "launches,%s,lo,hi,"
            "bound_us,ideal_us,superlinear,",
            figure->kind->column);
    for (int i = 0; figure->kind->divided && i < TGD_TOTAL; i++)
        fprintf(file, "%s_us,", tgd_phase_names[i]);
    fputs("case\n", file);
    for (int s = 0; s < figure->count; s++) {
        const tgd_series *series = &figure->series[s];
        for (int m = 0; m < series->count; m++) {
            const tgd_mark *mark = &series->mark[m];
            const tgd_point *p = mark->point;
            fprintf(file, "%d", s + 1);
            put_field(file, series->label);
            put_field(file, p ? p->op : "");
            put_field(file, p ? p->direction : "");
            put_field(file, p ? p->part[TGD_PART_ALGORITHM] : "");
            put_field(file, p ? p->part[TGD_PART_DTYPE] : "");
            put_number(file, figure->kind->along_size ? (p ? (double)p->ranks : NAN) : mark->x);
            put_number(file, p ? p->size_bytes : NAN);
            put_number(file, p ? p->work : NAN);
            fprintf(file, ",%d,%d", p && p->oversubscribed, p ? p->launches : 0);
            put_number(file, mark->y.value);
            put_number(file, mark->y.lo);
            put_number(file, mark->y.hi);
            put_number(file, mark->y.bound_us);
            put_number(file, mark->y.ideal_us);
            fprintf(file, ",%d", mark->y.superlinear);
            for (int i = 0; figure->kind->divided && i < TGD_TOTAL; i++)
                put_number(file, p ? p->phase_us[i] : NAN);
            put_field(file, p ? p->cell_case : "");
            fputc('\n', file);
        }
    }
}

/* ---- axes ---- */

/* What is in view. */
typedef struct {
    double x_min, x_max, y_min, y_max;
    bool bounds, ideals, stars, hollow;
    double y_unit; /* the values are divided by it */
    const char *unit;
} view;

/* Room beyond the outermost values: 6 % of the axis on each side, and at least a factor of `least`
 * in all. */
static void pad(double *min, double *max, double least)
{
    const double factor = fmax(sqrt(fmax(1, least / (*max / *min))), pow(*max / *min, 0.06));
    *min /= factor;
    *max *= factor;
}

/* Bounds stay in view, unless they are so far below all times that these could not be told apart. */
static void widen_to_bounds(view *v, double lowest, double highest)
{
    v->bounds = isfinite(lowest);
    tgd_widen(&v->y_min, &v->y_max, v->bounds ? fmax(lowest, v->y_min / 5) : NAN);
    tgd_widen(&v->y_min, &v->y_max, v->bounds ? fmin(highest, v->y_max * 5) : NAN);
}

/* Half the width of a bar, in log2: neighbours do not touch. The marks of one series are all places
 * along x. */
static double bar_of(const tgd_figure *figure)
{
    const tgd_series *any = &figure->series[0];
    double least = 1;
    for (int m = 1; m < any->count; m++)
        least = fmin(least, log2(any->mark[m].x / any->mark[m - 1].x));
    return 0.32 * least;
}

static view view_of(const tgd_figure *figure, const tgd_points *points)
{
    view v = {NAN, NAN, NAN, NAN, false, false, false, false, 1, ""};
    double lowest = NAN, highest = NAN; /* bounds */
    for (int s = 0; s < figure->count; s++) {
        for (int m = 0; m < figure->series[s].count; m++) {
            const tgd_mark *mark = &figure->series[s].mark[m];
            tgd_widen(&v.x_min, &v.x_max, mark->x);
            tgd_widen(&v.y_min, &v.y_max, mark->y.value);
            tgd_widen(&v.y_min, &v.y_max, mark->y.lo);
            tgd_widen(&v.y_min, &v.y_max, mark->y.hi);
            if (strcmp(figure->kind->script, "weak") == 0) {
                tgd_widen(&v.y_min, &v.y_max, mark->y.ideal_us);
                v.ideals = v.ideals || isfinite(mark->y.ideal_us);
            }
            if (tgd_has_bound(figure->kind, &figure->series[s], mark))
                tgd_widen(&lowest, &highest, mark->y.bound_us);
            v.stars = v.stars || mark->y.superlinear;
            v.hollow =
                v.hollow || (mark->point && mark->point->oversubscribed && isfinite(mark->y.value));
        }
    }
    widen_to_bounds(&v, lowest, highest);
    tgd_widen(&v.y_min, &v.y_max, figure->kind->y_ideal);
    if (points->band > 0) {
        tgd_widen(&v.y_min, &v.y_max, 1 / (1 + points->band));
        tgd_widen(&v.y_min, &v.y_max, 1 + points->band);
    }
    if (tgd_draws(figure->kind, "speedup")) { /* the ideal line stays in view */
        tgd_widen(&v.y_min, &v.y_max, v.x_min);
        tgd_widen(&v.y_min, &v.y_max, v.x_max);
    }
    if (tgd_draws(figure->kind, "time_us") || figure->kind->divided) {
        const double middle = sqrt(v.y_min * v.y_max);
        v.y_unit = middle >= 1e6 ? 1e6 : middle >= 1e3 ? 1e3 : 1;
        v.unit = middle >= 1e6 ? "s" : middle >= 1e3 ? "ms" : "µs";
        v.y_min /= v.y_unit;
        v.y_max /= v.y_unit;
    }
    pad(&v.x_min, &v.x_max, figure->kind->along_size ? 4 : 1.3);
    if (figure->kind->divided) { /* room for half a bar on each side, and above the highest */
        v.x_min /= exp2(2 * bar_of(figure));
        v.x_max *= exp2(2 * bar_of(figure));
        v.y_max *= 1.15;
        return v;
    }
    if (tgd_draws(figure->kind, "efficiency")) { /* a linear axis from 0 */
        v.y_max = fmax(1.15, 1.05 * v.y_max);
        return v;
    }
    pad(&v.y_min, &v.y_max, tgd_draws(figure->kind, "ratio") ? 2.5 : 6);
    return v;
}

/* Ticks of a logarithmic axis: the steps of the first list that gives three ticks, within each
 * power of base. */
static void put_log_ticks(FILE *file, double min, double max, int base)
{
    static const double lists[][4][8] = {
        {{1}, {1, 3}, {1, 2, 5}, {1, 1.5, 2, 3, 4, 5, 7}},
        {{1}, {1, 1.5}, {1, 1.25, 1.5, 1.75}, {1, 1.125, 1.25, 1.375, 1.5, 1.75}}};
    const double(*list)[8] = lists[base == 2];
    const double low = floor(log(min) / log(base)), high = ceil(log(max) / log(base));
    const int every = high - low > 16 ? 4 : high - low > 8 ? 2 : 1;
    for (int choice = 0; choice < 4; choice++) {
        char *text = NULL;
        size_t size = 0;
        int ticks = 0;
        FILE *out = open_memstream(&text, &size);
        if (!out)
            return;
        for (double power = low; power <= high; power++) {
            for (int i = 0; i < 8 && list[choice][i] > 0; i++) {
                const double value = list[choice][i] * pow(base, power);
                if (value >= min && value <= max && fmod(fabs(power), every) == 0) {
                    const bool fraction = base == 2 && power < 0 && list[choice][i] <= 1;
                    fprintf(out, "%s'%s%.6g' %.12g", ticks++ ? ", " : "", fraction ? "1/" : "",
                            fraction ? 1 / value : value, value);
                }
            }
        }
        fclose(out);
        const bool enough = ticks >= 3 || choice == 3;
        if (enough)
            fprintf(file, "set ytics (%s)\n", text);
        free(text);
        if (enough)
            return;
    }
}

/* Ticks at the measured rank counts; those without room for a number have none. Powers of two come
 * first. */
static void put_rank_ticks(FILE *file, const tgd_figure *figure, const view *v, double letters)
{
    double tick[256];
    bool numbered[256];
    int ticks = 0;
    for (int s = 0; s < figure->count; s++) {
        for (int m = 0; m < figure->series[s].count; m++) {
            const double x = figure->series[s].mark[m].x;
            bool known = ticks == 256;
            for (int t = 0; t < ticks && !known; t++)
                known = tick[t] == x;
            if (!known) {
                numbered[ticks] = false;
                tick[ticks++] = x;
            }
        }
    }
    const double room =
        log2(v->x_max / v->x_min) / (18 * letters); /* a column holds about 18 numbers */
    for (int pass = 0; pass < 2; pass++) {
        for (int t = 0; t < ticks; t++) {
            bool free_place = !numbered[t] && (pass == 1 || log2(tick[t]) == floor(log2(tick[t])));
            for (int u = 0; u < ticks && free_place; u++) {
                const double digits = 1 + floor(log10(fmax(tick[t], tick[u])));
                free_place =
                    !numbered[u] || fabs(log2(tick[t] / tick[u])) >= room * (0.4 + 0.6 * digits);
            }
            numbered[t] = numbered[t] || free_place;
        }
    }
    fputs("set xtics (", file);
    for (int t = 0; t < ticks; t++) {
        fprintf(file, t ? ", " : "");
        fprintf(file, numbered[t] ? "'%.0f' %.0f" : "'' %.0f", tick[t], tick[t]);
    }
    fputs(")\n", file);
}

/* Ticks at powers of two of bytes, about seven in a column. */
static void put_size_ticks(FILE *file, const view *v, double letters)
{
    static const char *const unit[] = {"", " Ki", " Mi", " Gi", " Ti", " Pi"};
    const int low = (int)fmax(0, ceil(log2(v->x_min))), high = (int)floor(log2(v->x_max));
    const int every = (int)((high - low) / (7 * letters)) + 1;
    int ticks = 0;
    fputs("set xtics (", file);
    for (int power = low; power <= high && power < 60; power++) {
        if (power % every == 0 || high - low < 3) {
            fprintf(file, "%s'%d%s' %.0f", ticks++ ? ", " : "", 1 << power % 10, unit[power / 10],
                    exp2(power));
        }
    }
    fputs(")\n", file);
}

/* ---- the gnuplot file ---- */

static void put_array(FILE *file, const char *name, const tgd_figure *figure,
                      int (*of)(const tgd_series *))
{
    fprintf(file, "array %s[%d] = [", name, figure->count);
    for (int s = 0; s < figure->count; s++)
        fprintf(file, "%s%d", s ? ", " : "", of(&figure->series[s]));
    fputs("]\n", file);
}

static int look_of(const tgd_series *series)
{
    return series->look;
}
static int shape_of(const tgd_series *series)
{
    return series->shape;
}
static int raw_of(const tgd_series *series)
{
    return series->raw;
}
static int bounded_of(const tgd_series *series)
{
    return !series->raw && !series->shares_bound;
}

/* Marks that would cover each other are moved along x, by this much in log2: raw calls beside their
 * primitive, and all series of ratios near 1. */
static void put_shifts(FILE *file, const tgd_figure *figure, const view *v)
{
    const tgd_series *any =
        &figure->series[0]; /* its marks, gaps among them, are all places along x */
    const bool ratios = tgd_draws(figure->kind, "ratio");
    double step = 0.012 * log2(v->x_max / v->x_min);
    for (int m = 1; m < any->count && !figure->kind->along_size; m++)
        step = fmin(step, 0.6 * log2(any->mark[m].x / any->mark[m - 1].x) / figure->count);
    fprintf(file, "array shift[%d] = [", figure->count);
    for (int s = 0; s < figure->count; s++) {
        const double steps = ratios                     ? s - 0.5 * (figure->count - 1)
                             : figure->kind->along_size ? 0
                                                        : figure->series[s].raw;
        fprintf(file, "%s%.4g", s ? ", " : "", steps * step);
    }
    fputs("]\n", file);
}

/* Many curves: two columns of a page. */
static bool is_wide(const tgd_figure *figure)
{
    return figure->kind->looks > TGD_LOOKS;
}

/* The names of the series, and the room above the plot that they and the other names take. */
static void put_names(FILE *file, const tgd_figure *figure, const view *v, const tgd_paper *paper)
{
    const bool line =
        v->ideals || isfinite(figure->kind->y_ideal) || tgd_draws(figure->kind, "speedup");
    const int names =
        (figure->kind->divided ? TGD_TOTAL : figure->count) + line + v->bounds + v->hollow;
    size_t longest = strlen(v->hollow ? "oversubscribed" : "ideal");
    int raws = 0;
    fprintf(file, "array label[%d] = [", figure->count);
    for (int s = 0; s < figure->count; s++) {
        const tgd_series *series = &figure->series[s];
        tgd_put_plain(file, s ? ", '" : "'", series->label, "'");
        longest = strlen(series->label) > longest ? strlen(series->label) : longest;
        raws += series->raw;
    }
    fputs("]\n", file);
    if (figure->kind->divided)
        longest = strlen(tgd_phase_names[TGD_COMMUNICATION]);
    const bool wide = is_wide(figure);
    const double em = tgd_paper_scale(paper);
    const int room =
        (int)(wide ? (10 * paper->wide_cm / em - 19) / (1.9 * (double)longest + 9)
                   : (10 * paper->width_cm / em - 10) / /* mm: column, letter, sample */
                         (1.5 * (double)longest + 9));
    const int wanted = raws * 2 == figure->count ? 2 : names; /* primitives beside raw calls */
    const int columns = room < 1 ? 1 : room < wanted ? room : wanted;
    const int rows = (names + columns - 1) / columns;
    fprintf(file, "key_columns = %d\nkey_rows = %d\nkey_width = %g\nheight_cm = %.2f\n", columns,
            rows,
            longest < 8    ? 0.5
            : longest < 16 ? 0
                           : -1,
            paper->plot_cm * (wide ? 1.75 : 1) + (1.3 + 0.355 * rows) * em);
}

static void put_gp(FILE *file, const tgd_figure *figure, const tgd_points *points,
                   const tgd_scripts *scripts)
{
    const view v = view_of(figure, points);
    const tgd_paper *paper = scripts->paper;
    const double width_cm = is_wide(figure) ? paper->wide_cm : paper->width_cm;
    const double letters =
        width_cm / 8.4 / tgd_paper_scale(paper); /* how many more than in a column */
    fprintf(file, "# %s.gp: made by tensorgauge. To draw it again: gnuplot %s.gp\n", figure->name,
            figure->name);
    fprintf(file, "name = '%s'\nquantity = '%s'\nseries = %d\n", figure->name, figure->kind->column,
            figure->count);
    tgd_paper_put(paper, is_wide(figure), scripts->latex, file);
    put_names(file, figure, &v, paper);
    put_array(file, "look", figure, look_of);
    put_array(file, "shape", figure, shape_of);
    put_array(file, "raw", figure, raw_of);
    put_array(file, "bounded", figure, bounded_of);
    put_shifts(file, figure, &v);
    fprintf(file, "bounds = %d\nideals = %d\nstars = %d\nhollow = %d\n", v.bounds, v.ideals,
            v.stars, v.hollow);
    fprintf(file, "band = %.6g\n", points->band);
    if (figure->kind->divided)
        fprintf(file, "bar = %.4g\n", bar_of(figure));
    fprintf(file, "x_min = %.6g\nx_max = %.6g\ny_min = %.6g\ny_max = %.6g\ny_unit = %g\n", v.x_min,
            v.x_max, v.y_min, v.y_max, v.y_unit);
    const char *const x_label = figure->kind->along_size ? "tensor size (bytes)" : "ranks";
    fprintf(file, "x_label = '%s'\ny_label = '%s%s%s%s'\n",
            figure->kind->x_label ? figure->kind->x_label : x_label, figure->kind->y_label,
            *v.unit ? " (" : "", v.unit, *v.unit ? ")" : "");
    if (figure->kind->along_size)
        put_size_ticks(file, &v, letters);
    else
        put_rank_ticks(file, figure, &v, letters);
    if (!tgd_draws(figure->kind, "efficiency") && !figure->kind->divided) {
        put_log_ticks(file, v.y_min, v.y_max,
                      tgd_draws(figure->kind, "speedup") || tgd_draws(figure->kind, "ratio") ? 2
                                                                                             : 10);
    }
    fprintf(file, "\n%s\n%s\n%s", scripts->style, scripts->script, scripts->write);
}

/* ---- files ---- */

static char *read_script(const char *folder, const char *name, tg_status *status)
{
    char *path = tgd_format("%s/%s.gp", folder, name), *text = tgd_read_file(path);
    if (!text && status->code == TG_OK) {
        *status = tg_fail(TG_BAD_INPUT,
                          "%.150s cannot be read: %s; expected the gnuplot scripts of tensorgauge",
                          path, strerror(errno));
    }
    free(path);
    return text;
}

tg_status tgd_scripts_read(const char *folder, const char *script, tgd_scripts *scripts)
{
    tg_status status = tg_success();
    *scripts = (tgd_scripts){.paper = tgd_papers};
    scripts->style = read_script(folder, "style", &status);
    scripts->script = read_script(folder, script, &status);
    scripts->write = read_script(folder, "write", &status);
    return status;
}

void tgd_scripts_free(tgd_scripts *scripts)
{
    free(scripts->style);
    free(scripts->script);
    free(scripts->write);
}

static void put_caption(FILE *file, const tgd_figure *figure, const tgd_points *points,
                        const tgd_scripts *scripts)
{
    (void)scripts;
    tgd_put_caption(file, figure, points);
}

/* The files of a figure: how a name ends and what is put into it. */
static const struct {
    const char *ending;
    void (*put)(FILE *file, const tgd_figure *figure, const tgd_points *points,
                const tgd_scripts *scripts);
} files[] = {{"csv", put_data}, {"gp", put_gp}, {"txt", put_caption}};

tg_status tgd_figure_write(const tgd_figure *figure, const tgd_points *points,
                           const tgd_scripts *scripts, const char *folder)
{
    tg_status status = tg_success();
    for (size_t i = 0; i < sizeof files / sizeof *files && status.code == TG_OK; i++) {
        char *path = tgd_format("%s/%s.%s", folder, figure->name, files[i].ending);
        FILE *file = fopen(path, "w");
        bool written = file != NULL;
        if (file) {
            files[i].put(file, figure, points, scripts);
            written = !ferror(file);
            written = fclose(file) == 0 && written;
        }
        if (!written)
            status = tg_fail(TG_BAD_INPUT, "'%.150s' cannot be written: %s", path, strerror(errno));
        free(path);
    }
    return status;
}
