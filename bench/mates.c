/* mates.c: rows of whom to send to. The random permutation is one cycle, so that nobody sends to
 * himself, and the same on all ranks. Source: S. Sattolo, 1986; the numbers are those of splitmix64
 * (Steele, Lea, Flood, 2014). */
#include "bench/mates.h"

#include "bench/pairs.h"

#include <stdlib.h>

tg_status tgb_mates_next(const tgb_work *work, int busy, tgb_mates *mates)
{
    (void)busy;
    mates->to = mates->from = work->rank ^ 1;
    return tg_success();
}

tg_status tgb_mates_round(const tgb_work *work, int busy, tgb_mates *mates)
{
    const long round = strtol(tgb_case_get(&work->setup->words, "round"), NULL, 10);
    const int partner = tgb_pair_partner(busy, (int)round, work->rank);
    mates->to = mates->from = partner < 0 ? MPI_PROC_NULL : partner;
    return tg_success();
}

tg_status tgb_mates_opposite(const tgb_work *work, int busy, tgb_mates *mates)
{
    mates->to = mates->from = (work->rank + busy / 2) % busy;
    return tg_success();
}

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

tg_status tgb_mates_permutation(const tgb_work *work, int busy, tgb_mates *mates)
{
    uint64_t state = work->seed;
    int *to = calloc((size_t)busy, sizeof *to);
    if (!to)
        return tg_fail(TG_NO_MEMORY, "no memory for a permutation of %d ranks", busy);
    for (int i = 0; i < busy; i++)
        to[i] = i;
    for (int i = busy - 1; i > 0; i--) {
        const int other = (int)(next_random(&state) % (uint64_t)i), kept = to[i];
        to[i] = to[other];
        to[other] = kept;
    }
    mates->to = to[work->rank];
    for (int i = 0; i < busy; i++)
        mates->from = to[i] == work->rank ? i : mates->from;
    free(to);
    return tg_success();
}
