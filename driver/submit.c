/* submit.c: the verb submit: a batch script of Slurm that runs a campaign on some nodes. Users' words
 * stand there in single quotes; what stands in an #SBATCH line, which has quotes of its own, may be
 * of few letters only. */
#include "driver/submit.h"

#include "bench/case.h"
#include "driver/bench.h"
#include "driver/campaign.h"
#include "driver/child.h"
#include "driver/options.h"
#include "driver/paths.h"
#include "driver/submit_script.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NODES = 1 << 20, MOST_RANKS = 1 << 12, START_S = 900 };

/* ---- words ---- */

enum { NODES = TGD_FIRST_KEY, RANKS, TIME, TEXTS };
/* Texts by their place: the first ones are words of sbatch. */
enum {
    ACCOUNT,
    PARTITION,
    QOS,
    CONSTRAINT,
    RESERVATION,
    LINES,
    LAUNCHER = LINES,
    BUILDS,
    OUTPUT,
    SCRIPT,
    COUNT
};
enum { GO = TEXTS + COUNT };

static const struct argp_option rows[] = {
    {"nodes", NODES, "N", 0, "nodes, each for this job alone", 1},
    {"ranks-per-node", RANKS, "K", 0, "ranks on each node (1)", 1},
    {"time", TIME, "TIME", 0, "limit of the job, such as 30min (15 min beyond the budget)", 1},
    {"account", TEXTS + ACCOUNT, "NAME", 0, "for sbatch", 2},
    {"partition", TEXTS + PARTITION, "NAME", 0, "for sbatch", 2},
    {"qos", TEXTS + QOS, "NAME", 0, "for sbatch", 2},
    {"constraint", TEXTS + CONSTRAINT, "FEATURES", 0, "for sbatch", 2},
    {"reservation", TEXTS + RESERVATION, "NAME", 0, "for sbatch", 2},
    {"launcher", TEXTS + LAUNCHER, "WORDS", 0,
     "what starts the ranks (srun --mpi=pmix, with MPICH srun --mpi=pmi2)", 3},
    {"builds", TEXTS + BUILDS, "DIR", 0, "folder that holds tgbench or bin/tgbench", 3},
    {"output", TEXTS + OUTPUT, "DIR", 0, "run folders are made in DIR/job-ID (results)", 3},
    {"script", TEXTS + SCRIPT, "FILE", 0, "the script to write (tensorgauge-NAME.sbatch)", 3},
    {"go", GO, NULL, 0, "give the script to sbatch", 3},
    TGD_HELP_ROW,
    {0},
};

typedef struct {
    tgd_options options;
    const char *campaign;
    tgd_words passed; /* to tensorgauge run */
    long nodes, ranks;
    double time_s; /* 0: not given */
    const char *text[COUNT];
    bool go;
} words;

/* What sbatch's words may be made of: no blank, no quote, no line end, nothing at the front that
 * could be an option. */
static tg_status check_plain(const char *what, const char *text)
{
    static const char signs[] = "_.,:+-@/&|*[]()";
    bool good = *text != '\0' && *text != '-';
    for (const char *c = text; *c; c++)
        good = good && (isalnum((unsigned char)*c) || strchr(signs, *c));
    return good ? tg_success()
                : tg_fail(TG_BAD_INPUT, "submit: --%s '%.60s': expected letters, digits and %s",
                          what, text, signs);
}

static error_t take_word(int key, char *text, struct argp_state *state)
{
    words *w = state->input;
    tg_status status = tg_success();
    if (key >= TEXTS && key < TEXTS + COUNT)
        w->text[key - TEXTS] = text;
    else if (key == NODES)
        status = tgb_parse_int("--nodes", text, 1, MOST_NODES, &w->nodes);
    else if (key == RANKS)
        status = tgb_parse_int("--ranks-per-node", text, 1, MOST_RANKS, &w->ranks);
    else if (key == TIME)
        status = tgb_parse_seconds("--time", text, &w->time_s);
    else if (key == GO)
        w->go = true;
    else if (key == ARGP_KEY_ARG && w->campaign)
        tgd_words_add(&w->passed, text);
    else if (key == ARGP_KEY_ARG)
        w->campaign = text;
    else
        return tgd_options_common(key, state);
    return tgd_options_keep(&w->options, status);
}

