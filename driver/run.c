/* run.c: the life of a run: words, plan, folder, launches, summary. Nothing is written before every
 * word has been found right. */
#include "driver/run.h"

#include "driver/folder.h"
#include "driver/launches.h"
#include "driver/order.h"
#include "driver/paths.h"
#include "driver/platform.h"
#include "driver/provenance.h"
#include "driver/ranking.h"
#include "driver/resume.h"
#include "driver/rows.h"
#include "driver/stop.h"
#include "driver/summary.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GOOD = 0, FAILED = 1, BAD_WORDS = 2, PARTLY = 3 };

/* What starting a launch takes, about; only for the estimate of a dry run. */
static const double start_s = 1;

/* ---- everything a run has ---- */

typedef struct {
    tgd_run_words words;
    const char *resumed; /* the folder as it was given; NULL: a new run */
    tgd_campaign campaign;
    tgd_platform platform; /* of a simulated machine; its path is NULL without one */
    tgd_builds builds;
    tgd_machine machine;
    tgd_plan plan;
    char *folder;      /* as it is shown */
    char *root_folder; /* its path from the root */
    char *cells_path;  /* what tgbench reads, from the root */
    int lock;
    FILE *log;
    json_t *record; /* run.json */
    tgd_launches launches;
} run;

static void release(run *r)
{
    tgd_launches_free(&r->launches);
    if (r->log)
        fclose(r->log);
    if (r->lock >= 0)
        close(r->lock);
    tgd_plan_free(&r->plan);
    json_decref(r->record);
    free(r->folder);
    free(r->root_folder);
    free(r->cells_path);
    tgd_builds_close(&r->builds);
    tgd_platform_free(&r->platform);
    tgd_machine_free(&r->machine);
    tgd_campaign_free(&r->campaign);
}

static char *in_folder(const run *r, const char *name)
{
    return tgd_format("%s/%s", r->root_folder, name);
}

/* ---- before something is written ---- */

/* A campaign that is named together with --resume has to be the run's own. */
static tg_status compare_campaign(const run *r)
{
    char *path = NULL;
    tg_status status = tgd_find_campaign(r->words.campaign, &path);
    char *text = status.code == TG_OK ? tgd_read_file(path) : NULL;
    if (status.code == TG_OK && (!text || strcmp(text, r->campaign.text) != 0)) {
        status = tg_fail(TG_BAD_INPUT,
                         "campaign '%.80s' is not the one of '%.100s'; expected the same text, or "
                         "no campaign",
                         r->words.campaign, r->resumed);
    }
    free(text);
    free(path);
    return status;
}

static tg_status read_campaign(run *r)
{
    char *path = NULL;
    tg_status status = tg_success();
    if (r->resumed)
        path = tgd_format("%s/campaign.ini", r->resumed);
    else
        status = tgd_find_campaign(r->words.campaign, &path);
    if (status.code == TG_OK)
        status = tgd_campaign_read(path, &r->campaign);
    if (status.code == TG_OK && r->resumed && r->words.campaign)
        status = compare_campaign(r);
    for (int i = 0; i < TGD_SETTINGS && status.code == TG_OK; i++) {
        if (r->words.option[i]) {
            char *what = tgd_format("--%s", tgd_option_name(i));
            status = tgd_campaign_set(&r->campaign, what, tgd_option_name(i), r->words.option[i]);
            free(what);
        }
    }
    free(path);
    return status;
}

/* A simulator is slower than the machine that it simulates: a cell of thousands of ranks takes minutes. When
 * nothing can go on any more it ends by itself. */
static const double simulated_stall_s = 3600;

/* The simulated machine, if there is one; that of a run that goes on lies in its folder. */
static tg_status make_platform(run *r)
{
    if (!r->words.option[TGD_SIMULATE])
        return tg_success();
    if (r->campaign.stall_s < simulated_stall_s)
        r->campaign.stall_s = simulated_stall_s;
    char *kept = r->resumed ? tgd_format("%s/platform.xml", r->resumed) : NULL;
    tg_status status = tgd_platform_make(kept ? kept : r->words.option[TGD_SIMULATE], &r->platform);
    if (status.code == TG_OK && !r->campaign.passed[TGD_SYNC]) /* on one clock no start is skewed */
        status = tgd_campaign_set(&r->campaign, "sync", "sync", "window");
    free(kept);
    return status;
}

