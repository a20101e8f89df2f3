/* cell.h: what is measured once: a case, a direction, a rank count and a size; and lists of them,
 * made from the words of a command line or from a file. No MPI calls. */
#ifndef TGB_CELL_H
#define TGB_CELL_H

#include "bench/operation.h"

typedef struct {
    tgb_setup setup;
    const tgb_direction *direction;
    tgb_scaling scaling;
    ptrdiff_t size; /* asked for, bytes; -1: none */
    long number;    /* unique in a run; -1: numbered when the output is opened */
    long turn; /* neighbours with the same one take turns in making repetitions; -1: by itself */
} tgb_cell;

typedef struct {
    tgb_cell *cell;
    int count;
} tgb_cells;

/* Lists that multiply; an empty list leaves the case's own word, the operation's directions, or no
 * size. */
typedef struct {
    char **directions, **dtypes, **kernels, **algorithms;
    int ndirections, ndtypes, nkernels, nalgorithms;
    long *ranks;
    int nranks;
    ptrdiff_t *sizes;
    int nsizes;
    tgb_scaling scaling;
    bool all_algorithms; /* of the operation, where the case names none */
} tgb_sweep;
void tgb_sweep_free(tgb_sweep *sweep);

/* Calls: Local. Append the cells of one case. Errors: TG_BAD_INPUT names the word, TG_NO_MEMORY;
 * cells made so far stay in the list. */
tg_status tgb_cells_of_case(const char *text, const tgb_sweep *sweep, tgb_cells *cells);

/* Calls: Local. Append the cells of a file: tab-separated, with the header line launch cell ranks
 * scaling direction size_bytes case, and turn as a last one where cells take turns. Only lines of
 * this launch and rank count are taken; negative: any. Errors: TG_BAD_INPUT names file and line,
 * TG_NO_MEMORY. */
tg_status tgb_cells_of_file(const char *path, long launch, long ranks, tgb_cells *cells);

/* Calls: Local. All cells of the same ranks, direction and size become neighbours that take turns.
 * Errors: TG_NO_MEMORY. */
tg_status tgb_cells_take_turns(tgb_cells *cells);

/* Calls: Local. How many cells from number `at` on take turns; 1: it is measured by itself. */
int tgb_cells_in_turn(const tgb_cells *cells, int at);

void tgb_cells_free(tgb_cells *cells);

#endif
