/* plan.h: the cells of a campaign: the product of each section's lists, reduced to what each
 * operation offers. */
#ifndef TGD_PLAN_H
#define TGD_PLAN_H

#include "driver/bench.h"
#include "driver/campaign.h"

typedef struct {
    int launch, number; /* number: unique in a run, from 1 */
    int ranks;
    const char *scaling; /* the section's */
    char *direction;
    ptrdiff_t size_bytes; /* -1: no N in the case */
    char *text;           /* the case with its dtype and algorithm; P and N may stand in it */
    int line;             /* of the campaign file */
} tgd_cell;

typedef struct {
    tgd_cell *cell; /* by launch, then by ranks, then as the campaign says */
    int count;
} tgd_plan;

/* Calls: Local. Every section gives  case x dtype x algorithm x ranks x sizes x direction.
 *   direction  `adjoint` stands for an operation's reverse: adjoint of primitives, backward of
 * layers; raw calls have none. An empty list is all directions of the operation. dtype, algorithm,
 * direction: a word that an operation does not offer is left out there, as long as some operation
 * of the campaign offers it. An operation with one algorithm takes no notice of the list. sizes
 * only where N stands in the case. A word that stands in the case itself wins. Words are checked by
 * tgbench (a dry run); a cell that is asked for twice (same case, direction and ranks) is measured
 * once. Errors: TG_BAD_INPUT names the file, the line and the word; *plan is then empty. */
tg_status tgd_plan_make(const tgd_campaign *campaign, const tgd_bench *bench, tgd_plan *plan);
void tgd_plan_free(tgd_plan *plan);

/* Calls: Local. Write the file that `tgbench time --cells` reads. Errors: TG_BAD_INPUT names the
 * file. */
tg_status tgd_plan_write(const tgd_plan *plan, const char *path);

/* Calls: Local. `tgbench time --dry-run` of the plan, through a temporary file; as
 * tgd_bench_dry_run. */
tg_status tgd_plan_dry_run(const tgd_plan *plan, const tgd_campaign *campaign,
                           const tgd_bench *bench, bool json, char **output);

#endif
