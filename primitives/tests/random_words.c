/* random_words.c: nasty small problems as lines of words; see random_words.h. */
#include "primitives/tests/random_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* MAX_IMAGES: with as many parts that hold them, sums stay whole numbers in bf16. */
enum { MAX_AXES = 6, MAX_RANKS = 64, MAX_ENTRIES = 160, MAX_IMAGES = 12 };

/* What one layout's words are made from. */
typedef struct {
    int ndim;
    long parts[MAX_AXES];
    bool copied[MAX_AXES];
    bool explicit_parts[MAX_AXES];
    long sizes[MAX_AXES][MAX_RANKS];
} sketch;

long random_below(random_source *source, long n)
{
    source->state += 0x9E3779B97F4A7C15u; /* splitmix64, by S. Vigna */
    uint64_t z = source->state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (long)(z % (uint64_t)n);
}

static bool chance(random_source *source, long percent)
{
    return random_below(source, 100) < percent;
}

__attribute__((format(printf, 2, 3))) static void append(char line[LINE_SIZE], const char *format,
                                                         ...)
{
    size_t used = strlen(line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + used, LINE_SIZE - used, format, arguments);
    va_end(arguments);
}

static void shuffle(random_source *source, int *numbers, int count)
{
    for (int i = count - 1; i > 0; i--) {
        int j = (int)random_below(source, i + 1), number = numbers[i];
        numbers[i] = numbers[j];
        numbers[j] = number;
    }
}

/* Parts whose product is at most `ranks`, dealt out to the axes in random order. */
static void random_grid(random_source *source, int ranks, sketch *s)
{
    int axes[MAX_AXES];
    long left = ranks;
    for (int d = 0; d < s->ndim; d++)
        axes[d] = d;
    shuffle(source, axes, s->ndim);
    for (int i = 0; i < s->ndim; i++) {
        s->parts[axes[i]] = chance(source, 75) ? 1 + random_below(source, left) : 1;
        left /= s->parts[axes[i]];
        s->copied[axes[i]] = false;
    }
}

/* Explicit sizes, empty ones among them, for some of the split axes. */
static void random_parts(random_source *source, const long *extent, sketch *s)
{
    for (int d = 0; d < s->ndim; d++) {
        s->explicit_parts[d] = !s->copied[d] && s->parts[d] <= MAX_RANKS && chance(source, 35);
        for (long i = 0; i < s->parts[d] && s->explicit_parts[d]; i++)
            s->sizes[d][i] = 0;
        for (long left = extent[d]; left > 0 && s->explicit_parts[d];) {
            long size = 1 + random_below(source, left);
            s->sizes[d][random_below(source, s->parts[d])] += size;
            left -= size;
        }
    }
}

/* The ranks that a layout may have: so many from `first` on. */
typedef struct {
    int first, count;
} rank_range;

/* A grid, its ranks, its order and its parts, as the words `key`, `key`-ranks ... (or grid, ranks
 * ...). */
