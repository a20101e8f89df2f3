/* test_cases.c FILE --ranks LIST | FILE --print: every case of primitives.json at its own number of
 * ranks.
 *
 * Each case is planned with every algorithm, out of place, accumulating and in place, and checked
 * as every operator is (checks.h). What the file derives for it is compared too: groups with roots
 * and members, messages and entries, the values of sentences and worked examples, rejections by
 * one line that names key and value. LIST are the rank counts at which ctest starts this program;
 * a case that needs another one fails, so that none is left out. --print writes a line a case:
 * ranks, ok or rejected, the words; tgbench check takes them. */
#include "primitives/tests/checks.h"
#include "primitives/tests/json_cases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 72 cases, 8 + 8 shape rules, 8 worked examples: written down here, so that a file that has lost
 * some is found out. */
enum { ALL_ITEMS = 96 };

static MPI_Comm comm;
static int rank, size;
static long failed_items;
static test_verdict total;

static long whole(const json_t *json, const char *key)
{
    return (long)json_integer_value(json_object_get(json, key));
}

/* ---- numbers of layouts, by the library's own arithmetic ---- */

static int compare_ints(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* The ranks of overlaps, ascending, in list; all must be the whole box. Returns their number. */
static int ranks_of(const tg_overlap *overlaps, int count, const tg_box *box, int *list,
                    test_verdict *verdict)
{
    for (int i = 0; i < count; i++) {
        list[i] = overlaps[i].rank;
        check_one(verdict, CHECK_VALUES, tg_box_equal(&overlaps[i].box, box),
                  "rank %d has a share of the part, expected all of it", overlaps[i].rank);
    }
    qsort(list, (size_t)count, sizeof *list, compare_ints);
    return count;
}

/* One group: the root owns the part, the members hold it and find the root again. */
static void check_group(const tg_layout *few, const tg_layout *many, const json_t *group,
                        test_verdict *verdict)
{
    const json_t *members = json_object_get(group, "members");
    int root = (int)whole(group, "root"), list[64], count = 0, expected[64];
    size_t nmembers = json_array_size(members);
    tg_box part = tg_layout_owned(few, root);
    tg_overlap *found = NULL;
    check_one(verdict, CHECK_VALUES, tg_box_count(&part) > 0, "root %d owns nothing", root);
    if (tg_holders_of(many, &part, &found, &count).code == TG_OK && count <= 64)
        count = ranks_of(found, count, &part, list, verdict);
    free(found);
    for (size_t i = 0; i < nmembers && i < 64; i++)
        expected[i] = (int)json_integer_value(json_array_get(members, i));
    check_one(verdict, CHECK_VALUES,
              (size_t)count == nmembers && memcmp(list, expected, nmembers * sizeof *expected) == 0,
              "root %d has %d members, expected %zu, or others", root, count, nmembers);
    for (size_t i = 0; i < nmembers && i < 64; i++) {
        tg_box held = tg_layout_held(many, expected[i]);
        int owner = -1, owners = 0;
        if (tg_owners_of(few, &held, &found, &owners).code == TG_OK && owners == 1)
            owner = found[0].rank;
        check_one(verdict, CHECK_VALUES, tg_box_equal(&held, &part) && owner == root,
                  "member %d finds root %d, expected %d", expected[i], owner, root);
        free(found);
    }
}

static void check_groups(const json_item *item, const test_case *c, test_verdict *verdict)
{
    const json_t *derived = json_object_get(item->json, "derived"), *group;
    const json_t *groups = json_object_get(derived, "groups");
    bool sums = item->target == JSON_SUM_REDUCE;
    const tg_layout *few = sums ? &c->problem.y : &c->problem.x;
    const tg_layout *many = sums ? &c->problem.x : &c->problem.y;
    size_t i;
    check_one(verdict, CHECK_VALUES, json_array_size(groups) == (size_t)tg_layout_size(few),
              "%zu groups in the file, %d parts", json_array_size(groups), tg_layout_size(few));
    json_array_foreach(groups, i, group) check_group(few, many, group, verdict);
}

/* all_sum_reduce: each part is held by group_size ranks, and there are n_groups parts. */
static void check_group_sizes(const json_item *item, const test_case *c, test_verdict *verdict)
{
    const json_t *derived = json_object_get(item->json, "derived");
    int groups = 0;
    for (int r = 0; r < size; r++) {
        tg_box owned = tg_layout_owned(&c->problem.x, r), held = tg_layout_held(&c->problem.x, r);
        tg_overlap *found = NULL;
        int count = 0;
        groups += tg_box_count(&owned) > 0;
        tg_holders_of(&c->problem.x, &held, &found, &count);
        free(found);
        check_one(verdict, CHECK_VALUES, count == whole(derived, "group_size"),
                  "the group of rank %d has %d ranks, expected %ld", r, count,
                  whole(derived, "group_size"));
    }
    check_one(verdict, CHECK_VALUES, groups == whole(derived, "n_groups"),
              "%d groups, expected %ld", groups, whole(derived, "n_groups"));
}

/* What a repartition sends, from both ends, and what the operator says that it sends. */
typedef struct {
    long messages, self_copies, elements_sent, elements_self, most_sends, most_receives;
} moved;

static void check_number(const json_t *derived, const char *name, long found, test_verdict *verdict)
{
    const json_t *expected = json_object_get(derived, name);
    check_one(verdict, CHECK_VALUES,
              json_is_integer(expected) && json_integer_value(expected) == found,
              "%s is %ld, expected %lld", name, found, (long long)json_integer_value(expected));
}

static void count_moved(const test_case *c, int r, moved *sum, test_verdict *verdict)
{
    tg_box owned = tg_layout_owned(&c->problem.x, r), held = tg_layout_held(&c->problem.y, r);
    tg_overlap *found = NULL;
    int count = 0;
    long sends = 0, receives = 0, received = 0;
    tg_holders_of(&c->problem.y, &owned, &found, &count);
    for (int i = 0; i < count; i++) {
        bool self = found[i].rank == r;
        *(self ? &sum->elements_self : &sum->elements_sent) += (long)tg_box_count(&found[i].box);
        *(self ? &sum->self_copies : &sends) += 1;
    }
    free(found);
    tg_owners_of(&c->problem.x, &held, &found, &count);
    for (int i = 0; i < count; i++) {
        receives += found[i].rank != r;
        received += (long)tg_box_count(&found[i].box);
    }
    free(found);
    check_one(verdict, CHECK_VALUES, received == (long)tg_box_count(&held),
              "rank %d receives %ld entries, expected %td", r, received, tg_box_count(&held));
    sum->messages += sends;
    sum->most_sends = sends > sum->most_sends ? sends : sum->most_sends;
    sum->most_receives = receives > sum->most_receives ? receives : sum->most_receives;
}

static void check_moved(const json_item *item, const test_case *c, test_verdict *verdict)
{
    const json_t *derived = json_object_get(item->json, "derived");
    moved sum = {0};
    tg_traffic traffic = {-1, -1};
    for (int r = 0; r < size; r++)
        count_moved(c, r, &sum, verdict);
    check_number(derived, "messages", sum.messages, verdict);
    check_number(derived, "self_copies", sum.self_copies, verdict);
    check_number(derived, "elements_sent", sum.elements_sent, verdict);
    check_number(derived, "elements_self", sum.elements_self, verdict);
    check_number(derived, "max_sends_per_rank", sum.most_sends, verdict);
    check_number(derived, "max_recvs_per_rank", sum.most_receives, verdict);
    c->problem.primitive->traffic(&c->problem.x, &c->problem.y, &traffic);
    check_number(derived, "elements_sent", (long)traffic.moved, verdict);
}

/* Pieces that pass through memory that ranks share are no messages. */
static bool shares_memory(const tg_op *op)
{
    const char *name = tg_op_algorithm(op, false);
    return strcmp(name, "node") == 0 || strcmp(name, "cma") == 0;
}

/* The messages that a planned operator counts. Returns whether it counts them. */
static bool check_messages(const json_item *item, const tg_op *op, test_verdict *verdict)
{
    const json_t *derived = json_object_get(item->json, "derived");
    long mine = (long)tg_op_messages(op, false), sum, most, least;
    MPI_Allreduce(&mine, &sum, 1, MPI_LONG, MPI_SUM, comm);
    MPI_Allreduce(&mine, &most, 1, MPI_LONG, MPI_MAX, comm);
    MPI_Allreduce(&mine, &least, 1, MPI_LONG, MPI_MIN, comm);
    if (least < 0 || shares_memory(op))
        return false;
    check_number(derived, "messages", sum, verdict);
    check_number(derived, "max_sends_per_rank", most, verdict);
    return true;
}

/* ---- values ---- */

/* One apply with the same number in every entry of this rank's input: its output. */
static double *apply_constant(const test_case *c, tg_op *op, bool forward, double value)
{
    const tg_dtype *dtype = c->problem.dtype;
    const tg_box *in_box = forward ? &c->x : &c->y, *out_box = forward ? &c->y : &c->x;
    char *in = calloc((size_t)model_count(in_box) + 1, dtype->size);
    char *out = calloc((size_t)model_count(out_box) + 1, dtype->size);
    double *values = calloc((size_t)model_count(out_box) + 1, sizeof *values);
    for (long n = 0; n < model_count(in_box); n++)
        dtype->put(in, n, value);
    if (forward)
        tg_apply(op, in, out);
    else
        tg_apply_adjoint(op, in, out);
    for (long n = 0; n < model_count(out_box); n++)
        values[n] = dtype->get(out, n);
    free(in);
    free(out);
    return values;
}

/* All entries of the output are `expected`. A rank outside the layout has none. */
static void check_constant(const test_case *c, tg_op *op, bool forward, double in, double expected,
                           test_verdict *verdict)
{
    double *out = apply_constant(c, op, forward, in);
    const tg_box *box = forward ? &c->y : &c->x;
    for (long n = 0; n < model_count(box); n++)
        check_one(verdict, CHECK_VALUES, out[n] == expected, "%s of %g on rank %d is %g, not %g",
                  forward ? "F" : "F*", in, rank, out[n], expected);
    free(out);
}

/* The numbers that stand in a text, without their signs; returns how many, at most `room`. */
static int numbers_in(const char *text, double *numbers, int room)
{
    int count = 0;
    while (text != NULL && *text != '\0' && count < room) {
        char *end = NULL;
        if (*text >= '0' && *text <= '9')
            numbers[count++] = strtod(text, &end);
        text = end != NULL ? end : text + 1;
    }
    return count;
}

/* "x=10 -> y=20; dy=0.1 -> dx=0.2", with 0.125 for 0.1. */
static void check_sentence(const json_item *item, const test_case *c, tg_op *op,
                           test_verdict *verdict)
{
    const char *text =
        json_string_value(json_object_get(json_object_get(item->json, "derived"), "assert"));
    double number[4];
    bool good = text != NULL && strncmp(text, "x=", 2) == 0 && numbers_in(text, number, 4) == 4;
    check_one(verdict, CHECK_VALUES, good, "an unknown sentence: %s", text != NULL ? text : "none");
    if (!good)
        return;
    check_constant(c, op, true, number[0], number[1], verdict);
    check_constant(c, op, false, 0.125, 0.125 * round(number[3] / number[2]), verdict);
}

static double number_at(const json_t *array, int index)
{
    return index < 0 ? 0.0 : json_number_value(json_array_get(array, (size_t)index));
}

/* Broadcast and SumReduce: each worker holds its place + 1, and gets one number. */
static void check_worked_copies(const json_item *item, const test_case *c, tg_op *op,
                                test_verdict *verdict)
{
    const json_t *y = json_object_get(item->json, "y_by_P_y_rank");
    const json_t *dx = json_object_get(item->json, "dx_by_P_x_rank");
    check_one(verdict, CHECK_VALUES,
              json_array_size(y) == (size_t)c->m.y.places &&
                  json_array_size(dx) == (size_t)c->m.x.places,
              "the example has other workers");
    check_constant(c, op, true, c->place_x + 1.0, number_at(y, c->place_y), verdict);
    check_constant(c, op, false, c->place_y + 1.0, number_at(dx, c->place_x), verdict);
}

/* Repartition from 4x1: row g has its owner's number; columns of dx are the workers' of y. */
static void check_worked_rows(const json_item *item, const test_case *c, tg_op *op,
                              test_verdict *verdict)
{
    const json_t *rows = json_object_get(item->json, "x_rows_by_owner");
    const char *columns = json_string_value(json_object_get(item->json, "dx_columns"));
    long g[TG_MAX_NDIM];
    double number[7]; /* first row, last row, five values */
    int blocks = 0;
    if (rows == NULL) /* an example without values: checked as every operator is */
        return;
    double *y = apply_constant(c, op, true, c->place_x + 1.0);
    for (long n = 0; n < model_count(&c->y); n++) {
        model_entry(&c->y, n, g);
        check_one(verdict, CHECK_VALUES, y[n] == number_at(rows, (int)g[0]),
                  "rank %d, row %ld of y is %g, expected %g", rank, g[0], y[n],
                  number_at(rows, (int)g[0]));
    }
    free(y);
    double *dx = apply_constant(c, op, false, c->place_y + 1.0);
    for (const char *at = columns; at != NULL && (at = strstr(at, "rows ")) != NULL; at++) {
        if (numbers_in(at, number, 7) != 7)
            continue;
        blocks++;
        for (long n = 0; n < model_count(&c->x); n++) {
            model_entry(&c->x, n, g);
            bool other = (double)g[0] < number[0] || (double)g[0] > number[1];
            check_one(verdict, CHECK_VALUES, other || dx[n] == number[2 + g[1]],
                      "rank %d, dx of %ld,%ld is %g", rank, g[0], g[1], dx[n]);
        }
    }
    check_one(verdict, CHECK_VALUES, blocks == 2, "%d sentences about rows, expected 2", blocks);
    free(dx);
}

/* The entries of a table of rows on this rank's (hull) box; false: another shape. */
static bool read_table(const json_item *item, const char *name, const tg_box *box, double *values)
{
    char key[16];
    snprintf(key, sizeof key, "%d", rank);
    const json_t *table = json_object_get(json_object_get(item->json, name), key), *row;
    long n = 0, columns = (long)(box->hi[box->ndim - 1] - box->lo[box->ndim - 1]);
    size_t i;
    json_array_foreach(table, i, row)
    {
        for (long k = 0; k < columns && n < model_count(box); k++)
            values[n++] = number_at(row, (int)k);
        if ((long)json_array_size(row) != columns)
            return false;
    }
    return n == model_count(box) && (long)json_array_size(table) * columns == n;
}

/* HaloExchange in place: the padded buffer before and after, forward and adjoint. */
static void check_worked_halo(const json_item *item, const test_case *c, tg_op *op,
                              test_verdict *verdict)
{
    long count = model_count(&c->hull);
    double *table = calloc(3 * (size_t)count + 1, sizeof *table);
    float *buffer = calloc((size_t)count + 1, sizeof *buffer);
    bool good = read_table(item, "x_padded", &c->hull, table) &&
                read_table(item, "y", &c->hull, table + count) &&
                read_table(item, "dx", &c->hull, table + 2 * count);
    check_one(verdict, CHECK_VALUES, good && count > 0, "rank %d: tables of another shape", rank);
    for (int adjoint = 0; adjoint < 2; adjoint++) {
        for (long n = 0; n < count; n++)
            buffer[n] = adjoint ? (float)(rank + 1) : (float)table[n];
        if (adjoint)
            tg_apply_adjoint(op, buffer, buffer);
        else
            tg_apply(op, buffer, buffer);
        for (long n = 0; n < count; n++)
            check_one(verdict, CHECK_VALUES, buffer[n] == table[(1 + adjoint) * count + n],
                      "rank %d, %s, entry %ld of the padded buffer is %g, expected %g", rank,
                      adjoint ? "dx" : "y", n, (double)buffer[n], table[(1 + adjoint) * count + n]);
    }
    free(table);
    free(buffer);
}

/* ---- one case ---- */

static void finish(const json_item *item, const char *line, const test_verdict *mine)
{
    test_verdict all = check_agree(mine, comm);
    for (int kind = 0; kind < CHECK_KINDS; kind++) {
        total.done[kind] += all.done[kind];
        total.failed[kind] += all.failed[kind];
    }
    if (check_failures(&all) > 0 || check_count(&all) == 0) {
        failed_items++;
        if (rank == 0)
            printf("FAILED %s\n       mpiexec -n %d tgbench check \"%s\"\n       %s\n", item->key,
                   size, line, check_count(&all) == 0 ? "no checks" : all.text);
    }
}

static void check_facts(const json_item *item, const test_case *c, tg_op *op, bool in_place,
                        test_verdict *verdict)
{
    bool sentence = json_object_get(json_object_get(item->json, "derived"), "assert") != NULL;
    bool copies = item->target == JSON_BROADCAST || item->target == JSON_SUM_REDUCE;
    if (item->worked && item->target == JSON_HALO && in_place)
        check_worked_halo(item, c, op, verdict);
    if (in_place)
        return;
    if (sentence)
        check_sentence(item, c, op, verdict);
    if (item->worked && copies)
        check_worked_copies(item, c, op, verdict);
    if (item->worked && item->target == JSON_REPARTITION)
        check_worked_rows(item, c, op, verdict);
}

/* Facts about the layouts alone. */
static void check_layouts(const json_item *item, const test_case *c, test_verdict *verdict)
{
    const json_t *derived = json_object_get(item->json, "derived");
    if (json_object_get(derived, "groups") != NULL)
        check_groups(item, c, verdict);
    if (json_object_get(derived, "n_groups") != NULL)
        check_group_sizes(item, c, verdict);
    if (json_object_get(derived, "messages") != NULL)
        check_moved(item, c, verdict);
}

/* A line with every word. Returns whether the algorithm counts its messages. */
static bool run_line(const json_item *item, const char *line, test_verdict *verdict)
{
    test_case *c = malloc(sizeof *c);
    char text[256];
    tg_op *op = NULL;
    bool counts = false;
    if (!case_make(line, rank, size, c, text)) {
        check_one(verdict, CHECK_VALUES, false, "not accepted: %s", text);
        free(c);
        return false;
    }
    bool in_place = c->problem.place == TG_IN_PLACE;
    tg_status status = tg_plan(comm, &c->problem, &op);
    bool refused = in_place && c->problem.algorithm != c->problem.primitive->algorithms[0] &&
                   status.code == TG_BAD_INPUT && strstr(status.text, "in-place=yes") != NULL;
    check_one(verdict, CHECK_VALUES, status.code == TG_OK || refused, "no plan: %s", status.text);
    if (status.code == TG_OK) {
        test_operator tested = case_operator(op);
        check_boxes(c, op, verdict);
        check_operator(c, &tested, comm, 0, verdict);
        check_layouts(item, c, verdict);
        if (c->problem.mode == TG_REPLACE)
            check_facts(item, c, op, in_place, verdict);
        if (json_object_get(json_object_get(item->json, "derived"), "messages") != NULL &&
            !in_place)
            counts = check_messages(item, op, verdict);
    }
    tg_free(&op);
    case_free(c);
    free(c);
    return counts;
}

/* Every algorithm, every way. */
static void run_accepted(const json_item *item, const char *words)
{
    static const char *const ways[] = {"", " accumulate=yes", " in-place=yes"};
    char name[MODEL_WORD], line[2 * LINE_SIZE];
    test_verdict mine = {.text = ""};
    int counting = 0;
    model_operation(words, name);
    const tg_primitive *primitive = tg_primitive_find(name);
    check_one(&mine, CHECK_VALUES, primitive != NULL, "no primitive %s", name);
    for (int a = 0; primitive != NULL && primitive->algorithms[a] != NULL; a++)
        for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
            snprintf(line, sizeof line, "%s algorithm=%s%s", words, primitive->algorithms[a]->name,
                     ways[way]);
            counting += run_line(item, line, &mine);
        }
    if (json_object_get(json_object_get(item->json, "derived"), "messages") != NULL)
        check_one(&mine, CHECK_VALUES, counting > 0, "no algorithm counts its messages");
    finish(item, words, &mine);
}

