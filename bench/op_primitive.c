/* op_primitive.c: every primitive of tg_primitives[] as an operation: y = F x forward, x = F* y
 * adjoint. The words of its layouts are read here; what they must be, the primitive's own row says.
 * */
#include "bench/operation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
#define HOW                                                                                        \
    {"in-place", "no", false}, {"accumulate", "no", false}, {"store-x", "row", false},             \
    {"store-y", "row", false}
#define PARTITIONS {"partitions", "4", false}
/* clang-format on */
_Static_assert(TG_PARTITIONS == 4, "the default of key partitions");

static const tgb_key one_keys[] = {TGB_ONE_LAYOUT, TGB_TYPE, HOW, TGB_END};
static const tgb_key memory_keys[] = {
    TGB_ONE_LAYOUT, {"dtype", "f32", false}, {"algorithm", "reference", false}, HOW, TGB_END};
static const tgb_key two_keys[] = {TGB_TWO_LAYOUTS, TGB_TYPE, HOW, TGB_END};
static const tgb_key two_partitioned_keys[] = {TGB_TWO_LAYOUTS, TGB_TYPE, PARTITIONS, HOW, TGB_END};
static const tgb_key one_window_keys[] = {TGB_ONE_LAYOUT, TGB_WINDOW, TGB_TYPE, HOW, TGB_END};
static const tgb_key partitioned_window_keys[] = {TGB_ONE_LAYOUT, TGB_WINDOW, TGB_TYPE,
                                                  PARTITIONS,     HOW,        TGB_END};
static const tgb_key two_window_keys[] = {TGB_TWO_LAYOUTS, TGB_WINDOW, TGB_TYPE, HOW, TGB_END};

/* ---- words of layouts ---- */

/* As many parts of one as the shape has axes: a root, or a whole tensor on one rank. */
static void write_ones(const char *shape, char *text, size_t size)
{
    size_t length = 1;
    snprintf(text, size, "1");
    for (const char *c = shape; *c; c++)
        if (*c == 'x' && length + 3 <= size)
            length += (size_t)snprintf(text + length, size - length, "x1");
}

/* The grid that stands for `auto` or for no word: the row's own, for this shape and P. */
static tg_status write_auto(const tg_primitive *row, const char *shape, int P, ptrdiff_t N, bool to,
                            char *text, size_t size)
{
    ptrdiff_t extent[TG_MAX_NDIM];
    tg_layout layout;
    write_ones(shape, text, size);
    tg_status status =
        tg_layout_parse(&(tg_layout_words){.shape = shape, .grid = text}, P, N, &layout);
    if (status.code != TG_OK)
        return status;
    for (int a = 0; a < layout.ndim; a++)
        extent[a] = layout.axis[a].extent;
    row->auto_grid(extent, layout.ndim, P, to, text, size);
    tg_layout_free(&layout);
    return status;
}

enum { GRID_TEXT = 16 * TG_MAX_NDIM };

static tg_status parse_layout(const tg_primitive *row, const tgb_case *words, const char *side,
                              int P, ptrdiff_t N, tg_layout *layout)
{
    static const char *const keys[3][4] = {{"grid", "ranks", "order", "parts"},
                                           {"from", "from-ranks", "from-order", "from-parts"},
                                           {"to", "to-ranks", "to-order", "to-parts"}};
    bool to = side && strcmp(side, "to") == 0;
    const char *const *key = keys[!side ? 0 : to ? 2 : 1];
    char grid[GRID_TEXT];
    tg_layout_words w = {.shape = tgb_case_get(words, "shape"),
                         .grid = tgb_case_get(words, key[0]),
                         .ranks = tgb_case_get(words, key[1]),
                         .order = tgb_case_get(words, key[2]),
                         .parts = tgb_case_get(words, key[3]),
                         .side = side};
    if (!w.grid || strcmp(w.grid, "auto") == 0) {
        tg_status status = write_auto(row, w.shape, P, N, to, grid, sizeof grid);
        if (status.code != TG_OK)
            return status;
        w.grid = grid;
    }
    return tg_layout_parse(&w, P, N, layout);
}

/* ---- words of windows ---- */

