/* whole.c: locks, and the last line of a file. */
#include "bench/whole.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 100, NAP_NS = 50000000 };

tg_status tgb_whole_lock(FILE *file)
{
    const struct timespec nap = {.tv_nsec = NAP_NS};
    for (int i = 0; flock(fileno(file), LOCK_EX | LOCK_NB) != 0; i++) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            break;
        if (i == TRIES)
            return tg_fail(TG_BAD_INPUT, "another program writes there; expected to be alone");
        nanosleep(&nap, NULL);
    }
    return tg_success();
}

/* Where the last whole line ends. */
static off_t end_of_lines(int fd)
{
    struct stat info;
    char block[4096];
    off_t end = fstat(fd, &info) == 0 ? info.st_size : 0;
    while (end > 0) {
        const off_t start = end > (off_t)sizeof block ? end - (off_t)sizeof block : 0;
        const ssize_t length = pread(fd, block, (size_t)(end - start), start);
        for (ssize_t i = length; i > 0; i--)
            if (block[i - 1] == '\n')
                return start + i;
        if (length != end - start)
            return info.st_size; /* cannot be read: left as it is */
        end = start;
    }
    return 0;
}

static void trim(int fd)
{
    struct stat info;
    const off_t end = end_of_lines(fd);
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && end < info.st_size &&
        ftruncate(fd, end) != 0)
        perror("tgbench: the unfinished last line of a file cannot be cut");
}

void tgb_whole_trim(FILE *file)
{
    trim(fileno(file));
}

void tgb_whole_give_up(FILE *file)
{
    const int error = errno, fd = dup(fileno(file));
    if (fd >= 0 && freopen("/dev/null", "w", file)) /* it may try to write the rest once more */
        trim(fd);
    if (fd >= 0)
        close(fd);
    errno = error;
}