/* One line that names key and value, the same on all ranks, and no operator. */
static void run_rejected(const json_item *item)
{
    test_case *c = malloc(sizeof *c);
    test_verdict mine = {.text = ""};
    tg_op *op = NULL;
    char text[256], first[256];
    bool accepted = case_words(item->line, rank, item->words_ranks, c, text);
    if (accepted) {
        tg_status status = tg_plan(comm, &c->problem, &op);
        accepted = status.code == TG_OK;
        snprintf(text, sizeof text, "%s", status.text);
    }
    check_one(&mine, CHECK_VALUES, !accepted && op == NULL, "accepted, but expected an error");
    for (int i = 0; i < 2; i++)
        check_one(&mine, CHECK_VALUES,
                  strstr(text, item->named[i]) != NULL && strchr(text, '\n') == NULL,
                  "'%s' does not name %s", text, item->named[i]);
    check_one(&mine, CHECK_VALUES, item->named[0][0] != '\0', "nothing to be named");
    memcpy(first, text, sizeof first);
    MPI_Bcast(first, sizeof first, MPI_CHAR, 0, comm);
    check_one(&mine, CHECK_VALUES, strcmp(first, text) == 0, "another text than on rank 0: %s",
              text);
    tg_free(&op);
    case_free(c);
    free(c);
    finish(item, item->line, &mine);
}

