/* compare_cells.h: a comparison: which cells of several runs are the same, what became of each, and
 * what that costs. */
#ifndef TGD_COMPARE_CELLS_H
#define TGD_COMPARE_CELLS_H

#include "driver/difference.h"
#include "driver/sides.h"

typedef struct {
    const tgd_sides *sides; /* the first is what the others are compared with */
    tgd_terms terms;
    tgd_match *match;
    tgd_difference *difference; /* of each match */
    int *order;                 /* of the matches: what matters first */
    int count;
    int family;                 /* matches with launches on both sides */
    int outcomes[TGD_OUTCOMES]; /* how many of each */
    double found[TGD_EFFECTS];  /* mean chance over the cells that were tested; NAN: none was */
} tgd_comparison;

/* Calls: Local. Order: slower and faster ones, then the others, those that only one run has last;
 * each by how much time one call lost or gained, the most first. The sides must outlive it. */
void tgd_compare_cells(const tgd_sides *sides, const tgd_terms *terms, tgd_comparison *comparison);
void tgd_comparison_free(tgd_comparison *comparison);

/* Calls: Local. What one call of a cell lost (above 0) or gained: difference of the medians. */
double tgd_cost_us(const tgd_difference *difference);

/* One call of every matched cell of an operation, in one of the other runs. */
typedef struct {
    char *op;
    int other;
    int cells, outcomes[TGD_OUTCOMES];
    double a_us, b_us;         /* sums of medians */
    double lost_us, gained_us; /* sums over the slower, and over the faster cells; both >= 0 */
} tgd_total;

/* Calls: Local. By run, the largest loss or gain first; malloc'ed, the number in *count. A mean of
 * ratios would weigh a cell of 1 us like one of 1 s, so there is none. */
tgd_total *tgd_totals_make(const tgd_comparison *comparison, int *count);
void tgd_totals_free(tgd_total *totals, int count);

#endif
