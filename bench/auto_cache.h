/* auto_cache.h: what algorithm=auto has chosen, kept between launches in a file. */
#ifndef TGB_AUTO_CACHE_H
#define TGB_AUTO_CACHE_H

#include "bench/verbs.h"

/* The row of an option for it: its key and group. */
#define TGB_AUTO_CACHE_ROW(key, group)                                                             \
    {"auto-cache",                                                                                 \
     key,                                                                                          \
     "FILE",                                                                                       \
     0,                                                                                            \
     "choices of algorithm=auto: read when it exists, written at the end",                         \
     group}

/* Calls: Local, on rank 0 of all; path NULL: there is none, and nothing is done. read: a file that
 * does not exist yet is none; with `proves` it is written at once, so that a place where nothing can
 * be written is known before anything is measured. Errors: TG_BAD_INPUT names the file, and the
 * line. */
tg_status tgb_auto_cache_read(const tgb_launch *launch, const char *path, bool proves);
tg_status tgb_auto_cache_write(const tgb_launch *launch, const char *path);

#endif
