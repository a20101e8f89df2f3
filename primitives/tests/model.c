/* model.c: layouts and operators as index formulas for the tests; see model.h. Everything is found
 * by looking at every place and every entry: slow, short, and with no code in common with the
 * library. */
#include "primitives/tests/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- words ---- */

void model_operation(const char *line, char word[MODEL_WORD])
{
    size_t length = strcspn(line, " ");
    length = length < MODEL_WORD ? length : MODEL_WORD - 1;
    memcpy(word, line, length);
    word[length] = '\0';
}

bool model_word(const char *line, const char *key, const char *fallback, char word[MODEL_WORD])
{
    size_t key_length = strlen(key);
    for (const char *at = strchr(line, ' '); at != NULL; at = strchr(at, ' ')) {
        at += strspn(at, " ");
        if (strncmp(at, key, key_length) == 0 && at[key_length] == '=') {
            model_operation(at + key_length + 1, word);
            return true;
        }
    }
    strcpy(word, fallback);
    return false;
}

void model_line(const char *format, int ranks, char *line, size_t size)
{
    size_t used = 0;
    for (; *format != '\0' && used + 1 < size; format++) {
        if (*format == 'P') {
            bool last = format[1] == '1';
            used += (size_t)snprintf(line + used, size - used, "%d", last ? ranks - 1 : ranks);
            format += last;
        } else {
            line[used++] = *format;
        }
    }
    line[used < size ? used : size - 1] = '\0';
}

void model_tuple(const char *word, int ndim, long filler, long *numbers)
{
    int given = 0;
    long read[TG_MAX_NDIM];
    for (const char *at = word; *at != '\0' && given < TG_MAX_NDIM; at += (*at == 'x'))
        read[given++] = strtol(at, (char **)&at, 10);
    for (int d = 0; d < ndim; d++) {
        int from_end = ndim - d;
        numbers[d] = from_end <= given ? read[given - from_end] : filler;
    }
}

static void read_ranks(const char *word, model_layout *layout)
{
    layout->places = 0;
    for (const char *at = word; *at != '\0'; at += (*at == ',')) {
        long first = strtol(at, (char **)&at, 10), last = first, step = 1;
        if (*at == '-')
            last = strtol(at + 1, (char **)&at, 10);
        if (*at == ':')
            step = strtol(at + 1, (char **)&at, 10);
        for (long r = first; step > 0 ? r <= last : r >= last; r += step)
            layout->rank[layout->places++] = (int)r;
    }
}

static void read_parts(const char *word, model_layout *layout)
{
    const char *at = word;
    for (int d = 0; d < layout->ndim; d++, at += (*at == 'x')) {
        model_axis *axis = &layout->axis[d];
        axis->explicit_parts = *at != '*';
        if (!axis->explicit_parts) {
            at++;
            continue;
        }
        long sum = 0;
        for (long i = 0; i < axis->parts; i++, at += (*at == '+')) {
            axis->start[i] = sum;
            sum += strtol(at, (char **)&at, 10);
        }
        axis->start[axis->parts] = sum;
    }
}

bool model_layout_read(const char *shape, const char *grid, const char *ranks, const char *order,
                       const char *parts, model_layout *layout)
{
    memset(layout, 0, sizeof *layout);
    for (const char *at = shape; *at != '\0'; at += (*at == 'x'))
        layout->axis[layout->ndim++].extent = strtol(at, (char **)&at, 10);
    long count[TG_MAX_NDIM], places = 1;
    bool copied[TG_MAX_NDIM];
    int ngrid = 0;
    for (const char *at = grid; *at != '\0' && ngrid < TG_MAX_NDIM; at += (*at == 'x')) {
        count[ngrid] = strtol(at, (char **)&at, 10);
        copied[ngrid] = *at == 'c';
        at += copied[ngrid];
        places *= count[ngrid++];
    }
    if (ngrid != layout->ndim)
        return false;
    bool reshaped = strcmp(order, "reshaped") == 0;
    for (int d = 0; d < layout->ndim; d++) {
        int from = reshaped ? layout->ndim - 1 - d : d;
        layout->axis[d].parts = count[from];
        layout->axis[d].copied = copied[from];
        layout->order[d] = *order == '\0' || reshaped ? d : order[d] - '0';
    }
    if (*ranks != '\0')
        read_ranks(ranks, layout);
    else
        for (layout->places = 0; layout->places < places; layout->places++)
            layout->rank[layout->places] = layout->places;
    if (*parts != '\0')
        read_parts(parts, layout);
    return layout->places == places;
}