/* A tuple: fewer numbers than axes are the last axes'; the others get `initial`. */
static tg_status parse_tuple(const char *key, const char *text, long lo, long initial, int ndim,
                             long *values)
{
    char copy[256], *rest = NULL;
    long number[TG_MAX_NDIM];
    int count = 0;
    for (int a = 0; a < ndim; a++)
        values[a] = initial;
    if (!text)
        return tg_success();
    size_t length = strlen(text);
    tg_status bad =
        tg_fail(TG_BAD_INPUT, "%s=%.80s: expected at most %d numbers joined by x, as in 5x5", key,
                text, ndim);
    if (length >= sizeof copy || text[0] == 'x' || text[length - 1] == 'x' || strstr(text, "xx"))
        return bad;
    memcpy(copy, text, length + 1);
    for (char *piece = strtok_r(copy, "x", &rest); piece; piece = strtok_r(NULL, "x", &rest)) {
        if (count == ndim)
            return bad;
        if (tgb_parse_int(key, piece, lo, INT32_MAX, &number[count++]).code != TG_OK)
            return tg_fail(TG_BAD_INPUT, "%s=%.80s: expected whole numbers from %ld to %d", key,
                           text, lo, INT32_MAX);
    }
    for (int i = 0; i < count; i++)
        values[ndim - count + i] = number[i];
    return tg_success();
}

/* yes, no, or a tuple of 0 and 1. */
static tg_status parse_switches(const char *key, const char *text, int ndim, long *values)
{
    bool yes = text && strcmp(text, "yes") == 0;
    if (!text || yes || strcmp(text, "no") == 0)
        return parse_tuple(key, NULL, 0, yes, ndim, values);
    tg_status status = parse_tuple(key, text, 0, 0, ndim, values);
    for (int a = 0; a < ndim; a++)
        if (status.code == TG_OK && values[a] > 1)
            status = tg_fail(TG_BAD_INPUT, "%s=%.80s: expected yes, no, or 0 and 1 joined by x",
                             key, text);
    if (status.code != TG_OK)
        return tg_fail(TG_BAD_INPUT, "%s=%.80s: expected yes, no, or 0 and 1 joined by x", key,
                       text);
    return status;
}

typedef struct {
    long kernel[TG_MAX_NDIM], stride[TG_MAX_NDIM], padding[TG_MAX_NDIM], dilation[TG_MAX_NDIM];
    long periodic[TG_MAX_NDIM], ceil[TG_MAX_NDIM];
} windows;

static tg_status parse_windows(const tgb_case *words, int ndim, windows *w)
{
    tg_status status = parse_tuple("kernel", tgb_case_get(words, "kernel"), 1, 1, ndim, w->kernel);
    if (status.code == TG_OK)
        status = parse_tuple("stride", tgb_case_get(words, "stride"), 1, 1, ndim, w->stride);
    if (status.code == TG_OK)
        status = parse_tuple("padding", tgb_case_get(words, "padding"), 0, 0, ndim, w->padding);
    if (status.code == TG_OK)
        status = parse_tuple("dilation", tgb_case_get(words, "dilation"), 1, 1, ndim, w->dilation);
    if (status.code == TG_OK)
        status = parse_switches("periodic", tgb_case_get(words, "periodic"), ndim, w->periodic);
    if (status.code == TG_OK)
        status = parse_switches("ceil", tgb_case_get(words, "ceil"), ndim, w->ceil);
    return status;
}

static void put_windows(const windows *w, const tg_window_rule *rule, tg_layout *layout)
{
    for (int a = 0; a < layout->ndim; a++)
        layout->axis[a].window = (tg_window){.kernel = w->kernel[a],
                                             .stride = w->stride[a],
                                             .padding = w->padding[a],
                                             .dilation = w->dilation[a],
                                             .ceil = w->ceil[a],
                                             .periodic = w->periodic[a],
                                             .rule = rule};
}

/* ---- canonical words ---- */

typedef int print_function(const tg_layout *layout, char *text, size_t size);

