/* checkpoint.h: the state of a training run in one file, whatever the ranks: head, then every tensor
 * that must be kept, whole and row-major, then a checksum. */
#ifndef TGB_CHECKPOINT_H
#define TGB_CHECKPOINT_H

#include "layers/layers.h"

typedef struct {
    long step; /* made so far */
    long seed, batch;
    const tgl_rule *rule;
    tgl_rates rates;
} tgb_checkpoint;

/* Calls: Collective on comm. The file is made new beside `path`, and renamed when it is whole, so that
 * an older one stays until then. Rank 0 holds one tensor at a time. Errors: the same on every rank;
 * TG_BAD_INPUT names the file. */
tg_status tgb_checkpoint_write(MPI_Comm comm, const char *path, const tgb_checkpoint *head,
                               const tgl_optimiser *optimiser);

/* Calls: Collective on comm. Reads the head, and looks at the checksum of the whole file. Errors: the
 * same on every rank; TG_BAD_INPUT names the file: missing, no checkpoint, truncated, changed. */
tg_status tgb_checkpoint_look(MPI_Comm comm, const char *path, tgb_checkpoint *head);

/* Calls: Collective on comm. Each rank gets its parts of the tensors. Errors: the same on every rank;
 * TG_BAD_INPUT: the tensors are those of another network. */
tg_status tgb_checkpoint_read(MPI_Comm comm, const char *path, tgl_optimiser *optimiser);

#endif
