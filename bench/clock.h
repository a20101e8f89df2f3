/* clock.h: the clock of this machine, and rank 0's clock as every rank computes it from its own:
 *
 *   global = local + offset + drift (local - at)
 *
 * Ranks of one machine read one clock, and then offset and drift are 0. Ranks of several machines
 * learn them by ping-pong along a binary tree. Under a simulator whose clock is one for all, nothing
 * is learned. Source: the tree of Hunold and Carpen-Amarie, "Hierarchical Clock Synchronization in
 * MPI", CLUSTER 2018 (HCA3). */
#ifndef TGB_CLOCK_H
#define TGB_CLOCK_H

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

/* Calls: Local. CLOCK_MONOTONIC_RAW in ns: one clock a machine, free of corrections. */
uint64_t tgb_now_ns(void);

/* Calls: Local. Does the clock show simulated time, the same on all ranks? */
bool tgb_clock_simulated(void);

/* What is known of the clocks of a launch; the worst of its teams. */
typedef struct {
    const char *kind;     /* none: no team of two ranks yet; one: all ranks read one clock; model:
                             offsets and drifts were learned; simulated */
    int rounds;           /* of the tree */
    double residual_us;   /* largest distance of a new ping-pong from the model, over ranks and
                             re-checks; the last one is made at the end of the launch */
    double bound_us;      /* half the shortest round trip, added along the tree; largest over ranks:
                             no offset was known better than this */
    double drift_ppm_max; /* largest over ranks; 0 with one clock */
} tgb_clock_facts;

typedef struct {
    const char *kind; /* as in the facts */
    int64_t offset_ns;
    uint64_t at_ns; /* on this rank's clock */
    double drift;
    double drift_variance;        /* how much of the drift is still unknown, squared */
    double noise_ns;              /* of the offset: a quarter of the shortest round trip */
    double residual_ns, bound_ns; /* of this rank */
    int rounds;
} tgb_clock;

/* Calls: Collective on comm. Learn the model: about 10 ms for each of ceil(log2 P) rounds.
 * one_machine: all ranks share a kernel, so that one clock is possible; it is taken when no
 * ping-pong contradicts it. */
void tgb_clock_learn(MPI_Comm comm, bool one_machine, tgb_clock *clock);

/* Calls: Collective on comm. A few ping-pongs along the tree: how far is the model from them? Then
 * it is set right, its drift too. */
void tgb_clock_renew(MPI_Comm comm, tgb_clock *clock);

/* Calls: Collective on comm. Renew for the last time, and keep the facts of all ranks. */
void tgb_clock_close(MPI_Comm comm, tgb_clock *clock);

/* Calls: Local. The facts of the clocks closed so far. Only rank 0 of the world has seen them all.
 */
tgb_clock_facts tgb_clock_known(void);

/* Calls: Local. Between this rank's clock and rank 0's. */
uint64_t tgb_clock_global(const tgb_clock *clock, uint64_t local_ns);
uint64_t tgb_clock_local(const tgb_clock *clock, uint64_t global_ns);

#endif