/* Rules for more ranks than can be started: the words are accepted. */
static void run_words(const json_item *item)
{
    test_case *c = malloc(sizeof *c);
    test_verdict mine = {.text = ""};
    char text[256];
    bool accepted = case_words(item->line, rank, item->words_ranks, c, text);
    check_one(&mine, CHECK_VALUES, accepted, "not accepted: %s", text);
    case_free(c);
    free(c);
    finish(item, item->line, &mine);
}

/* ---- the worked sums over several sets of axes ---- */

/* AllSumReduce: one line of words for each set of axes in the example, "axes (0,1)". */
static void run_worked_sums(const json_item *item)
{
    const json_t *by_rank = json_object_get(item->json, "y_by_rank"), *values;
    const json_t *global = json_object_get(item->json, "x_global");
    const json_t *grid = json_object_get(item->json, "P_x");
    const char *axes;
    json_object_foreach((json_t *)(uintptr_t)by_rank, axes, values)
    {
        char line[LINE_SIZE], shape[64] = "", parts[64] = "", text[256];
        for (int a = 0; a < 2; a++) {
            long n = (long)number_at(global, a), p = (long)number_at(grid, a);
            bool copied = strchr(axes, '0' + a) != NULL;
            size_t s = strlen(shape), g = strlen(parts);
            snprintf(shape + s, sizeof shape - s, "%s%ld", a > 0 ? "x" : "", copied ? n / p : n);
            snprintf(parts + g, sizeof parts - g, "%s%ld%s", a > 0 ? "x" : "", p,
                     copied ? "c" : "");
        }
        snprintf(line, sizeof line, "all_sum_reduce shape=%s grid=%s", shape, parts);
        test_case *c = malloc(sizeof *c);
        test_verdict mine = {.text = ""};
        tg_op *op = NULL;
        bool made =
            case_make(line, rank, size, c, text) && tg_plan(comm, &c->problem, &op).code == TG_OK;
        check_one(&mine, CHECK_VALUES, made && json_array_size(values) == (size_t)size,
                  "no plan, or another number of workers");
        for (int forward = 0; made && forward < 2; forward++)
            check_constant(c, op, forward != 0, rank + 1.0, number_at(values, rank), &mine);
        tg_free(&op);
        case_free(c);
        free(c);
        finish(item, line, &mine);
        run_accepted(item, line);
    }
}

