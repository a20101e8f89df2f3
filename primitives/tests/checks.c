/* checks.c: what is asked of every operator; see checks.h. Vectors are arrays of double here, one
 * number for each entry of this rank's box; they are packed into guarded buffers of the problem's
 * type for each apply. */
#include "primitives/tests/checks.h"

#include "primitives/count.h"
#include "primitives/node.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const check_names[CHECK_KINDS] = {"values", "dot",    "kept",
                                              "guards", "matrix", "oracle"};

enum { GUARD_BYTES = 64, GUARD = 0xA5 };
static tg_memory buffers_from;
static const double JUNK = -99.0; /* what unwritten entries hold; no formula gives it */

/* ---- verdicts ---- */

void check_one(test_verdict *verdict, int kind, bool good, const char *format, ...)
{
    verdict->done[kind]++;
    if (good)
        return;
    verdict->failed[kind]++;
    if (verdict->text[0] == '\0') {
        int used = snprintf(verdict->text, sizeof verdict->text, "%s: ", check_names[kind]);
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(verdict->text + used, sizeof verdict->text - (size_t)used, format, arguments);
        va_end(arguments);
    }
}

test_verdict check_agree(const test_verdict *mine, MPI_Comm comm)
{
    test_verdict all = {.text = ""};
    int rank, size;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    MPI_Allreduce(mine->done, all.done, CHECK_KINDS, MPI_LONG, MPI_SUM, comm);
    MPI_Allreduce(mine->failed, all.failed, CHECK_KINDS, MPI_LONG, MPI_SUM, comm);
    if (check_failures(&all) > 0) {
        int speaker = mine->text[0] != '\0' ? rank : size, lowest;
        MPI_Allreduce(&speaker, &lowest, 1, MPI_INT, MPI_MIN, comm);
        if (lowest < size) {
            snprintf(all.text, sizeof all.text, "%s", mine->text);
            MPI_Bcast(all.text, sizeof all.text, MPI_CHAR, lowest, comm);
        }
    }
    return all;
}

static long sum_of(const long numbers[CHECK_KINDS])
{
    long sum = 0;
    for (int kind = 0; kind < CHECK_KINDS; kind++)
        sum += numbers[kind];
    return sum;
}

long check_failures(const test_verdict *verdict)
{
    return sum_of(verdict->failed);
}

long check_count(const test_verdict *verdict)
{
    return sum_of(verdict->done);
}

/* ---- cases ---- */

static tg_status parse_layout(const char *line, const char *const keys[4], int size,
                              tg_layout *layout)
{
    char word[5][MODEL_WORD];
    const char *value[5] = {NULL};
    const char *const all[5] = {"shape", keys[0], keys[1], keys[2], keys[3]};
    for (int i = 0; i < 5; i++)
        if (model_word(line, all[i], "", word[i]))
            value[i] = word[i];
    const char *side = strcmp(keys[0], "grid") == 0 ? NULL : keys[0];
    tg_layout_words words = {
        value[0], value[1] != NULL ? value[1] : "1", value[2], value[3], value[4], side};
    return tg_layout_parse(&words, size, 0, layout);
}

/* The windows of the line on a layout; the numbers are read by the tests' own parser. */
static void set_windows(const char *line, const tg_window_rule *rule, tg_layout *layout)
{
    model_layout *windows = calloc(1, sizeof *windows);
    windows->ndim = layout->ndim;
    model_windows(line, windows);
    for (int d = 0; d < layout->ndim; d++) {
        const model_axis *axis = &windows->axis[d];
        layout->axis[d].window =
            (tg_window){axis->kernel, axis->stride,   axis->padding, axis->dilation,
                        axis->ceil,   axis->periodic, rule};
    }
    free(windows);
}

