/* stepped.c: where the vectors of a schedule stand: in the user's buffers as far as they are
 * contiguous there, else packed once.
 *
 * Groups need no communicators: messages go by ranks of the operator's own. A rank goes through its
 * groups in ascending number, as holders.c says. */
#include "primitives/stepped.h"

#include "primitives/exchange.h"
#include "primitives/gathered.h"
#include "primitives/holders.h"

#include <stdlib.h>

/* ---- copies of a part ---- */

typedef struct {
    tg_holders of;
    tg_schedule schedule;
    char *packed; /* the part, where it cannot stand in a user's buffer; NULL: it always can */
} group;

typedef struct {
    group group[2];
    int ngroups;
} groups;

static void release_groups(tg_op *op)
{
    groups *g = op->state;
    for (group *made = g->group; made < g->group + g->ngroups; made++) {
        tg_holders_free(&made->of);
        tg_schedule_free(&made->schedule);
        free(made->packed);
    }
    free(g);
}

static tg_status plan_group(tg_op *op, const tg_pattern *pattern, bool all_sum, group *made)
{
    const tg_holders *of = &made->of;
    const tg_member member = {
        .ranks = of->ranks, .size = of->size, .me = of->me, .root = all_sum ? 0 : of->root};
    tg_status status = tg_schedule_plan(op, pattern, &member, of->entries, NULL, &made->schedule);
    if (status.code != TG_OK)
        return status;
    bool packs = !tg_blocks_contiguous(&of->part[TG_X]) || !tg_blocks_contiguous(&of->part[TG_Y]);
    if (!all_sum && !of->sends) /* the sum of some terms, on its way */
        packs = packs || tg_schedule_sums_here(&made->schedule);
    const ptrdiff_t bytes = of->entries * (ptrdiff_t)op->dtype->size;
    made->packed = packs ? tg_keep(op, bytes) : NULL;
    return packs ? tg_check_memory(made->packed, bytes) : status;
}

/* Copies towards y and sums towards x; a sum for all ranks is both, and its own adjoint. */
static void add_messages(tg_op *op, const tg_schedule *s, bool all_sum)
{
    const ptrdiff_t copies = tg_schedule_messages(s, false), sums = tg_schedule_messages(s, true);
    op->messages[TG_Y] += copies + (all_sum ? sums : 0);
    op->messages[TG_X] += sums + (all_sum ? copies : 0);
}

static tg_status plan_groups(const tg_problem *problem, tg_op *op, const tg_pattern *pattern,
                             bool all_sum)
{
    groups *g = tg_keep(op, (ptrdiff_t)sizeof *g);
    if (!g)
        return tg_check_memory(NULL, (ptrdiff_t)sizeof *g);
    op->state = g;
    op->release = release_groups;
    tg_set_messages(op, 0);
    tg_holders found[2];
    tg_status status = tg_find_holders(problem, op, found, &g->ngroups);
    for (int i = 0; i < g->ngroups; i++)
        g->group[i].of = found[i];
    for (int i = 0; status.code == TG_OK && i < g->ngroups; i++) {
        status = plan_group(op, pattern, all_sum, &g->group[i]);
        if (status.code == TG_OK)
            add_messages(op, &g->group[i].schedule, all_sum);
    }
    return status;
}

/* This rank's part as values of the schedule's vector: where they stand, or packed into it. */
static void give_input(group *g, tg_space from, const void *in)
{
    tg_schedule *s = &g->schedule;
    const tg_blocks *part = &g->of.part[from];
    if (!tg_blocks_contiguous(part))
        tg_blocks_pack(part, in, s->vector);
    tg_schedule_input(s, tg_blocks_contiguous(part) ? tg_part_begin(part, in) : s->vector, 0,
                      s->blocks);
}

/* The whole vector as this rank's part, when it does not stand there already. */
static void put_output(group *g, tg_space to, void *out)
{
    if (!tg_blocks_contiguous(&g->of.part[to]))
        tg_blocks_unpack(&g->of.part[to], g->packed, out);
}

/* Where the vector can stand that is to become a part of `out`. */
static char *vector_of(const group *g, tg_space to, void *out)
{
    return tg_blocks_contiguous(&g->of.part[to]) ? tg_part_begin(&g->of.part[to], out) : g->packed;
}

/* The owner receives nothing: when its copy cannot be the vector, it is made at the end. */
static bool makes_copy(const group *g)
{
    return g->of.sends && g->of.holds && !tg_blocks_contiguous(&g->of.part[TG_Y]);
}

