/* rules_reference.c: the time of each cell against that of a reference: another run, or a table of
 * what a contract says. A reference is a value and how far below and above it a time may lie, as
 * shares of the value: value (1 - lower) <= time <= value (1 + upper). */
#include "driver/rules.h"
#include "driver/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What a reference says of one cell. */
typedef struct {
    const char *text, *direction;
    int ranks;
    long line;                  /* of the table; 0: of a run */
    double value, lower, upper; /* lower, upper NAN: no limit */
} demand;

/* Texts of the demands point into the table or the run. */
typedef struct {
    demand *at;
    int count;
    tgd_table table;
    tgd_measured run;
} demand_list;

static int by_cell(const void *left, const void *right)
{
    const demand *a = left, *b = right;
    int order = strcmp(a->text, b->text);
    order = order ? order : strcmp(a->direction, b->direction);
    return order ? order : (a->ranks > b->ranks) - (a->ranks < b->ranks);
}

/* ---- a table ---- */

enum { CASE, DIRECTION, RANKS, VALUE, LOWER, UPPER, COLUMNS };
static const char *const column_name[COLUMNS] = {"case",  "direction", "ranks",
                                                 "value", "lower",     "upper"};

static tg_status read_demand(const tgd_table *t, int row, const int *at, demand *d)
{
    d->text = tgd_table_text(t, row, at[CASE]);
    d->direction = tgd_table_text(t, row, at[DIRECTION]);
    d->line = t->line[row];
    tg_status status = tgd_count_in(t, row, at[RANKS], 1, 1 << 24, &d->ranks);
    if (status.code == TG_OK)
        status = tgd_number_in(t, row, at[VALUE], 1e-9, 1e15, &d->value);
    if (status.code == TG_OK && isnan(d->value))
        status = tg_fail(TG_BAD_INPUT, "%s line %ld, column value is empty; expected a time in us",
                         t->path, d->line);
    if (status.code == TG_OK)
        status = tgd_number_in(t, row, at[LOWER], 0, 1, &d->lower);
    if (status.code == TG_OK)
        status = tgd_number_in(t, row, at[UPPER], 0, 1e6, &d->upper);
    return status;
}

static tg_status read_table(const char *path, demand_list *list)
{
    int at[COLUMNS];
    tg_status status = tgd_table_read(path, &list->table);
    for (int i = 0; i < COLUMNS && status.code == TG_OK; i++)
        status = tgd_table_require(&list->table, column_name[i], &at[i]);
    list->at = tgd_resize(NULL, list->table.rows, sizeof *list->at);
    for (; list->count < list->table.rows && status.code == TG_OK; list->count++)
        status = read_demand(&list->table, list->count, at, &list->at[list->count]);
    return status;
}

/* ---- a run ---- */

static tg_status read_run(const char *folder, double upper, demand_list *list)
{
    const tg_status status = tgd_measured_read(folder, &list->run);
    list->at = tgd_resize(NULL, list->run.groups, sizeof *list->at);
    for (int g = 0; g < list->run.groups && status.code == TG_OK; g++) {
        const tgd_group *group = &list->run.group[g];
        if (group->values > 0)
            list->at[list->count++] = (demand){group->row->text,
                                               group->row->direction,
                                               group->row->ranks,
                                               0,
                                               tgd_group_median(group),
                                               (double)NAN,
                                               upper};
    }
    return status;
}

static tg_status read_demands(const tgd_demands *demands, demand_list *list)
{
    struct stat is;
    const char *path = demands->reference;
    if (stat(path, &is) != 0)
        return tg_fail(TG_BAD_INPUT,
                       "--reference '%.120s' is not there; expected a run folder or a CSV file",
                       path);
    const tg_status status =
        S_ISDIR(is.st_mode) ? read_run(path, demands->upper, list) : read_table(path, list);
    if (status.code == TG_OK && list->count > 0)
        qsort(list->at, (size_t)list->count, sizeof *list->at, by_cell);
    for (int i = 1; i < list->count && status.code == TG_OK; i++)
        if (by_cell(&list->at[i - 1], &list->at[i]) == 0)
            return tg_fail(TG_BAD_INPUT,
                           "%s line %ld: the cell of line %ld again; expected each cell once", path,
                           list->at[i].line, list->at[i - 1].line);
    return status;
}

static void free_demands(demand_list *list)
{
    free(list->at);
    tgd_table_free(&list->table);
    tgd_measured_free(&list->run);
}

/* ---- the rule ---- */

static void hold_against(const tgd_group *group, const demand *d, tgd_ruling *j)
{
    const double time_us = tgd_group_median(group), ratio = time_us / d->value;
    const bool slow = ratio > 1 + d->upper, fast = ratio < 1 - d->lower; /* NAN: never */
    if (!slow && !fast)
        return;
    tgd_finding *finding = tgd_find(
        j, group->row, tgd_row_name(group->row),
        tgd_format("%.4g us, the reference has %.4g us: %.3g %% %s (limit %.3g %%)", time_us,
                   d->value, 100 * fabs(ratio - 1), slow ? "slower" : "faster than it may be",
                   100 * (slow ? d->upper : d->lower)));
    finding->value = time_us;
    finding->expected = d->value;
    finding->limit = d->value * (slow ? 1 + d->upper : 1 - d->lower);
}

static void decide(const demand_list *list, int judged, tgd_ruling *j)
{
    if (judged == 0)
        tgd_rule_decide(j, TGD_OPEN, "none of the %d cells of the reference is in this run",
                        list->count);
    else if (j->count > 0)
        tgd_rule_decide(j, TGD_FAIL, "%d of %d cells are out of the reference's limits", j->count,
                        judged);
    else if (judged < list->count)
        tgd_rule_decide(j, TGD_OPEN,
                        "%d cells are within the reference's limits, %d were not measured", judged,
                        list->count - judged);
    else
        tgd_rule_decide(j, TGD_PASS, "all %d cells are within the reference's limits", judged);
}

tg_status tgd_rule_reference(const tgd_measured *e, const tgd_demands *demands, tgd_ruling *j)
{
    demand_list list = {.count = 0};
    int judged = 0;
    if (!demands->reference)
        return tg_success();
    const tg_status status = read_demands(demands, &list);
    for (int g = 0; g < e->groups && status.code == TG_OK && list.count > 0; g++) {
        const tgd_group *group = &e->group[g];
        const demand wanted = {.text = group->row->text,
                               .direction = group->row->direction,
                               .ranks = group->row->ranks};
        const demand *found =
            bsearch(&wanted, list.at, (size_t)list.count, sizeof *list.at, by_cell);
        if (!found || group->values == 0)
            continue;
        judged++;
        hold_against(group, found, j);
    }
    if (status.code == TG_OK)
        decide(&list, judged, j);
    free_demands(&list);
    return status;
}