/* A local sum over the columns, then all_sum_reduce over the workers of a row. */
static void run_worked_local_sum(const json_item *item)
{
    const json_t *after = json_object_get(item->json, "after_local_sum_by_rank");
    long columns = (long)number_at(json_object_get(item->json, "x_global"), 1);
    int parts = (int)number_at(json_object_get(item->json, "P_x"), 1), part = rank % parts;
    test_case *c = malloc(sizeof *c);
    test_verdict mine = {.text = ""};
    char text[256];
    tg_op *op = NULL;
    bool made =
        case_make(item->line, rank, size, c, text) && tg_plan(comm, &c->problem, &op).code == TG_OK;
    ptrdiff_t width =
        tg_split_start(columns, parts, part + 1) - tg_split_start(columns, parts, part);
    double sum = (rank + 1.0) * (double)width;
    check_one(&mine, CHECK_VALUES, made && sum == number_at(after, rank),
              "rank %d: a local sum of %g, expected %g", rank, sum, number_at(after, rank));
    if (made)
        check_constant(c, op, true, sum, number_at(json_object_get(item->json, "y_by_rank"), rank),
                       &mine);
    tg_free(&op);
    case_free(c);
    free(c);
    finish(item, item->line, &mine);
    run_accepted(item, item->line);
}

