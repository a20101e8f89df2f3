/* allocation.c: Slurm's allocation and files of hosts. Source of the variables: the manual page
 * srun(1), "output environment variables", of Slurm 22.05. */
#include "driver/allocation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool begins(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* ---- files of hosts ---- */

static bool names_a_host(const char *text)
{
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        line += strspn(line, " \t\r");
        if (!strchr("#\n", *line))
            return true;
    }
    return false;
}

tg_status tgd_check_hostfile(const tgd_words *launcher)
{
    static const char *const options[] = {"--hostfile",   "-hostfile", "--machinefile",
                                          "-machinefile", "-f",        "--default-hostfile"};
    const char *program = base_of(launcher->word[0]);
    tg_status status = tg_success();
    if (!begins(program, "mpirun") && !begins(program, "mpiexec"))
        return status;
    for (int i = 1; i + 1 < launcher->count && status.code == TG_OK; i++) {
        bool is_option = false;
        for (size_t k = 0; k < sizeof options / sizeof *options; k++)
            is_option = is_option || strcmp(launcher->word[i], options[k]) == 0;
        if (!is_option)
            continue;
        const char *path = launcher->word[i + 1];
        char *text = tgd_read_file(path);
        if (!text)
            status = tg_fail(TG_BAD_INPUT, "launcher %.20s '%.120s': %s; expected a file of hosts",
                             launcher->word[i], path, strerror(errno));
        else if (!names_a_host(text))
            status = tg_fail(TG_BAD_INPUT,
                             "launcher %.20s '%.120s' names no host; expected one in each line",
                             launcher->word[i], path);
        free(text);
    }
    return status;
}

/* ---- Slurm ---- */

long tgd_allocation_sum(const char *list, long most)
{
    long sum = 0;
    for (const char *at = list; *at;) {
        char *end;
        long each = strtol(at, &end, 10), times = 1;
        if (end == at || each < 1)
            return -1;
        at = end;
        if (begins(at, "(x")) {
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
        if (begins(launcher->word[i], option))
            most = strtol(launcher->word[i] + strlen(option), NULL, 10);
    return most;
}

tg_status tgd_check_allocation(const tgd_words *launcher, int ranks)
{
    if (strcmp(base_of(launcher->word[0]), "srun") != 0)
        return tg_success();
    const char *job = getenv("SLURM_JOB_ID"), *cpus = getenv("SLURM_JOB_CPUS_PER_NODE");
    if (!job)
        return tg_fail(TG_BAD_INPUT,
                       "launcher srun: this is no allocation, for SLURM_JOB_ID is not "
                       "set; expected to run in salloc or in a script for sbatch");
    if (!cpus || tgd_words_have(launcher, "--overcommit") || tgd_words_have(launcher, "-O"))
        return tg_success();
    const long room = tgd_allocation_sum(cpus, ranks_per_node(launcher));
    return room < 0 || ranks <= room
               ? tg_success()
               : tg_fail(TG_BAD_INPUT,
                         "launcher srun: %d ranks are asked for, and allocation %.20s has room for "
                         "%ld (CPUs of its nodes: %.60s); expected fewer ranks, or a larger "
                         "allocation",
                         ranks, job, room, cpus);
}
