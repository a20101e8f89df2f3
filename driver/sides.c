/* sides.c: rows become cells with launches, sorted, so that two sides are matched in one pass. */
#include "driver/sides.h"

#include "bench/stats.h"
#include "driver/cells.h"
#include "driver/provenance.h"
#include "driver/twosample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- from rows to cells ---- */

/* A row of the table, with what makes it a cell. */
typedef struct {
    const char *text, *direction;
    int ranks, row;
    double us; /* NAN: it does not count */
} entry;

static int compare_keys(const char *text_a, const char *way_a, int ranks_a, const char *text_b,
                        const char *way_b, int ranks_b)
{
    const int order = strcmp(text_a, text_b), way = order ? order : strcmp(way_a, way_b);
    return way ? way : (ranks_a > ranks_b) - (ranks_a < ranks_b);
}

static int by_cell(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    const int order =
        compare_keys(a->text, a->direction, a->ranks, b->text, b->direction, b->ranks);
    return order ? order : (a->row > b->row) - (a->row < b->row);
}

/* The columns that are read. */
typedef struct {
    int text, direction, ranks, status, us, build, op;
} columns;

static tg_status find_columns(const tgd_table *table, columns *c)
{
    const struct {
        const char *name;
        int *column;
    } needed[] = {{"case", &c->text},     {"direction", &c->direction}, {"ranks", &c->ranks},
                  {"status", &c->status}, {"t_median_us", &c->us},      {"build", &c->build},
                  {"op", &c->op}};
    tg_status status = tg_success();
    for (size_t i = 0; i < sizeof needed / sizeof *needed && status.code == TG_OK; i++)
        status = tgd_table_require(table, needed[i].name, needed[i].column);
    return status;
}

static tg_status read_entry(const tgd_table *t, const columns *c, int row, entry *e)
{
    double ranks, us;
    tg_status status = tgd_table_number(t, row, c->ranks, &ranks);
    if (status.code == TG_OK)
        status = tgd_table_number(t, row, c->us, &us);
    if (status.code != TG_OK)
        return status;
    if (!(ranks >= 1 && ranks <= 1 << 30)) {
        return tg_fail(TG_BAD_INPUT, "%.150s line %ld, column ranks: '%.30s'; expected 1 or more",
                       t->path, t->line[row], tgd_table_text(t, row, c->ranks));
    }
    const bool counts = strcmp(tgd_table_text(t, row, c->status), "ok") == 0 && tgd_is_time(us);
    *e = (entry){.text = tgd_table_text(t, row, c->text),
                 .direction = tgd_table_text(t, row, c->direction),
                 .ranks = (int)ranks,
                 .row = row,
                 .us = counts ? us : (double)NAN};
    return status;
}

/* Adds the entries of one cell, which stand beside each other. */
static tg_status add_cell(tgd_side *side, const entry *entries, int count)
{
    tgd_side_cell cell = {.text = entries->text,
                          .direction = entries->direction,
                          .ranks = entries->ranks,
                          .row = entries->row,
                          .us = tgd_resize(NULL, count, sizeof(double)),
                          .launch_row = tgd_resize(NULL, count, sizeof(int))};
    for (int i = 0; i < count; i++) {
        if (isnan(entries[i].us)) {
            cell.left_out++;
            continue;
        }
        cell.row = cell.launches == 0 ? entries[i].row : cell.row;
        cell.launch_row[cell.launches] = entries[i].row;
        cell.us[cell.launches++] = entries[i].us;
    }
    side->left_out += cell.left_out;
    side->cell[side->count++] = cell;
    return cell.launches <= TGD_MOST_VALUES
               ? tg_success()
               : tg_fail(TG_BAD_INPUT,
                         "%.150s line %ld: its cell has %d launches; expected %d at most",
                         side->table->path, side->table->line[cell.row], cell.launches,
                         TGD_MOST_VALUES);
}

/* The cells of the rows of one build; NULL: of all rows. */
static tg_status fill_side(tgd_side *side, const columns *c)
{
    const tgd_table *t = side->table;
    entry *entries = tgd_resize(NULL, t->rows, sizeof *entries);
    int count = 0;
    tg_status status = tg_success();
    for (int row = 0; row < t->rows && status.code == TG_OK; row++)
        if (!side->build || strcmp(tgd_table_text(t, row, c->build), side->build) == 0)
            status = read_entry(t, c, row, &entries[count++]);
    if (status.code == TG_OK && count > 0)
        qsort(entries, (size_t)count, sizeof *entries, by_cell);
    side->cell = tgd_resize(NULL, count, sizeof *side->cell);
    for (int i = 0, next; i < count && status.code == TG_OK; i = next) {
        for (next = i + 1;
             next < count &&
             compare_keys(entries[i].text, entries[i].direction, entries[i].ranks,
                          entries[next].text, entries[next].direction, entries[next].ranks) == 0;)
            next++;
        status = add_cell(side, entries + i, next - i);
    }
    free(entries);
    return status;
}

/* ---- sides ---- */

