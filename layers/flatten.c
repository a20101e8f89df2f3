/* flatten.c: images to vectors: batch x channels x space becomes batch x features, on another grid.
 *
 *   forward   x is repartitioned so that each rank has whole channels of its rows, which lie in
 *             memory as features do; where the channels do not end where the parts of the features
 *             do, these are repartitioned once more
 *   backward  the adjoints in reverse
 *
 * This is the step between the convolutions and the fully connected layers of a network. Source:
 * Hewett and Grady, arXiv 2006.03108, section 5. */
#include "layers/layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    tgl_layer base;
    tg_op *whole;    /* x to whole channels in rows; NULL: they are */
    tg_op *deal_out; /* features to y; NULL: they lie so */
    void *middle;    /* between the two */
    size_t bytes;    /* of y */
} flatten;

/* ---- forward and backward ---- */

static void forward(tgl_layer *layer, const void *x, void *y)
{
    flatten *f = (flatten *)layer;
    if (f->whole)
        tg_apply(f->whole, x, f->deal_out ? f->middle : y);
    if (f->deal_out)
        tg_apply(f->deal_out, f->whole ? f->middle : x, y);
    if (!f->whole && !f->deal_out && f->bytes > 0)
        memcpy(y, x, f->bytes);
}

static void backward(tgl_layer *layer, const void *x, const void *dy, void *dx)
{
    flatten *f = (flatten *)layer;
    (void)x;
    if (f->deal_out)
        tg_apply_adjoint(f->deal_out, (void *)dy, f->whole ? f->middle : dx);
    if (f->whole)
        tg_apply_adjoint(f->whole, f->deal_out ? f->middle : (void *)dy, dx);
    if (!f->whole && !f->deal_out && f->bytes > 0)
        memcpy(dx, dy, f->bytes);
}

static void free_flatten(tgl_layer *layer)
{
    flatten *f = (flatten *)layer;
    tg_free(&f->whole);
    tg_free(&f->deal_out);
    free(f->middle);
    free(f);
}

static const tgl_methods methods = {
    .forward = forward, .backward = backward, .release = free_flatten};

/* ---- words ---- */

static const tgl_key keys[] = {{"shape", NULL, true},
                               {"from", "1x1x1", false},
                               {"to", "1x1", false},
                               {"from-ranks", "0..n-1", false},
                               {"to-ranks", "0..n-1", false},
                               {"store-x", "row", false},
                               TGL_TYPE};

static ptrdiff_t features_of_channel(const tg_layout *x)
{
    ptrdiff_t all = 1;
    for (int d = 2; d < x->ndim; d++)
        all *= x->axis[d].extent;
    return all;
}

static tg_status resolve(const tgl_words *words, tgl_problem *problem)
{
    char shape[64];
    const tg_layout *x = &problem->x;
    tg_status status =
        tgl_word_layout(words, tgl_words_get(words, "shape"), "from", problem, &problem->x);
    if (status.code == TG_OK)
        status = tgl_word_shape(x, problem);
    if (status.code == TG_OK && x->ndim < 2)
        status = tg_fail(TG_BAD_INPUT,
                         "shape=%.40s: expected batch, channels and space, as in "
                         "8x16x5x5",
                         tgl_words_get(words, "shape"));
    if (status.code == TG_OK)
        status = tgl_word_store(words, "store-x", "row", x->ndim, problem, &problem->store_x);
    if (status.code != TG_OK)
        return status;
    snprintf(shape, sizeof shape, "%tdx%td", x->axis[0].extent,
             x->axis[1].extent * features_of_channel(x));
    problem->facts.entries_most = 2 * (double)tg_layout_max_held(x);
    problem->facts.group[0] = tg_layout_size(x);
    problem->facts.range = 8;
    return tgl_word_layout(words, shape, "to", problem, &problem->y);
}

/* ---- plan ---- */

