/* oracle.c: what an operator must give, entry by entry, from the layouts' boxes alone.
 *
 * An operator is a matrix of zeros and ones: entry g at rank q of y is the sum, over ranks p of
 * x, of the entries of x_p that are the same entry of the tensor, where p counts if it owns the
 * entry (or holds it, when the primitive sums copies). The adjoint is the transpose: the same sum
 * with the spaces exchanged. Memory operators say themselves which regions of a rank are summed.
 * Nothing here knows how an algorithm finds its partners. */
#include "primitives/primitives.h"

#include <stdlib.h>

/* The numbers that fill a buffer: whole, and so few that the element type has every sum of them. Where a
 * rank would have more than ENOUGH numbers to add, most entries share VOICES numbers over all copies, so
 * that a sum has few terms; the others tell every copy from every other one. */
typedef struct {
    int largest;    /* from -largest to largest */
    uint64_t every; /* one entry in so many gets such a number, the others 0 */
    uint64_t apart; /* one entry in so many has a number of its own in each copy */
} numbers;
enum { VOICES = 8, ENOUGH = 1 << 20 };

/* No entry of the tensor is held more often in the layout: on each axis, the copies, or the windows
 * that can reach an entry, as often as they go around a periodic axis. */
static double most_copies(const tg_layout *layout)
{
    double copies = 1;
    for (int a = 0; a < layout->ndim; a++) {
        const tg_axis *axis = &layout->axis[a];
        ptrdiff_t reach = 0;
        for (int i = 0; axis->window.kernel > 0 && axis->extent > 0 && i < axis->parts; i++) {
            ptrdiff_t lo, hi;
            tg_axis_held(axis, i, &lo, &hi);
            reach += (hi - lo + axis->extent - 1) / axis->extent;
        }
        copies *= (double)(axis->copied ? axis->parts : reach > 1 ? reach : 1);
    }
    return copies;
}

/* Every entry of one space that is an entry of the other has the same index there. */
static bool has_plain_entries(const tg_problem *p)
{
    bool plain = !p->primitive->regions;
    for (int a = 0; a < p->x.ndim; a++)
        plain = plain && p->x.axis[a].window.kernel == 0;
    for (int a = 0; a < p->y.ndim; a++)
        plain = plain && p->y.axis[a].window.kernel == 0;
    return plain;
}

static numbers numbers_of(const tg_problem *p)
{
    double exact = (double)p->dtype->exact, terms = most_copies(&p->y);
    if (p->primitive->sums && most_copies(&p->x) > terms)
        terms = most_copies(&p->x);
    numbers set = {.largest = exact < 2048 ? 1 : 8};
    set.every = 1 + (uint64_t)((terms + 1) * set.largest / exact); /* 1: what is added to */
    double entries = 1;
    for (int a = 0; a < p->x.ndim; a++)
        entries *= (double)p->x.axis[a].extent;
    const bool many =
        set.every == 1 && terms > 2 * VOICES && entries * terms > ENOUGH && has_plain_entries(p);
    set.apart = many ? (uint64_t)terms / VOICES : 1;
    return set;
}

/* The finaliser of splitmix64 (Steele et al., OOPSLA 2014). */
static uint64_t mixed(uint64_t h)
{
    h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
    return h ^ h >> 31;
}

static bool tells_apart(const numbers *set, const tg_box *box, const ptrdiff_t *at)
{
    uint64_t h = 0;
    if (set->apart == 1)
        return true;
    for (int a = 0; a < box->ndim; a++)
        h = mixed(h + (uint64_t)at[a] + UINT64_C(0x9e3779b97f4a7c15));
    return h % set->apart == 0;
}

/* Who says the number of an entry: the place, or those that share its voice. */
static int voice_of(int place, bool apart)
{
    return apart ? place : place % VOICES;
}

/* The number of an entry, from what identifies it. */
static double value_at(const numbers *set, uint64_t seed, tg_space space, int voice,
                       const tg_box *box, const ptrdiff_t *at)
{
    uint64_t h = seed * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)space * 2 + 1;
    h = h * UINT64_C(0xbf58476d1ce4e5b9) + (uint64_t)voice;
    for (int a = 0; a < box->ndim; a++)
        h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb) + (uint64_t)at[a];
    h = mixed(h);
    if (set->every > 1 && (h >> 32) % set->every != 0)
        return 0;
    return (double)(h % (uint64_t)(2 * set->largest + 1)) - set->largest;
}

