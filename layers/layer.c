/* layer.c: the functions that every layer answers, and the list of layers.
 *
 * Each call goes to the layer's own function; there is nothing to choose here. */
#include "layers/layer.h"

#define TGL_LAYER(name) &tgl_##name,
const tgl_kind *const tgl_kinds[] = {
#include "layers/table.def"
    NULL};

void tgl_forward(tgl_layer *layer, const void *x, void *y)
{
    layer->methods->forward(layer, x, y);
}

void tgl_backward(tgl_layer *layer, const void *x, const void *dy, void *dx)
{
    layer->methods->backward(layer, x, dy, dx);
}

void tgl_free(tgl_layer **layer)
{
    if (*layer)
        (*layer)->methods->free(*layer);
    *layer = NULL;
}

double tgl_flops_forward(const tgl_layer *layer)
{
    return layer->flops_forward;
}

double tgl_flops_backward(const tgl_layer *layer)
{
    return layer->flops_backward;
}

const tgl_parameter *tgl_parameter_at(const tgl_layer *layer, int index)
{
    return index >= 0 && index < layer->parameter_count ? &layer->parameters[index] : NULL;
}

void tgl_fill(tgl_layer *layer, uint64_t seed, void *x, void *dy)
{
    layer->methods->fill(layer, seed, x, dy);
}

ptrdiff_t tgl_count_wrong_forward(const tgl_layer *layer, uint64_t seed, const void *y)
{
    return layer->methods->count_wrong_forward(layer, seed, y);
}

ptrdiff_t tgl_count_wrong_backward(const tgl_layer *layer, uint64_t seed, const void *dx)
{
    return layer->methods->count_wrong_backward(layer, seed, dx);
}
