/* json_cases.c: primitives.json as lines of words; see json_cases.h.
 *
 * Local shapes become global ones by the rule of the file's note: axes of extent 1 are put in front
 * until the tensor has as many axes as the grid; then local x parts on split axes, x 1 on copied
 * ones. transpose_src and transpose_dest reverse the grid with fewer, or more, ranks. */
#include "primitives/tests/json_cases.h"

#include "primitives/layout.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int ndim;
    long at[TG_MAX_NDIM];
} numbers;

static _Noreturn void stop(const char *key, const char *what)
{
    fprintf(stderr, "json_cases: %s: %s\n", key, what);
    exit(2);
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

static numbers read_numbers(const json_t *array)
{
    numbers list = {(int)json_array_size(array), {0}};
    for (int a = 0; a < list.ndim && a < TG_MAX_NDIM; a++)
        list.at[a] = (long)json_integer_value(json_array_get(array, (size_t)a));
    return list;
}

/* Ones in front of the numbers (or behind them) until there are ndim. */
static numbers with_axes(numbers list, int ndim, bool behind)
{
    numbers all = {ndim, {0}};
    int more = ndim > list.ndim ? ndim - list.ndim : 0;
    for (int a = 0; a < ndim; a++) {
        int from = behind ? a : a - more;
        all.at[a] = from >= 0 && from < list.ndim ? list.at[from] : 1;
    }
    return all;
}

static numbers reversed(numbers list)
{
    numbers back = list;
    for (int a = 0; a < list.ndim; a++)
        back.at[a] = list.at[list.ndim - 1 - a];
    return back;
}

static int largest(int a, int b)
{
    return a > b ? a : b;
}

static int product(numbers list)
{
    long all = 1;
    for (int a = 0; a < list.ndim; a++)
        all *= list.at[a];
    return (int)all;
}

static void append_tuple(const char *key, numbers list, char line[LINE_SIZE])
{
    append(line, " %s=", key);
    for (int a = 0; a < list.ndim; a++)
        append(line, "%s%ld", a > 0 ? "x" : "", list.at[a]);
}

static void append_grid(const char *key, numbers parts, numbers copied, char line[LINE_SIZE])
{
    append(line, " %s=", key);
    for (int a = 0; a < parts.ndim; a++)
        append(line, "%s%ld%s", a > 0 ? "x" : "", parts.at[a], copied.at[a] != 0 ? "c" : "");
}

static void append_ranks(const char *key, const json_t *ranks, char line[LINE_SIZE])
{
    for (size_t i = 0; i < json_array_size(ranks); i++)
        append(line, "%s%s%s%d", i > 0 ? "," : " ", i > 0 ? "" : key, i > 0 ? "" : "=",
               (int)json_integer_value(json_array_get(ranks, i)));
}

static bool flag(const json_t *json, const char *name)
{
    return json_is_true(json_object_get(json, name));
}

static const json_t *either(const json_t *json, const char *name, const char *other)
{
    const json_t *found = json_object_get(json, name);
    return found != NULL ? found : json_object_get(json, other);
}

/* ---- the targets' words ---- */

/* broadcast, and sum_reduce with the sides exchanged: copies wherever `few` has one part and `many`
 * has more. local is the local shape, or NULL: 2 entries on each axis. */
static void write_copies(json_item *item, bool sums, const json_t *few_shape,
                         const json_t *many_shape, const numbers *local)
{
    const json_t *json = item->json;
    numbers few = read_numbers(few_shape), many = read_numbers(many_shape);
    int ndim = largest(largest(few.ndim, many.ndim), local != NULL ? local->ndim : 0);
    numbers shape = {ndim, {2, 2, 2, 2, 2, 2, 2, 2}}, copied = {ndim, {0}}, none = {ndim, {0}};
    bool turn_few = flag(json, "transpose_src"), turn_many = flag(json, "transpose_dest");
    shape = local != NULL ? with_axes(*local, ndim, false) : shape;
    few = with_axes(few, ndim, false);
    many = with_axes(many, ndim, false);
    numbers seen = turn_few ? reversed(few) : few, seen_many = turn_many ? reversed(many) : many;
    for (int a = 0; a < ndim; a++) {
        copied.at[a] = seen_many.at[a] > 1 && seen.at[a] == 1;
        shape.at[a] *= copied.at[a] != 0 ? 1 : seen.at[a];
    }
    append(item->line, "%s", sums ? "sum_reduce" : "broadcast");
    append_tuple("shape", shape, item->line);
    for (int side = 0; side < 2; side++) {
        const char *const keys[2][3] = {{"from", "from-ranks", "from-order"},
                                        {"to", "to-ranks", "to-order"}};
        bool is_many = (side == 1) != sums, turn = is_many ? turn_many : turn_few;
        numbers there = turn ? reversed(copied) : copied;
        append_grid(keys[side][0], is_many ? many : few, is_many ? there : none, item->line);
        append_ranks(keys[side][1],
                     side == 0 ? json_object_get(json, "P_x_ranks")
                               : either(json, "P_y_ranks", "P_w_ranks"),
                     item->line);
        if (turn)
            append(item->line, " %s=reshaped", keys[side][2]);
    }
}

static void write_broadcast(json_item *item)
{
    const json_t *shape = json_object_get(item->json, "x_global_shape");
    numbers local = read_numbers(shape);
    write_copies(item, false, json_object_get(item->json, "P_x_shape"),
                 either(item->json, "P_y_shape", "P_w_shape"), shape != NULL ? &local : NULL);
}

static void write_sum_reduce(json_item *item)
{
    numbers local = read_numbers(json_object_get(item->json, "x_global_shape"));
    write_copies(item, true, json_object_get(item->json, "P_y_shape"),
                 json_object_get(item->json, "P_x_shape"), &local);
}

static void write_all_sum_reduce(json_item *item)
{
    numbers shape = read_numbers(json_object_get(item->json, "x_global_shape"));
    numbers grid = read_numbers(json_object_get(item->json, "P_x_shape"));
    numbers axes = read_numbers(json_object_get(item->json, "axes_reduce"));
    int ndim = largest(shape.ndim, grid.ndim);
    numbers copied = {ndim, {0}};
    shape = with_axes(shape, ndim, false);
    grid = with_axes(grid, ndim, true);
    for (int i = 0; i < axes.ndim; i++)
        copied.at[axes.at[i]] = 1;
    for (int a = 0; a < ndim; a++)
        shape.at[a] *= copied.at[a] != 0 ? 1 : grid.at[a];
    append(item->line, "all_sum_reduce");
    append_tuple("shape", shape, item->line);
    append_grid("grid", grid, copied, item->line);
    append_ranks("ranks", json_object_get(item->json, "P_x_ranks"), item->line);
}

/* balanced=false: the whole remainder of each axis lies on part 0 of x. */
static void append_remainders(numbers shape, numbers grid, char line[LINE_SIZE])
{
    append(line, " from-parts=");
    for (int a = 0; a < shape.ndim; a++)
        for (long i = 0, part = shape.at[a] / grid.at[a]; i < grid.at[a]; i++)
            append(line, "%s%ld",
                   i > 0   ? "+"
                   : a > 0 ? "x"
                           : "",
                   i > 0 ? part : shape.at[a] - part * (grid.at[a] - 1));
}

static void write_repartition(json_item *item)
{
    const json_t *json = item->json, *to = either(json, "P_y_shape", "P_x_shape");
    numbers from_grid = read_numbers(json_object_get(json, "P_x_shape")), none = {0, {0}};
    const json_t *given = json_object_get(json, "x_global_shape");
    numbers shape = given != NULL ? read_numbers(given) : with_axes(none, from_grid.ndim, false);
    append(item->line, "repartition");
    append_tuple("shape", shape, item->line);
    append_tuple("from", from_grid, item->line);
    append_ranks("from-ranks", json_object_get(json, "P_x_ranks"), item->line);
    if (json_is_false(json_object_get(json, "balanced")))
        append_remainders(shape, from_grid, item->line);
    append_tuple("to", read_numbers(to), item->line);
    append_ranks("to-ranks", either(json, "P_y_ranks", "P_x_ranks"), item->line);
}

static void write_halo(json_item *item)
{
    const json_t *json = item->json;
    append(item->line, "halo");
    append_tuple("shape", read_numbers(json_object_get(json, "x_global_shape")), item->line);
    append_tuple("grid", read_numbers(json_object_get(json, "P_x_shape")), item->line);
    append_ranks("ranks", json_object_get(json, "P_x_ranks"), item->line);
    append_tuple("kernel", read_numbers(json_object_get(json, "kernel_size")), item->line);
    append_tuple("stride", read_numbers(json_object_get(json, "stride")), item->line);
    append_tuple("padding", read_numbers(json_object_get(json, "padding")), item->line);
    append_tuple("dilation", read_numbers(json_object_get(json, "dilation")), item->line);
}

typedef struct {
    const char *name, *operation;
    json_target target;
    void (*write)(json_item *item);
} target_row;

static const target_row targets[] = {
    {"Broadcast", "broadcast", JSON_BROADCAST, write_broadcast},
    {"SumReduce", "sum_reduce", JSON_SUM_REDUCE, write_sum_reduce},
    {"AllSumReduce", "all_sum_reduce", JSON_ALL_SUM_REDUCE, write_all_sum_reduce},
    {"Repartition", "repartition", JSON_REPARTITION, write_repartition},
    {"HaloExchange", "halo", JSON_HALO, write_halo},
};

static const target_row *find_target(const char *key)
{
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if (strncmp(key, targets[i].name, strlen(targets[i].name)) == 0)
            return &targets[i];
    stop(key, "an unknown target; expected Broadcast, SumReduce, AllSumReduce, Repartition or "
              "HaloExchange");
}

/* ---- the file ---- */

/* Fields of a case and of its `derived`, all of which are used here or compared by the test. */
static const char *const known[] = {"key",
                                    "id",
                                    "required_ranks",
                                    "P_x_ranks",
                                    "P_x_shape",
                                    "P_y_ranks",
                                    "P_y_shape",
                                    "P_w_ranks",
                                    "P_w_shape",
                                    "x_global_shape",
                                    "axes_reduce",
                                    "transpose_src",
                                    "balanced",
                                    "dtype",
                                    "test_backward",
                                    "kernel_size",
                                    "stride",
                                    "padding",
                                    "dilation",
                                    "MockKernelStyle",
                                    "expect",
                                    "derived",
                                    "groups",
                                    "group_size",
                                    "n_groups",
                                    "assert",
                                    "note",
                                    "messages",
                                    "self_copies",
                                    "elements_sent",
                                    "elements_self",
                                    "max_sends_per_rank",
                                    "max_recvs_per_rank"};

static void check_fields(const char *key, const json_t *json)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)json, name, value)
    {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            found = found || strcmp(known[i], name) == 0;
        if (!found)
            stop(key, name);
        if (strcmp(name, "derived") == 0)
            check_fields(key, value);
    }
}