/* Step to the next entry of a box, row-major; false after the last. */
static bool next(const tg_box *box, ptrdiff_t *at)
{
    for (int a = box->ndim - 1; a >= 0; a--) {
        if (++at[a] < box->hi[a])
            return true;
        at[a] = box->lo[a];
    }
    return false;
}

static const tg_layout *layout_of(const tg_problem *p, tg_space space)
{
    return space == TG_X ? &p->x : &p->y;
}

static const tg_store *store_of(const tg_problem *p, tg_space space)
{
    return space == TG_X ? &p->store_x : &p->store_y;
}

/* The box of the buffer that a rank passes, and that of the space's entries inside it. */
static tg_box buffer_box(const tg_problem *p, tg_space space, int rank)
{
    tg_box x = tg_layout_held(&p->x, rank), y = tg_layout_held(&p->y, rank);
    if (p->place == TG_IN_PLACE)
        return tg_box_hull(&x, &y);
    return space == TG_X ? x : y;
}

/* The entries at a rank that are a row (or column) of the matrix at all: of x only owned ones
 * count, unless the primitive sums copies. */
static tg_box counting_box(const tg_problem *p, tg_space space, int rank)
{
    if (space == TG_X && !p->primitive->sums)
        return tg_layout_owned(&p->x, rank);
    return tg_layout_held(layout_of(p, space), rank);
}

static bool contains(const tg_box *box, const ptrdiff_t *at)
{
    for (int a = 0; a < box->ndim; a++)
        if (at[a] < box->lo[a] || at[a] >= box->hi[a])
            return false;
    return true;
}

void tg_fill(const tg_problem *p, tg_space space, int rank, uint64_t seed, void *buffer)
{
    tg_box around = buffer_box(p, space, rank), box = tg_layout_held(layout_of(p, space), rank);
    const numbers set = numbers_of(p);
    int place = tg_layout_place(layout_of(p, space), rank);
    if (tg_box_count(&around) == 0)
        return;
    ptrdiff_t at[TG_MAX_NDIM];
    for (int a = 0; a < around.ndim; a++)
        at[a] = around.lo[a];
    do { /* 99: no value_at gives that */
        const int voice = voice_of(place, tells_apart(&set, &box, at));
        p->dtype->put(buffer, tg_store_index(store_of(p, space), &around, at),
                      contains(&box, at) ? value_at(&set, seed, space, voice, &box, at) : 99);
    } while (next(&around, at));
}

/* A part of the other space that can have the entries asked for; or so many of them that have the
 * same, by their voice. */
typedef struct {
    int place;
    tg_box box;
    int times;
} source;

/* Sum of the values of all images of entry `at` inside the source's box: at + k * extent, on every
 * axis. */
static double sum_of_images(const tg_problem *p, const numbers *set, const source *s,
                            tg_space space, uint64_t seed, const ptrdiff_t *at)
{
    const tg_layout *layout = layout_of(p, space);
    ptrdiff_t first[TG_MAX_NDIM], image[TG_MAX_NDIM];
    for (int a = 0; a < layout->ndim; a++) {
        ptrdiff_t n = layout->axis[a].extent, distance = s->box.lo[a] - at[a];
        ptrdiff_t steps = distance > 0 ? (distance + n - 1) / n : -(-distance / n);
        first[a] = image[a] = at[a] + steps * n;
        if (image[a] >= s->box.hi[a])
            return 0;
    }
    double sum = 0;
    for (;;) {
        sum += value_at(set, seed, space, s->place, &s->box, image);
        int a = layout->ndim - 1;
        for (; a >= 0; a--) {
            image[a] += layout->axis[a].extent;
            if (image[a] < s->box.hi[a])
                break;
            image[a] = first[a];
        }
        if (a < 0)
            return sum;
    }
}

/* Entry `at` of one space, from the regions of the same rank in the other: a source of its place.
 */
static double sum_of_regions(const tg_problem *p, const numbers *set, const source *s,
                             tg_space space, int place, uint64_t seed, const ptrdiff_t *at)
{
    const tg_regions *map = p->primitive->regions;
    ptrdiff_t region[TG_MAX_NDIM];
    double sum = 0;
    for (int a = 0; a < s->box.ndim; a++)
        region[a] = at[a];
    for (region[0] = 0; s->place == place && region[0] < s->box.hi[0]; region[0]++)
        if (space == TG_X ? map->adds[at[0]][region[0]] : map->adds[region[0]][at[0]])
            sum += value_at(set, seed, space, s->place, &s->box, region);
    return sum;
}

