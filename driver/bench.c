/* bench.c: finds tgbench and asks it, as a plain process without an MPI launcher, or as a simulation
 * of one rank. */
#include "driver/bench.h"

#include "driver/child.h"
#include "driver/paths.h"
#include "driver/platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first line of what a child printed, without the name of tgbench in front. */
static const char *first_line(char *text)
{
    text[strcspn(text, "\n")] = '\0';
    return strncmp(text, "tgbench: ", 9) == 0 ? text + 9 : text;
}

static char *find_tgbench(const char *builds, bool simulated)
{
    char *folder = builds ? tgd_from_root(builds) : tgd_program_folder();
    const char *const plain[] = {"tgbench", "bin/tgbench", NULL},
                      *const shared[] = {"tgbench.so", "bin/tgbench.so",
                                         builds ? NULL : "../../smpi/bin/tgbench.so", NULL},
                      *const *inside = simulated ? shared : plain;
    char *found = NULL;
    for (int i = 0; inside[i] && !found; i++) {
        char *path = tgd_format("%s/%s", folder, inside[i]);
        found = tgd_find_program(path);
        free(path);
    }
    free(folder);
    return found;
}

void tgd_bench_words(const tgd_bench *bench, int ranks, tgd_words *words)
{
    if (bench->loader)
        tgd_words_add(words, bench->loader);
    tgd_words_add(words, bench->path);
    if (bench->loader) {
        tgd_platform_options(ranks, words);
        tgd_words_add(words, bench->platform);
    }
}

static tg_status ask_list(tgd_bench *bench)
{
    tgd_words words = {NULL, 0};
    tgd_bench_words(bench, 1, &words);
    tgd_words_add(&words, "list");
    tgd_words_add(&words, "--json");
    char *output, *errors;
    const int status = tgd_child_capture(&words, &output, &errors);
    json_error_t error;
    bench->info = status == 0 ? json_loads(output, 0, &error) : NULL;
    tg_status result = tg_success();
    if (status != 0 && bench->loader) { /* "[time] file:line: [who] what it does not like" */
        const char *line = first_line(errors),
                   *what = strstr(line, "] ") ? strrchr(line, ']') : NULL;
        result = tg_fail(TG_BAD_INPUT, "expected a platform that SimGrid takes:%.120s",
                         what ? what + 1 : line);
    } else if (status != 0) {
        result = tg_fail(TG_BAD_INPUT, "'%.100s list' ended with status %d: %.80s", bench->path,
                         status, first_line(errors));
    } else if (!json_is_array(json_object_get(bench->info, "operations"))) {
        result = tg_fail(TG_BAD_INPUT, "'%.100s list --json' printed no list of operations",
                         bench->path);
    }
    tgd_words_free(&words);
    free(output);
    free(errors);
    return result;
}

static void ask_help(tgd_bench *bench)
{
    tgd_words words = {NULL, 0};
    char *errors;
    tgd_bench_words(bench, 1, &words);
    tgd_words_add(&words, "time");
    tgd_words_add(&words, bench->loader ? "--hel" : "--help"); /* SimGrid keeps --help to itself */
    tgd_child_capture(&words, &bench->help, &errors);
    tgd_words_free(&words);
    free(errors);
}

static tg_status open_simulated(const char *builds, const char *platform, tgd_bench *bench)
{
    *bench = (tgd_bench){.path = find_tgbench(builds, true), .platform = platform};
    bench->loader = bench->path ? tgd_platform_loader() : NULL;
    if (bench->loader)
        return tg_success();
    const tg_status status =
        bench->path
            ? tg_fail(TG_BAD_INPUT, "SimGrid's smpimain is not found; expected "
                                    "smpirun in the PATH, and smpimain in the library folder "
                                    "beside it")
            : tg_fail(TG_BAD_INPUT,
                      "tgbench.so is not found in '%.100s'; expected a build of "
                      "the preset smpi, or its folder behind --builds",
                      builds ? builds : "build/smpi");
    tgd_bench_close(bench);
    return status;
}

static tg_status open_plain(const char *builds, tgd_bench *bench)
{
    *bench = (tgd_bench){.path = find_tgbench(builds, false)};
    if (!bench->path) {
        return builds ? tg_fail(TG_BAD_INPUT,
                                "--builds '%.150s': expected a folder that holds tgbench or "
                                "bin/tgbench",
                                builds)
                      : tg_fail(TG_BAD_INPUT, "expected tgbench beside tensorgauge; "
                                              "--builds DIR names another folder");
    }
    return tg_success();
}

tg_status tgd_bench_open(const char *builds, const char *platform, tgd_bench *bench)
{
    tg_status status =
        platform ? open_simulated(builds, platform, bench) : open_plain(builds, bench);
    if (status.code != TG_OK)
        return status;
    status = ask_list(bench);
    if (status.code == TG_OK)
        ask_help(bench);
    else
        tgd_bench_close(bench);
    return status;
}

bool tgd_bench_has_option(const tgd_bench *bench, const char *option)
{
    const char *found = bench->help ? strstr(bench->help, option) : NULL;
    return found && strchr("=[ ,\n", found[strlen(option)]);
}

void tgd_bench_close(tgd_bench *bench)
{
    free(bench->path);
    free(bench->loader);
    free(bench->help);
    json_decref(bench->info);
    *bench = (tgd_bench){.path = NULL};
}

const char *tgd_bench_build(const tgd_bench *bench, const char *key)
{
    const char *text =
        json_string_value(json_object_get(json_object_get(bench->info, "build"), key));
    return text ? text : "";
}

const json_t *tgd_bench_operation(const tgd_bench *bench, const char *name)
{
    const json_t *operations = json_object_get(bench->info, "operations");
    for (size_t i = 0; i < json_array_size(operations); i++) {
        const json_t *operation = json_array_get(operations, i);
        const char *found = json_string_value(json_object_get(operation, "name"));
        if (found && strcmp(found, name) == 0)
            return operation;
    }
    return NULL;
}

bool tgd_bench_offers(const json_t *operation, const char *list, const char *word)
{
    const json_t *words = json_object_get(operation, list);
    for (size_t i = 0; i < json_array_size(words); i++) {
        const char *found = json_string_value(json_array_get(words, i));
        if (found && strcmp(found, word) == 0)
            return true;
    }
    return false;
}

tg_status tgd_bench_dry_run(const tgd_bench *bench, const char *cells, const tgd_words *more,
                            bool json, char **output)
{
    tgd_words words = {NULL, 0};
    const char *const arguments[] = {"time", "--dry-run", "--cells", cells, "--json"};
    tgd_bench_words(bench, 1, &words);
    for (int i = 0; i < (json ? 5 : 4); i++)
        tgd_words_add(&words, arguments[i]);
    for (int i = 0; i < more->count; i++)
        tgd_words_add(&words, more->word[i]);
    char *errors;
    const int status = tgd_child_capture(&words, output, &errors);
    tg_status result = tg_success();
    if (status != 0) {
        const char *line = first_line(errors);
        result = tg_fail(TG_BAD_INPUT, "%s", *line ? line : "tgbench refused the cells");
        free(*output);
        *output = NULL;
    }
    tgd_words_free(&words);
    free(errors);
    return result;
}
