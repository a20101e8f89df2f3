/* layer.h: what stands behind a tgl_layer; for the files of this room only.
 *
 * A layer's own struct begins with a tgl_layer, so that a pointer to the one is a pointer to the
 * other. */
#ifndef TGL_LAYER_H
#define TGL_LAYER_H

#include "layers/layers.h"

/* What every layer can do: the functions of layers.h with the same names. */
typedef struct {
    void (*forward)(tgl_layer *layer, const void *x, void *y);
    void (*backward)(tgl_layer *layer, const void *x, const void *dy, void *dx);
    void (*free)(tgl_layer *layer); /* of everything, the struct included */
    void (*fill)(tgl_layer *layer, uint64_t seed, void *x, void *dy);
    ptrdiff_t (*count_wrong_forward)(const tgl_layer *layer, uint64_t seed, const void *y);
    ptrdiff_t (*count_wrong_backward)(const tgl_layer *layer, uint64_t seed, const void *dx);
} tgl_methods;

struct tgl_layer {
    const tgl_methods *methods;
    const tgl_parameter *parameters; /* of this rank; parameter_count of them */
    int parameter_count;
    double flops_forward, flops_backward; /* of this rank, in one call */
};

#endif
