/* submit_script.h: the text of a batch script of Slurm that runs a campaign. */
#ifndef TGD_SUBMIT_SCRIPT_H
#define TGD_SUBMIT_SCRIPT_H

#include "driver/text.h"

#include <stdio.h>

typedef struct {
    const char *name; /* of the campaign */
    long nodes, ranks_per_node;
    double time_s;          /* limit of the job */
    const tgd_words *lines; /* more options of sbatch, such as --account=NAME, of letters that mean
                                nothing there */
    const char *program;    /* tensorgauge; any text, as output and run */
    const char *output;     /* run folders are made in its folder job-ID */
    const tgd_words *run;   /* the words of `tensorgauge run` */
} tgd_job;

/* Calls: Local. */
void tgd_job_write(const tgd_job *job, FILE *out);

#endif
