/* layout.c: boxes, splits, and who owns and holds what.
 *
 * Everything here is arithmetic on one rank: no function loops over the ranks of a layout, unless
 * it says so.
 * Source: the split is the balanced one of arXiv 2006.03108, section 3; windows are in
 * window.c. */
#include "primitives/layout.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- status ---- */

tg_status tg_success(void)
{
    return (tg_status){.code = TG_OK};
}

tg_status tg_fail(tg_code code, const char *format, ...)
{
    tg_status status = {.code = code};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(status.text, sizeof status.text, format, arguments);
    va_end(arguments);
    return status;
}

/* ---- boxes ---- */

static ptrdiff_t min(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

static ptrdiff_t max(ptrdiff_t a, ptrdiff_t b)
{
    return a > b ? a : b;
}

ptrdiff_t tg_box_count(const tg_box *box)
{
    ptrdiff_t count = 1;
    for (int a = 0; a < box->ndim; a++)
        count *= max(0, box->hi[a] - box->lo[a]);
    return count;
}

tg_box tg_box_intersect(const tg_box *a, const tg_box *b)
{
    tg_box both = {.ndim = a->ndim};
    for (int i = 0; i < a->ndim; i++) {
        both.lo[i] = max(a->lo[i], b->lo[i]);
        both.hi[i] = max(both.lo[i], min(a->hi[i], b->hi[i]));
    }
    return both;
}

tg_box tg_box_hull(const tg_box *a, const tg_box *b)
{
    if (tg_box_count(a) == 0)
        return *b;
    if (tg_box_count(b) == 0)
        return *a;
    tg_box hull = {.ndim = a->ndim};
    for (int i = 0; i < a->ndim; i++) {
        hull.lo[i] = min(a->lo[i], b->lo[i]);
        hull.hi[i] = max(a->hi[i], b->hi[i]);
    }
    return hull;
}

bool tg_box_equal(const tg_box *a, const tg_box *b)
{
    if (a->ndim != b->ndim)
        return false;
    if (tg_box_count(a) == 0 || tg_box_count(b) == 0)
        return tg_box_count(a) == tg_box_count(b);
    for (int i = 0; i < a->ndim; i++)
        if (a->lo[i] != b->lo[i] || a->hi[i] != b->hi[i])
            return false;
    return true;
}

/* ---- axes ---- */

ptrdiff_t tg_split_start(ptrdiff_t n, int p, int i)
{
    return n / p * i + min(i, n % p);
}

void tg_axis_owned(const tg_axis *axis, int part, ptrdiff_t *lo, ptrdiff_t *hi)
{
    if (axis->copied) {
        *lo = 0;
        *hi = axis->extent;
    } else if (axis->cuts) {
        *lo = axis->cuts[part];
        *hi = axis->cuts[part + 1];
    } else {
        *lo = tg_split_start(axis->extent, axis->parts, part);
        *hi = tg_split_start(axis->extent, axis->parts, part + 1);
    }
}

void tg_axis_held(const tg_axis *axis, int part, ptrdiff_t *lo, ptrdiff_t *hi)
{
    if (axis->window.kernel == 0) {
        tg_axis_owned(axis, part, lo, hi);
        return;
    }
    ptrdiff_t m = tg_window_outputs(&axis->window, axis->extent);
    int parts = axis->copied ? 1 : axis->parts;
    int i = axis->copied ? 0 : part;
    tg_window_inputs(&axis->window, tg_split_start(m, parts, i), tg_split_start(m, parts, i + 1),
                     lo, hi);
    if (!axis->window.periodic) {
        *lo = min(max(*lo, 0), axis->extent);
        *hi = min(max(*hi, *lo), axis->extent);
    }
}

/* ---- layouts ---- */

void tg_layout_free(tg_layout *layout)
{
    for (int a = 0; a < TG_MAX_NDIM; a++)
        free(layout->axis[a].cuts);
    free(layout->runs);
    *layout = (tg_layout){.ndim = 0};
}

tg_status tg_layout_copy(const tg_layout *from, tg_layout *to)
{
    *to = *from;
    for (int a = 0; a < TG_MAX_NDIM; a++)
        to->axis[a].cuts = NULL;
    size_t runs_size = (size_t)from->nruns * sizeof *from->runs;
    to->runs = malloc(runs_size ? runs_size : 1);
    if (!to->runs)
        goto no_memory;
    if (runs_size)
        memcpy(to->runs, from->runs, runs_size);
    for (int a = 0; a < from->ndim; a++) {
        if (!from->axis[a].cuts)
            continue;
        size_t size = ((size_t)from->axis[a].parts + 1) * sizeof(ptrdiff_t);
        to->axis[a].cuts = malloc(size);
        if (!to->axis[a].cuts)
            goto no_memory;
        memcpy(to->axis[a].cuts, from->axis[a].cuts, size);
    }
    return tg_success();
no_memory:
    tg_layout_free(to);
    return tg_fail(TG_NO_MEMORY, "no memory for a layout");
}

int tg_layout_size(const tg_layout *layout)
{
    int size = 1;
    for (int a = 0; a < layout->ndim; a++)
        size *= layout->axis[a].parts;
    return size;
}

int tg_layout_rank(const tg_layout *layout, int place)
{
    for (const tg_run *run = layout->runs; run < layout->runs + layout->nruns; run++) {
        if (place < run->count)
            return run->first + place * run->step;
        place -= run->count;
    }
    return -1;
}

int tg_layout_place(const tg_layout *layout, int rank)
{
    int before = 0;
    for (const tg_run *run = layout->runs; run < layout->runs + layout->nruns; run++) {
        int distance = rank - run->first;
        if (distance == 0)
            return before;
        if (run->step != 0 && distance % run->step == 0 && distance / run->step > 0 &&
            distance / run->step < run->count)
            return before + distance / run->step;
        before += run->count;
    }
    return -1;
}

void tg_layout_coords(const tg_layout *layout, int place, int coords[TG_MAX_NDIM])
{
    for (int i = layout->ndim - 1; i >= 0; i--) {
        int a = layout->order[i];
        coords[a] = place % layout->axis[a].parts;
        place /= layout->axis[a].parts;
    }
}

int tg_layout_place_at(const tg_layout *layout, const int coords[TG_MAX_NDIM])
{
    int place = 0;
    for (int i = 0; i < layout->ndim; i++) {
        int a = layout->order[i];
        place = place * layout->axis[a].parts + coords[a];
    }
    return place;
}

int tg_layout_ranks_at(const tg_layout *layout, const int coords[TG_MAX_NDIM],
                       const bool fixed[TG_MAX_NDIM], int *ranks)
{
    int total = 1, at[TG_MAX_NDIM];
    for (int a = 0; a < layout->ndim; a++)
        total *= fixed[a] ? 1 : layout->axis[a].parts;
    for (int i = 0; i < total; i++) {
        int rest = i;
        for (int a = layout->ndim - 1; a >= 0; a--) {
            int parts = fixed[a] ? 1 : layout->axis[a].parts;
            at[a] = fixed[a] ? coords[a] : rest % parts;
            rest /= parts;
        }
        ranks[i] = tg_layout_rank(layout, tg_layout_place_at(layout, at));
    }
    return total;
}

ptrdiff_t tg_layout_count(const tg_layout *layout)
{
    ptrdiff_t count = 1;
    for (int a = 0; a < layout->ndim; a++)
        count *= layout->axis[a].extent;
    return count;
}

/* The box that `interval` gives a rank; empty for a rank outside, and for later copies when owners
 * are asked. */
static tg_box box_of(const tg_layout *layout, int rank,
                     void (*interval)(const tg_axis *, int, ptrdiff_t *, ptrdiff_t *), bool owners)
{
    tg_box box = {.ndim = layout->ndim};
    int place = tg_layout_place(layout, rank);
    if (place < 0)
        return box;
    int coords[TG_MAX_NDIM];
    tg_layout_coords(layout, place, coords);
    for (int a = 0; a < layout->ndim; a++)
        if (owners && layout->axis[a].copied && coords[a] > 0)
            return box;
    for (int a = 0; a < layout->ndim; a++)
        interval(&layout->axis[a], coords[a], &box.lo[a], &box.hi[a]);
    return box;
}

tg_box tg_layout_owned(const tg_layout *layout, int rank)
{
    return box_of(layout, rank, tg_axis_owned, true);
}

tg_box tg_layout_held(const tg_layout *layout, int rank)
{
    return box_of(layout, rank, tg_axis_held, false);
}

ptrdiff_t tg_layout_max_held(const tg_layout *layout)
{
    ptrdiff_t count = 1;
    for (int a = 0; a < layout->ndim; a++) {
        const tg_axis *axis = &layout->axis[a];
        ptrdiff_t largest = 0;
        for (int part = 0; part < axis->parts; part++) {
            ptrdiff_t lo, hi;
            tg_axis_held(axis, part, &lo, &hi);
            largest = max(largest, hi - lo);
        }
        count *= largest;
    }
    return count;
}

/* ---- comparing and checking ---- */

static bool same_ranks(const tg_layout *a, const tg_layout *b)
{
    int size = tg_layout_size(a);
    if (size != tg_layout_size(b))
        return false;
    if (a->nruns == b->nruns && memcmp(a->runs, b->runs, (size_t)a->nruns * sizeof *a->runs) == 0)
        return true;
    for (int place = 0; place < size; place++)
        if (tg_layout_rank(a, place) != tg_layout_rank(b, place))
            return false;
    return true;
}

bool tg_axis_same_split(const tg_axis *a, const tg_axis *b)
{
    if (a->extent != b->extent || a->parts != b->parts || a->copied != b->copied)
        return false;
    for (int part = 0; (a->cuts || b->cuts) && part < a->parts; part++) {
        ptrdiff_t lo_a, hi_a, lo_b, hi_b;
        tg_axis_owned(a, part, &lo_a, &hi_a);
        tg_axis_owned(b, part, &lo_b, &hi_b);
        if (lo_a != lo_b || hi_a != hi_b)
            return false;
    }
    return true;
}

bool tg_layout_equal(const tg_layout *a, const tg_layout *b)
{
    if (a->ndim != b->ndim)
        return false;
    for (int i = 0; i < a->ndim; i++)
        if (!tg_axis_same_split(&a->axis[i], &b->axis[i]) || a->order[i] != b->order[i] ||
            !tg_window_equal(&a->axis[i].window, &b->axis[i].window))
            return false;
    return same_ranks(a, b);
}

/* Entries of all ranks together: their bytes, and twice that, can be counted in ptrdiff_t. */
static const ptrdiff_t most_entries = PTRDIFF_MAX / 64;

static tg_status too_many(void)
{
    return tg_fail(TG_BAD_INPUT, "shape: more entries than an address can count; expected fewer");
}

/* Multiply count by what all parts of an axis hold together, or a little more; false when that is
 * too much. */
static bool multiply_held(const tg_axis *axis, ptrdiff_t *count)
{
    const tg_window *w = &axis->window;
    ptrdiff_t held = axis->extent, times = axis->copied ? axis->parts : 1;
    if (w->kernel > 0) {
        ptrdiff_t lo, hi, outputs = tg_window_outputs(w, axis->extent) / axis->parts + 1;
        tg_window_inputs(w, 0, outputs, &lo, &hi); /* of any part: some entries more or less */
        if (w->periodic || hi - lo + 2 < held)
            held = hi - lo + 2;
        times = axis->parts;
    }
    if (held <= 0)
        return true;
    return !__builtin_mul_overflow(*count, held, count) &&
           !__builtin_mul_overflow(*count, times, count) && *count <= most_entries;
}

static tg_status check_axis(const tg_axis *axis, int a)
{
    if (axis->extent < 0)
        return tg_fail(TG_BAD_INPUT, "shape: extent %td of axis %d; expected 0 or more",
                       axis->extent, a);
    if (axis->extent > most_entries)
        return too_many();
    if (axis->parts < 1)
        return tg_fail(TG_BAD_INPUT, "grid: %d parts on axis %d; expected 1 or more", axis->parts,
                       a);
    if (axis->cuts) {
        if (axis->copied)
            return tg_fail(TG_BAD_INPUT, "parts: axis %d holds copies; expected * there", a);
        bool good = axis->cuts[0] == 0 && axis->cuts[axis->parts] == axis->extent;
        for (int i = 0; i < axis->parts; i++)
            good = good && axis->cuts[i] <= axis->cuts[i + 1];
        if (!good)
            return tg_fail(TG_BAD_INPUT, "parts: sizes of axis %d; expected %d sizes with sum %td",
                           a, axis->parts, axis->extent);
    }
    return axis->window.kernel == 0 ? tg_success()
                                    : tg_window_check(&axis->window, axis->extent, a);
}

/* Every rank in [0, P) (P > 0) and at most once. A single run needs arithmetic only; a longer list
 * its own length. */
static tg_status check_ranks(const tg_layout *layout, int P)
{
    long total = 0;
    int highest = 0;
    for (int i = 0; i < layout->nruns; i++) {
        const tg_run *run = &layout->runs[i];
        long last = run->first + (long)(run->count - 1) * run->step;
        if (run->count < 1 || (run->count > 1 && run->step == 0))
            return tg_fail(TG_BAD_INPUT, "ranks: run %d of the list has %d ranks with step %d", i,
                           run->count, run->step);
        long low = run->first < last ? run->first : last,
             high = run->first < last ? last : run->first;
        if (low < 0 || high > INT32_MAX - 1)
            return tg_fail(TG_BAD_INPUT, "ranks: rank %ld; expected ranks from 0",
                           low < 0 ? low : high);
        if (P > 0 && high >= P)
            return tg_fail(TG_BAD_INPUT, "ranks: rank %ld does not exist; expected ranks below %d",
                           high, P);
        highest = high > highest ? (int)high : highest;
        total += run->count;
    }
    if (total != tg_layout_size(layout))
        return tg_fail(TG_BAD_INPUT,
                       "ranks: %ld ranks in the list; expected %d, one for each part of the grid",
                       total, tg_layout_size(layout));
    if (layout->nruns == 1)
        return tg_success();
    unsigned char *seen = calloc((size_t)highest / 8 + 1, 1);
    if (!seen)
        return tg_fail(TG_NO_MEMORY, "no memory to check a list of %ld ranks", total);
    tg_status status = tg_success();
    for (int i = 0; i < layout->nruns && status.code == TG_OK; i++)
        for (int j = 0; j < layout->runs[i].count && status.code == TG_OK; j++) {
            int rank = layout->runs[i].first + j * layout->runs[i].step;
            if (seen[rank / 8] >> (rank % 8) & 1)
                status = tg_fail(TG_BAD_INPUT,
                                 "ranks: rank %d stands twice in the list; expected once", rank);
            seen[rank / 8] = (unsigned char)(seen[rank / 8] | 1 << (rank % 8));
        }
    free(seen);
    return status;
}

tg_status tg_layout_check(const tg_layout *layout, int P)
{
    if (layout->ndim < 1 || layout->ndim > TG_MAX_NDIM)
        return tg_fail(TG_BAD_INPUT, "shape: %d axes; expected 1 to %d", layout->ndim, TG_MAX_NDIM);
    ptrdiff_t count = 1;
    long size = 1;
    unsigned seen = 0;
    for (int a = 0; a < layout->ndim; a++) {
        const tg_axis *axis = &layout->axis[a];
        tg_status status = check_axis(axis, a);
        if (status.code != TG_OK)
            return status;
        if (!multiply_held(axis, &count))
            return too_many();
        size *= axis->parts;
        if (size > INT32_MAX / 2)
            return tg_fail(TG_BAD_INPUT, "grid: more than %d parts; expected fewer", INT32_MAX / 2);
        if (layout->order[a] < 0 || layout->order[a] >= layout->ndim ||
            (seen >> layout->order[a] & 1))
            return tg_fail(TG_BAD_INPUT, "order: expected each of the axes 0 to %d once",
                           layout->ndim - 1);
        seen |= 1u << layout->order[a];
    }
    if (P > 0 && size > P)
        return tg_fail(TG_BAD_INPUT, "grid: %ld parts need %ld ranks; expected at most %d", size,
                       size, P);
    return check_ranks(layout, P);
}
