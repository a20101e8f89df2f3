/* vgroup.c: MPI_Scatterv, MPI_Gatherv, MPI_Allgatherv and MPI_Reduce_scatter on blocks of a
 * tensor.
 *
 * Blocks that do not follow each other in the whole box are packed; all are for persistent requests,
 * which bind their buffers. These calls have tables of int: a whole box with more entries than one
 * holds is left to MPI_Alltoallw, whose types have no such limit.
 * Source: Hewett and Grady, arXiv 2006.03108, section 3: gather and scatter are each other's
 * adjoints. */
#include "primitives/vgroup.h"

#include "primitives/count.h"
#include "primitives/exchange.h"
#include "primitives/gathered.h"

#include <stdlib.h>

typedef struct vgroup vgroup;

/* How the calls of an operator are made. */
typedef struct {
    /* One call, at once (later NULL) or under way. */
    void (*call)(const tg_op *op, const vgroup *g, tg_space to, const void *in, void *out,
                 MPI_Request *later);
    /* Instead: persistent requests of both directions, which bind their buffers: all is packed. */
    void (*make)(const tg_op *op, vgroup *g);
    tg_pass *start, *finish;
    const tg_algorithm *without_tables; /* for what the calls' tables cannot say */
} vgroup_kind;

struct vgroup {
    tg_gathered of;
    tg_group *shared;      /* NULL: this rank takes no part */
    MPI_Comm comm;         /* of shared */
    int root;              /* of scatterv, in comm */
    int *counts, *starts;  /* entries of each rank's block, in the order of the ranks */
    char *packed;          /* the whole box, block by block */
    bool own_direct;       /* this rank's block is sent from and received into its buffer */
    char *own_packed;      /* otherwise: this rank's block on its way */
    MPI_Request under_way; /* between tg_start and tg_finish */
    const vgroup_kind *kind;
    MPI_Request made[2]; /* by kind->make: by the side that is made */
};

static void release_vgroup(tg_op *op)
{
    vgroup *g = op->state;
    for (tg_space to = TG_X; to <= TG_Y; to++)
        if (g->made[to] != MPI_REQUEST_NULL)
            MPI_Request_free(&g->made[to]);
    tg_group_drop(g->shared);
    free(g->counts);
    free(g->starts);
    free(g->packed);
    free(g->own_packed);
    tg_gathered_free(&g->of);
    free(g);
}

/* The group's communicator, tables and packed buffers. Local. */
static tg_status prepare_vgroup(vgroup *g, tg_op *op)
{
    tg_gathered *of = &g->of;
    const ptrdiff_t size = of->size, entry = (ptrdiff_t)op->dtype->size;
    const ptrdiff_t whole_bytes = of->starts[size] * entry;
    const bool bound = g->kind->make != NULL;
    of->in_order = of->in_order && !bound;
    g->own_direct =
        !bound && !op->in_place && (of->own_count == 0 || tg_blocks_contiguous(&of->own));
    g->shared = tg_group_get(op->shared, of->ranks, of->size);
    g->counts = tg_keep(op, size * (ptrdiff_t)sizeof *g->counts);
    g->starts = tg_keep(op, size * (ptrdiff_t)sizeof *g->starts);
    g->packed = tg_keep(op, of->has_whole ? whole_bytes : 0);
    g->own_packed = tg_keep(op, g->own_direct ? 0 : of->own_count * entry);
    if (!g->shared || !g->counts || !g->starts || !g->packed || !g->own_packed)
        return tg_check_memory(NULL, whole_bytes);
    for (int i = 0; i < of->size; i++) {
        g->starts[i] = (int)of->starts[i];
        g->counts[i] = (int)(of->starts[i + 1] - of->starts[i]);
    }
    return tg_success();
}

/* ---- running ---- */

/* Where MPI finds, or puts, the whole box: in the user's buffer or packed. */
static char *whole_begin(const vgroup *g, const void *whole)
{
    return g->of.in_order && g->of.has_whole ? (char *)(uintptr_t)whole + g->of.begin : g->packed;
}

static const void *pack_blocks(const vgroup *g, const tg_op *op, const void *whole)
{
    if (!g->of.in_order && g->of.has_whole)
        tg_gathered_pack(&g->of, op, whole, g->packed);
    return whole_begin(g, whole);
}

static void unpack_blocks(const vgroup *g, const tg_op *op, void *whole)
{
    if (!g->of.in_order && g->of.has_whole)
        tg_gathered_unpack(&g->of, op, g->packed, whole);
}

/* Where MPI finds, or puts, this rank's block. No entries have an address too: SimGrid 3.32 refuses
 * a reduce_scatter into NULL. */
static char *own_begin(const vgroup *g, const void *buffer)
{
    static char nowhere;
    if (!g->own_direct)
        return g->own_packed;
    return g->of.own_count > 0 ? (char *)(uintptr_t)buffer + g->of.own.block->offset : &nowhere;
}

