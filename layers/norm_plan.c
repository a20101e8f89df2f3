/* norm_plan.c: the layouts, operators and buffers of batch_norm and layer_norm; see norm.h. Moments and
 * sums travel in f64, whatever the type of x. */
#include "layers/norm.h"

#include <stdlib.h>

enum { MOMENTS = 3, SUMS = 2, PAIR = 2 };

/* ---- layouts, from that of x ---- */

static void set_axis(tg_axis *axis, ptrdiff_t extent, bool copied)
{
    free(axis->cuts);
    *axis = (tg_axis){.extent = extent, .parts = axis->parts, .copied = copied};
}

/* `count` numbers of each group: of each part of it, or one for all its parts, in copies. */
static tg_status layout_of_groups(const tgl_problem *problem, bool of_parts, bool copied, int count,
                                  tg_layout *layout)
{
    const tgl_norm_spec *s = problem->spec;
    tg_status status = tg_layout_copy(&problem->x, layout);
    if (status.code != TG_OK)
        return status;
    for (int d = 0; d < layout->ndim; d++)
        if (s->reduced[d])
            set_axis(&layout->axis[d], of_parts ? layout->axis[d].parts : 1, copied);
    layout->axis[layout->ndim] = (tg_axis){.extent = count, .parts = 1};
    layout->order[layout->ndim] = layout->ndim;
    layout->ndim++;
    return status;
}

static bool is_scaled(const tgl_norm_spec *s, int axis)
{
    return s->reduced[axis] == s->along;
}

/* Scale and shift, as an axis of two in front, on all ranks that use them; or only where they are
 * owned. */
static tg_status layout_of_scales(const tgl_problem *problem, bool owned, tg_layout *layout)
{
    const tgl_norm_spec *s = problem->spec;
    bool kept[TG_MAX_NDIM] = {true};
    tg_status status = tg_layout_copy(&problem->x, layout);
    if (status.code != TG_OK)
        return status;
    for (int d = layout->ndim; d > 0; d--) {
        layout->axis[d] = layout->axis[d - 1];
        layout->order[d] = layout->order[d - 1] + 1;
        kept[d] = is_scaled(s, d - 1);
        if (!kept[d])
            set_axis(&layout->axis[d], 1, true);
    }
    layout->axis[0] = (tg_axis){.extent = PAIR, .parts = 1};
    layout->order[0] = 0;
    layout->ndim++;
    return owned ? tgl_keep_first(layout, kept) : status;
}

/* ---- operators ---- */

static tg_status plan_between(MPI_Comm comm, const char *primitive, const tgl_problem *problem,
                              tg_layout *from, tg_layout *to, tg_status made, tg_op **op)
{
    tg_status status = tg_agree(comm, made);
    if (status.code == TG_OK)
        status = tgl_compose(comm, primitive, problem, from, to, op);
    tg_layout_free(from);
    tg_layout_free(to);
    return status;
}

static tg_status plan_gather(MPI_Comm comm, const tgl_problem *problem, tg_op **op)
{
    tg_layout own = {.ndim = 0}, all = {.ndim = 0};
    tg_status status = layout_of_groups(problem, true, false, MOMENTS, &own);
    if (status.code == TG_OK)
        status = layout_of_groups(problem, true, true, MOMENTS, &all);
    return plan_between(comm, "all_gather", problem, &own, &all, status, op);
}

static tg_status plan_sum(MPI_Comm comm, const tgl_problem *problem, tg_op **op)
{
    tg_layout sums = {.ndim = 0}, none = {.ndim = 0};
    tg_status status = layout_of_groups(problem, false, true, SUMS, &sums);
    return plan_between(comm, "all_sum_reduce", problem, &sums, &none, status, op);
}

static tg_status plan_copy(MPI_Comm comm, const tgl_problem *problem, tg_op **op)
{
    tg_layout owned = {.ndim = 0}, used = {.ndim = 0};
    tg_status status = layout_of_scales(problem, true, &owned);
    if (status.code == TG_OK)
        status = layout_of_scales(problem, false, &used);
    return plan_between(comm, "broadcast", problem, &owned, &used, status, op);
}

static tg_status plan_operators(MPI_Comm comm, const tgl_problem *problem, tgl_norm_layer *n)
{
    const tgl_problem wide = {.ranks = problem->ranks,
                              .x = problem->x,
                              .dtype = tg_dtype_find("f64"),
                              .algorithm = problem->algorithm,
                              .spec = problem->spec};
    tg_status status = tg_success();
    if (!n->spec->applies)
        status = plan_gather(comm, &wide, &n->gather);
    if (status.code == TG_OK)
        status = plan_sum(comm, &wide, &n->sum);
    if (status.code == TG_OK && n->spec->scales)
        status = plan_copy(comm, problem, &n->copy);
    if (status.code == TG_OK && (n->spec->applies || n->spec->keeps))
        status = plan_copy(comm, problem, &n->copy_running);
    return status;
}

/* ---- this rank's part ---- */

/* x of this rank as rows of the groups: the reduced axes behind the last axis of the groups are a
 * row, those in front of the first one repeat the groups. */
