/* child.h: other programs, started without a shell: each argument stays one argument. */
#ifndef TGD_CHILD_H
#define TGD_CHILD_H

#include "driver/text.h"

#include <signal.h>

/* What a child is to do. */
typedef enum {
    TGD_GO_ON,
    TGD_FINISH, /* SIGUSR1, once: end after the cell in flight */
    TGD_END     /* SIGTERM to its group, 5 s later SIGKILL */
} tgd_wish;

/* What a child is given and what becomes of its lines. */
typedef struct {
    const tgd_words *arguments;   /* the program's path first */
    const tgd_words *environment; /* NAME=VALUE, added to ours; or NULL */
    void (*on_line)(void *context, bool is_error,
                    const char *line);  /* each line of either stream, no line end */
    tgd_wish (*on_tick)(void *context); /* about twice a second; or NULL */
    void *context;
    const volatile sig_atomic_t *stop; /* when it is set: TGD_END; or NULL */
    double *memory_MB; /* gets the peak of the child and of those that it waited for; or NULL */
} tgd_child;

/* Calls: Local. Waits for the child. Returns its exit status, 128 + signal when a signal ended it,
 * 127 when it could not be started. The child leads a process group of its own and reads nothing.
 * Signals: Open MPI's mpirun, MPICH's mpiexec and srun pass SIGUSR1 on to the ranks; on SIGTERM
 * they end all ranks. When this program dies the child gets SIGTERM. With on_tick or
 * stop, processes that the child leaves behind are ended too, wherever they have put themselves. */
int tgd_child_run(const tgd_child *child);

/* Calls: Local. Runs a child and keeps what it printed, in malloc'ed texts; returns as above. */
int tgd_child_capture(const tgd_words *arguments, char **output, char **errors);

/* Calls: Local. The same of a child that may hang: after limit_s it is ended with all that it has
 * started, and TGD_LATE is returned. environment: NAME=VALUE words added to ours, or NULL. */
enum { TGD_LATE = -1 };
int tgd_child_capture_within(double limit_s, const tgd_words *arguments,
                             const tgd_words *environment, char **output, char **errors);

#endif