static const struct {
    const char *key;
    bool to; /* of the second layout */
    print_function *print;
} layout_words[] = {
    {"shape", false, tg_layout_print_shape},      {"grid", false, tg_layout_print_grid},
    {"ranks", false, tg_layout_print_ranks},      {"order", false, tg_layout_print_order},
    {"parts", false, tg_layout_print_parts},      {"from", false, tg_layout_print_grid},
    {"from-ranks", false, tg_layout_print_ranks}, {"from-order", false, tg_layout_print_order},
    {"from-parts", false, tg_layout_print_parts}, {"to", true, tg_layout_print_grid},
    {"to-ranks", true, tg_layout_print_ranks},    {"to-order", true, tg_layout_print_order},
    {"to-parts", true, tg_layout_print_parts},
};

static char *print_word(print_function *print, const tg_layout *layout)
{
    char none[1];
    int length = print(layout, none, 0);
    char *text = malloc((size_t)length + 1);
    if (text)
        print(layout, text, (size_t)length + 1);
    return text;
}

static char *print_layout_word(const char *key, const tg_layout *from, const tg_layout *to)
{
    for (size_t i = 0; i < sizeof layout_words / sizeof *layout_words; i++)
        if (strcmp(layout_words[i].key, key) == 0)
            return print_word(layout_words[i].print, layout_words[i].to ? to : from);
    return NULL;
}

static char *print_tuple(const long *values, int ndim, bool switches)
{
    char text[24 * TG_MAX_NDIM];
    int length = 0;
    bool same = true;
    for (int a = 0; a < ndim; a++) {
        same = same && values[a] == values[0];
        length += snprintf(text + length, sizeof text - (size_t)length, "%s%ld", a > 0 ? "x" : "",
                           values[a]);
    }
    return strdup(switches && same ? (values[0] ? "yes" : "no") : text);
}

static char *print_window_word(const char *key, const windows *w, int ndim)
{
    const struct {
        const char *key;
        const long *values;
        bool switches;
    } tuple[] = {{"kernel", w->kernel, false},    {"stride", w->stride, false},
                 {"padding", w->padding, false},  {"dilation", w->dilation, false},
                 {"periodic", w->periodic, true}, {"ceil", w->ceil, true}};
    for (size_t i = 0; i < sizeof tuple / sizeof *tuple; i++)
        if (strcmp(tuple[i].key, key) == 0)
            return print_tuple(tuple[i].values, ndim, tuple[i].switches);
    return NULL;
}

static char *print_store_word(const char *key, const tg_problem *p)
{
    char text[64 * TG_MAX_NDIM];
    const bool of_x = strcmp(key, "store-x") == 0;
    if (!of_x && strcmp(key, "store-y") != 0)
        return NULL;
    tg_store_print(of_x ? &p->store_x : &p->store_y, p->x.ndim, text, sizeof text);
    return strdup(text);
}

/* The algorithm that has the key `partitions`: in the canonical text of others it is left out. */
static const char partitioned[] = "partitioned";

static bool has_key(const tgb_setup *setup, const char *key)
{
    return strcmp(key, "partitions") != 0 || strcmp(setup->algorithm, partitioned) == 0;
}

/* Every key of the row, in its order: as it is printed, else as given, else its default. */
static tg_status write_words(const tgb_case *given, const tg_layout *from, const tg_layout *to,
                             const windows *w, tgb_setup *setup)
{
    tg_status status = tg_success();
    for (const tgb_key *key = setup->operation->keys; key->name && status.code == TG_OK; key++) {
        char *text = print_layout_word(key->name, from, to);
        if (!text)
            text = print_window_word(key->name, w, from->ndim);
        if (!text)
            text = print_store_word(key->name, &setup->problem);
        const char *value = text ? text : tgb_case_get(given, key->name);
        if (has_key(setup, key->name))
            status = tgb_case_set(&setup->words, key->name, value ? value : key->initial);
        free(text);
    }
    return status;
}

/* ---- facts ---- */

static tg_status parse_yes(const tgb_case *words, const char *key, bool *yes)
{
    const char *text = tgb_case_get(words, key);
    *yes = text && strcmp(text, "yes") == 0;
    if (!text || *yes || strcmp(text, "no") == 0)
        return tg_success();
    return tg_fail(TG_BAD_INPUT, "%s=%.40s: expected yes or no", key, text);
}