/* ---- windows ---- */

/* Outputs of a transposed convolution: from where the first input begins to where the last one
 * ends, without the padding on either side. */
static bool transposed_is_output(const model_axis *axis, long position)
{
    long first = 0, last = (axis->extent - 1) * axis->stride + axis->dilation * (axis->kernel - 1);
    return position >= 0 && position + axis->padding >= first &&
           position + axis->padding <= last - axis->padding;
}

/* Does the output lie between the places that the first and the last tap of the input go to? */
static bool transposed_reads(const model_axis *axis, long output, long input)
{
    long at = input * axis->stride - axis->padding;
    return output >= at && output <= at + axis->dilation * (axis->kernel - 1);
}

static bool upsample_is_output(const model_axis *axis, long position)
{
    return position >= 0 && position < axis->extent * axis->stride;
}

/* Nearest: the output lies inside the input. Linear: the centres are less than one input apart, or
 * the input's is exactly one after. In units of half an output: the output's centre lies at
 * 2 o + 1, the input's at (2 i + 1) s. */
static bool upsample_reads(const model_axis *axis, long output, long input)
{
    long s = axis->stride, distance = (2 * input + 1) * s - (2 * output + 1);
    if (axis->kernel == 1)
        return input * s <= output && output < (input + 1) * s;
    return distance > -2 * s && distance <= 2 * s;
}

static const model_rule rules[] = {
    {"halo_transposed", transposed_is_output, transposed_reads, false},
    {"halo_upsample", upsample_is_output, upsample_reads, true},
};

static const model_rule *find_rule(const char *operation)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(rules[i].operation, operation) == 0)
            return &rules[i];
    return NULL;
}

void model_windows(const char *line, model_layout *layout)
{
    char word[MODEL_WORD];
    long kernel[TG_MAX_NDIM], stride[TG_MAX_NDIM], padding[TG_MAX_NDIM], dilation[TG_MAX_NDIM];
    long periodic[TG_MAX_NDIM], ceil[TG_MAX_NDIM];
    model_word(line, "kernel", "1", word);
    model_tuple(word, layout->ndim, 1, kernel);
    model_word(line, "stride", "1", word);
    model_tuple(word, layout->ndim, 1, stride);
    model_word(line, "padding", "0", word);
    model_tuple(word, layout->ndim, 0, padding);
    model_word(line, "dilation", "1", word);
    model_tuple(word, layout->ndim, 1, dilation);
    model_word(line, "periodic", "0", word);
    model_tuple(word, layout->ndim, 0, periodic);
    model_word(line, "ceil", "0", word);
    model_tuple(word, layout->ndim, 0, ceil);
    model_operation(line, word);
    for (int d = 0; d < layout->ndim; d++) {
        model_axis *axis = &layout->axis[d];
        axis->rule = find_rule(word);
        axis->kernel = kernel[d];
        axis->stride = stride[d];
        axis->padding = padding[d];
        axis->dilation = dilation[d];
        axis->periodic = periodic[d] != 0;
        axis->ceil = ceil[d] != 0;
    }
}

/* ---- memory operators ---- */

/* Design of the operators, as the paper writes them: rows are regions of y. */
typedef struct model_memory {
    const char *operation;
    long regions_of_y;
    double matrix[2][2];
} model_memory;

