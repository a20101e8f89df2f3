/* traffic.c: entries that must cross between ranks, whatever the algorithm.
 *
 * Into a rank must come each entry that it needs and does not own, once; out of a rank must go
 * each entry that it owns and somebody else needs, once (others can pass it on). The adjoint
 * moves the same entries the other way: partial sums can be added on their way. Images of one
 * entry on a periodic axis count once.
 * Boxes are products of intervals, so both are found axis by axis. Let m_a(e) parts of y hold entry e of
 * axis a; then the product of all m_a ranks hold an entry of the tensor. Of the box O of x and the box H
 * of y on one rank:
 *
 *     in    |H| - |H and O|                                all that is held, without what is owned
 *     out   |O, all m_a >= 1| - |O and H, all m_a = 1|     without what this rank alone holds
 *
 * Each term is a product over the axes, and m_a is counted once for each axis: the cost is that of the
 * parts of the axes and of the ranks. */
#include "primitives/rules.h"

#include <stdlib.h>

/* What parts of y hold on one axis of n entries. Starts and ends of intervals cut the axis; before each
 * cut lie so many entries that a part holds, and so many that one part alone holds. */
typedef struct {
    ptrdiff_t at, held, alone;
} cut;

typedef struct {
    cut *cuts;
    int count;
} coverage;

typedef struct {
    ptrdiff_t lo, hi;
} interval;

/* The entries that a part holds, inside [0, extent): at most two intervals, where it reaches around an
 * end. Returns how many. */
static int held_by(const tg_axis *axis, int part, interval held[2])
{
    const ptrdiff_t n = axis->extent;
    ptrdiff_t lo, hi;
    tg_axis_held(axis, part, &lo, &hi);
    if (lo >= hi || n == 0)
        return 0;
    if (hi - lo >= n) {
        held[0] = (interval){0, n};
        return 1;
    }
    const ptrdiff_t start = (lo % n + n) % n, end = start + hi - lo;
    held[0] = (interval){start, end < n ? end : n};
    held[1] = (interval){0, end - n};
    return end > n ? 2 : 1;
}

/* ---- how many parts hold an entry ---- */

static int ascending(const void *a, const void *b)
{
    const ptrdiff_t x = *(const ptrdiff_t *)a, y = *(const ptrdiff_t *)b;
    return (x > y) - (x < y);
}

/* From cut to cut; so many intervals, whose starts and ends ascend. */
static void sweep(const ptrdiff_t *starts, const ptrdiff_t *ends, int count, coverage *c)
{
    int begun = 0, ended = 0;
    ptrdiff_t at = 0, held = 0, alone = 0;
    while (ended < count) {
        const bool begins = begun < count && starts[begun] < ends[ended];
        const ptrdiff_t next = begins ? starts[begun] : ends[ended];
        held += begun > ended ? next - at : 0;
        alone += begun == ended + 1 ? next - at : 0;
        at = next;
        c->cuts[c->count++] = (cut){at, held, alone};
        *(begins ? &begun : &ended) += 1;
    }
}

static tg_status cover(const tg_axis *axis, coverage *c)
{
    const size_t most = 2 * (size_t)axis->parts;
    ptrdiff_t *starts = malloc(2 * most * sizeof *starts), *ends = starts ? starts + most : NULL;
    int count = 0;
    *c = (coverage){malloc(2 * most * sizeof *c->cuts), 0};
    if (!starts || !c->cuts) {
        free(starts);
        return tg_fail(TG_NO_MEMORY, "no memory to count the traffic of %d parts", axis->parts);
    }
    for (int part = 0; part < axis->parts; part++) {
        interval held[2];
        for (int i = held_by(axis, part, held); i > 0; i--) {
            starts[count] = held[i - 1].lo;
            ends[count++] = held[i - 1].hi;
        }
    }
    qsort(starts, (size_t)count, sizeof *starts, ascending);
    qsort(ends, (size_t)count, sizeof *ends, ascending);
    sweep(starts, ends, count, c);
    free(starts);
    return tg_success();
}