static tg_status make_problem(test_case *c)
{
    static const char *const from_keys[4] = {"from", "from-ranks", "from-order", "from-parts"};
    static const char *const to_keys[4] = {"to", "to-ranks", "to-order", "to-parts"};
    static const char *const one_keys[4] = {"grid", "ranks", "order", "parts"};
    const tg_primitive *primitive = c->problem.primitive;
    tg_layout from = {.ndim = 0}, to = {.ndim = 0};
    tg_status status =
        parse_layout(c->line, primitive->two_layouts ? from_keys : one_keys, c->size, &from);
    if (status.code == TG_OK && primitive->two_layouts)
        status = parse_layout(c->line, to_keys, c->size, &to);
    if (status.code == TG_OK && primitive->window)
        set_windows(c->line, primitive->window, &from);
    if (status.code == TG_OK) {
        status = tg_primitive_layouts(primitive, &from, primitive->two_layouts ? &to : NULL,
                                      &c->problem.x, &c->problem.y);
    }
    tg_layout_free(&from);
    tg_layout_free(&to);
    return status;
}

bool case_words(const char *line, int rank, int size, test_case *c, char text[256])
{
    char word[MODEL_WORD];
    memset(c, 0, sizeof *c);
    snprintf(c->line, sizeof c->line, "%s", line);
    c->rank = rank;
    c->size = size;
    model_operation(line, word);
    const tg_primitive *primitive = c->problem.primitive = tg_primitive_find(word);
    if (primitive == NULL) {
        snprintf(text, 256, "no primitive '%.64s'", word);
        return false;
    }
    model_word(line, "dtype", "f32", word);
    c->problem.dtype = tg_dtype_find(word);
    model_word(line, "algorithm", primitive->algorithms[0]->name, word);
    c->problem.algorithm = tg_algorithm_find(primitive, word);
    model_word(line, "accumulate", "no", word);
    c->problem.mode = strcmp(word, "yes") == 0 ? TG_ACCUMULATE : TG_REPLACE;
    model_word(line, "in-place", "no", word);
    c->problem.place = strcmp(word, "yes") == 0 ? TG_IN_PLACE : TG_OUT_OF_PLACE;
    c->problem.memory = buffers_from;
    model_word(line, "partitions", "0", word);
    c->problem.partitions = (int)strtol(word, NULL, 10);
    if (c->problem.dtype == NULL || c->problem.algorithm == NULL) {
        snprintf(text, 256, "no such dtype or algorithm");
        return false;
    }
    tg_status status = make_problem(c);
    const int ndim = c->problem.x.ndim;
    model_word(line, "store-x", "row", word);
    if (status.code == TG_OK)
        status = tg_store_parse("store-x", word, ndim, &c->problem.store_x);
    model_word(line, "store-y", "row", word);
    if (status.code == TG_OK)
        status = tg_store_parse("store-y", word, ndim, &c->problem.store_y);
    if (status.code != TG_OK)
        case_free(c);
    snprintf(text, 256, "%s", status.text);
    return status.code == TG_OK;
}

bool case_make(const char *line, int rank, int size, test_case *c, char text[256])
{
    if (!case_words(line, rank, size, c, text))
        return false;
    const tg_primitive *primitive = c->problem.primitive;
    if (!model_read(line, primitive->two_layouts, primitive->window, primitive->sums, &c->m)) {
        snprintf(text, 256, "the test cannot read the layouts");
        return false;
    }
    c->place_x = model_place(&c->m.x, rank);
    c->place_y = model_place(&c->m.y, rank);
    c->x = model_box(&c->m.x, c->place_x, true);
    c->y = model_box(&c->m.y, c->place_y, true);
    c->hull = model_hull(&c->x, &c->y);
    c->store_x = model_store_read(line, "store-x", c->m.x.ndim);
    c->store_y = model_store_read(line, "store-y", c->m.x.ndim);
    return true;
}

bool case_limit(int argc, char **argv, int *i)
{
    if (*i + 1 >= argc)
        return false;
    const long value = strtol(argv[*i + 1], NULL, 10);
    if (strcmp(argv[*i], "--largest-count") == 0)
        tg_largest_count = value;
    else if (strcmp(argv[*i], "--largest-int") == 0)
        tg_largest_int = value;
    else if (strcmp(argv[*i], "--node-size") == 0)
        tg_node_size = (int)value;
    else if (strcmp(argv[*i], "--largest-chunk") == 0)
        tg_largest_chunk = value;
    else if (strcmp(argv[*i], "--shortest-run") == 0)
        tg_shortest_run = value;
    else if (strcmp(argv[*i], "--shared-from") == 0)
        buffers_from = TG_SHARED_MEMORY, tg_least_shared = value;
    else
        return false;
    ++*i;
    return true;
}