static void append_dtype(json_item *item)
{
    static const char *const names[3][2] = {
        {"float32", "f32"}, {"float64", "f64"}, {"int32", "i32"}};
    const char *given = json_string_value(json_object_get(item->json, "dtype"));
    if (given == NULL)
        return;
    for (int i = 0; i < 3; i++)
        if (strcmp(names[i][0], given) == 0) {
            append(item->line, " dtype=%s", names[i][1]);
            return;
        }
    stop(item->key, given);
}

/* A side's grid as a key and its value, in the words of the line. */
static void name_word(json_item *item, int i, const char *key)
{
    char start[16];
    snprintf(start, sizeof start, " %s=", key);
    const char *word = strstr(item->line, start);
    if (word != NULL)
        snprintf(item->named[i], sizeof item->named[i], "%.*s", (int)strcspn(word + 1, " "),
                 word + 1);
}

/* What DistDL rejects, and the word that must be named here: the grid that does not fit the shape.
 */
static void read_rejection(json_item *item)
{
    const char *expect = json_string_value(json_object_get(item->json, "expect"));
    if (expect == NULL)
        return;
    item->rejected = true;
    bool from = strstr(expect, "input partition dimension") != NULL;
    bool to = strstr(expect, "output partition dimension") != NULL ||
              strstr(expect, "P_x and P_y must have equal dimension") != NULL;
    if (from == to)
        stop(item->key, expect);
    name_word(item, 0, from ? "from" : "to");
}

