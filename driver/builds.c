/* builds.c: opens builds; their names have to differ. */
#include "driver/builds.h"

#include <stdlib.h>
#include <string.h>

static tg_status check_names(const tgd_builds *builds)
{
    for (int i = 0; i < builds->count; i++) {
        for (int j = 0; j < i; j++) {
            const char *name = tgd_bench_build(&builds->at[i].bench, "name");
            if (strcmp(name, tgd_bench_build(&builds->at[j].bench, "name")) == 0) {
                return tg_fail(TG_BAD_INPUT,
                               "--builds: '%.80s' and '%.80s' are both called '%.40s'; expected "
                               "build folders with different names",
                               builds->at[j].bench.path, builds->at[i].bench.path, name);
            }
        }
    }
    return tg_success();
}

static tg_status add_build(tgd_builds *builds, const char *folder, const char *platform)
{
    builds->at = tgd_resize(builds->at, builds->count + 1, sizeof *builds->at);
    builds->at[builds->count] = (tgd_build){.calibration = NULL};
    const tg_status status = tgd_bench_open(folder, platform, &builds->at[builds->count].bench);
    builds->count += status.code == TG_OK;
    return status;
}

tg_status tgd_builds_open(const char *folders, const char *platform, tgd_builds *builds)
{
    *builds = (tgd_builds){NULL, 0};
    if (!folders)
        return add_build(builds, NULL, platform);
    tg_status status = tg_success();
    for (const char *at = folders; status.code == TG_OK; at++) {
        const size_t length = strcspn(at, ",");
        char *folder = tgd_format("%.*s", (int)length, at);
        status = add_build(builds, folder, platform);
        free(folder);
        at += length;
        if (*at == '\0')
            break;
    }
    return status.code == TG_OK ? check_names(builds) : status;
}

tg_status tgd_builds_find_launchers(tgd_builds *builds, const tgd_machine *machine,
                                    const tgd_launcher_choice *choice)
{
    tg_status status = tg_success();
    for (int i = 0; i < builds->count && status.code == TG_OK; i++)
        status = tgd_launcher_make(&builds->at[i].bench, machine, choice, &builds->at[i].launcher);
    return status;
}

tg_status tgd_builds_try_launchers(const tgd_builds *builds, int ranks, double limit_s)
{
    tg_status status = tg_success();
    for (int i = 0; i < builds->count && status.code == TG_OK; i++)
        status = tgd_launch_try(&builds->at[i].launcher, ranks, limit_s);
    return status;
}

void tgd_builds_close(tgd_builds *builds)
{
    for (int i = 0; i < builds->count; i++) {
        tgd_launcher_free(&builds->at[i].launcher);
        tgd_bench_close(&builds->at[i].bench);
        free(builds->at[i].calibration);
    }
    free(builds->at);
    *builds = (tgd_builds){NULL, 0};
}
