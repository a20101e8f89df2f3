/* checks.h: what `tensorgauge selfcheck` looks at: one row for each check, with its figure and its
 * verdict. */
#ifndef TGD_CHECKS_H
#define TGD_CHECKS_H

#include "driver/trial.h"
#include "driver/verbs.h"

/* Launches of the same cells that differ in one thing, and two more. */
typedef enum {
    TGD_FIRST_HALF,  /* in ascending sizes */
    TGD_SECOND_HALF, /* the same again */
    TGD_SHUFFLED,    /* in another order each time */
    TGD_COUNTED,     /* with --counters */
    TGD_BESIDE,      /* other cells: a no-op; operators and raw calls in turns */
    TGD_FASTEST,     /* other cells: algorithm=auto, raw calls and copies in turns */
    TGD_KINDS
} tgd_kind;
extern const char *const tgd_kind_names[TGD_KINDS];

/* What was measured for the checks. Cells have the same number in each kind. */
typedef struct {
    tgd_table kind[TGD_KINDS]; /* rows of all launches */
    int cells;                 /* in a launch of a kind */
    int launches;              /* of each kind */
    bool crowded;              /* ranks share a core */
    const tgd_trial *trial;
    long rows; /* of the runs that the verbs were given; 0: they were not run */
    tgd_verb_use verb[TGD_VERBS];
} tgd_evidence;

typedef enum {
    TGD_OK,
    TGD_LOOK, /* not as expected; noise can do that, so have a look */
    TGD_NONE, /* n.a.: not to be had here */
    TGD_WRONG /* noise cannot do that */
} tgd_verdict;

enum { TGD_FIGURE = 200 };

typedef struct {
    const char *group; /* a heading stands above the first of a group */
    const char *name, *expected;
    tgd_verdict (*look)(const tgd_evidence *evidence, int argument, char figure[TGD_FIGURE]);
    int argument;     /* of look: which kind, which operator */
    bool judges_time; /* means nothing when ranks share a core */
} tgd_check;

extern const tgd_check tgd_checks[]; /* ends with a row without name */

/* Calls: Local. The cells that the checks need, as the text that `tgbench time --cells` reads,
 * malloc'ed. family: in the order given (indices of cells), or NULL: ascending. The others are in
 * driver/checks_turns.h. */
enum { TGD_FAMILY = 12 };
char *tgd_family_cells(int launch, int ranks, const int *order);

/* Calls: Local. Is the status of a row ok? */
bool tgd_row_is_ok(const tgd_table *t, int row);

#endif