static void append_layout(random_source *source, const char *key, rank_range ranks, const sketch *s,
                          char line[LINE_SIZE])
{
    const char *join = strcmp(key, "grid") == 0 ? "" : "-", *prefix = *join == '\0' ? "" : key;
    int order[MAX_AXES], list[MAX_RANKS];
    long places = 1;
    bool reshaped = chance(source, 10), any = false;
    append(line, " %s=", key);
    for (int i = 0; i < s->ndim; i++) {
        int d = reshaped ? s->ndim - 1 - i : i;
        append(line, "%s%ld%s", i > 0 ? "x" : "", s->parts[d], s->copied[d] ? "c" : "");
        places *= s->parts[d];
        any = any || s->explicit_parts[d];
        order[i] = i;
    }
    if (ranks.first > 0 || chance(source, 70)) { /* any ranks in any order, the others idle */
        for (int r = 0; r < ranks.count; r++)
            list[r] = ranks.first + r;
        shuffle(source, list, ranks.count);
        append(line, " %s%sranks=", prefix, join);
        for (long p = 0; p < places; p++)
            append(line, "%s%d", p > 0 ? "," : "", list[p]);
    } else if (chance(source, 50)) {
        append(line, " %s%sranks=%ld-0:-1", prefix, join, places - 1);
    } else if (places > 1 && 2 * places <= ranks.count + 1) { /* every other rank, up or down */
        long last = 2 * places - 2;
        append(line, chance(source, 50) ? " %s%sranks=0-%ld:2" : " %s%sranks=%ld-0:-2", prefix,
               join, last);
    }
    if (reshaped) {
        append(line, " %s%sorder=reshaped", prefix, join);
    } else if (chance(source, 40)) {
        shuffle(source, order, s->ndim);
        append(line, " %s%sorder=", prefix, join);
        for (int d = 0; d < s->ndim; d++)
            append(line, "%d", order[d]);
    }
    if (any) {
        append(line, " %s%sparts=", prefix, join);
        for (int d = 0; d < s->ndim; d++) {
            append(line, "%s%s", d > 0 ? "x" : "", s->explicit_parts[d] ? "" : "*");
            for (long i = 0; i < s->parts[d] && s->explicit_parts[d]; i++)
                append(line, "%s%ld", i > 0 ? "+" : "", s->sizes[d][i]);
        }
    }
}

/* Extents of smallest or more; that of axis 0 is `regions` unless this is 0. */
static void random_shape(random_source *source, int ndim, long smallest, long regions, long *extent,
                         char line[LINE_SIZE])
{
    long entries = 1;
    for (int d = 0; d < ndim; d++) {
        long most = MAX_ENTRIES / entries < 14 ? MAX_ENTRIES / entries : 14;
        extent[d] = chance(source, 3) ? smallest : 1 + random_below(source, most > 1 ? most : 1);
        if (d == 0 && regions > 0)
            extent[d] = regions;
        entries *= extent[d] > 0 ? extent[d] : 1;
        append(line, "%s%ld", d > 0 ? "x" : " shape=", extent[d]);
    }
}

static void append_tuple(const char *key, int ndim, const long *numbers, char line[LINE_SIZE])
{
    append(line, " %s=", key);
    for (int d = 0; d < ndim; d++)
        append(line, "%s%ld", d > 0 ? "x" : "", numbers[d]);
}

/* The rules of the operations: which side may hold copies, and what the sides have in common. */
enum {
    ONE_RANK,
    ONE_TO_MANY,
    COPIES,
    ONE_LAYOUT,
    GATHERED,
    FREE,
    ONE_REGION,  /* axis 0 counts memory regions: one, */
    TWO_REGIONS, /* or two */
    WINDOW,      /* this and the kinds after it have windows */
    TRANSPOSED,
    UPSAMPLE
};