static tg_status check_hosts(const run *r)
{
    for (int i = 0; i < r->plan.count && r->platform.hosts > 0; i++) {
        if (r->plan.cell[i].ranks > r->platform.hosts) {
            return tg_fail(TG_BAD_INPUT, "--simulate '%.80s': %d hosts; expected %d, one a rank",
                           r->words.option[TGD_SIMULATE], r->platform.hosts, r->plan.cell[i].ranks);
        }
    }
    return tg_success();
}

static tg_status open_builds(run *r)
{
    char *before = r->resumed && !r->words.option[TGD_BUILDS] ? tgd_resume_builds(r->record) : NULL;
    tg_status status = tgd_builds_open(before ? before : r->words.option[TGD_BUILDS],
                                       r->platform.path, &r->builds);
    free(before);
    if (status.code != TG_OK && r->platform.path)
        status = tg_fail(TG_BAD_INPUT, "--simulate '%.60s': %.180s", r->words.option[TGD_SIMULATE],
                         status.text);
    if (status.code == TG_OK && r->resumed)
        status = tgd_resume_check_builds(r->record, &r->builds);
    if (status.code == TG_OK && r->resumed && r->campaign.soak_s > 0) /* it has added rounds */
        r->campaign.launches = tgd_resume_launches(r->resumed) / r->builds.count;
    return status;
}

static bool chooses(const tgd_plan *plan)
{
    for (int i = 0; i < plan->count; i++)
        if (strstr(plan->cell[i].text, " algorithm=auto"))
            return true;
    return false;
}

/* What auto chooses for one build says nothing about another one. */
static tg_status check_choices(const run *r)
{
    return r->builds.count > 1 && chooses(&r->plan)
               ? tg_fail(TG_BAD_INPUT,
                         "--builds: algorithm=auto may differ between builds; expected "
                         "named algorithms")
               : tg_success();
}

/* Whether the most ranks of the plan can be started; a dry run may be made anywhere. */
static tg_status try_launchers(const run *r)
{
    int most = 1;
    for (int i = 0; i < r->plan.count; i++)
        most = r->plan.cell[i].ranks > most ? r->plan.cell[i].ranks : most;
    return r->words.option[TGD_DRY_RUN]
               ? tg_success()
               : tgd_builds_try_launchers(&r->builds, most, r->campaign.stall_s);
}

/* Everything that is known before something is written. */
static tg_status prepare(run *r)
{
    tg_status status = tg_success();
    r->resumed = r->words.option[TGD_RESUME];
    if (r->resumed) {
        status = tgd_resume_read(r->resumed, &r->record);
        if (status.code == TG_OK)
            status = tgd_resume_words(r->record, &r->words);
    }
    if (status.code == TG_OK)
        status = read_campaign(r);
    if (status.code == TG_OK)
        status = make_platform(r);
    if (status.code == TG_OK)
        status = open_builds(r);
    if (status.code == TG_OK) {
        const tgd_launcher_choice choice = {r->words.option[TGD_LAUNCHER],
                                            r->words.option[TGD_OVERSUBSCRIBE] != NULL};
        tgd_machine_read(&r->machine);
        status = tgd_builds_find_launchers(&r->builds, &r->machine, &choice);
    }
    if (status.code == TG_OK)
        status = tgd_plan_make(&r->campaign, &r->builds, &r->plan);
    if (status.code == TG_OK)
        status = check_choices(r);
    if (status.code == TG_OK)
        status = check_hosts(r);
    if (status.code == TG_OK && r->resumed)
        status = tgd_resume_check_plan(r->resumed, &r->plan);
    if (status.code == TG_OK)
        status = try_launchers(r);
    for (int i = 0; i < r->plan.left_out.count && status.code == TG_OK; i++)
        fprintf(stderr, "tensorgauge: %s\n", r->plan.left_out.word[i]);
    return status;
}

/* ---- the run folder ---- */

static tg_status write_record(run *r)
{
    char *path = in_folder(r, "run.json");
    const tg_status status = tgd_json_write(r->record, path);
    free(path);
    return status;
}

static tg_status open_log(run *r)
{
    char *path = in_folder(r, "log.txt");
    r->log = fopen(path, "a");
    const tg_status status =
        r->log ? tg_success()
               : tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected a file that can be written", path,
                         strerror(errno));
    free(path);
    return status;
}

