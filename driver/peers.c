/* peers.c: median and median absolute deviation: half of the peers may be bad before they hide each
 * other. */
#include "driver/peers.h"

#include "bench/stats.h"
#include "driver/text.h"

#include <math.h>
#include <stdlib.h>

static const double share = 0.05, sigmas = 4, normal = 1.4826;

bool tgd_peers_make(const double *values, int count, tgd_peers *peers)
{
    if (count < TGD_LEAST_PEERS)
        return false;
    double *sorted = tgd_resize(NULL, count, sizeof *sorted);
    for (int i = 0; i < count; i++)
        sorted[i] = values[i];
    tgb_sort(sorted, count);
    const double median = tgb_quantile(sorted, count, 0.5);
    for (int i = 0; i < count; i++)
        sorted[i] = fabs(values[i] - median);
    tgb_sort(sorted, count);
    const double sigma = normal * tgb_quantile(sorted, count, 0.5);
    *peers = (tgd_peers){median, median + fmax(share * median, sigmas * sigma), count};
    free(sorted);
    return true;
}
