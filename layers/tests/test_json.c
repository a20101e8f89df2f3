/* test_json.c: the cases of layers.json, facts about DistDL's tests of layers, each at its own number
 * of ranks: turned into lines of words and checked as all cases are. What has no layer here is named
 * and counted, so that nothing is left out unseen. Usage: test_json layers.json */
#include "layers/tests/cases.h"

#include <jansson.h>
#include <stdarg.h>

enum { LINE_SIZE = 512 };

__attribute__((format(printf, 2, 3))) static void append(char line[LINE_SIZE], const char *format,
                                                         ...)
{
    size_t used = strlen(line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + used, LINE_SIZE - used, format, arguments);
    va_end(arguments);
}

/* ---- fields as words ---- */

/* A field of the case, or of its group's `fixed`. */
static const json_t *field(const json_t *group, const json_t *item, const char *name)
{
    const json_t *found = json_object_get(item, name);
    return found ? found : json_object_get(json_object_get(group, "fixed"), name);
}

static long number_at(const json_t *array, size_t i)
{
    return (long)json_integer_value(json_is_array(array) ? json_array_get(array, i) : array);
}

/* Numbers `first` and on of a list, or one number for each axis, as a tuple. */
static void append_tuple(char line[LINE_SIZE], const char *key, const json_t *list, size_t first,
                         size_t count)
{
    for (size_t i = first; list && i < first + count; i++)
        append(line, "%s%s%s%ld", i > first ? "x" : " ", i > first ? "" : key, i > first ? "" : "=",
               number_at(list, i));
}

static void append_whole(char line[LINE_SIZE], const char *key, const json_t *list)
{
    append_tuple(line, key, list, 0, json_array_size(list));
}

static void append_ranks(char line[LINE_SIZE], const char *key, const json_t *ranks)
{
    for (size_t i = 0; i < json_array_size(ranks); i++)
        append(line, "%s%s%s%ld", i > 0 ? "," : " ", i > 0 ? "" : key, i > 0 ? "" : "=",
               number_at(ranks, i));
}

static void append_yes(char line[LINE_SIZE], const char *key, const json_t *value)
{
    append(line, " %s=%s", key, json_is_false(value) ? "no" : "yes");
}

