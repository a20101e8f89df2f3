/* breakdown.h: --phases: how the time of one run divides, in repetitions of their own, behind the
 * timed ones.
 *
 *   wait           before each operator, before each half of one and at the end of the run: until
 *                  the slowest rank has come to a barrier of our own
 *   communication  an operator, but for its packing
 *   pack           blocks of boxes packed, unpacked, copied, added or cleared by our own loops
 *   kernel         all else: local kernels, and what layers do around them
 *   total          the run, with these barriers: on each rank the sum of the four
 *
 * The barriers change what is measured: no rank works while another one is late, and nothing hides
 * behind computing but what is under way between the halves of an operator. */
#ifndef TGB_BREAKDOWN_H
#define TGB_BREAKDOWN_H

#include "bench/operation.h"

enum { TGB_COMMUNICATION, TGB_PACK, TGB_KERNEL, TGB_WAIT, TGB_TOTAL, TGB_BREAKDOWN_ROWS };
extern const char *const tgb_breakdown_names[TGB_BREAKDOWN_ROWS];

typedef struct {
    /* Over ranks; us; rank 0. Of each rank the mean over the middle half of its repetitions, which are
     * ordered by their largest total over ranks: so the four add up to the total on each rank. */
    struct {
        double min, median, max;
    } row[TGB_BREAKDOWN_ROWS];
    const char *reason; /* why nothing was measured; NULL: it was */
} tgb_breakdown;

/* Calls: Collective on work->comm. As tgb_overlap_run; 6 to 100 repetitions. */
void tgb_breakdown_run(tgb_work *work, double once_us, double limit_s,
                       void (*before)(void *context), void *context, tgb_breakdown *breakdown);

#endif
