/* plan.h: the cells of a campaign: the product of each section's lists, reduced to what each
 * operation offers. */
#ifndef TGD_PLAN_H
#define TGD_PLAN_H

#include "driver/builds.h"
#include "driver/campaign.h"

typedef struct {
    int launch, number; /* number: unique in a run, from 1 */
    int build;          /* which of the builds measures it; launches take turns */
    int ranks;
    char *direction;
    ptrdiff_t size_bytes; /* -1: no N in the case */
    char *text;           /* the case with its dtype and algorithm; P and N may stand in it */
    int line;             /* of the campaign file */
    const tgd_section *section;
    int turn; /* number of the first of the cells that take turns with it; 0: it is by itself */
    json_t *resolved; /* what tgbench makes of it: op, case, size_bytes, ... */
} tgd_cell;

typedef struct {
    /* By launch, then by ranks, then as the campaign says, but those that take turns one behind the
     * other; numbered so. */
    tgd_cell *cell;
    int count;
    int *order; /* indices of cells in the order in which they are measured */
    int to_do;  /* so many of them */
    int builds;
    tgd_words left_out; /* a line for each case that cannot be on one of the ranks of --ranks */
} tgd_plan;

/* Calls: Local. Every section gives  case x dtype x algorithm x ranks x sizes x direction.
 *   direction  `adjoint` stands for an operation's reverse: adjoint of primitives, backward of
 * layers; raw calls have none. An empty list is all directions of the operation. dtype, algorithm,
 * direction: a word that an operation does not offer is left out there, as long as some operation
 * of the campaign offers it. An operation with one algorithm takes no notice of the list. sizes
 * only where N stands in the case. A word that stands in the case itself wins. Words are checked by
 * tgbench (a dry run); a cell that is asked for twice (same case, direction and ranks) is measured
 * once. In a section that says `turns = yes` the cells of the same ranks, size and direction take
 * turns. Several builds measure the same cells, as the first one understands them, each in launches
 * of its own. Where --ranks replaces the campaign's ranks, a case that tgbench refuses on one of them
 * is left out there, unless nothing is left. Errors: TG_BAD_INPUT names the file, the line and the
 * word; *plan is then empty. */
tg_status tgd_plan_make(const tgd_campaign *campaign, const tgd_builds *builds, tgd_plan *plan);
void tgd_plan_free(tgd_plan *plan);

/* Calls: Local. One more launch of all cells, behind those that the plan has. */
void tgd_plan_add_launch(tgd_plan *plan, const tgd_campaign *campaign);

/* Calls: Local. The cells that take turns with the one of this index: the index of the first, and how
 * many there are; mostly one. */
int tgd_plan_in_turn(const tgd_plan *plan, int index, int *first);

/* Calls: Local. done[number] for each cell. Cells that take turns are done when all of them are:
 * what is done of the others is not any more. Then what is to be done becomes what is not done yet.
 */
void tgd_plan_break(const tgd_plan *plan, bool *done);
void tgd_plan_skip(tgd_plan *plan, const bool *done);

/* Calls: Local. What `tgbench time --cells` reads, the cells to be done in their order: as
 * malloc'ed text, and in a file. Errors: TG_BAD_INPUT names the file. */
char *tgd_plan_text(const tgd_plan *plan);
tg_status tgd_plan_write(const tgd_plan *plan, const char *path);

/* Calls: Local. `tgbench time --dry-run` of the first launch's cells as they are numbered, with the
 * campaign's settings, through a temporary file; as tgd_bench_dry_run. *refused (may be NULL): index of
 * the cell that an error is about, or -1. */
tg_status tgd_plan_dry_run(const tgd_plan *plan, const tgd_campaign *campaign,
                           const tgd_bench *bench, bool json, char **output, int *refused);

#endif
