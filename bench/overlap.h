/* overlap.h: --overlap: how much of an operation hides behind computing, in repetitions of their
 * own, behind the timed ones.
 *
 *   pure   tg_start, tg_finish
 *   cpu    so much computing in a rank's own cache as takes about as long
 *   both   tg_start, the computing, tg_finish
 *   overlap_percent = 100 max(0, min(1, (pure + cpu - both) / min(pure, cpu)))
 *
 * The three are made in turns; the value of each is the median over repetitions of the maximum over
 * ranks. Source of the definition: Intel MPI Benchmarks, IMB-NBC, which takes the three times of the
 * rank with the largest `both` instead. */
#ifndef TGB_OVERLAP_H
#define TGB_OVERLAP_H

#include "bench/operation.h"
#include "bench/stats.h"

enum { TGB_PURE, TGB_CPU, TGB_BOTH, TGB_OVERLAP_TIMES };
extern const char *const tgb_overlap_names[TGB_OVERLAP_TIMES];

typedef struct {
    int samples;                          /* of each time */
    tgb_summary times[TGB_OVERLAP_TIMES]; /* us; rank 0 */
    double percent;                       /* rank 0 */
    const char *reason;                   /* why nothing was measured; NULL: it was */
} tgb_overlap;

/* Calls: Local. The definition above; 0 <= result <= 100. */
double tgb_overlap_percent(double pure, double cpu, double both);

/* Calls: Collective on work->comm. As tgb_counting_run: before is done before each repetition,
 * outside of it; the repetitions are as many as fit into limit_s when an operation takes once_us,
 * both read on rank 0; 6 to 100 of each time. */
void tgb_overlap_run(tgb_work *work, double once_us, double limit_s, void (*before)(void *context),
                     void *context, tgb_overlap *overlap);

#endif
