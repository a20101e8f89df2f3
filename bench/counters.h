/* counters.h: PAPI, as far as tgbench needs it; no other file names it. Without PAPI in the build
 * the same functions are there, and every event is absent. A counter that cannot be had is no
 * error of the program: each function says why, and the caller goes on. */
#ifndef TGB_COUNTERS_H
#define TGB_COUNTERS_H

#include "primitives/layout.h"

/* What the build has: "PAPI 7.0.0.0, libsde", or "none". */
const char *tgb_counters_library(void);

/* ---- events of our own ---- */

/* The prefix under which what tgb_counters_publish registers is found as PAPI events. */
#define TGB_OWN_EVENTS "sde:::TENSORGAUGE::"

/* Calls: Local, before the first other call. `value` is read whenever the event TGB_OWN_EVENTS name
 * is; both stay the caller's and must live as long as the program. */
void tgb_counters_publish(const char *name, long long *value);

/* ---- sets of events ---- */

enum { TGB_MAX_EVENTS = 64 }; /* in one set */

typedef struct tgb_counter_set tgb_counter_set;

/* Calls: Local. Events that are counted together, made ready and tried once; *set is NULL on
 * errors. Errors: TG_BAD_INPUT: the library's reason; TG_NO_MEMORY. */
tg_status tgb_counter_set_make(const char *const *events, int count, tgb_counter_set **set);
void tgb_counter_set_free(tgb_counter_set *set); /* NULL is fine */

/* Calls: Local. Count from zero; stop, and write one number an event. stop returns false when the
 * library could not read them. */
bool tgb_counter_set_start(tgb_counter_set *set);
bool tgb_counter_set_stop(tgb_counter_set *set, long long *values);

#endif