/* Outputs of a window that is not rounded up. */
static long outputs(int kind, long n, long kernel, long stride, long padding, long dilation)
{
    if (kind == TRANSPOSED)
        return (n - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1;
    long room = n + 2 * padding - dilation * (kernel - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}

/* Images of one entry that one part can hold when the axis is periodic. */
static long images(int kind, long n, long kernel, long stride, long padding, long dilation)
{
    long span = n + (kind == UPSAMPLE ? 2 : 2 * padding + stride);
    if (kind == TRANSPOSED)
        span = (outputs(kind, n, kernel, stride, padding, dilation) - 1 + padding) / stride +
               dilation * (kernel - 1) / stride + 2;
    return (span + n - 1) / n;
}

static void append_windows(random_source *source, int kind, int ndim, const long *extent,
                           char line[LINE_SIZE])
{
    long kernel[MAX_AXES], stride[MAX_AXES], padding[MAX_AXES], dilation[MAX_AXES];
    long periodic[MAX_AXES], ceil[MAX_AXES], most_images = 1;
    for (int d = 0; d < ndim; d++) {
        do {
            kernel[d] = chance(source, 30) ? 1 : 1 + random_below(source, 6);
            stride[d] = chance(source, 50) ? 1 : 1 + random_below(source, 4);
            padding[d] = chance(source, 30) ? 0 : random_below(source, 4);
            dilation[d] = chance(source, 60) ? 1 : 1 + random_below(source, 3);
            if (kind == UPSAMPLE) {
                kernel[d] = 1 + random_below(source, 2);
                padding[d] = 0;
                dilation[d] = 1;
                break;
            }
        } while (outputs(kind, extent[d], kernel[d], stride[d], padding[d], dilation[d]) < 1);
        long more =
            most_images * images(kind, extent[d], kernel[d], stride[d], padding[d], dilation[d]);
        periodic[d] = chance(source, 25) && more <= MAX_IMAGES;
        most_images = periodic[d] ? more : most_images;
        ceil[d] = kind == WINDOW && chance(source, 25);
    }
    append_tuple("kernel", ndim, kernel, line);
    append_tuple("stride", ndim, stride, line);
    append_tuple("padding", ndim, padding, line);
    append_tuple("dilation", ndim, dilation, line);
    append_tuple("periodic", ndim, periodic, line);
    append_tuple("ceil", ndim, ceil, line);
}

/* Turns some of the split axes into copies. */
static void random_copies(random_source *source, sketch *s)
{
    for (int d = 0; d < s->ndim; d++) {
        s->copied[d] = chance(source, 55);
        s->explicit_parts[d] = s->explicit_parts[d] && !s->copied[d];
    }
}

/* The side of a broadcast without copies: one part where the other side holds copies. */
static sketch without_copies(const sketch *copies)
{
    sketch plain = *copies;
    for (int d = 0; d < plain.ndim; d++) {
        plain.parts[d] = plain.copied[d] ? 1 : plain.parts[d];
        plain.copied[d] = false;
    }
    return plain;
}

/* The other side of a gathering: any parts where this side holds copies. */
static sketch without_copies_but_parts(random_source *source, int ranks, const long *extent,
                                       const sketch *copies)
{
    sketch blocks = *copies, other = {.ndim = copies->ndim};
    long left = ranks;
    for (int d = 0; d < blocks.ndim; d++)
        left /= copies->copied[d] ? 1 : copies->parts[d];
    random_grid(source, (int)left, &other);
    random_parts(source, extent, &other);
    for (int d = 0; d < blocks.ndim; d++) {
        if (copies->copied[d]) {
            blocks.parts[d] = other.parts[d];
            blocks.explicit_parts[d] = other.explicit_parts[d];
            memcpy(blocks.sizes[d], other.sizes[d], sizeof blocks.sizes[d]);
        }
        blocks.copied[d] = false;
    }
    return blocks;
}

typedef struct {
    const char *operation;
    int rule;
    bool backwards; /* from and to have changed places */
} rule;

static const rule rules[] = {
    {"send_recv", ONE_RANK, false},         {"broadcast", COPIES, false},
    {"sum_reduce", COPIES, true},           {"all_sum_reduce", ONE_LAYOUT, false},
    {"scatter", ONE_TO_MANY, false},        {"gather", ONE_TO_MANY, true},
    {"all_gather", GATHERED, false},        {"reduce_scatter", GATHERED, true},
    {"repartition", FREE, false},           {"halo", WINDOW, false},
    {"halo_transposed", TRANSPOSED, false}, {"halo_upsample", UPSAMPLE, false},
    {"allocate", ONE_REGION, false},        {"deallocate", TWO_REGIONS, false},
    {"clear", TWO_REGIONS, false},          {"add", TWO_REGIONS, false},
    {"copy", TWO_REGIONS, false},           {"move", TWO_REGIONS, false},
};

static const rule *find_rule(const char *operation)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(rules[i].operation, operation) == 0)
            return &rules[i];
    return NULL;
}

/* Ranks for each side: all for both; now and then none in both. */
static void random_ranges(random_source *source, int kind, int ranks, rank_range *x, rank_range *y)
{
    *x = *y = (rank_range){0, ranks};
    if (kind != FREE || ranks < 2 || !chance(source, 40))
        return;
    const int cut = 1 + (int)random_below(source, ranks - 1);
    const rank_range low = {0, cut}, high = {cut, ranks - cut};
    const bool swapped = chance(source, 50);
    *x = swapped ? high : low;
    *y = swapped ? low : high;
}