/* x with whole channels on the ranks of y; and what that is as features. */
static tg_status make_layouts(const tgl_problem *problem, tg_layout *channels, tg_layout *features)
{
    const tg_layout *x = &problem->x, *y = &problem->y;
    const int parts = y->axis[1].parts;
    const ptrdiff_t each = features_of_channel(x);
    char grid[64];
    size_t used = (size_t)snprintf(grid, sizeof grid, "%dx%d", y->axis[0].parts, parts);
    for (int d = 2; d < x->ndim; d++)
        used += (size_t)snprintf(grid + used, sizeof grid - used, "x1");
    const tg_layout_words words = {.shape = tgl_words_get(&problem->words, "shape"),
                                   .grid = grid,
                                   .ranks = tgl_words_get(&problem->words, "to-ranks"),
                                   .side = "to"};
    tg_status status = tg_layout_parse(&words, problem->ranks, 0, channels);
    if (status.code == TG_OK)
        status = tg_layout_copy(y, features);
    if (status.code != TG_OK)
        return status;
    ptrdiff_t *cuts = malloc(((size_t)parts + 1) * sizeof *cuts);
    if (!cuts)
        return tg_fail(TG_NO_MEMORY, "no memory for the parts of flatten");
    for (int i = 0; i <= parts; i++)
        cuts[i] = tg_split_start(x->axis[1].extent, parts, i) * each;
    features->axis[1].cuts = cuts;
    return tg_success();
}

static tg_status plan_operators(MPI_Comm comm, const tgl_problem *problem, flatten *f)
{
    int rank;
    tg_layout channels = {.ndim = 0}, features = {.ndim = 0};
    MPI_Comm_rank(comm, &rank);
    tg_status status = tg_agree(comm, make_layouts(problem, &channels, &features));
    if (status.code == TG_OK)
        status = tgl_compose_stores(comm, "repartition", problem, &problem->x, &problem->store_x,
                                    &channels, &problem->store_y, &f->whole);
    if (status.code == TG_OK)
        status = tgl_compose(comm, "repartition", problem, &features, &problem->y, &f->deal_out);
    if (status.code == TG_OK) {
        const tg_box middle = tg_layout_held(&features, rank);
        f->middle = tgl_buffer(tg_box_count(&middle), problem->dtype);
        status = tg_agree(comm, f->middle ? tg_success()
                                          : tg_fail(TG_NO_MEMORY, "no memory for flatten"));
    }
    tg_layout_free(&channels);
    tg_layout_free(&features);
    return status;
}

static tg_status plan(MPI_Comm comm, const tgl_problem *problem, tgl_layer **layer)
{
    int rank;
    flatten *f = calloc(1, sizeof *f);
    tg_status status =
        tg_agree(comm, f ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for flatten"));
    if (status.code != TG_OK) {
        free(f);
        return status;
    }
    MPI_Comm_rank(comm, &rank);
    const tg_box y = tg_layout_held(&problem->y, rank);
    f->base.methods = &methods;
    f->bytes = (size_t)tg_box_count(&y) * problem->dtype->size;
    status = plan_operators(comm, problem, f);
    if (status.code == TG_OK)
        *layer = &f->base;
    else
        free_flatten(&f->base);
    return status;
}

/* ---- what an entry must be ---- */

static void expect(const tgl_inputs *in, int output, const ptrdiff_t *index, tgl_expected *e)
{
    const tg_layout *x = &in->problem->x;
    ptrdiff_t other[TG_MAX_NDIM] = {index[0]};
    if (output == TGL_Y) {
        ptrdiff_t feature = index[1];
        for (int d = x->ndim - 1; d > 0; d--) {
            other[d] = feature % x->axis[d].extent;
            feature /= x->axis[d].extent;
        }
        e->value = tgl_input(in, TGL_X, x->ndim, other);
    } else {
        for (int d = 1; d < x->ndim; d++)
            other[1] = other[1] * x->axis[d].extent + index[d];
        e->value = tgl_input(in, TGL_DY, 2, other);
    }
}

static const char *const through[] = {"repartition", NULL};

const tgl_kind tgl_flatten = {
    .name = "flatten",
    .summary = "batch x channels x space to batch x features, from one grid to another",
    .formula = "y[n, f] = x[n, c, q], f counts (c, q) row-major",
    .backward = "dx[n, c, q] = dy[n, f]",
    .source = "Hewett and Grady, arXiv 2006.03108, section 5",
    .weak = "entries of x on each rank",
    .keys = keys,
    .dtypes = {"f32", "f64"},
    .through = through,
    .backward_factor = 1,
    .linear = true,
    .resolve = resolve,
    .plan = plan,
    .expect = expect,
};
