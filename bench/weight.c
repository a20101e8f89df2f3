/* weight.c: a cell's rounds, messages and bytes by its algorithm, beside the least that any
 * algorithm needs: data reach k ranks in ceil(log2 k) rounds, since each round doubles the ranks that
 * have them, and so many sums become one; source: Chan et al., "Collective Communication: Theory,
 * Practice, and Experience", 2007. */
#include "bench/weight.h"

enum { NOT_KNOWN = -1 };

static int doublings(int group)
{
    int rounds = 0;
    for (int reached = 1; reached < group; reached *= 2)
        rounds++;
    return rounds;
}

tg_status tgb_weigh(const tgb_cell *cell, tgb_weight *weight)
{
    const tgb_setup *setup = &cell->setup;
    const tgb_operation *operation = setup->operation;
    tgb_load load = {.group = {1, 1}};
    *weight = (tgb_weight){{NOT_KNOWN, NOT_KNOWN, NOT_KNOWN}, NOT_KNOWN, setup->max_rank_bytes};
    tg_status status = tg_success();
    if (operation->load)
        status = operation->load(setup, &load);
    if (operation->load && status.code == TG_OK)
        weight->rounds_min = doublings(load.group[0]) + doublings(load.group[1]);
    if (status.code == TG_OK && operation->weigh)
        status = operation->weigh(setup, cell->direction, &weight->of);
    return status;
}