static void begin_broadcast(group *g, const void *x, void *y)
{
    tg_schedule *s = &g->schedule;
    const bool sends_x = g->of.sends && tg_blocks_contiguous(&g->of.part[TG_X]);
    const bool has_vector = g->of.holds && !makes_copy(g);
    tg_schedule_begin(s, has_vector ? vector_of(g, TG_Y, y) : sends_x ? NULL : g->packed);
    if (g->of.sends)
        give_input(g, TG_X, x);
    tg_schedule_start(s, false);
}

static void end_broadcast(const tg_op *op, group *g, const void *x, void *y)
{
    tg_schedule_copy(&g->schedule);
    if (!g->of.sends)
        put_output(g, TG_Y, y);
    else if (makes_copy(g) && !op->in_place)
        tg_blocks_copy(&g->of.part[TG_X], x, &g->of.part[TG_Y], y);
}

static void begin_reduce(group *g, const void *y, void *x)
{
    tg_schedule *s = &g->schedule;
    tg_schedule_begin(s, g->of.sends ? vector_of(g, TG_X, x) : g->packed);
    if (g->of.holds)
        give_input(g, TG_Y, y);
    tg_schedule_start(s, true);
}

static void end_reduce(const tg_op *op, group *g, void *x)
{
    tg_schedule *s = &g->schedule;
    tg_schedule_sum(s);
    if (g->of.sends) {
        tg_schedule_settle(s, 0, s->blocks);
        put_output(g, TG_X, x);
    } else if (op->in_place) { /* no entry of x: cleared once it is sent */
        tg_blocks_clear(&g->of.part[TG_Y], x);
    }
}

static void begin_group(group *g, tg_space to, const void *in, void *out)
{
    if (to == TG_Y)
        begin_broadcast(g, in, out);
    else
        begin_reduce(g, in, out);
}

static void end_group(const tg_op *op, group *g, tg_space to, const void *in, void *out)
{
    if (to == TG_Y)
        end_broadcast(op, g, in, out);
    else
        end_reduce(op, g, out);
}

/* The second group's messages are started after all of the first: groups share a tag. */
static void start_broadcast(tg_op *op, tg_space to, const void *in, void *out)
{
    groups *g = op->state;
    if (g->ngroups > 0)
        begin_group(&g->group[0], to, in, out);
}

static void finish_broadcast(tg_op *op, tg_space to, const void *in, void *out)
{
    groups *g = op->state;
    for (int i = 0; i < g->ngroups; i++) {
        if (i > 0)
            begin_group(&g->group[i], to, in, out);
        end_group(op, &g->group[i], to, in, out);
    }
}

tg_status tg_plan_stepped_broadcast(const tg_problem *problem, tg_op *op, const tg_pattern *pattern)
{
    tg_set_halves(op, start_broadcast, finish_broadcast);
    return tg_agree(op->comm, plan_groups(problem, op, pattern, false));
}

static void start_all_sum(tg_op *op, tg_space to, const void *in, void *out)
{
    groups *all = op->state;
    group *g = &all->group[0];
    if (all->ngroups == 0)
        return;
    tg_schedule_begin(&g->schedule, vector_of(g, to, out));
    give_input(g, to == TG_Y ? TG_X : TG_Y, in); /* its own adjoint */
    tg_schedule_start(&g->schedule, g->schedule.sum.count > 0);
}

static void finish_all_sum(tg_op *op, tg_space to, const void *in, void *out)
{
    groups *all = op->state;
    group *g = &all->group[0];
    (void)in;
    if (all->ngroups == 0)
        return;
    tg_schedule_sum(&g->schedule);
    tg_schedule_copy(&g->schedule);
    put_output(g, to, out);
}

tg_status tg_plan_stepped_all_sum(const tg_problem *problem, tg_op *op, const tg_pattern *pattern)
{
    /* The groups of a broadcast from each part's first copy to all its copies: one group a rank. */
    tg_set_halves(op, start_all_sum, finish_all_sum);
    return tg_agree(op->comm, plan_groups(problem, op, pattern, true));
}

/* ---- blocks of a whole ---- */

typedef struct {
    tg_gathered of;
    tg_schedule schedule;
    bool member;  /* this rank takes part */
    char *packed; /* the whole, block by block */
} gather;

