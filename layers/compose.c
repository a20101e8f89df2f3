/* compose.c: the operators that layers are made of, from the primitives' rows. */
#include "layers/layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_copies(const tg_layout *layout)
{
    bool copies = false;
    for (int d = 0; d < layout->ndim; d++)
        copies = copies || (layout->axis[d].copied && layout->axis[d].parts > 1);
    return copies;
}

/* Does every rank hold in `to` what it owns in `from`, in the same order in memory? Both grids are
 * then without copies, on the same ranks, and their axes are split alike. */
static bool same_places(const tg_layout *from, const tg_layout *to)
{
    int size = tg_layout_size(from);
    bool same = size == tg_layout_size(to) && !has_copies(from);
    for (int place = 0; same && place < size; place++) {
        int rank = tg_layout_rank(from, place);
        tg_box a = tg_layout_held(from, rank), b = tg_layout_held(to, rank);
        same = tg_layout_place(to, rank) >= 0 && tg_box_equal(&a, &b);
    }
    return same;
}

tg_status tgl_compose(MPI_Comm comm, const char *primitive, const tgl_problem *problem,
                      const tg_layout *from, const tg_layout *to, tg_op **op)
{
    static const tg_store row;
    return tgl_compose_stores(comm, primitive, problem, from, &row, to, &row, op);
}

tg_status tgl_compose_stores(MPI_Comm comm, const char *primitive, const tgl_problem *problem,
                             const tg_layout *from, const tg_store *store_from, const tg_layout *to,
                             const tg_store *store_to, tg_op **op)
{
    const tg_primitive *row = tg_primitive_find(primitive);
    tg_problem made = {.primitive = row,
                       .dtype = problem->dtype,
                       .algorithm = tg_algorithm_find(row, problem->algorithm),
                       .store_x = *store_from,
                       .store_y = *store_to};
    tg_status status =
        tg_primitive_layouts(row, from, row->two_layouts ? to : NULL, &made.x, &made.y);
    bool same = status.code == TG_OK && same_places(&made.x, &made.y) &&
                tg_store_equal(store_from, store_to);
    *op = NULL;
    status = tg_agree(comm, status);
    if (status.code == TG_OK)
        status = tg_plan(comm, &made, op);
    tg_layout_free(&made.x);
    tg_layout_free(&made.y);
    if (status.code == TG_OK && same) /* planned all the same: it tells whether the ranks agree */
        tg_free(op);
    return status;
}

/* ---- operators that may be missing ---- */

void tgl_op_apply(tg_op *op, const void *x, void *y)
{
    if (op)
        tg_apply(op, x, y);
}

void tgl_op_apply_adjoint(tg_op *op, const void *y, void *x)
{
    if (op)
        tg_apply_adjoint(op, (void *)y, x);
}

void tgl_op_start(tg_op *op, const void *x, void *y)
{
    if (op)
        tg_start(op, x, y);
}

void tgl_op_start_adjoint(tg_op *op, const void *y, void *x)
{
    if (op)
        tg_start_adjoint(op, (void *)y, x);
}

void tgl_op_finish(tg_op *op)
{
    if (op)
        tg_finish(op);
}

/* ---- buffers and layouts ---- */

void *tgl_buffer(ptrdiff_t count, const tg_dtype *dtype)
{
    enum { ALIGNMENT = 64 };
    ptrdiff_t size;
    if (__builtin_mul_overflow((ptrdiff_t)dtype->size, count, &size) ||
        size > PTRDIFF_MAX - ALIGNMENT)
        return NULL;
    size_t rounded = ((size_t)size / ALIGNMENT + 1) * ALIGNMENT;
    void *buffer = aligned_alloc(ALIGNMENT, rounded);
    if (buffer)
        memset(buffer, 0, rounded);
    return buffer;
}

tg_status tgl_keep_first(tg_layout *layout, const bool kept[TG_MAX_NDIM])
{
    const int first[TG_MAX_NDIM] = {0};
    bool fixed[TG_MAX_NDIM] = {false};
    int *ranks = malloc((size_t)tg_layout_size(layout) * sizeof *ranks);
    if (!ranks)
        return tg_fail(TG_NO_MEMORY, "no memory for a list of ranks");
    for (int d = 0; d < layout->ndim; d++)
        fixed[d] = !kept[d];
    const int count = tg_layout_ranks_at(layout, first, fixed, ranks);
    for (int d = 0; d < layout->ndim; d++)
        if (!kept[d]) {
            free(layout->axis[d].cuts);
            layout->axis[d] = (tg_axis){.extent = layout->axis[d].extent, .parts = 1};
        }
    tg_status status = tg_layout_set_ranks(layout, ranks, count);
    free(ranks);
    return status;
}

tg_status tgl_loss_layout(const tg_layout *x, int P, int count, int stride, tg_layout *layout)
{
    enum { ITEM = 12 };
    char grid[ITEM + 1], *ranks = malloc((size_t)count * ITEM + 1);
    size_t used = 0;
    for (int i = 0; ranks && i < count; i++)
        used += (size_t)snprintf(ranks + used, ITEM + 1, "%s%d", i ? "," : "",
                                 tg_layout_rank(x, i * stride));
    if (!ranks)
        return tg_fail(TG_NO_MEMORY, "no memory for a list of ranks");
    snprintf(grid, sizeof grid, count > 1 ? "%dc" : "%d", count);
    tg_status status = tg_layout_parse(
        &(tg_layout_words){.shape = "1", .grid = grid, .ranks = ranks}, P, 0, layout);
    free(ranks);
    return status;
}
