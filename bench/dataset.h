/* dataset.h: images and their classes, for training: what of them a rank's buffers hold. */
#ifndef TGB_DATASET_H
#define TGB_DATASET_H

#include "bench/idx.h"
#include "layers/layers.h"

typedef struct {
    tgb_idx images, labels; /* n x rows x columns; n */
    double mean, deviation; /* of the training images' bytes */
    unsigned char classes;  /* the largest label + 1 */
} tgb_dataset;

/* Calls: Collective on comm. The files PREFIX-images-idx3-ubyte and PREFIX-labels-idx1-ubyte of a
 * folder, with .gz or without. Errors: the same on every rank; TG_BAD_INPUT names the file. */
tg_status tgb_dataset_read(MPI_Comm comm, const char *folder, const char *prefix,
                           tgb_dataset *dataset);
void tgb_dataset_free(tgb_dataset *dataset); /* Local */

/* Calls: Local. Images `chosen[0..batch)` into this rank's x of the first layer, less the mean and
 * over the deviation; their labels into the targets of the last one. */
void tgb_dataset_fill(const tgb_dataset *dataset, const tgb_dataset *scale, const ptrdiff_t *chosen,
                      tgl_network *network, int last, int rank);

/* Calls: Local. Do the network's images and classes fit? Errors: TG_BAD_INPUT. */
tg_status tgb_dataset_check(const tgb_dataset *dataset, const tgl_network *network, int last);

#endif
