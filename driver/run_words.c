/* run_words.c: options of `tensorgauge run` as rows of argp. */
#include "driver/run_words.h"

#include <errno.h>

enum { FIRST = TGD_FIRST_KEY };

static const struct argp_option rows[] = {
    {"ranks", FIRST, "LIST", 0, "rank counts, such as 1,2,4", 1},
    {"sizes", FIRST + 1, "LIST", 0, "sizes, such as 8B,64KiB or 1KiB:16MiB:x4", 1},
    {"direction", FIRST + 2, "LIST", 0, "forward,adjoint (adjoint is backward for layers)", 1},
    {"dtype", FIRST + 3, "LIST", 0, "element types, such as f32,f64", 1},
    {"kernels", FIRST + 4, "LIST", 0, "libraries that layers compute with, such as onednn,openblas",
     1},
    {"algorithm", FIRST + 5, "LIST", 0, "algorithms, such as mpi,reference", 1},
    {"scaling", FIRST + 6, "WORD", 0, "strong, weak or size", 1},
    {"budget", FIRST + 7, "TIME", 0, "time for the whole campaign, such as 90s", 1},
    {"launches", FIRST + 8, "K", 0, "fresh launches of every cell", 1},
    {"seed", FIRST + 9, "N", 0, "of the inputs, and of the order of the cells", 1},
    {"name", FIRST + 10, "NAME", 0, "last word of the run folder's name", 1},
    {"order", FIRST + 11, "WORD", 0, "shuffled (default) or given: the order of the cells", 1},
    {"stall-timeout", FIRST + 12, "TIME", 0,
     "a launch that says nothing for so long, beyond 3 times a cell's share of the budget, is "
     "ended (60s)",
     1},
    {"sync", FIRST + 13, "WORD", 0, "barrier, window or round-time", 1},
    {"cache", FIRST + 14, "WORD", 0, "warm or cold", 1},
    {"ci", FIRST + 15, "PERCENT", 0, "a cell ends when its interval is within +- this", 1},
    {"min-reps", FIRST + 16, "N", 0, "repetitions of a cell at least", 1},
    {"max-reps", FIRST + 17, "N", 0, "repetitions of a cell at most", 1},
    {"counters", FIRST + 18, "LIST", 0, "events to be counted, in repetitions of their own", 1},
    {"max-mem", FIRST + 19, "SIZE", 0, "memory that a cell may use", 1},
    {"raw", FIRST + 20, "WORD", 0, "all: the time of each rank in samples.csv", 1},
    {"calibrate", FIRST + 21, "WORD", 0, "yes (default) or no: measure the bounds first", 1},
    {"overlap", FIRST + 22, "WORD", 0,
     "yes or no (default): overlap.csv: how much of each operation hides behind computing", 1},
    {"phases", FIRST + 23, "WORD", 0,
     "yes or no (default): phases.csv: how the time of each layer divides into communication, "
     "packing, computing and waiting",
     1},
    {"auto-cache", FIRST + 24, "FILE", 0,
     "choices of algorithm=auto to begin with; the run keeps its own in auto.txt", 1},
    {"turns", FIRST + 25, "WORD", 0,
     "yes or no: cells of a section with the same ranks, size and direction take turns", 1},
    {"pairs", FIRST + 26, "WORD", 0,
     "rounds of pairs: all (default up to 64 ranks), ring or random:K (random:16 above)", 1},
    {"soak", FIRST + 27, "TIME", 0,
     "when all launches are done, more of them until so much time is over, such as 1h", 1},
    {"output", FIRST + TGD_OUTPUT, "DIR", 0, "where run folders are made (results)", 2},
    {"builds", FIRST + TGD_BUILDS, "DIR[,DIR...]", 0,
     "folder that holds tgbench or bin/tgbench; several are measured in turns", 2},
    {"launcher", FIRST + TGD_LAUNCHER, "WORDS", 0,
     "MPI launcher with its words, such as 'srun --mpi=pmix'", 2},
    {"oversubscribe", FIRST + TGD_OVERSUBSCRIBE, NULL, 0, TGD_OVERSUBSCRIBE_HELP, 2},
    {"simulate", FIRST + TGD_SIMULATE, "PLATFORM", 0,
     "ranks of a machine that is simulated (build preset smpi): an XML file of SimGrid, or "
     "cluster:N, fat_tree:AxB or torus:AxBxC with ,LATENCY,BANDWIDTH of a link or ,RUN",
     2},
    {"resume", FIRST + TGD_RESUME, "RUN", 0, "measure what this run folder lacks", 2},
    {"dry-run", FIRST + TGD_DRY_RUN, NULL, 0, "print the cells and measure nothing", 2},
    TGD_HELP_ROW,
    {0},
};
_Static_assert(sizeof rows / sizeof *rows == TGD_OPTIONS + 2, "a row for each option");

static error_t take_word(int key, char *text, struct argp_state *state)
{
    tgd_run_words *w = state->input;
    if (key >= FIRST && key < FIRST + TGD_OPTIONS) {
        w->option[key - FIRST] = text ? text : "";
        return 0;
    }
    if (key != ARGP_KEY_ARG)
        return tgd_options_common(key, state);
    if (w->campaign) {
        return tgd_options_keep(
            &w->options, tg_fail(TG_BAD_INPUT,
                                 "run: '%.80s' is one word too many; expected one CAMPAIGN", text));
    }
    w->campaign = text;
    return 0;
}

static const struct argp grammar = {
    .options = rows,
    .parser = take_word,
    .args_doc = "CAMPAIGN\n--resume RUN",
    .doc = "Measures a campaign: a name in the folder campaigns, or a path of an INI file.\v"
           "The options of the first group replace settings of the campaign. The run folder is "
           "printed at the end. SIGINT, SIGTERM or SIGUSR1 ends the run after the cell in flight, "
           "a second one at once; --resume goes on. Exit status: 0 good, 1 a cell is wrong or "
           "missing, 2 wrong words or files, 3 partly done.",
};

static tg_status check_resume(const tgd_run_words *w)
{
    static const int others[] = {TGD_OUTPUT, TGD_SIMULATE, TGD_DRY_RUN};
    for (int i = 0; i < 3; i++) {
        if (w->option[others[i]]) {
            return tg_fail(TG_BAD_INPUT, "--%s with --resume; expected one of them",
                           rows[others[i]].name);
        }
    }
    return tg_success();
}

tg_status tgd_run_words_read(int argc, char **argv, tgd_run_words *w)
{
    *w = (tgd_run_words){.campaign = NULL};
    tg_status status = tgd_options_read(&grammar, argc, argv, &w->options);
    if (status.code == TG_OK && w->option[TGD_RESUME])
        status = check_resume(w);
    for (int i = TGD_LAUNCHER; i <= TGD_OVERSUBSCRIBE && status.code == TG_OK; i++)
        if (w->option[TGD_SIMULATE] && w->option[i])
            status =
                tg_fail(TG_BAD_INPUT, "--%s with --simulate; expected one of them", rows[i].name);
    if (status.code == TG_OK && !w->campaign && !w->option[TGD_RESUME] && !w->options.help) {
        status = tg_fail(TG_BAD_INPUT, "run: expected the name of a campaign, such as quick; "
                                       "`tensorgauge list` shows them");
    }
    return status;
}

const char *tgd_option_name(int option)
{
    return rows[option].name;
}

void tgd_run_help(void)
{
    tgd_options_help(&grammar, "run");
}
