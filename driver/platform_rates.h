/* platform_rates.h: what links and processors of a simulated machine can do. */
#ifndef TGD_PLATFORM_RATES_H
#define TGD_PLATFORM_RATES_H

#include "primitives/layout.h"

typedef struct {
    double latency_ns, bandwidth_GBps; /* of a link */
    double compute_GFLOPs;             /* of a rank, in matrix products */
} tgd_rates;

/* Calls: Local. word: LATENCY[,BANDWIDTH[,COMPUTE]] as in 500ns,12.5GBps,100GFLOPs, where *rates keeps
 * what is not said. Returns whether it is that. */
bool tgd_rates_read(const char *word, tgd_rates *rates);

/* Calls: Local. The rates of the machine of a run, from its calibration.csv, or from its cells.csv
 * where it has none: the shortest one-way time, shared out over the links between two neighbours; the
 * best rate of a message that travels alone; the best product of matrices in f32. Errors:
 * TG_BAD_INPUT names the file and what it lacks. */
tg_status tgd_rates_of_run(const char *run, int links, tgd_rates *rates);

#endif
