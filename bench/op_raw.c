/* op_raw.c: calls of the MPI library, and memcpy, with nothing of ours around them: raw:MPI_Bcast
 * and others. Each stands beside a primitive, on the same layouts, values and buffers, so that the
 * two can be compared in one run. MPI_Bcast works in place, on one buffer, as the call does. */
#include "bench/operation.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    MPI_Comm group; /* the ranks that call together; MPI_COMM_NULL: this rank is in none */
    int count;      /* entries of this group's block */
    MPI_Datatype type;
    MPI_Op sum;
    int size; /* raw:MPI_Alltoallw: ranks; the others leave the rest empty */
    int *send_count, *receive_count, *zero; /* 0 or 1; byte displacements, all 0 */
    MPI_Datatype *send_type, *receive_type; /* subarrays of the held boxes */
} raw_call;

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

static tg_status check_count(const char *name, const tg_layout *layout)
{
    if (tg_layout_max_held(layout) <= INT_MAX)
        return tg_success();
    return tg_fail(TG_BAD_INPUT, "%s: a block of %td entries; expected at most %d, an MPI count",
                   name, tg_layout_max_held(layout), INT_MAX);
}

static tg_status split_groups(tgb_work *work, const tg_layout *owners, const tg_layout *copies,
                              raw_call *raw)
{
    int holder = tg_layout_place(copies, work->rank), place = tg_layout_place(owners, work->rank);
    if (holder >= 0)
        place = owner_place(owners, copies, holder);
    int owner = place >= 0 ? tg_layout_rank(owners, place) : -1;
    MPI_Comm_split(work->comm, owner >= 0 ? owner : MPI_UNDEFINED,
                   work->rank == owner ? -1 : work->rank, &raw->group);
    return tg_success();
}

/* ---- plan and free ---- */

static ptrdiff_t held_bytes(const tg_layout *layout, const tgb_work *work)
{
    tg_box held = tg_layout_held(layout, work->rank);
    return tg_box_count(&held) * (ptrdiff_t)work->setup->problem.dtype->size;
}

