/* moments.c: moments of two sets of entries merged, whatever their sizes:
 *
 *   count = count_a + count_b, d = mean_b - mean_a
 *   mean = mean_a + d count_b / count, M2 = M2_a + M2_b + d^2 count_a count_b / count */
#include "layers/moments.h"

void tgl_moments_merge(tgl_moments *all, const tgl_moments *more)
{
    const double count = all->count + more->count, d = more->mean - all->mean;
    if (more->count <= 0)
        return;
    all->mean += d * more->count / count;
    all->m2 += more->m2 + d * d * all->count * more->count / count;
    all->count = count;
}
