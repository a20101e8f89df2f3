/* affine_oracle.c: are all entries of an affine layer's results right? Products of whole matrices are
 * checked by random vectors, so that every entry is looked at in less time than the layer takes. */
#include "layers/affine.h"
#include "layers/oracle.h"

typedef tgl_affine_layer affine;

enum { X, WEIGHT, BIAS, DY }; /* tensors of one seed */

/* The tensors of one seed, as matrices; terms of the longest sum decide how large the entries may
 * be. */
static tgl_pattern pattern_of(const affine *a, uint64_t seed, int tensor)
{
    ptrdiff_t terms = a->batch > a->features_in ? a->batch : a->features_in;
    int range = tgl_pattern_range(terms > a->features_out ? terms : a->features_out);
    bool is_in = tensor == X || tensor == WEIGHT;
    tgl_pattern pattern =
        tgl_pattern_make(seed, tensor, range, is_in ? a->features_in : a->features_out);
    if (tensor == BIAS)
        pattern.row = 0; /* every row of the batch gets the same */
    return pattern;
}

/* Axes `rows` and `columns` of a box as a block of a matrix. */
static tgl_block block_of(const affine *a, const tg_box *box, int rows, int columns,
                          const void *data)
{
    return (tgl_block){.dtype = a->dtype,
                       .row = box->lo[rows],
                       .rows = box->hi[rows] - box->lo[rows],
                       .column = box->lo[columns],
                       .columns = box->hi[columns] - box->lo[columns],
                       .data = (void *)data};
}

static tgl_block block_of_x(const affine *a, const void *x)
{
    return block_of(a, &a->x_box, 1, 2, x);
}

static tgl_block block_of_y(const affine *a, const void *y)
{
    return block_of(a, &a->y_box, 0, 1, y);
}

static tgl_block block_of_weight(const affine *a, const void *weight)
{
    return block_of(a, &a->parameter[0].box, 0, 1, weight);
}

static tgl_block block_of_bias(const affine *a, const void *bias)
{
    tgl_block block = block_of(a, &a->parameter[1].box, 0, 0, bias);
    block.row = 0;
    block.rows = 1;
    return block;
}

static void fill_block(const affine *a, uint64_t seed, int tensor, tgl_block block)
{
    tgl_pattern pattern = pattern_of(a, seed, tensor);
    tgl_pattern_fill(&pattern, &block);
}

void tgl_affine_fill(tgl_layer *layer, uint64_t seed, void *x, void *dy)
{
    const affine *a = (const affine *)layer;
    fill_block(a, seed, X, block_of_x(a, x));
    fill_block(a, seed, DY, block_of_y(a, dy));
    fill_block(a, seed, WEIGHT, block_of_weight(a, a->parameter[0].value));
    if (a->owns_bias)
        fill_block(a, seed, BIAS, block_of_bias(a, a->parameter[1].value));
}

ptrdiff_t tgl_affine_count_wrong_forward(const tgl_layer *layer, uint64_t seed, const void *y)
{
    const affine *a = (const affine *)layer;
    tgl_pattern x = pattern_of(a, seed, X), bias = pattern_of(a, seed, BIAS);
    tgl_pattern weight_t = tgl_pattern_transpose(pattern_of(a, seed, WEIGHT));
    tgl_block block = block_of_y(a, y);
    return tgl_count_wrong_product(&block, &x, &weight_t, a->features_in,
                                   a->has_bias ? &bias : NULL);
}

ptrdiff_t tgl_affine_count_wrong_backward(const tgl_layer *layer, uint64_t seed, const void *dx)
{
    const affine *a = (const affine *)layer;
    tgl_pattern x = pattern_of(a, seed, X), dy = pattern_of(a, seed, DY),
                weight = pattern_of(a, seed, WEIGHT);
    tgl_pattern dy_t = tgl_pattern_transpose(dy);
    tgl_pattern ones = {.offset = 1};
    tgl_block dx_block = block_of_x(a, dx), dw_block = block_of_weight(a, a->parameter[0].gradient);
    tgl_block db_block = block_of_bias(a, a->parameter[1].gradient);
    ptrdiff_t wrong_dx = tgl_count_wrong_product(&dx_block, &dy, &weight, a->features_out, NULL);
    ptrdiff_t wrong_dw = tgl_count_wrong_product(&dw_block, &dy_t, &x, a->batch, NULL);
    ptrdiff_t wrong_db =
        a->owns_bias ? tgl_count_wrong_product(&db_block, &ones, &dy, a->batch, NULL) : 0;
    return wrong_dx < 0 || wrong_dw < 0 || wrong_db < 0 ? -1 : wrong_dx + wrong_dw + wrong_db;
}
