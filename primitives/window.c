/* window.c: which inputs a worker's outputs need, one rule for each kind of window. Free of MPI.
 *
 *   convolution  output o reads inputs s o - p + d j                       j = 0 .. k - 1
 *   transposed   output o receives input i when o = s i - p + d j
 *   upsample     output o reads input floor(o / s), or the two whose centres it lies between
 *
 * Needed is one interval, gaps between taps included. Its start ascends with y0 and its end with
 * y1, so that the intervals of neighbouring parts ascend: overlaps are found by bisection.
 * Source: Hewett and Grady, arXiv 2006.03108, appendix B; Dumoulin and Visin, "A guide to
 * convolution arithmetic for deep learning", arXiv 1603.07285, for the transposed rule. */
#include "primitives/layout.h"

#include <stdint.h>

static ptrdiff_t floor_div(ptrdiff_t a, ptrdiff_t b)
{
    return a / b - (a % b < 0);
}

static ptrdiff_t ceil_div(ptrdiff_t a, ptrdiff_t b)
{
    return -floor_div(-a, b);
}

/* ---- convolution and pooling ---- */

static ptrdiff_t convolution_outputs(const tg_window *w, ptrdiff_t n)
{
    ptrdiff_t room = n + 2 * w->padding - w->dilation * (w->kernel - 1) - 1;
    if (room < (w->ceil ? 1 - w->stride : 0)) /* rounded up: less than a stride may be missing */
        return 0;
    if (!w->ceil)
        return room / w->stride + 1;
    ptrdiff_t m = (room + w->stride - 1) / w->stride + 1;
    return (m - 1) * w->stride >= n + w->padding ? m - 1
                                                 : m; /* no output may begin in the far padding */
}

static void convolution_inputs(const tg_window *w, ptrdiff_t y0, ptrdiff_t y1, ptrdiff_t *lo,
                               ptrdiff_t *hi)
{
    *lo = w->stride * y0 - w->padding;
    *hi = w->stride * (y1 - 1) - w->padding + w->dilation * (w->kernel - 1) + 1;
}

static tg_status convolution_check(const tg_window *w, ptrdiff_t n, int axis)
{
    (void)w, (void)n, (void)axis;
    return tg_success();
}

const tg_window_rule tg_window_convolution = {"convolution", convolution_outputs,
                                              convolution_inputs, convolution_check};

/* ---- transposed convolution ---- */

static ptrdiff_t transposed_outputs(const tg_window *w, ptrdiff_t n)
{
    ptrdiff_t m = (n - 1) * w->stride - 2 * w->padding + w->dilation * (w->kernel - 1) + 1;
    return n < 1 || m < 1 ? 0 : m;
}

/* Input i spreads from output s i - p to s i - p + d (k - 1); needed is every i that meets [y0,
 * y1). None may: then lo = hi. */
static void transposed_inputs(const tg_window *w, ptrdiff_t y0, ptrdiff_t y1, ptrdiff_t *lo,
                              ptrdiff_t *hi)
{
    *lo = ceil_div(y0 + w->padding - w->dilation * (w->kernel - 1), w->stride);
    *hi = floor_div(y1 - 1 + w->padding, w->stride) + 1;
}

/* The outputs are more than the inputs: can they still be counted? */
static tg_status check_growth(const tg_window *w, ptrdiff_t n, int axis)
{
    if (n <= PTRDIFF_MAX / 4 / w->stride)
        return tg_success();
    return tg_fail(TG_BAD_INPUT,
                   "stride=%td on axis %d: more outputs than an address can count from extent %td; "
                   "expected fewer",
                   w->stride, axis, n);
}

static tg_status transposed_check(const tg_window *w, ptrdiff_t n, int axis)
{
    if (w->ceil)
        return tg_fail(TG_BAD_INPUT, "ceil=yes on axis %d: expected no for halo_transposed", axis);
    return check_growth(w, n, axis);
}

const tg_window_rule tg_window_transposed = {"transposed", transposed_outputs, transposed_inputs,
                                             transposed_check};

/* ---- up-sampling ---- */

static ptrdiff_t upsample_outputs(const tg_window *w, ptrdiff_t n)
{
    return n * w->stride;
}