static tg_status parse_store(const tgb_case *words, const char *key, int ndim, tg_store *store)
{
    const char *text = tgb_case_get(words, key);
    return tg_store_parse(key, text ? text : "row", ndim, store);
}

static tg_status parse_partitions(const tgb_case *words, const tgb_setup *setup, int *partitions)
{
    const char *text = tgb_case_get(words, "partitions");
    long number = TG_PARTITIONS;
    if (text && tgb_parse_int("partitions", text, 1, TG_MOST_PARTITIONS, &number).code != TG_OK)
        return tg_fail(TG_BAD_INPUT, "partitions=%.40s: expected a whole number from 1 to %d", text,
                       TG_MOST_PARTITIONS);
    *partitions = has_key(setup, "partitions") ? (int)number : 0;
    return tg_success();
}

static tg_status parse_how(const tgb_case *words, int ndim, tg_problem *problem)
{
    bool in_place, accumulate = false;
    tg_status status = parse_yes(words, "in-place", &in_place);
    if (status.code == TG_OK)
        status = parse_yes(words, "accumulate", &accumulate);
    if (status.code == TG_OK)
        status = parse_store(words, "store-x", ndim, &problem->store_x);
    if (status.code == TG_OK)
        status = parse_store(words, "store-y", ndim, &problem->store_y);
    if (status.code == TG_OK && in_place && !tg_store_equal(&problem->store_x, &problem->store_y))
        status = tg_fail(TG_BAD_INPUT,
                         "in-place=yes: store-x and store-y differ; expected the same, one buffer "
                         "has one store");
    if (status.code == TG_OK && in_place && accumulate)
        status =
            tg_fail(TG_BAD_INPUT, "in-place=yes accumulate=yes: expected one of them to be no");
    problem->memory = TG_SHARED_MEMORY; /* as tgb_plan makes them */
    problem->place = in_place ? TG_IN_PLACE : TG_OUT_OF_PLACE;
    problem->mode = accumulate ? TG_ACCUMULATE : TG_REPLACE;
    return status;
}

static tg_status write_facts(tgb_setup *setup)
{
    const tg_problem *p = &setup->problem;
    const ptrdiff_t size = (ptrdiff_t)p->dtype->size;
    tg_traffic traffic;
    tg_status status = p->primitive->traffic(&p->x, &p->y, &traffic);
    if (status.code != TG_OK)
        return status;
    setup->size_bytes = tg_layout_count(&p->x) * size;
    setup->held_x_bytes = tg_layout_max_held(&p->x) * size;
    setup->held_y_bytes = tg_layout_max_held(&p->y) * size;
    setup->moved_bytes = traffic.moved * size;
    setup->max_rank_bytes = traffic.max_rank * size;
    setup->weak_part = (double)tgb_held_bytes(setup);
    setup->local = setup->ranks == 1 || (traffic.moved == 0 && setup->size_bytes > 0);
    setup->one_buffer = p->place == TG_IN_PLACE;
    /* In place, copies leave every entry of x as it is: what arrives at it is the same entry. */
    const tg_primitive *primitive = p->primitive;
    const bool copies = !primitive->sums && !primitive->regions && !primitive->transposed;
    setup->restores[1] = p->place == TG_IN_PLACE || p->mode == TG_ACCUMULATE;
    setup->restores[0] = setup->restores[1] && !(p->place == TG_IN_PLACE && copies);
    return status;
}

static int blocks(const tg_axis *axis)
{
    return axis->copied ? 1 : axis->parts;
}

bool tgb_same_blocks(const tg_layout *x, const tg_layout *y)
{
    for (int a = 0; a < x->ndim; a++) {
        const tg_axis *ax = &x->axis[a], *ay = &y->axis[a];
        if (blocks(ax) != blocks(ay))
            return false;
        for (int i = 0; i < blocks(ax); i++) {
            ptrdiff_t lo[2], hi[2];
            tg_axis_owned(ax, i, &lo[0], &hi[0]);
            tg_axis_owned(ay, i, &lo[1], &hi[1]);
            if (lo[0] != lo[1] || hi[0] != hi[1])
                return false;
        }
    }
    return true;
}

