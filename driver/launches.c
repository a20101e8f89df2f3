/* launches.c: starts launches, listens to them, and puts the tables in order when one has died. */
#include "driver/launches.h"

#include "driver/calibrate.h"
#include "driver/child.h"
#include "driver/order.h"
#include "driver/provenance.h"
#include "driver/rows.h"
#include "driver/stop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A cell may take this many times as long as expected before silence is strange. */
static const double patience = 3;

/* ---- listening ---- */

/* "cell 7 1/12 ok 1.7 us +-5.0% (15 reps) CASE DIRECTION": all behind the status. */
static void show_cell(tgd_launches *l, const char *line)
{
    const char *rest = line;
    for (int i = 0; i < 3 && rest; i++)
        rest = strchr(rest + 1, ' ');
    tgd_progress_cell(&l->progress, rest ? rest + 1 : "");
}

static void on_line(void *context, bool is_error, const char *line)
{
    tgd_launches *l = context;
    fprintf(l->log, "%s\n", line);
    l->heard_s = tgd_now_s();
    if (!is_error && strncmp(line, "begin ", 6) == 0) {
        l->in_flight = strtol(line + 6, NULL, 10);
        l->begin_s = l->heard_s;
    } else if (!is_error && strncmp(line, "cell ", 5) == 0) {
        l->done++;
        l->longest_s = fmax(l->longest_s, l->in_flight ? l->heard_s - l->begin_s : 0);
        if (strtol(line + 5, NULL, 10) == l->in_flight)
            l->in_flight = 0;
        show_cell(l, line);
    } else if (is_error && strncmp(line, "tgbench: ", 9) == 0) {
        snprintf(l->refusal, sizeof l->refusal, "%s", line + 9);
        if (!tgd_words_have(&l->said, line)) {
            tgd_words_add(&l->said, line);
            tgd_progress_say(&l->progress, "%s", line);
        }
    }
}

/* The cells in flight: from index *first on. */
static int in_flight(const tgd_launches *l, int *first)
{
    const bool is_planned = l->in_flight >= 1 && l->in_flight <= l->plan->count;
    return is_planned ? tgd_plan_in_turn(l->plan, (int)l->in_flight - 1, first) : 0;
}

/* How long the launch may say nothing now. */
static double allowed_s(const tgd_launches *l)
{
    int first, left = l->cells > l->done ? l->cells - l->done : 1;
    const double share_s = fmax(in_flight(l, &first), 1) * (l->end_s - tgd_now_s()) / left;
    return l->campaign->stall_s + patience * fmax(share_s, l->longest_s);
}

static tgd_wish on_tick(void *context)
{
    tgd_launches *l = context;
    fflush(l->log);
    tgd_progress_show(&l->progress);
    if (!l->stalled && tgd_now_s() - l->heard_s > allowed_s(l)) {
        l->stalled = true;
        fprintf(l->log, "stalled: nothing was heard for %.0f s\n", tgd_now_s() - l->heard_s);
    }
    if (l->stalled || tgd_stop_count() > 1)
        return TGD_END;
    return tgd_stop_count() > 0 ? TGD_FINISH : TGD_GO_ON;
}

/* ---- one launch ---- */

static void log_words(const tgd_launches *l, const tgd_words *list, char end)
{
    for (int i = 0; i < list->count; i++)
        fprintf(l->log, "%s%c", list->word[i], i + 1 < list->count ? ' ' : end);
}

static char *facts_path(const tgd_launches *l, const tgd_cell *first)
{
    return tgd_format("%s/facts-%d-%d.json", l->folder, first->launch, first->ranks);
}

/* The launcher's words, tgbench's words: time --cells ... */
static void launch_words(const tgd_launches *l, const tgd_cell *first, double budget_s,
                         tgd_words *list, tgd_words *environment)
{
    const struct {
        const char *name;
        char *value;
    } options[] = {
        {"--cells", tgd_copy(l->cells_path)},
        {"--launch", tgd_format("%d", first->launch)},
        {"--budget", tgd_format("%.0fms", 1e3 * budget_s)},
        {"--seed", tgd_format("%ld", l->campaign->seed)},
        {"--output", tgd_copy(l->folder)},
        {"--facts", facts_path(l, first)},
    };
    const tgd_build *build = &l->builds->at[first->build];
    tgd_launch_words(&build->launcher, first->ranks, list, environment);
    tgd_words_add(list, "time");
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (tgd_bench_has_option(&build->bench, options[i].name)) {
            tgd_words_add(list, options[i].name);
            tgd_words_add(list, options[i].value);
        }
        free(options[i].value);
    }
    tgd_campaign_words(l->campaign, list);
    if (build->calibration) {
        tgd_words_add(list, "--calibration");
        tgd_words_add(list, build->calibration);
    }
}

/* A calibration that fails leaves the bounds empty, and is no reason to measure nothing. */
static void calibrate(tgd_launches *l, int number)
{
    tgd_build *build = &l->builds->at[number];
    char *name =
        number > 0 ? tgd_format("calibration-%d.csv", number + 1) : tgd_copy("calibration.csv");
    const tgd_calibration calibration = {.campaign = l->campaign,
                                         .bench = &build->bench,
                                         .launcher = &build->launcher,
                                         .folder = l->folder,
                                         .name = name,
                                         .log = l->log};
    if (l->campaign->calibrate)
        tgd_progress_say(&l->progress, "calibration: what this machine can do, for the bounds");
    const tg_status status = tgd_calibrate(&calibration, &build->calibration);
    free(name);
    if (status.code != TG_OK)
        tgd_progress_say(&l->progress, "tensorgauge: no calibration: %s", status.text);
}

