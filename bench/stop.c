/* stop.c: a handler that only notes the signal, and the question that all ranks ask together. */
#include "bench/stop.h"

#include <mpi.h>
#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t asked; /* the signal that came first; 0: none */

static void on_signal(int number)
{
    if (asked) {
        signal(number, SIG_DFL);
        raise(number); /* delivered when this handler returns */
    }
    asked = number;
}

void tgb_stop_watch(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGUSR1};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
}

bool tgb_stop_asked(void)
{
    int any = asked != 0;
    MPI_Allreduce(MPI_IN_PLACE, &any, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    return any != 0;
}