static void read_case(json_item *item, const json_t *json)
{
    snprintf(item->key, sizeof item->key, "%s",
             json_string_value(json_object_get(json, "key")) != NULL
                 ? json_string_value(json_object_get(json, "key"))
                 : "a case without key");
    const target_row *target = find_target(item->key);
    item->json = json;
    item->target = target->target;
    item->ranks = (int)json_integer_value(json_object_get(json, "required_ranks"));
    item->words_ranks = item->ranks;
    if (item->ranks < 1 || item->ranks > JSON_MAX_RANKS)
        stop(item->key, "required_ranks; expected 1 to 17");
    check_fields(item->key, json);
    target->write(item);
    append_dtype(item);
    read_rejection(item);
}

/* Two grids that fit, or do not fit, each other. Rules for more ranks than tests start are read
 * only. */
static void read_rule(json_item *item, const json_t *json, const char *list, size_t number)
{
    const json_t *x = json_object_get(json, "P_x"), *y = json_object_get(json, "P_y");
    bool sums = strcmp(list, "sum_reduce_shape_rule") == 0;
    snprintf(item->key, sizeof item->key, "%s/%zu", list, number);
    item->json = json;
    item->target = sums ? JSON_SUM_REDUCE : JSON_BROADCAST;
    item->rejected = json_is_false(json_object_get(json, "ok"));
    item->words_ranks = largest(product(read_numbers(x)), product(read_numbers(y)));
    item->ranks = item->words_ranks <= JSON_MAX_RANKS ? item->words_ranks : 1;
    write_copies(item, sums, sums ? y : x, sums ? x : y, NULL);
    if (item->rejected) {
        name_word(item, 0, "from");
        name_word(item, 1, "to");
    }
}

