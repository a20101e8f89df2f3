/* group.c: MPI_Bcast, MPI_Reduce and MPI_Allreduce in groups of ranks that hold the same part.
 *
 * Source: Hewett and Grady, arXiv 2006.03108, section 3: broadcast and sum-reduction are each
 * other's adjoints. */
#include "primitives/group.h"

#include "primitives/count.h"
#include "primitives/holders.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    tg_holders of;
    tg_group *shared;      /* NULL for a lone rank */
    MPI_Comm comm;         /* of shared; MPI_COMM_NULL for a lone rank */
    bool plain;            /* both parts are one run: calls count entries of the user's buffers */
    MPI_Datatype type[2];  /* not plain: the part in these buffers */
    char *packed;          /* not plain: for reductions */
    MPI_Request under_way; /* between tg_start and tg_finish */
} group;

typedef struct {
    group group[2];
    int ngroups;
} groups;

static void release_groups(tg_op *op)
{
    groups *g = op->state;
    for (group *made = g->group; made < g->group + g->ngroups; made++) {
        tg_group_drop(made->shared);
        for (tg_space space = TG_X; space <= TG_Y; space++)
            if (made->type[space] != MPI_DATATYPE_NULL)
                MPI_Type_free(&made->type[space]);
        free(made->packed);
        tg_holders_free(&made->of);
    }
    free(g);
}

/* The group's communicator, if it has more than one rank, and what non-contiguous parts need.
 * Local. */
static tg_status prepare_group(tg_op *op, group *made)
{
    const tg_holders *of = &made->of;
    if (of->size > 1) {
        made->shared = tg_group_get(op->shared, of->ranks, of->size);
        if (!made->shared)
            return tg_check_memory(NULL, of->size * (ptrdiff_t)sizeof(int));
    }
    made->plain = tg_blocks_contiguous(&of->part[TG_X]) && tg_blocks_contiguous(&of->part[TG_Y]);
    for (tg_space space = TG_X; !made->plain && space <= TG_Y; space++)
        made->type[space] = tg_blocks_type(&of->part[space], op->dtype);
    const ptrdiff_t bytes = made->plain ? 0 : of->entries * (ptrdiff_t)op->dtype->size;
    made->packed = tg_keep(op, bytes);
    return tg_check_memory(made->packed, bytes);
}

/* The groups of this rank. Local. */
static tg_status find_groups(const tg_problem *problem, tg_op *op, groups *g)
{
    tg_holders found[2];
    tg_status status = tg_find_holders(problem, op, found, &g->ngroups);
    for (int i = 0; i < g->ngroups; i++)
        g->group[i] = (group){.of = found[i],
                              .comm = MPI_COMM_NULL,
                              .type = {MPI_DATATYPE_NULL, MPI_DATATYPE_NULL},
                              .under_way = MPI_REQUEST_NULL};
    for (int i = 0; status.code == TG_OK && i < g->ngroups; i++)
        status = prepare_group(op, &g->group[i]);
    return status;
}

static tg_status plan_groups(const tg_problem *problem, tg_op *op)
{
    groups *g = tg_keep(op, (ptrdiff_t)sizeof *g);
    tg_status status = tg_check_memory(g, (ptrdiff_t)sizeof *g);
    op->state = g;
    op->release = g ? release_groups : NULL;
    if (g)
        status = find_groups(problem, op, g);
    status = tg_agree(op->comm, status);
    for (int i = 0; status.code == TG_OK && i < g->ngroups; i++)
        if (g->group[i].shared)
            g->group[i].comm = tg_group_mpi(g->group[i].shared, g->group[i].of.number);
    return status;
}

/* ---- calls: at once, or under way until finish_group ---- */

/* NULL: the call is made at once; also where its entries are more than one call counts. */
static MPI_Request *later_of(group *g, bool halves)
{
    return halves && tg_count_fits(g->of.entries) ? &g->under_way : NULL;
}

