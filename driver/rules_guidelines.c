/* rules_guidelines.c: self-consistency: what an operation of the MPI library does may not take longer
 * than other operations that do the same, one behind the other, or more. A violation is no fault of
 * the machine: the library leaves time on the table, and the other side shows how to have it.
 * Source: Traeff, Gropp, Thakur, "Self-Consistent MPI Performance Guidelines", 2010. */
#include "driver/rules.h"
#include "driver/text.h"
#include "driver/twosample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double tolerance = 0.05, level = 0.05;

/* t(operation) <= factor t(other). */
static const struct guideline {
    const char *operation, *other;
    bool same_y; /* both have the same layout of y; else that of x is enough */
} guidelines[] = {
    {"broadcast", "chain:scatter+all_gather", true},
    {"all_sum_reduce", "chain:sum_reduce+broadcast", true},
    {"all_sum_reduce", "chain:reduce_scatter+all_gather", true},
    {"repartition", "chain:gather+scatter", true},
    {"sum_reduce", "all_sum_reduce", false},
    {"gather", "all_gather", false},
};
enum { GUIDELINES = sizeof guidelines / sizeof *guidelines };

/* Two cells that a guideline compares. */
typedef struct {
    const tgd_group *one, *other;
    double factor; /* the other one counts so many times */
    double ratio;  /* of the medians; above 1: violated */
    double p;      /* one-sided, that one is slower */
} contest;

typedef struct {
    contest *at;
    int count;
} contest_list;

/* ---- what is compared ---- */

/* The cells that can be of some guideline, sorted so that those of one question are side by side. */
static int by_question(const void *left, const void *right)
{
    const tgd_row *a = (*(const tgd_group *const *)left)->row,
                  *b = (*(const tgd_group *const *)right)->row;
    const char *const texts[][2] = {
        {a->dtype, b->dtype}, {a->algorithm, b->algorithm}, {a->grid_x, b->grid_x}};
    int order = (a->ranks > b->ranks) - (a->ranks < b->ranks);
    for (size_t i = 0; i < sizeof texts / sizeof *texts && !order; i++)
        order = strcmp(texts[i][0], texts[i][1]);
    return order ? order : (a->size_bytes > b->size_bytes) - (a->size_bytes < b->size_bytes);
}

static bool plain(const tgd_group *group)
{
    static const char *const changes[] = {" in-place=yes", " accumulate=yes"};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        if (strstr(group->row->text, changes[i]))
            return false;
    return strcmp(group->row->direction, "forward") == 0 && group->values > 0;
}

static void add_contest(contest_list *list, const tgd_group *one, const tgd_group *other,
                        double factor)
{
    double a[TGD_MOST_VALUES], b[TGD_MOST_VALUES];
    int n = 0, m = 0;
    for (; n < one->values && n < TGD_MOST_VALUES; n++) /* of many launches spread evenly */
        a[n] = one->value[one->values <= TGD_MOST_VALUES ? n
                                                         : (long)n * one->values / TGD_MOST_VALUES];
    for (; m < other->values && m < TGD_MOST_VALUES; m++)
        b[m] = factor * other->value[other->values <= TGD_MOST_VALUES
                                         ? m
                                         : (long)m * other->values / TGD_MOST_VALUES];
    const double ratio = tgd_group_median(one) / (factor * tgd_group_median(other));
    const double p = tgd_rank_test(a, n, b, m) / 2;
    if ((list->count & (list->count - 1)) == 0)
        list->at = tgd_resize(list->at, list->count > 0 ? 2 * list->count : 1, sizeof *list->at);
    list->at[list->count++] = (contest){one, other, factor, ratio, ratio > 1 ? p : 1 - p};
}

static bool is_guided(const struct guideline *g, const tgd_row *one, const tgd_row *other)
{
    return strcmp(one->op, g->operation) == 0 && strcmp(other->op, g->other) == 0 &&
           strcmp(one->shape, other->shape) == 0 &&
           (!g->same_y || strcmp(one->grid_y, other->grid_y) == 0);
}

/* Is `other` the same operation on half as much? Two halves do what the whole does. */
static bool is_half(const tgd_row *one, const tgd_row *other)
{
    return strcmp(one->op, other->op) == 0 && one->size_bytes > 0 &&
           one->size_bytes == 2 * other->size_bytes && strcmp(one->grid_y, other->grid_y) == 0 &&
           strncmp(one->op, "machine:", 8) != 0 && strncmp(one->op, "chain:", 6) != 0;
}

