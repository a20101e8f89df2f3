/* order.c: a shuffle in two levels. */
#include "driver/order.h"

#include "driver/random.h"

#include <stdlib.h>
#include <string.h>

static void shuffle(int *items, int count, uint64_t *state)
{
    for (int i = count - 1; i > 0; i--) {
        const int j = (int)(tgd_random(state) % (uint64_t)(i + 1));
        const int kept = items[i];
        items[i] = items[j];
        items[j] = kept;
    }
}

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

/* The cells of one launch, `count` from `first` on, into order[0 .. count). */
static void order_launch(const tgd_plan *plan, int first, int count, uint64_t *state, int *order)
{
    int *group = tgd_resize(NULL, count, sizeof *group), groups = 0, placed = 0;
    for (int i = first; i < first + count; i += run_length(plan, i, true))
        group[groups++] = i;
    shuffle(group, groups, state);
    for (int g = 0; g < groups; g++) {
        const int size = run_length(plan, group[g], true);
        for (int i = 0; i < size; i++)
            order[placed + i] = group[g] + i;
        shuffle(order + placed, size, state);
        placed += size;
    }
    free(group);
}

void tgd_order_make(tgd_plan *plan, long seed, bool shuffled)
{
    plan->order = tgd_resize(plan->order, plan->count, sizeof *plan->order);
    plan->to_do = plan->count;
    for (int i = 0; i < plan->count; i++)
        plan->order[i] = i;
    uint64_t state = (uint64_t)seed;
    for (int i = 0; shuffled && i < plan->count; i += run_length(plan, i, false))
        order_launch(plan, i, run_length(plan, i, false), &state, plan->order + i);
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