static tg_status take_folder(run *r)
{
    r->root_folder = realpath(r->folder, NULL);
    if (!r->root_folder)
        r->root_folder = tgd_copy(r->folder);
    return tgd_folder_lock(r->root_folder, &r->lock);
}

/* run.json has the command line as it was typed, the settings that replace the campaign's, and the
 * order of the cells. */
static void begin_record(run *r, int argc, char *const *argv)
{
    r->record = tgd_provenance(&r->campaign, &r->builds.at[0].launcher,
                               strrchr(r->root_folder, '/') + 1, argc, argv);
    if (r->builds.count > 1)
        json_object_set_new(r->record, "builds", tgd_provenance_builds(&r->builds));
    json_object_set_new(r->record, "settings", tgd_settings_of(&r->words));
    json_object_set_new(r->record, "order",
                        json_string(r->campaign.given_order ? "given" : "shuffled"));
    json_object_set_new(r->record, "cells_planned", json_integer(r->plan.count));
}

/* All launches of a run share one file of choices in its folder, so that they agree: the first one
 * that meets a problem chooses. It begins as a copy of the user's file, if there is one. */
static tg_status keep_choices(run *r)
{
    const char *given = r->campaign.passed[TGD_AUTO_CACHE];
    tg_status status = tg_success();
    if (!chooses(&r->plan) || !tgd_bench_has_option(&r->builds.at[0].bench, "--auto-cache"))
        return status;
    char *path = in_folder(r, "auto.txt");
    if (given && access(path, F_OK) != 0 && access(given, F_OK) == 0) {
        char *text = tgd_read_file(given);
        status = text ? tgd_write_file(path, text)
                      : tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected a file of choices", given,
                                strerror(errno));
        free(text);
    }
    if (status.code == TG_OK)
        status = tgd_campaign_set(&r->campaign, "--auto-cache", "auto-cache", path);
    free(path);
    return status;
}

/* The files of a folder in which nothing can be measured. */
static void remove_folder(const run *r)
{
    static const char *const names[] = {"plan.tsv", "campaign.ini", "platform.xml", "log.txt",
                                        "auto.txt", "run.json",     ".lock"};
    for (int i = 0; i < 7; i++) {
        char *path = in_folder(r, names[i]);
        unlink(path);
        free(path);
    }
    rmdir(r->root_folder);
}

/* The simulated machine is part of the run. */
static tg_status keep_platform(run *r)
{
    if (!r->platform.path)
        return tg_success();
    const tg_status status = tgd_platform_keep(&r->platform, r->root_folder);
    for (int i = 0; i < r->builds.count; i++)
        r->builds.at[i].bench.platform = r->platform.path;
    return status;
}

/* run.json comes last: a folder that has one has all of them. */
static tg_status make_folder(run *r, int argc, char *const *argv)
{
    const char *parent = r->words.option[TGD_OUTPUT];
    tg_status status =
        tgd_folder_make(parent ? parent : "results", r->machine.host, r->campaign.name, &r->folder);
    if (status.code != TG_OK)
        return status;
    status = take_folder(r);
    r->cells_path = in_folder(r, "plan.tsv");
    char *campaign = in_folder(r, "campaign.ini");
    if (status.code == TG_OK)
        status = tgd_plan_write(&r->plan, r->cells_path);
    if (status.code == TG_OK)
        status = tgd_write_file(campaign, r->campaign.text);
    if (status.code == TG_OK)
        status = keep_platform(r);
    if (status.code == TG_OK)
        status = open_log(r);
    if (status.code == TG_OK)
        status = keep_choices(r);
    free(campaign);
    begin_record(r, argc, argv);
    if (status.code == TG_OK)
        status = write_record(r);
    if (status.code != TG_OK)
        remove_folder(r);
    return status;
}

