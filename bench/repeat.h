/* repeat.h: the repetitions of one cell: made on all ranks, brought together on rank 0. */
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
    tgb_evictor evictor; /* empty: caches stay warm */
} tgb_session;

/* Calls: Collective on the team. Room for n repetitions. Errors: TG_NO_MEMORY, the same on all
 * ranks, with nothing kept. */
tg_status tgb_session_make(tgb_team *team, tgb_work *work, int n, tgb_session *s);
void tgb_session_free(tgb_session *s);

/* Calls: Collective on the team. n repetitions behind those collected; fewer where the time of
 * round-time ends. Returns how many were made, the same on all ranks. */
int tgb_repeat(tgb_session *s, int n);

/* Calls: Collective on the team. Bring the next n repetitions together on rank 0: extremes over
 * ranks, and the spread of the starts. Late ones are left out: they are to be made again. */
void tgb_collect(tgb_session *s, int n);

/* Calls: Local. scratch holds n values, and holds them sorted afterwards. */
double tgb_median(const double *values, int n, double *scratch);

#endif
