/* sync.h: how the repetitions of a cell start together. Rows:
 *
 *   barrier     leave a dissemination barrier; a rank's time is its end minus its own start
 *   window      rank 0 announces a series of starts, one a window, in its clock; a rank's time is
 *               its end minus the announced start
 *   round-time  rank 0 announces one start at a time, until its time is used up; times as window
 *
 * A repetition whose announced start was missed by a rank, or that did not end in its window, is
 * late, and worth nothing. Source: Hunold and Carpen-Amarie, "Reproducible MPI Benchmarking is Still
 * Not as Easy as You Think", 2016 (windows), and "Hierarchical Clock Synchronization in MPI", 2018
 * (round-time). */
#ifndef TGB_SYNC_H
#define TGB_SYNC_H

#include "bench/team.h"
#include "primitives/layout.h"

typedef struct tgb_sync tgb_sync;

/* The starts of the repetitions of one cell. Times are ns on rank 0's clock. */
typedef struct {
    const tgb_sync *sync;
    const tgb_team *team;
    uint64_t announced; /* start of this repetition; of the next one while it is waited for */
    uint64_t window;    /* length; 0: no end */
    bool late;          /* this repetition, on this rank */
    /* On rank 0. */
    uint64_t cycle;            /* one repetition with all that is around it */
    uint64_t deadline;         /* round-time: no start is announced behind it; 0: none */
    double slack, least_slack; /* from the announcement to the start */
    int windows;               /* the length of a window in cycles */
} tgb_starts;

struct tgb_sync {
    const char *name, *start; /* columns sync and start */
    const tgb_sync *warm_up;  /* for warming up, when no cycle is known */
    bool announces;
    /* Collective; before n repetitions; NULL: nothing to do. */
    void (*series)(tgb_starts *s);
    /* Collective. Returns when this repetition starts, with the time on this rank's clock; 0: there
     * is none. */
    uint64_t (*start_one)(tgb_starts *s);
    /* On rank 0: `late` of n repetitions of the last series were late; NULL: it does not matter. */
    void (*adapt)(tgb_starts *s, int n, int late);
};

/* Calls: Local. All rows; NULL ends them. tgb_sync_find: Errors: TG_BAD_INPUT names the word. */
extern const tgb_sync *const tgb_syncs[];
tg_status tgb_sync_find(const char *name, const tgb_sync **sync);

/* Calls: Collective on the team. How long an announcement takes is measured here. */
void tgb_starts_make(const tgb_team *team, const tgb_sync *sync, tgb_starts *s);

#endif