static tg_status start_plan(tgb_work *work, raw_call **raw)
{
    const tg_problem *p = &work->setup->problem;
    work->x_bytes = held_bytes(&p->x, work);
    work->y_bytes = held_bytes(&p->y, work);
    work->raw = *raw = calloc(1, sizeof **raw);
    if (*raw) {
        ptrdiff_t bytes = work->x_bytes > work->y_bytes ? work->x_bytes : work->y_bytes;
        (*raw)->group = MPI_COMM_NULL;
        (*raw)->type = p->dtype->mpi();
        (*raw)->sum = p->dtype->sum();
        ptrdiff_t entries = bytes / (ptrdiff_t)p->dtype->size;
        (*raw)->count = entries <= INT_MAX ? (int)entries : 0; /* more: no call that counts */
    }
    tg_status status = tg_agree(
        work->comm, *raw ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for a raw call"));
    if (status.code != TG_OK)
        free(*raw);
    return status;
}

static void free_types(MPI_Datatype *type, int size)
{
    for (int i = 0; type && i < size; i++)
        if (type[i] != MPI_BYTE)
            MPI_Type_free(&type[i]);
    free(type);
}

static void free_work(tgb_work *work)
{
    raw_call *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Comm_free(&raw->group);
    free_types(raw->send_type, raw->size);
    free_types(raw->receive_type, raw->size);
    free(raw->send_count);
    free(raw->receive_count);
    free(raw->zero);
    free(raw);
}

static const tg_layout *x_of(const tgb_work *work)
{
    return &work->setup->problem.x;
}

static const tg_layout *y_of(const tgb_work *work)
{
    return &work->setup->problem.y;
}

/* ---- raw:MPI_Bcast beside broadcast ---- */

static tg_status resolve_bcast(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    tg_status status = tgb_primitive_resolve(words, P, N, setup);
    if (status.code == TG_OK)
        status = check_count(setup->operation->name, &setup->problem.x);
    if (status.code == TG_OK)
        status = check_groups(setup->operation->name, &setup->problem.x, &setup->problem.y, false);
    setup->one_buffer = true;
    return status;
}

static tg_status plan_bcast(tgb_work *work)
{
    raw_call *raw;
    tg_status status = start_plan(work, &raw);
    work->one_buffer = true;
    return status.code == TG_OK ? split_groups(work, x_of(work), y_of(work), raw) : status;
}

static void run_bcast(tgb_work *work)
{
    raw_call *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Bcast(work->x, raw->count, raw->type, 0, raw->group);
}

static void fill_bcast(tgb_work *work)
{
    memset(work->y, TGB_NOTHING_RIGHT, (size_t)work->y_bytes);
    if (tg_layout_place(x_of(work), work->rank) >= 0)
        tg_fill(&work->setup->problem, TG_X, work->rank, work->seed, work->x);
}

/* ---- raw:MPI_Reduce beside sum_reduce ---- */

static tg_status resolve_reduce(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    tg_status status = tgb_primitive_resolve(words, P, N, setup);
    if (status.code == TG_OK)
        status = check_count(setup->operation->name, &setup->problem.x);
    if (status.code == TG_OK)
        status = check_groups(setup->operation->name, &setup->problem.y, &setup->problem.x, true);
    return status;
}

static tg_status plan_reduce(tgb_work *work)
{
    raw_call *raw;
    tg_status status = start_plan(work, &raw);
    return status.code == TG_OK ? split_groups(work, y_of(work), x_of(work), raw) : status;
}

static void run_reduce(tgb_work *work)
{
    raw_call *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Reduce(work->x, work->y, raw->count, raw->type, raw->sum, 0, raw->group);
}

/* ---- raw:MPI_Allreduce beside all_sum_reduce ---- */

static tg_status resolve_allreduce(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    tg_status status = tgb_primitive_resolve(words, P, N, setup);
    return status.code == TG_OK ? check_count(setup->operation->name, &setup->problem.x) : status;
}

static tg_status plan_allreduce(tgb_work *work)
{
    raw_call *raw;
    tg_status status = start_plan(work, &raw);
    return status.code == TG_OK ? split_groups(work, x_of(work), x_of(work), raw) : status;
}

static void run_allreduce(tgb_work *work)
{
    raw_call *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Allreduce(work->x, work->y, raw->count, raw->type, raw->sum, raw->group);
}

/* ---- raw:MPI_Alltoallw beside repartition ---- */

static tg_status resolve_alltoallw(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    tg_status status = tgb_primitive_resolve(words, P, N, setup);
    for (int a = 0; status.code == TG_OK && a < setup->problem.x.ndim; a++)
        if (setup->problem.x.axis[a].extent > INT_MAX)
            status = tg_fail(TG_BAD_INPUT,
                             "%s: an axis of %td entries; expected at most %d, an MPI count",
                             setup->operation->name, setup->problem.x.axis[a].extent, INT_MAX);
    return status;
}

/* box inside held, as a type over held's row-major memory. */
static MPI_Datatype subarray(const tg_box *held, const tg_box *box, MPI_Datatype entry)
{
    int sizes[TG_MAX_NDIM], extents[TG_MAX_NDIM], starts[TG_MAX_NDIM];
    MPI_Datatype type;
    for (int a = 0; a < held->ndim; a++) {
        sizes[a] = (int)(held->hi[a] - held->lo[a]);
        extents[a] = (int)(box->hi[a] - box->lo[a]);
        starts[a] = (int)(box->lo[a] - held->lo[a]);
    }
    MPI_Type_create_subarray(held->ndim, sizes, extents, starts, MPI_ORDER_C, entry, &type);
    MPI_Type_commit(&type);
    return type;
}

static void put_types(const tg_box *held, const tg_overlap *overlaps, int count, MPI_Datatype entry,
                      int *counts, MPI_Datatype *types)
{
    for (int i = 0; i < count; i++) {
        counts[overlaps[i].rank] = 1;
        types[overlaps[i].rank] = subarray(held, &overlaps[i].box, entry);
    }
}

static tg_status make_tables(raw_call *raw)
{
    size_t size = (size_t)raw->size;
    raw->send_count = calloc(size, sizeof(int));
    raw->receive_count = calloc(size, sizeof(int));
    raw->zero = calloc(size, sizeof(int));
    raw->send_type = malloc(size * sizeof(MPI_Datatype));
    raw->receive_type = malloc(size * sizeof(MPI_Datatype));
    if (!raw->send_count || !raw->receive_count || !raw->zero || !raw->send_type ||
        !raw->receive_type) {
        raw->size = 0; /* no types to free */
        return tg_fail(TG_NO_MEMORY, "no memory for a raw call");
    }
    for (int i = 0; i < raw->size; i++)
        raw->send_type[i] = raw->receive_type[i] = MPI_BYTE;
    return tg_success();
}

static tg_status fill_tables(const tgb_work *work, raw_call *raw)
{
    const tg_layout *x = x_of(work), *y = y_of(work);
    tg_box owned = tg_layout_owned(x, work->rank), held_x = tg_layout_held(x, work->rank);
    tg_box held_y = tg_layout_held(y, work->rank);
    tg_overlap *to = NULL, *from = NULL;
    int nto = 0, nfrom = 0;
    tg_status status = tg_holders_of(y, &owned, &to, &nto);
    if (status.code == TG_OK)
        status = tg_owners_of(x, &held_y, &from, &nfrom);
    if (status.code == TG_OK) {
        put_types(&held_x, to, nto, raw->type, raw->send_count, raw->send_type);
        put_types(&held_y, from, nfrom, raw->type, raw->receive_count, raw->receive_type);
    }
    free(to);
    free(from);
    return status;
}

static tg_status plan_alltoallw(tgb_work *work)
{
    raw_call *raw;
    tg_status status = start_plan(work, &raw);
    if (status.code != TG_OK)
        return status;
    MPI_Comm_dup(work->comm, &raw->group);
    MPI_Comm_size(work->comm, &raw->size);
    status = make_tables(raw);
    if (status.code == TG_OK)
        status = fill_tables(work, raw);
    status = tg_agree(work->comm, status);
    if (status.code != TG_OK)
        free_work(work);
    return status;
}

static void run_alltoallw(tgb_work *work)
{
    raw_call *raw = work->raw;
    MPI_Alltoallw(work->x, raw->send_count, raw->zero, raw->send_type, work->y, raw->receive_count,
                  raw->zero, raw->receive_type, raw->group);
}

/* ---- raw:memcpy: one rank's copy, beside a repartition onto the same rank ---- */

static tg_status resolve_memcpy(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    tgb_case one_rank;
    char *text = tgb_case_print(words), grid[4 * TG_MAX_NDIM] = "1";
    if (!text)
        return tg_fail(TG_NO_MEMORY, "no memory for a case");
    tg_status status = tgb_case_parse(text, &one_rank);
    free(text);
    for (const char *c = tgb_case_get(words, "shape"); *c && strlen(grid) + 3 < sizeof grid; c++)
        if (*c == 'x')
            strcat(grid, "x1");
    if (status.code == TG_OK)
        status = tgb_case_set(&one_rank, "from", grid);
    if (status.code == TG_OK)
        status = tgb_case_set(&one_rank, "to", grid);
    if (status.code == TG_OK)
        status = tgb_primitive_resolve(&one_rank, P, N, setup);
    tgb_case_free(&one_rank);
    return status;
}

static tg_status plan_memcpy(tgb_work *work)
{
    raw_call *raw;
    return start_plan(work, &raw);
}

static void run_memcpy(tgb_work *work)
{
    memcpy(work->y, work->x, (size_t)work->x_bytes);
}

/* ---- raw:noop: nothing, on rank 0's buffer: what a time has of the clock and of waiting ---- */

static tg_status resolve_noop(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    tg_status status = resolve_memcpy(words, P, N, setup);
    setup->local = false; /* one a repetition, as operations that communicate */
    return status;
}

static tg_status plan_noop(tgb_work *work)
{
    work->one_buffer = true; /* x is y: right before it is run */
    return plan_memcpy(work);
}

static void run_noop(tgb_work *work)
{
    (void)work;
}

static void fill_noop(tgb_work *work)
{
    tg_fill(&work->setup->problem, TG_X, work->rank, work->seed, work->x);
}

/* ---- rows ---- */

static const tgb_key one_keys[] = {TGB_ONE_LAYOUT, TGB_TYPE, TGB_END};
static const tgb_key two_keys[] = {TGB_TWO_LAYOUTS, TGB_TYPE, TGB_END};
static const tgb_key copy_keys[] = {{"shape", NULL, true}, TGB_TYPE, TGB_END};

static const struct raw_row {
    const char *name, *summary, *formula, *beside;
    const tgb_key *keys;
    tg_status (*resolve)(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup);
    tg_status (*plan)(tgb_work *work);
    tgb_direction forward;
} raw_rows[] = {
    {"raw:MPI_Bcast",
     "MPI_Bcast from the owner of each block, in place",
     "y_i = x",
     "broadcast",
     two_keys,
     resolve_bcast,
     plan_bcast,
     {"forward", run_bcast, fill_bcast, tgb_primitive_wrong_forward, 1, NULL, NULL}},
    {"raw:MPI_Reduce",
     "MPI_Reduce of copies to the owner of each block",
     "y = sum_i x_i",
     "sum_reduce",
     two_keys,
     resolve_reduce,
     plan_reduce,
     {"forward", run_reduce, tgb_primitive_fill_forward, tgb_primitive_wrong_forward, 1, NULL,
      NULL}},
    {"raw:MPI_Allreduce",
     "MPI_Allreduce of the copies of each block",
     "y_i = sum_j x_j",
     "all_sum_reduce",
     one_keys,
     resolve_allreduce,
     plan_allreduce,
     {"forward", run_allreduce, tgb_primitive_fill_forward, tgb_primitive_wrong_forward, 1, NULL,
      NULL}},
    {"raw:MPI_Alltoallw",
     "MPI_Alltoallw with subarray types between two layouts",
     "y[held] = x[owned]",
     "repartition",
     two_keys,
     resolve_alltoallw,
     plan_alltoallw,
     {"forward", run_alltoallw, tgb_primitive_fill_forward, tgb_primitive_wrong_forward, 1, NULL,
      NULL}},
    {"raw:memcpy",
     "memcpy on rank 0",
     "y = x",
     "repartition",
     copy_keys,
     resolve_memcpy,
     plan_memcpy,
     {"forward", run_memcpy, tgb_primitive_fill_forward, tgb_primitive_wrong_forward, 1, NULL,
      NULL}},
    {"raw:noop",
     "nothing: two reads of the clock",
     "y = x",
     "repartition",
     copy_keys,
     resolve_noop,
     plan_noop,
     {"forward", run_noop, fill_noop, tgb_primitive_wrong_forward, 1, NULL, NULL}},
};
enum { RAW_ROWS = sizeof raw_rows / sizeof *raw_rows };

void tgb_add_raw(void (*add)(const tgb_operation *row))
{
    static tgb_operation rows[RAW_ROWS];
    for (int i = 0; i < RAW_ROWS; i++) {
        const struct raw_row *raw = &raw_rows[i];
        rows[i] = (tgb_operation){.name = raw->name,
                                  .kind = "raw",
                                  .summary = raw->summary,
                                  .formula = raw->formula,
                                  .adjoint = "-",
                                  .source = "MPI 3.1",
                                  .directions = &raw->forward,
                                  .ndirections = 1,
                                  .keys = raw->keys,
                                  .algorithms = {"mpi"},
                                  .primitive = tg_primitive_find(raw->beside),
                                  .resolve = raw->resolve,
                                  .plan = raw->plan,
                                  .load = tgb_load_of_layouts,
                                  .free = free_work};
        for (int k = 0; k < TGB_MAX_ALGORITHMS && tg_dtypes[k]; k++)
            rows[i].dtypes[k] = tg_dtypes[k]->name;
        if (rows[i].primitive)
            add(&rows[i]);
    }
}
