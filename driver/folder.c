/* folder.c: a name that sorts by time, and a folder that no other run has: mkdir decides, not a
 * look before it. A lock says who runs in it. */
#include "driver/folder.h"

#include "driver/paths.h"
#include "driver/text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_TRIES = 10000, MAX_WORD = 64, LOCK_TRIES = 100, NAP_NS = 50000000 };

static void append_plain(char *name, const char *word)
{
    size_t length = strlen(name);
    for (int i = 0; word[i] && i < MAX_WORD; i++) {
        const unsigned char c = (unsigned char)word[i];
        name[length++] = c < 128 && (isalnum(c) || strchr("._-", c)) ? (char)c : '-';
    }
    name[length] = '\0';
}

tg_status tgd_folder_make(const char *parent, const char *host, const char *name, char **path)
{
    *path = NULL;
    tg_status status = tgd_make_folders(parent);
    if (status.code != TG_OK)
        return status;
    char base[32 + 2 * MAX_WORD + 3];
    char *now = tgd_utc(true);
    snprintf(base, sizeof base, "%s_", now);
    free(now);
    append_plain(base, host);
    strcat(base, "_");
    append_plain(base, name);
    for (int i = 1; i <= MAX_TRIES; i++) {
        char *folder =
            i == 1 ? tgd_format("%s/%s", parent, base) : tgd_format("%s/%s-%d", parent, base, i);
        if (mkdir(folder, 0777) == 0) {
            *path = folder;
            return tg_success();
        }
        if (errno != EEXIST || i == MAX_TRIES) {
            status = tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected to make a run folder there",
                             folder, strerror(errno));
            free(folder);
            return status;
        }
        free(folder);
    }
    return status;
}

bool tgd_lock_is_taken(int fd)
{
    const struct timespec nap = {.tv_nsec = NAP_NS};
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return false;
        if (i == LOCK_TRIES)
            return true;
        nanosleep(&nap, NULL);
    }
    return false;
}

tg_status tgd_folder_lock(const char *folder, int *lock)
{
    char *path = tgd_format("%s/.lock", folder);
    tg_status status = tg_success();
    *lock = open(path, O_RDWR | O_CREAT, 0666); /* no O_CLOEXEC: a launch holds it too */
    if (*lock < 0) {
        status = tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected a folder that can be written", path,
                         strerror(errno));
    } else if (tgd_lock_is_taken(*lock)) {
        status =
            tg_fail(TG_BAD_INPUT, "'%.150s': another run is going on there; expected none", folder);
        close(*lock);
        *lock = -1;
    }
    free(path);
    return status;
}