/* A worked example: x_global is the global shape; what is summed is divided by the copies. */
static void read_worked(json_item *item, const json_t *json, size_t number)
{
    numbers shape = read_numbers(json_object_get(json, "x_global"));
    numbers x = read_numbers(json_object_get(json, "P_x")), none = {x.ndim, {0}}, copied = none;
    const char *name = json_string_value(json_object_get(json, "target"));
    bool local_sum = name != NULL && strncmp(name, "local sum", 9) == 0;
    const target_row *target = find_target(local_sum      ? "AllSumReduce"
                                           : name != NULL ? name
                                                          : "an example without target");
    numbers y = read_numbers(json_object_get(json, "P_y"));
    snprintf(item->key, sizeof item->key, "worked_examples/%zu %s", number, target->name);
    item->json = json;
    item->target = target->target;
    item->worked = true;
    item->ranks = item->words_ranks = largest(product(x), product(y));
    append(item->line, "%s", target->operation);
    if (item->target == JSON_ALL_SUM_REDUCE)
        copied.at[x.ndim - 1] = 1; /* the first of the axes that the example sums over */
    for (int a = 0; a < x.ndim && item->target == JSON_SUM_REDUCE; a++)
        copied.at[a] = x.at[a] > 1 && y.at[a] == 1;
    numbers to_copied = none;
    for (int a = 0; a < x.ndim && item->target == JSON_BROADCAST; a++)
        to_copied.at[a] = y.at[a] > 1 && x.at[a] == 1;
    for (int a = 0; a < x.ndim; a++)
        shape.at[a] = copied.at[a] == 0 ? shape.at[a] : local_sum ? 1 : shape.at[a] / x.at[a];
    append_tuple("shape", shape, item->line);
    bool one = item->target == JSON_ALL_SUM_REDUCE || item->target == JSON_HALO;
    append_grid(one ? "grid" : "from", x, copied, item->line);
    if (!one)
        append_grid("to", y, to_copied, item->line);
    if (item->target == JSON_HALO)
        append_tuple("kernel", read_numbers(json_object_get(json, "kernel")), item->line);
}

int json_read(const char *path, json_item items[JSON_ITEMS])
{
    json_error_t error;
    json_t *file = json_load_file(path, 0, &error), *value;
    int count = 0;
    size_t i, g;
    const char *name;
    if (file == NULL)
        stop(path, error.text);
    json_object_foreach(file, name, value)
    {
        bool cases = strcmp(name, "groups") == 0, worked = strcmp(name, "worked_examples") == 0;
        if (strcmp(name, "note") == 0)
            continue;
        if (!cases && !worked && strstr(name, "_shape_rule") == NULL)
            stop(path, name);
        json_t *row, *one;
        json_array_foreach(value, g, row)
        {
            if (count + 1 >= JSON_ITEMS)
                stop(path, "more cases than there is room for");
            if (worked)
                read_worked(&items[count++], row, g);
            else if (!cases)
                read_rule(&items[count++], row, name, g);
            json_array_foreach(cases ? json_object_get(row, "cases") : NULL, i, one)
            {
                if (count + 1 >= JSON_ITEMS)
                    stop(path, "more cases than there is room for");
                read_case(&items[count++], one);
            }
        }
    }
    return count; /* the file stays in memory: the items point into it */
}
