/* counting.h: --counters: events counted around one operation, in repetitions of their own, behind
 * the timed ones. The value of an event is a count per operation: on each rank the median over
 * repetitions, then minimum, median and maximum over the ranks. */
#ifndef TGB_COUNTING_H
#define TGB_COUNTING_H

#include "bench/operation.h"

/* What became of an event in the last cell. */
typedef struct {
    char *event;
    double min, median, max;     /* over ranks; nothing when there is a reason */
    char reason[TG_STATUS_TEXT]; /* why it is absent; "": it is there */
} tgb_count;

typedef struct tgb_counting tgb_counting;

/* Calls: Local. The list of --counters: names of events, and presets that stand for several. An
 * event that does not exist is absent, and no error. Errors: TG_BAD_INPUT: an empty or strange
 * word, too many events; TG_NO_MEMORY; *counting is then NULL. */
tg_status tgb_counting_make(const char *text, tgb_counting **counting);
void tgb_counting_free(tgb_counting *counting); /* NULL is fine */

/* Calls: Collective on work->comm, after the timed repetitions. Counts `batch` operations a
 * repetition. before: what has to be done before each of them, outside: inputs restored, ranks
 * synchronised. The repetitions are as many as fit into limit_s when an operation takes once_us,
 * both read on rank 0; at least one, at most seven, for each set of events. Rank 0 says on standard
 * error, once, why events are absent. */
void tgb_counting_run(tgb_counting *counting, tgb_work *work, int batch, double once_us,
                      double limit_s, void (*before)(void *context), void *context);

/* Calls: Local. The events of the last cell, on every rank; NULL behind the last. */
const tgb_count *tgb_counting_at(const tgb_counting *counting, int index);

#endif
