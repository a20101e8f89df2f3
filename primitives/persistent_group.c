/* persistent_group.c: MPI_Bcast_init, MPI_Reduce_init and MPI_Allreduce_init in groups of ranks that
 * hold the same part.
 *
 * A persistent request binds its buffers, and the user's change from call to call: what is sent and
 * what arrives passes through buffers of the plan. Terms and sum have one each, so that no call is in
 * place. A call starts the requests, in the order in which they were made, and makes none.
 * Source: MPI 4.0, section 6.13, persistent collective operations. */
#include "primitives/group.h"

#ifdef TG_HAVE_PERSISTENT_COLLECTIVES

#include "primitives/count.h"
#include "primitives/holders.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    tg_holders of;
    tg_group *shared;     /* NULL for a lone rank */
    char *packed;         /* the part: what is broadcast; a term of a sum */
    char *sum;            /* where the sum is made, on ranks that get it */
    MPI_Request *call[2]; /* by the side that is made; calls of them */
    int calls;
} group;

typedef struct {
    group group[2];
    int ngroups;
} groups;

static void free_calls(group *g, tg_space to)
{
    for (int i = 0; g->call[to] && i < g->calls; i++)
        if (g->call[to][i] != MPI_REQUEST_NULL)
            MPI_Request_free(&g->call[to][i]);
    free(g->call[to]);
}

static void release(tg_op *op)
{
    groups *all = op->state;
    for (group *g = all->group; g < all->group + all->ngroups; g++) {
        free_calls(g, TG_X);
        free_calls(g, TG_Y);
        tg_group_drop(g->shared);
        free(g->packed);
        free(g->sum);
        tg_holders_free(&g->of);
    }
    free(all);
}

/* ---- planning ---- */

static tg_status keep_calls(tg_op *op, group *g, tg_space to)
{
    const ptrdiff_t bytes = g->calls * (ptrdiff_t)sizeof *g->call[to];
    g->call[to] = tg_keep(op, bytes);
    for (int i = 0; g->call[to] && i < g->calls; i++)
        g->call[to][i] = MPI_REQUEST_NULL;
    return tg_check_memory(g->call[to], bytes);
}

static tg_status prepare_group(tg_op *op, group *g)
{
    const ptrdiff_t bytes = g->of.entries * (ptrdiff_t)op->dtype->size;
    if (g->of.size == 1)
        return tg_success();
    g->shared = tg_group_get(op->shared, g->of.ranks, g->of.size);
    g->packed = tg_keep(op, bytes);
    g->sum = tg_keep(op, g->of.sends ? bytes : 0);
    if (!g->shared || !g->packed || !g->sum)
        return tg_check_memory(NULL, bytes);
    g->calls = tg_count_calls(g->of.entries);
    const tg_status status = keep_calls(op, g, TG_X);
    return status.code == TG_OK ? keep_calls(op, g, TG_Y) : status;
}

static tg_status find_groups(const tg_problem *problem, tg_op *op, groups *all)
{
    tg_holders found[2];
    tg_status status = tg_find_holders(problem, op, found, &all->ngroups);
    for (int i = 0; i < all->ngroups; i++)
        all->group[i].of = found[i];
    for (int i = 0; status.code == TG_OK && i < all->ngroups; i++)
        status = prepare_group(op, &all->group[i]);
    return status;
}

/* Makes the requests of a group of several ranks. Collective on it. */
typedef void make_function(const tg_op *op, group *g, MPI_Comm comm);

static tg_status plan(const tg_problem *problem, tg_op *op, make_function *make)
{
    groups *all = tg_keep(op, (ptrdiff_t)sizeof *all);
    op->state = all;
    op->release = all ? release : NULL;
    const tg_status status =
        tg_agree(op->comm, all ? find_groups(problem, op, all)
                               : tg_check_memory(NULL, (ptrdiff_t)sizeof *all));
    for (int i = 0; status.code == TG_OK && i < all->ngroups; i++)
        if (all->group[i].shared)
            make(op, &all->group[i], tg_group_mpi(all->group[i].shared, all->group[i].of.number));
    return status;
}

/* ---- running ---- */

