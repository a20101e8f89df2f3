/* memory.c: the operators on the memory regions of one worker. Axis 0 of the tensor counts the
 * regions, a = 0 and b = 1, and is never split; nothing crosses between ranks.
 *
 *   y_r = sum over c of M[r][c] x_c        adjoint: x_c = sum over r of M[r][c] y_r
 *
 *            allocate   deallocate   clear   add a->b   copy a->b   move a->b
 *       M    | 1 |      | 1 0 |     | 1 0 |  | 1 0 |    | 1 0 |     | 0 0 |
 *            | 0 |                  | 0 0 |  | 1 1 |    | 1 0 |     | 1 0 |
 *
 * In place these are the operators of the paper: x and y are the same regions.
 * Source: Hewett and Grady, arXiv 2006.03108, section 2. */
#include "primitives/op.h"
#include "primitives/rules.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct {
    const tg_regions *map;
    tg_blocks x[TG_REGIONS][TG_REGIONS]; /* x[r][c] and y[r][c]: region c of x and region r of y, */
    tg_blocks y[TG_REGIONS][TG_REGIONS]; /* as a pair that can be walked together */
} memory;

/* Does region `out` of the side that is made read region `in` of the other? */
static bool reads(const memory *m, tg_space to, int out, int in)
{
    return to == TG_Y ? m->map->adds[out][in] : m->map->adds[in][out];
}

/* One region of the output: the sum of those it reads. In place it stands there already if it reads
 * itself. */
static void make_region(const tg_op *op, tg_space to, int r, const void *in, void *out)
{
    const memory *m = op->state;
    const int inputs = to == TG_Y ? m->map->of_x : m->map->of_y;
    bool made = op->in_place && r < inputs && reads(m, to, r, r);
    for (int c = 0; c < inputs; c++) {
        const tg_blocks *source = to == TG_Y ? &m->x[r][c] : &m->y[c][r];
        const tg_blocks *target = to == TG_Y ? &m->y[r][c] : &m->x[c][r];
        if (!reads(m, to, r, c) || (op->in_place && c == r))
            continue;
        if (made)
            tg_blocks_add_blocks(source, in, target, out, op->dtype);
        else
            tg_blocks_copy(source, in, target, out);
        made = true;
    }
    if (!made)
        tg_blocks_clear(to == TG_Y ? &m->y[r][0] : &m->x[0][r], out);
}

static void run(tg_op *op, tg_space to, const void *in, void *out)
{
    const memory *m = op->state;
    const int outputs = to == TG_Y ? m->map->of_y : m->map->of_x;
    /* In place a region is read before it is written. No operator exchanges two. */
    bool b_first = outputs == 2 && reads(m, to, 1, 0);
    for (int i = 0; i < outputs; i++)
        make_region(op, to, b_first ? 1 - i : i, in, out);
    for (int r = m->map->of_x; op->in_place && to == TG_X && r < m->map->of_y; r++)
        tg_blocks_clear(&m->y[r][0], out);
}

static void release(tg_op *op)
{
    memory *m = op->state;
    for (int r = 0; r < TG_REGIONS; r++)
        for (int c = 0; c < TG_REGIONS; c++) {
            free(m->x[r][c].block);
            free(m->y[r][c].block);
        }
    free(m);
}

/* The part of a held box that is region r. */
static tg_box region_of(const tg_layout *layout, int rank, int r)
{
    tg_box held = tg_layout_held(layout, rank), region = held;
    region.lo[0] = r;
    region.hi[0] = r + 1;
    return tg_box_intersect(&held, &region);
}

static tg_status plan_pairs(const tg_problem *problem, tg_op *op, memory *m)
{
    tg_status status = tg_success();
    for (int r = 0; r < m->map->of_y; r++)
        for (int c = 0; c < m->map->of_x && status.code == TG_OK; c++) {
            tg_box x = region_of(&problem->x, op->rank, c);
            tg_box y = region_of(&problem->y, op->rank, r);
            status = tg_keep_pair(op, &op->view[TG_X], &x, &op->view[TG_Y], &y, &m->x[r][c],
                                  &m->y[r][c]);
        }
    return status;
}

static tg_status plan(const tg_problem *problem, tg_op *op)
{
    memory *m = tg_keep(op, (ptrdiff_t)sizeof *m);
    tg_status status = tg_check_memory(m, (ptrdiff_t)sizeof *m);
    tg_set_messages(op, 0);
    if (m) {
        m->map = problem->primitive->regions;
        op->state = m;
        op->run = run;
        op->release = release;
        status = plan_pairs(problem, op, m);
    }
    return tg_agree(op->comm, status);
}

