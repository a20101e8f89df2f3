/* convolution_plan.c: the operators, buffers and kernel of a convolution; the grid is that of
 * convolution.h. */
#include "layers/blas.h"
#include "layers/convolution.h"

/* The halo between the ranks of a slice; the others have none. Collective on comm. */
static tg_status plan_halo(MPI_Comm comm, const tgl_problem *problem, const tgl_convolution_spec *s,
                           const tgl_convolution_layouts *l, int place, tgl_convolution_layer *c)
{
    const int size = tg_layout_size(&l->needs);
    const int slice = place < 0 ? MPI_UNDEFINED : s->groups > 1 ? 0 : place / size;
    if (tgl_convolution_space_parts(s) == 1) /* every rank has all of space */
        return tg_success();
    MPI_Comm_split(comm, slice, place, &c->slice);
    tg_status status = tg_success();
    if (c->slice != MPI_COMM_NULL)
        status = tgl_compose_stores(c->slice, "halo", problem, &l->needs, &problem->store_x, NULL,
                                    &problem->store_x, &c->halo);
    return tg_agree(comm, status);
}

static tg_status plan_operators(MPI_Comm comm, const tgl_problem *problem,
                                const tgl_convolution_spec *s, const tgl_convolution_layouts *l,
                                int place, tgl_convolution_layer *c)
{
    const tg_store *x = &problem->store_x, *y = &problem->store_y;
    tg_status status =
        tgl_compose_stores(comm, "broadcast", problem, &l->x, x, &l->copies, x, &c->copy_x);
    if (status.code == TG_OK)
        status = plan_halo(comm, problem, s, l, place, c);
    if (status.code == TG_OK)
        status =
            tgl_compose_stores(comm, "sum_reduce", problem, &l->partials, y, &l->y, y, &c->sum);
    if (status.code == TG_OK)
        status = tgl_compose(comm, "broadcast", problem, &l->weight, &l->weights, &c->copy_weight);
    if (status.code == TG_OK && s->bias)
        status = tgl_compose(comm, "broadcast", problem, &l->bias, &l->biases, &c->copy_bias);
    return status;
}

/* What this rank's kernel does: from what it holds of x to its part of y. */
static tgl_conv_shape shape_of(const tgl_convolution_spec *s, const tg_box *x, const tg_box *y)
{
    tgl_conv_shape k = {.batch = x->hi[0] - x->lo[0],
                        .in = x->hi[1] - x->lo[1],
                        .out = y->hi[1] - y->lo[1],
                        .groups = s->groups > 1 ? s->groups / s->parts_out : 1};
    tgl_taps_shape(&s->taps, x, 2, y, 3, &k);
    return k;
}

/* The copy of x that the rank has. */
static tg_box box_of_copy(const tgl_convolution_layouts *l, int rank)
{
    tg_box copy = tg_layout_held(&l->copies, rank), x = {.ndim = copy.ndim - 1};
    for (int d = 0; d < x.ndim; d++) { /* without the axis of the copies */
        x.lo[d] = copy.lo[d < 2 ? d : d + 1];
        x.hi[d] = copy.hi[d < 2 ? d : d + 1];
    }
    return x;
}

/* Collective on comm. Are all its ranks on one node? */
static bool is_one_node(MPI_Comm comm)
{
    MPI_Comm node;
    int size, all;
    MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    MPI_Comm_size(node, &size);
    MPI_Comm_free(&node);
    MPI_Comm_size(comm, &all);
    return size == all;
}

/* The share of y that may be computed twice: on one node the processors themselves carry the halo, and
 * there is nothing to hide it behind (README.md has the measurement). */
static double most_border(const tgl_convolution_spec *s, const tgl_convolution_layer *c)
{
    const double small = 0.25;
    if (s->overlap == TGL_OVERLAP)
        return 1;
    return s->overlap == TGL_AUTO_OVERLAP && c->slice != MPI_COMM_NULL && !is_one_node(c->slice)
               ? small
               : 0;
}

/* y in two parts, if the halo may be under way meanwhile. */
static tg_status plan_inside(MPI_Comm comm, const tgl_problem *problem, const tg_box *own,
                             const tg_box *needed, const tg_box *y, const tgl_conv_shape *shape,
                             tgl_convolution_layer *c)
{
    tg_status status = tg_success();
    const double most = most_border(problem->spec, c);
    if (most > 0 && c->halo && c->conv)
        status = tgl_convolution_inside_plan(problem, own, needed, y, shape, c->base.kernels, most,
                                             &c->inside);
    return tg_agree(comm, status);
}