void case_free(test_case *c)
{
    tg_layout_free(&c->problem.x);
    tg_layout_free(&c->problem.y);
}

static void apply_op(void *self, const void *x, void *y)
{
    tg_apply(self, x, y);
}

static void adjoint_op(void *self, void *y, void *x)
{
    tg_apply_adjoint(self, y, x);
}

test_operator case_operator(tg_op *op)
{
    return (test_operator){apply_op, adjoint_op, op};
}

static void apply_started(void *self, const void *x, void *y)
{
    tg_start(self, x, y);
    tg_finish(self);
}

static void adjoint_started(void *self, void *y, void *x)
{
    tg_start_adjoint(self, y, x);
    tg_finish(self);
}

test_operator case_started(tg_op *op)
{
    return (test_operator){apply_started, adjoint_started, op};
}

/* F = (F*)*: the adjoint of the flipped operator carries its output space, our x, to its input
 * space, our y. */
static void apply_flipped(void *self, const void *x, void *y)
{
    tg_apply_adjoint(self, (void *)(uintptr_t)x, y);
}

static void adjoint_flipped(void *self, void *y, void *x)
{
    tg_apply(self, y, x);
}

test_operator case_flipped(tg_op *flipped)
{
    return (test_operator){apply_flipped, adjoint_flipped, flipped};
}

/* ---- buffers ---- */

static void put(const tg_dtype *dtype, void *array, long n, double value)
{
    if (strcmp(dtype->name, "f32") == 0)
        ((float *)array)[n] = (float)value;
    else if (strcmp(dtype->name, "f64") == 0)
        ((double *)array)[n] = value;
    else if (strcmp(dtype->name, "i32") == 0)
        ((int32_t *)array)[n] = (int32_t)value;
    else if (strcmp(dtype->name, "i8") == 0)
        ((int8_t *)array)[n] = (int8_t)value;
    else
        dtype->put(array, n, value);
}

static double get(const tg_dtype *dtype, const void *array, long n)
{
    if (strcmp(dtype->name, "f32") == 0)
        return ((const float *)array)[n];
    if (strcmp(dtype->name, "f64") == 0)
        return ((const double *)array)[n];
    if (strcmp(dtype->name, "i8") == 0)
        return ((const int8_t *)array)[n];
    return strcmp(dtype->name, "i32") == 0 ? ((const int32_t *)array)[n] : dtype->get(array, n);
}

/* A buffer of this rank with guards around it. Bytes that are no entry's are guards too. */
typedef struct {
    unsigned char *memory;
    size_t bytes;
    void *data; /* NULL for a rank outside the layout */
    tg_box box; /* that it holds */
    model_store store;
    size_t entry_size;
} guarded;

static void *reserve(size_t bytes)
{
    void *memory = malloc(bytes > 0 ? bytes : 1);
    if (memory == NULL) {
        fprintf(stderr, "no memory for a test\n");
        abort();
    }
    return memory;
}

static long place_of(const guarded *g, const long entry[TG_MAX_NDIM])
{
    return model_stored(&g->store, &g->box, entry);
}

static guarded guarded_new(const tg_dtype *dtype, const tg_box *box, const model_store *store,
                           bool inside)
{
    guarded g = {.bytes = (size_t)model_room(store, box) * dtype->size,
                 .box = *box,
                 .store = *store,
                 .entry_size = dtype->size};
    g.memory = buffers_from == TG_SHARED_MEMORY
                   ? tg_memory_alloc((ptrdiff_t)g.bytes + 2 * GUARD_BYTES)
                   : reserve(g.bytes + 2 * GUARD_BYTES);
    if (g.memory == NULL)
        abort();
    memset(g.memory, GUARD, g.bytes + 2 * GUARD_BYTES);
    g.data = inside ? g.memory + GUARD_BYTES : NULL;
    for (long n = 0; n < model_count(box); n++) {
        long entry[TG_MAX_NDIM];
        model_entry(box, n, entry);
        put(dtype, g.memory + GUARD_BYTES, place_of(&g, entry), JUNK);
    }
    return g;
}