/* The folder of a run that goes on: what it lacks becomes what is to be done. */
static tg_status enter_folder(run *r, int argc, char *const *argv)
{
    r->folder = tgd_copy(r->resumed);
    tg_status status = take_folder(r);
    if (status.code != TG_OK)
        return status;
    bool *done = tgd_resize(NULL, r->plan.count + 1, sizeof *done);
    long dropped = 0;
    status = tgd_rows_repair(r->root_folder, &r->plan, true, done, &dropped);
    tgd_plan_skip(&r->plan, done);
    free(done);
    if (status.code != TG_OK || (r->plan.to_do == 0 && json_object_get(r->record, "ended")))
        return status;
    const char *host =
        json_string_value(json_object_get(json_object_get(r->record, "machine"), "host"));
    if (host && strcmp(host, r->machine.host) != 0) {
        fprintf(stderr, "the run was started on %s and goes on on %s; run.json says so\n", host,
                r->machine.host);
    }
    tgd_resume_note(r->record, r->machine.host, argc, argv, dropped, r->plan.to_do);
    r->cells_path = in_folder(r, "to-do.tsv");
    status = tgd_plan_write(&r->plan, r->cells_path);
    if (status.code == TG_OK)
        status = open_log(r);
    if (status.code == TG_OK)
        status = keep_choices(r);
    return status.code == TG_OK ? write_record(r) : status;
}

/* ---- the end ---- */

/* Which algorithm was the fastest where: for a person on standard output, with the cases in
 * summary.txt. Nothing where no operation had two. */
static tg_status rank_algorithms(const run *r, const tgd_table *cells)
{
    char *text = NULL, *path = in_folder(r, "summary.txt");
    size_t size = 0;
    int lines = 0;
    FILE *out = open_memstream(&text, &size);
    tg_status status = out ? tgd_ranking_print(cells, true, out, &lines)
                           : tg_fail(TG_NO_MEMORY, "no memory for a table");
    if (out)
        fclose(out);
    if (status.code == TG_OK && lines > 0)
        status = tgd_write_file(path, text);
    if (status.code == TG_OK && lines > 0)
        status = tgd_ranking_print(cells, false, stdout, &lines);
    free(text);
    free(path);
    return status;
}

/* Writes summary.csv and prints the lines for a person; cells.csv may be missing when no cell was
 * done. */
static tg_status conclude(run *r, double time_s, tgd_counts *counts)
{
    char *cells_path = in_folder(r, "cells.csv");
    char *summary_path = in_folder(r, "summary.csv");
    tgd_table cells = {0};
    tg_status status = tg_success();
    *counts = (tgd_counts){0, 0, 0, 0};
    if (access(cells_path, R_OK) == 0)
        status = tgd_table_read(cells_path, &cells);
    if (status.code == TG_OK && cells.name)
        status = tgd_summary_count(&cells, counts);
    if (status.code == TG_OK && cells.name && cells.rows > 0)
        status = tgd_summary_write(&cells, summary_path);
    if (status.code == TG_OK) {
        printf("run folder: %s\n", r->folder);
        printf("%d of %d cells measured in %.0f s, %d wrong", counts->rows - counts->other,
               r->plan.count, time_s, counts->wrong);
        printf(counts->other > 0 ? ", %d with another status than ok\n" : "\n", counts->other);
        if (cells.name)
            tgd_summary_print(&cells, stdout);
    }
    if (status.code == TG_OK && cells.name)
        status = rank_algorithms(r, &cells);
    tgd_table_free(&cells);
    free(cells_path);
    free(summary_path);
    return status;
}

static tg_status end_record(run *r, const tgd_counts *counts)
{
    char *now = tgd_utc(false);
    json_object_set_new(r->record, "ended", json_string(now));
    json_object_set_new(r->record, "cells_done", json_integer(counts->rows - counts->killed));
    json_object_set_new(r->record, "cells_wrong", json_integer(counts->wrong));
    json_object_set_new(r->record, "stopped_by_signal", json_integer(tgd_stop_signal()));
    free(now);
    if (r->resumed)
        unlink(r->cells_path);
    return write_record(r);
}

/* One line that says why the run ends before its time. */
static void say_early_end(const run *r, const char *why, const tgd_counts *counts)
{
    fprintf(stderr,
            "tensorgauge: %s; %d of %d cells are in %s, and `tensorgauge run --resume` goes on\n",
            why, counts->rows - counts->killed, r->plan.count, r->folder);
}

