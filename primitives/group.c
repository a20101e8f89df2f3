/* group.c: MPI_Bcast, MPI_Reduce and MPI_Allreduce in groups of ranks that hold the same part.
 *
 * A rank is in at most two groups: the one of its part of x, as root, and the one of its part of
 * y, as a copy. Groups are numbered by their part, and every rank goes through its groups in
 * ascending number, when communicators are made and in every run: no cycle of ranks can wait for
 * each other.
 * Source: Hewett and Grady, arXiv 2006.03108, section 3: broadcast and sum-reduction are each
 * other's adjoints. */
#include "primitives/group.h"

#include "primitives/count.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    int number;        /* the part that the group is about */
    ptrdiff_t entries; /* of the part */
    tg_group *shared;  /* NULL for a lone rank */
    MPI_Comm comm;     /* of shared; MPI_COMM_NULL for a lone rank */
    int root;          /* rank in comm */
    bool sends, holds; /* this rank has the part of x; a copy in y */
} group;

typedef struct {
    group group[2];
    int ngroups;
} groups;

static void release_groups(tg_op *op)
{
    groups *g = op->state;
    for (int i = 0; i < g->ngroups; i++)
        tg_group_drop(g->group[i].shared);
    free(g);
}

/* The place in `layout` of the part at `coords` of a layout with copies: copied axes count from the
 * first copy. */
static int part_number(const tg_layout *layout, const int coords[TG_MAX_NDIM],
                       const tg_layout *copies)
{
    int part[TG_MAX_NDIM];
    for (int a = 0; a < layout->ndim; a++)
        part[a] = copies->axis[a].copied ? 0 : coords[a];
    return tg_layout_place_at(layout, part);
}

/* Ranks of comm in the group of the part at coords: the copies in the order of their places; in
 * front of them the owner when it holds no copy. Returns a malloc'ed list; *root is the owner's
 * index. */
static int *ranks_of_group(const tg_layout *copies, const int coords[TG_MAX_NDIM], int owner,
                           int *size, int *root)
{
    bool fixed[TG_MAX_NDIM];
    int count = 1;
    for (int a = 0; a < copies->ndim; a++) {
        fixed[a] = !copies->axis[a].copied;
        count *= fixed[a] ? 1 : copies->axis[a].parts;
    }
    int *list = malloc(((size_t)count + 1) * sizeof *list);
    if (!list)
        return NULL;
    *size = tg_layout_ranks_at(copies, coords, fixed, list);
    for (*root = 0; *root < *size && list[*root] != owner;)
        (*root)++;
    if (*root == *size) { /* the owner holds no copy */
        memmove(list + 1, list, (size_t)*size * sizeof *list);
        list[0] = owner;
        *root = 0;
        (*size)++;
    }
    return list;
}

/* Fill in the root, and share the group's communicator if it has more than one rank. Local. */
static tg_status share_group(const tg_layout *x, const tg_layout *y, const int coords[TG_MAX_NDIM],
                             tg_op *op, group *made)
{
    int size;
    int *ranks = ranks_of_group(y, coords, tg_layout_rank(x, made->number), &size, &made->root);
    if (ranks && size > 1)
        made->shared = tg_group_get(op->shared, ranks, size);
    bool good = ranks && (size == 1 || made->shared);
    free(ranks);
    return good ? tg_success() : tg_check_memory(NULL, tg_layout_size(y) * (ptrdiff_t)sizeof(int));
}

/* The groups of this rank, in ascending number. Local. */
static tg_status find_groups(const tg_layout *x, const tg_layout *y, tg_op *op, groups *g)
{
    int place_x = tg_layout_place(x, op->rank), place_y = tg_layout_place(y, op->rank);
    int coords_x[TG_MAX_NDIM] = {0}, coords_y[TG_MAX_NDIM] = {0};
    int number_x = -1, number_y = -1;
    if (place_x >= 0) {
        tg_layout_coords(x, place_x, coords_x);
        number_x = part_number(x, coords_x, y);
    }
    if (place_y >= 0) {
        tg_layout_coords(y, place_y, coords_y);
        number_y = part_number(x, coords_y, y);
    }
    bool same = number_x == number_y;
    for (int i = 0; i < 2; i++) {
        bool of_x = (i == 0) == (number_x <= number_y); /* ascending */
        int number = of_x ? number_x : number_y;
        if (number < 0 || (same && i == 1))
            continue;
        tg_box box = of_x ? tg_layout_held(x, op->rank) : tg_layout_held(y, op->rank);
        if (tg_box_count(&box) == 0) /* all ranks of the group know it: nothing to send */
            continue;
        group *made = &g->group[g->ngroups++];
        *made = (group){.number = number,
                        .entries = tg_box_count(&box),
                        .comm = MPI_COMM_NULL,
                        .sends = of_x || same,
                        .holds = !of_x || same};
        tg_status status = share_group(x, y, of_x ? coords_x : coords_y, op, made);
        if (status.code != TG_OK)
            return status;
    }
    return tg_success();
}