static void count_rows(const tgl_problem *problem, const tg_box *x, tgl_norm_layer *n)
{
    const tgl_norm_spec *s = n->spec;
    ptrdiff_t outer = 1;
    int d = x->ndim - 1;
    n->length = n->groups = 1;
    n->outer = n->inner = 1;
    n->count = 1;
    for (int i = 0; i < x->ndim; i++)
        n->count *= s->reduced[i] ? (double)problem->x.axis[i].extent : 1;
    for (; d >= 0 && s->reduced[d]; d--) {
        n->length *= x->hi[d] - x->lo[d];
        n->inner *= problem->x.axis[d].parts;
    }
    for (; d >= 0 && !s->reduced[d]; d--)
        n->groups *= x->hi[d] - x->lo[d];
    for (; d >= 0; d--) {
        outer *= x->hi[d] - x->lo[d];
        n->outer *= problem->x.axis[d].parts;
    }
    n->rows = outer * n->groups;
    n->scale_count = s->along ? n->length : n->groups;
}

/* Scale, shift and the running statistics of a rank that owns them: two of each buffer. */
static void put_parameters(const tg_box *x, tgl_norm_layer *n)
{
    static const char *const names[] = {"scale", "shift", "running_mean", "running_var"};
    static const double starts[] = {1, 0, 0, 1};
    const size_t half = (size_t)n->scale_count * n->dtype->size;
    for (int i = 0; i < TGL_NORM_PARAMETERS; i++) {
        const bool runs = i >= TGL_RUNNING_MEAN;
        char *value = runs ? n->running : n->owned, *gradient = n->downed;
        tgl_parameter *p = &n->parameter[n->base.parameter_count];
        if (!n->owns || !(runs ? n->spec->keeps || n->spec->applies : n->spec->scales))
            continue;
        *p = (tgl_parameter){.name = names[i],
                             .number = i,
                             .start = starts[i],
                             .value = value + (i % 2 ? half : 0),
                             .gradient = runs ? NULL : gradient + (i % 2 ? half : 0)};
        for (int d = 0; d < x->ndim; d++)
            if (is_scaled(n->spec, d)) {
                p->box.lo[p->box.ndim] = x->lo[d];
                p->box.hi[p->box.ndim++] = x->hi[d];
            }
        n->base.parameter_count++;
    }
    n->base.parameters = n->parameter;
}

/* Values before anything is trained, on every rank: without copies nothing else brings them. */
static void put_starts(const tgl_norm_layer *n)
{
    for (ptrdiff_t i = 0; i < n->scale_count; i++) {
        n->dtype->put(n->owned, i, 1);
        n->dtype->put(n->running, n->scale_count + i, 1);
    }
}

static tg_status make_buffers(tgl_norm_layer *n)
{
    const tg_dtype *wide = tg_dtype_find("f64");
    const ptrdiff_t pair = PAIR * n->scale_count;
    n->own = tgl_buffer(MOMENTS * n->groups, wide);
    n->all = tgl_buffer(MOMENTS * n->groups * n->outer * n->inner, wide);
    n->mean = tgl_buffer(n->groups, wide);
    n->inverse = tgl_buffer(n->groups, wide);
    n->sums = tgl_buffer(SUMS * n->groups, wide);
    n->totals = tgl_buffer(SUMS * n->groups, wide);
    n->gradient = tgl_buffer(pair, wide);
    n->owned = tgl_buffer(pair, n->dtype);
    n->downed = tgl_buffer(pair, n->dtype);
    n->running = tgl_buffer(pair, n->dtype);
    n->used = n->copy ? tgl_buffer(pair, n->dtype) : n->owned;
    n->dused = n->copy ? tgl_buffer(pair, n->dtype) : n->downed;
    n->running_used = n->copy_running ? tgl_buffer(pair, n->dtype) : n->running;
    const void *all[] = {n->own,    n->all,      n->mean,        n->inverse, n->sums,
                         n->totals, n->gradient, n->owned,       n->downed,  n->running,
                         n->used,   n->dused,    n->running_used};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!all[i])
            return tg_fail(TG_NO_MEMORY, "no memory for %td groups to normalise", n->groups);
    put_starts(n);
    return tg_success();
}

void tgl_norm_free_buffers(tgl_norm_layer *n)
{
    if (n->copy) {
        free(n->used);
        free(n->dused);
    }
    if (n->copy_running)
        free(n->running_used);
    void *buffers[] = {n->own,    n->all,      n->mean,  n->inverse, n->sums,
                       n->totals, n->gradient, n->owned, n->downed,  n->running};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        free(buffers[i]);
}

static bool owns_scales(const tgl_problem *problem, int rank)
{
    const int place = tg_layout_place(&problem->x, rank);
    int coords[TG_MAX_NDIM];
    bool owns = place >= 0;
    if (owns)
        tg_layout_coords(&problem->x, place, coords);
    for (int d = 0; owns && d < problem->x.ndim; d++)
        owns = is_scaled(problem->spec, d) || coords[d] == 0;
    return owns;
}

tg_status tgl_norm_make(MPI_Comm comm, const tgl_problem *problem, tgl_norm_layer *n)
{
    int rank;
    MPI_Comm_rank(comm, &rank);
    const tg_box x = tg_layout_held(&problem->x, rank);
    n->row_of_type = n->dtype->size == sizeof(float) ? &tgl_norm_rows_f32 : &tgl_norm_rows_f64;
    n->owns = owns_scales(problem, rank);
    count_rows(problem, &x, n);
    n->base.flops_forward = TGL_NORM_FLOPS * (double)tg_box_count(&x);
    n->base.flops_backward = TGL_NORM_FLOPS_BACKWARD * (double)tg_box_count(&x);
    tg_status status = plan_operators(comm, problem, n);
    if (status.code == TG_OK)
        status = tg_agree(comm, make_buffers(n));
    if (status.code == TG_OK)
        put_parameters(&x, n);
    return status;
}
