/* expect.c: is what a layer made what its formula asks for, entry by entry?
 *
 * Inputs are made from (seed, tensor, global index) and stored nowhere but in the layer's own
 * buffers, so that each rank can work out any entry of its outputs alone, by the loop over the
 * inputs that the layer's row holds. Nothing of the engine is used but the boxes of the layouts.
 * Where looking at all entries would cost a rank more than 2^24 terms, a sample is looked at; all
 * ranks of a simulated machine together look at so many. */
#include "layers/layer.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const tg_store row; /* of parameters */

enum { MOST_TERMS = 1 << 24, FEWEST_ENTRIES = 64 };

/* So many ranks work on one core. */
static int ranks_on_core(const tgl_problem *p)
{
#ifdef SMPI_H
    return p->ranks;
#else
    (void)p;
    return 1;
#endif
}

static uint64_t mix(uint64_t key)
{ /* the finalizer of splitmix64: Steele, Lea, Flood, OOPSLA 2014 */
    key += 0x9E3779B97F4A7C15u;
    key = (key ^ (key >> 30)) * 0xBF58476D1CE4E5B9u;
    key = (key ^ (key >> 27)) * 0x94D049BB133111EBu;
    return key ^ (key >> 31);
}

static uint64_t key_of(uint64_t seed, int tensor, int ndim, const ptrdiff_t *index)
{
    uint64_t key = seed * 64 + (uint64_t)tensor;
    for (int d = 0; d < ndim; d++)
        key = mix(key ^ (uint64_t)index[d]);
    return key;
}

static double real_of(uint64_t key)
{
    const double steps = 1 << 20; /* so that f32 holds every value */
    return (double)(key % (1u << 21)) / steps - 1;
}

double tgl_input(const tgl_inputs *in, int tensor, int ndim, const ptrdiff_t *index)
{
    const int range = in->problem->facts.range;
    const uint64_t key = key_of(in->seed, tensor, ndim, index);
    return range > 0 ? (double)(key % (uint64_t)(2 * range + 1)) - range : real_of(key);
}

/* ---- entries of a box ---- */

static void index_of(const tg_box *box, ptrdiff_t entry, ptrdiff_t *index)
{
    for (int d = box->ndim - 1; d >= 0; d--) {
        ptrdiff_t length = box->hi[d] - box->lo[d];
        index[d] = box->lo[d] + entry % length;
        entry /= length;
    }
}

/* Of a buffer of the box; the tails of blocks become zeros. */
static void fill(const tgl_inputs *in, int tensor, const tg_box *box, const tg_store *store,
                 void *buffer)
{
    const tg_dtype *dtype = in->problem->dtype;
    ptrdiff_t index[TG_MAX_NDIM], count = tg_box_count(box);
    if (store->block > 0)
        memset(buffer, 0, (size_t)tg_store_entries(store, box) * dtype->size);
    for (ptrdiff_t i = 0; i < count; i++) {
        index_of(box, i, index);
        dtype->put(buffer, tg_store_index(store, box, index),
                   tgl_input(in, tensor, box->ndim, index));
    }
}

void tgl_draw(const tg_box *box, uint64_t seed, int tensor, double most, const tg_dtype *dtype,
              void *buffer)
{
    ptrdiff_t index[TG_MAX_NDIM], count = tg_box_count(box);
    for (ptrdiff_t i = 0; i < count; i++) {
        index_of(box, i, index);
        dtype->put(buffer, i, most * real_of(key_of(seed, tensor, box->ndim, index)));
    }
}

void tgl_start(const tgl_parameter *parameter, const tg_dtype *dtype)
{
    const ptrdiff_t count = tg_box_count(&parameter->box);
    for (ptrdiff_t i = 0; i < count; i++)
        dtype->put(parameter->value, i, parameter->start);
}

static double epsilon_of(const tg_dtype *dtype)
{
    return dtype->size == sizeof(float) ? FLT_EPSILON : DBL_EPSILON;
}

static bool is_right(const tgl_inputs *in, double got, const tgl_expected *e)
{
    double margin = 8 * epsilon_of(in->problem->dtype) * sqrt(e->terms) * e->scale;
    if (in->problem->facts.range > 0)
        margin = 0;
    return fabs(got - e->value) <= margin; /* false for NAN */
}

/* The first entry tells what one costs; it, the last and a sample of the others are compared. */
static ptrdiff_t count_wrong(const tgl_inputs *in, int output, const tg_box *box,
                             const tg_store *store, const void *buffer)
{
    const tgl_problem *p = in->problem;
    const int sharing = ranks_on_core(p);
    ptrdiff_t index[TG_MAX_NDIM], count = tg_box_count(box), wrong = 0, most = count;
    for (ptrdiff_t i = 0; i < most; i++) {
        ptrdiff_t entry = i;
        if (most < count && i > 0) /* 1: the last one */
            entry = i == 1 ? count - 1
                           : (ptrdiff_t)(mix(in->seed ^ (uint64_t)(i + output)) % (uint64_t)count);
        tgl_expected e = {.terms = 1};
        index_of(box, entry, index);
        p->kind->expect(in, output, index, &e);
        wrong += !is_right(in, p->dtype->get(buffer, tg_store_index(store, box, index)), &e);
        if (i == 0 && (double)count * e.terms * sharing > MOST_TERMS) {
            const ptrdiff_t pays = (ptrdiff_t)(MOST_TERMS / e.terms / sharing),
                            fewest = 2 + (FEWEST_ENTRIES - 2) / sharing;
            most = pays > fewest ? pays : fewest;
            most = most < count ? most : count;
        }
    }
    return wrong;
}

/* ---- a layer ---- */

void tgl_expect_fill(tgl_layer *layer, uint64_t seed, void *x, void *dy)
{
    const tgl_problem *p = layer->problem;
    const tgl_inputs in = {.problem = p, .seed = seed};
    const tg_box box_x = tg_layout_held(&p->x, layer->rank),
                 box_y = tg_layout_held(&p->y, layer->rank);
    fill(&in, TGL_X, &box_x, &p->store_x, x);
    fill(&in, TGL_DY, &box_y, &p->store_y, dy);
    for (int i = 0; i < layer->parameter_count; i++)
        if (layer->parameters[i].gradient)
            fill(&in, TGL_PARAMETER + layer->parameters[i].number, &layer->parameters[i].box, &row,
                 layer->parameters[i].value);
}

ptrdiff_t tgl_expect_wrong_forward(const tgl_layer *layer, uint64_t seed, const void *y)
{
    const tgl_inputs in = {.problem = layer->problem, .seed = seed};
    const tg_box box = tg_layout_held(&layer->problem->y, layer->rank);
    return count_wrong(&in, TGL_Y, &box, &layer->problem->store_y, y);
}

ptrdiff_t tgl_expect_wrong_backward(const tgl_layer *layer, uint64_t seed, const void *dx)
{
    const tgl_inputs in = {.problem = layer->problem, .seed = seed};
    const tg_box box = tg_layout_held(&layer->problem->x, layer->rank);
    ptrdiff_t wrong = count_wrong(&in, TGL_DX, &box, &layer->problem->store_x, dx);
    for (int i = 0; i < layer->parameter_count; i++) {
        const tgl_parameter *p = &layer->parameters[i];
        if (p->gradient)
            wrong += count_wrong(&in, TGL_PARAMETER + p->number, &p->box, &row, p->gradient);
    }
    return wrong;
}
