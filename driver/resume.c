/* resume.c: what run.json and the run folder say, against what is here now. */
#include "driver/resume.h"

#include <stdlib.h>
#include <string.h>

/* ---- is it a run? ---- */

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

tg_status tgd_resume_read(const char *folder, json_t **record)
{
    char *path = tgd_format("%s/run.json", folder), *real = realpath(folder, NULL);
    *record = real ? json_load_file(path, 0, NULL) : NULL;
    const char *name = real && strrchr(real, '/') ? strrchr(real, '/') + 1 : "";
    tg_status status = tg_success();
    if (!json_is_array(json_object_get(*record, "launches"))) {
        status = tg_fail(TG_BAD_INPUT,
                         "--resume '%.120s': expected a run folder, with run.json in it", folder);
    } else if (strcmp(text_at(*record, "run_id"), name) != 0) {
        status =
            tg_fail(TG_BAD_INPUT, "--resume '%.80s': expected the name it was made with, %.80s",
                    folder, text_at(*record, "run_id"));
    }
    free(path);
    free(real);
    return status;
}

/* ---- is it the same? ---- */

/* These say where and how, not what: a run may go on with others. */
static bool is_setting(int option)
{
    return option < TGD_SETTINGS || option == TGD_LAUNCHER || option == TGD_OVERSUBSCRIBE ||
           option == TGD_SIMULATE;
}

json_t *tgd_settings_of(const tgd_run_words *words)
{
    json_t *settings = json_object();
    for (int i = 0; i < TGD_OPTIONS; i++)
        if (is_setting(i) && words->option[i])
            json_object_set_new(settings, tgd_option_name(i), json_string(words->option[i]));
    return settings;
}

tg_status tgd_resume_words(const json_t *record, tgd_run_words *words)
{
    const json_t *settings = json_object_get(record, "settings");
    for (int i = 0; i < TGD_OPTIONS; i++) {
        const char *was = json_string_value(json_object_get(settings, tgd_option_name(i)));
        const char *now = words->option[i];
        if (i < TGD_SETTINGS && now && strcmp(now, was ? was : "") != 0) {
            return tg_fail(TG_BAD_INPUT,
                           "--%s '%.60s': the run was started %s%.60s; expected the same, or no "
                           "such option",
                           tgd_option_name(i), now, was ? "with " : "without it", was ? was : "");
        }
        if (is_setting(i) && !now)
            words->option[i] = was;
    }
    return tg_success();
}

/* What the record says of a build: a run of one build has `tgbench` only. */
static const json_t *bench_at(const json_t *record, int build)
{
    const json_t *builds = json_object_get(record, "builds");
    return builds       ? json_array_get(builds, (size_t)build)
           : build == 0 ? json_object_get(record, "tgbench")
                        : NULL;
}

char *tgd_resume_builds(const json_t *record)
{
    char *folders = NULL;
    for (int i = 0; bench_at(record, i); i++) {
        const char *path = text_at(bench_at(record, i), "path"), *slash = strrchr(path, '/');
        if (!slash)
            continue;
        char *longer = tgd_format("%s%s%.*s", folders ? folders : "", folders ? "," : "",
                                  (int)(slash - path), path);
        free(folders);
        folders = longer;
    }
    return folders;
}

static tg_status check_build(const json_t *bench_was, const tgd_bench *bench)
{
    json_t *was = json_object_get(bench_was, "build");
    json_t *now = json_object_get(bench->info, "build");
    const char *key;
    json_t *value;
    json_object_foreach(was, key, value)
    {
        const json_t *other = json_object_get(now, key);
        if (!json_equal(value, other)) {
            const char *here = json_string_value(other), *there = json_string_value(value);
            return tg_fail(TG_BAD_INPUT,
                           "tgbench's build has another %.20s, '%.60s'; expected '%.60s', as the "
                           "run was started",
                           key, here ? here : "", there ? there : "");
        }
    }
    return tg_success();
}

tg_status tgd_resume_check_builds(const json_t *record, const tgd_builds *builds)
{
    tg_status status = tg_success();
    for (int i = 0; i < builds->count && status.code == TG_OK; i++)
        status = check_build(bench_at(record, i), &builds->at[i].bench);
    if (status.code == TG_OK && bench_at(record, builds->count)) {
        status = tg_fail(TG_BAD_INPUT,
                         "--builds: the run was started with more than %d; expected "
                         "the same, or no such option",
                         builds->count);
    }
    return status;
}

long tgd_resume_launches(const char *folder)
{
    char *path = tgd_format("%s/plan.tsv", folder), *text = tgd_read_file(path);
    long most = 0;
    for (const char *line = text; line; line = strchr(line, '\n')) { /* a line begins with it */
        line += *line == '\n';
        const long launch = strtol(line, NULL, 10);
        most = launch > most ? launch : most;
    }
    free(text);
    free(path);
    return most + 1;
}

tg_status tgd_resume_check_plan(const char *folder, const tgd_plan *plan)
{
    char *path = tgd_format("%s/plan.tsv", folder);
    char *was = tgd_read_file(path), *now = tgd_plan_text(plan);
    tg_status status = tg_success();
    if (!was || strcmp(was, now) != 0) {
        status = tg_fail(TG_BAD_INPUT,
                         "'%.150s': expected the cells that campaign.ini beside it gives", path);
    }
    free(path);
    free(was);
    free(now);
    return status;
}

/* ---- history ---- */

void tgd_resume_note(json_t *record, const char *host, int argc, char *const *argv, long dropped,
                     int cells)
{
    json_t *list = json_object_get(record, "resumed"), *command = json_array();
    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new(record, "resumed", list);
    }
    for (int i = 0; i < argc; i++)
        json_array_append_new(command, json_string(argv[i]));
    char *now = tgd_utc(false);
    json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:i, s:o}", "started", now, "host", host,
                                          "lines_dropped", (int)dropped, "cells", cells, "command",
                                          command));
    json_object_del(record, "ended");
    free(now);
}
