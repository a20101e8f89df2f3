/* raw_collectives.c: one collective call for the copies of each block: MPI_Bcast beside broadcast,
 * MPI_Reduce beside sum_reduce, MPI_Allreduce beside all_sum_reduce; on the layouts of the last one also
 * MPI_Scan, MPI_Exscan and, without data, MPI_Barrier. MPI_Bcast works in place, on one buffer, as the
 * call does. In each group the ranks are in the order of the copies, behind the owner. */
#include "bench/raw.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
    MPI_Comm group; /* the ranks that call together; MPI_COMM_NULL: this rank is in none */
    int count;      /* entries of this group's block */
    MPI_Datatype type;
    MPI_Op sum;
    int rank, size; /* MPI_Barrier: in the group */
    int fills;      /* how often it was filled */
    int early;      /* ranks that left it before the last one had come */
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
                   work->rank == owner ? -1 : holder, &raw->group);
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

static void init_bcast(tgb_work *work)
{
    const raw_group *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        TGB_PERSISTENT(MPI_Bcast_init(work->x, raw->count, raw->type, 0, raw->group, MPI_INFO_NULL,
                                      &work->request));
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

static void init_reduce(tgb_work *work)
{
    const raw_group *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        TGB_PERSISTENT(MPI_Reduce_init(work->x, work->y, raw->count, raw->type, raw->sum, 0,
                                       raw->group, MPI_INFO_NULL, &work->request));
}

/* ---- raw:MPI_Allreduce beside all_sum_reduce ---- */

static tg_status plan_copies(tgb_work *work)
{
    return plan_groups(work, tgb_raw_x(work), tgb_raw_x(work));
}

static void run_allreduce(tgb_work *work)
{
    const raw_group *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Allreduce(work->x, work->y, raw->count, raw->type, raw->sum, raw->group);
}

static void init_allreduce(tgb_work *work)
{
    const raw_group *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        TGB_PERSISTENT(MPI_Allreduce_init(work->x, work->y, raw->count, raw->type, raw->sum,
                                          raw->group, MPI_INFO_NULL, &work->request));
}

/* ---- raw:MPI_Scan, raw:MPI_Exscan: sums of the copies before, with and without one's own ---- */

static int copies_of(const tg_layout *layout)
{
    int copies = 1;
    for (int a = 0; a < layout->ndim; a++)
        copies *= layout->axis[a].copied ? layout->axis[a].parts : 1;
    return copies;
}

/* Something of each copy must reach the last one: a block crosses between any two neighbours, and a rank
 * need not give or take more than one. */
static tg_status resolve_scan(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    const tg_status status = tgb_raw_resolve(words, P, N, setup);
    if (status.code != TG_OK)
        return status;
    const int copies = copies_of(&setup->problem.x);
    setup->moved_bytes = (copies - 1) * setup->size_bytes;
    setup->max_rank_bytes = copies > 1 ? setup->held_x_bytes : 0;
    return status;
}

static void run_scan(tgb_work *work)
{
    const raw_group *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Scan(work->x, work->y, raw->count, raw->type, raw->sum, raw->group);
}

static void init_scan(tgb_work *work)
{
    const raw_group *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        TGB_PERSISTENT(MPI_Scan_init(work->x, work->y, raw->count, raw->type, raw->sum, raw->group,
                                     MPI_INFO_NULL, &work->request));
}

static void run_exscan(tgb_work *work)
{
    const raw_group *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Exscan(work->x, work->y, raw->count, raw->type, raw->sum, raw->group);
}

static void init_exscan(tgb_work *work)
{
    const raw_group *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        TGB_PERSISTENT(MPI_Exscan_init(work->x, work->y, raw->count, raw->type, raw->sum,
                                       raw->group, MPI_INFO_NULL, &work->request));
}

/* A rank's own entries are no part of its sum: nothing stays where it is. */
static tg_status load_exscan(const tgb_setup *setup, tgb_load *load)
{
    const tg_status status = tgb_load_of_layouts(setup, load);
    load->memory_most = load->memory_least = 0;
    return status;
}

/* The ranks of this rank's group up to itself, in the order of the copies. Returns how many; `ranks` has
 * room for all of the layout. */
static int ranks_before(const tg_layout *copies, int rank, int *ranks)
{
    int coords[TG_MAX_NDIM], count = 0;
    bool fixed[TG_MAX_NDIM];
    tg_layout_coords(copies, tg_layout_place(copies, rank), coords);
    for (int a = 0; a < copies->ndim; a++)
        fixed[a] = !copies->axis[a].copied;
    tg_layout_ranks_at(copies, coords, fixed, ranks);
    while (ranks[count] != rank)
        count++;
    return count;
}

/* y against the sum of what the copies before were filled with. Of the first copy MPI_Exscan says
 * nothing, and nothing is compared. */
static ptrdiff_t count_wrong_sums(const tgb_work *work, bool with_own)
{
    const tg_problem *p = &work->setup->problem;
    const size_t bytes = (size_t)work->x_bytes;
    const ptrdiff_t entries = work->x_bytes / (ptrdiff_t)p->dtype->size;
    ptrdiff_t wrong = 0;
    if (tg_layout_place(&p->x, work->rank) < 0)
        return 0;
    int *ranks = malloc((size_t)tg_layout_size(&p->x) * sizeof *ranks);
    char *sum = calloc(1, bytes + 1), *term = malloc(bytes + 1);
    if (ranks && sum && term) {
        const int terms = ranks_before(&p->x, work->rank, ranks) + with_own;
        for (int i = 0; i < terms; i++) {
            tg_fill(p, TG_X, ranks[i], work->seed, term);
            p->dtype->add(sum, term, entries);
        }
        for (ptrdiff_t i = 0; i < entries && terms > 0; i++)
            wrong += p->dtype->get(work->y, i) != p->dtype->get(sum, i);
    } else
        wrong = -1;
    free(ranks);
    free(sum);
    free(term);
    return wrong;
}

static ptrdiff_t count_wrong_scan(tgb_work *work)
{
    return count_wrong_sums(work, true);
}

static ptrdiff_t count_wrong_exscan(tgb_work *work)
{
    return count_wrong_sums(work, false);
}

/* ---- raw:MPI_Barrier: no data; what is checked is that nobody leaves before all have come ---- */

/* The words of a tensor without entries, on as many axes as the grid has. */
static tg_status resolve_barrier(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    tgb_case with_shape;
    char *text = tgb_case_print(words), shape[2 * TG_MAX_NDIM + 1] = "0";
    if (!text)
        return tg_fail(TG_NO_MEMORY, "no memory for a case");
    tg_status status = tgb_case_parse(text, &with_shape);
    free(text);
    const char *grid = tgb_case_get(words, "grid");
    for (const char *c = grid ? grid : ""; *c && strlen(shape) + 2 < sizeof shape; c++)
        if (*c == 'x')
            strcat(shape, "x0");
    if (status.code == TG_OK)
        status = tgb_case_set(&with_shape, "shape", shape);
    if (status.code == TG_OK)
        status = tgb_primitive_resolve(&with_shape, P, N, setup);
    tgb_case_free(&with_shape);
    return status;
}

/* Each rank must hear of every other one. */
static tg_status load_barrier(const tgb_setup *setup, tgb_load *load)
{
    load->group[0] = copies_of(&setup->problem.x);
    return tg_success();
}

static tg_status plan_barrier(tgb_work *work)
{
    const tg_status status = plan_copies(work);
    raw_group *raw = work->raw;
    if (status.code == TG_OK && raw->group != MPI_COMM_NULL) {
        MPI_Comm_rank(raw->group, &raw->rank);
        MPI_Comm_size(raw->group, &raw->size);
    }
    return status;
}

static void run_barrier(tgb_work *work)
{
    const raw_group *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Barrier(raw->group);
}

static void init_barrier(tgb_work *work)
{
    const raw_group *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        TGB_PERSISTENT(MPI_Barrier_init(raw->group, MPI_INFO_NULL, &work->request));
}

/* Who comes late, another rank each time. */
static int late_rank(const raw_group *raw)
{
    return raw->fills % raw->size;
}

/* Who has left the barrier says so to the rank that comes late, which must not have heard it when it
 * comes. */
static void fill_barrier(tgb_work *work)
{
    static const struct timespec late = {.tv_nsec = 1000000};
    raw_group *raw = work->raw;
    if (raw->group == MPI_COMM_NULL)
        return;
    raw->fills++;
    raw->early = 0;
    if (raw->rank != late_rank(raw))
        return;
    nanosleep(&late, NULL);
    for (int r = 0; r < raw->size; r++) {
        int heard;
        MPI_Iprobe(r, 0, raw->group, &heard, MPI_STATUS_IGNORE);
        raw->early += heard != 0;
    }
}

static ptrdiff_t count_wrong_barrier(tgb_work *work)
{
    const raw_group *raw = work->raw;
    if (raw->group == MPI_COMM_NULL)
        return 0;
    const int late = late_rank(raw);
    if (raw->rank != late)
        MPI_Send(NULL, 0, MPI_BYTE, late, 0, raw->group);
    for (int r = 0; raw->rank == late && r < raw->size; r++)
        if (r != late)
            MPI_Recv(NULL, 0, MPI_BYTE, r, 0, raw->group, MPI_STATUS_IGNORE);
    return raw->early;
}

/* ---- rows ---- */

static const tgb_key barrier_keys[] = {{"grid", "auto", false},
                                       {"ranks", "0..n-1", false},
                                       {"order", "0..d-1", false},
                                       TGB_TYPE,
                                       TGB_END};

const tgb_raw_row tgb_raw_collectives[] = {
    {.name = "raw:MPI_Bcast",
     .summary = "MPI_Bcast from the owner of each block, in place",
     .formula = "y_i = x",
     .beside = "broadcast",
     .keys = tgb_raw_two_keys,
     .resolve = resolve_bcast,
     .plan = plan_bcast,
     .release = free_group,
     .run = run_bcast,
     .fill = fill_bcast,
     .init = init_bcast},
    {.name = "raw:MPI_Reduce",
     .summary = "MPI_Reduce of copies to the owner of each block",
     .formula = "y = sum_i x_i",
     .beside = "sum_reduce",
     .keys = tgb_raw_two_keys,
     .resolve = resolve_reduce,
     .plan = plan_reduce,
     .release = free_group,
     .run = run_reduce,
     .init = init_reduce},
    {.name = "raw:MPI_Allreduce",
     .summary = "MPI_Allreduce of the copies of each block",
     .formula = "y_i = sum_j x_j",
     .beside = "all_sum_reduce",
     .keys = tgb_raw_one_keys,
     .resolve = tgb_raw_resolve,
     .plan = plan_copies,
     .release = free_group,
     .run = run_allreduce,
     .init = init_allreduce},
    {.name = "raw:MPI_Scan",
     .summary = "MPI_Scan of the copies of each block",
     .formula = "y_i = sum_j x_j, j <= i",
     .beside = "all_sum_reduce",
     .keys = tgb_raw_one_keys,
     .resolve = resolve_scan,
     .plan = plan_copies,
     .release = free_group,
     .run = run_scan,
     .count_wrong = count_wrong_scan,
     .init = init_scan},
    {.name = "raw:MPI_Exscan",
     .summary = "MPI_Exscan of the copies of each block; the first has no result",
     .formula = "y_i = sum_j x_j, j < i",
     .beside = "all_sum_reduce",
     .keys = tgb_raw_one_keys,
     .resolve = resolve_scan,
     .plan = plan_copies,
     .release = free_group,
     .run = run_exscan,
     .count_wrong = count_wrong_exscan,
     .load = load_exscan,
     .init = init_exscan},
    {.name = "raw:MPI_Barrier",
     .summary = "MPI_Barrier of the ranks of each group of copies; no data",
     .formula = "nobody leaves before all have come",
     .beside = "all_sum_reduce",
     .keys = barrier_keys,
     .resolve = resolve_barrier,
     .plan = plan_barrier,
     .release = free_group,
     .run = run_barrier,
     .fill = fill_barrier,
     .count_wrong = count_wrong_barrier,
     .load = load_barrier,
     .init = init_barrier},
    {.name = NULL},
};
