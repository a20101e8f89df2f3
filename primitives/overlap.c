/* overlap.c: the partners of a box, by arithmetic on the grid.
 *
 * Along each axis the parts that meet an interval form one run of neighbours, found by bisection,
 * since the starts and the ends of the parts' intervals ascend. The partners are the product of
 * these runs. On a periodic axis the interval is met by its images k * extent away as well. */
#include "primitives/layout.h"

#include <stdlib.h>

/* One part that meets the asked interval along one axis. lo and hi are in the holder's coordinates.
 */
typedef struct {
    int part;
    ptrdiff_t lo, hi, shift;
} hit;

typedef struct {
    hit *hits;
    int count, room;
} hit_list;

static bool add_hit(hit_list *list, hit h)
{
    if (list->count == list->room) {
        int room = list->room ? 2 * list->room : 8;
        hit *hits = realloc(list->hits, (size_t)room * sizeof *hits);
        if (!hits)
            return false;
        list->hits = hits;
        list->room = room;
    }
    list->hits[list->count++] = h;
    return true;
}

typedef void interval_of(const tg_axis *axis, int part, ptrdiff_t *lo, ptrdiff_t *hi);

/* First part below `end` whose interval ends after `position`; `end` if there is none. */
static int first_ending_after(const tg_axis *axis, interval_of *interval, int end,
                              ptrdiff_t position)
{
    int low = 0;
    while (low < end) {
        int middle = low + (end - low) / 2;
        ptrdiff_t lo, hi;
        interval(axis, middle, &lo, &hi);
        if (hi > position)
            end = middle;
        else
            low = middle + 1;
    }
    return low;
}

static ptrdiff_t floor_div(ptrdiff_t a, ptrdiff_t b)
{
    return a / b - (a % b < 0);
}

/* Owners of the held interval [lo, hi): its images inside [0, extent), part by part. */
static bool owners_along(const tg_axis *axis, ptrdiff_t lo, ptrdiff_t hi, hit_list *list)
{
    ptrdiff_t n = axis->extent;
    if (lo >= hi || n == 0)
        return true;
    for (ptrdiff_t k = floor_div(lo, n); k <= floor_div(hi - 1, n); k++) {
        ptrdiff_t from = lo - k * n > 0 ? lo - k * n : 0;
        ptrdiff_t to = hi - k * n < n ? hi - k * n : n;
        int end = axis->copied ? 1 : axis->parts; /* of copies the first is the owner */
        for (int part = first_ending_after(axis, tg_axis_owned, end, from); part < end; part++) {
            ptrdiff_t part_lo, part_hi;
            tg_axis_owned(axis, part, &part_lo, &part_hi);
            if (part_lo >= to)
                break;
            hit h = {part, (part_lo > from ? part_lo : from) + k * n,
                     (part_hi < to ? part_hi : to) + k * n, -k * n};
            if (h.lo < h.hi && !add_hit(list, h))
                return false;
        }
    }
    return true;
}

/* Parts that can hold anything: a window leaves parts beyond its outputs empty. */
static int holding_parts(const tg_axis *axis)
{
    if (axis->window.kernel == 0 || axis->copied)
        return axis->parts;
    ptrdiff_t m = tg_window_outputs(&axis->window, axis->extent);
    return m < axis->parts ? (int)m : axis->parts;
}

/* Holders of the owned interval [lo, hi), and of its images on the line of the holders'
 * coordinates. */
static bool holders_along(const tg_axis *axis, ptrdiff_t lo, ptrdiff_t hi, hit_list *list)
{
    int end = holding_parts(axis);
    ptrdiff_t n = axis->extent, lowest, highest, unused;
    if (lo >= hi || end == 0 || n == 0)
        return true;
    tg_axis_held(axis, 0, &lowest, &unused);
    tg_axis_held(axis, end - 1, &unused, &highest);
    for (ptrdiff_t k = floor_div(lowest - hi, n) + 1; lo + k * n < highest; k++) {
        ptrdiff_t from = lo + k * n, to = hi + k * n;
        int first = axis->copied ? 0 : first_ending_after(axis, tg_axis_held, end, from);
        for (int part = first; part < end; part++) {
            ptrdiff_t part_lo, part_hi;
            tg_axis_held(axis, part, &part_lo, &part_hi);
            if (part_lo >= to)
                break;
            hit h = {part, part_lo > from ? part_lo : from, part_hi < to ? part_hi : to, -k * n};
            if (h.lo < h.hi && !add_hit(list, h))
                return false;
        }
    }
    return true;
}

typedef bool along(const tg_axis *axis, ptrdiff_t lo, ptrdiff_t hi, hit_list *list);