/* The entries before `at` that are held by a part, or by one alone. */
static ptrdiff_t count_before(const coverage *c, ptrdiff_t at, bool alone)
{
    int low = 0, high = c->count; /* the first cut at or behind `at` */
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (c->cuts[middle].at < at)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == c->count)
        return low == 0 ? 0 : alone ? c->cuts[low - 1].alone : c->cuts[low - 1].held;
    const cut before = low > 0 ? c->cuts[low - 1] : (cut){0, 0, 0}, behind = c->cuts[low];
    const ptrdiff_t begin = alone ? before.alone : before.held,
                    end = alone ? behind.alone : behind.held;
    return begin + (end > begin ? at - before.at : 0); /* all between two cuts, or none */
}

static ptrdiff_t count_between(const coverage *c, ptrdiff_t lo, ptrdiff_t hi, bool alone)
{
    return lo < hi ? count_before(c, hi, alone) - count_before(c, lo, alone) : 0;
}

/* ---- one rank ---- */

static interval meet(interval a, ptrdiff_t lo, ptrdiff_t hi)
{
    return (interval){a.lo > lo ? a.lo : lo, a.hi < hi ? a.hi : hi};
}

/* Entries of [lo, hi) that a part holds; or that it alone holds. */
static ptrdiff_t count_held(const tg_axis *axis, int part, const coverage *alone, ptrdiff_t lo,
                            ptrdiff_t hi)
{
    interval held[2];
    ptrdiff_t entries = 0;
    for (int i = held_by(axis, part, held); i > 0; i--) {
        const interval both = meet(held[i - 1], lo, hi);
        if (both.lo < both.hi)
            entries += alone ? count_between(alone, both.lo, both.hi, true) : both.hi - both.lo;
    }
    return entries;
}

/* Into the rank at a place of y. */
static ptrdiff_t count_in(const tg_layout *x, const tg_layout *y, int place)
{
    const tg_box owned = tg_layout_owned(x, tg_layout_rank(y, place));
    ptrdiff_t held = 1, both = 1;
    int coords[TG_MAX_NDIM];
    tg_layout_coords(y, place, coords);
    for (int a = 0; a < y->ndim; a++) {
        held *= count_held(&y->axis[a], coords[a], NULL, 0, y->axis[a].extent);
        both *= count_held(&y->axis[a], coords[a], NULL, owned.lo[a], owned.hi[a]);
    }
    return held - both;
}

/* Out of the rank at a place of x. */
static ptrdiff_t count_out(const tg_layout *x, const tg_layout *y, const coverage *c, int place)
{
    const int rank = tg_layout_rank(x, place), there = tg_layout_place(y, rank);
    const tg_box owned = tg_layout_owned(x, rank);
    ptrdiff_t held = 1, alone = there >= 0;
    int coords[TG_MAX_NDIM] = {0};
    if (there >= 0)
        tg_layout_coords(y, there, coords);
    for (int a = 0; a < y->ndim; a++) {
        held *= count_between(&c[a], owned.lo[a], owned.hi[a], false);
        alone *= count_held(&y->axis[a], coords[a], &c[a], owned.lo[a], owned.hi[a]);
    }
    return held - alone;
}

/* ---- all ranks ---- */

tg_status tg_traffic_copy(const tg_layout *x, const tg_layout *y, tg_traffic *traffic)
{
    coverage covered[TG_MAX_NDIM] = {{NULL, 0}};
    tg_status status = tg_success();
    *traffic = (tg_traffic){0, 0};
    for (int a = 0; a < y->ndim && status.code == TG_OK; a++)
        status = cover(&y->axis[a], &covered[a]);
    for (int place = 0; status.code == TG_OK && place < tg_layout_size(y); place++) {
        const ptrdiff_t in = count_in(x, y, place);
        traffic->moved += in;
        traffic->max_rank = in > traffic->max_rank ? in : traffic->max_rank;
    }
    for (int place = 0; status.code == TG_OK && place < tg_layout_size(x); place++) {
        const ptrdiff_t out = count_out(x, y, covered, place);
        traffic->max_rank = out > traffic->max_rank ? out : traffic->max_rank;
    }
    for (int a = 0; a < y->ndim; a++)
        free(covered[a].cuts);
    return status;
}

tg_status tg_traffic_sum(const tg_layout *x, const tg_layout *y, tg_traffic *traffic)
{
    return tg_traffic_copy(y, x, traffic);
}