/* ---- rows ---- */

/* One layout, but for the number of regions. */
static tg_status check(const tg_layout *x, const tg_layout *y)
{
    tg_status status = tg_check_no_copies(x, "grid");
    if (status.code == TG_OK && x->axis[0].parts != 1) {
        char grid[64];
        tg_layout_print_grid(x, grid, sizeof grid);
        return tg_fail(TG_BAD_INPUT,
                       "grid=%s: axis 0 counts memory regions; expected one part of it", grid);
    }
    tg_layout same = *y;
    same.axis[0] = x->axis[0];
    if (status.code == TG_OK && !tg_layout_equal(x, &same))
        status = tg_fail(TG_BAD_INPUT, "grid: x and y differ; expected one layout for both");
    return status;
}

/* All regions on each rank; the other axes in parts as near to cubes as P allows. */
static void auto_grid(const ptrdiff_t *extent, int ndim, int P, bool to, char *text, size_t size)
{
    char rest[16 * TG_MAX_NDIM];
    if (ndim == 1) {
        tg_grid_ones(extent, ndim, P, to, text, size);
        return;
    }
    tg_grid_blocks(extent + 1, ndim - 1, P, to, rest, sizeof rest);
    snprintf(text, size, "1x%s", rest);
}

static tg_status traffic(const tg_layout *x, const tg_layout *y, tg_traffic *result)
{
    (void)x, (void)y;
    *result = (tg_traffic){0, 0};
    return tg_success();
}

static const tg_algorithm reference = {"reference", "copies and additions in memory", plan, NULL};
static const tg_algorithm *const algorithms[] = {&reference, NULL};

#define SHARED                                                                                     \
    .source = "arXiv 2006.03108, section 2", .check = check, .auto_grid = auto_grid,               \
    .traffic = traffic, .algorithms = algorithms

static const tg_regions to_allocate = {
    .of_x = 1, .of_y = 2, .adds = {{true, false}, {false, false}}};
static const tg_regions to_deallocate = {
    .of_x = 2, .of_y = 1, .adds = {{true, false}, {false, false}}};
static const tg_regions to_clear = {.of_x = 2, .of_y = 2, .adds = {{true, false}, {false, false}}};
static const tg_regions to_add = {.of_x = 2, .of_y = 2, .adds = {{true, false}, {true, true}}};
static const tg_regions to_copy = {.of_x = 2, .of_y = 2, .adds = {{true, false}, {true, false}}};
static const tg_regions to_move = {.of_x = 2, .of_y = 2, .adds = {{false, false}, {true, false}}};

extern const tg_primitive tg_memory_allocate, tg_memory_deallocate, tg_memory_clear, tg_memory_add,
    tg_memory_copy, tg_memory_move;

const tg_primitive tg_memory_allocate = {
    .name = "allocate",
    .summary = "a second memory region of zeros behind the first",
    .formula = "y_a = x_a, y_b = 0",
    .adjoint = "x_a = y_a: deallocate",
    .regions = &to_allocate,
    SHARED,
};

const tg_primitive tg_memory_deallocate = {
    .name = "deallocate",
    .summary = "the first of two memory regions, the second is dropped",
    .formula = "y_a = x_a",
    .adjoint = "x_a = y_a, x_b = 0: allocate",
    .regions = &to_deallocate,
    SHARED,
};

const tg_primitive tg_memory_clear = {
    .name = "clear",
    .summary = "zeros in the second memory region",
    .formula = "y_a = x_a, y_b = 0",
    .adjoint = "the same",
    .regions = &to_clear,
    SHARED,
};

const tg_primitive tg_memory_add = {
    .name = "add",
    .summary = "the first memory region added to the second",
    .formula = "y_a = x_a, y_b = x_a + x_b",
    .adjoint = "x_a = y_a + y_b, x_b = y_b: add from b to a",
    .regions = &to_add,
    SHARED,
};

const tg_primitive tg_memory_copy = {
    .name = "copy",
    .summary = "the first memory region copied to the second",
    .formula = "y_a = x_a, y_b = x_a",
    .adjoint = "x_a = y_a + y_b, x_b = 0",
    .regions = &to_copy,
    SHARED,
};

const tg_primitive tg_memory_move = {
    .name = "move",
    .summary = "the first memory region moved to the second",
    .formula = "y_a = 0, y_b = x_a",
    .adjoint = "x_a = y_b, x_b = 0: move from b to a",
    .regions = &to_move,
    SHARED,
};
