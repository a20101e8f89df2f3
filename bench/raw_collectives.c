/* raw_collectives.c: one collective call for the copies of each block: MPI_Bcast beside broadcast,
 * MPI_Reduce beside sum_reduce, MPI_Allreduce beside all_sum_reduce. MPI_Bcast works in place, on one
 * buffer, as the call does. */
#include "bench/raw.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    MPI_Comm group; /* the ranks that call together; MPI_COMM_NULL: this rank is in none */
    int count;      /* entries of this group's block */
    MPI_Datatype type;
    MPI_Op sum;
} raw_group;

/* ---- groups: one owner of a block and the ranks that hold copies of it ---- */

/* The place in `owners` of the block that a place of `copies` holds. */
static int owner_place(const tg_layout *owners, const tg_layout *copies, int place)
{
    int coords[TG_MAX_NDIM];
    tg_layout_coords(copies, place, coords);
    for (int a = 0; a < copies->ndim; a++)
        if (copies->axis[a].copied)
            coords[a] = 0;
    return tg_layout_place_at(owners, coords);
}

/* Can each block's owner and copies make one call? A rank must not be in two groups; with_owner:
 * the owner must hold a copy itself. */
static tg_status check_groups(const char *name, const tg_layout *owners, const tg_layout *copies,
                              bool with_owner)
{
    if (!tgb_same_blocks(owners, copies))
        return tg_fail(TG_BAD_INPUT,
                       "%s: from and to cut the tensor into different blocks; expected the same",
                       name);
    for (int place = 0; place < tg_layout_size(copies); place++) {
        int owner = owner_place(owners, copies, place);
        int as_owner = tg_layout_place(owners, tg_layout_rank(copies, place));
        if (as_owner >= 0 && as_owner != owner)
            return tg_fail(TG_BAD_INPUT, "%s: rank %d is in two groups; expected one", name,
                           tg_layout_rank(copies, place));
    }
    for (int place = 0; with_owner && place < tg_layout_size(owners); place++)
        if (tg_layout_place(copies, tg_layout_rank(owners, place)) < 0)
            return tg_fail(
                TG_BAD_INPUT,
                "%s: rank %d receives without a copy of its own; expected its root in from", name,
                tg_layout_rank(owners, place));
    return tg_success();
}

static tg_status plan_groups(tgb_work *work, const tg_layout *owners, const tg_layout *copies)
{
    const tg_problem *p = &work->setup->problem;
    const tg_status status = tgb_raw_start(work, sizeof(raw_group));
    if (status.code != TG_OK)
        return status;
    raw_group *raw = work->raw;
    const ptrdiff_t bytes = work->x_bytes > work->y_bytes ? work->x_bytes : work->y_bytes;
    raw->type = p->dtype->mpi();
    raw->sum = p->dtype->sum();
    raw->count = (int)(bytes / (ptrdiff_t)p->dtype->size);

    int holder = tg_layout_place(copies, work->rank), place = tg_layout_place(owners, work->rank);
    if (holder >= 0)
        place = owner_place(owners, copies, holder);
    int owner = place >= 0 ? tg_layout_rank(owners, place) : -1;
    MPI_Comm_split(work->comm, owner >= 0 ? owner : MPI_UNDEFINED,
                   work->rank == owner ? -1 : work->rank, &raw->group);
    return tg_success();
}

static void free_group(tgb_work *work)
{
    raw_group *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Comm_free(&raw->group);
    free(raw);
}

/* ---- raw:MPI_Bcast beside broadcast ---- */

static tg_status resolve_bcast(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    tg_status status = tgb_raw_resolve(words, P, N, setup);
    if (status.code == TG_OK)
        status = check_groups(setup->operation->name, &setup->problem.x, &setup->problem.y, false);
    setup->one_buffer = true;
    return status;
}

static tg_status plan_bcast(tgb_work *work)
{
    work->one_buffer = true;
    return plan_groups(work, tgb_raw_x(work), tgb_raw_y(work));
}

static void run_bcast(tgb_work *work)
{
    const raw_group *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Bcast(work->x, raw->count, raw->type, 0, raw->group);
}

static void fill_bcast(tgb_work *work)
{
    memset(work->y, TGB_NOTHING_RIGHT, (size_t)work->y_bytes);
    if (tg_layout_place(tgb_raw_x(work), work->rank) >= 0)
        tg_fill(&work->setup->problem, TG_X, work->rank, work->seed, work->x);
}

/* ---- raw:MPI_Reduce beside sum_reduce ---- */

static tg_status resolve_reduce(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    tg_status status = tgb_raw_resolve(words, P, N, setup);
    if (status.code == TG_OK)
        status = check_groups(setup->operation->name, &setup->problem.y, &setup->problem.x, true);
    return status;
}

static tg_status plan_reduce(tgb_work *work)
{
    return plan_groups(work, tgb_raw_y(work), tgb_raw_x(work));
}

static void run_reduce(tgb_work *work)
{
    const raw_group *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Reduce(work->x, work->y, raw->count, raw->type, raw->sum, 0, raw->group);
}

/* ---- raw:MPI_Allreduce beside all_sum_reduce ---- */

static tg_status plan_allreduce(tgb_work *work)
{
    return plan_groups(work, tgb_raw_x(work), tgb_raw_x(work));
}

static void run_allreduce(tgb_work *work)
{
    const raw_group *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Allreduce(work->x, work->y, raw->count, raw->type, raw->sum, raw->group);
}

/* ---- rows ---- */

const tgb_raw_row tgb_raw_collectives[] = {
    {"raw:MPI_Bcast",
     "MPI_Bcast from the owner of each block, in place",
     "y_i = x",
     "broadcast",
     tgb_raw_two_keys,
     resolve_bcast,
     plan_bcast,
     free_group,
     {"forward", run_bcast, fill_bcast, tgb_primitive_wrong_forward, 1, NULL, NULL}},
    {"raw:MPI_Reduce",
     "MPI_Reduce of copies to the owner of each block",
     "y = sum_i x_i",
     "sum_reduce",
     tgb_raw_two_keys,
     resolve_reduce,
     plan_reduce,
     free_group,
     {"forward", run_reduce, tgb_primitive_fill_forward, tgb_primitive_wrong_forward, 1, NULL,
      NULL}},
    {"raw:MPI_Allreduce",
     "MPI_Allreduce of the copies of each block",
     "y_i = sum_j x_j",
     "all_sum_reduce",
     tgb_raw_one_keys,
     tgb_raw_resolve,
     plan_allreduce,
     free_group,
     {"forward", run_allreduce, tgb_primitive_fill_forward, tgb_primitive_wrong_forward, 1, NULL,
      NULL}},
    {.name = NULL},
};
