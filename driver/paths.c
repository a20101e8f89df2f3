/* paths.c: where things lie on this machine. */
#include "driver/paths.h"

#include "driver/text.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *tgd_program_folder(void)
{
    char path[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash)
        return tgd_copy(".");
    *slash = '\0';
    return tgd_copy(path);
}

/* The folder of data beside the programs; NULL: this program was not installed. */
static char *installed_data(void)
{
    const char *build = TGD_SOURCE_DIR "/build/";
    char *program = tgd_program_folder();
    char *shared = tgd_format("%s/%s", program, TGD_SHARED);
    const bool built = strncmp(program, build, strlen(build)) == 0;
    free(program);
    if (!built && access(shared, R_OK | X_OK) == 0)
        return shared;
    free(shared);
    return NULL;
}

char *tgd_data_folder(void)
{
    char *installed = installed_data();
    return installed ? installed : tgd_copy(TGD_SOURCE_DIR);
}

tg_status tgd_find_campaign(const char *name, char **path)
{
    const size_t length = strlen(name);
    if (strchr(name, '/') || (length > 4 && strcmp(name + length - 4, ".ini") == 0)) {
        *path = tgd_copy(name);
        return tg_success();
    }
    char *data = tgd_data_folder();
    tg_status status = tg_success();
    *path = tgd_format("%s/campaigns/%s.ini", data, name);
    if (access(*path, R_OK) != 0) {
        status = tg_fail(TG_BAD_INPUT,
                         "campaign '%.60s': expected a name in '%.100s/campaigns' or the path of "
                         "an INI file",
                         name, data);
    }
    free(data);
    return status;
}

bool tgd_is_installed(void)
{
    char *installed = installed_data();
    free(installed);
    return installed != NULL;
}

char *tgd_from_root(const char *path)
{
    char *here = *path == '/' ? NULL : getcwd(NULL, 0);
    char *whole = here ? tgd_format("%s/%s", here, path) : tgd_copy(path);
    free(here);
    return whole;
}

static bool can_run(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

char *tgd_find_program(const char *name)
{
    if (strchr(name, '/'))
        return can_run(name) ? tgd_copy(name) : NULL;
    const char *path = getenv("PATH");
    char *copy = tgd_copy(path ? path : "/usr/local/bin:/usr/bin:/bin"), *rest = NULL;
    char *found = NULL;
    for (char *folder = strtok_r(copy, ":", &rest); folder && !found;
         folder = strtok_r(NULL, ":", &rest)) {
        char *candidate = tgd_format("%s/%s", folder, name);
        if (can_run(candidate))
            found = candidate;
        else
            free(candidate);
    }
    free(copy);
    return found;
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

tg_status tgd_make_folders(const char *path)
{
    char *copy = tgd_copy(path);
    tg_status status = tg_success();
    for (char *c = copy;; c++) {
        if ((*c == '/' && c != copy) || *c == '\0') {
            const char kept = *c;
            *c = '\0';
            if (mkdir(copy, 0777) != 0 && !is_folder(copy)) {
                status = tg_fail(TG_BAD_INPUT, "'%.150s' cannot be made: %s; expected a folder",
                                 copy, strerror(errno));
            }
            *c = kept;
        }
        if (*c == '\0' || status.code != TG_OK)
            break;
    }
    free(copy);
    return status;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

void tgd_remove_folder(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
