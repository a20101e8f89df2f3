/* checks_turns.h: checks of selfcheck on cells that take turns: operators beside raw calls, `auto` beside
 * the library's own ways and beside a copy of the same bytes. What is said is the centre, over the
 * launches, of the logarithm of a ratio of medians (or of their difference), with its exact interval. */
#ifndef TGD_CHECKS_TURNS_H
#define TGD_CHECKS_TURNS_H

#include "driver/checks.h"

/* Calls: Local. Cells of a launch, as in checks.h. noop: the case of an operation that does nothing. */
char *tgd_beside_cells(int launch, int ranks, const char *noop);
char *tgd_fastest_cells(int launch, int ranks);

/* Looks of checks; argument: which operator, which of the halo's messages, which race. */
enum { TGD_COUPLES = 7, TGD_RACES = 4 };
tgd_verdict tgd_look_beside(const tgd_evidence *e, int couple, char figure[TGD_FIGURE]);
tgd_verdict tgd_look_messages(const tgd_evidence *e, int argument, char figure[TGD_FIGURE]);
tgd_verdict tgd_look_race(const tgd_evidence *e, int race, char figure[TGD_FIGURE]);
tgd_verdict tgd_look_copy(const tgd_evidence *e, int copy, char figure[TGD_FIGURE]);

#endif