static const void *own_in(const vgroup *g, const void *in)
{
    if (!g->own_direct)
        tg_blocks_pack(&g->of.own, in, g->own_packed);
    return own_begin(g, in);
}

/* The block has arrived; in place, towards x, what is no entry of x is cleared first. */
static void own_out(const vgroup *g, tg_space to, void *out)
{
    if (to == TG_X)
        tg_blocks_clear(&g->of.clear, out);
    if (!g->own_direct)
        tg_blocks_unpack(&g->of.own, g->own_packed, out);
}

/* The calls of scatter ... */
static void call_scatterv(const tg_op *op, const vgroup *g, tg_space to, const void *in, void *out,
                          MPI_Request *later)
{
    const MPI_Datatype type = op->dtype->mpi();
    const int own_count = g->counts[g->of.me];
    const void *const give = to == TG_Y ? pack_blocks(g, op, in) : own_in(g, in);
    char *const take = to == TG_Y ? own_begin(g, out) : whole_begin(g, out);
    if (to == TG_Y && later)
        MPI_Iscatterv(give, g->counts, g->starts, type, take, own_count, type, g->root, g->comm,
                      later);
    else if (to == TG_Y)
        MPI_Scatterv(give, g->counts, g->starts, type, take, own_count, type, g->root, g->comm);
    else if (later)
        MPI_Igatherv(give, own_count, type, take, g->counts, g->starts, type, g->root, g->comm,
                     later);
    else
        MPI_Gatherv(give, own_count, type, take, g->counts, g->starts, type, g->root, g->comm);
}

/* ... and of all_gather. */
static void call_allgatherv(const tg_op *op, const vgroup *g, tg_space to, const void *in,
                            void *out, MPI_Request *later)
{
    const MPI_Datatype type = op->dtype->mpi();
    const int own_count = g->counts[g->of.me];
    const void *const give = to == TG_Y ? own_in(g, in) : pack_blocks(g, op, in);
    char *const take = to == TG_Y ? whole_begin(g, out) : own_begin(g, out);
    if (to == TG_Y && later)
        MPI_Iallgatherv(give, own_count, type, take, g->counts, g->starts, type, g->comm, later);
    else if (to == TG_Y)
        MPI_Allgatherv(give, own_count, type, take, g->counts, g->starts, type, g->comm);
    else if (later)
        MPI_Ireduce_scatter(give, take, g->counts, type, op->dtype->sum(), g->comm, later);
    else
        MPI_Reduce_scatter(give, take, g->counts, type, op->dtype->sum(), g->comm);
}

/* What has arrived is put where it belongs. */
static void put(const tg_op *op, const vgroup *g, tg_space to, void *out)
{
    if (to == g->of.whole) {
        if (to == TG_X)
            tg_blocks_clear(&g->of.clear, out);
        unpack_blocks(g, op, out);
    } else {
        own_out(g, to, out);
    }
}

static void run(tg_op *op, tg_space to, const void *in, void *out)
{
    const vgroup *g = op->state;
    if (g->comm == MPI_COMM_NULL)
        return;
    g->kind->call(op, g, to, in, out, NULL);
    put(op, g, to, out);
}

static void start(tg_op *op, tg_space to, const void *in, void *out)
{
    vgroup *g = op->state;
    if (g->comm != MPI_COMM_NULL)
        g->kind->call(op, g, to, in, out, &g->under_way);
}

static void finish(tg_op *op, tg_space to, const void *in, void *out)
{
    vgroup *g = op->state;
    (void)in;
    if (g->comm == MPI_COMM_NULL)
        return;
    /* Begun by the first half. NOLINTNEXTLINE(clang-analyzer-optin.mpi.MPI-Checker) */
    MPI_Wait(&g->under_way, MPI_STATUS_IGNORE);
    put(op, g, to, out);
}

static const vgroup_kind scatterv = {call_scatterv, NULL, start, finish, &tg_engine_alltoallw},
                         allgatherv = {call_allgatherv, NULL, start, finish, &tg_engine_alltoallw};

/* ---- persistent requests ---- */

#ifdef TG_HAVE_PERSISTENT_COLLECTIVES

static void start_made(tg_op *op, tg_space to, const void *in, void *out)
{
    vgroup *g = op->state;
    (void)out;
    if (g->comm == MPI_COMM_NULL)
        return;
    if (to == g->of.whole)
        own_in(g, in);
    else
        pack_blocks(g, op, in);
    MPI_Start(&g->made[to]);
}

static void finish_made(tg_op *op, tg_space to, const void *in, void *out)
{
    vgroup *g = op->state;
    (void)in;
    if (g->comm == MPI_COMM_NULL)
        return;
    MPI_Wait(&g->made[to], MPI_STATUS_IGNORE);
    put(op, g, to, out);
}

