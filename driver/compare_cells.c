/* compare_cells.c: matches become judged cells, ordered by cost; sums per operation. */
#include "driver/compare_cells.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double tgd_cost_us(const tgd_difference *difference)
{
    return difference->b_median_us - difference->a_median_us;
}

/* ---- order ---- */

/* A match in the order: its place among the outcomes, and its cost. */
typedef struct {
    int place, match;
    double cost_us;
} entry;

static int by_cost(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    if (a->place != b->place)
        return (a->place > b->place) - (a->place < b->place);
    const int order = (a->cost_us < b->cost_us) - (a->cost_us > b->cost_us);
    return order ? order : (a->match > b->match) - (a->match < b->match);
}

static int place_of(tgd_outcome outcome)
{
    return outcome == TGD_UNMATCHED ? 2 : outcome == TGD_SLOWER || outcome == TGD_FASTER ? 0 : 1;
}

static void put_in_order(tgd_comparison *c)
{
    entry *entries = tgd_resize(NULL, c->count, sizeof *entries);
    for (int i = 0; i < c->count; i++) {
        const double cost_us = fabs(tgd_cost_us(&c->difference[i]));
        entries[i] = (entry){place_of(c->difference[i].outcome), i, isnan(cost_us) ? 0 : cost_us};
    }
    if (c->count > 0)
        qsort(entries, (size_t)c->count, sizeof *entries, by_cost);
    for (int i = 0; i < c->count; i++)
        c->order[i] = entries[i].match;
    free(entries);
}

/* ---- cells ---- */

static void count_outcomes(tgd_comparison *c)
{
    int tested = 0;
    double sum[TGD_EFFECTS] = {0};
    for (int i = 0; i < c->count; i++) {
        const tgd_difference *d = &c->difference[i];
        c->outcomes[d->outcome]++;
        tested += !isnan(d->found[0]);
        for (int e = 0; e < TGD_EFFECTS && !isnan(d->found[0]); e++)
            sum[e] += d->found[e];
    }
    for (int e = 0; e < TGD_EFFECTS; e++)
        c->found[e] = tested > 0 ? sum[e] / tested : (double)NAN;
}

void tgd_compare_cells(const tgd_sides *sides, const tgd_terms *terms, tgd_comparison *c)
{
    *c = (tgd_comparison){.sides = sides, .terms = *terms};
    c->match = tgd_sides_match(sides, &c->count);
    c->difference = tgd_resize(NULL, c->count, sizeof *c->difference);
    c->order = tgd_resize(NULL, c->count, sizeof *c->order);
    for (int i = 0; i < c->count; i++) {
        const tgd_side_cell *a = c->match[i].a, *b = c->match[i].b;
        c->difference[i] = (tgd_difference){.a_us = a ? a->us : NULL,
                                            .b_us = b ? b->us : NULL,
                                            .n = a ? a->launches : 0,
                                            .m = b ? b->launches : 0};
    }
    c->family = tgd_decide(c->difference, c->count, terms);
    tgd_predict(c->difference, c->count, terms);
    count_outcomes(c);
    put_in_order(c);
}

void tgd_comparison_free(tgd_comparison *c)
{
    free(c->match);
    free(c->difference);
    free(c->order);
    *c = (tgd_comparison){.count = 0};
}

/* ---- totals ---- */

static int by_loss(const void *left, const void *right)
{
    const tgd_total *a = left, *b = right;
    const double ours = a->lost_us + a->gained_us, theirs = b->lost_us + b->gained_us;
    if (a->other != b->other)
        return a->other - b->other;
    return ours != theirs ? (ours < theirs) - (ours > theirs) : strcmp(a->op, b->op);
}

static tgd_total *total_of(tgd_total **totals, int *count, const char *op, int other)
{
    for (int i = 0; i < *count; i++)
        if ((*totals)[i].other == other && strcmp((*totals)[i].op, op) == 0)
            return &(*totals)[i];
    *totals = tgd_resize(*totals, *count + 1, sizeof **totals);
    (*totals)[*count] = (tgd_total){.op = tgd_copy(op), .other = other};
    return &(*totals)[(*count)++];
}

tgd_total *tgd_totals_make(const tgd_comparison *c, int *count)
{
    tgd_total *totals = NULL;
    *count = 0;
    for (int i = 0; i < c->count; i++) {
        const tgd_difference *d = &c->difference[i];
        if (d->outcome == TGD_UNMATCHED)
            continue;
        tgd_total *t = total_of(&totals, count, tgd_match_text(c->sides, &c->match[i], "op"),
                                c->match[i].other);
        t->cells++;
        t->outcomes[d->outcome]++;
        t->a_us += d->a_median_us;
        t->b_us += d->b_median_us;
        t->lost_us += d->outcome == TGD_SLOWER ? fmax(0, tgd_cost_us(d)) : 0;
        t->gained_us += d->outcome == TGD_FASTER ? fmax(0, -tgd_cost_us(d)) : 0;
    }
    if (*count > 0)
        qsort(totals, (size_t)*count, sizeof *totals, by_loss);
    return totals;
}

void tgd_totals_free(tgd_total *totals, int count)
{
    for (int i = 0; i < count; i++)
        free(totals[i].op);
    free(totals);
}
