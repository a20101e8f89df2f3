/* child.c: starts a program by fork and exec, reads both its streams by lines, asks it to end, and
 * leaves none of its descendants behind. */
#include "driver/child.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 500, KILL_AFTER_S = 5, ORPHAN_TRIES = 200, ORPHAN_NAP_NS = 10000000 };

/* One stream of the child: bytes that are not yet a whole line. */
typedef struct {
    int fd; /* -1: at its end */
    bool is_error;
    char *text;
    size_t length;
} stream;

static void give_line(const tgd_child *child, stream *s)
{
    s->text[s->length] = '\0';
    if (s->length > 0 && s->text[s->length - 1] == '\r')
        s->text[s->length - 1] = '\0';
    s->length = 0;
    child->on_line(child->context, s->is_error, s->text);
}

static void read_some(const tgd_child *child, stream *s)
{
    char block[4096];
    const ssize_t length = read(s->fd, block, sizeof block);
    if (length < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (length <= 0) {
        if (s->length > 0)
            give_line(child, s);
        close(s->fd);
        s->fd = -1;
        return;
    }
    s->text = tgd_resize(s->text, (int)(s->length + (size_t)length + 1), 1);
    for (ssize_t i = 0; i < length; i++)
        if (block[i] == '\n')
            give_line(child, s);
        else
            s->text[s->length++] = block[i];
}

/* The signals that our handlers count. A child is born with them blocked, so that none of them is
 * lost in a handler that is not its own. */
static const int handled[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
enum { HANDLED = sizeof handled / sizeof *handled };

static void block_handled(sigset_t *before)
{
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < HANDLED; i++)
        sigaddset(&set, handled[i]);
    sigprocmask(SIG_BLOCK, &set, before);
}

/* In the child: never returns. */
static void become(const tgd_child *child, pid_t parent, const sigset_t *mask, int output,
                   int errors)
{
    setpgid(0, 0);
    for (int i = 0; i < HANDLED; i++)
        signal(handled[i], SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* no measurement outlives its driver, */
    if (getppid() != parent)          /* nor begins when that has just died */
        _exit(127);
    const int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0)
        dup2(nothing, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    for (int i = 0; child->environment && i < child->environment->count; i++)
        putenv(child->environment->word[i]);
    char **argv = calloc((size_t)child->arguments->count + 1, sizeof *argv);
    if (argv) {
        memcpy(argv, child->arguments->word, (size_t)child->arguments->count * sizeof *argv);
        execvp(argv[0], argv);
    }
    fprintf(stderr, "%s: %s\n", child->arguments->word[0], strerror(errno));
    _exit(127);
}

/* What the child was asked to do so far. */
typedef struct {
    tgd_wish wish;
    double end_s; /* when it was told to end */
} asked;

/* Mpirun gives its ranks groups of their own, so that only the launcher can reach all of them. */
static void ask(pid_t pid, tgd_wish wish, asked *a)
{
    if (wish == TGD_FINISH && a->wish == TGD_GO_ON) {
        a->wish = wish;
        kill(pid, SIGUSR1);
    } else if (wish == TGD_END && a->wish != TGD_END) {
        *a = (asked){wish, tgd_now_s()};
        kill(-pid, SIGTERM);
    } else if (wish == TGD_END && tgd_now_s() - a->end_s > KILL_AFTER_S) {
        kill(-pid, SIGKILL);
    }
}

static tgd_wish wish_for(const tgd_child *child)
{
    const tgd_wish wish = child->on_tick ? child->on_tick(child->context) : TGD_GO_ON;
    return child->stop && *child->stop ? TGD_END : wish;
}

/* Reads until the child has ended and said all; a grandchild that keeps a stream open is not waited
 * for. */
static int attend(const tgd_child *child, pid_t pid, stream streams[2])
{
    int status = 0;
    struct rusage used = {0};
    bool ended = false;
    asked a = {TGD_GO_ON, 0};
    double tick = tgd_now_s();
    while (!ended || streams[0].fd >= 0 || streams[1].fd >= 0) {
        struct pollfd wait[2] = {{streams[0].fd, POLLIN, 0}, {streams[1].fd, POLLIN, 0}};
        const bool both_closed = streams[0].fd < 0 && streams[1].fd < 0;
        const int ready = poll(wait, 2, ended || both_closed ? 20 : TICK_MS);
        for (int i = 0; i < 2 && ready > 0; i++)
            if (wait[i].revents)
                read_some(child, &streams[i]);
        if (ended && ready == 0)
            break;
        if (!ended)
            ended = wait4(pid, &status, WNOHANG, &used) == pid;
        if (!ended && (ready < 0 || tgd_now_s() - tick > 1e-3 * TICK_MS)) {
            tick = tgd_now_s();
            ask(pid, wish_for(child), &a);
        }
    }
    if (child->memory_MB)
        *child->memory_MB = 1e-3 * (double)used.ru_maxrss;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- descendants ---- */

static pid_t parent_of(const char *process)
{
    char *path = tgd_format("/proc/%s/stat", process);
    char *text = tgd_read_file(path);
    const char *name_end = text ? strrchr(text, ')') : NULL;
    const pid_t parent = name_end ? (pid_t)strtol(name_end + 4, NULL, 10) : 0;
    free(text);
    free(path);
    return parent;
}

static void signal_children(int number)
{
    DIR *folder = opendir("/proc");
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (isdigit((unsigned char)*entry->d_name) && parent_of(entry->d_name) == getpid())
            kill((pid_t)strtol(entry->d_name, NULL, 10), number);
    if (folder)
        closedir(folder);
}

/* Processes that have lost their parent are ours (PR_SET_CHILD_SUBREAPER): SIGTERM, and after a
 * while SIGKILL. Usually there is none. */
static void end_orphans(void)
{
    const struct timespec nap = {.tv_nsec = ORPHAN_NAP_NS};
    for (int i = 0; i < 2 * ORPHAN_TRIES; i++) {
        pid_t ended;
        while ((ended = waitpid(-1, NULL, WNOHANG)) > 0)
            continue;
        if (ended < 0)
            return;
        if (i == 0 || i >= ORPHAN_TRIES)
            signal_children(i == 0 ? SIGTERM : SIGKILL);
        nanosleep(&nap, NULL);
    }
}

int tgd_child_run(const tgd_child *child)
{
    const bool is_launch = child->on_tick || child->stop;
    if (is_launch)
        prctl(PR_SET_CHILD_SUBREAPER, 1);
    int output[2], errors[2];
    if (pipe2(output, O_CLOEXEC) != 0)
        return 127;
    if (pipe2(errors, O_CLOEXEC) != 0) {
        close(output[0]);
        close(output[1]);
        return 127;
    }
    fflush(NULL);
    sigset_t mask;
    block_handled(&mask);
    const pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become(child, parent, &mask, output[1], errors[1]);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    close(output[1]);
    close(errors[1]);
    stream streams[2] = {{output[0], false, NULL, 0}, {errors[0], true, NULL, 0}};
    int status = 127;
    if (pid > 0) {
        setpgid(pid, pid); /* here too: whichever side comes first */
        status = attend(child, pid, streams);
        if (is_launch)
            end_orphans();
    }
    for (int i = 0; i < 2; i++) {
        if (streams[i].fd >= 0)
            close(streams[i].fd);
        free(streams[i].text);
    }
    return status;
}

/* ---- what a child prints ---- */

typedef struct {
    FILE *files[2];
    double end_s;
    bool late;
} capture;

static void keep_line(void *context, bool is_error, const char *line)
{
    fprintf(((capture *)context)->files[is_error], "%s\n", line);
}

static tgd_wish look_at_clock(void *context)
{
    capture *c = context;
    c->late = c->late || tgd_now_s() > c->end_s;
    return c->late ? TGD_END : TGD_GO_ON;
}

static int capture_it(tgd_child child, double limit_s, char **output, char **errors)
{
    size_t sizes[2];
    capture c = {{open_memstream(output, &sizes[0]), open_memstream(errors, &sizes[1])},
                 tgd_now_s() + limit_s,
                 false};
    if (!c.files[0] || !c.files[1]) {
        fputs("tensorgauge: no memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    child.on_line = keep_line;
    child.context = &c;
    const int status = tgd_child_run(&child);
    fclose(c.files[0]);
    fclose(c.files[1]);
    return c.late ? TGD_LATE : status;
}

int tgd_child_capture(const tgd_words *arguments, char **output, char **errors)
{
    return capture_it((tgd_child){.arguments = arguments}, 0, output, errors);
}

int tgd_child_capture_within(double limit_s, const tgd_words *arguments,
                             const tgd_words *environment, char **output, char **errors)
{
    const tgd_child child = {
        .arguments = arguments, .environment = environment, .on_tick = look_at_clock};
    return capture_it(child, limit_s, output, errors);
}