static tg_status add_side(tgd_sides *sides, int run, const char *name, const char *build,
                          const columns *c)
{
    sides->side = tgd_resize(sides->side, sides->count + 1, sizeof *sides->side);
    tgd_side *side = &sides->side[sides->count++];
    *side = (tgd_side){.name = build ? tgd_format("%s/%s", name, build) : tgd_copy(name),
                       .build = build,
                       .table = &sides->table[run],
                       .record = sides->record[run]};
    return fill_side(side, c);
}

static tg_status add_run(tgd_sides *sides, int run, const char *name)
{
    tgd_table *t = &sides->table[run];
    columns c = {0};
    tg_status status = tgd_cells_read(name, t);
    if (status.code == TG_OK)
        status = find_columns(t, &c);
    if (status.code != TG_OK)
        return status;
    char *path = tgd_format("%s/run.json", name);
    sides->record[run] = json_load_file(path, 0, NULL);
    free(path);
    tgd_words builds = {NULL, 0};
    for (int row = 0; row < t->rows; row++)
        if (!tgd_words_have(&builds, tgd_table_text(t, row, c.build)))
            tgd_words_add(&builds, tgd_table_text(t, row, c.build));
    for (int b = 0; b < builds.count && status.code == TG_OK && builds.count > 1; b++) {
        int row = 0;
        while (strcmp(tgd_table_text(t, row, c.build), builds.word[b]) != 0)
            row++;
        status = add_side(sides, run, name, tgd_table_text(t, row, c.build), &c);
    }
    if (status.code == TG_OK && builds.count <= 1)
        status = add_side(sides, run, name, NULL, &c);
    tgd_words_free(&builds);
    return status;
}

tg_status tgd_sides_read(const tgd_words *runs, tgd_sides *sides)
{
    *sides = (tgd_sides){.table = tgd_resize(NULL, runs->count, sizeof(tgd_table)),
                         .record = tgd_resize(NULL, runs->count, sizeof(json_t *))};
    tg_status status = tg_success();
    while (sides->runs < runs->count && status.code == TG_OK) {
        sides->table[sides->runs] = (tgd_table){.rows = 0};
        sides->record[sides->runs] = NULL;
        sides->runs++;
        status = add_run(sides, sides->runs - 1, runs->word[sides->runs - 1]);
    }
    return status;
}

void tgd_sides_free(tgd_sides *sides)
{
    for (int s = 0; s < sides->count; s++) {
        for (int i = 0; i < sides->side[s].count; i++) {
            free(sides->side[s].cell[i].us);
            free(sides->side[s].cell[i].launch_row);
        }
        free(sides->side[s].cell);
        free(sides->side[s].name);
    }
    for (int r = 0; r < sides->runs; r++) {
        tgd_table_free(&sides->table[r]);
        json_decref(sides->record[r]);
    }
    free(sides->side);
    free(sides->table);
    free(sides->record);
    *sides = (tgd_sides){.runs = 0};
}

tg_status tgd_side_median(const tgd_side *side, const tgd_side_cell *cell, const char *column,
                          double *median)
{
    double values[TGD_MOST_VALUES];
    const int at = tgd_table_column(side->table, column);
    int n = 0;
    for (int i = 0; i < cell->launches; i++) {
        const tg_status status = tgd_table_number(side->table, cell->launch_row[i], at, &values[n]);
        if (status.code != TG_OK)
            return status;
        n += !isnan(values[n]);
    }
    tgb_sort(values, n);
    *median = n > 0 ? tgb_quantile(values, n, 0.5) : (double)NAN;
    return tg_success();
}

/* ---- matches ---- */

tgd_match *tgd_sides_match(const tgd_sides *sides, int *count)
{
    int most = 0;
    for (int s = 1; s < sides->count; s++)
        most += sides->side[0].count + sides->side[s].count;
    tgd_match *matches = tgd_resize(NULL, most, sizeof *matches);
    *count = 0;
    for (int s = 1; s < sides->count; s++) {
        const tgd_side *base = &sides->side[0], *other = &sides->side[s];
        for (int i = 0, j = 0; i < base->count || j < other->count;) {
            const tgd_side_cell *a = i < base->count ? &base->cell[i] : NULL;
            const tgd_side_cell *b = j < other->count ? &other->cell[j] : NULL;
            const int order = !a   ? 1
                              : !b ? -1
                                   : compare_keys(a->text, a->direction, a->ranks, b->text,
                                                  b->direction, b->ranks);
            matches[(*count)++] = (tgd_match){s, order <= 0 ? a : NULL, order >= 0 ? b : NULL};
            i += order <= 0;
            j += order >= 0;
        }
    }
    return matches;
}

const tgd_side_cell *tgd_match_cell(const tgd_match *match)
{
    return match->a ? match->a : match->b;
}

const char *tgd_match_text(const tgd_sides *sides, const tgd_match *match, const char *column)
{
    const tgd_table *t = sides->side[match->a ? 0 : match->other].table;
    return tgd_table_text(t, tgd_match_cell(match)->row, tgd_table_column(t, column));
}

/* ---- what differs ---- */

/* Members of run.json, whole or with all that lies beneath them. Load, times and the launches'
 * records differ always; a campaign's text repeats what its cells say. */