static void make_scatterv(const tg_op *op, vgroup *g)
{
    const MPI_Datatype type = op->dtype->mpi();
    const int own_count = g->counts[g->of.me];
    MPI_Scatterv_init(g->packed, g->counts, g->starts, type, g->own_packed, own_count, type,
                      g->root, g->comm, MPI_INFO_NULL, &g->made[TG_Y]);
    MPI_Gatherv_init(g->own_packed, own_count, type, g->packed, g->counts, g->starts, type, g->root,
                     g->comm, MPI_INFO_NULL, &g->made[TG_X]);
}

static void make_allgatherv(const tg_op *op, vgroup *g)
{
    const MPI_Datatype type = op->dtype->mpi();
    MPI_Allgatherv_init(g->own_packed, g->counts[g->of.me], type, g->packed, g->counts, g->starts,
                        type, g->comm, MPI_INFO_NULL, &g->made[TG_Y]);
    MPI_Reduce_scatter_init(g->packed, g->own_packed, g->counts, type, op->dtype->sum(), g->comm,
                            MPI_INFO_NULL, &g->made[TG_X]);
}

static const vgroup_kind scatterv_init = {NULL, make_scatterv, start_made, finish_made,
                                          &tg_engine_alltoallw_init},
                         allgatherv_init = {NULL, make_allgatherv, start_made, finish_made,
                                            &tg_engine_alltoallw_init};

#endif

/* ---- plans ---- */

static vgroup *new_vgroup(tg_op *op, const vgroup_kind *kind)
{
    vgroup *g = tg_keep(op, (ptrdiff_t)sizeof *g);
    if (!g)
        return NULL;
    g->comm = MPI_COMM_NULL;
    g->made[TG_X] = g->made[TG_Y] = MPI_REQUEST_NULL;
    g->kind = kind;
    op->state = g;
    op->release = release_vgroup;
    if (kind->make)
        tg_set_halves(op, kind->start, kind->finish);
    else
        tg_set_collective(op, run, kind->start, kind->finish);
    return g;
}

/* After all ranks have agreed; `number` keeps apart groups made at the same time. */
static void open_vgroup(const tg_op *op, vgroup *g, int number)
{
    g->comm = tg_group_mpi(g->shared, number);
    if (g->kind->make)
        g->kind->make(op, g);
}

static tg_status plan_scattered(const tg_problem *problem, tg_op *op, const vgroup_kind *kind)
{
    if (!tg_count_fits(tg_layout_count(&problem->x)))
        return kind->without_tables->plan(problem, op);
    vgroup *g = new_vgroup(op, kind);
    bool member =
        tg_layout_place(&problem->x, op->rank) >= 0 || tg_layout_place(&problem->y, op->rank) >= 0;
    tg_status status = tg_check_memory(g, (ptrdiff_t)sizeof *g);
    if (g && member)
        status = tg_find_scattered(problem, op, &g->of, &g->root);
    if (status.code == TG_OK && member)
        status = prepare_vgroup(g, op);
    status = tg_agree(op->comm, status);
    if (status.code == TG_OK && member)
        open_vgroup(op, g, 0);
    return status;
}

static tg_status plan_gathered(const tg_problem *problem, tg_op *op, const vgroup_kind *kind)
{
    bool same = true, member = tg_layout_place(&problem->y, op->rank) >= 0;
    tg_status status = tg_same_ranks(problem, op, &same);
    if (status.code != TG_OK)
        return status;
    if (!same || !tg_count_fits(tg_layout_max_held(&problem->y)))
        return kind->without_tables->plan(problem, op);
    vgroup *g = new_vgroup(op, kind);
    status = tg_check_memory(g, (ptrdiff_t)sizeof *g);
    if (g && member)
        status = tg_find_gathered(problem, op, &g->of);
    if (status.code == TG_OK && member)
        status = prepare_vgroup(g, op);
    status = tg_agree(op->comm, status);
    if (status.code == TG_OK && member)
        open_vgroup(op, g, g->of.ranks[0]);
    return status;
}

tg_status tg_plan_scatterv(const tg_problem *problem, tg_op *op)
{
    return plan_scattered(problem, op, &scatterv);
}

tg_status tg_plan_allgatherv(const tg_problem *problem, tg_op *op)
{
    return plan_gathered(problem, op, &allgatherv);
}

#ifdef TG_HAVE_PERSISTENT_COLLECTIVES

tg_status tg_plan_scatterv_init(const tg_problem *problem, tg_op *op)
{
    return plan_scattered(problem, op, &scatterv_init);
}

tg_status tg_plan_allgatherv_init(const tg_problem *problem, tg_op *op)
{
    return plan_gathered(problem, op, &allgatherv_init);
}

#endif
