/* plot_training.c: the files of the curves of a training, from training.csv and run.json. */
#include "driver/plot_training.h"

#include "driver/plot_write.h"
#include "driver/table.h"
#include "driver/text.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What training.csv holds. */
typedef struct {
    tgd_table table;
    int rows;
    double *step, *epoch, *loss, *accuracy; /* NAN: empty */
} curves;

static tg_status read_column(const tgd_table *table, const char *name, double **values)
{
    int column;
    tg_status status = tgd_table_require(table, name, &column);
    *values = tgd_resize(NULL, table->rows + 1, sizeof **values);
    for (int r = 0; r < table->rows && status.code == TG_OK; r++)
        status = tgd_table_number(table, r, column, &(*values)[r]);
    return status;
}

static tg_status read_curves(const char *run, curves *c)
{
    char *path = tgd_format("%s/training.csv", run);
    tg_status status = tgd_table_read(path, &c->table);
    const struct {
        const char *name;
        double **values;
    } columns[] = {{"step", &c->step},
                   {"epoch", &c->epoch},
                   {"loss", &c->loss},
                   {"test_accuracy", &c->accuracy}};
    for (size_t i = 0; i < sizeof columns / sizeof *columns && status.code == TG_OK; i++)
        status = read_column(&c->table, columns[i].name, columns[i].values);
    c->rows = c->table.rows;
    free(path);
    return status;
}

static void free_curves(curves *c)
{
    free(c->step);
    free(c->epoch);
    free(c->loss);
    free(c->accuracy);
    tgd_table_free(&c->table);
}

/* ---- the figures ---- */

/* What a curve's data say of its axes. */
typedef struct {
    int points; /* of the first series */
    double x_max, y_min, y_max;
} extent;

static void widen(extent *e, double x, double y)
{
    e->points++;
    e->x_max = fmax(e->x_max, x);
    e->y_min = fmin(e->y_min, y);
    e->y_max = fmax(e->y_max, y);
}

static void put_row(FILE *file, int series, const char *label, const curves *c, int row,
                    double value)
{
    fprintf(file, "%d,%s,%.0f,%.0f,%.9g\n", series, label, c->step[row], c->epoch[row], value);
}

/* Each step; then each epoch's mean, at its last step. */
static extent put_losses(FILE *file, const curves *c)
{
    extent e = {.x_max = 0, .y_min = 0, .y_max = 1e-9}; /* the axis begins at 0 */
    double sum = 0;
    int count = 0, last = -1; /* step row of the epoch so far */
    for (int r = 0; r < c->rows; r++)
        if (isfinite(c->loss[r])) {
            put_row(file, 1, "each step", c, r, c->loss[r]);
            widen(&e, c->step[r], c->loss[r]);
        }
    for (int r = 0; r <= c->rows; r++) {
        if (r < c->rows && !isfinite(c->loss[r]))
            continue;
        if (last >= 0 && (r == c->rows || c->epoch[r] != c->epoch[last])) {
            put_row(file, 2, "mean of an epoch", c, last, sum / count);
            sum = count = 0;
        }
        sum += r < c->rows ? c->loss[r] : 0;
        count++;
        last = r;
    }
    return e;
}

static extent put_accuracies(FILE *file, const curves *c)
{
    extent e = {.x_max = 0, .y_min = 100, .y_max = 100};
    for (int r = 0; r < c->rows; r++)
        if (isfinite(c->accuracy[r])) {
            put_row(file, 1, "test images", c, r, 100 * c->accuracy[r]);
            widen(&e, c->epoch[r], 100 * c->accuracy[r]);
        }
    const double room = fmax(1, 0.05 * (100 - e.y_min)); /* also where all are right */
    e.y_min -= room;
    e.y_max += room;
    return e;
}

static const struct {
    const char *name, *quantity, *x_label, *y_label, *what, *labels;
    int series;
    extent (*put)(FILE *file, const curves *c);
} figures[] = {
    {"training_loss", "loss", "step", "loss",
     "Loss of a training: each step, and the mean of each epoch's steps",
     "'each step', 'mean of an epoch'", 2, put_losses},
    {"training_accuracy", "test_accuracy_percent", "epoch", "test accuracy (%)",
     "Share of all test images that are classified right, after each epoch", "'test images'", 1,
     put_accuracies},
};

