/* child.c: starts a program by fork and exec, reads both its streams by lines and passes signals
 * on. */
#include "driver/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TICK_MS = 500, KILL_AFTER_S = 10 };

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

/* In the child: never returns. */
static void become(const tgd_child *child, int output, int errors)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* no measurement outlives its driver */
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

/* Passes a stop on to the child's group; *asked is when that was first done, 0 before. */
static void pass_stop(const tgd_child *child, pid_t group, double *asked)
{
    if (!child->stop || !*child->stop)
        return;
    if (*asked == 0) {
        *asked = tgd_now_s();
        kill(-group, SIGTERM);
    } else if (tgd_now_s() - *asked > KILL_AFTER_S) {
        kill(-group, SIGKILL);
    }
}

/* Reads until the child has ended and said all; a grandchild that keeps a stream open is not waited
 * for. */
static int attend(const tgd_child *child, pid_t pid, stream streams[2])
{
    int status = 0;
    bool ended = false;
    double asked = 0, tick = tgd_now_s();
    while (!ended || streams[0].fd >= 0 || streams[1].fd >= 0) {
        struct pollfd wait[2] = {{streams[0].fd, POLLIN, 0}, {streams[1].fd, POLLIN, 0}};
        const bool both_closed = streams[0].fd < 0 && streams[1].fd < 0;
        const int ready = poll(wait, 2, ended || both_closed ? 20 : TICK_MS);
        for (int i = 0; i < 2 && ready > 0; i++)
            if (wait[i].revents)
                read_some(child, &streams[i]);
        if (ended && ready == 0)
            break;
        if (!ended) {
            pass_stop(child, pid, &asked);
            ended = waitpid(pid, &status, WNOHANG) == pid;
        }
        if (child->on_tick && tgd_now_s() - tick > 1e-3 * TICK_MS) {
            tick = tgd_now_s();
            child->on_tick(child->context);
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int tgd_child_run(const tgd_child *child)
{
    int output[2], errors[2];
    if (pipe2(output, O_CLOEXEC) != 0)
        return 127;
    if (pipe2(errors, O_CLOEXEC) != 0) {
        close(output[0]);
        close(output[1]);
        return 127;
    }
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0)
        become(child, output[1], errors[1]);
    close(output[1]);
    close(errors[1]);
    stream streams[2] = {{output[0], false, NULL, 0}, {errors[0], true, NULL, 0}};
    int status = 127;
    if (pid > 0) {
        setpgid(pid, pid); /* here too: whichever side comes first */
        status = attend(child, pid, streams);
    }
    for (int i = 0; i < 2; i++) {
        if (streams[i].fd >= 0)
            close(streams[i].fd);
        free(streams[i].text);
    }
    return status;
}

static void keep_line(void *context, bool is_error, const char *line)
{
    FILE **files = context;
    fprintf(files[is_error], "%s\n", line);
}

int tgd_child_capture(const tgd_words *arguments, char **output, char **errors)
{
    size_t sizes[2];
    FILE *files[2] = {open_memstream(output, &sizes[0]), open_memstream(errors, &sizes[1])};
    if (!files[0] || !files[1]) {
        fputs("tensorgauge: no memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    const tgd_child child = {.arguments = arguments, .on_line = keep_line, .context = files};
    const int status = tgd_child_run(&child);
    fclose(files[0]);
    fclose(files[1]);
    return status;
}
