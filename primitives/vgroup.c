/* vgroup.c: MPI_Scatterv, MPI_Gatherv, MPI_Allgatherv and MPI_Reduce_scatter on blocks of a
 * tensor.
 *
 * One side of a group has a whole box (the root's x, every copy of y), the other has its blocks,
 * dense. Blocks that do not follow each other in the whole box are packed; the order of the
 * blocks is that of the ranks. These calls have tables of int: a whole box with more entries than
 * one holds is left to MPI_Alltoallw, whose types have no such limit.
 * Source: Hewett and Grady, arXiv 2006.03108, section 3: gather and scatter are each other's
 * adjoints. */
#include "primitives/vgroup.h"

#include "primitives/count.h"
#include "primitives/exchange.h"

#include <stdlib.h>

typedef struct {
    tg_group *shared; /* NULL: this rank takes no part */
    MPI_Comm comm;    /* of shared */
    int root;         /* of scatterv, in comm */
    bool has_whole;   /* this rank has the whole box */
    tg_space whole;   /* on which side the whole box is */
    int *ranks;       /* of op->comm, in the group, ascending */
    int size;
    int *counts, *starts; /* entries of each rank's block, in the order of the ranks */
    tg_block *blocks;     /* where each rank's block lies in the whole box; run_bytes 0: empty */
    bool in_order;        /* the blocks follow each other in the whole box: no packing */
    char *packed;         /* the whole box, block by block */
    int own_count;        /* entries of this rank's block */
    tg_box own;           /* this rank's block */
    char *own_packed;     /* in place: this rank's block on its way */
    tg_box region[2];     /* this rank's entries of x and of y */
} vgroup;

static void release_vgroup(tg_op *op)
{
    vgroup *g = op->state;
    tg_group_drop(g->shared);
    free(g->ranks);
    free(g->counts);
    free(g->starts);
    free(g->blocks);
    free(g->packed);
    free(g->own_packed);
    free(g);
}

/* ---- planning: local part ---- */

