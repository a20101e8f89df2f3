/* launcher_slurm.c: srun. It needs an allocation with a CPU for each rank. Sources: srun(1) of Slurm
 * 22.05, also for the output environment variables; its --version says "slurm 22.05.8", Debian's
 * "slurm-wlm 22.05.8". Waiting ranks are the library's: Open MPI's are told whether to yield. */
#include "driver/launcher.h"

#include <stdlib.h>
#include <string.h>

static bool is(const char *answer)
{
    return tgd_begins(answer, "slurm ") || tgd_begins(answer, "slurm-wlm ");
}

/* The sum of a list like SLURM_JOB_CPUS_PER_NODE, "4(x3),2", where no node counts for more than
 * `most` (0: no limit); -1: it is no such list. */
static long sum_of(const char *list, long most)
{
    long sum = 0;
    for (const char *at = list; *at;) {
        char *end;
        long each = strtol(at, &end, 10), times = 1;
        if (end == at || each < 1)
            return -1;
        at = end;
        if (tgd_begins(at, "(x")) {
            times = strtol(at + 2, &end, 10);
            if (end == at + 2 || *end != ')' || times < 1)
                return -1;
            at = end + 1;
        }
        if (*at != '\0' && *at != ',')
            return -1;
        at += *at == ',';
        sum += times * (most > 0 && each > most ? most : each);
    }
    return sum > 0 ? sum : -1;
}

/* The most ranks that the words allow on a node; 0: they do not say. */
static long ranks_per_node(const tgd_words *launcher)
{
    static const char option[] = "--ntasks-per-node=";
    long most = 0;
    for (int i = 1; i < launcher->count; i++)
        if (tgd_begins(launcher->word[i], option))
            most = strtol(launcher->word[i] + strlen(option), NULL, 10);
    return most;
}

/* Outside of an allocation srun would wait in the queue for each launch, and in one that is too small
 * no launch begins. With --overcommit it is not for us to say. */
static tg_status check_room(const tgd_words *launcher, int ranks)
{
    const char *job = getenv("SLURM_JOB_ID"), *cpus = getenv("SLURM_JOB_CPUS_PER_NODE");
    if (!job)
        return tg_fail(TG_BAD_INPUT,
                       "launcher srun: this is no allocation, for SLURM_JOB_ID is not "
                       "set; expected to run in salloc or in a script for sbatch");
    if (!cpus || tgd_words_have(launcher, "--overcommit") || tgd_words_have(launcher, "-O"))
        return tg_success();
    const long room = sum_of(cpus, ranks_per_node(launcher));
    return room < 0 || ranks <= room
               ? tg_success()
               : tg_fail(TG_BAD_INPUT,
                         "launcher srun: %d ranks are asked for, and allocation %.20s has room for "
                         "%ld (CPUs of its nodes: %.60s); expected fewer ranks, a larger "
                         "allocation, or --oversubscribe",
                         ranks, job, room, cpus);
}

const tgd_launcher_row tgd_launcher_slurm = {
    .name = "Slurm",
    .is = is,
    .ranks = "-n",
    .place = {{"--cpu-bind=cores", "OMPI_MCA_mpi_yield_when_idle=0"},
              {"--cpu-bind=threads", "OMPI_MCA_mpi_yield_when_idle=0"},
              {"--cpu-bind=none", "OMPI_MCA_mpi_yield_when_idle=1"}},
    .binding = "SLURM_CPU_BIND",
    .oversubscribe = {"--overcommit", ""},
    .no_slots = {"More processors requested than permitted",
                 "Requested node configuration is not available"},
    .remedy = "fewer ranks, a larger allocation, or --oversubscribe",
    .check_room = check_room,
};
