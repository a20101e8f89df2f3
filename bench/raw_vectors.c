/* raw_vectors.c: one vector collective between a whole tensor and its parts: MPI_Scatterv beside
 * scatter, MPI_Gatherv beside gather, MPI_Allgatherv beside all_gather, MPI_Reduce_scatter beside
 * reduce_scatter; and, for parts of one size, MPI_Allgather and MPI_Reduce_scatter_block. The parts are
 * runs of the whole's row-major memory, one behind the other, since these calls know counts of entries
 * only. Source: MPI 3.1, 5.5 to 5.7 and 5.10. */
#include "bench/raw.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    MPI_Comm
        group; /* the ranks of whole and parts, in the order of the parts; MPI_COMM_NULL: none */
    int root;  /* scatter, gather: who has the whole, in the group */
    int mine;  /* entries of this rank's part */
    int *count, *first; /* of all parts, in the group's order */
    MPI_Datatype type;
    MPI_Op sum;
} raw_parts;

/* ---- which layouts one call can do ---- */

static tg_status check_contiguous(const char *name, const tg_layout *parts)
{
    bool before = false; /* is there an axis of more than one entry in front of this one? */
    for (int a = 0; a < parts->ndim; a++) {
        const tg_axis *axis = &parts->axis[a];
        if (axis->parts > 1 && (axis->copied || before))
            return tg_fail(TG_BAD_INPUT,
                           "%s: a grid that cuts or copies axis %d; expected parts along the first "
                           "axis alone, as runs of memory",
                           name, a);
        before = before || axis->extent > 1;
    }
    return tg_success();
}

/* everywhere: each rank has the whole and a part of it; else one rank has the whole. */
static tg_status check_layouts(const char *name, const tg_layout *whole, const tg_layout *parts,
                               bool everywhere)
{
    const int places = tg_layout_size(whole);
    tg_status status = check_contiguous(name, parts);
    if (status.code == TG_OK && !everywhere && places > 1)
        status = tg_fail(TG_BAD_INPUT, "%s: %d ranks hold the whole; expected one", name, places);
    for (int a = 0; a < whole->ndim && status.code == TG_OK; a++)
        if (whole->axis[a].parts > 1 && !whole->axis[a].copied)
            status =
                tg_fail(TG_BAD_INPUT, "%s: several groups, of parts of axis %d; expected one group",
                        name, a);
    if (status.code == TG_OK && everywhere && places != tg_layout_size(parts))
        status = tg_fail(TG_BAD_INPUT, "%s: %d copies and %d parts; expected as many", name, places,
                         tg_layout_size(parts));
    for (int p = 0; everywhere && p < places && status.code == TG_OK; p++)
        if (tg_layout_place(parts, tg_layout_rank(whole, p)) < 0)
            status = tg_fail(TG_BAD_INPUT,
                             "%s: rank %d has a copy and no part; expected both on each rank", name,
                             tg_layout_rank(whole, p));
    return status;
}

/* status: of resolving. */
static tg_status check(tg_status status, const tgb_setup *setup, bool from_whole, bool everywhere)
{
    const tg_layout *x = &setup->problem.x, *y = &setup->problem.y;
    return status.code == TG_OK ? check_layouts(setup->operation->name, from_whole ? x : y,
                                                from_whole ? y : x, everywhere)
                                : status;
}

/* ---- plan and free ---- */

static void free_parts(tgb_work *work)
{
    raw_parts *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Comm_free(&raw->group);
    free(raw->count);
    free(raw->first);
    free(raw);
}

static void fill_tables(raw_parts *raw, bool has_whole)
{
    int size, rank, sum = 0;
    MPI_Comm_size(raw->group, &size);
    MPI_Comm_rank(raw->group, &rank);
    MPI_Allgather(&raw->mine, 1, MPI_INT, raw->count, 1, MPI_INT, raw->group);
    for (int i = 0; i < size; i++) {
        raw->first[i] = sum;
        sum += raw->count[i];
    }
    raw->root = has_whole ? rank : -1; /* of several, none is needed */
    MPI_Allreduce(MPI_IN_PLACE, &raw->root, 1, MPI_INT, MPI_MAX, raw->group);
}

