/* cache.c: caches that hold nothing of use. Memory is read, not written: a written line would have
 * to be stored in the middle of what is timed. It is written once, when it is made, for pages that
 * were never written are all the same page of zeros. */
#include "bench/cache.h"

#include <stdlib.h>
#include <string.h>

enum { LINE = 64, UNKNOWN_CACHE = 64 << 20 /* where the machine does not tell */ };

static size_t at_least(size_t a, size_t b)
{
    return a > b ? a : b;
}

size_t tgb_evict_bytes(const tgb_team *team)
{
    tgb_caches c = tgb_machine_caches();
    if (c.last == 0)
        c.last = c.all_last = UNKNOWN_CACHE;
    const size_t share = 2 * c.all_last / (size_t)team->machine.fewest_ranks;
    return at_least(share < 2 * c.last ? share : 2 * c.last, 2 * c.own);
}

tg_status tgb_evictor_make(const tgb_team *team, size_t bytes, tgb_evictor *evictor)
{
    *evictor = (tgb_evictor){.memory = bytes > 0 ? malloc(bytes) : NULL, .bytes = bytes};
    if (evictor->memory)
        memset(evictor->memory, 1, bytes);
    tg_status status = tg_success();
    if (bytes > 0 && !evictor->memory)
        status = tg_fail(TG_NO_MEMORY, "rank %d has no memory to sweep %zu B of caches", team->rank,
                         bytes);
    status = tg_agree(team->comm, status);
    if (status.code != TG_OK)
        tgb_evictor_free(evictor);
    return status;
}

void tgb_evictor_free(tgb_evictor *evictor)
{
    free(evictor->memory);
    *evictor = (tgb_evictor){.memory = NULL};
}

void tgb_evict(const tgb_evictor *evictor)
{
    const volatile unsigned char *memory = evictor->memory;
    for (size_t i = 0; i < evictor->bytes; i += LINE)
        (void)memory[i];
}
