/* convolution_inside.c: y of a rank in two parts, so that its kernel works while the halo travels.
 *
 *   inside  the convolution of what the rank owns of x, zeros around it: all of y is written, and it is
 *           right where the window of an output lies in what the rank owns
 *   border  the other outputs, a box on each side of the axes of space that has some, once more from
 *           what the rank needs of x
 *
 * So nothing is copied inside, and what the border costs twice is a share of y that is small where
 * blocks are much larger than the kernel. */
#include "layers/convolution.h"

#include <stdlib.h>
#include <string.h>

enum { SIDES = 2 * TGL_SPACE };

/* Part of a tensor whose planes (of a sample and a channel, or a block of channels) are boxes of space:
 * where it lies in them. */
typedef struct {
    ptrdiff_t planes, whole[TGL_SPACE], first[TGL_SPACE], length[TGL_SPACE];
    size_t unit; /* bytes of a position */
} part;

/* One box of outputs, and what they need of x. */
typedef struct {
    tgl_conv *conv;
    part from, to; /* in what the rank needs of x; in its y */
    void *x, *y;
} side;

struct tgl_convolution_parts {
    tgl_conv *inside;
    int count;
    side sides[SIDES];
};

/* ---- which outputs are inside ---- */

/* Needs output q of axis d nothing but [lo, hi)? Inputs outside the tensor are nobody's. */
static bool is_inside(const tgl_taps *t, int d, ptrdiff_t q, ptrdiff_t lo, ptrdiff_t hi)
{
    const tg_window window = tgl_taps_window(t, d);
    ptrdiff_t first, end;
    tg_window_inputs(&window, q, q + 1, &first, &end);
    return (first > 0 ? first : 0) >= lo && (end < t->input[d] ? end : t->input[d]) <= hi;
}

/* The outputs of *y that are inside on axis d: the first ones and the last ones are not. */
static void shrink(const tgl_taps *t, int d, const tg_box *own, tg_box *y)
{
    const ptrdiff_t lo = own->lo[2 + d], hi = own->hi[2 + d];
    while (y->lo[3 + d] < y->hi[3 + d] && !is_inside(t, d, y->lo[3 + d], lo, hi))
        y->lo[3 + d]++;
    while (y->lo[3 + d] < y->hi[3 + d] && !is_inside(t, d, y->hi[3 + d] - 1, lo, hi))
        y->hi[3 + d]--;
}

/* ---- plan ---- */

/* Where the axes of space of `box` lie in those of `all`, whose first one is axis `first`. */
static part part_of(const tgl_taps *t, const tg_box *all, const tg_box *box, int first,
                    ptrdiff_t channels, const tg_store *store, size_t size)
{
    const ptrdiff_t block = store->block;
    part p = {.planes = (all->hi[0] - all->lo[0]) *
                        (block > 0 ? (channels + block - 1) / block : channels),
              .unit = size * (size_t)(block > 0 ? block : 1)};
    for (int d = 0; d < TGL_SPACE; d++) {
        const int from = d - (TGL_SPACE - t->space), a = first + from;
        p.whole[d] = from < 0 ? 1 : all->hi[a] - all->lo[a];
        p.first[d] = from < 0 ? 0 : box->lo[a] - all->lo[a];
        p.length[d] = from < 0 ? 1 : box->hi[a] - box->lo[a];
    }
    return p;
}

static ptrdiff_t positions(const part *p)
{
    return p->length[0] * p->length[1] * p->length[2];
}

/* A convolution of this rank alone. *conv stays NULL for extents that the kernels do not take. */
static tg_status plan_alone(const tgl_problem *problem, const tgl_conv_shape *shape,
                            const char *kernels, tgl_conv **conv)
{
    const char *chosen;
    tg_status status = tgl_conv_plan(MPI_COMM_SELF, shape, problem->dtype, kernels, &chosen, conv);
    return status.code == TG_BAD_INPUT ? tg_success() : status;
}

/* What the outputs in `box` need, and their kernel. */
static tg_status plan_side(const tgl_problem *problem, const tg_box *needed, const tg_box *y,
                           const tg_box *box, const tgl_conv_shape *whole, const char *kernels,
                           side *s)
{
    const tgl_taps *t = &((const tgl_convolution_spec *)problem->spec)->taps;
    tgl_conv_shape shape = *whole;
    tg_box x = *needed;
    for (int d = 0; d < t->space; d++) {
        const tg_window window = tgl_taps_window(t, d);
        ptrdiff_t lo, hi;
        tg_window_inputs(&window, box->lo[3 + d], box->hi[3 + d], &lo, &hi);
        x.lo[2 + d] = lo > x.lo[2 + d] ? lo : x.lo[2 + d];
        x.hi[2 + d] = hi < x.hi[2 + d] ? hi : x.hi[2 + d];
        x.hi[2 + d] = x.hi[2 + d] > x.lo[2 + d] ? x.hi[2 + d] : x.lo[2 + d];
    }
    tgl_taps_shape(t, &x, 2, box, 3, &shape);
    s->from = part_of(t, needed, &x, 2, whole->in, &problem->store_x, problem->dtype->size);
    s->to = part_of(t, y, box, 3, whole->out, &problem->store_y, problem->dtype->size);
    s->x = tgl_buffer(s->from.planes * positions(&s->from) * (ptrdiff_t)s->from.unit,
                      tg_dtype_find("i8"));
    s->y =
        tgl_buffer(s->to.planes * positions(&s->to) * (ptrdiff_t)s->to.unit, tg_dtype_find("i8"));
    if (!s->x || !s->y)
        return tg_fail(TG_NO_MEMORY, "no memory for the border of a convolution");
    return plan_alone(problem, &shape, kernels, &s->conv);
}