/* The cells from at[*first] to at[*end - 1] that agree with a question, of another size. */
static void find_size(const tgd_group *const *at, int count, const tgd_row *question, double size,
                      int *first, int *end)
{
    tgd_row row = *question;
    row.size_bytes = size;
    const tgd_group wanted = {.row = &row}, *const key = &wanted;
    const tgd_group *const *found =
        count > 0 ? bsearch(&key, at, (size_t)count, sizeof *at, by_question) : NULL;
    *first = *end = found ? (int)(found - at) : 0;
    while (found && *first > 0 && by_question(&at[*first - 1], &key) == 0)
        --*first;
    while (found && *end < count && by_question(&at[*end], &key) == 0)
        ++*end;
}

static void compare_cell(const tgd_group *const *at, int count, const tgd_group *one,
                         contest_list *list)
{
    int first, end;
    find_size(at, count, one->row, one->row->size_bytes, &first, &end);
    for (int k = first; k < end; k++)
        for (int g = 0; g < GUIDELINES; g++)
            if (is_guided(&guidelines[g], one->row, at[k]->row))
                add_contest(list, one, at[k], 1);
    find_size(at, count, one->row, one->row->size_bytes / 2, &first, &end);
    for (int k = first; k < end; k++)
        if (is_half(one->row, at[k]->row))
            add_contest(list, one, at[k], 2);
}

static contest_list find_contests(const tgd_measured *e)
{
    const tgd_group **at = tgd_resize(NULL, e->groups, sizeof *at);
    contest_list list = {NULL, 0};
    int count = 0;
    for (int g = 0; g < e->groups; g++)
        if (plain(&e->group[g]))
            at[count++] = &e->group[g];
    if (count > 0)
        qsort(at, (size_t)count, sizeof *at, by_question);
    for (int i = 0; i < count; i++)
        compare_cell(at, count, at[i], &list);
    free(at);
    return list;
}

/* ---- the rule ---- */

static void find_violation(const contest *c, double p, tgd_ruling *j)
{
    const double time_us = tgd_group_median(c->one),
                 other_us = c->factor * tgd_group_median(c->other);
    tgd_finding *finding =
        tgd_find(j, c->one->row, tgd_row_name(c->one->row),
                 tgd_format("%.4g us, while %s%s takes %.4g us: %.4g us, %.0f %%, are left on the "
                            "table (p = %.2g after correction)",
                            time_us, c->factor > 1 ? "twice " : "", c->other->row->text, other_us,
                            time_us - other_us, 100 * (1 - other_us / time_us), p));
    finding->value = time_us;
    finding->expected = other_us;
    finding->limit = other_us * (1 + tolerance);
}

/* Could any of so many contests be decided with the fewest launches that one of them has? */
static bool can_decide(const contest_list *list, int *launches)
{
    *launches = TGD_MOST_VALUES;
    for (int i = 0; i < list->count; i++) {
        *launches = list->at[i].one->values < *launches ? list->at[i].one->values : *launches;
        *launches = list->at[i].other->values < *launches ? list->at[i].other->values : *launches;
    }
    return tgd_smallest_p(*launches) / 2 * list->count <= level;
}

tg_status tgd_rule_guidelines(const tgd_measured *e, const tgd_demands *demands, tgd_ruling *j)
{
    (void)demands;
    contest_list list = find_contests(e);
    double *p = tgd_resize(NULL, list.count, sizeof *p), most = 0;
    int launches, above = 0;
    for (int i = 0; i < list.count; i++)
        p[i] = list.at[i].p;
    tgd_holm.adjust(p, list.count);
    for (int i = 0; i < list.count; i++) {
        const bool large = list.at[i].ratio > 1 + tolerance;
        above += large;
        if (!large || p[i] > level)
            continue;
        most = fmax(most, 1 - 1 / list.at[i].ratio);
        find_violation(&list.at[i], p[i], j);
    }
    const bool decides = can_decide(&list, &launches);
    if (j->count > 0)
        tgd_rule_decide(
            j, TGD_REMARK,
            "%d of %d guidelines are violated: up to %.0f %% of the time is left on the "
            "table",
            j->count, list.count, 100 * most);
    else if (list.count > 0 && above > 0 && !decides)
        tgd_rule_decide(j, TGD_OPEN,
                        "%d of %d guidelines may be violated: %d launch%s of each cell cannot tell",
                        above, list.count, launches, launches == 1 ? "" : "es");
    else if (list.count > 0)
        tgd_rule_decide(
            j, TGD_PASS,
            "no violation among %d guidelines (more than 5 %%, one-sided test at 5 %% after "
            "Holm, %d launch%s)",
            list.count, launches, launches == 1 ? "" : "es");
    free(p);
    free(list.at);
    return tg_success();
}
