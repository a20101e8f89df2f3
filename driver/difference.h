/* difference.h: is a cell faster, slower or the same? From the medians of its launches, judged together
 * with all cells of its family. */
#ifndef TGD_DIFFERENCE_H
#define TGD_DIFFERENCE_H

#include "driver/twosample.h"

typedef enum {
    TGD_SLOWER,
    TGD_FASTER,
    TGD_UNDECIDED,
    TGD_SAME,
    TGD_UNMATCHED, /* one of the samples is empty */
    TGD_OUTCOMES
} tgd_outcome;
extern const char *const tgd_outcome_name[TGD_OUTCOMES];

/* Below so many launches there is no interval. */
enum { TGD_LEAST_LAUNCHES = 6, TGD_EFFECTS = 3 };
/* The slow-downs whose chances to be found are predicted: 1.05, 1.10, 1.20. */
extern const double tgd_effects[TGD_EFFECTS];

typedef struct {
    double tolerance; /* x: the same is within 1 / (1 + x) .. 1 + x */
    double level;     /* of the tests, and 1 - confidence of the intervals */
    const tgd_adjustment *adjustment;
} tgd_terms;

typedef struct {
    /* Given: medians of launches, positive; n, m <= TGD_MOST_VALUES. */
    const double *a_us, *b_us;
    int n, m;

    /* What tgd_decide finds; NAN: not known. */
    double a_median_us, b_median_us;
    double ratio, lo, hi; /* b / a, and its interval; none below TGD_LEAST_LAUNCHES */
    double p, p_adjusted; /* 1 where there is no test */
    double sd;            /* standard deviation of logarithms within the samples */
    tgd_outcome outcome;

    /* What tgd_predict finds. */
    double found[TGD_EFFECTS]; /* the chance to find each effect, from the spread seen */
    double launches_needed;    /* for a cell that is undecided; may be INFINITY */
} tgd_difference;

/* Calls: Local. Judges a family of cells; those without a partner do not count.
 *   ratio      exp of the Hodges-Lehmann estimate on logarithms of launch medians, and its rank
 *              interval of confidence 1 - level
 *   same       the interval lies in 1 / (1 + x) .. 1 + x
 *   faster, slower   else, and the adjusted p of the Mann-Whitney test is at most the level
 *   undecided  else
 * Returns how many cells the family has. */
int tgd_decide(tgd_difference *cells, int count, const tgd_terms *terms);

/* Calls: Local. For cells that were judged: what the launches at hand could have found, when the
 * other cells stay as they are. launches_needed is the larger of what could ever decide, and what
 * finds a slow-down of x in four of five cases with the spread that was seen. */
void tgd_predict(tgd_difference *cells, int count, const tgd_terms *terms);

/* Calls: Local. The smallest number of launches that could ever decide one of so many cells, when
 * all others are equal. */
int tgd_least_launches(int family, const tgd_terms *terms);

#endif