static void run_item(const json_item *item)
{
    if (item->rejected)
        run_rejected(item);
    else if (item->words_ranks > size)
        run_words(item);
    else if (item->worked && json_object_get(item->json, "after_local_sum_by_rank") != NULL)
        run_worked_local_sum(item);
    else if (item->worked && item->target == JSON_ALL_SUM_REDUCE)
        run_worked_sums(item);
    else
        run_accepted(item, item->line);
}

/* ---- all of them ---- */

static bool in_list(const char *list, int number)
{
    for (const char *at = list; *at != '\0'; at += *at == ',')
        if (strtol(at, (char **)&at, 10) == number)
            return true;
    return false;
}

static void run_all(const json_item *items, int count, const char *list)
{
    int done = 0;
    for (int i = 0; i < count; i++) {
        if (!in_list(list, items[i].ranks)) {
            failed_items++;
            if (rank == 0)
                printf("FAILED %s needs %d ranks; tests are started at %s\n", items[i].key,
                       items[i].ranks, list);
        }
        if (items[i].ranks != size)
            continue;
        run_item(&items[i]);
        done++;
    }
    if (count != ALL_ITEMS || done == 0 || check_count(&total) == 0)
        failed_items++;
    if (rank == 0)
        printf("%d ranks: %d of %d cases (expected %d in all), %ld checks, %ld cases failed\n",
               size, done, count, ALL_ITEMS, check_count(&total), failed_items);
}

int main(int argc, char **argv)
{
    static json_item items[JSON_ITEMS];
    MPI_Init(&argc, &argv);
    comm = MPI_COMM_WORLD;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    bool print = argc == 3 && strcmp(argv[2], "--print") == 0;
    if (!print && (argc != 4 || strcmp(argv[2], "--ranks") != 0)) {
        fprintf(stderr, "test_cases: expected FILE --ranks LIST, or FILE --print\n");
        MPI_Abort(comm, 2);
    }
    int count = json_read(argv[1], items);
    for (int i = 0; print && i < count; i++)
        printf("%d\t%s\t%s\n", items[i].words_ranks, items[i].rejected ? "rejected" : "ok",
               items[i].line);
    if (!print)
        run_all(items, count, argv[3]);
    MPI_Finalize();
    return failed_items == 0 ? 0 : 1;
}