static bool all_guards(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != GUARD)
            return false;
    return true;
}

static bool guards_intact(const guarded *g)
{
    bool intact = all_guards(g->memory, GUARD_BYTES) &&
                  all_guards(g->memory + GUARD_BYTES + g->bytes, GUARD_BYTES);
    if (g->bytes == (size_t)model_count(&g->box) * g->entry_size)
        return intact;
    unsigned char *rest = reserve(g->bytes); /* the buffer without its entries */
    memcpy(rest, g->memory + GUARD_BYTES, g->bytes);
    for (long n = 0; n < model_count(&g->box); n++) {
        long entry[TG_MAX_NDIM];
        model_entry(&g->box, n, entry);
        memset(rest + (size_t)place_of(g, entry) * g->entry_size, GUARD, g->entry_size);
    }
    intact = intact && all_guards(rest, g->bytes);
    free(rest);
    return intact;
}

/* The buffers of one apply: two, or the hull twice. */
typedef struct {
    guarded x, y;
} buffers;

static buffers buffers_new(const test_case *c)
{
    const tg_dtype *dtype = c->problem.dtype;
    buffers b;
    if (c->problem.place == TG_IN_PLACE) {
        b.x = b.y = guarded_new(dtype, &c->hull, &c->store_x, c->place_x >= 0 || c->place_y >= 0);
    } else {
        b.x = guarded_new(dtype, &c->x, &c->store_x, c->place_x >= 0);
        b.y = guarded_new(dtype, &c->y, &c->store_y, c->place_y >= 0);
    }
    return b;
}

static void buffers_free(buffers *b)
{
    if (b->x.memory != b->y.memory)
        tg_memory_free(b->y.memory);
    tg_memory_free(b->x.memory);
}

static void write_vector(const tg_dtype *dtype, const tg_box *box, const double *vector,
                         guarded *buffer)
{
    for (long n = 0; n < model_count(box); n++) {
        long g[TG_MAX_NDIM];
        model_entry(box, n, g);
        put(dtype, buffer->data, place_of(buffer, g), vector[n]);
    }
}

static void read_vector(const tg_dtype *dtype, const tg_box *box, const guarded *buffer,
                        double *vector)
{
    for (long n = 0; n < model_count(box); n++) {
        long g[TG_MAX_NDIM];
        model_entry(box, n, g);
        vector[n] = get(dtype, buffer->data, place_of(buffer, g));
    }
}

static bool same_vector(const double *a, const double *b, long count)
{
    for (long n = 0; n < count; n++)
        if (a[n] != b[n])
            return false;
    return true;
}

/* ---- one apply ---- */

/* In place: what every entry of the buffer must hold that is not an entry of the output space. The
 * adjoint clears the rest of its input and F leaves it alone; for a transposed primitive the other
 * way round. */
static void check_rest(const test_case *c, bool forward, const double *in, const guarded *buffer,
                       test_verdict *verdict)
{
    const tg_box *from = forward ? &c->x : &c->y, *to = forward ? &c->y : &c->x;
    bool clears = forward == c->problem.primitive->transposed;
    for (long n = 0; n < model_count(&c->hull); n++) {
        long g[TG_MAX_NDIM];
        model_entry(&c->hull, n, g);
        if (model_offset(to, g) >= 0)
            continue;
        long at = model_offset(from, g);
        double expected = at < 0 ? JUNK : clears ? 0.0 : in[at];
        double found = get(c->problem.dtype, buffer->data, place_of(buffer, g));
        check_one(verdict, CHECK_KEPT, found == expected,
                  "rank %d, %s in place, entry %ld beyond the output is %g, expected %g", c->rank,
                  forward ? "forward" : "adjoint", n, found, expected);
    }
}