static int ascending(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* The ranks that tg_layout_ranks_at gives, ascending. */
static int ranks_at(const tg_layout *layout, const int coords[TG_MAX_NDIM],
                    const bool fixed[TG_MAX_NDIM], int *ranks)
{
    int total = tg_layout_ranks_at(layout, coords, fixed, ranks);
    qsort(ranks, (size_t)total, sizeof *ranks, ascending);
    return total;
}

/* The group's communicator and tables, sized by g->size. */
static tg_status allocate_group(vgroup *g, tg_op *op, ptrdiff_t whole_entries)
{
    ptrdiff_t size = g->size;
    ptrdiff_t whole_bytes = whole_entries * (ptrdiff_t)op->dtype->size;
    ptrdiff_t own_bytes = tg_box_count(&g->own) * (ptrdiff_t)op->dtype->size;
    g->shared = tg_group_get(op->shared, g->ranks, g->size);
    g->counts = tg_keep(op, size * (ptrdiff_t)sizeof *g->counts);
    g->starts = tg_keep(op, size * (ptrdiff_t)sizeof *g->starts);
    g->blocks = tg_keep(op, size * (ptrdiff_t)sizeof *g->blocks);
    g->packed = tg_keep(op, g->has_whole ? whole_bytes : 0);
    g->own_packed = tg_keep(op, op->in_place ? own_bytes : 0);
    if (!g->shared || !g->counts || !g->starts || !g->blocks || !g->packed || !g->own_packed)
        return tg_check_memory(NULL, whole_bytes);
    g->own_count = (int)tg_box_count(&g->own);
    return tg_success();
}

/* Who has which block of the whole box, whose entries fit into an int: its boxes come from
 * `part_of`. */
static void find_blocks(vgroup *g, const tg_op *op, const tg_layout *parts,
                        tg_box (*part_of)(const tg_layout *layout, int rank))
{
    int entries = 0;
    g->in_order = !op->in_place;
    for (int i = 0; i < g->size; i++) {
        tg_box box = part_of(parts, g->ranks[i]);
        g->counts[i] = (int)tg_box_count(&box);
        g->starts[i] = entries;
        entries += g->counts[i];
        if (!g->has_whole)
            continue;
        g->blocks[i] = tg_block_of(&op->box[g->whole], &box, op->dtype->size);
        bool follows = tg_block_contiguous(&g->blocks[i]) &&
                       g->blocks[i].offset == g->starts[i] * (ptrdiff_t)op->dtype->size;
        g->in_order = g->in_order && (g->counts[i] == 0 || follows);
    }
}

static vgroup *new_vgroup(const tg_problem *problem, tg_op *op)
{
    vgroup *g = tg_keep(op, (ptrdiff_t)sizeof *g);
    if (!g)
        return NULL;
    g->comm = MPI_COMM_NULL;
    g->region[TG_X] = tg_layout_held(&problem->x, op->rank);
    g->region[TG_Y] = tg_layout_held(&problem->y, op->rank);
    op->state = g;
    op->release = release_vgroup;
    return g;
}

/* ---- running ---- */

/* Where a rank's block stands in the packed whole. */
static char *packed_at(const vgroup *g, const tg_op *op, int i)
{
    return g->packed + g->starts[i] * (ptrdiff_t)op->dtype->size;
}

static void *pack_blocks(const vgroup *g, const tg_op *op, const void *whole)
{
    if (g->in_order || !g->has_whole)
        return (void *)(uintptr_t)whole;
    for (int i = 0; i < g->size; i++)
        if (g->counts[i] > 0)
            tg_block_pack(&g->blocks[i], whole, packed_at(g, op, i));
    return g->packed;
}

static void unpack_blocks(const vgroup *g, const tg_op *op, void *whole)
{
    for (int i = 0; !g->in_order && g->has_whole && i < g->size; i++)
        if (g->counts[i] > 0)
            tg_block_unpack(&g->blocks[i], packed_at(g, op, i), whole);
}

static tg_block own_block(const vgroup *g, const tg_op *op)
{
    return tg_block_of(&op->box[TG_X], &g->own,
                       op->dtype->size); /* in place both sides have one box */
}

/* This rank's block where MPI finds it: the user's buffer, or in place a packed copy. */
static const void *own_in(const vgroup *g, const tg_op *op, const void *in)
{
    if (!op->in_place)
        return in;
    tg_block block = own_block(g, op);
    tg_block_pack(&block, in, g->own_packed);
    return g->own_packed;
}

/* In place: the block has arrived; towards x the entries of y that are no entries of x are cleared
 * first. */
static void own_out(const vgroup *g, const tg_op *op, tg_space to, void *out)
{
    tg_block block = own_block(g, op);
    if (to == TG_X)
        tg_clear_except(&op->box[TG_X], &g->region[TG_Y], &g->own, op->dtype->size, out);
    tg_block_unpack(&block, g->own_packed, out);
}

static void run_scatterv(tg_op *op, tg_space to, const void *in, void *out)
{
    const vgroup *g = op->state;
    MPI_Datatype type = op->dtype->mpi();
    if (g->comm == MPI_COMM_NULL)
        return;
    if (to == TG_Y) {
        const void *whole = pack_blocks(g, op, in);
        MPI_Scatterv(whole, g->counts, g->starts, type, op->in_place ? (void *)g->own_packed : out,
                     g->own_count, type, g->root, g->comm);
        if (op->in_place)
            own_out(g, op, TG_Y, out);
        return;
    }
    MPI_Gatherv(own_in(g, op, in), g->own_count, type, g->in_order ? out : (void *)g->packed,
                g->counts, g->starts, type, g->root, g->comm);
    if (op->in_place)
        tg_clear_except(&op->box[TG_X], &g->region[TG_Y], &g->region[TG_X], op->dtype->size, out);
    unpack_blocks(g, op, out);
}

static void run_allgatherv(tg_op *op, tg_space to, const void *in, void *out)
{
    const vgroup *g = op->state;
    MPI_Datatype type = op->dtype->mpi();
    if (g->comm == MPI_COMM_NULL)
        return;
    if (to == TG_Y) {
        MPI_Allgatherv(own_in(g, op, in), g->own_count, type, g->in_order ? out : (void *)g->packed,
                       g->counts, g->starts, type, g->comm);
        unpack_blocks(g, op, out);
        return;
    }
    MPI_Reduce_scatter(pack_blocks(g, op, in), op->in_place ? (void *)g->own_packed : out,
                       g->counts, type, op->dtype->sum(), g->comm);
    if (op->in_place)
        own_out(g, op, TG_X, out);
}

/* ---- plans ---- */

/* The whole box is x, on one rank; the group is that rank and all ranks of y. Local. */
static tg_status find_scatter_group(const tg_problem *problem, tg_op *op, vgroup *g)
{
    const tg_layout *x = &problem->x, *y = &problem->y;
    const bool fixed[TG_MAX_NDIM] = {false};
    const int coords[TG_MAX_NDIM] = {0};
    int owner = tg_layout_rank(x, 0);
    g->whole = TG_X;
    g->has_whole = op->rank == owner;
    g->own = g->region[TG_Y];
    g->ranks = tg_keep(op, (tg_layout_size(y) + 1) * (ptrdiff_t)sizeof *g->ranks);
    if (!g->ranks)
        return tg_check_memory(NULL, tg_layout_size(y));
    g->size = ranks_at(y, coords, fixed, g->ranks);
    if (tg_layout_place(y, owner) < 0) {
        g->ranks[g->size++] = owner;
        qsort(g->ranks, (size_t)g->size, sizeof *g->ranks, ascending);
    }
    tg_status status = allocate_group(g, op, tg_layout_count(x));
    if (status.code == TG_OK)
        find_blocks(g, op, y, tg_layout_held);
    for (int i = 0; i < g->size; i++)
        if (g->ranks[i] == owner)
            g->root = i;
    return status;
}

tg_status tg_plan_scatterv(const tg_problem *problem, tg_op *op)
{
    if (!tg_count_fits(tg_layout_count(&problem->x)))
        return tg_exchange_alltoallw(&problem->x, &problem->y, op);
    vgroup *g = new_vgroup(problem, op);
    bool member =
        tg_layout_place(&problem->x, op->rank) >= 0 || tg_layout_place(&problem->y, op->rank) >= 0;
    tg_status status = tg_check_memory(g, (ptrdiff_t)sizeof *g);
    if (g && member)
        status = find_scatter_group(problem, op, g);
    status = tg_agree(op->comm, status);
    if (status.code == TG_OK && member)
        g->comm = tg_group_mpi(g->shared, 0);
    op->run = run_scatterv;
    return status;
}

/* Axes on which x and y are split alike: ranks of a group agree on their coordinates there. */
static void split_axes(const tg_layout *y, bool fixed[TG_MAX_NDIM])
{
    for (int a = 0; a < y->ndim; a++)
        fixed[a] = !y->axis[a].copied;
}

/* Are the ranks of x and of y the same in every group? Looks at this rank's groups only; the ranks
 * agree on it. */
static tg_status same_ranks(const tg_problem *problem, const tg_op *op, bool *same)
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

/* The whole box is this rank's y; the blocks are the parts of x in its group. Local. */
static tg_status find_gather_group(const tg_problem *problem, tg_op *op, vgroup *g)
{
    const tg_layout *x = &problem->x, *y = &problem->y;
    bool fixed[TG_MAX_NDIM] = {false};
    int coords[TG_MAX_NDIM];
    split_axes(y, fixed);
    tg_layout_coords(y, tg_layout_place(y, op->rank), coords);
    g->whole = TG_Y;
    g->has_whole = true;
    g->own = g->region[TG_X];
    g->ranks = tg_keep(op, tg_layout_size(y) * (ptrdiff_t)sizeof *g->ranks);
    if (!g->ranks)
        return tg_check_memory(NULL, tg_layout_size(y));
    g->size = ranks_at(y, coords, fixed, g->ranks);
    tg_status status = allocate_group(g, op, tg_box_count(&g->region[TG_Y]));
    if (status.code == TG_OK)
        find_blocks(g, op, x, tg_layout_owned);
    return status;
}

tg_status tg_plan_allgatherv(const tg_problem *problem, tg_op *op)
{
    bool same = true, member = tg_layout_place(&problem->y, op->rank) >= 0;
    tg_status status = tg_agree(op->comm, same_ranks(problem, op, &same));
    if (status.code != TG_OK)
        return status;
    MPI_Allreduce(MPI_IN_PLACE, &same, 1, MPI_C_BOOL, MPI_LAND, op->comm);
    if (!same || !tg_count_fits(tg_layout_max_held(&problem->y)))
        return tg_exchange_alltoallw(&problem->x, &problem->y, op);
    vgroup *g = new_vgroup(problem, op);
    status = tg_check_memory(g, (ptrdiff_t)sizeof *g);
    if (g && member)
        status = find_gather_group(problem, op, g);
    status = tg_agree(op->comm, status);
    if (status.code == TG_OK && member)
        g->comm = tg_group_mpi(g->shared, g->ranks[0]);
    op->run = run_allgatherv;
    return status;
}
