/* stop.c: handlers that only count. */
#include "driver/stop.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t last, count;

static void on_signal(int number)
{
    last = number;
    count = count + 1;
}

void tgd_stop_watch(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
}

int tgd_stop_signal(void)
{
    return last;
}

int tgd_stop_count(void)
{
    return count;
}
