/* launches.h: the launches of a run, one after another: each is one start of tgbench for one rank
 * count. */
#ifndef TGD_LAUNCHES_H
#define TGD_LAUNCHES_H

#include "driver/builds.h"
#include "driver/plan.h"
#include "driver/progress.h"

#include <stdio.h>

/* A launch of n cells gets at least n times this, also when the budget is used up. */
#define TGD_LEAST_CELL_S 0.02

typedef struct {
    /* Given by the caller. */
    const tgd_campaign *campaign;
    tgd_builds *builds;     /* their calibrations are found here */
    tgd_plan *plan;         /* a soak adds launches to it */
    const char *folder;     /* of the run, from the root */
    const char *cells_path; /* of the file with the cells to be done, from the root */
    FILE *log;
    json_t *record; /* run.json; each launch is added to its array `launches` */
    double budget_s;
    double soak_s; /* 0: no more launches than planned */

    /* What became of them. */
    bool refused; /* tgbench ended with exit status 2: the next launch would do so too */

    /* Of the launch that is running. */
    tgd_progress progress;
    tgd_words said; /* lines of tgbench that were printed: each once in a run */
    int cells, done;
    long in_flight;   /* number of the cell, the last of those that take turns; 0: none */
    double heard_s;   /* when it last said something */
    double begin_s;   /* when the cell in flight began */
    double longest_s; /* what a cell has taken at most, or those that take turns */
    double end_s;     /* of its budget */
    bool stalled;
    char refusal[TG_STATUS_TEXT]; /* the last error line */
} tgd_launches;

/* Calls: Local. Run them until all cells of the plan that are to be done had their turn, a signal
 * came (tgd_stop_watch) or tgbench refused. run.json is written after each launch.
 *   budget   every launch gets the time left x its cells / the cells left
 *   soak     when all are done and soak_s is not over, one more launch of all cells joins the plan,
 *            its file and `cells_planned`; it gets the budget of a launch
 *   signal   the cell in flight is finished; a second signal ends it at once
 *   stall    a launch that says nothing for campaign->stall_s + 3 x the time of a cell is ended;
 *            that is its time left / its cells left, or what its longest cell took when that is
 *            more. tgbench says something at the begin and the end of each cell. Cells that take
 *            turns are in flight together, and have the time of all of them
 *   death    the cell in flight gets a row with status killed; what was measured is kept, and the
 *            next launch begins
 * Errors: TG_BAD_INPUT: a file of the run folder cannot be written. */
tg_status tgd_launches_run(tgd_launches *launches);
void tgd_launches_free(tgd_launches *launches);

#endif