tg_status tgb_primitive_resolve(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    const tg_primitive *row = setup->operation->primitive;
    tg_problem *problem = &setup->problem;
    tg_layout from = {.ndim = 0}, to = {.ndim = 0};
    windows w;
    problem->primitive = row;
    problem->algorithm = tg_algorithm_find(row, setup->algorithm);
    tg_status status = parse_layout(row, words, row->two_layouts ? "from" : NULL, P, N, &from);
    if (status.code == TG_OK && row->two_layouts)
        status = parse_layout(row, words, "to", P, N, &to);
    if (status.code == TG_OK)
        status = parse_windows(words, from.ndim, &w);
    if (status.code == TG_OK && row->window)
        put_windows(&w, row->window, &from);
    if (status.code == TG_OK)
        status = tg_layout_check(&from, P);
    if (status.code == TG_OK)
        status = parse_how(words, from.ndim, problem);
    if (status.code == TG_OK)
        status = parse_partitions(words, setup, &problem->partitions);
    if (status.code == TG_OK)
        status = tg_primitive_layouts(row, &from, row->two_layouts ? &to : NULL, &problem->x,
                                      &problem->y);
    if (status.code == TG_OK)
        status = write_facts(setup);
    if (status.code == TG_OK)
        status = write_words(words, &from, row->two_layouts ? &to : &from, &w, setup);
    tg_layout_free(&from);
    tg_layout_free(&to);
    return status;
}

/* ---- work ---- */

static tg_status plan(tgb_work *work)
{
    tg_status status = tg_plan(work->comm, &work->setup->problem, &work->op);
    if (status.code != TG_OK)
        return status;
    work->x_bytes = tg_op_x_bytes(work->op);
    work->y_bytes = tg_op_y_bytes(work->op);
    work->one_buffer = work->setup->problem.place == TG_IN_PLACE;
    return status;
}

static void free_work(tgb_work *work)
{
    tg_free(&work->op);
}

static void run_forward(tgb_work *work)
{
    tg_apply(work->op, work->x, work->y);
}

static void run_adjoint(tgb_work *work)
{
    tg_apply_adjoint(work->op, work->y, work->x);
}

static void start_forward(tgb_work *work)
{
    tg_start(work->op, work->x, work->y);
}

static void start_adjoint(tgb_work *work)
{
    tg_start_adjoint(work->op, work->y, work->x);
}

static void finish(tgb_work *work)
{
    tg_finish(work->op);
}

static void fill(tgb_work *work, tg_space in, tg_space out)
{
    const tg_problem *p = &work->setup->problem;
    void *buffer[2] = {work->x, work->y};
    ptrdiff_t bytes = out == TG_Y ? work->y_bytes : work->x_bytes;
    tg_fill(p, in, work->rank, work->seed, buffer[in == TG_Y]);
    if (work->one_buffer)
        return;
    if (p->mode == TG_ACCUMULATE)
        tg_fill(p, out, work->rank, work->seed + 1, buffer[out == TG_Y]);
    else
        memset(buffer[out == TG_Y], TGB_NOTHING_RIGHT, (size_t)bytes);
}

void tgb_primitive_fill_forward(tgb_work *work)
{
    fill(work, TG_X, TG_Y);
}

static void fill_adjoint(tgb_work *work)
{
    fill(work, TG_Y, TG_X);
}

ptrdiff_t tgb_primitive_wrong_forward(tgb_work *work)
{
    return tg_count_wrong(&work->setup->problem, TG_Y, work->rank, work->seed, work->y);
}

static ptrdiff_t wrong_adjoint(tgb_work *work)
{
    return tg_count_wrong(&work->setup->problem, TG_X, work->rank, work->seed, work->x);
}

static void clear_output(tgb_work *work, void *output, ptrdiff_t bytes)
{
    if (!work->one_buffer)
        memset(output, 0, (size_t)bytes); /* also right for y += F x */
}

/* Dot products of x, F x, y and F* y on this rank; copies hold x and F x while the buffers go on.
 * */
