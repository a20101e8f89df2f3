/* time_words.c: the words of verb time: its option rows, and what they mean together. */
#include "bench/time_words.h"

#include "bench/auto_cache.h"
#include "bench/memory.h"
#include "bench/osu.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- options ---- */

enum {
    SIZES = TGB_FIRST_OPTION,
    RANKS,
    DIRECTION,
    DTYPE,
    KERNELS,
    ALGORITHM,
    SCALING,
    TURNS,
    BUDGET,
    COUNTERS,
    CI,
    MIN_REPS,
    MAX_REPS,
    SEED_OPTION,
    SYNC,
    CACHE,
    RAW,
    OVERLAP,
    PHASES,
    COMPAT,
    MAX_MEM,
    FACTS,
    OUTPUT,
    LAUNCH,
    CELLS,
    CALIBRATION,
    AUTO_CACHE,
    DRY_RUN,
    JSON
};
enum { MOST_REPS = 10000000, MIN_REPETITIONS = 6 /* the fewest that have an interval */ };

static const struct argp_option options[] = {
    {"sizes", SIZES, "LIST", 0, "bytes for N, as in 8B,64KiB or 1KiB:16MiB:x4", 1},
    {"ranks", RANKS, "LIST", 0, "rank counts P (default: all ranks); the others sleep", 1},
    {"direction", DIRECTION, "LIST", 0, "forward,adjoint or forward,backward (default: all)", 1},
    {"dtype", DTYPE, "LIST", 0, "element types, as in f32,f64; replaces the case's own", 1},
    {"kernels", KERNELS, "LIST", 0,
     "libraries that layers compute with, as in onednn,openblas; replaces the case's own", 1},
    {"algorithm", ALGORITHM, "LIST", 0,
     "as in mpi,reference; replaces the case's own; all: every one, where the case names none", 1},
    {"scaling", SCALING, "KIND", 0,
     "what --sizes means: strong or size (default): bytes of the whole tensor; weak: bytes held "
     "per rank",
     1},
    {"turns", TURNS, "WORD", 0,
     "yes or no (default): cells of the same ranks, direction and size make their repetitions in "
     "turns",
     1},
    {"cells", CELLS, "FILE", 0,
     "cells instead of cases: launch cell ranks scaling direction size_bytes case; those with the "
     "same number in one more column, turn, take turns",
     2},
    {"launch", LAUNCH, "K", 0, "number of this launch (default: 0)", 2},
    {"budget", BUDGET, "TIME", 0, "for all cells together, as in 90s (default: 1 s a cell)", 3},
    {"counters", COUNTERS, "LIST", 0,
     "events for DIR/counters.csv, in repetitions of their own: own, memory, flops, energy, or "
     "names that PAPI knows",
     3},
    {"ci", CI, "PERCENT", 0, "stop when the interval of the median is within +- this (default: 5%)",
     3},
    {"min-reps", MIN_REPS, "N", 0, "repetitions at least (default: 6)", 3},
    {"max-reps", MAX_REPS, "N", 0, "repetitions at most (default: 1000)", 3},
    {"seed", SEED_OPTION, "N", 0, "of the inputs (default: 1)", 3},
    {"sync", SYNC, "KIND", 0,
     "how repetitions start: barrier (default), or at a start announced on a clock of all ranks: "
     "window, round-time",
     3},
    {"cache", CACHE, "STATE", 0,
     "warm (default); cold: each rank reads through more than the caches before a repetition", 3},
    {"compat", COMPAT, "osu", 0,
     "repetitions and their number exactly as OSU's benchmarks of collectives have them", 3},
    {"max-mem", MAX_MEM, "SIZE", 0,
     "skip cells that need more on a rank, as in 2GiB (default: all that is free)", 3},
    {"facts", FACTS, "FILE", 0, "at the end, write where the ranks ran and with what, as JSON", 4},
    {"raw", RAW, "all", 0, "a line of samples.csv for each rank and repetition", 4},
    {"overlap", OVERLAP, "WORD", 0,
     "yes or no (default): DIR/overlap.csv: how much of each operation hides behind computing, in "
     "repetitions of their own",
     3},
    {"phases", PHASES, "WORD", 0,
     "yes or no (default): DIR/phases.csv: how the time of a run divides into communication, "
     "packing, computing and waiting, in repetitions of their own",
     3},
    {"output", OUTPUT, "DIR", 0,
     "append to DIR/cells.csv and DIR/samples.csv (default: rows on standard output)", 4},
    {"calibration", CALIBRATION, "FILE", 0,
     "rows of machine operations, measured before on the same ranks: fills the bounds", 4},
    TGB_AUTO_CACHE_ROW(AUTO_CACHE, 4),
    {"dry-run", DRY_RUN, NULL, 0, "print the cells; measure nothing, write nothing", 4},
    {"json", JSON, NULL, 0, "with --dry-run: as JSON", 4},
    TGB_HELP_ROW,
    {NULL, 0, NULL, 0, NULL, 0},
};