/* What tgbench found out about its ranks: a JSON file that it leaves for us. */
static void take_facts(const tgd_launches *l, const tgd_cell *first, json_t *launch)
{
    char *path = facts_path(l, first);
    json_t *facts = json_load_file(path, 0, NULL);
    if (facts)
        json_object_set_new(launch, "facts", facts);
    unlink(path);
    free(path);
}

/* Puts the tables in order after a launch that did not end well. */
static tg_status clean_up(tgd_launches *l)
{
    bool *done = tgd_resize(NULL, l->plan->count + 1, sizeof *done);
    long dropped;
    tg_status status = tgd_rows_repair(l->folder, l->plan, false, done, &dropped);
    int first = 0;
    const int count = l->refused || tgd_stop_signal() ? 0 : in_flight(l, &first);
    for (int i = first; i < first + count && status.code == TG_OK; i++)
        if (!done[l->plan->cell[i].number])
            status = tgd_rows_add_killed(l->folder, &l->builds->at[l->plan->cell[i].build].bench,
                                         &l->plan->cell[i]);
    if (dropped > 0)
        fprintf(l->log, "%ld lines of unfinished cells were dropped\n", dropped);
    free(done);
    return status;
}

static tg_status conclude(tgd_launches *l, const tgd_cell *first, int exit_status)
{
    if (l->done >= l->cells && exit_status != 2 && !l->stalled)
        return tg_success();
    l->refused = exit_status == 2;
    if (!tgd_stop_signal() && !l->refused) {
        tgd_progress_say(&l->progress,
                         "tensorgauge: launch %d with %d rank%s %s %d after %d of %d cells; "
                         "%s/log.txt has what it printed",
                         first->launch, first->ranks, first->ranks > 1 ? "s" : "",
                         l->stalled ? "hung and was ended: status" : "ended with status",
                         exit_status, l->done, l->cells, l->folder);
    }
    return clean_up(l);
}

/* `count` cells of the plan's order from `at` on, which agree in launch and ranks. */
static tg_status launch_cells(tgd_launches *l, int at, int count, double budget_s)
{
    const tgd_cell *first = &l->plan->cell[l->plan->order[at]];
    tgd_words list, environment;
    launch_words(l, first, budget_s, &list, &environment);
    const bool several = l->builds->count > 1;
    tgd_progress_say(&l->progress, "launch %d with %d rank%s%s%s: %d cells, at most %.1f s",
                     first->launch, first->ranks, first->ranks > 1 ? "s" : "",
                     several ? " of build " : "",
                     several ? tgd_bench_build(&l->builds->at[first->build].bench, "name") : "",
                     count, budget_s);
    log_words(l, &environment, ' ');
    log_words(l, &list, '\n');
    const double start_s = tgd_now_s();
    l->cells = count;
    l->done = 0;
    l->in_flight = 0;
    l->longest_s = 0;
    l->heard_s = start_s;
    l->end_s = start_s + budget_s;
    l->stalled = false;
    const tgd_child child = {.arguments = &list,
                             .environment = &environment,
                             .on_line = on_line,
                             .on_tick = on_tick,
                             .context = l};
    const int exit_status = tgd_child_run(&child);
    fprintf(l->log, "exit status %d\n", exit_status);
    tg_status status = conclude(l, first, exit_status);
    fflush(l->log);

    json_t *launch = json_pack("{s:i, s:i, s:i, s:i, s:f, s:f, s:i, s:b, s:o, s:o}", "launch",
                               first->launch, "ranks", first->ranks, "cells", count, "cells_done",
                               l->done, "budget_s", budget_s, "time_s", tgd_now_s() - start_s,
                               "exit_status", exit_status, "stalled", l->stalled, "environment",
                               tgd_words_json(&environment), "command", tgd_words_json(&list));
    take_facts(l, first, launch);
    json_array_append_new(json_object_get(l->record, "launches"), launch);
    tgd_words_free(&list);
    tgd_words_free(&environment);
    return status;
}

/* One more launch of all cells. */
static tg_status add_launch(tgd_launches *l)
{
    tgd_plan_add_launch(l->plan, l->campaign);
    l->progress.total = l->plan->count;
    json_object_set_new(l->record, "cells_planned", json_integer(l->plan->count));
    return tgd_plan_write(l->plan, l->cells_path);
}

tg_status tgd_launches_run(tgd_launches *l)
{
    const tgd_plan *plan = l->plan;
    const double begin_s = tgd_now_s();
    double end_s = begin_s + l->budget_s;
    char *record_path = tgd_format("%s/run.json", l->folder);
    tg_status status = tg_success();
    tgd_progress_start(&l->progress, plan->to_do, l->budget_s);
    for (int b = 0; b < l->builds->count; b++)
        calibrate(l, b);
    for (int i = 0, count; status.code == TG_OK && !tgd_stop_signal() && !l->refused; i += count) {
        if (i == plan->to_do) {
            if (tgd_now_s() - begin_s >= l->soak_s)
                break;
            end_s = tgd_now_s() + l->budget_s / (double)l->campaign->launches;
            status = add_launch(l);
            if (status.code != TG_OK)
                break;
        }
        count = tgd_order_group(plan, i);
        const double share_s = (end_s - tgd_now_s()) * count / (plan->to_do - i);
        status = launch_cells(l, i, count, fmax(share_s, TGD_LEAST_CELL_S * count));
        if (status.code == TG_OK && !l->refused)
            status = tgd_json_write(l->record, record_path);
    }
    tgd_progress_end(&l->progress);
    free(record_path);
    return status;
}

void tgd_launches_free(tgd_launches *l)
{
    tgd_words_free(&l->said);
}
