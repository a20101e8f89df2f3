/* auto_cache.c: the file of choices, on rank 0: it decides for every team, since it is in all of
 * them. */
#include "bench/auto_cache.h"

#include "primitives/primitives.h"

#include <unistd.h>

tg_status tgb_auto_cache_write(const tgb_launch *launch, const char *path)
{
    return path && launch->rank == 0 ? tg_auto_save(path) : tg_success();
}

tg_status tgb_auto_cache_read(const tgb_launch *launch, const char *path, bool proves)
{
    tg_status status = tg_success();
    if (path && launch->rank == 0 && access(path, F_OK) == 0)
        status = tg_auto_load(path);
    return status.code == TG_OK && proves ? tgb_auto_cache_write(launch, path) : status;
}
