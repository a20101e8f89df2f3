/* paths.h: where things lie: this program, its data, other programs, and folders to be made. */
#ifndef TGD_PATHS_H
#define TGD_PATHS_H

#include "primitives/layout.h"

/* Calls: Local, all; texts are malloc'ed. */
char *tgd_program_folder(void); /* the folder of the running program */

/* The folder of campaigns/ and plots/: the source tree for a program beneath its build/, else
 * ../share/tensorgauge from the program's folder, wherever the installed tree has been moved to. */
char *tgd_data_folder(void);
bool tgd_is_installed(void); /* the data are beside the program, not in the source tree */

/* The path of a campaign: of an INI file, or by its name in the folder of campaigns. Errors:
 * TG_BAD_INPUT: no such name; a path is not looked at. */
tg_status tgd_find_campaign(const char *name, char **path);

/* The path from the root, so that it is right from another folder, too. */
char *tgd_from_root(const char *path);

/* A program's path: name itself when it holds a slash and can be run, else the first match in PATH;
 * or NULL. */
char *tgd_find_program(const char *name);

/* Makes the folder and all above it that are missing. Errors: TG_BAD_INPUT names the path and why.
 */
tg_status tgd_make_folders(const char *path);

/* Removes a folder of our own with all that it holds, as far as that can be removed. */
void tgd_remove_folder(const char *path);

#endif
