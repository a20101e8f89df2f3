/* kernel.c: the rows of convolution kernels, and the choice among them.
 *
 * `auto` takes the first row that accepts the type and the extents. */
#include "layers/kernel.h"

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

tg_status tgl_conv_known(const char *name)
{
    char names[TG_STATUS_TEXT / 2] = "auto";
    bool known = strcmp(name, "auto") == 0;
    for (const tgl_conv_kernel *const *row = kernels; *row; row++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, ", %s", (*row)->name);
        known = known || strcmp((*row)->name, name) == 0;
    }
    return known ? tg_success()
                 : tg_fail(TG_BAD_INPUT, "kernels=%.40s is unknown here; expected %s", name, names);
}

tg_status tgl_conv_plan(const tgl_conv_shape *shape, const tg_dtype *dtype, const char *name,
                        tgl_conv **conv)
{
    tgl_conv *made = *conv = NULL;
    tg_status status = tgl_conv_known(name);
    if (status.code != TG_OK)
        return status;
    made = calloc(1, sizeof *made);
    status = tg_fail(TG_NO_MEMORY, "no memory for a convolution");
    for (const tgl_conv_kernel *const *row = kernels; made && *row; row++) {
        if (strcmp(name, "auto") != 0 && strcmp(name, (*row)->name) != 0)
            continue;
        *made = (tgl_conv){.kernel = *row, .shape = *shape, .dtype = dtype};
        status = (*row)->plan(made);
        if (status.code != TG_BAD_INPUT)
            break;
    }
    if (status.code == TG_OK)
        *conv = made;
    else
        free(made);
    return status;
}

void tgl_conv_forward(tgl_conv *conv, const void *x, const void *w, const void *bias, void *y)
{
    conv->kernel->forward(conv, x, w, bias, y);
}

void tgl_conv_backward_data(tgl_conv *conv, const void *dy, const void *w, void *dx)
{
    conv->kernel->backward_data(conv, dy, w, dx);
}

void tgl_conv_backward_weights(tgl_conv *conv, const void *x, const void *dy, void *dw)
{
    conv->kernel->backward_weights(conv, x, dy, dw);
}

void tgl_conv_free(tgl_conv **conv)
{
    if (*conv)
        (*conv)->kernel->free(*conv);
    free(*conv);
    *conv = NULL;
}
