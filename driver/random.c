/* random.c: splitmix64, and normal deviates by the method of Box and Muller. */
#include "driver/random.h"

#include <math.h>

uint64_t tgd_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* In (0, 1]: its logarithm is finite. */
static double uniform(uint64_t *state)
{
    return ((double)(tgd_random(state) >> 11) + 1) * 0x1p-53;
}

double tgd_random_normal(uint64_t *state)
{
    const double radius = sqrt(-2 * log(uniform(state)));
    return radius * cos(6.283185307179586 * uniform(state));
}

void tgd_shuffle(int *items, int count, uint64_t *state)
{
    for (int i = count - 1; i > 0; i--) {
        const int j = (int)(tgd_random(state) % (uint64_t)(i + 1));
        const int kept = items[i];
        items[i] = items[j];
        items[j] = kept;
    }
}
