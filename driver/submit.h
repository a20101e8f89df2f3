/* submit.h: the verb submit. */
#ifndef TGD_SUBMIT_H
#define TGD_SUBMIT_H

/* Calls: Local. Writes a batch script of Slurm that runs a campaign; with --go gives it to sbatch.
 * Returns the exit status. */
int tgd_submit(int argc, char **argv);

#endif