/* The two sides of an operation with two layouts. */
static void random_sides(random_source *source, int kind, rank_range of_x, rank_range of_y,
                         const long *extent, sketch *x, sketch *y)
{
    const int ranks = of_y.count, copies = of_x.first == of_y.first ? 15 : 50;
    y->ndim = x->ndim;
    random_grid(source, kind == ONE_RANK ? 1 : ranks, y);
    random_parts(source, extent, y);
    if (kind == COPIES || kind == GATHERED) {
        random_copies(source, y);
        *x =
            kind == COPIES ? without_copies(y) : without_copies_but_parts(source, ranks, extent, y);
        return;
    }
    random_grid(source, kind == FREE ? of_x.count : 1, x);
    random_parts(source, extent, x);
    for (int d = 0; kind == FREE && d < x->ndim; d++) {
        x->copied[d] = !x->explicit_parts[d] && chance(source, 15);
        y->copied[d] = !y->explicit_parts[d] && chance(source, copies);
    }
}

bool random_problem(random_source *source, const char *operation, int ranks, char line[LINE_SIZE])
{
    const rule *found = find_rule(operation);
    const bool known = found != NULL;
    long extent[MAX_AXES];
    sketch x = {.ndim = 1 + (int)random_below(source, MAX_AXES)}, y = {.ndim = x.ndim};
    ranks = ranks < MAX_RANKS ? ranks : MAX_RANKS;
    line[0] = '\0';
    if (!known)
        found = &rules[random_below(source, (long)(sizeof rules / sizeof *rules))];
    append(line, "%s", operation);
    const int kind = found->rule;
    const long regions = kind == ONE_REGION ? 1 : kind == TWO_REGIONS ? 2 : 0;
    /* a window needs an output, so an entry on each axis */
    random_shape(source, x.ndim, kind >= WINDOW ? 1 : 0, regions, extent, line);
    if (kind >= WINDOW || kind == ONE_LAYOUT || regions > 0) {
        random_grid(source, ranks, &x);
        x.parts[0] = regions > 0 ? 1 : x.parts[0];
        random_parts(source, extent, &x);
        if (kind == ONE_LAYOUT)
            random_copies(source, &x);
        append_layout(source, "grid", (rank_range){0, ranks}, &x, line);
        if (kind >= WINDOW)
            append_windows(source, kind, x.ndim, extent, line);
    } else {
        rank_range of_x, of_y;
        random_ranges(source, kind, ranks, &of_x, &of_y);
        random_sides(source, kind, of_x, of_y, extent, &x, &y);
        append_layout(source, "from", found->backwards ? of_y : of_x, found->backwards ? &y : &x,
                      line);
        append_layout(source, "to", found->backwards ? of_x : of_y, found->backwards ? &x : &y,
                      line);
    }
    return known;
}

static void append_padding(random_source *source, int ndim, char word[LINE_SIZE])
{
    const int axes = 1 + (int)random_below(source, ndim < 3 ? ndim : 3);
    for (int i = 0; i < axes; i++)
        append(word, "%s%ld", i > 0 ? "x" : "", random_below(source, 4));
}

static void random_store(random_source *source, int ndim, char word[LINE_SIZE])
{
    static const char *const kinds[] = {"row", "nchw8c", "nchw16c"};
    word[0] = '\0';
    append(word, "%s", kinds[ndim > 1 ? random_below(source, 3) : 0]);
    if (chance(source, 50)) {
        append(word, ":");
        if (chance(source, 60))
            append_padding(source, ndim, word);
        append(word, ":");
        append_padding(source, ndim, word);
    }
}

void random_stores(random_source *source, bool in_place, char line[LINE_SIZE])
{
    char x[LINE_SIZE], y[LINE_SIZE];
    int ndim = 1;
    for (const char *c = strstr(line, " shape=") + 7; *c != ' ' && *c != '\0'; c++)
        ndim += *c == 'x';
    if (chance(source, 40))
        return;
    random_store(source, ndim, x);
    random_store(source, ndim, y);
    append(line, " store-x=%s store-y=%s", x, in_place || chance(source, 40) ? x : y);
}
