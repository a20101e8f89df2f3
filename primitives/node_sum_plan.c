/* node_sum_plan.c: planning of all_sum_reduce inside nodes.
 *
 * A rank has one part, and so one group of copies. Which of them are in its node it knows; how many
 * are in others, the copies tell each other when they are not all in one. */
#include "primitives/node_sum.h"
#include "primitives/part.h"

#include <stdlib.h>

static void release(tg_op *op)
{
    tg_node_sum *n = op->state;
    tg_group_drop(n->owners);
    tg_group_drop(n->all);
    free(n->part[TG_X].block);
    free(n->part[TG_Y].block);
    free(n->ranks);
    free(n->member);
    free(n->places);
    free(n->packed);
    free(n->scratch);
    tg_chunks_free(&n->chunks);
    free(n);
}

/* The copies of this rank's part, and which of them are in the node. Local. */
static tg_status find_members(const tg_problem *problem, tg_op *op, tg_node_sum *n)
{
    const tg_layout *x = &problem->x;
    const ptrdiff_t all = tg_layout_size(x);
    bool fixed[TG_MAX_NDIM];
    int coords[TG_MAX_NDIM];
    ptrdiff_t copies = 1;
    for (int a = 0; a < x->ndim; a++) {
        fixed[a] = !x->axis[a].copied;
        copies *= fixed[a] ? 1 : x->axis[a].parts;
    }
    n->ranks = tg_keep(op, copies * (ptrdiff_t)sizeof *n->ranks);
    n->member = tg_keep(op, copies * (ptrdiff_t)sizeof *n->member);
    if (!n->ranks || !n->member)
        return tg_check_memory(NULL, all * (ptrdiff_t)sizeof *n->member);
    tg_layout_coords(x, tg_layout_place(x, op->rank), coords);
    n->size = tg_layout_ranks_at(x, coords, fixed, n->ranks);
    for (int i = 0; i < n->size; i++) {
        const int index = tg_node_index(n->node, n->ranks[i]);
        if (n->ranks[i] == op->rank)
            n->mine = n->members;
        if (index >= 0)
            n->member[n->members++].index = index;
    }
    n->shares = n->members;
    if (n->members == n->size)
        return tg_success();
    n->places = tg_keep(op, 2 * n->size * (ptrdiff_t)sizeof *n->places);
    n->all = tg_group_get(op->shared, n->ranks, n->size);
    return tg_check_memory(n->places && n->all ? n->all : NULL, n->size);
}

static tg_status find_part(const tg_problem *problem, tg_op *op, tg_node_sum *n)
{
    const tg_box box = tg_layout_held(&problem->x, op->rank);
    const ptrdiff_t size = (ptrdiff_t)op->dtype->size;
    const tg_view x = {box, problem->store_x, size}, y = {box, problem->store_y, size};
    n->entries = tg_box_count(&box);
    if (n->entries == 0)
        return tg_success();
    tg_status status = tg_keep_pair(op, &x, &box, &y, &box, &n->part[TG_X], &n->part[TG_Y]);
    return status.code == TG_OK ? find_members(problem, op, n) : status;
}

/* Who owns the same share in other nodes: the ranks learn it from each other. */
static tg_status find_owners(tg_op *op, tg_node_sum *n)
{
    const int place[2] = {n->mine, n->members};
    int owners = 0;
    MPI_Allgather(place, 2, MPI_INT, n->places, 2, MPI_INT, tg_group_mpi(n->all, n->ranks[0]));
    for (int i = 0; i < n->size; i++) {
        n->shares = n->places[2 * i + 1] < n->shares ? n->places[2 * i + 1] : n->shares;
        if (n->places[2 * i] == n->mine) /* the list is not needed any more: it becomes theirs */
            n->ranks[owners++] = n->ranks[i];
    }
    if (n->mine >= n->shares)
        return tg_success();
    n->owners = tg_group_get(op->shared, n->ranks, owners);
    return tg_check_memory(n->owners, owners * (ptrdiff_t)sizeof *n->ranks);
}

