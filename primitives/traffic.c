/* traffic.c: entries that must cross between ranks, whatever the algorithm.
 *
 * Into a rank must come each entry that it needs and does not own, once; out of a rank must go
 * each entry that it owns and somebody else needs, once (others can pass it on). The adjoint
 * moves the same entries the other way: partial sums can be added on their way. Images of one
 * entry on a periodic axis count once. */
#include "primitives/rules.h"

#include <stdlib.h>

/* Entries in the union of boxes[0 .. count), by slabs along axis `a` and the axes after it. Boxes
 * are reordered. -1 without memory. */
static ptrdiff_t union_count(tg_box *boxes, int count, int a)
{
    if (count == 0)
        return 0;
    if (a == boxes[0].ndim)
        return 1;
    tg_box *slab = malloc((size_t)count * sizeof *slab);
    if (!slab)
        return -1;
    ptrdiff_t total = 0, at = boxes[0].lo[a];
    for (int i = 1; i < count; i++)
        at = boxes[i].lo[a] < at ? boxes[i].lo[a] : at;
    for (;;) { /* from `at`, as far as the same boxes cover the axis */
        ptrdiff_t next = PTRDIFF_MAX;
        int inside = 0;
        for (int i = 0; i < count; i++) {
            const tg_box *box = &boxes[i];
            if (box->lo[a] <= at && at < box->hi[a])
                slab[inside++] = *box;
            if (box->lo[a] > at && box->lo[a] < next)
                next = box->lo[a];
            if (box->hi[a] > at && box->hi[a] < next)
                next = box->hi[a];
        }
        if (next == PTRDIFF_MAX)
            break;
        ptrdiff_t deeper = union_count(slab, inside, a + 1);
        if (deeper < 0) {
            free(slab);
            return -1;
        }
        total += (next - at) * deeper;
        at = next;
    }
    free(slab);
    return total;
}

/* Distinct entries that `rank` exchanges with others, among overlaps of one of its boxes; the
 * owner's coordinates. */
static ptrdiff_t crossing(const tg_overlap *overlaps, int count, int rank)
{
    tg_box *boxes = malloc(((size_t)count + 1) * sizeof *boxes);
    if (!boxes)
        return -1;
    int others = 0;
    for (int i = 0; i < count; i++) {
        if (overlaps[i].rank == rank)
            continue;
        tg_box box = overlaps[i].box;
        for (int a = 0; a < box.ndim; a++) {
            box.lo[a] += overlaps[i].shift[a];
            box.hi[a] += overlaps[i].shift[a];
        }
        bool known = false; /* copies of a part ask for the same box */
        for (int j = others - 1; j >= 0 && !known; j--)
            known = tg_box_equal(&boxes[j], &box);
        if (!known)
            boxes[others++] = box;
    }
    ptrdiff_t entries = union_count(boxes, others, 0);
    free(boxes);
    return entries;
}

typedef tg_status find_overlaps(const tg_layout *layout, const tg_box *box, tg_overlap **overlaps,
                                int *count);

/* Sum and maximum over the ranks of `mine` of what crosses between their boxes and `other`. */
static tg_status count_side(const tg_layout *mine, const tg_layout *other,
                            tg_box (*box_of)(const tg_layout *, int), find_overlaps *find,
                            ptrdiff_t *sum, ptrdiff_t *most)
{
    for (int place = 0; place < tg_layout_size(mine); place++) {
        int rank = tg_layout_rank(mine, place), count;
        tg_box box = box_of(mine, rank);
        tg_overlap *overlaps;
        tg_status status = find(other, &box, &overlaps, &count);
        if (status.code != TG_OK)
            return status;
        ptrdiff_t entries = crossing(overlaps, count, rank);
        free(overlaps);
        if (entries < 0)
            return tg_fail(TG_NO_MEMORY, "no memory to count the traffic of rank %d", rank);
        *sum += entries;
        *most = entries > *most ? entries : *most;
    }
    return tg_success();
}

tg_status tg_traffic_copy(const tg_layout *x, const tg_layout *y, tg_traffic *traffic)
{
    *traffic = (tg_traffic){0, 0};
    ptrdiff_t unused = 0;
    tg_status status =
        count_side(y, x, tg_layout_held, tg_owners_of, &traffic->moved, &traffic->max_rank);
    if (status.code == TG_OK)
        status = count_side(x, y, tg_layout_owned, tg_holders_of, &unused, &traffic->max_rank);
    return status;
}

tg_status tg_traffic_sum(const tg_layout *x, const tg_layout *y, tg_traffic *traffic)
{
    return tg_traffic_copy(y, x, traffic);
}