/* The sides around `inside`, one axis after the other: those of an axis reach over what the axes before
 * have left. *complete: each has its kernel. */
static tg_status plan_sides(const tgl_problem *problem, const tg_box *needed, const tg_box *y,
                            const tg_box *inside, const tgl_conv_shape *whole, const char *kernels,
                            tgl_convolution_parts *p, bool *complete)
{
    const int space = ((const tgl_convolution_spec *)problem->spec)->taps.space;
    tg_box left = *y;
    tg_status status = tg_success();
    for (int d = 3; d < 3 + space; d++) {
        tg_box sides[2] = {left, left};
        sides[0].hi[d] = left.lo[d] = inside->lo[d];
        sides[1].lo[d] = left.hi[d] = inside->hi[d];
        for (int i = 0; i < 2 && status.code == TG_OK; i++)
            if (tg_box_count(&sides[i]) > 0) {
                side *s = &p->sides[p->count++];
                status = plan_side(problem, needed, y, &sides[i], whole, kernels, s);
                *complete = *complete && s->conv;
            }
    }
    return status;
}

tg_status tgl_convolution_inside_plan(const tgl_problem *problem, const tg_box *own,
                                      const tg_box *needed, const tg_box *y,
                                      const tgl_conv_shape *whole, const char *kernels, double most,
                                      tgl_convolution_parts **parts)
{
    const tgl_taps *t = &((const tgl_convolution_spec *)problem->spec)->taps;
    tgl_conv_shape shape = *whole;
    tg_box inside = *y;
    bool complete = true;
    for (int d = 0; d < t->space; d++)
        shrink(t, d, own, &inside);
    *parts = NULL;
    const ptrdiff_t all = tg_box_count(y), twice = all - tg_box_count(&inside);
    if (twice == all || (double)twice > most * (double)all)
        return tg_success();
    tgl_convolution_parts *p = calloc(1, sizeof *p);
    if (!p)
        return tg_fail(TG_NO_MEMORY, "no memory for the parts of a convolution");
    tgl_taps_shape(t, own, 2, y, 3, &shape);
    tg_status status = plan_alone(problem, &shape, kernels, &p->inside);
    if (status.code == TG_OK && p->inside)
        status = plan_sides(problem, needed, y, &inside, whole, kernels, p, &complete);
    *parts = p;
    if (status.code != TG_OK || !p->inside || !complete)
        tgl_convolution_inside_drop(parts);
    return status;
}

void tgl_convolution_inside_drop(tgl_convolution_parts **parts)
{
    tgl_convolution_parts *p = *parts;
    for (int i = 0; p && i < p->count; i++) {
        tgl_conv_free(&p->sides[i].conv);
        free(p->sides[i].x);
        free(p->sides[i].y);
    }
    if (p)
        tgl_conv_free(&p->inside);
    free(p);
    *parts = NULL;
}

/* ---- runs ---- */

/* Out of the planes of `whole`, or into them. */
static void copy_part(const part *p, const void *whole, void *dense, bool out)
{
    const size_t row = (size_t)p->length[2] * p->unit;
    char *to = dense;
    tg_begin(TG_PACKS, MPI_COMM_NULL);
    for (ptrdiff_t n = 0; n < p->planes; n++)
        for (ptrdiff_t i = 0; i < p->length[0]; i++)
            for (ptrdiff_t k = 0; k < p->length[1]; k++, to += row) {
                const ptrdiff_t at =
                    ((n * p->whole[0] + p->first[0] + i) * p->whole[1] + p->first[1] + k) *
                        p->whole[2] +
                    p->first[2];
                char *place = (char *)whole + (size_t)at * p->unit;
                memcpy(out ? to : place, out ? place : to, row);
            }
    tg_end(TG_PACKS);
}

static void run(tgl_conv *conv, long version, const void *x, const void *w, const void *bias,
                void *y)
{
    conv->version = version;
    tgl_conv_forward(conv, x, w, bias, y);
}

void tgl_convolution_inside(tgl_convolution_parts *p, long version, const void *x, const void *w,
                            const void *bias, void *y)
{
    run(p->inside, version, x, w, bias, y);
}

void tgl_convolution_border(tgl_convolution_parts *p, long version, const void *needed,
                            const void *w, const void *bias, void *y)
{
    for (int i = 0; i < p->count; i++) {
        side *s = &p->sides[i];
        copy_part(&s->from, needed, s->x, true);
        run(s->conv, version, s->x, w, bias, s->y);
        copy_part(&s->to, y, s->y, false);
    }
}