/* In place a collective reads and writes one contiguous part. */
static tg_status check_in_place(const tg_problem *problem, const tg_op *op)
{
    tg_box x = tg_layout_held(&problem->x, op->rank), y = tg_layout_held(&problem->y, op->rank);
    if (!op->in_place || tg_box_count(&x) == 0 || tg_box_count(&y) == 0 || tg_box_equal(&x, &y))
        return tg_success();
    return tg_fail(
        TG_BAD_INPUT,
        "in-place=yes algorithm=%s: rank %d holds different parts of x and y; expected the same "
        "part, or algorithm=reference",
        problem->algorithm->name, op->rank);
}

static tg_status plan_groups(const tg_problem *problem, tg_op *op)
{
    groups *g = tg_keep(op, (ptrdiff_t)sizeof *g);
    tg_status status = tg_check_memory(g, (ptrdiff_t)sizeof *g);
    op->state = g;
    op->release = g ? release_groups : NULL;
    if (g)
        status = check_in_place(problem, op);
    if (status.code == TG_OK)
        status = find_groups(&problem->x, &problem->y, op, g);
    status = tg_agree(op->comm, status);
    for (int i = 0; status.code == TG_OK && i < g->ngroups; i++)
        if (g->group[i].shared)
            g->group[i].comm = tg_group_mpi(g->group[i].shared, g->group[i].number);
    return status;
}

/* ---- broadcast and its adjoint ---- */

/* A part is dense, and a group has one only if it is not empty. */
static size_t part_bytes(const tg_op *op, const group *g)
{
    return (size_t)g->entries * op->dtype->size;
}

static void broadcast_group(const tg_op *op, const group *g, const void *x, void *y)
{
    if (g->sends && g->holds && !op->in_place)
        memcpy(y, x, part_bytes(op, g));
    /* A root that holds no copy sends from x, which MPI_Bcast leaves as it is. */
    if (g->comm != MPI_COMM_NULL)
        tg_bcast(g->holds ? y : (void *)(uintptr_t)x, g->entries, op->dtype, g->root, g->comm);
}

static void reduce_group(const tg_op *op, const group *g, const void *y, void *x)
{
    if (g->sends && (!g->holds || op->in_place)) {
        if (!g->holds)
            memset(x, 0, part_bytes(op, g));
        if (g->comm != MPI_COMM_NULL)
            tg_reduce(MPI_IN_PLACE, x, g->entries, op->dtype, g->root, g->comm);
    } else if (g->comm == MPI_COMM_NULL) {
        memcpy(x, y, part_bytes(op, g));
    } else {
        tg_reduce(y, g->sends ? x : NULL, g->entries, op->dtype, g->root, g->comm);
    }
}

static void run_bcast(tg_op *op, tg_space to, const void *in, void *out)
{
    const groups *g = op->state;
    for (int i = 0; i < g->ngroups; i++)
        if (to == TG_Y)
            broadcast_group(op, &g->group[i], in, out);
        else
            reduce_group(op, &g->group[i], in, out);
    for (int i = 0; op->in_place && to == TG_X && i < g->ngroups; i++)
        if (g->group[i].holds && !g->group[i].sends) /* no entry of x: cleared once it is sent */
            memset(out, 0, part_bytes(op, &g->group[i]));
}

tg_status tg_plan_bcast(const tg_problem *problem, tg_op *op)
{
    op->run = run_bcast;
    return plan_groups(problem, op);
}

/* ---- all_sum_reduce ---- */

static void run_allreduce(tg_op *op, tg_space to, const void *in, void *out)
{
    (void)to; /* its own adjoint */
    const groups *g = op->state;
    if (g->ngroups == 0)
        return;
    if (g->group[0].comm != MPI_COMM_NULL)
        tg_allreduce(op->in_place ? MPI_IN_PLACE : in, out, g->group[0].entries, op->dtype,
                     g->group[0].comm);
    else if (!op->in_place)
        memcpy(out, in, part_bytes(op, &g->group[0]));
}

tg_status tg_plan_allreduce(const tg_problem *problem, tg_op *op)
{
    /* The groups of a broadcast from each part's first copy to all its copies: one group a rank. */
    op->run = run_allreduce;
    return plan_groups(problem, op);
}