static tg_status parse_percent(const char *text, double *share)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || strcmp(end, "%") != 0 || !(value > 0 && value <= 100))
        return tg_fail(TG_BAD_INPUT, "--ci '%.40s': expected a percentage above 0, as in 5%%",
                       text);
    *share = value / 100;
    return tg_success();
}

static tg_status parse_count(const char *what, const char *text, int *count)
{
    long value;
    tg_status status = tgb_parse_int(what, text, 1, MOST_REPS, &value);
    if (status.code == TG_OK)
        *count = (int)value;
    return status;
}

static tg_status parse_seed(const char *text, uint64_t *seed)
{
    long value;
    tg_status status = tgb_parse_int("--seed", text, 0, LONG_MAX, &value);
    if (status.code == TG_OK)
        *seed = (uint64_t)value;
    return status;
}

/* One of two words: is it the second? */
static tg_status parse_either(const char *what, const char *text, const char *first,
                              const char *second, bool *is_second)
{
    *is_second = strcmp(text, second) == 0;
    if (*is_second || strcmp(text, first) == 0)
        return tg_success();
    return tg_fail(TG_BAD_INPUT, "%s '%.40s' is unknown; expected %s or %s", what, text, first,
                   second);
}

static tg_status parse_raw(const char *text, bool *raw_all)
{
    *raw_all = strcmp(text, "all") == 0;
    return *raw_all ? tg_success()
                    : tg_fail(TG_BAD_INPUT, "--raw '%.40s' is unknown; expected all", text);
}

static tg_status replace_words(const char *what, const char *text, char ***words, int *count)
{
    tgb_free_words(*words, *count);
    return tgb_parse_words(what, text, words, count);
}

/* `all` stands for every algorithm of an operation whose case names none. */
static tg_status parse_algorithms(const char *text, tgb_sweep *s)
{
    tg_status status = replace_words("--algorithm", text, &s->algorithms, &s->nalgorithms);
    s->all_algorithms =
        status.code == TG_OK && s->nalgorithms == 1 && strcmp(s->algorithms[0], "all") == 0;
    if (s->all_algorithms) {
        tgb_free_words(s->algorithms, s->nalgorithms);
        s->algorithms = NULL;
        s->nalgorithms = 0;
    }
    return status;
}

