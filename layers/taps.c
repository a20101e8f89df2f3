/* taps.c: the window of a convolution or a pooling; taps.h. The rule is that of the halo. */
#include "layers/taps.h"

tg_window tgl_taps_window(const tgl_taps *t, int d)
{
    return (tg_window){.kernel = t->kernel[d],
                       .stride = t->stride[d],
                       .padding = t->padding[d],
                       .dilation = t->dilation[d],
                       .ceil = t->ceil};
}

void tgl_taps_widen(const tgl_taps *t, tg_layout *layout)
{
    for (int d = 0; d < layout->ndim; d++)
        layout->axis[d].window = d < 2 ? (tg_window){.kernel = 1, .stride = 1, .dilation = 1}
                                       : tgl_taps_window(t, d - 2);
}

static tg_status find_outputs(tgl_taps *t)
{
    for (int d = 0; d < t->space; d++) {
        const tg_window window = tgl_taps_window(t, d);
        if (window.kernel < 1)
            return tg_fail(TG_BAD_INPUT, "kernel: %td on axis %d of space; expected 1 or more",
                           window.kernel, d);
        tg_status status = tg_window_check(&window, t->input[d], 2 + d);
        if (status.code != TG_OK)
            return status;
        t->output[d] = tg_window_outputs(&window, t->input[d]);
        if (t->output[d] < 1)
            return tg_fail(TG_BAD_INPUT, "kernel: %td does not fit %td entries of axis %d of space",
                           window.kernel, t->input[d], d);
    }
    return tg_success();
}

tg_status tgl_taps_read(const tgl_words *words, const tgl_key *keys, bool stride_is_kernel,
                        tgl_problem *problem, tgl_taps *t)
{
    tg_status status = tgl_word_tuple(words, keys, "kernel", t->space, 1, t->kernel, problem);
    if (status.code != TG_OK)
        return status;
    if (stride_is_kernel && !tgl_words_get(words, "stride"))
        status = tgl_word_tuple(&problem->words, keys, "kernel", t->space, 1, t->stride, problem);
    else
        status = tgl_word_tuple(words, keys, "stride", t->space, 1, t->stride, problem);
    if (status.code == TG_OK && !tgl_words_get(&problem->words, "stride"))
        status = tgl_words_set(&problem->words, "stride", tgl_words_get(&problem->words, "kernel"));
    if (status.code == TG_OK)
        status = tgl_word_tuple(words, keys, "padding", t->space, 0, t->padding, problem);
    if (status.code == TG_OK)
        status = tgl_word_tuple(words, keys, "dilation", t->space, 1, t->dilation, problem);
    return status.code == TG_OK ? find_outputs(t) : status;
}

void tgl_taps_shape(const tgl_taps *t, const tg_box *x, int first_x, const tg_box *y, int first_y,
                    tgl_conv_shape *shape)
{
    for (int d = 0; d < TGL_SPACE; d++) {
        const int from = d - (TGL_SPACE - t->space);
        shape->input[d] = shape->output[d] = shape->kernel[d] = 1;
        shape->stride[d] = shape->dilation[d] = 1;
        shape->before[d] = 0;
        if (from < 0)
            continue;
        const ptrdiff_t lo_x = x->lo[first_x + from], lo_y = y->lo[first_y + from];
        shape->input[d] = x->hi[first_x + from] - lo_x;
        shape->output[d] = y->hi[first_y + from] - lo_y;
        shape->kernel[d] = t->kernel[from];
        shape->stride[d] = t->stride[from];
        shape->dilation[d] = t->dilation[from];
        shape->before[d] = lo_x + t->padding[from] - lo_y * t->stride[from];
    }
}

ptrdiff_t tgl_taps_product(const ptrdiff_t *extent, int axes)
{
    ptrdiff_t all = 1;
    for (int d = 0; d < axes; d++)
        all *= extent[d];
    return all;
}

ptrdiff_t tgl_taps_count(const tgl_taps *t)
{
    return tgl_taps_product(t->kernel, t->space);
}

void tgl_taps_point(const ptrdiff_t *extent, int axes, ptrdiff_t at, ptrdiff_t *index)
{
    for (int d = axes - 1; d >= 0; d--) {
        index[d] = at % extent[d];
        at /= extent[d];
    }
}

bool tgl_taps_input(const tgl_taps *t, const ptrdiff_t *q, const ptrdiff_t *k, ptrdiff_t *i)
{
    bool inside = true;
    for (int d = 0; d < t->space; d++) {
        i[d] = q[d] * t->stride[d] - t->padding[d] + k[d] * t->dilation[d];
        inside = inside && i[d] >= 0 && i[d] < t->input[d];
    }
    return inside;
}

bool tgl_taps_output(const tgl_taps *t, const ptrdiff_t *i, const ptrdiff_t *k, ptrdiff_t *q)
{
    bool inside = true;
    for (int d = 0; d < t->space; d++) {
        ptrdiff_t start = i[d] + t->padding[d] - k[d] * t->dilation[d];
        q[d] = start / t->stride[d];
        inside = inside && start >= 0 && start % t->stride[d] == 0 && q[d] < t->output[d];
    }
    return inside;
}