/* The rows of each member, and where in them this rank finds its terms. */
static void number_members(tg_node_sum *n)
{
    const int k = n->members;
    for (int i = 0; i < k; i++) {
        n->member[i].owns = i < n->shares;
        n->member[i].terms = n->shares - (i < n->shares ? 1 : 0);
    }
    for (int i = 0; i < k; i++)
        for (int owner = (i + k - 1) % k; owner != n->mine && owner != i;
             owner = (owner + k - 1) % k)
            n->member[i].place += n->member[owner].owns ? 1 : 0;
}

/* A part is dealt out when each member's chunk would be long, or there are several nodes. */
static void choose_chunks(const tg_op *op, tg_node_sum *n)
{
    enum { DIRECT = 16 * 1024, DIRECT_ALL = 64 * 1024 };
    const ptrdiff_t size = (ptrdiff_t)op->dtype->size, bytes = n->entries * size;
    const ptrdiff_t share = tg_split_start(n->entries, n->shares, 1) * size;
    n->direct =
        !n->all && bytes <= DIRECT && bytes <= tg_largest_chunk && bytes * n->members <= DIRECT_ALL;
    n->chunk = tg_chunk_of(share);
    n->rows = (share + n->chunk - 1) / n->chunk;
    n->lag = n->all ? n->rows : 1;
    n->reads = n->reads && bytes >= tg_shortest_run &&
               tg_blocks_shortest(&n->part[TG_X]) >= n->least &&
               tg_blocks_shortest(&n->part[TG_Y]) >= n->least;
}

static tg_status find_shares(tg_op *op, tg_node_sum *n)
{
    tg_status status = tg_success();
    if (n->entries == 0)
        return status;
    if (n->all)
        status = find_owners(op, n);
    if (status.code != TG_OK)
        return status;
    number_members(n);
    choose_chunks(op, n);
    n->scratch = tg_keep(op, n->reads ? n->chunk : 0);
    if (!n->scratch)
        return tg_check_memory(NULL, n->chunk);
    if (!n->owners ||
        (tg_blocks_contiguous(&n->part[TG_X]) && tg_blocks_contiguous(&n->part[TG_Y])))
        return status;
    const ptrdiff_t bytes = tg_split_start(n->entries, n->shares, 1) * (ptrdiff_t)op->dtype->size;
    n->packed = tg_keep(op, bytes);
    return tg_check_memory(n->packed, bytes);
}

/* What this rank fills in an apply, told to the ranks of the node. */
static void tell_fills(tg_node_sum *n)
{
    uint64_t fills = 0;
    if (n->members > 1 && n->direct)
        fills = 1;
    else if (n->members > 1 && n->reads)
        fills = n->member[n->mine].owns ? 2 : 1;
    else if (n->members > 1)
        fills =
            (uint64_t)(n->rows * (n->member[n->mine].terms + (n->member[n->mine].owns ? 1 : 0)));
    tg_chunks_tell(&n->chunks, fills);
}

static tg_status plan(const tg_problem *problem, tg_op *op, bool reads)
{
    tg_node *node;
    tg_status status = tg_node_open(op->shared, &node);
    if (status.code != TG_OK)
        return status;
    tg_node_sum *n = tg_keep(op, (ptrdiff_t)sizeof *n);
    status = tg_check_memory(n, (ptrdiff_t)sizeof *n);
    if (n) {
        n->node = node;
        n->between = MPI_COMM_NULL;
        n->reads = reads && node->process;
        n->least = tg_run_least(problem);
        op->state = n;
        op->release = release;
        op->run = tg_run_node_sum;
        op->start = tg_start_node_sum;
        op->finish = tg_finish_node_sum;
        status = tg_chunks_keep(op, node, &n->chunks);
    }
    if (status.code == TG_OK)
        status = find_part(problem, op, n);
    status = tg_agree(op->comm, status);
    if (status.code == TG_OK)
        status = tg_agree(op->comm, find_shares(op, n));
    if (status.code != TG_OK)
        return status;
    if (n->owners)
        n->between = tg_group_mpi(n->owners, n->ranks[0]);
    tell_fills(n);
    return status;
}

tg_status tg_plan_node_sum(const tg_problem *problem, tg_op *op)
{
    return plan(problem, op, false);
}

tg_status tg_plan_cma_sum(const tg_problem *problem, tg_op *op)
{
    return plan(problem, op, true);
}