/* Options that shape the cells of cases. */
static error_t parse_sweep(int key, char *text, struct argp_state *state)
{
    tgb_time_words *w = state->input;
    tgb_sweep *s = &w->sweep;
    switch (key) {
    case SIZES:
        free(s->sizes);
        w->swept = "--sizes";
        return tgb_keep(&w->words, tgb_parse_sizes("--sizes", text, &s->sizes, &s->nsizes));
    case RANKS:
        free(s->ranks);
        w->swept = "--ranks";
        return tgb_keep(&w->words,
                        tgb_parse_ints("--ranks", text, 1, INT_MAX / 4, &s->ranks, &s->nranks));
    case DIRECTION:
        w->swept = "--direction";
        return tgb_keep(&w->words,
                        replace_words("--direction", text, &s->directions, &s->ndirections));
    case DTYPE:
        w->swept = "--dtype";
        return tgb_keep(&w->words, replace_words("--dtype", text, &s->dtypes, &s->ndtypes));
    case KERNELS:
        w->swept = "--kernels";
        return tgb_keep(&w->words, replace_words("--kernels", text, &s->kernels, &s->nkernels));
    case ALGORITHM:
        w->swept = "--algorithm";
        return tgb_keep(&w->words, parse_algorithms(text, s));
    case SCALING:
        w->swept = "--scaling";
        return tgb_keep(&w->words, tgb_scaling_parse(text, &s->scaling));
    case TURNS:
        w->swept = "--turns";
        return tgb_keep(&w->words, parse_either("--turns", text, "no", "yes", &w->turns));
    default:
        return tgb_common_option(key, text, state);
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    tgb_time_words *w = state->input;
    switch (key) {
    case BUDGET:
        return tgb_keep(&w->words, tgb_parse_seconds("--budget", text, &w->budget_s));
    case COUNTERS:
        tgb_counting_free(w->rules.counting);
        return tgb_keep(&w->words, tgb_counting_make(text, &w->rules.counting));
    case CI:
        return tgb_keep(&w->words, parse_percent(text, &w->rules.ci));
    case MIN_REPS:
        return tgb_keep(&w->words, parse_count("--min-reps", text, &w->rules.min_reps));
    case MAX_REPS:
        return tgb_keep(&w->words, parse_count("--max-reps", text, &w->rules.max_reps));
    case SEED_OPTION:
        return tgb_keep(&w->words, parse_seed(text, &w->rules.seed));
    case SYNC:
        return tgb_keep(&w->words, tgb_sync_find(text, &w->rules.sync));
    case CACHE:
        return tgb_keep(&w->words, parse_either("--cache", text, "warm", "cold", &w->rules.cold));
    case RAW:
        return tgb_keep(&w->words, parse_raw(text, &w->rules.raw_all));
    case OVERLAP:
        return tgb_keep(&w->words, parse_either("--overlap", text, "no", "yes", &w->rules.overlap));
    case PHASES:
        return tgb_keep(&w->words, parse_either("--phases", text, "no", "yes", &w->rules.phases));
    case COMPAT:
        return tgb_keep(&w->words, tgb_osu_choose(text, &w->rules));
    case MAX_MEM:
        return tgb_keep(&w->words, tgb_memory_parse(text, &w->rules.max_mem_bytes));
    case FACTS:
        w->facts = text;
        return 0;
    case LAUNCH:
        return tgb_keep(&w->words, tgb_parse_int("--launch", text, 0, INT_MAX, &w->launch));
    case OUTPUT:
        w->output = text;
        return 0;
    case CELLS:
        w->cells_file = text;
        return 0;
    case CALIBRATION:
        w->calibration_file = text;
        return 0;
    case AUTO_CACHE:
        w->auto_cache = text;
        return 0;
    case DRY_RUN:
        w->dry_run = true;
        return 0;
    case JSON:
        w->json = true;
        return 0;
    case ARGP_KEY_ARG:
        w->cases[w->ncases++] = text;
        return 0;
    default:
        return parse_sweep(key, text, state);
    }
}

/* ---- all words together ---- */

static tg_status check_words(tgb_time_words *w)
{
    if (w->rules.counting && !w->output && !w->dry_run)
        return tg_fail(TG_BAD_INPUT, "time: --counters without --output; expected both");
    if (w->cells_file && (w->ncases > 0 || w->swept))
        return tg_fail(TG_BAD_INPUT, "time: --cells and %s; expected one of them",
                       w->ncases > 0 ? "a case" : w->swept);
    if (!w->cells_file && w->ncases == 0)
        return tg_fail(
            TG_BAD_INPUT,
            "time: no case; expected one or more, as in \"broadcast shape=8 from=1 to=Pc\", "
            "or --cells FILE");
    if (w->json && !w->dry_run)
        return tg_fail(TG_BAD_INPUT, "time: --json without --dry-run; expected both");
    if (w->rules.raw_all && !w->output && !w->dry_run)
        return tg_fail(TG_BAD_INPUT, "time: --raw all without --output; expected both");
    if (w->rules.overlap && !w->output && !w->dry_run)
        return tg_fail(TG_BAD_INPUT, "time: --overlap yes without --output; expected both");
    if (w->rules.phases && !w->output && !w->dry_run)
        return tg_fail(TG_BAD_INPUT, "time: --phases yes without --output; expected both");
    if (w->rules.osu)
        return tgb_osu_rules(&w->rules);
    if (w->rules.min_reps == 0) /* not given */
        w->rules.min_reps =
            w->rules.max_reps < MIN_REPETITIONS ? w->rules.max_reps : MIN_REPETITIONS;
    if (w->rules.min_reps > w->rules.max_reps)
        return tg_fail(TG_BAD_INPUT, "--min-reps %d: expected at most --max-reps %d",
                       w->rules.min_reps, w->rules.max_reps);
    return tg_success();
}

static const struct argp rows = {
    options, parse, "CASE...", "Measure cases, and write a row for each cell.", NULL, NULL, NULL};

tg_status tgb_time_words_read(int argc, char **argv, tgb_time_words *w)
{
    *w = (tgb_time_words){
        .sweep.scaling = TGB_SIZE,
        .rules = {.ci = 0.05, .max_reps = TGB_MAX_REPS, .seed = 1, .sync = tgb_syncs[0]},
        .budget_s = -1};
    w->cases = calloc((size_t)argc, sizeof *w->cases);
    if (!w->cases)
        return tg_fail(TG_NO_MEMORY, "no memory for words");
    const tg_status status = tgb_parse_options(&rows, argc, argv, &w->words);
    return status.code == TG_OK && !w->words.help ? check_words(w) : status;
}

int tgb_time_help(const tgb_launch *launch, const char *verb)
{
    return tgb_show_help(launch, &rows, verb);
}

void tgb_time_words_free(tgb_time_words *w)
{
    tgb_calibration_free(&w->calibration);
    tgb_sweep_free(&w->sweep);
    tgb_counting_free(w->rules.counting);
    free(w->cases);
}
