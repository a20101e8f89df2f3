/* ranking.h: which algorithm of an operation was the fastest, beside the library's own. */
#ifndef TGD_RANKING_H
#define TGD_RANKING_H

#include "driver/table.h"

#include <stdio.h>

/* Calls: Local. A line for each operation, direction, size and rank count of which two algorithms at
 * least have rows with status ok (`auto`, which is one of the others, apart); returns how many; with
 * none nothing is printed. With `cases` each line ends with its case.
 *   best, us   the algorithm with the smallest median over launches of t_median_us
 *   mpi us     the same of `mpi`, and of the raw call beside the operation
 *   best/mpi   median over launches of the ratio within a launch; its interval is the 95 % one
 *              (exact binomial ranks) from 6 launches on, smallest to largest, with `m`, for 2 to 5
 *   bound      lower bound / time of the best
 * Errors: TG_BAD_INPUT names a file, line or column; nothing is printed then. */
tg_status tgd_ranking_print(const tgd_table *cells, bool cases, FILE *out, int *lines);

#endif
