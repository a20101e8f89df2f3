/* team.c: the first P ranks of the world, their machines and their clocks. */
#include "bench/team.h"

#include <math.h>
#include <time.h>

enum { TAG = 0 };

static double timer_cost_ns(void)
{
    const bool simulated = tgb_clock_simulated(); /* each read costs the same */
    const int reads = simulated ? 1 : 200, trials = simulated ? 1 : 20;
    double best = INFINITY;
    for (int i = 0; i < trials; i++) {
        uint64_t start = tgb_now_ns(), end = start;
        for (int k = 0; k < reads; k++)
            end = tgb_now_ns();
        best = fmin(best, (double)(end - start) / reads);
    }
    return best;
}

void tgb_team_make(int ranks, tgb_team *team)
{
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    *team = (tgb_team){.comm = MPI_COMM_NULL};
    MPI_Comm_split(MPI_COMM_WORLD, rank < ranks ? 0 : MPI_UNDEFINED, rank, &team->comm);
    if (team->comm == MPI_COMM_NULL)
        return;
    MPI_Comm_rank(team->comm, &team->rank);
    MPI_Comm_size(team->comm, &team->size);
    tgb_machine_look(team->comm, &team->machine);
    team->timer_ns = tgb_team_largest(team, timer_cost_ns());
}

void tgb_team_free(tgb_team *team)
{
    if (team->comm == MPI_COMM_NULL)
        return;
    if (team->clock.kind)
        tgb_clock_close(team->comm, &team->clock);
    MPI_Comm_free(&team->comm);
}

void tgb_rest(void)
{
    const struct timespec nap = {.tv_nsec = 2000000};
    MPI_Request all;
    int done = 0;
    MPI_Ibarrier(MPI_COMM_WORLD, &all);
    for (MPI_Test(&all, &done, MPI_STATUS_IGNORE); !done; MPI_Test(&all, &done, MPI_STATUS_IGNORE))
        nanosleep(&nap, NULL);
}

void tgb_barrier(const tgb_team *team)
{
    for (int step = 1; step < team->size; step *= 2)
        MPI_Sendrecv(NULL, 0, MPI_BYTE, (team->rank + step) % team->size, TAG, NULL, 0, MPI_BYTE,
                     (team->rank - step + team->size) % team->size, TAG, team->comm,
                     MPI_STATUS_IGNORE);
}

int tgb_team_told(const tgb_team *team, int decision)
{
    MPI_Bcast(&decision, 1, MPI_INT, 0, team->comm);
    return decision;
}

double tgb_team_largest(const tgb_team *team, double mine)
{
    MPI_Allreduce(MPI_IN_PLACE, &mine, 1, MPI_DOUBLE, MPI_MAX, team->comm);
    return mine;
}
