/* affine.c: the layer y = x W^T + b with its weights on a grid of parts_out x parts_in ranks, once for
 * each part of the batch.
 *
 *   forward   x is copied to the parts of the outputs, weights and bias to those of the batch; each
 *             rank multiplies its block of W; the partial y (b added by the first part of the inputs
 *             only) are summed over the parts of the inputs.
 *   backward  the adjoints in reverse: dy is copied; dW = dy^T x and db are summed over the batch; the
 *             partial dx = dy W are summed over the parts of the outputs.
 *
 * The operators and the grid: affine.h. Source: Hewett and Grady, arXiv 2006.03108, section 4. */
#include "layers/affine.h"

#include <stdlib.h>
#include <string.h>

typedef tgl_affine_layer affine;

enum { WEIGHT, BIAS };

/* ---- x W^T ---- */

/* Weights that have changed since the last forward, as in training, are multiplied as they lie, for
 * packing them costs about as much as a product with 64 rows of x. From the second forward with the same
 * ones on they are packed: 1.2 times as fast with 64 rows, 2 with 16, not faster below 4 (oneDNN 2.6,
 * AVX-512, 1024 features).
 *
 * As they lie, rows that are a multiple of 4 KiB apart fall into the same sets of a first cache of usual
 * make, so that a product, which reads several rows of W at once, throws out what it needs next. The
 * more rows x has the less that matters, and a few rows are multiplied another way. In between W is
 * copied, a block at a time, to rows that lie a line further apart: 1.1 to 1.8 times as fast with
 * OpenBLAS 0.3.21 and oneDNN 2.6 on an AMD EPYC (16 to 128 rows, 1024 to 4096 features). */
enum { ALIAS = 4096, LINE = 64, LEAST_ROWS = 16, MOST_ROWS = 128, BLOCK_ROWS = 256 };
enum { PACKED_ROWS = 4 };

tg_status tgl_affine_plan_product(affine *a)
{
    const size_t size = a->dtype->size;
    if (a->packing && a->rows >= PACKED_ROWS && a->in > 0 && a->out > 0)
        a->packed = a->packing->plan(a->rows, a->in, a->out, a->adds_bias);
    if (a->rows < LEAST_ROWS || a->rows > MOST_ROWS || a->in == 0 || (size_t)a->in * size % ALIAS)
        return tg_success();
    a->block = malloc((size_t)BLOCK_ROWS * (ALIAS + LINE));
    return a->block ? tg_success()
                    : tg_fail(TG_NO_MEMORY, "no memory for a block of %d rows of weights",
                              (int)BLOCK_ROWS);
}

/* y (+)= x W^T */
static void multiply_rows(const affine *a, const void *x, const void *w, bool add, void *y)
{
    const ptrdiff_t size = (ptrdiff_t)a->dtype->size, width = ALIAS / size,
                    row = width + LINE / size;
    if (!a->block)
        a->gemm(a->rows, a->out, a->in, (tgl_factor){.data = x}, (tgl_factor){w, true, 0}, add, y,
                0);
    for (ptrdiff_t o = 0; a->block && o < a->out; o += BLOCK_ROWS) {
        const ptrdiff_t count = a->out - o < BLOCK_ROWS ? a->out - o : BLOCK_ROWS;
        for (ptrdiff_t i = 0; i < a->in; i += width) {
            for (ptrdiff_t r = 0; r < count; r++)
                memcpy((char *)a->block + r * row * size,
                       (const char *)w + ((o + r) * a->in + i) * size, (size_t)(width * size));
            a->gemm(a->rows, count, width, (tgl_factor){(const char *)x + i * size, false, a->in},
                    (tgl_factor){a->block, true, row}, add || i > 0, (char *)y + o * size, a->out);
        }
    }
}

/* ---- forward and backward ---- */

static const void *weight_of(const affine *a)
{
    return a->copy_weight ? a->weight : a->parameter[WEIGHT].value;
}

static const void *bias_of(const affine *a)
{
    return a->copy_bias ? a->bias : a->parameter[BIAS].value;
}

static void put_bias_in_rows(const affine *a, void *y)
{
    size_t row_size = (size_t)a->out * a->dtype->size;
    for (ptrdiff_t n = 0; n < a->rows && row_size > 0; n++)
        memcpy((char *)y + (size_t)n * row_size, bias_of(a), row_size);
}