/* out = F in (or F* in), with the output buffer holding `before` beforehand; in place it holds only
 * `in`. */
static void run(const test_case *c, const test_operator *op, bool forward, const double *in,
                const double *before, double *out, test_verdict *verdict)
{
    const tg_dtype *dtype = c->problem.dtype;
    bool in_place = c->problem.place == TG_IN_PLACE;
    buffers b = buffers_new(c);
    const tg_box *in_box = forward ? &c->x : &c->y, *out_box = forward ? &c->y : &c->x;
    guarded *source = forward ? &b.x : &b.y, *target = forward ? &b.y : &b.x;
    if (before != NULL && !in_place)
        write_vector(dtype, out_box, before, target);
    write_vector(dtype, in_box, in, source);
    if (forward)
        op->apply(op->self, b.x.data, b.y.data);
    else
        op->adjoint(op->self, b.y.data, b.x.data);
    read_vector(dtype, out_box, target, out);
    if (in_place) {
        check_rest(c, forward, in, source, verdict);
    } else {
        double *after = reserve((size_t)model_count(in_box) * sizeof *after);
        read_vector(dtype, in_box, source, after);
        check_one(verdict, CHECK_KEPT, same_vector(after, in, model_count(in_box)),
                  "rank %d, %s changed its input", c->rank, forward ? "forward" : "adjoint");
        free(after);
    }
    check_one(verdict, CHECK_GUARDS, guards_intact(&b.x) && guards_intact(&b.y),
              "rank %d, %s wrote outside its buffers", c->rank, forward ? "forward" : "adjoint");
    buffers_free(&b);
}

/* ---- values and the inner product ---- */

typedef struct {
    uint64_t seed;
    int ndim;
    bool small;     /* the element type has little room for sums: only -1, 0 and 1 */
    uint64_t every; /* and 0 but for one entry in so many */
} formula;

/* No entry is summed from more entries than this: each worker's box has its images once or, where a
 * periodic axis goes around, several times. */
static double most_terms(const model_layout *layout)
{
    double terms = 0.0;
    for (int place = 0; place < layout->places; place++) {
        tg_box box = model_box(layout, place, true);
        double images = 1.0;
        for (int d = 0; d < layout->ndim && layout->axis[d].extent > 0; d++)
            images *= ceil((double)(box.hi[d] - box.lo[d]) / (double)layout->axis[d].extent);
        terms += images;
    }
    return terms;
}

static formula formula_of(const test_case *c, uint64_t seed)
{
    formula f = {seed, c->m.x.ndim, c->problem.dtype->exact < 10000, 1};
    if (f.small)
        f.every += (uint64_t)((1.0 + fmax(most_terms(&c->m.x), most_terms(&c->m.y))) /
                              (double)c->problem.dtype->exact);
    return f;
}

static double formula_value(const void *context, int place, const long g[TG_MAX_NDIM])
{
    const formula *f = context;
    double value = model_value(f->seed, place, g, f->ndim);
    if (!f->small)
        return value;
    uint64_t hash = f->seed + (uint64_t)place * 65537;
    for (int d = 0; d < f->ndim; d++)
        hash = ((hash ^ hash >> 32) + (uint64_t)(g[d] + 1000)) * UINT64_C(0x9e3779b97f4a7c15);
    if ((hash >> 32) % f->every != 0)
        return 0;
    return value < 0 ? -1 : value == 2 || value == 7 ? 0 : 1; /* as many -1 as 1 */
}

static double *fill(const formula *f, int place, const tg_box *box)
{
    double *vector = reserve((size_t)model_count(box) * sizeof *vector);
    for (long n = 0; n < model_count(box); n++) {
        long g[TG_MAX_NDIM];
        model_entry(box, n, g);
        vector[n] = formula_value(f, place, g);
    }
    return vector;
}

/* The vector that the formula gives for this rank's part of the output, without what it held
 * before. */
