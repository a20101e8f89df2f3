/* share.h: where a buffer of another rank of the node is. Private to the room.
 *
 * Memory of tg_memory_alloc lies in a file without a name. Another process of the node opens that
 * file by way of /proc and maps it, once; then its bytes are read as if they were its own. Other
 * memory has no file, and is read by the system. */
#ifndef TG_SHARE_H
#define TG_SHARE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Smaller blocks are not shared: they are not worth a descriptor. A test lowers it. */
extern ptrdiff_t tg_least_shared;

/* What the owner of a buffer tells a reader. */
typedef struct {
    const char *address; /* in the owner's process */
    uint64_t block;      /* number of the owner's shared block that it lies in; 0: in none */
    int64_t offset;      /* in that */
    int64_t file;        /* its descriptor there */
} tg_far;

/* The blocks of one other process that are mapped here. */
typedef struct {
    struct tg_mapped *mapped;
    int count;
} tg_views;

/* Calls: Local. Of a buffer of this process. */
tg_far tg_far_of(const void *buffer);

/* Calls: Local. The place in this process of a buffer of that one; NULL: it cannot be mapped. What
 * was freed by its owner is unmapped when another block has its descriptor, or by tg_views_free. */
const char *tg_far_here(tg_views *views, pid_t process, const tg_far *far);
void tg_views_free(tg_views *views);

#endif
