/* order.c: a shuffle in two levels, of rank counts and of cells, with a generator of its own: the C library's differ between
 * systems. */
#include "driver/order.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* splitmix64. Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void tgd_shuffle(int *items, int count, uint64_t *state)
{
    for (int i = count - 1; i > 0; i--) {
        const int j = (int)(next_random(state) % (uint64_t)(i + 1));
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

/* The cells of one launch, `count` from `first` on, into order[0 .. count). */
static void order_launch(const tgd_plan *plan, int first, int count, uint64_t *state, int *order)
{
    int *group = tgd_resize(NULL, count, sizeof *group), groups = 0, placed = 0;
    for (int i = first; i < first + count; i += run_length(plan, i, true))
        group[groups++] = i;
    tgd_shuffle(group, groups, state);
    for (int g = 0; g < groups; g++) {
        const int size = run_length(plan, group[g], true);
        order_ranks(plan, group[g], size, state, order + placed);
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