static double *expect(const test_case *c, bool forward, const formula *f)
{
    const tg_box *box = forward ? &c->y : &c->x;
    double *vector = reserve((size_t)model_count(box) * sizeof *vector);
    if (!forward) {
        model_adjoint(&c->m, c->place_x, formula_value, f, vector);
        return vector;
    }
    for (long n = 0; n < model_count(box); n++) {
        long g[TG_MAX_NDIM];
        model_entry(box, n, g);
        vector[n] = model_forward(&c->m, c->place_y, g, formula_value, f);
    }
    return vector;
}

/* One apply compared with the formula; returns <output - before, probe>, this rank's part. */
static double check_direction(const test_case *c, const test_operator *op, bool forward,
                              uint64_t seed, const double *probe, test_verdict *verdict)
{
    bool accumulate = c->problem.mode == TG_ACCUMULATE;
    formula input = formula_of(c, seed), old = formula_of(c, seed + 77);
    const tg_box *box = forward ? &c->y : &c->x;
    double *in = fill(&input, forward ? c->place_x : c->place_y, forward ? &c->x : &c->y);
    double *before = fill(&old, forward ? c->place_y : c->place_x, box);
    double *expected = expect(c, forward, &input);
    double *out = reserve((size_t)model_count(box) * sizeof *out);
    double dot = 0.0;
    run(c, op, forward, in, accumulate ? before : NULL, out, verdict);
    for (long n = 0; n < model_count(box); n++) {
        double value = out[n] - (accumulate ? before[n] : 0.0);
        check_one(verdict, CHECK_VALUES, value == expected[n],
                  "rank %d, %s, entry %ld of its box is %g, expected %g", c->rank,
                  forward ? "forward" : "adjoint", n, value, expected[n]);
        dot += value * probe[n];
    }
    free(in);
    free(before);
    free(expected);
    free(out);
    return dot;
}

static void check_values(const test_case *c, const test_operator *op, MPI_Comm comm, uint64_t seed,
                         test_verdict *verdict)
{
    formula fx = formula_of(c, seed), fy = formula_of(c, seed + 1);
    double *x = fill(&fx, c->place_x, &c->x), *y = fill(&fy, c->place_y, &c->y);
    double mine[2], dots[2];
    mine[0] = check_direction(c, op, true, seed, y, verdict);
    mine[1] = check_direction(c, op, false, seed + 1, x, verdict);
    MPI_Allreduce(mine, dots, 2, MPI_DOUBLE, MPI_SUM, comm);
    check_one(verdict, CHECK_DOT, dots[0] == dots[1], "<F x, y> is %g, <x, F* y> is %g", dots[0],
              dots[1]);
    free(x);
    free(y);
}

/* ---- matrices ---- */

/* The entries of a space over all ranks, counted rank by rank. */
typedef struct {
    int *counts, *starts; /* by rank */
    int total;
} numbering;

static numbering number(const tg_box *box, int size, MPI_Comm comm)
{
    numbering all = {reserve((size_t)size * sizeof(int)), reserve((size_t)size * sizeof(int)), 0};
    int mine = (int)model_count(box);
    MPI_Allgather(&mine, 1, MPI_INT, all.counts, 1, MPI_INT, comm);
    for (int r = 0; r < size; r++) {
        all.starts[r] = all.total;
        all.total += all.counts[r];
    }
    return all;
}

static void number_free(numbering *all)
{
    free(all->counts);
    free(all->starts);
}