static void append_window(char line[LINE_SIZE], const json_t *group, const json_t *item,
                          size_t space)
{
    static const char *const names[][2] = {{"kernel", "kernel_size"},
                                           {"stride", "stride"},
                                           {"padding", "padding"},
                                           {"dilation", "dilation"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        append_tuple(line, names[i][0], field(group, item, names[i][1]), 0, space);
}

/* ---- targets ---- */

static void write_batch_norm(const json_t *group, const json_t *item, char line[LINE_SIZE])
{
    append(line, "batch_norm");
    append_whole(line, "shape", json_object_get(item, "input_shape"));
    append_whole(line, "grid", json_object_get(item, "P_x_shape"));
    append_ranks(line, "ranks", json_object_get(item, "P_x_ranks"));
    append(line, " eps=%g momentum=%g", json_real_value(field(group, item, "eps")),
           json_real_value(field(group, item, "momentum")));
    append_yes(line, "scale-shift", field(group, item, "affine"));
}

/* P_w is outputs x inputs x space; where there is none, P_x is the grid of all. DistDL's tests make
 * 10 channels, also where the facts do not say so. */
static void write_convolution(const json_t *group, const json_t *item, char line[LINE_SIZE])
{
    const json_t *shape = json_object_get(item, "x_global_shape"),
                 *work = json_object_get(item, "P_w_shape"),
                 *grid = work ? work : json_object_get(item, "P_x_shape");
    const size_t space = json_array_size(shape) - 2;
    append(line, "convolution batch=%ld channels=%ld:10", number_at(shape, 0), number_at(shape, 1));
    append_tuple(line, "space", shape, 2, space);
    append_window(line, group, item, space);
    append(line, " grid=1");
    for (size_t i = 1; i < space + 2; i++)
        append(line, "x%ld", number_at(grid, i));
    append(line, " parts-out=%ld", work ? number_at(work, 0) : 1);
    append_ranks(line, "ranks", json_object_get(item, work ? "P_w_ranks" : "P_x_ranks"));
    append_ranks(line, "from-ranks", json_object_get(item, "P_x_ranks"));
    append_ranks(line, "to-ranks", json_object_get(item, "P_y_ranks"));
    append_yes(line, "bias", field(group, item, "bias"));
}

static void write_affine(const json_t *group, const json_t *item, char line[LINE_SIZE])
{
    const json_t *x = json_object_get(item, "x_global_shape"),
                 *y = json_object_get(item, "y_global_shape");
    append(line, "affine batch=%ld features=%ld:%ld", number_at(x, 0), number_at(x, 1),
           number_at(y, 1));
    append_whole(line, "grid", json_object_get(item, "P_w_shape"));
    append_ranks(line, "ranks", json_object_get(item, "P_w_ranks"));
    append_ranks(line, "from-ranks", json_object_get(item, "P_x_ranks"));
    append_ranks(line, "to-ranks", json_object_get(item, "P_y_ranks"));
    append_yes(line, "bias", field(group, item, "bias"));
}

static void write_mse(const json_t *group, const json_t *item, char line[LINE_SIZE])
{
    (void)group;
    append(line, "mse");
    append_whole(line, "shape", json_object_get(item, "x_global_shape"));
    append_whole(line, "grid", json_object_get(item, "P_x_shape"));
    append_ranks(line, "ranks", json_object_get(item, "P_x_ranks"));
}

static void write_pool(const json_t *group, const json_t *item, char line[LINE_SIZE])
{
    const json_t *shape = json_object_get(item, "x_global_shape");
    append(line, "%s_pool", json_string_value(json_object_get(item, "layer_type")));
    append_whole(line, "shape", shape);
    append_window(line, group, item, json_array_size(shape) - 2);
    append_whole(line, "grid", json_object_get(item, "P_x_shape"));
    append_ranks(line, "ranks", json_object_get(item, "P_x_ranks"));
}

/* By the beginning of the group's target, and for losses by the loss. write NULL: no such layer
 * here. */
static const struct {
    const char *target, *loss;
    void (*write)(const json_t *group, const json_t *item, char line[LINE_SIZE]);
    int items; /* in the file */
} targets[] = {
    {"DistributedBatchNorm", NULL, write_batch_norm, 4},
    {"DistributedChannelConv", NULL, write_convolution, 27},
    {"DistributedFeatureConv", NULL, write_convolution, 17},
    {"DistributedGeneralConv", NULL, write_convolution, 12},
    {"DistributedLinear", NULL, write_affine, 3},
    {"Distributed*Loss", "MSELoss", write_mse, 3},
    {"Distributed*Loss", "", NULL, 18},
    {"Distributed{Max,Avg}Pool", NULL, write_pool, 12},
    {"DistributedUpsample", NULL, NULL, 45},
};

enum { TARGETS = sizeof targets / sizeof *targets };

static int find_target(const json_t *group, const json_t *item)
{
    const char *target = json_string_value(json_object_get(group, "target")),
               *loss = json_string_value(json_object_get(item, "SequentialLoss"));
    for (int i = 0; i < TARGETS; i++)
        if (strncmp(target, targets[i].target, strlen(targets[i].target)) == 0 &&
            (!targets[i].loss || !*targets[i].loss || strcmp(targets[i].loss, loss) == 0))
            return i;
    CHECK(false, "%s is no known target", target);
    return -1;
}

static void run_group(const json_t *group, int P, int rank, int found[TARGETS])
{
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(group, "cases"), i, item)
    {
        char line[LINE_SIZE] = "";
        const int target = find_target(group, item);
        if (target < 0)
            continue;
        found[target]++;
        if (!targets[target].write || number_at(json_object_get(item, "required_ranks"), 0) != P)
            continue;
        targets[target].write(group, item, line);
        check_case(line, P, rank);
    }
}

int main(int argc, char **argv)
{
    int P, rank, found[TARGETS] = {0};
    harness_begin(&argc, &argv, &P, &rank);
    json_error_t error;
    json_t *file = argc == 2 ? json_load_file(argv[1], 0, &error) : NULL;
    CHECK(file != NULL, "usage: test_json layers.json");
    size_t i;
    const json_t *group;
    json_array_foreach(json_object_get(file, "groups"), i, group)
    {
        run_group(group, P, rank, found);
    }
    for (int t = 0; t < TARGETS; t++)
        CHECK(found[t] == targets[t].items, "%d items of %s %s; expected %d", found[t],
              targets[t].target, targets[t].loss ? targets[t].loss : "", targets[t].items);
    json_decref(file);
    return harness_end();
}
