/* convolution_expect.c: an entry of a convolution by plain loops, for checks. It shares nothing with
 * the layer but the numbers of its words. */
#include "layers/convolution.h"

#include <math.h>

static void add(tgl_expected *e, double a, double b)
{
    e->value += a * b;
    e->scale += fabs(a * b);
}

static void expect_y(const tgl_inputs *in, const tgl_convolution_spec *s, const ptrdiff_t *index,
                     tgl_expected *e)
{
    const ptrdiff_t in_group = s->in / s->groups, o = index[1],
                    first = o / (s->out / s->groups) * in_group;
    ptrdiff_t taps = tgl_taps_count(&s->taps), w[2 + TGL_SPACE], x[2 + TGL_SPACE];
    if (s->bias)
        add(e, 1, tgl_input(in, TGL_PARAMETER + TGL_BIAS, 1, &o));
    for (ptrdiff_t c = 0; c < in_group; c++)
        for (ptrdiff_t t = 0; t < taps; t++) {
            w[0] = o;
            w[1] = c;
            x[0] = index[0];
            x[1] = first + c;
            tgl_taps_point(s->taps.kernel, s->taps.space, t, w + 2);
            if (tgl_taps_input(&s->taps, index + 2, w + 2, x + 2))
                add(e, tgl_input(in, TGL_X, 2 + s->taps.space, x),
                    tgl_input(in, TGL_PARAMETER + TGL_WEIGHT, 2 + s->taps.space, w));
        }
    e->terms = (double)(in_group * taps + 1);
}

static void expect_dx(const tgl_inputs *in, const tgl_convolution_spec *s, const ptrdiff_t *index,
                      tgl_expected *e)
{
    const ptrdiff_t in_group = s->in / s->groups, out_group = s->out / s->groups,
                    group = index[1] / in_group;
    ptrdiff_t taps = tgl_taps_count(&s->taps), w[2 + TGL_SPACE], y[2 + TGL_SPACE];
    for (ptrdiff_t o = group * out_group; o < (group + 1) * out_group; o++)
        for (ptrdiff_t t = 0; t < taps; t++) {
            w[0] = o;
            w[1] = index[1] % in_group;
            y[0] = index[0];
            y[1] = o;
            tgl_taps_point(s->taps.kernel, s->taps.space, t, w + 2);
            if (tgl_taps_output(&s->taps, index + 2, w + 2, y + 2))
                add(e, tgl_input(in, TGL_DY, 2 + s->taps.space, y),
                    tgl_input(in, TGL_PARAMETER + TGL_WEIGHT, 2 + s->taps.space, w));
        }
    e->terms = (double)(out_group * taps + 1);
}

/* The gradients of a weight (index o, c, k) and of a bias (index o). */
static void expect_gradient(const tgl_inputs *in, const tgl_convolution_spec *s, int output,
                            const ptrdiff_t *index, tgl_expected *e)
{
    const ptrdiff_t places = tgl_taps_product(s->taps.output, s->taps.space),
                    first = index[0] / (s->out / s->groups) * (s->in / s->groups);
    ptrdiff_t x[2 + TGL_SPACE], y[2 + TGL_SPACE];
    const bool of_bias = output == TGL_PARAMETER + TGL_BIAS;
    for (ptrdiff_t n = 0; n < s->batch; n++)
        for (ptrdiff_t at = 0; at < places; at++) {
            y[0] = x[0] = n;
            y[1] = index[0];
            tgl_taps_point(s->taps.output, s->taps.space, at, y + 2);
            x[1] = of_bias ? 0 : first + index[1];
            if (of_bias)
                add(e, 1, tgl_input(in, TGL_DY, 2 + s->taps.space, y));
            else if (tgl_taps_input(&s->taps, y + 2, index + 2, x + 2))
                add(e, tgl_input(in, TGL_DY, 2 + s->taps.space, y),
                    tgl_input(in, TGL_X, 2 + s->taps.space, x));
        }
    e->terms = (double)(s->batch * places + 1);
}

void tgl_convolution_expect(const tgl_inputs *in, int output, const ptrdiff_t *index,
                            tgl_expected *e)
{
    const tgl_convolution_spec *s = in->problem->spec;
    if (output == TGL_Y)
        expect_y(in, s, index, e);
    else if (output == TGL_DX)
        expect_dx(in, s, index, e);
    else
        expect_gradient(in, s, output, index, e);
}