/* kernel 1: the nearest input, floor(o / s). kernel 2: the centre of output o lies at (o + 1/2) / s
 * in the coordinates of the inputs, whose centres lie at i + 1/2; it reads the last centre that is
 * not behind it and the next. Beyond the ends the first and the last input stand for what is not
 * there, so that cutting to the tensor is all that is left to do. */
static void upsample_inputs(const tg_window *w, ptrdiff_t y0, ptrdiff_t y1, ptrdiff_t *lo,
                            ptrdiff_t *hi)
{
    ptrdiff_t s = w->stride;
    bool linear = w->kernel == 2;
    *lo = linear ? floor_div(2 * y0 + 1 - s, 2 * s) : y0 / s;
    *hi = linear ? floor_div(2 * y1 - 1 - s, 2 * s) + 2 : (y1 - 1) / s + 1;
}

static tg_status upsample_check(const tg_window *w, ptrdiff_t n, int axis)
{
    if (w->kernel > 2)
        return tg_fail(TG_BAD_INPUT,
                       "kernel=%td on axis %d: expected 1 (nearest) or 2 (linear) for "
                       "halo_upsample",
                       w->kernel, axis);
    if (w->padding != 0)
        return tg_fail(TG_BAD_INPUT, "padding=%td on axis %d: expected 0 for halo_upsample",
                       w->padding, axis);
    if (w->dilation != 1)
        return tg_fail(TG_BAD_INPUT, "dilation=%td on axis %d: expected 1 for halo_upsample",
                       w->dilation, axis);
    if (w->ceil)
        return tg_fail(TG_BAD_INPUT, "ceil=yes on axis %d: expected no for halo_upsample", axis);
    return check_growth(w, n, axis);
}

const tg_window_rule tg_window_upsample = {"upsample", upsample_outputs, upsample_inputs,
                                           upsample_check};

/* ---- any rule ---- */

const tg_window_rule *tg_window_rule_of(const tg_window *w)
{
    return w->rule ? w->rule : &tg_window_convolution;
}

ptrdiff_t tg_window_outputs(const tg_window *w, ptrdiff_t n)
{
    return tg_window_rule_of(w)->outputs(w, n);
}

void tg_window_inputs(const tg_window *w, ptrdiff_t y0, ptrdiff_t y1, ptrdiff_t *lo, ptrdiff_t *hi)
{
    *lo = *hi = 0;
    if (y0 < y1)
        tg_window_rule_of(w)->inputs(w, y0, y1, lo, hi);
}

bool tg_window_equal(const tg_window *v, const tg_window *w)
{
    if (v->kernel == 0 || w->kernel == 0)
        return v->kernel == w->kernel;
    return v->kernel == w->kernel && v->stride == w->stride && v->padding == w->padding &&
           v->dilation == w->dilation && v->ceil == w->ceil && v->periodic == w->periodic &&
           tg_window_rule_of(v) == tg_window_rule_of(w);
}

/* One entry is one output: an axis without a window, of which nothing may be there. */
static bool passes(const tg_window *w)
{
    return w->kernel == 1 && w->stride == 1 && w->padding == 0;
}

tg_status tg_window_check(const tg_window *w, ptrdiff_t extent, int axis)
{
    const ptrdiff_t limit = (ptrdiff_t)1 << 30;
    const struct {
        const char *name;
        ptrdiff_t value, lowest;
    } numbers[] = {{"kernel", w->kernel, 1},
                   {"stride", w->stride, 1},
                   {"padding", w->padding, 0},
                   {"dilation", w->dilation, 1}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].value < numbers[i].lowest || numbers[i].value > limit)
            return tg_fail(TG_BAD_INPUT, "%s=%td on axis %d: expected a number from %td to %td",
                           numbers[i].name, numbers[i].value, axis, numbers[i].lowest, limit);
    tg_status status = tg_window_rule_of(w)->check(w, extent, axis);
    if (status.code == TG_OK && tg_window_outputs(w, extent) < 1 && !(passes(w) && extent == 0))
        status = tg_fail(
            TG_BAD_INPUT,
            "kernel=%td dilation=%td padding=%td on axis %d: no output fits into extent %td; "
            "expected a window that fits at least once",
            w->kernel, w->dilation, w->padding, axis, extent);
    return status;
}
