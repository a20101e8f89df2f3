/* gathered.c: who has which block of a whole box.
 *
 * Blocks that do not follow each other in the whole box are packed, each in the sequence that its
 * two stores give. */
#include "primitives/gathered.h"

#include <stdlib.h>

void tg_gathered_free(tg_gathered *g)
{
    free(g->ranks);
    free(g->starts);
    for (int i = 0; g->blocks && i < g->size; i++)
        free(g->blocks[i].block);
    free(g->blocks);
    free(g->own.block);
    free(g->clear.block);
}

static int ascending(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* The ranks that tg_layout_ranks_at gives, ascending. */
static int ranks_at(const tg_layout *layout, const int coords[TG_MAX_NDIM],
                    const bool fixed[TG_MAX_NDIM], int *ranks)
{
    const int total = tg_layout_ranks_at(layout, coords, fixed, ranks);
    bool sorted = true; /* they mostly are */
    for (int i = 1; i < total; i++)
        sorted = sorted && ranks[i - 1] < ranks[i];
    if (!sorted)
        qsort(ranks, (size_t)total, sizeof *ranks, ascending);
    return total;
}

/* The sequence in which the block of a rank travels. */
static tg_order order_of(const tg_problem *problem, const tg_gathered *g, int owner, int rank,
                         const tg_box *box)
{
    const tg_space own = g->whole == TG_X ? TG_Y : TG_X;
    tg_view view[2];
    view[g->whole] = tg_view_of(problem, g->whole, owner);
    view[own] = tg_view_of(problem, own, rank);
    return tg_order_of(&view[TG_X], box, &view[TG_Y], box);
}

/* Who has which block of the whole box: its boxes come from `part_of`. owner: a rank that has the
 * whole box. */
static tg_status find_blocks(tg_gathered *g, const tg_problem *problem, tg_op *op, int owner,
                             const tg_layout *parts,
                             tg_box (*part_of)(const tg_layout *layout, int rank))
{
    const ptrdiff_t size = (ptrdiff_t)op->dtype->size;
    g->starts = tg_keep(op, (g->size + 1) * (ptrdiff_t)sizeof *g->starts);
    g->blocks = tg_keep(op, g->size * (ptrdiff_t)sizeof *g->blocks);
    if (!g->starts || !g->blocks)
        return tg_check_memory(NULL, g->size * (ptrdiff_t)sizeof *g->blocks);
    g->in_order = !op->in_place;
    for (int i = 0; i < g->size; i++) {
        tg_box box = part_of(parts, g->ranks[i]);
        g->starts[i + 1] = g->starts[i] + tg_box_count(&box);
        if (!g->has_whole || g->starts[i + 1] == g->starts[i])
            continue;
        const tg_order order = order_of(problem, g, owner, g->ranks[i], &box);
        tg_status status = tg_keep_blocks(op, &op->view[g->whole], &box, &order, &g->blocks[i]);
        if (status.code != TG_OK)
            return status;
        ptrdiff_t begin = g->blocks[i].block->offset - g->starts[i] * size;
        if (g->starts[i] == 0)
            g->begin = begin;
        g->in_order = g->in_order && tg_blocks_contiguous(&g->blocks[i]) && begin == g->begin;
    }
    return tg_success();
}

/* This rank's own block, and what it clears in place. */
static tg_status find_own(tg_gathered *g, const tg_problem *problem, tg_op *op, int owner)
{
    const tg_space own = g->whole == TG_X ? TG_Y : TG_X;
    const tg_order order = order_of(problem, g, owner, op->rank, &g->own_box);
    tg_box x = tg_layout_held(&problem->x, op->rank), y = tg_layout_held(&problem->y, op->rank);
    g->own_count = tg_box_count(&g->own_box);
    while (g->ranks[g->me] != op->rank)
        g->me++;
    tg_status status = tg_keep_blocks(op, &op->view[own], &g->own_box, &order, &g->own);
    if (status.code == TG_OK && op->in_place)
        status = tg_keep_except(op, &op->view[own], &y, &x, &g->clear);
    return status;
}

tg_status tg_find_scattered(const tg_problem *problem, tg_op *op, tg_gathered *g, int *root)
{
    const tg_layout *x = &problem->x, *y = &problem->y;
    const bool fixed[TG_MAX_NDIM] = {false};
    const int coords[TG_MAX_NDIM] = {0};
    int owner = tg_layout_rank(x, 0);
    g->whole = TG_X;
    g->has_whole = op->rank == owner;
    g->own_box = tg_layout_held(y, op->rank);
    g->ranks = tg_keep(op, (tg_layout_size(y) + 1) * (ptrdiff_t)sizeof *g->ranks);
    if (!g->ranks)
        return tg_check_memory(NULL, tg_layout_size(y));
    g->size = ranks_at(y, coords, fixed, g->ranks);
    if (tg_layout_place(y, owner) < 0) {
        g->ranks[g->size++] = owner;
        qsort(g->ranks, (size_t)g->size, sizeof *g->ranks, ascending);
    }
    tg_status status = find_blocks(g, problem, op, owner, y, tg_layout_held);
    if (status.code == TG_OK)
        status = find_own(g, problem, op, owner);
    for (int i = 0; i < g->size; i++)
        if (g->ranks[i] == owner)
            *root = i;
    return status;
}

/* Axes on which x and y are split alike: ranks of a group agree on their coordinates there. */
static void split_axes(const tg_layout *y, bool fixed[TG_MAX_NDIM])
{
    for (int a = 0; a < y->ndim; a++)
        fixed[a] = !y->axis[a].copied;
}

/* The group of this rank's y, and what each of its ranks has of x. */
static tg_status find_group(const tg_problem *problem, tg_op *op, bool whole, tg_gathered *g)
{
    const tg_layout *x = &problem->x, *y = &problem->y;
    bool fixed[TG_MAX_NDIM] = {false};
    int coords[TG_MAX_NDIM];
    split_axes(y, fixed);
    tg_layout_coords(y, tg_layout_place(y, op->rank), coords);
    g->whole = TG_Y;
    g->has_whole = whole;
    g->own_box = tg_layout_held(x, op->rank);
    g->ranks = tg_keep(op, tg_layout_size(y) * (ptrdiff_t)sizeof *g->ranks);
    if (!g->ranks)
        return tg_check_memory(NULL, tg_layout_size(y));
    g->size = ranks_at(y, coords, fixed, g->ranks);
    return find_blocks(g, problem, op, op->rank, x, tg_layout_owned);
}

tg_status tg_find_gathered(const tg_problem *problem, tg_op *op, tg_gathered *g)
{
    const tg_status status = find_group(problem, op, true, g);
    return status.code == TG_OK ? find_own(g, problem, op, op->rank) : status;
}

tg_status tg_find_gathered_ranks(const tg_problem *problem, tg_op *op, tg_gathered *g)
{
    const tg_status status = find_group(problem, op, false, g);
    while (status.code == TG_OK && g->ranks[g->me] != op->rank)
        g->me++;
    return status;
}

tg_status tg_same_ranks_here(const tg_problem *problem, const tg_op *op, bool *same)
{
    const tg_layout *sides[2] = {&problem->x, &problem->y};
    bool fixed[TG_MAX_NDIM] = {false};
    split_axes(&problem->y, fixed);
    *same = true;
    for (tg_space space = TG_X; space <= TG_Y; space++) {
        int place = tg_layout_place(sides[space], op->rank), coords[TG_MAX_NDIM];
        if (place < 0)
            continue;
        int *x = malloc((size_t)tg_layout_size(sides[TG_X]) * sizeof *x);
        int *y = malloc((size_t)tg_layout_size(sides[TG_Y]) * sizeof *y);
        if (!x || !y) {
            free(x);
            free(y);
            return tg_check_memory(NULL, tg_layout_size(sides[TG_X]));
        }
        tg_layout_coords(sides[space], place, coords);
        int nx = ranks_at(sides[TG_X], coords, fixed, x),
            ny = ranks_at(sides[TG_Y], coords, fixed, y);
        *same = *same && nx == ny;
        for (int i = 0; *same && i < nx; i++)
            *same = x[i] == y[i];
        free(x);
        free(y);
    }
    return tg_success();
}

tg_status tg_same_ranks(const tg_problem *problem, const tg_op *op, bool *same)
{
    tg_status status = tg_agree(op->comm, tg_same_ranks_here(problem, op, same));
    if (status.code == TG_OK)
        MPI_Allreduce(MPI_IN_PLACE, same, 1, MPI_C_BOOL, MPI_LAND, op->comm);
    return status;
}

void tg_gathered_pack(const tg_gathered *g, const tg_op *op, const void *whole, char *packed)
{
    for (int i = 0; i < g->size; i++)
        tg_blocks_pack(&g->blocks[i], whole, packed + g->starts[i] * (ptrdiff_t)op->dtype->size);
}

void tg_gathered_unpack(const tg_gathered *g, const tg_op *op, const char *packed, void *whole)
{
    for (int i = 0; i < g->size; i++)
        tg_blocks_unpack(&g->blocks[i], packed + g->starts[i] * (ptrdiff_t)op->dtype->size, whole);
}