static const model_memory memories[] = {
    {"allocate", 2, {{1, 0}, {0, 0}}}, {"deallocate", 1, {{1, 0}, {0, 0}}},
    {"clear", 2, {{1, 0}, {0, 0}}},    {"add", 2, {{1, 0}, {1, 1}}},
    {"copy", 2, {{1, 0}, {1, 0}}},     {"move", 2, {{0, 0}, {1, 0}}},
};

static const model_memory *find_memory(const char *operation)
{
    for (size_t i = 0; i < sizeof memories / sizeof *memories; i++)
        if (strcmp(memories[i].operation, operation) == 0)
            return &memories[i];
    return NULL;
}

bool model_read(const char *line, bool two_layouts, bool window, bool sums, model *m)
{
    char shape[MODEL_WORD], grid[MODEL_WORD], ranks[MODEL_WORD], order[MODEL_WORD],
        parts[MODEL_WORD];
    const char *keys[2][4] = {{"from", "from-ranks", "from-order", "from-parts"},
                              {"to", "to-ranks", "to-order", "to-parts"}};
    const char *one[4] = {"grid", "ranks", "order", "parts"};
    model_layout *layouts[2] = {&m->x, &m->y};
    m->sums = sums;
    model_word(line, "shape", "", shape);
    for (int side = 0; side < 2; side++) {
        const char *const *key = two_layouts ? keys[side] : one;
        model_word(line, key[0], "1", grid);
        model_word(line, key[1], "", ranks);
        model_word(line, key[2], "", order);
        model_word(line, key[3], "", parts);
        if (!model_layout_read(shape, grid, ranks, order, parts, layouts[side]))
            return false;
    }
    if (window)
        model_windows(line, &m->y);
    model_operation(line, grid);
    m->memory = find_memory(grid);
    if (m->memory != NULL) {
        m->y.axis[0].extent = m->memory->regions_of_y;
        m->y.axis[0].explicit_parts = false; /* one part, however many regions */
    }
    return true;
}

/* ---- layouts ---- */

int model_place(const model_layout *layout, int rank)
{
    for (int place = 0; place < layout->places; place++)
        if (layout->rank[place] == rank)
            return place;
    return -1;
}

int model_highest_rank(const model *m)
{
    int highest = 0;
    for (int place = 0; place < m->x.places; place++)
        highest = m->x.rank[place] > highest ? m->x.rank[place] : highest;
    for (int place = 0; place < m->y.places; place++)
        highest = m->y.rank[place] > highest ? m->y.rank[place] : highest;
    return highest;
}

void model_coords(const model_layout *layout, int place, long coords[TG_MAX_NDIM])
{
    long rest = place;
    for (int i = layout->ndim - 1; i >= 0; i--) {
        int d = layout->order[i];
        coords[d] = rest % layout->axis[d].parts;
        rest /= layout->axis[d].parts;
    }
}

bool model_is_first(const model_layout *layout, int place)
{
    long coords[TG_MAX_NDIM];
    model_coords(layout, place, coords);
    for (int d = 0; d < layout->ndim; d++)
        if (layout->axis[d].copied && coords[d] != 0)
            return false;
    return true;
}

/* Part i of n entries over p parts, counted out one part after the other. */
static void balanced(long n, long p, long i, long *lo, long *hi)
{
    *lo = 0;
    for (long part = 0; part < i; part++)
        *lo += n / p + (part < n % p ? 1 : 0);
    *hi = *lo + n / p + (i < n % p ? 1 : 0);
}

/* Outputs of a rule that is given position by position. */
static long counted_outputs(const model_axis *axis)
{
    long m = 0;
    while (axis->rule->is_output(axis, m))
        m++;
    return m;
}

/* Counted: the outputs whose first tap lies where the rule of convolution and pooling lets it lie.
 */