static tg_status plan(tgb_work *work, const tg_layout *whole, const tg_layout *parts)
{
    tg_status status = tgb_raw_start(work, sizeof(raw_parts));
    if (status.code != TG_OK)
        return status;
    raw_parts *raw = work->raw;
    const int place = tg_layout_place(parts, work->rank), places = tg_layout_size(parts);
    const bool has_whole = tg_layout_place(whole, work->rank) >= 0;
    const tg_box part = tg_layout_held(parts, work->rank);
    raw->mine = (int)tg_box_count(&part);
    raw->type = work->setup->problem.dtype->mpi();
    raw->sum = work->setup->problem.dtype->sum();
    MPI_Comm_split(work->comm, place >= 0 || has_whole ? 0 : MPI_UNDEFINED,
                   place >= 0 ? place : places, &raw->group);
    raw->count = calloc((size_t)places + 1, sizeof *raw->count);
    raw->first = calloc((size_t)places + 1, sizeof *raw->first);
    if (!raw->count || !raw->first)
        status = tg_fail(TG_NO_MEMORY, "no memory for %d parts", places);
    status = tg_agree(work->comm, status);
    if (status.code != TG_OK)
        free_parts(work);
    else if (raw->group != MPI_COMM_NULL)
        fill_tables(raw, has_whole);
    return status;
}

static tg_status plan_from_whole(tgb_work *work)
{
    return plan(work, tgb_raw_x(work), tgb_raw_y(work));
}

static tg_status plan_to_whole(tgb_work *work)
{
    return plan(work, tgb_raw_y(work), tgb_raw_x(work));
}

/* ---- the calls ---- */

static tg_status resolve_scatterv(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    return check(tgb_raw_resolve(words, P, N, setup), setup, true, false);
}

static void run_scatterv(tgb_work *work)
{
    const raw_parts *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Scatterv(work->x, raw->count, raw->first, raw->type, work->y, raw->mine, raw->type,
                     raw->root, raw->group);
}

static void init_scatterv(tgb_work *work)
{
    const raw_parts *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        TGB_PERSISTENT(MPI_Scatterv_init(work->x, raw->count, raw->first, raw->type, work->y,
                                         raw->mine, raw->type, raw->root, raw->group, MPI_INFO_NULL,
                                         &work->request));
}

static tg_status resolve_gatherv(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    return check(tgb_raw_resolve(words, P, N, setup), setup, false, false);
}

static void run_gatherv(tgb_work *work)
{
    const raw_parts *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Gatherv(work->x, raw->mine, raw->type, work->y, raw->count, raw->first, raw->type,
                    raw->root, raw->group);
}

static void init_gatherv(tgb_work *work)
{
    const raw_parts *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        TGB_PERSISTENT(MPI_Gatherv_init(work->x, raw->mine, raw->type, work->y, raw->count,
                                        raw->first, raw->type, raw->root, raw->group, MPI_INFO_NULL,
                                        &work->request));
}

static tg_status resolve_allgatherv(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    return check(tgb_raw_resolve(words, P, N, setup), setup, false, true);
}

static void run_allgatherv(tgb_work *work)
{
    const raw_parts *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Allgatherv(work->x, raw->mine, raw->type, work->y, raw->count, raw->first, raw->type,
                       raw->group);
}

static void init_allgatherv(tgb_work *work)
{
    const raw_parts *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        TGB_PERSISTENT(MPI_Allgatherv_init(work->x, raw->mine, raw->type, work->y, raw->count,
                                           raw->first, raw->type, raw->group, MPI_INFO_NULL,
                                           &work->request));
}

static tg_status resolve_reduce_scatter(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    return check(tgb_raw_resolve(words, P, N, setup), setup, true, true);
}

static void run_reduce_scatter(tgb_work *work)
{
    const raw_parts *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Reduce_scatter(work->x, work->y, raw->count, raw->type, raw->sum, raw->group);
}

static void init_reduce_scatter(tgb_work *work)
{
    const raw_parts *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        TGB_PERSISTENT(MPI_Reduce_scatter_init(work->x, work->y, raw->count, raw->type, raw->sum,
                                               raw->group, MPI_INFO_NULL, &work->request));
}

static tg_status resolve_allgather(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    return check(tgb_raw_resolve_equal(words, P, N, setup), setup, false, true);
}

