/* repeat.h: the repetitions of one cell, or of several that take turns: made on all ranks, brought
 * together on rank 0. */
#ifndef TGB_REPEAT_H
#define TGB_REPEAT_H

#include "bench/cache.h"
#include "bench/measure.h"
#include "bench/sync.h"

struct tgb_time_and_rank { /* MPI_DOUBLE_INT */
    double us;
    int rank;
};

/* The repetitions of one cell. */
typedef struct {
    tgb_team *team;
    tgb_work *work;
    int batch, count;       /* operations a repetition; repetitions made */
    uint64_t *begin, *took; /* this rank's starts on rank 0's clock, and its times, ns */
    int *late;              /* was this repetition late on a rank? */
    int redone;             /* late repetitions, which are not counted */
    struct tgb_time_and_rank *mine, *extreme; /* for MPI_MAXLOC and MPI_MINLOC */
    uint64_t *first, *last;                   /* rank 0: first and last start over ranks */
    double *value, *skew, *scratch;           /* rank 0, us, in the order measured */
    tgb_sample *sample;                       /* rank 0 */
    tgb_starts starts;
    const tgb_evictor *evictor; /* an empty one: caches stay warm */
} tgb_session;

/* Calls: Collective on the team. Room for n repetitions. Errors: TG_NO_MEMORY, the same on all
 * ranks, with nothing kept. */
tg_status tgb_session_make(tgb_team *team, tgb_work *work, int n, tgb_session *s);
void tgb_session_free(tgb_session *s);

/* Calls: Collective on the team. n rounds behind those collected; fewer where the time of round-time
 * ends. In a round each of the sessions makes one repetition, in an order that changes from round
 * to round. Returns how many rounds were made, the same on all ranks. */
int tgb_repeat(tgb_session *s, int sessions, int n);

/* Calls: Collective on the team. Bring the next n rounds together on rank 0: extremes over ranks, and
 * the spread of the starts. A round with a late repetition is left out, and is to be made again: the
 * same number is the same round in all sessions. */
void tgb_collect(tgb_session *s, int sessions, int n);

/* Calls: Local. scratch holds n values, and holds them sorted afterwards. */
double tgb_median(const double *values, int n, double *scratch);

#endif
