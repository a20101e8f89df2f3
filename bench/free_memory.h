/* free_memory.h: memory that this process may still take: what the machine has free, and what the
 * control groups (cgroups) of its job or container leave of their limits. */
#ifndef TGB_FREE_MEMORY_H
#define TGB_FREE_MEMORY_H

#include <stdbool.h>

typedef struct {
    double free_bytes;  /* free, or can be made free without swapping; 0: not known */
    double limit_bytes; /* the least limit among the groups that this process is in; 0: none */
    bool by_group;      /* a group leaves less than the machine has free */
} tgb_free_memory;

/* Calls: Local. root stands before the paths of all files that are read: "" for this machine. A limit
 * holds for all processes of a group, and of the groups in it, together.
 * Source: proc(5); cgroups(7); Linux, Documentation/admin-guide/cgroup-v2.rst and
 * cgroup-v1/memory.rst. */
tgb_free_memory tgb_free_memory_read(const char *root);

#endif
