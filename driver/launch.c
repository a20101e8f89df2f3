/* launch.c: words and environment of a launch, from the launcher's row; a launch that only shows
 * whether there can be any. OpenBLAS starts as many threads as the mask has CPUs, so that their
 * number is always said. */
#include "driver/launch.h"

#include "driver/child.h"
#include "driver/paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the launcher ---- */

/* Its path, or the error that there is none. */
static tg_status find(const tgd_words *words)
{
    char *path = words->count > 0 ? tgd_find_program(words->word[0]) : NULL;
    const tg_status status =
        path
            ? tg_success()
            : tg_fail(TG_BAD_INPUT,
                      "launcher '%.100s' is not found; expected a program, such as mpiexec or srun",
                      words->count > 0 ? words->word[0] : "");
    free(path);
    return status;
}

static tg_status ask(tgd_launcher *made)
{
    made->row = tgd_launcher_ask(&made->words, &made->version);
    tg_status status = tg_success();
    if (made->is_users)
        status = tgd_launcher_check_hosts(made->row, &made->words);
    if (status.code == TG_OK && made->oversubscribe && !made->row->oversubscribe.words)
        status = tg_fail(TG_BAD_INPUT,
                         "--oversubscribe: launcher '%.80s' (%.40s) has no such option that is "
                         "known here; expected its own words behind --launcher",
                         made->words.word[0], made->row->name);
    return status;
}

tg_status tgd_launcher_make(const tgd_bench *bench, const tgd_machine *machine,
                            const tgd_launcher_choice *choice, tgd_launcher *made)
{
    *made = (tgd_launcher){.bench = bench,
                           .machine = machine,
                           .is_users = choice->words != NULL,
                           .oversubscribe = choice->oversubscribe};
    const char *mpiexec = tgd_bench_build(bench, "mpiexec");
    if (bench->loader)
        tgd_words_add(&made->words, bench->loader);
    else if (choice->words)
        tgd_words_split(&made->words, choice->words);
    else
        tgd_words_add(&made->words, *mpiexec ? mpiexec : "mpiexec");
    tg_status status = find(&made->words);
    if (status.code == TG_OK && !bench->loader)
        status = ask(made);
    if (status.code != TG_OK) {
        tgd_launcher_free(made);
        return status;
    }
    if (!getenv("OPENBLAS_CORETYPE")) {
        made->blas_core =
            tgd_better_blas_core(&machine->flags, tgd_bench_build(bench, "blas_core"));
    }
    return tg_success();
}

void tgd_launcher_free(tgd_launcher *launcher)
{
    tgd_words_free(&launcher->words);
    free(launcher->version);
    launcher->version = NULL;
}

/* ---- words ---- */

/* Adds NAME=VALUE unless the user's environment has NAME. */
static void add_variable(tgd_words *environment, const char *variable)
{
    char *name = strndup(variable, strcspn(variable, "="));
    if (name && !getenv(name))
        tgd_words_add(environment, variable);
    free(name);
}

static void add_variables(tgd_words *environment, const char *variables)
{
    tgd_words words = {NULL, 0};
    tgd_words_split(&words, variables);
    for (int i = 0; i < words.count; i++)
        add_variable(environment, words.word[i]);
    tgd_words_free(&words);
}

static void add_wording(const tgd_wording *wording, tgd_words *words, tgd_words *environment)
{
    tgd_words_split(words, wording->words);
    add_variables(environment, wording->environment);
}

/* What the row wants to be told: ranks, places, more ranks than slots, root. */
static void ask_for_ranks(const tgd_launcher *l, int ranks, tgd_words *words,
                          tgd_words *environment)
{
    const tgd_machine *m = l->machine;
    const tgd_launcher_row *row = l->row;
    const tgd_place place = ranks <= m->cores  ? TGD_ON_CORES
                            : ranks <= m->cpus ? TGD_ON_THREADS
                                               : TGD_CROWDED;
    for (int i = 0; i < l->words.count; i++)
        tgd_words_add(words, l->words.word[i]);
    char *count = tgd_format("%d", ranks);
    tgd_words_add(words, row->ranks);
    tgd_words_add(words, count);
    free(count);
    if (!l->is_users) { /* a user's launcher may reach machines whose cores are not known here */
        if (!row->binding || !getenv(row->binding))
            tgd_words_split(words, row->place[place].words);
        add_variables(environment, row->place[place].environment);
    }
    if (row->oversubscribe.words && (l->oversubscribe || (!l->is_users && place == TGD_CROWDED)))
        add_wording(&row->oversubscribe, words, environment);
    if (geteuid() == 0 && row->root)
        add_variables(environment, row->root);
}

