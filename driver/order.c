/* order.c: a shuffle in two levels, of rank counts and of cells. */
#include "driver/order.h"

#include "driver/random.h"

#include <stdlib.h>
#include <string.h>

/* How many cells from `first` on agree in launch, and in ranks too where `same_ranks`. */
static int run_length(const tgd_plan *plan, int first, bool same_ranks)
{
    const tgd_cell *cell = &plan->cell[first];
    int count = 1;
    while (first + count < plan->count && cell[count].launch == cell->launch &&
           (!same_ranks || cell[count].ranks == cell->ranks))
        count++;
    return count;
}

/* The cells of one rank count, `count` from `first` on, into order[0 .. count). What takes turns stays
 * together. */
static void order_ranks(const tgd_plan *plan, int first, int count, uint64_t *state, int *order)
{
    int *unit = tgd_resize(NULL, count, sizeof *unit), units = 0, placed = 0, from;
    for (int i = first; i < first + count; i += tgd_plan_in_turn(plan, i, &from))
        unit[units++] = i;
    tgd_shuffle(unit, units, state);
    for (int u = 0; u < units; u++) {
        const int size = tgd_plan_in_turn(plan, unit[u], &from);
        for (int i = 0; i < size; i++)
            order[placed++] = from + i;
    }
    free(unit);
}

/* The cells of one round, from `first` on, into order[0 ..): its launches, one for each build, have
 * the same cells. For each rank count the builds take turns; every other time the last one begins. */
static int order_round(const tgd_plan *plan, int first, bool shuffled, uint64_t *state, int *order)
{
    const int size = run_length(plan, first, false),
              round = plan->cell[first].launch / plan->builds;
    int *group = tgd_resize(NULL, size, sizeof *group), groups = 0, placed = 0;
    for (int i = first; i < first + size; i += run_length(plan, i, true))
        group[groups++] = i;
    if (shuffled)
        tgd_shuffle(group, groups, state);
    for (int g = 0; g < groups; g++) {
        const int count = run_length(plan, group[g], true);
        for (int turn = 0; turn < plan->builds; turn++) {
            const int build = (g + round) % 2 ? plan->builds - 1 - turn : turn;
            const int from = group[g] + build * size;
            for (int i = 0; i < count; i++)
                order[placed + i] = from + i;
            if (shuffled)
                order_ranks(plan, from, count, state, order + placed);
            placed += count;
        }
    }
    free(group);
    return placed;
}

void tgd_order_make(tgd_plan *plan, long seed, bool shuffled)
{
    plan->order = tgd_resize(plan->order, plan->count, sizeof *plan->order);
    plan->to_do = plan->count;
    uint64_t state = (uint64_t)seed;
    for (int i = 0; i < plan->count;)
        i += order_round(plan, i, shuffled, &state, plan->order + i);
}

int tgd_order_group(const tgd_plan *plan, int at)
{
    const tgd_cell *first = &plan->cell[plan->order[at]];
    int count = 1;
    for (; at + count < plan->to_do; count++) {
        const tgd_cell *cell = &plan->cell[plan->order[at + count]];
        if (cell->launch != first->launch || cell->ranks != first->ranks)
            break;
    }
    return count;
}