/* The parameters of a rank that owns them: their boxes in the global tensors. */
static void put_boxes(const tgl_convolution_spec *s, const tgl_convolution_layouts *l, int rank,
                      tgl_convolution_layer *c)
{
    const tg_box w = tg_layout_owned(&l->weight, rank), b = tg_layout_owned(&l->bias, rank);
    tgl_parameter *weight = &c->parameter[TGL_WEIGHT], *bias = &c->parameter[TGL_BIAS];
    *weight = (tgl_parameter){.name = "weight",
                              .number = TGL_WEIGHT,
                              .fan_in = s->in / s->groups * tgl_taps_count(&s->taps),
                              .box = {.ndim = 2 + s->taps.space}};
    *bias = (tgl_parameter){.name = "bias",
                            .number = TGL_BIAS,
                            .fan_in = s->in / s->groups * tgl_taps_count(&s->taps),
                            .box = {.ndim = 1}};
    for (int d = 0; d < 2; d++) {
        weight->box.lo[d] = w.lo[d];
        weight->box.hi[d] = w.hi[d];
    }
    for (int d = 0; d < s->taps.space; d++)
        weight->box.hi[2 + d] = s->taps.kernel[d];
    bias->box.lo[0] = b.lo[0];
    bias->box.hi[0] = b.hi[0];
    const bool has_weight = tg_layout_place(&l->weight, rank) >= 0;
    c->base.parameters = c->parameter;
    c->base.parameter_count = has_weight + (s->bias && tg_layout_place(&l->bias, rank) >= 0);
}

static ptrdiff_t count_of(const tg_layout *layout, const tg_store *store, int rank)
{
    const tg_box box = tg_layout_held(layout, rank);
    return tg_store_entries(store, &box);
}

static tg_status make_buffers(tgl_convolution_layer *c, const tgl_problem *problem,
                              const tgl_convolution_layouts *l, int rank, ptrdiff_t needed)
{
    static const tg_store row;
    const struct {
        void **buffer;
        bool wanted;
        ptrdiff_t count;
    } rows[] = {{&c->x, c->copy_x, count_of(&l->copies, &problem->store_x, rank)},
                {&c->dx, c->copy_x, count_of(&l->copies, &problem->store_x, rank)},
                {&c->needed, c->halo, needed},
                {&c->dneeded, c->halo, needed},
                {&c->y, c->sum, count_of(&l->partials, &problem->store_y, rank)},
                {&c->weight, c->copy_weight, count_of(&l->weights, &row, rank)},
                {&c->dweight, c->copy_weight, count_of(&l->weights, &row, rank)},
                {&c->bias, c->copy_bias, count_of(&l->biases, &row, rank)},
                {&c->dbias, c->copy_bias, count_of(&l->biases, &row, rank)},
                {&c->parameter[0].value, true, tg_box_count(&c->parameter[0].box)},
                {&c->parameter[0].gradient, true, tg_box_count(&c->parameter[0].box)},
                {&c->parameter[1].value, true, tg_box_count(&c->parameter[1].box)},
                {&c->parameter[1].gradient, true, tg_box_count(&c->parameter[1].box)}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].wanted && !(*rows[i].buffer = tgl_buffer(rows[i].count, c->dtype)))
            return tg_fail(TG_NO_MEMORY, "rank %d has no memory for %td entries of a convolution",
                           rank, rows[i].count);
    return tg_success();
}

/* Everything that one rank does alone, once the operators stand. */
static tg_status make_local(MPI_Comm comm, const tgl_problem *problem,
                            const tgl_convolution_layouts *l, int rank, int place,
                            tgl_convolution_layer *c)
{
    const tgl_convolution_spec *s = problem->spec;
    /* The kernel reads, with a halo, what the rank needs, else the copy that it has. */
    const tg_box own = box_of_copy(l, rank), x = c->halo ? tg_op_y(c->halo) : own,
                 y = tg_layout_held(&l->partials, rank);
    tgl_conv_shape shape = shape_of(s, &x, &y);
    put_boxes(s, l, rank, c);
    tg_status status =
        tg_agree(comm, make_buffers(c, problem, l, rank, tg_store_entries(&problem->store_x, &x)));
    if (status.code != TG_OK)
        return status;
    shape.block_x = problem->store_x.block;
    shape.block_y = problem->store_y.block;
    shape.bias = s->bias && place >= 0 && tg_layout_place(&l->biases, rank) >= 0;
    c->base.flops_forward = place < 0 ? 0
                                      : 2 * (double)shape.batch * (double)shape.out *
                                            (double)tgl_conv_terms(&shape) *
                                            (double)tgl_conv_positions(&shape);
    c->base.flops_backward = 2 * c->base.flops_forward;
    c->base.flops_dx = c->base.flops_forward;
    status = tgl_conv_plan(comm, place < 0 ? NULL : &shape, c->dtype, s->kernels, &c->base.kernels,
                           &c->conv);
    return status.code == TG_OK ? plan_inside(comm, problem, &own, &x, &y, &shape, c) : status;
}

tg_status tgl_convolution_make(MPI_Comm comm, const tgl_problem *problem, tgl_convolution_layer *c)
{
    const tgl_convolution_spec *s = problem->spec;
    tgl_convolution_layouts l = {.x = {.ndim = 0}};
    int rank;
    MPI_Comm_rank(comm, &rank);
    tgl_blas_start();
    tg_status status = tg_agree(comm, tgl_convolution_layouts_of(problem, &l));
    const int place = status.code == TG_OK ? tg_layout_place(&l.copies, rank) : -1;
    if (status.code == TG_OK)
        status = plan_operators(comm, problem, s, &l, place, c);
    if (status.code == TG_OK)
        status = make_local(comm, problem, &l, rank, place, c);
    tgl_convolution_free_layouts(&l);
    return status;
}