static tg_status overlaps_of(const tg_layout *layout, const tg_box *box, along *find,
                             tg_overlap **overlaps, int *count)
{
    hit_list lists[TG_MAX_NDIM] = {{NULL, 0, 0}};
    bool good = true;
    int total = 1;
    for (int a = 0; a < layout->ndim && good; a++) {
        good = find(&layout->axis[a], box->lo[a], box->hi[a], &lists[a]);
        good = good && !__builtin_mul_overflow(total, lists[a].count, &total);
    }
    *overlaps = NULL;
    *count = 0;
    if (good && total > 0) {
        *overlaps = malloc((size_t)total * sizeof **overlaps);
        good = *overlaps != NULL;
    }
    for (int i = 0; good && i < total; i++) {
        tg_overlap *overlap = &(*overlaps)[(*count)++];
        *overlap = (tg_overlap){.box.ndim = layout->ndim};
        int coords[TG_MAX_NDIM], rest = i;
        for (int a = layout->ndim - 1; a >= 0; a--) { /* the last axis runs fastest */
            const hit *h = &lists[a].hits[rest % lists[a].count];
            rest /= lists[a].count;
            coords[a] = h->part;
            overlap->box.lo[a] = h->lo;
            overlap->box.hi[a] = h->hi;
            overlap->shift[a] = h->shift;
        }
        overlap->rank = tg_layout_rank(layout, tg_layout_place_at(layout, coords));
    }
    for (int a = 0; a < layout->ndim; a++)
        free(lists[a].hits);
    return good ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for the partners of a box");
}

/* ---- partners, counted without a list of them ---- */

static int by_part(const void *a, const void *b)
{
    return ((const hit *)a)->part - ((const hit *)b)->part;
}

/* One hit for each part, ascending, with lo = 0 and hi = all entries: images of a part are joined. */
static void join_parts(hit_list *list)
{
    bool ascend = true;
    int count = 0;
    for (int i = 1; i < list->count; i++)
        ascend = ascend && list->hits[i - 1].part < list->hits[i].part;
    if (!ascend)
        qsort(list->hits, (size_t)list->count, sizeof *list->hits, by_part);
    for (int i = 0; i < list->count; i++) {
        const hit h = list->hits[i];
        if (count > 0 && list->hits[count - 1].part == h.part)
            list->hits[count - 1].hi += h.hi - h.lo;
        else
            list->hits[count++] = (hit){h.part, 0, h.hi - h.lo, 0};
    }
    list->count = count;
}

static ptrdiff_t calls(ptrdiff_t entries, ptrdiff_t most)
{
    return entries / most + (entries % most > 0);
}

/* Messages to all partners, which are the product of the lists; so many entries on the axes before. */
static ptrdiff_t count_messages(const hit_list *lists, int axes, ptrdiff_t entries, ptrdiff_t most)
{
    ptrdiff_t messages = 0;
    if (axes == 0)
        return calls(entries, most);
    for (int i = 0; i < lists->count; i++)
        messages += count_messages(lists + 1, axes - 1, entries * lists->hits[i].hi, most);
    return messages;
}

/* The sums over the product are products of sums. */
static void count_product(const hit_list *lists, const tg_layout *layout, int but, ptrdiff_t most,
                          tg_exchanged *sum)
{
    const int place = tg_layout_place(layout, but);
    ptrdiff_t own = place >= 0, largest = 1;
    int coords[TG_MAX_NDIM] = {0};
    *sum = (tg_exchanged){1, 1, 1};
    if (place >= 0)
        tg_layout_coords(layout, place, coords);
    for (int a = 0; a < layout->ndim; a++) {
        ptrdiff_t all = 0, here = 0, longest = 0;
        for (const hit *h = lists[a].hits; h < lists[a].hits + lists[a].count; h++) {
            all += h->hi;
            here = h->part == coords[a] ? h->hi : here;
            longest = h->hi > longest ? h->hi : longest;
        }
        sum->ranks *= lists[a].count;
        sum->entries *= all;
        own *= here;
        largest *= longest;
    }
    sum->messages = largest <= most ? sum->ranks : count_messages(lists, layout->ndim, 1, most);
    sum->ranks -= own > 0;
    sum->messages -= calls(own, most);
    sum->entries -= own;
}

static tg_status count_partners(const tg_layout *layout, const tg_box *box, along *find, int but,
                                ptrdiff_t most, tg_exchanged *sum)
{
    hit_list lists[TG_MAX_NDIM] = {{NULL, 0, 0}};
    bool good = true;
    for (int a = 0; a < layout->ndim && good; a++) {
        good = find(&layout->axis[a], box->lo[a], box->hi[a], &lists[a]);
        join_parts(&lists[a]);
    }
    if (good)
        count_product(lists, layout, but, most, sum);
    for (int a = 0; a < layout->ndim; a++)
        free(lists[a].hits);
    return good ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for the partners of a box");
}

tg_status tg_count_owners(const tg_layout *layout, const tg_box *box, int but, ptrdiff_t most,
                          tg_exchanged *sum)
{
    return count_partners(layout, box, owners_along, but, most, sum);
}

tg_status tg_count_holders(const tg_layout *layout, const tg_box *box, int but, ptrdiff_t most,
                           tg_exchanged *sum)
{
    return count_partners(layout, box, holders_along, but, most, sum);
}

tg_status tg_owners_of(const tg_layout *layout, const tg_box *box, tg_overlap **overlaps,
                       int *count)
{
    return overlaps_of(layout, box, owners_along, overlaps, count);
}

tg_status tg_holders_of(const tg_layout *layout, const tg_box *box, tg_overlap **overlaps,
                        int *count)
{
    return overlaps_of(layout, box, holders_along, overlaps, count);
}
