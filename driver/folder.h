/* folder.h: the run folder, made new for every run, and held by one driver at a time. */
#ifndef TGD_FOLDER_H
#define TGD_FOLDER_H

#include "primitives/layout.h"

/* Calls: Local. Makes parent (and what is missing above it) and in it the folder TIME_HOST_NAME, or
 * TIME_HOST_NAME-2, -3, ... when another run was there first. *path is malloc'ed. Characters of
 * host and name outside [A-Za-z0-9._-] become '-'. Errors: TG_BAD_INPUT names the path and why. */
tg_status tgd_folder_make(const char *parent, const char *host, const char *name, char **path);

/* Calls: Local. Nobody else runs in this folder until *lock is closed here and in the launches,
 * which inherit it: a launch that is still ending when its driver was killed holds the folder. Waits
 * for it for 5 s; on a file system without locks nothing is locked. Errors: TG_BAD_INPUT: somebody
 * runs there. */
tg_status tgd_folder_lock(const char *folder, int *lock);

/* Calls: Local. Locks a file as soon as nobody else has it locked, for 5 s. Returns whether
 * somebody still has. */
bool tgd_lock_is_taken(int fd);

#endif