static void call_bcast(const tg_op *op, const group *g, tg_space from, void *buffer,
                       MPI_Request *later)
{
    void *const begin = g->plain ? tg_part_begin(&g->of.part[from], buffer) : buffer;
    const int count = g->plain && later ? (int)g->of.entries : 1;
    const MPI_Datatype type = g->plain ? op->dtype->mpi() : g->type[from];
    if (later)
        MPI_Ibcast(begin, count, type, g->of.root, g->comm, later);
    else if (g->plain)
        tg_bcast(begin, g->of.entries, op->dtype, g->of.root, g->comm);
    else
        MPI_Bcast(begin, count, type, g->of.root, g->comm);
}

static void call_reduce(const tg_op *op, const group *g, const void *terms, void *sum,
                        MPI_Request *later)
{
    if (later)
        MPI_Ireduce(terms, sum, (int)g->of.entries, op->dtype->mpi(), op->dtype->sum(), g->of.root,
                    g->comm, later);
    else
        tg_reduce(terms, sum, g->of.entries, op->dtype, g->of.root, g->comm);
}

static void call_allreduce(const tg_op *op, const group *g, const void *terms, void *sum,
                           MPI_Request *later)
{
    if (later)
        MPI_Iallreduce(terms, sum, (int)g->of.entries, op->dtype->mpi(), op->dtype->sum(), g->comm,
                       later);
    else
        tg_allreduce(terms, sum, g->of.entries, op->dtype, g->comm);
}

/* ---- what comes before a call and after it ---- */

/* A lone rank's copy from one side to the other. */
static void copy_here(const tg_op *op, const group *g, tg_space to, const void *in, void *out)
{
    if (!op->in_place)
        tg_blocks_copy(&g->of.part[to == TG_Y ? TG_X : TG_Y], in, &g->of.part[to], out);
}

static void start_broadcast(const tg_op *op, const group *g, const void *x, void *y,
                            MPI_Request *later)
{
    if (g->of.sends && g->of.holds)
        copy_here(op, g, TG_Y, x, y);
    /* A root that holds no copy sends from x, which MPI_Bcast leaves as it is. */
    if (g->comm != MPI_COMM_NULL)
        call_bcast(op, g, g->of.holds ? TG_Y : TG_X, g->of.holds ? y : (void *)(uintptr_t)x, later);
}

/* Where a sum is made: in the user's buffer if the part is one run there. */
static char *sum_begin(const group *g, tg_space to, void *out)
{
    return tg_blocks_contiguous(&g->of.part[to]) ? tg_part_begin(&g->of.part[to], out) : g->packed;
}

/* This rank's terms of a sum that is made at `sum`: where they lie, or packed there. */
static const void *terms_of(const tg_op *op, const group *g, tg_space from, const void *in,
                            char *sum)
{
    if (tg_blocks_contiguous(&g->of.part[from]))
        return op->in_place ? MPI_IN_PLACE : tg_part_begin(&g->of.part[from], in);
    tg_blocks_pack(&g->of.part[from], in, sum);
    return MPI_IN_PLACE;
}

/* The root makes the sum; it may have no terms of its own. The others give theirs. */
static void start_reduce(const tg_op *op, const group *g, const void *y, void *x,
                         MPI_Request *later)
{
    if (g->comm == MPI_COMM_NULL) {
        copy_here(op, g, TG_X, y, x);
    } else if (g->of.sends) {
        char *const sum = sum_begin(g, TG_X, x);
        if (!g->of.holds)
            memset(sum, 0, (size_t)g->of.entries * op->dtype->size);
        call_reduce(op, g, g->of.holds ? terms_of(op, g, TG_Y, y, sum) : MPI_IN_PLACE, sum, later);
    } else {
        const bool direct = tg_blocks_contiguous(&g->of.part[TG_Y]);
        if (!direct)
            tg_blocks_pack(&g->of.part[TG_Y], y, g->packed);
        call_reduce(op, g, direct ? tg_part_begin(&g->of.part[TG_Y], y) : g->packed, NULL, later);
    }
}

