/* cache.h: --cache cold: before a repetition every rank reads through memory of its own that is
 * larger than the caches, so that nothing the operation needs is left in them. That is right for
 * all operations: in place, planned with fixed buffers, or with memory inside a layer or the MPI
 * library; turning through copies of x and y is not. */
#ifndef TGB_CACHE_H
#define TGB_CACHE_H

#include "bench/team.h"
#include "primitives/primitives.h"

typedef struct {
    unsigned char *memory;
    size_t bytes;
} tgb_evictor;

/* Calls: Local. Bytes that one rank must sweep: the ranks of a machine together twice all its
 * last-level caches, and none less than twice a core's own cache or more than twice one last-level
 * cache. */
size_t tgb_evict_bytes(const tgb_team *team);

/* Calls: Collective on the team. Errors: TG_NO_MEMORY, the same on all ranks, with nothing kept. */
tg_status tgb_evictor_make(const tgb_team *team, size_t bytes, tgb_evictor *evictor);
void tgb_evictor_free(tgb_evictor *evictor);

/* Calls: Local. Read all of it; nothing to do for an empty one. */
void tgb_evict(const tgb_evictor *evictor);

#endif