static void run_allgather(tgb_work *work)
{
    const raw_parts *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Allgather(work->x, raw->mine, raw->type, work->y, raw->mine, raw->type, raw->group);
}

static void init_allgather(tgb_work *work)
{
    const raw_parts *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        TGB_PERSISTENT(MPI_Allgather_init(work->x, raw->mine, raw->type, work->y, raw->mine,
                                          raw->type, raw->group, MPI_INFO_NULL, &work->request));
}

static tg_status resolve_reduce_scatter_block(const tgb_case *words, int P, ptrdiff_t N,
                                              tgb_setup *setup)
{
    return check(tgb_raw_resolve_equal(words, P, N, setup), setup, true, true);
}

static void run_reduce_scatter_block(tgb_work *work)
{
    const raw_parts *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Reduce_scatter_block(work->x, work->y, raw->mine, raw->type, raw->sum, raw->group);
}

static void init_reduce_scatter_block(tgb_work *work)
{
    const raw_parts *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        TGB_PERSISTENT(MPI_Reduce_scatter_block_init(work->x, work->y, raw->mine, raw->type,
                                                     raw->sum, raw->group, MPI_INFO_NULL,
                                                     &work->request));
}

/* MPICH before 4.1.1, on 2, 4, 8, ... ranks: a start behind the first one moves nothing. */
#if defined(MPICH_NUMVERSION) && MPICH_NUMVERSION < 40101300
#define ALLGATHER_INIT_FAULT "wrong in MPICH before 4.1.1; expected a later one"
#else
#define ALLGATHER_INIT_FAULT NULL
#endif

/* ---- rows ---- */

const tgb_raw_row tgb_raw_vectors[] = {
    {.name = "raw:MPI_Scatterv",
     .summary = "MPI_Scatterv of the parts of a tensor",
     .formula = "y[part] = x[part]",
     .beside = "scatter",
     .keys = tgb_raw_two_keys,
     .resolve = resolve_scatterv,
     .plan = plan_from_whole,
     .release = free_parts,
     .run = run_scatterv,
     .init = init_scatterv},
    {.name = "raw:MPI_Gatherv",
     .summary = "MPI_Gatherv of the parts of a tensor",
     .formula = "y[part] = x[part]",
     .beside = "gather",
     .keys = tgb_raw_two_keys,
     .resolve = resolve_gatherv,
     .plan = plan_to_whole,
     .release = free_parts,
     .run = run_gatherv,
     .init = init_gatherv},
    {.name = "raw:MPI_Allgatherv",
     .summary = "MPI_Allgatherv of the parts of a tensor",
     .formula = "y_c[part] = x[part] for each copy c",
     .beside = "all_gather",
     .keys = tgb_raw_two_keys,
     .resolve = resolve_allgatherv,
     .plan = plan_to_whole,
     .release = free_parts,
     .run = run_allgatherv,
     .init = init_allgatherv},
    {.name = "raw:MPI_Reduce_scatter",
     .summary = "MPI_Reduce_scatter of copies of a tensor to its parts",
     .formula = "y[part] = sum_c x_c[part]",
     .beside = "reduce_scatter",
     .keys = tgb_raw_two_keys,
     .resolve = resolve_reduce_scatter,
     .plan = plan_from_whole,
     .release = free_parts,
     .run = run_reduce_scatter,
     .init = init_reduce_scatter},
    {.name = "raw:MPI_Allgather",
     .summary = "MPI_Allgather of the parts of a tensor, of one size",
     .formula = "y_c[part] = x[part] for each copy c",
     .beside = "all_gather",
     .keys = tgb_raw_two_keys,
     .resolve = resolve_allgather,
     .plan = plan_to_whole,
     .release = free_parts,
     .run = run_allgather,
     .init = init_allgather,
     .init_fault = ALLGATHER_INIT_FAULT},
    {.name = "raw:MPI_Reduce_scatter_block",
     .summary = "MPI_Reduce_scatter_block of copies of a tensor to its parts, of one size",
     .formula = "y[part] = sum_c x_c[part]",
     .beside = "reduce_scatter",
     .keys = tgb_raw_two_keys,
     .resolve = resolve_reduce_scatter_block,
     .plan = plan_from_whole,
     .release = free_parts,
     .run = run_reduce_scatter_block,
     .init = init_reduce_scatter_block},
    {.name = NULL},
};