/* The matrix of one direction on rank 0 (rows: output entries), from one apply a column. */
static double *matrix_of(const test_case *c, const test_operator *op, bool forward,
                         const numbering *in, const numbering *out, MPI_Comm comm,
                         test_verdict *verdict)
{
    size_t rows = (size_t)out->counts[c->rank], columns = (size_t)in->total;
    double *mine = reserve(rows * columns * sizeof *mine);
    double *unit = reserve((size_t)in->counts[c->rank] * sizeof *unit);
    double *result = reserve(rows * sizeof *result), *zero = reserve(rows * sizeof *zero);
    memset(zero, 0, rows * sizeof *zero);
    for (int column = 0; column < in->total; column++) {
        for (int n = 0; n < in->counts[c->rank]; n++)
            unit[n] = in->starts[c->rank] + n == column ? 1.0 : 0.0;
        run(c, op, forward, unit, c->problem.mode == TG_ACCUMULATE ? zero : NULL, result, verdict);
        for (size_t n = 0; n < rows; n++)
            mine[n * columns + (size_t)column] = result[n];
    }
    double *whole = NULL;
    MPI_Datatype row;
    MPI_Type_contiguous(in->total, MPI_DOUBLE, &row);
    MPI_Type_commit(&row);
    if (c->rank == 0)
        whole = reserve((size_t)out->total * columns * sizeof *whole);
    MPI_Gatherv(mine, (int)rows, row, whole, out->counts, out->starts, row, 0, comm);
    MPI_Type_free(&row);
    free(mine);
    free(unit);
    free(result);
    free(zero);
    return whole;
}

/* The place and the global index of entry n of a numbering. */
static int locate(const model_layout *layout, const numbering *all, int n, long g[TG_MAX_NDIM])
{
    int rank = 0;
    while (n >= all->starts[rank] + all->counts[rank])
        rank++;
    int place = model_place(layout, rank);
    tg_box box = model_box(layout, place, true);
    model_entry(&box, n - all->starts[rank], g);
    return place;
}

static void check_matrix(const test_case *c, const test_operator *op, MPI_Comm comm, long columns,
                         test_verdict *verdict)
{
    numbering x = number(&c->x, c->size, comm), y = number(&c->y, c->size, comm);
    if (x.total > 0 && y.total > 0 && x.total + y.total <= columns) {
        double *f = matrix_of(c, op, true, &x, &y, comm, verdict);
        double *t = matrix_of(c, op, false, &y, &x, comm, verdict);
        for (int i = 0; c->rank == 0 && i < y.total; i++) {
            for (int j = 0; j < x.total; j++) {
                long g[TG_MAX_NDIM], h[TG_MAX_NDIM];
                int place_y = locate(&c->m.y, &y, i, g), place_x = locate(&c->m.x, &x, j, h);
                double expected = model_coefficient(&c->m, place_y, g, place_x, h) ? 1.0 : 0.0;
                double forward = f[(size_t)i * (size_t)x.total + (size_t)j];
                double adjoint = t[(size_t)j * (size_t)y.total + (size_t)i];
                check_one(verdict, CHECK_MATRIX, forward == expected && adjoint == expected,
                          "F[%d,%d] is %g, F*[%d,%d] is %g, expected %g", i, j, forward, j, i,
                          adjoint, expected);
            }
        }
        free(f);
        free(t);
    }
    number_free(&x);
    number_free(&y);
}

/* ---- the library's own oracle ---- */

static void check_oracle_direction(const test_case *c, const test_operator *op, bool forward,
                                   uint64_t seed, test_verdict *verdict)
{
    const tg_problem *problem = &c->problem;
    buffers b = buffers_new(c);
    tg_space in = forward ? TG_X : TG_Y, out = forward ? TG_Y : TG_X;
    guarded *source = forward ? &b.x : &b.y, *target = forward ? &b.y : &b.x;
    const tg_box *box = forward ? &c->y : &c->x;
    const char *name = forward ? "forward" : "adjoint";
    if (problem->mode == TG_ACCUMULATE && problem->place == TG_OUT_OF_PLACE)
        tg_fill(problem, out, c->rank, seed + 1, target->data);
    tg_fill(problem, in, c->rank, seed, source->data);
    if (forward)
        op->apply(op->self, b.x.data, b.y.data);
    else
        op->adjoint(op->self, b.y.data, b.x.data);
    ptrdiff_t wrong = tg_count_wrong(problem, out, c->rank, seed, target->data);
    check_one(verdict, CHECK_ORACLE, wrong == 0, "rank %d, %s: tg_count_wrong says %td", c->rank,
              name, wrong);
    if (model_count(box) > 0 && wrong == 0) {
        long g[TG_MAX_NDIM];
        model_entry(box, (long)(seed % (uint64_t)model_count(box)), g);
        long at = place_of(target, g);
        put(problem->dtype, target->data, at, get(problem->dtype, target->data, at) + 1.0);
        wrong = tg_count_wrong(problem, out, c->rank, seed, target->data);
        check_one(verdict, CHECK_ORACLE, wrong == 1,
                  "rank %d, %s: tg_count_wrong says %td of one changed entry", c->rank, name,
                  wrong);
    }
    check_one(verdict, CHECK_GUARDS, guards_intact(&b.x) && guards_intact(&b.y),
              "rank %d, %s: bytes outside the buffers were written", c->rank, name);
    buffers_free(&b);
}