long model_outputs(const model_axis *axis)
{
    if (axis->rule != NULL)
        return counted_outputs(axis);
    long reach = axis->dilation * (axis->kernel - 1) + 1, n = axis->extent, p = axis->padding;
    long m = 0;
    if (n + 2 * p < reach) {
        /* Rounding up still allows one output that reaches beyond the padding. */
        m = axis->ceil && n + 2 * p - reach > -axis->stride ? 1 : 0;
    } else {
        while (m * axis->stride + reach <= n + 2 * p)
            m++;
        if (axis->ceil && (m - 1) * axis->stride + reach < n + 2 * p)
            m++;
    }
    if (axis->ceil && m >= 1 && (m - 1) * axis->stride >= n + p)
        m--;
    return m;
}

/* All inputs that some output of [y0, y1) reads, by looking at each pair. */
static void read_by(const model_axis *axis, long y0, long y1, long *lo, long *hi)
{
    long far = axis->kernel * axis->dilation + axis->padding + 2, n = axis->extent;
    bool any = false;
    *lo = *hi = 0;
    for (long g = -far; g < n + far; g++) {
        bool read = false;
        for (long o = y0; o < y1 && !read; o++)
            read = axis->rule->reads(axis, o, g);
        long entry = g;
        if (!axis->periodic && axis->rule->clamps)
            entry = g < 0 ? 0 : g >= n ? n - 1 : g;
        if (!read || (!axis->periodic && (entry < 0 || entry >= n)))
            continue;
        *lo = any && *lo < entry ? *lo : entry;
        *hi = any && *hi > entry + 1 ? *hi : entry + 1;
        any = true;
    }
}

static void widen(const model_axis *axis, long part, long *lo, long *hi)
{
    long y0 = 0, y1 = model_outputs(axis);
    if (!axis->copied)
        balanced(y1, axis->parts, part, &y0, &y1);
    if (axis->rule != NULL) {
        read_by(axis, y0, y1, lo, hi);
        return;
    }
    bool any = false;
    for (long o = y0; o < y1; o++) {
        for (long k = 0; k < axis->kernel; k++) {
            long g = o * axis->stride - axis->padding + k * axis->dilation;
            if (!any || g < *lo)
                *lo = g;
            if (!any || g + 1 > *hi)
                *hi = g + 1;
            any = true;
        }
    }
    if (!any) {
        *lo = *hi = 0;
    } else if (!axis->periodic) {
        *lo = *lo < 0 ? 0 : *lo;
        *hi = *hi > axis->extent ? axis->extent : *hi;
    }
}

tg_box model_box(const model_layout *layout, int place, bool widened)
{
    tg_box box = {.ndim = layout->ndim};
    long coords[TG_MAX_NDIM];
    if (place < 0)
        return box;
    model_coords(layout, place, coords);
    for (int d = 0; d < layout->ndim; d++) {
        const model_axis *axis = &layout->axis[d];
        long lo = 0, hi = axis->extent;
        if (axis->explicit_parts && !axis->copied) {
            lo = axis->start[coords[d]];
            hi = axis->start[coords[d] + 1];
        } else if (!axis->copied) {
            balanced(axis->extent, axis->parts, coords[d], &lo, &hi);
        }
        if (widened && axis->kernel > 0)
            widen(axis, coords[d], &lo, &hi);
        box.lo[d] = lo;
        box.hi[d] = hi;
    }
    return box;
}

tg_box model_rank_box(const model_layout *layout, int rank, bool widened)
{
    return model_box(layout, model_place(layout, rank), widened);
}

/* ---- boxes ---- */

long model_count(const tg_box *box)
{
    long count = 1;
    for (int d = 0; d < box->ndim; d++)
        count *= box->hi[d] > box->lo[d] ? box->hi[d] - box->lo[d] : 0;
    return count;
}

