/* places.h: which ranks run where, put together along trees: alike ranks become one run on the way,
 * so that what arrives at rank 0 grows with the nodes and not with the ranks. */
#ifndef TGB_PLACES_H
#define TGB_PLACES_H

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>

/* `count` ranks of a node: rank, rank + rank_step, ... The binding is the list of CPUs of all of
 * them; with a cpu_step it is one CPU, and that of the next one is cpu_step further. */
typedef struct {
    int rank, rank_step, count, cpu_step;
    char binding[124]; /* cut off where there are very many pieces */
} tgb_run;

/* Bytes that grow. failed: there was no memory for some of them. */
typedef struct {
    void *at;
    size_t size;
    bool failed;
} tgb_bytes;

/* Calls: Local. Put the more behind the bytes. Those of runs join what belongs together. */
typedef void tgb_join_fn(tgb_bytes *bytes, const void *more, size_t size);
tgb_join_fn tgb_join_bytes;
tgb_join_fn tgb_join_runs;

/* Calls: Collective on comm. Along a binomial tree, ceil(log2 P) messages at most for each rank:
 * what all ranks have, in the order of ranks, on rank 0, which has failed set when another has. The
 * others are left with nothing. */
void tgb_gather_bytes(MPI_Comm comm, tgb_join_fn *join, tgb_bytes *bytes);

/* Calls: Local. The binding of the i-th rank of a run. */
void tgb_run_binding(const tgb_run *run, int i, char *text, size_t size);

#endif