/* tg_dot counts the entries of its space only, also where the buffer is the hull of both. */
static void check_tg_dot(const test_case *c, bool of_x, uint64_t seed, test_verdict *verdict)
{
    buffers b = buffers_new(c);
    const tg_box *box = of_x ? &c->x : &c->y;
    guarded *buffer = of_x ? &b.x : &b.y;
    formula f = formula_of(c, seed);
    double *vector = fill(&f, of_x ? c->place_x : c->place_y, box), expected = 0.0;
    write_vector(c->problem.dtype, box, vector, buffer);
    for (long n = 0; n < model_count(box); n++)
        expected += vector[n] * vector[n];
    if (strcmp(c->problem.dtype->name, "c64") == 0)
        expected *= 5.0; /* (v + 2 v i)(v - 2 v i) is 5 v v */
    double dot = tg_dot(&c->problem, of_x ? TG_X : TG_Y, c->rank, buffer->data, buffer->data);
    check_one(verdict, CHECK_ORACLE, dot == expected, "rank %d: tg_dot of %c is %g, expected %g",
              c->rank, of_x ? 'x' : 'y', dot, expected);
    free(vector);
    buffers_free(&b);
}

/* ---- all of it ---- */

void check_operator(const test_case *c, const test_operator *op, MPI_Comm comm, long columns,
                    test_verdict *verdict)
{
    for (uint64_t seed = 5; seed < 200;
         seed += 100) /* twice: a plan is made once and applied many times */
        check_values(c, op, comm, seed, verdict);
    check_matrix(c, op, comm, columns, verdict);
    for (int forward = 0; forward < 2; forward++) {
        check_oracle_direction(c, op, forward != 0, 31 + (uint64_t)forward, verdict);
        check_tg_dot(c, forward != 0, 9, verdict);
    }
}

static bool same_box(const tg_box *a, const tg_box *b)
{
    if (model_count(a) == 0 || model_count(b) == 0)
        return model_count(a) == model_count(b);
    for (int d = 0; d < a->ndim; d++)
        if (a->lo[d] != b->lo[d] || a->hi[d] != b->hi[d])
            return false;
    return a->ndim == b->ndim;
}

void check_boxes(const test_case *c, const tg_op *op, test_verdict *verdict)
{
    bool in_place = c->problem.place == TG_IN_PLACE;
    const tg_box *x = in_place ? &c->hull : &c->x, *y = in_place ? &c->hull : &c->y;
    tg_box of_x = tg_op_x(op), of_y = tg_op_y(op);
    ptrdiff_t size = (ptrdiff_t)c->problem.dtype->size;
    check_one(verdict, CHECK_VALUES,
              same_box(x, &of_x) && tg_op_x_bytes(op) == model_room(&c->store_x, x) * size,
              "rank %d: tg_op_x is not the box of the formula", c->rank);
    check_one(verdict, CHECK_VALUES,
              same_box(y, &of_y) && tg_op_y_bytes(op) == model_room(&c->store_y, y) * size,
              "rank %d: tg_op_y is not the box of the formula", c->rank);
    tg_box held_x = tg_layout_held(&c->problem.x, c->rank),
           held_y = tg_layout_held(&c->problem.y, c->rank);
    check_one(verdict, CHECK_VALUES, same_box(&c->x, &held_x) && same_box(&c->y, &held_y),
              "rank %d: the held boxes of x and y are not those of the formula", c->rank);
}