void model_entry(const tg_box *box, long n, long g[TG_MAX_NDIM])
{
    for (int d = box->ndim - 1; d >= 0; d--) {
        long length = box->hi[d] - box->lo[d];
        g[d] = box->lo[d] + n % length;
        n /= length;
    }
}

long model_offset(const tg_box *box, const long g[TG_MAX_NDIM])
{
    long offset = 0;
    for (int d = 0; d < box->ndim; d++) {
        if (g[d] < box->lo[d] || g[d] >= box->hi[d])
            return -1;
        offset = offset * (box->hi[d] - box->lo[d]) + g[d] - box->lo[d];
    }
    return offset;
}

model_store model_store_read(const char *line, const char *key, int ndim)
{
    char word[MODEL_WORD];
    model_store store = {.block = 1};
    model_word(line, key, "row", word);
    char *before = strchr(word, ':'), *after = before ? strchr(before + 1, ':') : NULL;
    if (before)
        *before = '\0';
    if (after)
        *after = '\0';
    if (strcmp(word, "row") != 0)
        store.block = strtol(word + strlen("nchw"), NULL, 10);
    model_tuple(before ? before + 1 : "", ndim, 0, store.before);
    model_tuple(after ? after + 1 : "", ndim, 0, store.after);
    return store;
}

/* Extents of the array, with the axis of the channels of a block behind the others. */
static void store_extents(const model_store *store, const tg_box *box, long n[TG_MAX_NDIM + 1])
{
    for (int d = 0; d < box->ndim; d++)
        n[d] = store->before[d] + (long)(box->hi[d] - box->lo[d]) + store->after[d];
    n[box->ndim] = store->block;
    if (store->block > 1)
        n[1] = n[1] / store->block + (n[1] % store->block != 0);
}

long model_room(const model_store *store, const tg_box *box)
{
    long n[TG_MAX_NDIM + 1], room = model_count(box) > 0 ? 1 : 0;
    store_extents(store, box, n);
    for (int d = 0; d <= box->ndim; d++)
        room *= n[d];
    return room;
}

long model_stored(const model_store *store, const tg_box *box, const long g[TG_MAX_NDIM])
{
    long n[TG_MAX_NDIM + 1], i[TG_MAX_NDIM + 1], place = 0, weight = 1;
    store_extents(store, box, n);
    for (int d = 0; d < box->ndim; d++)
        i[d] = store->before[d] + g[d] - (long)box->lo[d];
    i[box->ndim] = 0;
    if (store->block > 1) {
        i[box->ndim] = i[1] % store->block;
        i[1] = i[1] / store->block;
    }
    for (int d = box->ndim; d >= 0; d--) {
        place += i[d] * weight;
        weight *= n[d];
    }
    return place;
}

tg_box model_hull(const tg_box *a, const tg_box *b)
{
    if (model_count(a) == 0)
        return *b;
    if (model_count(b) == 0)
        return *a;
    tg_box hull = *a;
    for (int d = 0; d < a->ndim; d++) {
        hull.lo[d] = b->lo[d] < hull.lo[d] ? b->lo[d] : hull.lo[d];
        hull.hi[d] = b->hi[d] > hull.hi[d] ? b->hi[d] : hull.hi[d];
    }
    return hull;
}

/* ---- operators ---- */

double model_value(uint64_t seed, int place, const long g[TG_MAX_NDIM], int ndim)
{
    uint64_t hash = seed * 1000003u + (uint64_t)place * 8191u;
    for (int d = 0; d < ndim; d++) {
        hash = (hash ^ (uint64_t)(g[d] + 1000)) * 1099511628211u;
        hash ^= hash >> 29;
    }
    static const double values[8] = {1, 2, 3, 5, -1, -2, -4, 7};
    return values[(hash >> 17) % 8];
}

/* Where an entry of y lives in the tensor: periodic coordinates are brought back into [0, extent).
 */
