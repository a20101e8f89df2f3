/* rules_time.c: rules that look at how times change: what interrupts a core, what a core loses when
 * it has been busy for long, launches that are slower than the others. */
#include "driver/peers.h"
#include "driver/rules.h"
#include "driver/text.h"

#include "bench/stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double most = 0.05; /* share of its time that a core may lose */

/* ---- noise: the same arithmetic again and again; what is above the fastest was interrupted ---- */

typedef struct {
    double lost, longest_us; /* share of the time; the largest interruption */
} noise;

static noise noise_of(const tgd_times *times)
{
    double least = INFINITY, largest = 0, sum = 0;
    for (int i = 0; i < times->count; i++) {
        least = fmin(least, times->us[i]);
        largest = fmax(largest, times->us[i]);
        sum += times->us[i];
    }
    return sum > 0 ? (noise){1 - least * times->count / sum, largest - least} : (noise){0, 0};
}

tg_status tgd_rule_noise(const tgd_measured *e, const tgd_demands *demands, tgd_ruling *j)
{
    (void)demands;
    noise worst = {0, 0};
    int ranks = 0;
    for (int g = 0; g < e->groups; g++) {
        const tgd_group *group = &e->group[g];
        const tgd_row *row = group->row;
        for (int r = 0; group->rank && strcmp(row->op, "machine:quantum") == 0 && r < row->ranks;
             r++) {
            const noise n = noise_of(&group->rank[r]);
            ranks += group->rank[r].count > 0;
            worst.lost = fmax(worst.lost, n.lost);
            worst.longest_us = fmax(worst.longest_us, n.longest_us);
            if (!(n.lost > most))
                continue;
            tgd_finding *finding =
                tgd_find(j, row, tgd_rank_name(e, row, r),
                         tgd_format("%.1f %% of its time lost (limit %.0f %%), the longest "
                                    "interruption %.4g us",
                                    100 * n.lost, 100 * most, n.longest_us));
            finding->value = n.lost;
            finding->expected = 0;
            finding->limit = most;
        }
    }
    if (ranks == 0)
        tgd_rule_decide(j, TGD_OPEN,
                        "no times of each rank of machine:quantum; campaign acceptance has "
                        "them");
    else
        tgd_rule_decide(
            j, j->count > 0 ? TGD_FAIL : TGD_PASS,
            "up to %.2g %% of a core's time is lost; the longest interruption is %.4g us",
            100 * worst.lost, worst.longest_us);
    return tg_success();
}

/* ---- when ---- */

/* Seconds of a time in UTC, as 2026-11-22T09:15:00Z; NAN: it is none. */
static double seconds_of(const char *text)
{
    struct tm utc = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return end && *end == '\0' ? (double)timegm(&utc) : (double)NAN;
}

/* ---- throttling: products in the first minute against the last one ---- */

static const double minute_s = 60;

/* Median of a cell's launches that began from lo to hi; NAN: none did. */
static double median_between(const tgd_group *group, double lo_s, double hi_s)
{
    double *us = tgd_resize(NULL, group->count, sizeof *us);
    int n = 0;
    for (int i = 0; i < group->count; i++) {
        const double start_s = seconds_of(group->row[i].started);
        if (strcmp(group->row[i].status, "ok") == 0 && start_s >= lo_s && start_s <= hi_s &&
            group->row[i].time_us > 0)
            us[n++] = group->row[i].time_us;
    }
    tgb_sort(us, n);
    const double median = n > 0 ? tgb_quantile(us, n, 0.5) : (double)NAN;
    free(us);
    return median;
}

static void find_throttled(const tgd_measured *e, const tgd_group *group, double ratio,
                           tgd_ruling *j)
{
    const tgd_row *last = &group->row[group->count - 1];
    tgd_finding *finding =
        tgd_find(j, last,
                 last->slowest >= 0 && last->slowest < last->ranks
                     ? tgd_rank_name(e, last, (int)last->slowest)
                     : tgd_copy("a rank"),
                 tgd_format("%s: %.0f %% slower in the last minute than in the first (limit %.0f "
                            "%%); the slowest rank at the end",
                            last->text, 100 * (ratio - 1), 100 * most));
    finding->value = ratio;
    finding->expected = 1;
    finding->limit = 1 + most;
}