/* Could an entry of one box be an entry of the other? On an axis where a box reaches beyond the
 * tensor, always. */
static bool may_meet(const tg_box *a, const tg_box *b, const tg_layout *layout)
{
    for (int i = 0; i < layout->ndim; i++) {
        ptrdiff_t n = layout->axis[i].extent;
        bool wraps = a->lo[i] < 0 || b->lo[i] < 0 || a->hi[i] > n || b->hi[i] > n;
        if (!wraps && (a->hi[i] <= b->lo[i] || b->hi[i] <= a->lo[i]))
            return false;
    }
    return true;
}

/* The parts of a space that can have entries of `box`; malloc'ed. */
static source *sources_of(const tg_problem *p, tg_space space, const tg_box *box, int *count)
{
    const tg_layout *layout = layout_of(p, space);
    int size = tg_layout_size(layout);
    source *sources = malloc((size_t)size * sizeof *sources);
    *count = 0;
    for (int place = 0; sources && place < size; place++) {
        source s = {place, counting_box(p, space, tg_layout_rank(layout, place)), 1};
        if (tg_box_count(&s.box) > 0 && may_meet(&s.box, box, layout))
            sources[(*count)++] = s;
    }
    return sources;
}

static bool same_box(const tg_box *a, const tg_box *b)
{
    bool same = true;
    for (int i = 0; i < a->ndim; i++)
        same = same && a->lo[i] == b->lo[i] && a->hi[i] == b->hi[i];
    return same;
}

/* The sources as the entries see them that share VOICES numbers: those with one box and one voice are
 * one. malloc'ed. */
static source *voices_of(const numbers *set, const source *sources, int count, int *voices)
{
    source *merged = malloc(((size_t)count + 1) * sizeof *merged);
    *voices = 0;
    for (int i = 0; merged && set->apart > 1 && i < count; i++) {
        int k = 0;
        const int voice = voice_of(sources[i].place, false);
        while (k < *voices &&
               (merged[k].place != voice || !same_box(&merged[k].box, &sources[i].box)))
            k++;
        if (k == *voices)
            merged[(*voices)++] = (source){voice, sources[i].box, 0};
        merged[k].times++;
    }
    return merged;
}

ptrdiff_t tg_count_wrong(const tg_problem *p, tg_space space, int rank, uint64_t seed,
                         const void *buffer)
{
    tg_space other = space == TG_X ? TG_Y : TG_X;
    tg_box around = buffer_box(p, space, rank), box = tg_layout_held(layout_of(p, space), rank);
    tg_box counting = counting_box(p, space, rank);
    if (tg_box_count(&box) == 0)
        return 0;
    const numbers set = numbers_of(p);
    int place = tg_layout_place(layout_of(p, space), rank), count;
    source *sources = sources_of(p, other, &box, &count);
    int voices = 0;
    source *merged = sources ? voices_of(&set, sources, count, &voices) : NULL;
    if (!merged) {
        free(sources);
        return -1;
    }
    const tg_store *store = store_of(p, space);
    ptrdiff_t wrong = 0, at[TG_MAX_NDIM];
    for (int a = 0; a < box.ndim; a++)
        at[a] = box.lo[a];
    do {
        const bool apart = tells_apart(&set, &box, at);
        const source *s = apart ? sources : merged, *end = s + (apart ? count : voices);
        double expected = 0;
        if (p->mode == TG_ACCUMULATE)
            expected = value_at(&set, seed + 1, space, voice_of(place, apart), &box, at);
        for (; s < end && contains(&counting, at); s++)
            expected += s->times * (p->primitive->regions
                                        ? sum_of_regions(p, &set, s, other, place, seed, at)
                                        : sum_of_images(p, &set, s, other, seed, at));
        wrong += p->dtype->get(buffer, tg_store_index(store, &around, at)) != expected;
    } while (next(&box, at));
    free(merged);
    free(sources);
    return wrong;
}

double tg_dot(const tg_problem *p, tg_space space, int rank, const void *a, const void *b)
{
    tg_box around = buffer_box(p, space, rank), box = tg_layout_held(layout_of(p, space), rank);
    if (tg_box_count(&box) == 0)
        return 0;
    double sum = 0;
    ptrdiff_t at[TG_MAX_NDIM];
    for (int i = 0; i < box.ndim; i++)
        at[i] = box.lo[i];
    do {
        ptrdiff_t index = tg_store_index(store_of(p, space), &around, at);
        sum += p->dtype->product(p->dtype, a, b, index);
    } while (next(&box, at));
    return sum;
}
