/* allocation.h: whether a user's launcher can start what is asked for, looked at before anything is
 * started or written. */
#ifndef TGD_ALLOCATION_H
#define TGD_ALLOCATION_H

#include "driver/text.h"

/* Calls: Local. A file of hosts among the words of mpirun or mpiexec has to name one.
 * Errors: TG_BAD_INPUT. */
tg_status tgd_check_hostfile(const tgd_words *launcher);

/* Calls: Local. `srun` needs an allocation with a CPU for each rank: outside of one it would wait
 * in the queue for each launch, and in one that is too small no launch begins. Slurm's variables
 * say what there is; with --overcommit it is not for us to say. Other launchers: nothing.
 * Errors: TG_BAD_INPUT. */
tg_status tgd_check_allocation(const tgd_words *launcher, int ranks);

/* Calls: Local. The sum of a list like Slurm's SLURM_JOB_CPUS_PER_NODE, "4(x3),2", where no node
 * counts for more than `most` (0: no limit); -1: it is no such list. */
long tgd_allocation_sum(const char *list, long most);

#endif
