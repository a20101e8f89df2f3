/* phases.h: where the time of a launch goes, on this rank. One clock runs all the time; the program
 * says what it is doing, and the seconds go to that. */
#ifndef TGB_PHASES_H
#define TGB_PHASES_H

#include <stdio.h>

typedef enum {
    TGB_PHASE_START,      /* from main to the first cell: MPI, words, files */
    TGB_PHASE_PLAN,       /* layouts to plans and buffers */
    TGB_PHASE_VALIDATION, /* values and adjoint */
    TGB_PHASE_WARM_UP,    /* first call, and repetitions that are not kept */
    TGB_PHASE_TIMED,      /* repetitions that are kept, and deciding when to stop */
    TGB_PHASE_COUNTED,    /* repetitions for --counters */
    TGB_PHASE_OVERLAP,    /* repetitions for --overlap */
    TGB_PHASE_BREAKDOWN,  /* repetitions for --phases */
    TGB_PHASE_ROWS,       /* writing, and waiting between cells */
    TGB_PHASES
} tgb_phase;

/* Calls: Local. From here on time belongs to this phase. The first call starts the clock. */
void tgb_phase_enter(tgb_phase phase);

/* Calls: Local. Units: seconds so far; the name as it is printed. */
double tgb_phase_s(tgb_phase phase);
const char *tgb_phase_name(tgb_phase phase);

/* Calls: Local. One line: "phases_s start=0.2 plan=0.01 ... cells=12". */
void tgb_phases_print(FILE *out, int cells);

#endif
