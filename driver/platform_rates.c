/* platform_rates.c: rates as words with units, and as a real run has measured them. */
#include "driver/platform_rates.h"

#include "driver/table.h"
#include "driver/text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- words ---- */

typedef struct {
    const char *name;
    double factor;
} unit;

static const unit times[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {NULL, 0}};
static const unit bytes[] = {{"GBps", 1}, {"MBps", 1e-3}, {NULL, 0}};
static const unit products[] = {{"GFLOPs", 1}, {"TFLOPs", 1e3}, {NULL, 0}};

/* A positive number and its unit; *at moves behind both. */
static bool take_quantity(const char **at, const unit *units, double *value)
{
    char *end;
    const double number = isdigit((unsigned char)**at) ? strtod(*at, &end) : -1;
    for (; number > 0 && isfinite(number) && units->name; units++) {
        const size_t length = strlen(units->name);
        if (strncmp(end, units->name, length) == 0) {
            *value = number * units->factor;
            *at = end + length;
            return true;
        }
    }
    return false;
}

bool tgd_rates_read(const char *word, tgd_rates *rates)
{
    const struct {
        const unit *units;
        double *value;
    } parts[] = {{times, &rates->latency_ns},
                 {bytes, &rates->bandwidth_GBps},
                 {products, &rates->compute_GFLOPs}};
    for (int i = 0; i < 3; i++) {
        if (!take_quantity(&word, parts[i].units, parts[i].value))
            return false;
        if (*word == '\0')
            return true;
        if (*word++ != ',')
            return false;
    }
    return false;
}

/* ---- a run ---- */

static bool row_is(const tgd_table *t, int row, const char *name, const char *word)
{
    return strcmp(tgd_row_text(t, row, name), word) == 0;
}

/* The best of all rows, NAN when none says it. */
static tgd_rates best_of(const tgd_table *t, int links)
{
    tgd_rates best = {NAN, NAN, NAN};
    for (int row = 0; row < t->rows; row++) {
        if (!row_is(t, row, "status", "ok"))
            continue;
        if (row_is(t, row, "op", "machine:one_way")) { /* there and back, each over the links */
            best.latency_ns =
                fmin(best.latency_ns, 1e3 * tgd_row_number(t, row, "t_median_us") / 2 / links);
            best.bandwidth_GBps = fmax(best.bandwidth_GBps, tgd_row_number(t, row, "algbw_GBps"));
        } else if (row_is(t, row, "op", "machine:gemm") && row_is(t, row, "dtype", "f32")) {
            best.compute_GFLOPs = fmax(best.compute_GFLOPs, tgd_row_number(t, row, "gflops"));
        }
    }
    return best;
}

static tg_status check_columns(const tgd_table *t)
{
    static const char *const names[] = {"op",          "dtype",      "status",
                                        "t_median_us", "algbw_GBps", "gflops"};
    tg_status status = tg_success();
    int column;
    for (size_t i = 0; i < sizeof names / sizeof *names && status.code == TG_OK; i++)
        status = tgd_table_require(t, names[i], &column);
    return status;
}

tg_status tgd_rates_of_run(const char *run, int links, tgd_rates *rates)
{
    char *path = tgd_format("%s/calibration.csv", run);
    if (access(path, R_OK) != 0) {
        free(path);
        path = tgd_format("%s/cells.csv", run);
    }
    tgd_table table = {0};
    tg_status status = tgd_table_read(path, &table);
    if (status.code == TG_OK)
        status = check_columns(&table);
    if (status.code == TG_OK) {
        *rates = best_of(&table, links);
        if (!(rates->latency_ns > 0 && rates->bandwidth_GBps > 0 && rates->compute_GFLOPs > 0))
            status = tg_fail(TG_BAD_INPUT,
                             "'%.150s': expected good rows of machine:one_way and of machine:gemm "
                             "in f32, as a run on 2 ranks has",
                             path);
    }
    tgd_table_free(&table);
    free(path);
    return status;
}
