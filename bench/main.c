/* main.c: program tgbench: lists, checks and times operations. Its verbs are rows. An error in
 * words or files is one line on standard error, from one rank, and exit status 2 on all. */
#include "bench/case.h"
#include "bench/phases.h"
#include "bench/verbs.h"
#include "layers/layers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- how the program was started ---- */

static int number_of(const char *variable, int otherwise)
{
    const char *text = getenv(variable);
    long value;
    bool good = text && tgb_parse_int(variable, text, 0, 1 << 28, &value).code == TG_OK;
    return good ? (int)value : otherwise;
}

/* Open MPI, then MPICH's Hydra and PMI-2, then a step of Slurm (a batch script has no step of its
 * own). */
static void read_environment(tgb_launch *launch)
{
    const char *ranks = getenv("SLURM_STEP_NUM_TASKS") ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS";
    launch->promised = 1;
    if (getenv("OMPI_COMM_WORLD_SIZE")) {
        launch->promised = number_of("OMPI_COMM_WORLD_SIZE", 1);
        launch->place = number_of("OMPI_COMM_WORLD_RANK", 0);
    } else if (getenv("PMI_SIZE")) {
        launch->promised = number_of("PMI_SIZE", 1);
        launch->place = number_of("PMI_RANK", 0);
    } else if (getenv("SLURM_STEP_ID") && getenv("SLURM_PROCID")) {
        launch->promised = number_of(ranks, 1);
        launch->place = number_of("SLURM_PROCID", 0);
    }
}

static void start_mpi(tgb_launch *launch)
{
    MPI_Init(NULL, NULL);
    launch->started = true;
    MPI_Comm_rank(MPI_COMM_WORLD, &launch->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &launch->size);
    launch->speaks = launch->size > 1 ? launch->rank == 0 : launch->place == 0;
}

void tgb_launch_look(tgb_launch *launch)
{
    *launch = (tgb_launch){.size = 1, .speaks = true};
    read_environment(launch);
    if (launch->promised > 1)
        start_mpi(launch);
}

tg_status tgb_launch_start(tgb_launch *launch)
{
    if (!launch->started)
        start_mpi(launch);
    tgl_blas_set_threads(1);
    if (launch->size > 1 || launch->promised <= 1)
        return tg_success();
    return tg_fail(TG_BAD_INPUT,
                   "alone under a launcher that promised %d ranks; expected the launcher of this "
                   "MPI library, %s",
                   launch->promised, TGB_MPIEXEC);
}

