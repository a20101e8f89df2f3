/* builds.h: the builds of tgbench that a run measures in turns, each with its own launcher. */
#ifndef TGD_BUILDS_H
#define TGD_BUILDS_H

#include "driver/launch.h"

typedef struct {
    tgd_bench bench;
    tgd_launcher launcher;
    char *calibration; /* what the machine can do through this build's MPI; NULL: not known */
} tgd_build;

typedef struct {
    tgd_build *at;
    int count; /* at least 1 once opened */
} tgd_builds;

/* Calls: Local. folders: "DIR,DIR..." or NULL: tgbench beside this program. platform: the path of a
 * simulated machine, or NULL. Errors: TG_BAD_INPUT
 * names a folder, or two builds of one name, which the column `build` could not tell apart. */
tg_status tgd_builds_open(const char *folders, const char *platform, tgd_builds *builds);

/* Calls: Local. The launcher of each. Errors: as tgd_launcher_make. */
tg_status tgd_builds_find_launchers(tgd_builds *builds, const tgd_machine *machine,
                                    const tgd_launcher_choice *choice);

/* Calls: Local. Tries each with so many ranks. Errors: as tgd_launch_try. */
tg_status tgd_builds_try_launchers(const tgd_builds *builds, int ranks, double limit_s);
void tgd_builds_close(tgd_builds *builds);

#endif
