/* planned.c: bytes by the layouts, messages and flops by the plan. Every entry of y[held] =
 * x[owned] that its owner does not hold itself leaves the owner once; backwards it leaves the
 * holder. Sums are the same map with x and y exchanged. Source: the traffic of primitives.h, rank
 * by rank. */
#include "bench/planned.h"

#include <stdlib.h>

enum { NOT_KNOWN = -1 };

/* ---- bytes ---- */

/* Entries of overlaps with other ranks than this one; negative without memory. The array is freed.
 */
static double entries_elsewhere(tg_status status, tg_overlap *overlaps, int count, int rank)
{
    double sum = 0;
    for (int i = 0; status.code == TG_OK && i < count; i++)
        if (overlaps[i].rank != rank)
            sum += (double)tg_box_count(&overlaps[i].box);
    free(overlaps);
    return status.code == TG_OK ? sum : NOT_KNOWN;
}

/* Entries that this rank owns and others hold. */
static double given_by_owner(const tg_layout *owners, const tg_layout *holders, int rank)
{
    const tg_box owned = tg_layout_owned(owners, rank);
    tg_overlap *overlaps = NULL;
    int count = 0;
    const tg_status status = tg_holders_of(holders, &owned, &overlaps, &count);
    return entries_elsewhere(status, overlaps, count, rank);
}

/* Entries that this rank holds and others own. */
static double given_by_holder(const tg_layout *owners, const tg_layout *holders, int rank)
{
    const tg_box held = tg_layout_held(holders, rank);
    tg_overlap *overlaps = NULL;
    int count = 0;
    const tg_status status = tg_owners_of(owners, &held, &overlaps, &count);
    return entries_elsewhere(status, overlaps, count, rank);
}

static bool has_copies(const tg_layout *layout)
{
    for (int a = 0; a < layout->ndim; a++)
        if (layout->axis[a].copied && layout->axis[a].parts > 1)
            return true;
    return false;
}

/* A sum that everyone gets is a choice of the algorithm: no rank's share is unavoidable. */
static double bytes(const tgb_work *work)
{
    const tg_problem *p = &work->setup->problem;
    if (work->setup->moved_bytes == 0)
        return 0;
    if (!p->primitive || (p->primitive->sums && has_copies(&p->y)))
        return NOT_KNOWN;
    const bool sums = p->primitive->sums,
               forward = work->direction == &work->setup->operation->directions[0];
    const tg_layout *owners = sums ? &p->y : &p->x, *holders = sums ? &p->x : &p->y;
    const double entries = forward != sums ? given_by_owner(owners, holders, work->rank)
                                           : given_by_holder(owners, holders, work->rank);
    return entries < 0 ? NOT_KNOWN : entries * (double)p->dtype->size;
}

/* ---- messages, flops ---- */

static double messages(const tgb_work *work)
{
    ptrdiff_t (*const count)(const tgb_work *) = work->setup->operation->messages;
    return count ? (double)count(work) : NOT_KNOWN;
}

static double flops(const tgb_work *work)
{
    double (*const count)(const tgb_work *) = work->setup->operation->flops;
    return count ? count(work) : NOT_KNOWN;
}

const tgb_planned tgb_planned_rows[TGB_PLANNED] = {
    {"bytes", "bytes of entries that leave this rank, by the layouts", bytes},
    {"messages", "point-to-point messages that this rank sends, by the plan", messages},
    {"flops", "floating-point operations of this rank, by formula", flops},
};