static int finish(run *r, double time_s, tg_status status)
{
    tgd_counts counts;
    const tg_status concluded = conclude(r, time_s, &counts);
    const tg_status written = end_record(r, &counts);
    const int measured = counts.rows - counts.killed;
    if (r->launches.refused) {
        char *why = tgd_format("ended early, for tgbench refused: %s", r->launches.refusal);
        say_early_end(r, why, &counts);
        free(why);
        return measured > 0 ? PARTLY : BAD_WORDS;
    }
    if (status.code == TG_OK)
        status = concluded.code != TG_OK ? concluded : written;
    if (status.code != TG_OK) {
        const int result = tgd_report(status);
        return measured > 0 ? PARTLY : result;
    }
    if (tgd_stop_signal() && measured < r->plan.count) {
        char *why = tgd_format("stopped by signal %d", tgd_stop_signal());
        say_early_end(r, why, &counts);
        free(why);
        return PARTLY;
    }
    return counts.wrong > 0 || measured < r->plan.count ? FAILED : GOOD;
}

static int measure(run *r, int argc, char *const *argv)
{
    tgd_stop_watch();
    tg_status status = r->resumed ? enter_folder(r, argc, argv) : make_folder(r, argc, argv);
    if (status.code != TG_OK)
        return tgd_report(status);
    if (!r->cells_path) {
        printf("nothing to do: all %d cells are in %s\n", r->plan.count, r->folder);
        return GOOD;
    }
    for (int i = 0; i < r->builds.count; i++) {
        if (r->builds.at[i].launcher.blas_core) {
            fprintf(stderr,
                    "BLAS kernel %s is below what this CPU allows; launches get "
                    "OPENBLAS_CORETYPE=%s\n",
                    tgd_bench_build(&r->builds.at[i].bench, "blas_core"),
                    r->builds.at[i].launcher.blas_core);
        }
    }
    tgd_launches *l = &r->launches;
    l->campaign = &r->campaign;
    l->builds = &r->builds;
    l->plan = &r->plan;
    l->folder = r->root_folder;
    l->cells_path = r->cells_path;
    l->log = r->log;
    l->record = r->record;
    l->soak_s = r->resumed ? 0 : r->campaign.soak_s;
    l->budget_s = r->campaign.budget_s * r->plan.to_do / r->plan.count;
    const double begin_s = tgd_now_s();
    status = tgd_launches_run(l);
    return finish(r, tgd_now_s() - begin_s, status);
}

/* The budget bounds what the launches measure, not how long they take to start. */
static void print_estimate(const run *r)
{
    const tgd_plan *plan = &r->plan;
    const double budget_s = fmax(r->campaign.budget_s, TGD_LEAST_CELL_S * plan->count);
    int starts = 0;
    for (int i = 0; i < plan->to_do; i += tgd_order_group(plan, i))
        starts++;
    printf("%d cells, budget %.3g s", plan->count, r->campaign.budget_s);
    if (r->campaign.launches > 1)
        printf(" (%ld launches of each cell above)", r->campaign.launches);
    if (plan->builds > 1)
        printf(" (%d builds in turns)", plan->builds);
    printf("\nestimated time: at most about %.3g s = %.3g s of budget, %.2g s a cell, and %d "
           "start%s of about %.0f s; less where intervals are narrow enough before\n",
           budget_s + starts * start_s, budget_s, budget_s / plan->count, starts,
           starts > 1 ? "s" : "", start_s);
}

static int show_cells(const run *r)
{
    char *output = NULL;
    const tg_status status =
        tgd_plan_dry_run(&r->plan, &r->campaign, &r->builds.at[0].bench, false, &output, NULL);
    if (status.code != TG_OK)
        return tgd_report(status);
    fputs(output, stdout);
    print_estimate(r);
    free(output);
    return GOOD;
}

int tgd_run(int argc, char **argv)
{
    run r = {.lock = -1};
    tgd_words typed = {NULL, 0}; /* argp changes the order of argv */
    tgd_words_add(&typed, "tensorgauge");
    for (int i = 0; i < argc; i++)
        tgd_words_add(&typed, argv[i]);
    tg_status status = tgd_run_words_read(argc, argv, &r.words);
    int result = GOOD;
    if (status.code == TG_OK && r.words.options.help) {
        tgd_run_help();
    } else {
        if (status.code == TG_OK)
            status = prepare(&r);
        if (status.code != TG_OK)
            result = tgd_report(status);
        else
            result =
                r.words.option[TGD_DRY_RUN] ? show_cells(&r) : measure(&r, typed.count, typed.word);
    }
    tgd_words_free(&typed);
    release(&r);
    return result;
}