static const struct argp grammar = {
    .options = rows,
    .parser = take_word,
    .args_doc = "CAMPAIGN [-- OPTION OF RUN...]",
    .doc =
        "Writes a batch script of Slurm that runs a campaign on some nodes, at N times K ranks. "
        "Options behind -- are those of tensorgauge run, such as -- --ranks 4,8,16.\v"
        "Before its time is over (2 min, or a quarter of it) the job ends the run after the cell "
        "in flight, is queued again and goes on with its run folder. Exit status: 0 good, 2 wrong "
        "words or files, or sbatch refused.",
};

static tg_status check_words(const words *w)
{
    tg_status status = tg_success();
    if (!w->campaign)
        return tg_fail(TG_BAD_INPUT, "submit: expected the name of a campaign, such as acceptance");
    if (w->nodes == 0)
        return tg_fail(TG_BAD_INPUT, "submit: no --nodes; expected their number");
    if (w->time_s != 0 && !(w->time_s >= 60 && w->time_s <= 366 * 86400.0))
        return tg_fail(TG_BAD_INPUT, "submit: --time: expected 1 min to 366 days");
    for (int i = 0; i < LINES && status.code == TG_OK; i++)
        if (w->text[i])
            status = check_plain(rows[TEXTS + i - NODES].name, w->text[i]);
    return status;
}

/* ---- the verb ---- */

/* The words of `tensorgauge run` but for the launcher; path is the campaign's. */
static void run_words(const words *w, const char *path, tgd_words *run)
{
    char *ranks = tgd_format("%ld", w->nodes * w->ranks);
    const char *const first[] = {path, "--ranks", ranks};
    for (int i = 0; i < 3; i++)
        tgd_words_add(run, first[i]);
    if (w->text[BUILDS]) {
        char *builds = tgd_from_root(w->text[BUILDS]);
        tgd_words_add(run, "--builds");
        tgd_words_add(run, builds);
        free(builds);
    }
    for (int i = 0; i < w->passed.count; i++)
        tgd_words_add(run, w->passed.word[i]);
    free(ranks);
}

/* Does `tensorgauge run` understand the words? Better here than when the job begins. */
static tg_status try_words(const tgd_words *run)
{
    tgd_words all = {NULL, 0};
    char *folder = tgd_program_folder(), *program = tgd_format("%s/tensorgauge", folder);
    const char *const first[] = {program, "run", "--dry-run"};
    for (int i = 0; i < 3; i++)
        tgd_words_add(&all, first[i]);
    for (int i = 0; i < run->count; i++)
        tgd_words_add(&all, run->word[i]);
    char *output, *errors;
    tg_status status = tg_success();
    if (tgd_child_capture(&all, &output, &errors) != 0) {
        const char *told = strncmp(errors, "tensorgauge: ", 13) == 0 ? errors + 13 : errors;
        status = tg_fail(TG_BAD_INPUT, "%.*s", (int)strcspn(told, "\n"), told);
    }
    free(output);
    free(errors);
    tgd_words_free(&all);
    free(program);
    free(folder);
    return status;
}

static tg_status find_launcher(const words *w, tgd_words *run)
{
    tgd_bench bench;
    const tg_status status = tgd_bench_open(w->text[BUILDS], NULL, &bench);
    if (status.code != TG_OK)
        return status;
    const bool is_mpich = strcmp(tgd_bench_build(&bench, "mpi_family"), "mpich") == 0;
    tgd_words_add(run, "--launcher");
    tgd_words_add(run, w->text[LAUNCHER] ? w->text[LAUNCHER]
                       : is_mpich        ? "srun --mpi=pmi2"
                                         : "srun --mpi=pmix");
    tgd_bench_close(&bench);
    return tg_success();
}