static void wrap(const model_layout *y, const long g[TG_MAX_NDIM], long h[TG_MAX_NDIM])
{
    for (int d = 0; d < y->ndim; d++) {
        h[d] = g[d];
        while (y->axis[d].periodic && h[d] < 0)
            h[d] += y->axis[d].extent;
        while (y->axis[d].periodic && h[d] >= y->axis[d].extent)
            h[d] -= y->axis[d].extent;
    }
}

/* The first place in the list whose part of x has the entry h; -1: none. */
static int first_holder(const model_layout *x, const long h[TG_MAX_NDIM])
{
    for (int place = 0; place < x->places; place++) {
        tg_box box = model_box(x, place, true);
        if (model_offset(&box, h) >= 0)
            return place;
    }
    return -1;
}

static double memory_coefficient(const model *m, int place_y, const long g[TG_MAX_NDIM],
                                 int place_x, const long h[TG_MAX_NDIM])
{
    bool same = place_x == place_y;
    for (int d = 1; d < m->y.ndim; d++)
        same = same && g[d] == h[d];
    return same ? m->memory->matrix[g[0]][h[0]] : 0.0;
}

/* One entry of F x (forward) or of F* y on a place: both regions of the other space, weighed. */
static double memory_sum(const model *m, bool forward, int place, const long g[TG_MAX_NDIM],
                         model_vector vector, const void *context)
{
    long h[TG_MAX_NDIM];
    double sum = 0.0;
    memcpy(h, g, sizeof h);
    for (h[0] = 0; h[0] < (forward ? m->x : m->y).axis[0].extent; h[0]++) {
        double weight = forward ? memory_coefficient(m, place, g, place, h)
                                : memory_coefficient(m, place, h, place, g);
        sum += weight * vector(context, place, h);
    }
    return sum;
}

bool model_coefficient(const model *m, int place_y, const long g[TG_MAX_NDIM], int place_x,
                       const long h[TG_MAX_NDIM])
{
    long wrapped[TG_MAX_NDIM];
    if (m->memory != NULL)
        return memory_coefficient(m, place_y, g, place_x, h) != 0.0;
    wrap(&m->y, g, wrapped);
    for (int d = 0; d < m->y.ndim; d++)
        if (wrapped[d] != h[d])
            return false;
    return m->sums || first_holder(&m->x, h) == place_x;
}

double model_forward(const model *m, int place_y, const long g[TG_MAX_NDIM], model_vector x,
                     const void *context)
{
    long h[TG_MAX_NDIM];
    double sum = 0.0;
    if (m->memory != NULL)
        return memory_sum(m, true, place_y, g, x, context);
    wrap(&m->y, g, h);
    int first = first_holder(&m->x, h);
    for (int place = 0; place < m->x.places; place++) {
        tg_box box = model_box(&m->x, place, true);
        if ((m->sums || place == first) && model_offset(&box, h) >= 0)
            sum += x(context, place, h);
    }
    return sum;
}

void model_adjoint(const model *m, int place_x, model_vector y, const void *context, double *values)
{
    tg_box mine = model_box(&m->x, place_x, true);
    memset(values, 0, (size_t)model_count(&mine) * sizeof *values);
    for (long n = 0; m->memory != NULL && n < model_count(&mine); n++) {
        long h[TG_MAX_NDIM];
        model_entry(&mine, n, h);
        values[n] = memory_sum(m, false, place_x, h, y, context);
    }
    if (m->memory != NULL)
        return;
    for (int place = 0; place < m->y.places; place++) {
        tg_box box = model_box(&m->y, place, true);
        for (long n = 0; n < model_count(&box); n++) {
            long g[TG_MAX_NDIM], h[TG_MAX_NDIM];
            model_entry(&box, n, g);
            wrap(&m->y, g, h);
            long at = model_offset(&mine, h);
            if (at >= 0 && (m->sums || first_holder(&m->x, h) == place_x))
                values[at] += y(context, place, g);
        }
    }
}
