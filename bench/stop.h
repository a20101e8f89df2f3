/* stop.h: an end that somebody asked for by a signal: after the cell in flight, on all ranks
 * together. */
#ifndef TGB_STOP_H
#define TGB_STOP_H

#include <stdbool.h>

/* Calls: Local. From now on the first SIGINT, SIGTERM or SIGUSR1 is kept for tgb_stop_asked, and
 * the second ends the process where it stands. Source: Open MPI's mpirun passes SIGUSR1 on to its
 * ranks and answers SIGINT and SIGTERM by ending them; MPICH's mpiexec and srun do so likewise. */
void tgb_stop_watch(void);

/* Calls: Collective on MPI_COMM_WORLD. Has a signal reached any rank? The same answer on all. */
bool tgb_stop_asked(void);

#endif