static tgb_products products(tgb_work *work, void *x, void *out)
{
    const tg_problem *p = &work->setup->problem;
    const int rank = work->rank;
    tgb_products sum;
    tg_fill(p, TG_X, rank, work->seed, work->x);
    memcpy(x, work->x, (size_t)work->x_bytes);
    clear_output(work, work->y, work->y_bytes);
    tg_apply(work->op, work->x, work->y);
    memcpy(out, work->y, (size_t)work->y_bytes);
    tg_fill(p, TG_Y, rank, work->seed + 2, work->y);
    sum.left = tg_dot(p, TG_Y, rank, out, work->y);
    sum.out2 = tg_dot(p, TG_Y, rank, out, out);
    sum.y2 = tg_dot(p, TG_Y, rank, work->y, work->y);
    clear_output(work, work->x, work->x_bytes);
    tg_apply_adjoint(work->op, work->y, work->x);
    sum.right = tg_dot(p, TG_X, rank, x, work->x);
    sum.x2 = tg_dot(p, TG_X, rank, x, x);
    sum.back2 = tg_dot(p, TG_X, rank, work->x, work->x);
    return sum;
}

static double adjoint_gap(tgb_work *work)
{
    void *x = malloc((size_t)work->x_bytes + 1), *out = malloc((size_t)work->y_bytes + 1);
    tg_status status = x && out ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory to compare");
    double gap = NAN;
    if (tg_agree(work->comm, status).code == TG_OK) {
        tgb_products mine = products(work, x, out);
        gap = tgb_gap(work->comm, &mine);
    }
    free(x);
    free(out);
    return gap;
}

static ptrdiff_t messages(const tgb_work *work)
{
    return tg_op_messages(work->op, strcmp(work->direction->name, "adjoint") == 0);
}

/* ---- rows ---- */

static const tgb_direction directions[] = {
    {"forward", run_forward, tgb_primitive_fill_forward, tgb_primitive_wrong_forward, 1,
     start_forward, finish},
    {"adjoint", run_adjoint, fill_adjoint, wrong_adjoint, 1, start_adjoint, finish},
};

static tg_status weigh(const tgb_setup *setup, const tgb_direction *direction, tg_weight *weight)
{
    return tg_weigh(&setup->problem, direction != &directions[0], weight);
}

static const tgb_key *keys_of(const tg_primitive *primitive)
{
    if (primitive->regions)
        return memory_keys;
    if (tg_algorithm_find(primitive, partitioned))
        return primitive->window ? partitioned_window_keys : two_partitioned_keys;
    if (primitive->two_layouts)
        return primitive->window ? two_window_keys : two_keys;
    return primitive->window ? one_window_keys : one_keys;
}

static void make_row(const tg_primitive *primitive, tgb_operation *row)
{
    *row = (tgb_operation){.name = primitive->name,
                           .kind = "primitive",
                           .summary = primitive->summary,
                           .formula = primitive->formula,
                           .adjoint = primitive->adjoint,
                           .source = primitive->source,
                           .directions = directions,
                           .ndirections = 2,
                           .primitive = primitive,
                           .resolve = tgb_primitive_resolve,
                           .plan = plan,
                           .adjoint_gap = adjoint_gap,
                           .messages = messages,
                           .load = tgb_load_of_layouts,
                           .weigh = weigh,
                           .release = free_work};
    row->keys = keys_of(primitive);
    for (int i = 0; i < TGB_MAX_ALGORITHMS && primitive->algorithms[i]; i++)
        row->algorithms[i] = primitive->algorithms[i]->name;
    for (int i = 0; i < TGB_MAX_ALGORITHMS && primitive->lacking && primitive->lacking[i]; i++)
        row->lacking[i] = primitive->lacking[i]->name;
    for (int i = 0; i < TGB_MAX_ALGORITHMS && tg_dtypes[i]; i++)
        row->dtypes[i] = tg_dtypes[i]->name;
}

void tgb_add_primitives(void (*add)(const tgb_operation *row))
{
    static tgb_operation rows[TGB_MAX_OPERATIONS];
    for (int i = 0; i < TGB_MAX_OPERATIONS && tg_primitives[i]; i++) {
        make_row(tg_primitives[i], &rows[i]);
        add(&rows[i]);
    }
}