static void release_gather(tg_op *op)
{
    gather *g = op->state;
    tg_gathered_free(&g->of);
    tg_schedule_free(&g->schedule);
    free(g->packed);
    free(g);
}

/* Where the whole vector begins in a buffer of y. */
static char *whole_begin(const gather *g, const void *whole)
{
    return (char *)(uintptr_t)whole + g->of.begin;
}

/* Bytes before this rank's block in the vector. */
static ptrdiff_t own_start(const gather *g)
{
    return g->of.starts[g->of.me] * (ptrdiff_t)g->schedule.op->dtype->size;
}

static void begin_copies(const tg_op *op, gather *g, const void *x, void *y)
{
    tg_schedule *s = &g->schedule;
    const bool direct = !op->in_place && tg_blocks_contiguous(&g->of.own);
    tg_schedule_begin(s, g->of.in_order ? whole_begin(g, y) : g->packed);
    if (!direct)
        tg_blocks_pack(&g->of.own, x, s->vector + own_start(g));
    const uintptr_t own = direct ? (uintptr_t)x + (uintptr_t)g->of.own.block->offset : 0;
    tg_schedule_input(s, direct ? (const char *)(own - (uintptr_t)own_start(g)) : s->vector,
                      g->of.me, 1);
    tg_schedule_start(s, false);
}

static void end_copies(const tg_op *op, gather *g, void *y)
{
    tg_schedule_copy(&g->schedule);
    if (!g->of.in_order)
        tg_gathered_unpack(&g->of, op, g->schedule.vector, y);
}

static void begin_sums(const tg_op *op, gather *g, const void *y)
{
    tg_schedule *s = &g->schedule;
    tg_schedule_begin(s, g->packed);
    if (!g->of.in_order)
        tg_gathered_pack(&g->of, op, y, g->packed);
    tg_schedule_input(s, g->of.in_order ? whole_begin(g, y) : g->packed, 0, s->blocks);
    tg_schedule_start(s, true);
}

static void end_sums(gather *g, void *x)
{
    tg_schedule *s = &g->schedule;
    tg_schedule_sum(s);
    tg_schedule_settle(s, g->of.me, 1);
    tg_blocks_clear(&g->of.clear, x);
    tg_blocks_unpack(&g->of.own, g->packed + own_start(g), x);
}

static void start_gather(tg_op *op, tg_space to, const void *in, void *out)
{
    gather *g = op->state;
    if (g->member && to == TG_Y)
        begin_copies(op, g, in, out);
    else if (g->member)
        begin_sums(op, g, in);
}

static void finish_gather(tg_op *op, tg_space to, const void *in, void *out)
{
    gather *g = op->state;
    (void)in;
    if (g->member && to == TG_Y)
        end_copies(op, g, out);
    else if (g->member)
        end_sums(g, out);
}

static tg_status plan_gather(const tg_problem *problem, tg_op *op, const tg_pattern *pattern)
{
    gather *g = tg_keep(op, (ptrdiff_t)sizeof *g);
    if (!g)
        return tg_check_memory(NULL, (ptrdiff_t)sizeof *g);
    op->state = g;
    op->release = release_gather;
    tg_set_halves(op, start_gather, finish_gather);
    tg_set_messages(op, 0);
    g->member = tg_layout_place(&problem->y, op->rank) >= 0;
    if (!g->member)
        return tg_success();
    tg_status status = tg_find_gathered(problem, op, &g->of);
    if (status.code != TG_OK)
        return status;
    const tg_gathered *of = &g->of;
    const tg_member m = {.ranks = of->ranks, .size = of->size, .me = of->me, .blocks = of->size};
    status = tg_schedule_plan(op, pattern, &m, of->starts[of->size], of->starts, &g->schedule);
    if (status.code != TG_OK)
        return status;
    add_messages(op, &g->schedule, false);
    const ptrdiff_t bytes = of->starts[of->size] * (ptrdiff_t)op->dtype->size;
    g->packed = tg_keep(op, bytes);
    return tg_check_memory(g->packed, bytes);
}

tg_status tg_plan_stepped_all_gather(const tg_problem *problem, tg_op *op,
                                     const tg_pattern *pattern)
{
    bool same = true;
    tg_status status = tg_same_ranks(problem, op, &same);
    if (status.code != TG_OK)
        return status;
    if (!same)
        return tg_engine_p2p.plan(problem, op);
    return tg_agree(op->comm, plan_gather(problem, op, pattern));
}
