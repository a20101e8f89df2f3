/* rounds.h: which rounds of pairs a campaign measures (bench/pairs.h). */
#ifndef TGD_ROUNDS_H
#define TGD_ROUNDS_H

#include "primitives/layout.h"

/* Calls: Local. Is it a choice: all, ring (the first two or three rounds) or random:K? Errors:
 * TG_BAD_INPUT names what and the word. */
tg_status tgd_rounds_check(const char *what, const char *choice);

/* Calls: Local. The rounds of a choice on so many ranks, ascending, malloc'ed; random: K of them,
 * the same for one seed. NULL: all up to 64 ranks, random:16 above. */
int *tgd_rounds_make(const char *choice, int ranks, long seed, int *count);

#endif
