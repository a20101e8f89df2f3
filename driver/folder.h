/* folder.h: the run folder, made new for every run. */
#ifndef TGD_FOLDER_H
#define TGD_FOLDER_H

#include "primitives/layout.h"

/* Calls: Local. Makes parent (and what is missing above it) and in it the folder TIME_HOST_NAME, or
 * TIME_HOST_NAME-2, -3, ... when another run was there first. *path is malloc'ed. Characters of
 * host and name outside [A-Za-z0-9._-] become '-'. Errors: TG_BAD_INPUT names the path and why. */
tg_status tgd_folder_make(const char *parent, const char *host, const char *name, char **path);

#endif