static void nap(long milliseconds)
{
    const struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* MPICH before 4.2 (its pull request 6596) has each rank confirm in MPI_Finalize that UCX delivered
 * what it sent, then wait for all ranks without answering the others. A rank whose own messages were
 * confirmed by ranks still in an MPI call leaves those unanswered for ever; so it is with a connection
 * that carried messages one way only. So each rank first hears from each other one: then all
 * connections stand both ways, and all ranks have come here, which they leave within far less than
 * the nap. Of 200 starts on 4 hosts none hung so, of 40 with a barrier in its place 5. */
static void finalize(int rank, int ranks)
{
#if defined MPICH_NUMVERSION && MPICH_NUMVERSION < 40200000
    for (int i = 1; i < ranks; i++) {
        int heard;
        MPI_Sendrecv(&rank, 1, MPI_INT, (rank + i) % ranks, 0, &heard, 1, MPI_INT,
                     (rank + ranks - i) % ranks, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    }
    if (ranks > 1)
        nap(100);
#endif
    (void)rank;
    (void)ranks;
    MPI_Finalize();
}

void tgb_launch_end(const tgb_launch *launch)
{
    if (!launch->speaks && launch->size == 1)
        nap(1000); /* lone ranks: a launcher ends all when one leaves with an error */
    if (launch->started)
        finalize(launch->rank, launch->size);
}

int tgb_complain(const tgb_launch *launch, tg_status status)
{
    if (launch->speaks)
        fprintf(stderr, "tgbench: %s\n", status.text);
    fflush(stderr);
    return TGB_BAD_WORDS;
}

/* ---- options ---- */

error_t tgb_keep(tgb_words *words, tg_status status)
{
    if (words->status.code == TG_OK)
        words->status = status;
    return words->status.code == TG_OK ? 0 : EINVAL;
}

error_t tgb_common_option(int key, char *text, struct argp_state *state)
{
    tgb_words *words = state->input;
    (void)text;
    if (key == TGB_HELP) {
        words->help = true;
        return 0;
    }
    if (key == ARGP_KEY_ERROR && words->status.code == TG_OK)
        words->status =
            tg_fail(TG_BAD_INPUT,
                    "option '%.60s' is unknown, or has no value or one too many; expected those of "
                    "tgbench %s --help",
                    state->argv[state->next - 1], state->argv[0]);
    return ARGP_ERR_UNKNOWN;
}

tg_status tgb_parse_options(const struct argp *rows, int argc, char **argv, tgb_words *words)
{
    const unsigned flags = ARGP_NO_ERRS | ARGP_NO_EXIT | ARGP_NO_HELP;
    words->status = tg_success();
    if (argp_parse(rows, argc, argv, flags, NULL, words) != 0 && words->status.code == TG_OK)
        words->status =
            tg_fail(TG_BAD_INPUT, "wrong words; expected those of tgbench %s --help", argv[0]);
    return words->status;
}

int tgb_show_help(const tgb_launch *launch, const struct argp *rows, const char *verb)
{
    char name[32];
    snprintf(name, sizeof name, "tgbench %s", verb);
    if (launch->speaks)
        argp_help(rows, stdout, ARGP_HELP_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC, name);
    return TGB_GOOD;
}

/* ---- verbs ---- */

static const struct {
    const char *name, *summary;
    int (*run)(tgb_launch *launch, int argc, char **argv);
} verbs[] = {
    {"list", "[--json or --markdown]   operations: algorithms, types, directions, keys", tgb_list},
    {"check", "CASE...                 values and adjoint of each case, all algorithms", tgb_check},
    {"time", "CASE... | --cells FILE   measure, and write rows", tgb_time},
    {"train", "NETWORK                 a network of layers learns the classes of images",
     tgb_train},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

static int show_usage(const tgb_launch *launch)
{
    if (!launch->speaks)
        return TGB_GOOD;
    puts(
        "usage: tgbench VERB ...\n"
        "Checks and times linear operators of model parallelism and layers made of them, under the "
        "launcher of its MPI library.\n");
    for (int i = 0; i < VERBS; i++)
        printf("  tgbench %-6s %s\n", verbs[i].name, verbs[i].summary);
    puts("\ntgbench VERB --help shows the options of a verb; tgbench --version the version.\n"
         "A case is one line of text, for example: \"broadcast shape=1024x1024 from=1x1 to=1xPc\"");
    return TGB_GOOD;
}

/* Under a launcher that promised ranks this shows that they find each other: the driver tries it so. */
static int show_version(tgb_launch *launch)
{
    const tg_status status = launch->promised > 1 ? tgb_launch_start(launch) : tg_success();
    if (status.code != TG_OK)
        return tgb_complain(launch, status);
    if (launch->speaks)
        printf("tgbench %s\n", TGB_VERSION);
    return TGB_GOOD;
}

static int run_verb(tgb_launch *launch, int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : NULL;
    for (int i = 0; verb && i < VERBS; i++)
        if (strcmp(verbs[i].name, verb) == 0)
            return verbs[i].run(launch, argc - 1, argv + 1);
    if (verb && strcmp(verb, "--help") == 0)
        return show_usage(launch);
    if (verb && strcmp(verb, "--version") == 0)
        return show_version(launch);
    return tgb_complain(
        launch,
        verb ? tg_fail(TG_BAD_INPUT,
                       "verb '%.60s' is unknown; expected list, check, time, train, --help or "
                       "--version",
                       verb)
             : tg_fail(TG_BAD_INPUT, "no verb; expected list, check, time, train, --help or "
                                     "--version"));
}

int main(int argc, char **argv)
{
    tgb_launch launch;
    tgb_phase_enter(TGB_PHASE_START);
    tgb_launch_look(&launch);
    int status = run_verb(&launch, argc, argv);
    if (fflush(stdout) != 0 && status == TGB_GOOD)
        status = tgb_complain(&launch,
                              tg_fail(TG_BAD_INPUT, "standard output: %s; expected it to take text",
                                      strerror(errno)));
    tgb_launch_end(&launch);
    return status;
}