static const char *const members[] = {"version",       "machine", "tgbench",     "launcher",
                                      "blas_core_set", "source",  "environment", "settings",
                                      "order",         "campaign"};
static const char *const left_out[] = {"machine.load_at_start", "campaign.text"};
/* Columns of cells.csv. */
static const char *const said[] = {"build",   "mpi",       "world_size",     "nodes", "ppn",
                                   "threads", "placement", "oversubscribed", "yield", "cache",
                                   "sync",    "start",     "estimator",      "clock", "batch"};

static void add_difference(json_t *list, const char *what, const tgd_words *values)
{
    json_t *array = json_array();
    bool differ = false;
    for (int i = 0; i < values->count; i++) {
        differ = differ || strcmp(values->word[i], values->word[0]) != 0;
        json_array_append_new(array, tgd_json_text(values->word[i]));
    }
    if (differ)
        json_array_append_new(
            list, json_pack("{s:o, s:o}", "what", tgd_json_text(what), "values", array));
    else
        json_decref(array);
}

/* What a side says at "machine.host": a text, or compact JSON; "" where it is not. */
static char *value_at(const json_t *record, const char *path)
{
    tgd_words keys = {NULL, 0};
    for (const char *at = path; *at; at += *at == '.') {
        char *key = strndup(at, strcspn(at, "."));
        tgd_words_add(&keys, key ? key : "");
        free(key);
        at += strcspn(at, ".");
    }
    for (int i = 0; i < keys.count; i++)
        record = json_object_get(record, keys.word[i]);
    tgd_words_free(&keys);
    if (!record)
        return tgd_copy("");
    char *dumped =
        json_is_string(record) ? NULL : json_dumps(record, JSON_ENCODE_ANY | JSON_COMPACT);
    char *text = tgd_copy(json_is_string(record) ? json_string_value(record)
                          : dumped               ? dumped
                                                 : "");
    free(dumped);
    return text;
}

/* All paths beneath a member that some side has; keys with a dot are no members of ours. */
static void add_paths(const json_t *value, const char *path, tgd_words *paths)
{
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        if (strcmp(path, left_out[i]) == 0)
            return;
    if (value && !json_is_object(value) && !tgd_words_have(paths, path))
        tgd_words_add(paths, path);
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)value, key, member)
    {
        char *deeper = tgd_format("%s.%s", path, key);
        if (!strchr(key, '.'))
            add_paths(member, deeper, paths);
        free(deeper);
    }
}

/* The record of a side: of a run with several builds, what it says of the side's own one. */
static json_t *record_of(const tgd_side *side)
{
    json_t *record = side->record ? json_copy((json_t *)side->record) : json_object();
    size_t i;
    json_t *bench;
    json_array_foreach(json_object_get(side->record, "builds"), i, bench)
    {
        const char *name =
            json_string_value(json_object_get(json_object_get(bench, "build"), "name"));
        if (side->build && name && strcmp(name, side->build) == 0)
            json_object_set(record, "tgbench", bench);
    }
    return record;
}

static void add_members(const tgd_sides *sides, json_t *list)
{
    json_t **record = tgd_resize(NULL, sides->count, sizeof(json_t *));
    tgd_words paths = {NULL, 0};
    for (int s = 0; s < sides->count; s++)
        record[s] = record_of(&sides->side[s]);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        for (int s = 0; s < sides->count; s++)
            add_paths(json_object_get(record[s], members[i]), members[i], &paths);
    for (int i = 0; i < paths.count; i++) {
        tgd_words values = {NULL, 0};
        for (int s = 0; s < sides->count; s++) {
            char *value = value_at(record[s], paths.word[i]);
            tgd_words_add(&values, value);
            free(value);
        }
        add_difference(list, paths.word[i], &values);
        tgd_words_free(&values);
    }
    for (int s = 0; s < sides->count; s++)
        json_decref(record[s]);
    tgd_words_free(&paths);
    free(record);
}

/* The texts that a column of a side holds, each once, in the order of its cells. */
static char *column_values(const tgd_side *side, const char *name)
{
    enum { MOST = 8 };
    const int column = tgd_table_column(side->table, name);
    tgd_words seen = {NULL, 0};
    char *text = tgd_copy("");
    for (int i = 0; i < side->count && seen.count < MOST; i++) {
        const char *value = tgd_table_text(side->table, side->cell[i].row, column);
        if (side->cell[i].launches > 0 && !tgd_words_have(&seen, value)) {
            char *longer = tgd_format("%s%s%s", text, seen.count > 0 ? "; " : "", value);
            tgd_words_add(&seen, value);
            free(text);
            text = longer;
        }
    }
    tgd_words_free(&seen);
    return text;
}

json_t *tgd_sides_differences(const tgd_sides *sides)
{
    json_t *list = json_array();
    add_members(sides, list);
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        tgd_words values = {NULL, 0};
        for (int s = 0; s < sides->count; s++) {
            char *value = column_values(&sides->side[s], said[i]);
            tgd_words_add(&values, value);
            free(value);
        }
        add_difference(list, said[i], &values);
        tgd_words_free(&values);
    }
    return list;
}
