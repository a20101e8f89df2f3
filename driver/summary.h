/* summary.h: what a run's cells say when their launches are put together. */
#ifndef TGD_SUMMARY_H
#define TGD_SUMMARY_H

#include "driver/table.h"

#include <stdio.h>

/* Calls: Local. Write summary.csv, one row for each (case, direction, ranks) of cells.csv: the
 * columns of cells.csv from build to clock, then launches                how many have a right
 * value; the next are over these median_us               median of the launches' t_median_us
 *   ci_lo_us ci_hi_us       its interval: ci_kind = `between` (95 %, exact binomial ranks) from 6
 * launches on, `minmax` (smallest to largest) for 2 to 5, `within` (the launch's own) for one
 *   min_us max_us           smallest and largest t_median_us
 *   within_cv               t_sd_us / t_mean_us, median over launches
 *   between_cv              standard deviation / mean of t_median_us; empty for one launch
 *   bound_us bound_fraction median over launches
 *   status                  ok when it is ok in every launch, else the first other one
 * Errors: TG_BAD_INPUT names a file, line or column. */
tg_status tgd_summary_write(const tgd_table *cells, const char *path);

/* What happened to the cells of a run. */
typedef struct {
    int rows, wrong, other; /* other: neither ok nor wrong */
    int killed;             /* of the other ones: their launch died */
} tgd_counts;
tg_status tgd_summary_count(const tgd_table *cells, tgd_counts *counts);

/* Calls: Local. At most five lines for a person, each after two blanks: latency, bandwidth,
 * GFLOP/s (medians over launches), and rank counts that share cores. Cells that are not there give no line. */
void tgd_summary_print(const tgd_table *cells, FILE *out);

#endif
