/* team.h: the ranks that take part in a cell: the first P of the world. */
#ifndef TGB_TEAM_H
#define TGB_TEAM_H

#include "bench/clock.h"
#include "bench/machine.h"

typedef struct {
    MPI_Comm comm;
    int rank, size;
    tgb_machine machine;
    double timer_ns; /* cost of reading the clock; largest rank */
    tgb_clock clock; /* of rank 0, as this rank knows it; kind NULL: not learned yet */
} tgb_team;

/* Calls: Collective on MPI_COMM_WORLD. A team of the first `ranks`; comm is MPI_COMM_NULL on the
 * others. A clock that was learned is looked at again when the team is freed. */
void tgb_team_make(int ranks, tgb_team *team);
void tgb_team_free(tgb_team *team);

/* Calls: Collective on MPI_COMM_WORLD. Wait for all others asleep: a rank that spins would take a
 * core from those that are timed. */
void tgb_rest(void);

/* Calls: Collective on the team. Dissemination barrier: after ceil(log2 P) rounds every rank has
 * heard of every other. */
void tgb_barrier(const tgb_team *team);

/* Calls: Collective on the team. What rank 0 has decided; the largest over ranks. */
int tgb_team_told(const tgb_team *team, int decision);
double tgb_team_largest(const tgb_team *team, double mine);

#endif
