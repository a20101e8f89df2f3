/* repartition.c: the same tensor on another grid: y[held] = x[owned]; backward is the adjoint.
 *
 * A network puts it between layers by itself where their layouts differ; as a line of its own it says
 * where. tgbench measures it as the primitive of this name. Source: Hewett and Grady, arXiv
 * 2006.03108, section 3. */
#include "layers/layer.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    tgl_layer base;
    tg_op *op;    /* NULL: x lies as y does */
    size_t bytes; /* of y */
} repartition;

static void forward(tgl_layer *layer, const void *x, void *y)
{
    const repartition *r = (const repartition *)layer;
    if (r->op)
        tg_apply(r->op, x, y);
    else if (r->bytes > 0)
        memcpy(y, x, r->bytes);
}

static void backward(tgl_layer *layer, const void *x, const void *dy, void *dx)
{
    const repartition *r = (const repartition *)layer;
    (void)x;
    if (r->op)
        tg_apply_adjoint(r->op, (void *)dy, dx); /* out of place: dy is only read */
    else if (r->bytes > 0)
        memcpy(dx, dy, r->bytes);
}

static void free_repartition(tgl_layer *layer)
{
    repartition *r = (repartition *)layer;
    tg_free(&r->op);
    free(r);
}

static const tgl_methods methods = {
    .forward = forward, .backward = backward, .release = free_repartition};

static const tgl_key keys[] = {{"shape", NULL, true},         {"from", "1x1", false},
                               {"to", "1x1", false},          {"from-ranks", "0..n-1", false},
                               {"to-ranks", "0..n-1", false}, TGL_TYPE};

static tg_status resolve(const tgl_words *words, tgl_problem *problem)
{
    const char *shape = tgl_words_get(words, "shape");
    tg_status status = tgl_word_layout(words, shape, "from", problem, &problem->x);
    if (status.code == TG_OK)
        status = tgl_word_layout(words, shape, "to", problem, &problem->y);
    if (status.code != TG_OK)
        return status;
    problem->facts.entries_most = 2 * (double)tg_layout_max_held(&problem->x);
    problem->facts.group[0] = tg_layout_size(&problem->x);
    problem->facts.range = 8;
    return tgl_word_shape(&problem->x, problem);
}

static tg_status plan(MPI_Comm comm, const tgl_problem *problem, tgl_layer **layer)
{
    int rank;
    repartition *r = calloc(1, sizeof *r);
    tg_status status =
        tg_agree(comm, r ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for a repartition"));
    if (status.code == TG_OK)
        status = tgl_compose(comm, "repartition", problem, &problem->x, &problem->y, &r->op);
    if (status.code != TG_OK) {
        free(r);
        return status;
    }
    MPI_Comm_rank(comm, &rank);
    const tg_box y = tg_layout_held(&problem->y, rank);
    r->base.methods = &methods;
    r->bytes = (size_t)tg_box_count(&y) * problem->dtype->size;
    *layer = &r->base;
    return status;
}

static void expect(const tgl_inputs *in, int output, const ptrdiff_t *index, tgl_expected *e)
{
    e->value = tgl_input(in, output == TGL_Y ? TGL_X : TGL_DY, in->problem->x.ndim, index);
}

static const char *const through[] = {"repartition", NULL};

const tgl_kind tgl_repartition = {
    .name = "repartition",
    .summary = "the same tensor on another grid",
    .formula = "y[held] = x[owned]",
    .backward = "dx[owned] = dy[held]",
    .source = "Hewett and Grady, arXiv 2006.03108, section 3",
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