static tg_status write_script(const words *w, const tgd_campaign *campaign, const tgd_words *run,
                              const char *path)
{
    char *folder = tgd_program_folder(), *program = tgd_format("%s/tensorgauge", folder);
    char *output = tgd_from_root(w->text[OUTPUT] ? w->text[OUTPUT] : "results"), *text = NULL;
    size_t size = 0;
    tgd_words lines = {NULL, 0};
    for (int i = 0; i < LINES; i++) {
        if (w->text[i]) {
            char *line = tgd_format("--%s=%s", rows[TEXTS + i - NODES].name, w->text[i]);
            tgd_words_add(&lines, line);
            free(line);
        }
    }
    const tgd_job job = {.name = campaign->name,
                         .nodes = w->nodes,
                         .ranks_per_node = w->ranks,
                         .time_s = w->time_s > 0 ? w->time_s
                                                 : campaign->budget_s + campaign->soak_s + START_S,
                         .lines = &lines,
                         .program = program,
                         .output = output,
                         .run = run};
    FILE *out = open_memstream(&text, &size);
    tg_status status = out ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for a script");
    if (out) {
        tgd_job_write(&job, out);
        fclose(out);
        status = tgd_write_file(path, text);
    }
    free(text);
    tgd_words_free(&lines);
    free(output);
    free(program);
    free(folder);
    return status;
}

static tg_status give_script(const char *sbatch, const char *path)
{
    tgd_words all = {NULL, 0};
    char *output, *errors;
    tgd_words_add(&all, sbatch);
    tgd_words_add(&all, path);
    const int result = tgd_child_capture(&all, &output, &errors);
    const char *told = *errors ? errors : "no word of why";
    const tg_status status = result == 0 ? tg_success()
                                         : tg_fail(TG_BAD_INPUT, "sbatch refused '%.80s': %.*s",
                                                   path, (int)strcspn(told, "\n"), told);
    fputs(output, stdout);
    tgd_words_free(&all);
    free(output);
    free(errors);
    return status;
}

static tg_status submit(const words *w)
{
    char *sbatch = w->go ? tgd_find_program("sbatch") : NULL, *found = NULL, *path = NULL;
    tgd_words run = {NULL, 0};
    tgd_campaign campaign = {.path = NULL};
    tg_status status = check_words(w);
    if (status.code == TG_OK && w->go && !sbatch)
        status = tg_fail(TG_BAD_INPUT, "submit: --go: sbatch is not found; expected it in PATH");
    if (status.code == TG_OK)
        status = tgd_find_campaign(w->campaign, &found);
    if (status.code == TG_OK)
        status = tgd_campaign_read(found, &campaign);
    if (status.code == TG_OK) {
        path = tgd_from_root(found);
        run_words(w, path, &run);
        free(path);
        path = w->text[SCRIPT] ? tgd_from_root(w->text[SCRIPT])
                               : tgd_format("tensorgauge-%s.sbatch", campaign.name);
        status = check_plain("name", campaign.name);
    }
    if (status.code == TG_OK)
        status = try_words(&run);
    if (status.code == TG_OK)
        status = find_launcher(w, &run);
    if (status.code == TG_OK)
        status = write_script(w, &campaign, &run, path);
    if (status.code == TG_OK)
        printf("%s\n", path);
    if (status.code == TG_OK && w->go)
        status = give_script(sbatch, path);
    tgd_campaign_free(&campaign);
    tgd_words_free(&run);
    free(path);
    free(found);
    free(sbatch);
    return status;
}

int tgd_submit(int argc, char **argv)
{
    words w = {.ranks = 1};
    tg_status status = tgd_options_read(&grammar, argc, argv, &w.options);
    if (status.code == TG_OK && w.options.help)
        tgd_options_help(&grammar, "submit");
    else if (status.code == TG_OK)
        status = submit(&w);
    tgd_words_free(&w.passed);
    return status.code == TG_OK ? 0 : tgd_report(status);
}