tg_status tgd_rule_throttling(const tgd_measured *e, const tgd_demands *demands, tgd_ruling *j)
{
    (void)demands;
    double first_s = INFINITY, last_s = -INFINITY, worst = 0;
    int cells = 0;
    for (int i = 0; i < e->rows; i++) {
        first_s = fmin(first_s, seconds_of(e->row[i].started)); /* of NAN and a number the number */
        last_s = fmax(last_s, seconds_of(e->row[i].started));
    }
    for (int g = 0; g < e->groups && last_s - first_s >= 2 * minute_s; g++) {
        const tgd_group *group = &e->group[g];
        if (strcmp(group->row->op, "machine:gemm") != 0)
            continue;
        const double ratio = median_between(group, last_s - minute_s, last_s) /
                             median_between(group, first_s, first_s + minute_s);
        cells += ratio > 0;
        worst = fmax(worst, ratio);
        if (ratio > 1 + most)
            find_throttled(e, group, ratio, j);
    }
    if (cells == 0)
        tgd_rule_decide(j, TGD_OPEN,
                        "needs products (machine:gemm) in the first and the last of two minutes at "
                        "least: run acceptance --soak 10m");
    else
        tgd_rule_decide(
            j, j->count > 0 ? TGD_FAIL : TGD_PASS,
            "products take %.2f times as long in the last minute as in the first, in %.0f s", worst,
            last_s - first_s);
    return tg_success();
}

/* ---- soak: launches against each other ---- */

typedef struct {
    double *ratio; /* of its cells to the median of each cell's launches */
    int count, room;
    const tgd_row *row; /* its first cell */
} one_launch;

static void add_row(one_launch *launch, const tgd_row *row, double ratio)
{
    if (launch->count == launch->room) {
        launch->room = launch->room > 0 ? 2 * launch->room : 16;
        launch->ratio = tgd_resize(launch->ratio, launch->room, sizeof *launch->ratio);
    }
    launch->ratio[launch->count++] = ratio;
    if (!launch->row || strcmp(row->started, launch->row->started) < 0)
        launch->row = row;
}

/* Launches are numbered from 0; more than there are rows are not. */
static one_launch *gather_launches(const tgd_measured *e)
{
    one_launch *all = calloc((size_t)e->rows, sizeof *all);
    for (int g = 0; all && g < e->groups; g++) {
        const tgd_group *group = &e->group[g];
        const double median = tgd_group_median(group);
        for (int i = 0; i < group->count; i++)
            if (strcmp(group->row[i].status, "ok") == 0 && group->row[i].time_us > 0 &&
                group->row[i].launch < e->rows)
                add_row(&all[group->row[i].launch], &group->row[i], group->row[i].time_us / median);
    }
    return all;
}

static void judge_launches(const one_launch *all, const double *ratio, int launches,
                           const tgd_peers *peers, tgd_ruling *j)
{
    double largest = 0;
    for (int k = 0; k < launches; k++) {
        largest = fmax(largest, ratio[k]);
        if (!(ratio[k] > peers->limit))
            continue;
        tgd_finding *finding =
            tgd_find(j, all[k].row,
                     tgd_format("launch %d (from %s)", all[k].row->launch, all[k].row->started),
                     tgd_format("%.0f %% slower than the median of %d launches (limit %.0f %%), in "
                                "the median of its %d cells",
                                100 * (ratio[k] / peers->median - 1), launches,
                                100 * (peers->limit / peers->median - 1), all[k].count));
        finding->value = ratio[k] / peers->median;
        finding->expected = 1;
        finding->limit = peers->limit / peers->median;
    }
    tgd_rule_decide(j, j->count > 0 ? TGD_FAIL : TGD_PASS,
                    "%d launches; the slowest takes %.2f times as long as their median", launches,
                    largest / peers->median);
}

tg_status tgd_rule_soak(const tgd_measured *e, const tgd_demands *demands, tgd_ruling *j)
{
    (void)demands;
    one_launch *all = gather_launches(e);
    double *ratio = tgd_resize(NULL, e->rows, sizeof *ratio);
    tgd_peers peers;
    int launches = 0;
    for (int k = 0; all && k < e->rows; k++) {
        if (all[k].count == 0)
            continue;
        tgb_sort(all[k].ratio, all[k].count);
        ratio[launches] = tgb_quantile(all[k].ratio, all[k].count, 0.5);
        free(all[k].ratio);
        all[launches++] = all[k];
    }
    if (!all)
        tgd_rule_decide(j, TGD_OPEN, "no memory for its launches");
    else if (!tgd_peers_make(ratio, launches, &peers))
        tgd_rule_decide(j, TGD_OPEN, "%d launch%s: a launch needs %d peers to be compared",
                        launches, launches == 1 ? "" : "es", TGD_LEAST_PEERS);
    else
        judge_launches(all, ratio, launches, &peers, j);
    free(ratio);
    free(all);
    return tg_success();
}