/* One thread, and the BLAS kernel; a launcher that sends only what it is told to gets their names,
 * unless the user has told it so. */
static void set_libraries(const tgd_launcher *l, tgd_words *words, tgd_words *environment)
{
    char *core = l->blas_core ? tgd_format("OPENBLAS_CORETYPE=%s", l->blas_core) : NULL;
    const char *const variables[] = {"OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1", core};
    for (int i = 0; i < 3 && variables[i]; i++) {
        char *name = strndup(variables[i], strcspn(variables[i], "="));
        bool told = !name || !l->row || !l->row->send;
        add_variable(environment, variables[i]);
        for (int k = 0; k < l->words.count && !told; k++)
            told = tgd_begins(l->words.word[k], name);
        if (!told) {
            tgd_words_add(words, l->row->send);
            tgd_words_add(words, name);
        }
        free(name);
    }
    free(core);
}

void tgd_launch_words(const tgd_launcher *l, int ranks, tgd_words *words, tgd_words *environment)
{
    *words = *environment = (tgd_words){NULL, 0};
    if (l->row)
        ask_for_ranks(l, ranks, words, environment);
    set_libraries(l, words, environment);
    tgd_bench_words(l->bench, ranks, words);
}

/* ---- a try ---- */

/* The first line of a text that says something; *length is how much of it. */
static const char *telling_line(const char *text, const char *start, int *length)
{
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        line += strspn(line, " \t");
        *length = (int)strcspn(line, "\r\n");
        if (tgd_begins(line, start) && (int)strspn(line, "-=*# ") < *length)
            return line;
    }
    *length = 0;
    return "";
}

static int count_lines(const char *text, const char *start)
{
    int count = 0;
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        count += tgd_begins(line, start);
    }
    return count;
}

static bool lacks_slots(const tgd_launcher_row *row, const char *output, const char *errors)
{
    for (int i = 0; i < 2 && row->no_slots[i]; i++)
        if (strstr(errors, row->no_slots[i]) || strstr(output, row->no_slots[i]))
            return true;
    return false;
}

/* What went wrong, from what the launch printed. */
static tg_status explain(const tgd_launcher *l, int ranks, int exit_status, const char *output,
                         const char *errors)
{
    static const char ours[] = "tgbench: ", version[] = "tgbench ";
    char *title = tgd_launcher_title(l->row, l->version);
    const char *program = l->words.word[0];
    int length;
    const char *line = telling_line(errors, ours, &length);
    tg_status status = tg_success();
    if (lacks_slots(l->row, output, errors)) {
        status = tg_fail(TG_BAD_INPUT,
                         "launcher '%.60s' (%.40s) has not enough slots for %d ranks; expected %s",
                         program, title, ranks, l->row->remedy);
    } else if (exit_status != 0 && *line) {
        status = tg_fail(TG_BAD_INPUT, "launcher '%.40s' (%.30s): %.*s", program, title,
                         length - (int)strlen(ours), line + strlen(ours));
    } else if (exit_status != 0) {
        line = telling_line(errors, "", &length);
        if (!*line)
            line = telling_line(output, "", &length);
        status =
            tg_fail(TG_BAD_INPUT,
                    "launcher '%.40s' (%.30s) ended with status %d; expected it to start %d "
                    "ranks%s%.*s",
                    program, title, exit_status, ranks, *line ? "; it says: " : "", length, line);
    } else if (count_lines(output, version) > 1) {
        status = tg_fail(TG_BAD_INPUT,
                         "launcher '%.60s' (%.40s) starts ranks that do not find each other; "
                         "expected the one of tgbench's MPI library, %.60s",
                         program, title, tgd_bench_build(l->bench, "mpiexec"));
    }
    free(title);
    return status;
}

tg_status tgd_launch_try(const tgd_launcher *l, int ranks, double limit_s)
{
    if (!l->row)
        return tg_success();
    tgd_words words, environment;
    tgd_launch_words(l, ranks, &words, &environment);
    tgd_words_add(&words, "--version");
    tg_status status = l->row->check_room ? l->row->check_room(&words, ranks) : tg_success();
    if (status.code == TG_OK) {
        char *output, *errors;
        const int answer =
            tgd_child_capture_within(limit_s, &words, &environment, &output, &errors);
        status = answer == TGD_LATE
                     ? tg_fail(TG_BAD_INPUT,
                               "launcher '%.80s': %d ranks were not there after %.0f s; expected "
                               "to see them",
                               l->words.word[0], ranks, limit_s)
                     : explain(l, ranks, answer, output, errors);
        free(output);
        free(errors);
    }
    tgd_words_free(&words);
    tgd_words_free(&environment);
    return status;
}