static tg_blocks *part_of(group *g, tg_space space)
{
    return &g->of.part[space];
}

static void copy_here(const tg_op *op, group *g, tg_space to, const void *in, void *out)
{
    if (!op->in_place)
        tg_blocks_copy(part_of(g, to == TG_Y ? TG_X : TG_Y), in, part_of(g, to), out);
}

static void start_calls(group *g, tg_space to)
{
    for (int i = 0; i < g->calls; i++)
        MPI_Start(&g->call[to][i]);
}

static void wait_calls(group *g, tg_space to)
{
    MPI_Waitall(g->calls, g->call[to], MPI_STATUSES_IGNORE);
}

/* ---- broadcast and its adjoint ---- */

static void make_bcast(const tg_op *op, group *g, MPI_Comm comm)
{
    tg_make_bcast(g->packed, g->of.entries, op->dtype, g->of.root, comm, g->call[TG_Y]);
    tg_make_reduce(g->packed, g->sum, g->of.entries, op->dtype, g->of.root, comm, g->call[TG_X]);
}

/* The root of a sum may have no term of its own: it adds zeros. */
static void pack_bcast(const tg_op *op, group *g, tg_space to, const void *in)
{
    if (to == TG_Y ? g->of.sends : g->of.holds)
        tg_blocks_pack(part_of(g, to == TG_Y ? TG_X : TG_Y), in, g->packed);
    else if (to == TG_X)
        memset(g->packed, 0, (size_t)g->of.entries * op->dtype->size);
}

static void start_bcast(tg_op *op, tg_space to, const void *in, void *out)
{
    groups *all = op->state;
    for (group *g = all->group; g < all->group + all->ngroups; g++) {
        if (!g->shared) {
            copy_here(op, g, to, in, out);
            continue;
        }
        pack_bcast(op, g, to, in);
        start_calls(g, to);
    }
}

static void put_bcast(group *g, tg_space to, void *out)
{
    wait_calls(g, to);
    if (to == TG_Y ? g->of.holds : g->of.sends)
        tg_blocks_unpack(part_of(g, to), to == TG_Y ? g->packed : g->sum, out);
}

static void finish_bcast(tg_op *op, tg_space to, const void *in, void *out)
{
    groups *all = op->state;
    (void)in;
    for (group *g = all->group; g < all->group + all->ngroups; g++) {
        if (g->shared)
            put_bcast(g, to, out);
        if (op->in_place && to == TG_X && g->of.holds && !g->of.sends)
            tg_blocks_clear(part_of(g, TG_Y), out); /* no entry of x: cleared once it is sent */
    }
}

tg_status tg_plan_bcast_init(const tg_problem *problem, tg_op *op)
{
    tg_set_halves(op, start_bcast, finish_bcast);
    return plan(problem, op, make_bcast);
}

/* ---- all_sum_reduce: one group a rank; its own adjoint, and one list of calls ---- */

static void make_allreduce(const tg_op *op, group *g, MPI_Comm comm)
{
    tg_make_allreduce(g->packed, g->sum, g->of.entries, op->dtype, comm, g->call[TG_Y]);
}

static void start_allreduce(tg_op *op, tg_space to, const void *in, void *out)
{
    groups *all = op->state;
    group *g = all->group;
    if (all->ngroups > 0 && !g->shared)
        copy_here(op, g, to, in, out);
    if (all->ngroups == 0 || !g->shared)
        return;
    tg_blocks_pack(part_of(g, to == TG_Y ? TG_X : TG_Y), in, g->packed);
    start_calls(g, TG_Y);
}

static void finish_allreduce(tg_op *op, tg_space to, const void *in, void *out)
{
    groups *all = op->state;
    group *g = all->group;
    (void)in;
    if (all->ngroups == 0 || !g->shared)
        return;
    wait_calls(g, TG_Y);
    tg_blocks_unpack(part_of(g, to), g->sum, out);
}

tg_status tg_plan_allreduce_init(const tg_problem *problem, tg_op *op)
{
    tg_set_halves(op, start_allreduce, finish_allreduce);
    return plan(problem, op, make_allreduce);
}

#endif