/* y = x W^T, + b where this rank adds it */
static void multiply(affine *a, const void *x, void *y)
{
    const bool again = a->multiplied == a->base.version;
    a->multiplied = a->base.version;
    tgl_weights_check(&a->seen, a->base.version, weight_of(a),
                      a->in * a->out * (ptrdiff_t)a->dtype->size);
    if (again && a->packed) {
        a->packing->forward(a->packed, a->base.version, x, weight_of(a), bias_of(a), y);
        return;
    }
    if (a->adds_bias)
        put_bias_in_rows(a, y);
    multiply_rows(a, x, weight_of(a), a->adds_bias, y);
}

static void forward(tgl_layer *layer, const void *x, void *y)
{
    affine *a = (affine *)layer;
    void *partial = a->sum ? a->y : y;
    tgl_op_apply(a->copy_x, x, a->x);
    tgl_op_apply(a->copy_weight, a->parameter[WEIGHT].value, a->weight);
    tgl_op_apply(a->copy_bias, a->parameter[BIAS].value, a->bias);
    multiply(a, a->copy_x ? a->x : x, partial);
    tgl_op_apply(a->sum, a->y, y);
}

static void sum_rows(const affine *a, const void *dy, void *gradient)
{
    size_t row_size = (size_t)a->out * a->dtype->size;
    memset(gradient, 0, row_size);
    for (ptrdiff_t n = 0; n < a->rows && row_size > 0; n++)
        a->dtype->add(gradient, (const char *)dy + (size_t)n * row_size, a->out);
}

static void backward(tgl_layer *layer, const void *x, const void *dy, void *dx)
{
    affine *a = (affine *)layer;
    tgl_parameter *weight = &a->parameter[WEIGHT], *bias = &a->parameter[BIAS];
    const void *copy = a->copy_x ? a->x : x, *dy_copy = a->sum ? a->y : dy;
    tgl_op_apply_adjoint(a->sum, dy, a->y);
    a->gemm(a->out, a->in, a->rows, (tgl_factor){dy_copy, true, 0}, (tgl_factor){.data = copy},
            false, a->copy_weight ? a->dweight : weight->gradient, 0);
    if (a->adds_bias)
        sum_rows(a, dy_copy, a->copy_bias ? a->dbias : bias->gradient);
    if (!a->base.skips_dx) {
        a->gemm(a->rows, a->in, a->out, (tgl_factor){.data = dy_copy},
                (tgl_factor){.data = weight_of(a)}, false, a->copy_x ? a->dx : dx, 0);
        tgl_op_apply_adjoint(a->copy_x, a->dx, dx);
    }
    tgl_op_start_adjoint(a->copy_weight, a->dweight, weight->gradient);
    tgl_op_start_adjoint(a->copy_bias, a->dbias, bias->gradient);
}

static void finish(tgl_layer *layer)
{
    affine *a = (affine *)layer;
    tgl_op_finish(a->copy_weight);
    tgl_op_finish(a->copy_bias);
}

static void free_affine(tgl_layer *layer)
{
    affine *a = (affine *)layer;
    tg_op **ops[] = {&a->copy_x, &a->sum, &a->copy_weight, &a->copy_bias};
    void *buffers[] = {a->x, a->y, a->dx, a->block, a->weight, a->dweight, a->bias, a->dbias};
    if (a->packed)
        a->packing->release(a->packed);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        tg_free(ops[i]);
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        free(buffers[i]);
    for (int i = 0; i < 2; i++) {
        free(a->parameter[i].value);
        free(a->parameter[i].gradient);
    }
    free(a);
}

static const tgl_methods methods = {.forward = forward,
                                    .backward = backward,
                                    .finish = finish,
                                    .release = free_affine,
                                    .fill = tgl_affine_fill,
                                    .count_wrong_forward = tgl_affine_count_wrong_forward,
                                    .count_wrong_backward = tgl_affine_count_wrong_backward};

tg_status tgl_affine_plan(MPI_Comm comm, const tgl_affine_spec *spec, tgl_layer **layer)
{
    affine *a = calloc(1, sizeof *a);
    *layer = NULL;
    tg_status status =
        tg_agree(comm, a ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for an affine layer"));
    if (status.code != TG_OK) {
        free(a);
        return status;
    }
    a->base.methods = &methods;
    a->base.version = 1;
    status = tgl_affine_make(comm, spec, a);
    if (status.code == TG_OK)
        *layer = &a->base;
    else
        free_affine(&a->base);
    return status;
}