static void start_allreduce(const tg_op *op, const group *g, tg_space to, const void *in, void *out,
                            MPI_Request *later)
{
    if (g->comm == MPI_COMM_NULL) {
        copy_here(op, g, to, in, out);
        return;
    }
    char *const sum = sum_begin(g, to, out);
    call_allreduce(op, g, terms_of(op, g, to == TG_Y ? TG_X : TG_Y, in, sum), sum, later);
}

/* The call has ended; this rank's sum is put where it belongs. */
static void finish_group(group *g, tg_space to, bool sums, void *out)
{
    if (g->under_way != MPI_REQUEST_NULL)
        /* Begun by the first half. NOLINTNEXTLINE(clang-analyzer-optin.mpi.MPI-Checker) */
        MPI_Wait(&g->under_way, MPI_STATUS_IGNORE);
    if (sums && g->comm != MPI_COMM_NULL && !tg_blocks_contiguous(&g->of.part[to]))
        tg_blocks_unpack(&g->of.part[to], g->packed, out);
}

/* ---- broadcast and its adjoint ---- */

static void start_bcast(tg_op *op, tg_space to, group *g, const void *in, void *out, bool halves)
{
    if (to == TG_Y)
        start_broadcast(op, g, in, out, later_of(g, halves));
    else
        start_reduce(op, g, in, out, later_of(g, halves));
}

static void finish_bcast(tg_op *op, tg_space to, group *g, void *out)
{
    finish_group(g, to, to == TG_X && g->of.sends, out);
    if (op->in_place && to == TG_X && g->of.holds && !g->of.sends)
        tg_blocks_clear(&g->of.part[TG_Y], out); /* no entry of x: cleared once it is sent */
}

static void run_bcast(tg_op *op, tg_space to, const void *in, void *out)
{
    groups *all = op->state;
    for (int i = 0; i < all->ngroups; i++)
        start_bcast(op, to, &all->group[i], in, out, false);
    for (int i = 0; i < all->ngroups; i++)
        finish_bcast(op, to, &all->group[i], out);
}

static void run_bcast_first(tg_op *op, tg_space to, const void *in, void *out)
{
    groups *all = op->state;
    for (int i = 0; i < all->ngroups; i++)
        start_bcast(op, to, &all->group[i], in, out, true);
    /* Awaited by the second half. NOLINTNEXTLINE(clang-analyzer-optin.mpi.MPI-Checker) */
}

static void run_bcast_second(tg_op *op, tg_space to, const void *in, void *out)
{
    groups *all = op->state;
    (void)in;
    for (int i = 0; i < all->ngroups; i++)
        finish_bcast(op, to, &all->group[i], out);
}

tg_status tg_plan_bcast(const tg_problem *problem, tg_op *op)
{
    tg_set_collective(op, run_bcast, run_bcast_first, run_bcast_second);
    return plan_groups(problem, op);
}

/* ---- all_sum_reduce: one group a rank; its own adjoint ---- */

static void run_allreduce(tg_op *op, tg_space to, const void *in, void *out)
{
    groups *all = op->state;
    if (all->ngroups == 0)
        return;
    start_allreduce(op, &all->group[0], to, in, out, NULL);
    finish_group(&all->group[0], to, true, out);
}

static void run_allreduce_first(tg_op *op, tg_space to, const void *in, void *out)
{
    groups *all = op->state;
    if (all->ngroups > 0)
        start_allreduce(op, &all->group[0], to, in, out, later_of(&all->group[0], true));
    /* Awaited by the second half. NOLINTNEXTLINE(clang-analyzer-optin.mpi.MPI-Checker) */
}

static void run_allreduce_second(tg_op *op, tg_space to, const void *in, void *out)
{
    groups *all = op->state;
    (void)in;
    if (all->ngroups > 0)
        finish_group(&all->group[0], to, true, out);
}

tg_status tg_plan_allreduce(const tg_problem *problem, tg_op *op)
{
    /* The groups of a broadcast from each part's first copy to all its copies. */
    tg_set_collective(op, run_allreduce, run_allreduce_first, run_allreduce_second);
    return plan_groups(problem, op);
}