/* The arrays of style.gp: a curve has one colour and mark, and is no raw call. */
static void put_gp(FILE *file, int figure, const extent *e, const tgd_scripts *scripts)
{
    static const char *const arrays[] = {"look", "shape", "raw", "bounded", "shift"};
    const int series = figures[figure].series;
    fprintf(file, "# %s.gp: made by tensorgauge plot. To draw it again: gnuplot %s.gp\n",
            figures[figure].name, figures[figure].name);
    fprintf(file, "name = '%s'\nquantity = '%s'\nseries = %d\narray label[%d] = [%s]\n",
            figures[figure].name, figures[figure].quantity, series, series, figures[figure].labels);
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        fprintf(file, "array %s[%d] = [", arrays[i], series);
        for (int s = 1; s <= series; s++)
            fprintf(file, "%s%d", s > 1 ? ", " : "", i < 2 ? s : 0);
        fputs("]\n", file);
    }
    tgd_paper_put(scripts->paper, false, scripts->latex, file);
    fprintf(file,
            "key_columns = %d\nkey_rows = 1\nheight_cm = %.2f\nbounds = 0\nideals = 0\nstars = "
            "0\nhollow = 0\n",
            series, scripts->paper->plot_cm + 1.65 * tgd_paper_scale(scripts->paper));
    fprintf(file,
            "x_min = 0\nx_max = %.6g\ny_min = %.6g\ny_max = %.6g\ny_unit = 1\nx_label = "
            "'%s'\ny_label = '%s'\n",
            1.03 * e->x_max, e->y_min, e->y_max, figures[figure].x_label, figures[figure].y_label);
    fprintf(file, "\n%s\n%s\n%s", scripts->style, scripts->script, scripts->write);
}

/* Texts of run.json go into the caption only; nothing there is read by a program. */
static void put_caption(FILE *file, int figure, const char *run)
{
    char *path = tgd_format("%s/run.json", run);
    json_t *record = json_load_file(path, 0, NULL);
    const json_t *settings = json_object_get(json_object_get(record, "training"), "settings");
    const json_t *machine = json_object_get(record, "machine");
    const char *name, *host = json_string_value(json_object_get(machine, "host")),
                      *cpu = json_string_value(json_object_get(machine, "cpu_model")),
                      *id = json_string_value(json_object_get(record, "run_id"));
    json_t *value;
    fprintf(file, "%s.\n", figures[figure].what);
    json_object_foreach((json_t *)settings, name, value)
        fprintf(file, "%s: %s\n", name, json_string_value(value) ? json_string_value(value) : "");
    if (host && cpu && id)
        fprintf(file, "Machine: %s (%s). Run: %s.\n", host, cpu, id);
    json_decref(record);
    free(path);
}

static FILE *open_file(const char *folder, int figure, const char *ending, tg_status *status)
{
    char *path = tgd_format("%s/%s.%s", folder, figures[figure].name, ending);
    FILE *file = status->code == TG_OK ? fopen(path, "w") : NULL;
    if (!file && status->code == TG_OK)
        *status = tg_fail(TG_BAD_INPUT, "'%.150s' cannot be written: %s", path, strerror(errno));
    free(path);
    return file;
}

static void close_file(FILE *file, const char *folder, int figure, tg_status *status)
{
    const bool good = file && !ferror(file);
    if (file && (fclose(file) != 0 || !good) && status->code == TG_OK)
        *status = tg_fail(TG_BAD_INPUT, "'%.100s/%s' cannot be written: %s", folder,
                          figures[figure].name, strerror(errno));
}

/* *points: how many there are; a curve without any is not drawn. */
static tg_status write_figure(int figure, const char *run, const curves *c,
                              const tgd_scripts *scripts, const char *folder, int *points)
{
    extent e = {.points = 0};
    tg_status status = tg_success();
    FILE *file = open_file(folder, figure, "csv", &status);
    if (file) {
        fprintf(file, "series,label,step,epoch,%s\n", figures[figure].quantity);
        e = figures[figure].put(file, c);
    }
    close_file(file, folder, figure, &status);
    *points = e.points;
    if (e.points == 0)
        return status;
    if ((file = open_file(folder, figure, "gp", &status)))
        put_gp(file, figure, &e, scripts);
    close_file(file, folder, figure, &status);
    if ((file = open_file(folder, figure, "txt", &status)))
        put_caption(file, figure, run);
    close_file(file, folder, figure, &status);
    return status;
}

tg_status tgd_training_plot(const char *run, const char *scripts_folder, const char *folder,
                            const tgd_paper *paper, bool latex,
                            tg_status (*draw)(void *context, const char *name), void *context)
{
    curves c = {.rows = 0};
    tgd_scripts scripts = {.paper = tgd_papers};
    tg_status status = read_curves(run, &c);
    if (status.code == TG_OK)
        status = tgd_scripts_read(scripts_folder, "training", &scripts);
    scripts.paper = paper ? paper : scripts.paper;
    scripts.latex = latex;
    for (int i = 0; i < (int)(sizeof figures / sizeof *figures) && status.code == TG_OK; i++) {
        int points = 0;
        status = write_figure(i, run, &c, &scripts, folder, &points);
        if (status.code == TG_OK && points > 0)
            status = draw(context, figures[i].name);
    }
    tgd_scripts_free(&scripts);
    free_curves(&c);
    return status;
}
