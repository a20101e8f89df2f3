/* submit_script.c: the text of a batch script. Some time before its end the job asks the run to finish
 * the cell in flight, queues itself again and goes on with the same run folder. Texts of users stand
 * in single quotes. Source: sbatch(1), scontrol(1), bash(1). */
#include "driver/submit_script.h"

#include <math.h>

/* How long before its end the job is told, at most: a cell and the end of a launch take less. */
static const double lead_s = 120;

/* A word for the shell: in single quotes, in which nothing means anything but their end. */
static void put_quoted(const char *word, FILE *out)
{
    fputc('\'', out);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", out);
        else
            fputc(*word, out);
    fputc('\'', out);
}

static void put_head(const tgd_job *job, FILE *out)
{
    const long minutes = lround(ceil(job->time_s / 60));
    fprintf(out,
            "#!/bin/bash\n"
            "# A job of Slurm that runs a campaign of Tensorgauge, made by tensorgauge submit.\n"
            "#SBATCH --job-name=tensorgauge-%s\n"
            "#SBATCH --nodes=%ld\n"
            "#SBATCH --ntasks-per-node=%ld\n"
            "#SBATCH --exclusive\n"
            "#SBATCH --time=%ld:%02ld:00\n"
            "#SBATCH --signal=B:USR1@%.0f\n"
            "#SBATCH --requeue\n"
            "#SBATCH --open-mode=append\n",
            job->name, job->nodes, job->ranks_per_node, minutes / 60, minutes % 60,
            fmin(lead_s, floor(job->time_s / 4)));
    for (int i = 0; i < job->lines->count; i++)
        fprintf(out, "#SBATCH %s\n", job->lines->word[i]);
}

static const char body[] =
    "\n"
    "# A job that was queued again goes on with the run that it has begun.\n"
    "for run in \"$output\"/*/run.json; do\n"
    "    [ -e \"$run\" ] && words=(--resume \"${run%/run.json}\")\n"
    "done\n"
    "\n"
    "# Slurm's signal before the end: the run finishes the cell in flight.\n"
    "# When none was done at all, another job of this length would do no better.\n"
    "count() { cat \"$output\"/*/cells.csv 2>/dev/null | wc -l; }\n"
    "before=$(count)\n"
    "stopped=no\n"
    "trap 'stopped=yes; kill -USR1 \"$child\"' USR1\n"
    "\"$program\" run \"${words[@]}\" &\n"
    "child=$!\n"
    "while :; do\n"
    "    wait \"$child\"\n"
    "    status=$?\n"
    "    [ $status -gt 128 ] && kill -0 \"$child\" 2>/dev/null || break\n"
    "done\n"
    "case $stopped:$status in\n"
    "yes:3 | yes:138)\n"
    "    if [ \"$(count)\" -gt \"$before\" ]; then\n"
    "        scontrol requeue \"$SLURM_JOB_ID\"\n"
    "    else\n"
    "        echo \"not queued again: no cell was done in the time of the job\" >&2\n"
    "    fi\n"
    "    ;;\n"
    "esac\n"
    "exit $status\n";

void tgd_job_write(const tgd_job *job, FILE *out)
{
    put_head(job, out);
    fputs("\nprogram=", out);
    put_quoted(job->program, out);
    fputs("\noutput=", out);
    put_quoted(job->output, out);
    fputs("/job-${SLURM_JOB_ID:?expected a job of Slurm}\nwords=(--output \"$output\"", out);
    for (int i = 0; i < job->run->count; i++) {
        fputc(' ', out);
        put_quoted(job->run->word[i], out);
    }
    fputs(")\n", out);
    fputs(body, out);
}
