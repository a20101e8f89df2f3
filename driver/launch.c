/* launch.c: words and environment of a launch. One row for each MPI family and way of placing
 * ranks. Facts about the launchers: Open MPI yields by itself only when it knows that it is
 * oversubscribed, and binds by itself only up to 2 ranks; OpenBLAS starts as many threads as the
 * mask has CPUs. So all three are always said. */
#include "driver/launch.h"

#include "driver/allocation.h"
#include "driver/paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How ranks meet cores. */
typedef enum { ON_CORES, ON_THREADS, CROWDED, PLACES } place;

static const struct {
    const char *family;
    const char *binding; /* variable by which a user chooses the binding; then no words of ours */
    const char *words[PLACES];
    const char *environment[PLACES];
} families[] = {
    {"openmpi",
     "OMPI_MCA_hwloc_base_binding_policy",
     {"--bind-to core", "--use-hwthread-cpus --bind-to hwthread", "--bind-to none"},
     {"OMPI_MCA_mpi_yield_when_idle=0", "OMPI_MCA_mpi_yield_when_idle=0",
      "OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_rmaps_base_oversubscribe=1"}},
    {"mpich",
     "HYDRA_BINDING",
     {"-bind-to core", "-bind-to hwthread", "-bind-to none"},
     {"", "", ""}},
    {"", "", {"", "", ""}, {"", "", ""}}, /* any other */
};

static int family_of(const tgd_bench *bench)
{
    const char *name = tgd_bench_build(bench, "mpi_family");
    int i = 0;
    while (*families[i].family && strcmp(families[i].family, name) != 0)
        i++;
    return i;
}

tg_status tgd_launcher_make(const tgd_bench *bench, const tgd_machine *machine,
                            const char *launcher, tgd_launcher *made)
{
    *made = (tgd_launcher){.bench = bench, .machine = machine, .is_users = launcher != NULL};
    if (bench->loader) {
        tgd_words_add(&made->words, bench->loader);
    } else if (launcher) {
        tgd_words_split(&made->words, launcher);
    } else {
        const char *mpiexec = tgd_bench_build(bench, "mpiexec");
        tgd_words_add(&made->words, *mpiexec ? mpiexec : "mpiexec");
    }
    char *path = made->words.count > 0 ? tgd_find_program(made->words.word[0]) : NULL;
    if (!path) {
        const tg_status status =
            tg_fail(TG_BAD_INPUT, "launcher '%.100s' is not found; expected a program, such as %s",
                    made->words.count > 0 ? made->words.word[0] : "", "mpiexec or srun");
        tgd_launcher_free(made);
        return status;
    }
    free(path);
    if (launcher) {
        const tg_status status = tgd_check_hostfile(&made->words);
        if (status.code != TG_OK) {
            tgd_launcher_free(made);
            return status;
        }
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
}

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

void tgd_launch_words(const tgd_launcher *l, int ranks, tgd_words *words, tgd_words *environment)
{
    const tgd_machine *m = l->machine;
    const place where = ranks <= m->cores ? ON_CORES : ranks <= m->cpus ? ON_THREADS : CROWDED;
    const int family = family_of(l->bench);
    *words = *environment = (tgd_words){NULL, 0};
    for (int i = 0; i < l->words.count && !l->bench->loader; i++)
        tgd_words_add(words, l->words.word[i]);
    if (!l->bench->loader) {
        char count[16];
        snprintf(count, sizeof count, "%d", ranks);
        tgd_words_add(words, "-n");
        tgd_words_add(words, count);
    }
    if (!l->is_users) { /* a user's launcher may reach machines whose cores are not known here */
        if (!getenv(families[family].binding))
            tgd_words_split(words, families[family].words[where]);
        add_variables(environment, families[family].environment[where]);
    }
    if (geteuid() == 0 && strcmp(families[family].family, "openmpi") == 0)
        add_variables(environment, "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1");
    add_variables(environment, "OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1");
    if (l->blas_core) {
        char *core = tgd_format("OPENBLAS_CORETYPE=%s", l->blas_core);
        add_variable(environment, core);
        free(core);
    }
    tgd_bench_words(l->bench, ranks, words);
}
