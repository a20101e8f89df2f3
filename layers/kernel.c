/* kernel.c: the rows of kernels, and the choice among them.
 *
 * `auto` takes the first row that can do it; for a convolution, that every rank's block can be done
 * with. */
#include "layers/kernel.h"
#include "layers/layers.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const tgl_conv_kernel *const kernels[] = {
#ifdef TENSORGAUGE_ONEDNN
    &tgl_conv_onednn,
#endif
    &tgl_conv_openblas, NULL};

ptrdiff_t tgl_conv_positions(const tgl_conv_shape *shape)
{
    return shape->output[0] * shape->output[1] * shape->output[2];
}

ptrdiff_t tgl_conv_terms(const tgl_conv_shape *shape)
{
    return shape->in / shape->groups * shape->kernel[0] * shape->kernel[1] * shape->kernel[2];
}

static bool is_meant(const tgl_conv_kernel *row, const char *name)
{
    return strcmp(name, "auto") == 0 || strcmp(name, row->name) == 0;
}

const char *tgl_kernels_at(int index)
{
    const int count = (int)(sizeof kernels / sizeof *kernels) - 1;
    return index == 0 ? "auto" : index <= count ? kernels[index - 1]->name : NULL;
}

tg_status tgl_conv_known(const char *name)
{
    char names[TG_STATUS_TEXT / 2] = "";
    const char *known;
    for (int i = 0; (known = tgl_kernels_at(i)); i++) {
        const size_t used = strlen(names);
        if (strcmp(known, name) == 0)
            return tg_success();
        snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", known);
    }
    return tg_fail(TG_BAD_INPUT, "kernels=%.40s is unknown here; expected %s", name, names);
}

/* With nothing to multiply there is nothing to be fast at: the row that takes every extent does it. */
static bool is_empty(const tgl_conv_shape *s)
{
    return s->batch * s->out * tgl_conv_positions(s) == 0 || s->in * tgl_conv_terms(s) == 0 ||
           s->input[0] * s->input[1] * s->input[2] == 0;
}

static tg_status plan_with(const tgl_conv_kernel *row, const tgl_conv_shape *shape,
                           const tg_dtype *dtype, tgl_conv **conv)
{
    *conv = calloc(1, sizeof **conv);
    if (!*conv)
        return tg_fail(TG_NO_MEMORY, "no memory for a convolution");
    **conv = (tgl_conv){.kernel = is_empty(shape) ? &tgl_conv_openblas : row,
                        .shape = *shape,
                        .dtype = dtype,
                        .version = 1};
    tg_status status = (*conv)->kernel->plan(*conv);
    if (status.code != TG_OK) {
        free(*conv);
        *conv = NULL;
    }
    return status;
}

tg_status tgl_conv_plan(MPI_Comm comm, const tgl_conv_shape *shape, const tg_dtype *dtype,
                        const char *name, const char **chosen, tgl_conv **conv)
{
    *conv = NULL;
    *chosen = NULL;
    tg_status status = tg_agree(comm, tgl_conv_known(name));
    bool more = status.code == TG_OK;
    for (const tgl_conv_kernel *const *row = kernels; more && *row; row++) {
        if (!is_meant(*row, name))
            continue;
        status = tg_agree(comm, shape ? plan_with(*row, shape, dtype, conv) : tg_success());
        if (status.code == TG_OK)
            *chosen = (*row)->name;
        else
            tgl_conv_free(conv);
        more = status.code == TG_BAD_INPUT;
    }
    return status;
}

tg_status tgl_gemm_choose(const char *name, const tg_dtype *dtype, const tgl_conv_kernel **chosen,
                          tgl_gemm **gemm)
{
    tg_status status = tgl_conv_known(name);
    *chosen = NULL;
    *gemm = NULL;
    for (const tgl_conv_kernel *const *row = kernels;
         status.code == TG_OK && *row && dtype && !*gemm; row++) {
        if (is_meant(*row, name)) {
            *chosen = *row;
            *gemm = (*row)->gemm(dtype);
        }
    }
    if (status.code != TG_OK || *gemm)
        return status;
    if (dtype && tgl_gemm_find(dtype))
        return tg_fail(TG_BAD_INPUT,
                       "kernels=%s: no product of matrices for dtype=%s; expected auto", name,
                       dtype->name);
    return tg_fail(TG_BAD_INPUT, "dtype: %s; expected f32 or f64", dtype ? dtype->name : "none");
}

bool tgl_multiply(const char *name, const tg_dtype *dtype, ptrdiff_t n, const void *a,
                  const void *b, void *c)
{
    const tgl_conv_kernel *chosen;
    tgl_gemm *gemm;
    if (!tgl_blas_fits(n) || tgl_gemm_choose(name, dtype, &chosen, &gemm).code != TG_OK)
        return false;
    gemm(n, n, n, (tgl_factor){.data = a}, (tgl_factor){.data = b}, false, c, 0);
    return true;
}

const char *tgl_kernels_library(void)
{
    return kernels[0]->library();
}

int tgl_conv_block(const char *name, const tg_dtype *dtype)
{
    const tgl_conv_kernel *const *row = kernels;
    while (*row && !is_meant(*row, name))
        row++;
    return *row ? (*row)->block(dtype) : 0;
}

void tgl_weights_check(tgl_weights_seen *seen, long version, const void *w, ptrdiff_t size)
{
#ifndef NDEBUG
    const unsigned char *bytes = w;
    uint32_t sum = 1;
    for (ptrdiff_t i = 0; i < size; i++)
        sum = sum * 31 + bytes[i];
    assert(seen->version != version || seen->checksum == sum);
    *seen = (tgl_weights_seen){version, sum};
#else
    (void)seen;
    (void)version;
    (void)w;
    (void)size;
#endif
}

static void check_weights(tgl_conv *conv, const void *w)
{
    tgl_weights_check(&conv->seen, conv->version, w,
                      conv->shape.out * tgl_conv_terms(&conv->shape) *
                          (ptrdiff_t)conv->dtype->size);
}

void tgl_conv_forward(tgl_conv *conv, const void *x, const void *w, const void *bias, void *y)
{
    check_weights(conv, w);
    conv->kernel->forward(conv, x, w, bias, y);
}

void tgl_conv_bring(tgl_conv *conv, const void *x, const void *w)
{
    check_weights(conv, w);
    if (conv->kernel->bring)
        conv->kernel->bring(conv, x, w);
}

void tgl_conv_backward_data(tgl_conv *conv, const void *dy, const void *w, void *dx)
{
    conv->kernel->backward_data(conv, dy, w, dx);
}

void tgl_conv_backward_weights(tgl_conv *conv, const void *x, const void *dy, void *dw, void *db)
{
    conv->kernel->backward_weights(conv, x, dy, dw, db);
}

void tgl_conv_free(tgl_conv **conv)
{
    if (*conv)
        (*conv)->kernel->release(*conv);
    free(*conv);
    *conv = NULL;
}
