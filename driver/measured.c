/* measured.c: reads what the rules of accept look at. Every number is looked at when it is read: a
 * file may come from anywhere. */
#include "driver/measured.h"

#include "bench/case.h"
#include "bench/stats.h"
#include "driver/text.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- numbers ---- */

tg_status tgd_number_in(const tgd_table *t, int row, int column, double lo, double hi,
                        double *value)
{
    const tg_status status = tgd_table_number(t, row, column, value);
    if (status.code != TG_OK || *tgd_table_text(t, row, column) == '\0')
        return status;
    if (*value >= lo && *value <= hi && isfinite(*value))
        return status;
    return tg_fail(TG_BAD_INPUT, "%s line %ld, column %s: '%.60s'; expected a number from %g to %g",
                   t->path, t->line[row], t->name[column], tgd_table_text(t, row, column), lo, hi);
}

tg_status tgd_count_in(const tgd_table *t, int row, int column, int least, int most, int *count)
{
    double value;
    tg_status status = tgd_number_in(t, row, column, least, most, &value);
    if (status.code == TG_OK && !(value == floor(value)))
        status = tg_fail(TG_BAD_INPUT, "%s line %ld, column %s: '%.60s'; expected a whole number",
                         t->path, t->line[row], t->name[column], tgd_table_text(t, row, column));
    *count = status.code == TG_OK ? (int)value : 0;
    return status;
}

/* ---- cells.csv ---- */

enum { TEXTS = 10, COUNTS = 3, NUMBERS = 6, MOST_RANKS = 1 << 20 };
static const char *const text_name[TEXTS] = {"op",     "case",       "direction", "status",
                                             "dtype",  "algorithm",  "shape",     "grid_x",
                                             "grid_y", "t_start_iso"};
static const char *const count_name[COUNTS] = {"cell", "launch", "ranks"};
static const char *const number_name[NUMBERS] = {"t_median_us", "size_bytes",     "moved_bytes",
                                                 "wrong",       "oversubscribed", "slowest_rank"};

static tg_status read_row(const tgd_table *t, int r, const int *at, tgd_row *row)
{
    const char **const texts[TEXTS] = {&row->op,     &row->text,      &row->direction, &row->status,
                                       &row->dtype,  &row->algorithm, &row->shape,     &row->grid_x,
                                       &row->grid_y, &row->started};
    int *const counts[COUNTS] = {&row->cell, &row->launch, &row->ranks};
    double *const numbers[NUMBERS] = {&row->time_us, &row->size_bytes,     &row->moved_bytes,
                                      &row->wrong,   &row->oversubscribed, &row->slowest};
    tg_status status = tg_success();
    for (int i = 0; i < TEXTS; i++)
        *texts[i] = tgd_table_text(t, r, at[i]);
    for (int i = 0; i < COUNTS && status.code == TG_OK; i++)
        status =
            tgd_count_in(t, r, at[TEXTS + i], i == 2, i == 2 ? MOST_RANKS : INT_MAX, counts[i]);
    for (int i = 0; i < NUMBERS && status.code == TG_OK; i++)
        status = tgd_number_in(t, r, at[TEXTS + COUNTS + i], 0, 1e300, numbers[i]);
    row->line = (int)t->line[r];
    return status;
}

static tg_status read_rows(tgd_measured *e)
{
    int at[TEXTS + COUNTS + NUMBERS];
    tg_status status = tg_success();
    for (int i = 0; i < TEXTS + COUNTS + NUMBERS && status.code == TG_OK; i++)
        status = tgd_table_require(&e->table,
                                   i < TEXTS            ? text_name[i]
                                   : i < TEXTS + COUNTS ? count_name[i - TEXTS]
                                                        : number_name[i - TEXTS - COUNTS],
                                   &at[i]);
    if (status.code == TG_OK && e->table.rows == 0)
        status =
            tg_fail(TG_BAD_INPUT, "%s holds no cell; expected one row at least", e->table.path);
    e->row = tgd_resize(NULL, e->table.rows + 1, sizeof *e->row);
    for (; e->rows < e->table.rows && status.code == TG_OK; e->rows++)
        status = read_row(&e->table, e->rows, at, &e->row[e->rows]);
    return status;
}

/* ---- groups ---- */

static int compare_cells(const tgd_row *a, const tgd_row *b)
{
    int order = strcmp(a->text, b->text);
    order = order ? order : strcmp(b->direction, a->direction); /* forward first */
    return order ? order : (a->ranks > b->ranks) - (a->ranks < b->ranks);
}

static int by_cell(const void *left, const void *right)
{
    const tgd_row *a = left, *b = right;
    int order = compare_cells(a, b);
    order = order ? order : (a->launch > b->launch) - (a->launch < b->launch);
    return order ? order : (a->cell > b->cell) - (a->cell < b->cell);
}

static void make_groups(tgd_measured *e)
{
    qsort(e->row, (size_t)e->rows, sizeof *e->row, by_cell);
    e->group = tgd_resize(NULL, e->rows + 1, sizeof *e->group);
    for (int i = 0, next; i < e->rows; i = next) {
        tgd_group *group = &e->group[e->groups++];
        for (next = i + 1; next < e->rows && compare_cells(&e->row[i], &e->row[next]) == 0;)
            next++;
        *group = (tgd_group){.row = &e->row[i], .count = next - i};
        group->value = tgd_resize(NULL, group->count, sizeof *group->value);
        for (int k = 0; k < group->count; k++)
            if (strcmp(group->row[k].status, "ok") == 0 && group->row[k].time_us > 0)
                group->value[group->values++] = group->row[k].time_us;
    }
}

/* ---- the folder ---- */

static tg_status read_record(tgd_measured *e)
{
    json_error_t error;
    char *path = tgd_format("%s/run.json", e->folder);
    tg_status status = tg_success();
    if (access(path, F_OK) == 0) {
        e->record = json_load_file(path, 0, &error);
        if (!json_is_object(e->record))
            status = tg_fail(TG_BAD_INPUT, "%s line %d: %.100s; expected the JSON of a run", path,
                             e->record ? 1 : error.line, e->record ? "no object" : error.text);
    }
    free(path);
    return status;
}

tg_status tgd_measured_read(const char *folder, tgd_measured *e)
{
    struct stat is;
    char *path = tgd_format("%s/cells.csv", folder);
    tg_status status = tg_success();
    *e = (tgd_measured){.folder = tgd_copy(folder)};
    if (stat(folder, &is) != 0 || !S_ISDIR(is.st_mode))
        status = tg_fail(TG_BAD_INPUT, "'%.150s' is not a folder; expected a run folder", folder);
    else if (stat(path, &is) != 0 || !S_ISREG(is.st_mode))
        status =
            tg_fail(TG_BAD_INPUT, "'%.150s' holds no cells.csv; expected a run folder", folder);
    status = status.code == TG_OK ? tgd_table_read(path, &e->table) : status;
    status = status.code == TG_OK ? read_rows(e) : status;
    status = status.code == TG_OK ? read_record(e) : status;
    if (status.code == TG_OK)
        make_groups(e);
    else
        tgd_measured_free(e);
    free(path);
    return status;
}

void tgd_measured_free(tgd_measured *e)
{
    for (int g = 0; g < e->groups; g++) {
        for (int r = 0; e->group[g].rank && r < e->group[g].row->ranks; r++)
            free(e->group[g].rank[r].us);
        free(e->group[g].rank);
        free(e->group[g].value);
    }
    tgd_table_free(&e->table);
    json_decref(e->record);
    free(e->folder);
    free(e->row);
    free(e->group);
    *e = (tgd_measured){.rows = 0};
}

/* ---- samples.csv ---- */

enum { LAUNCH, CELL, RANK, TIME, SAMPLES };
static const char *const sample_name[SAMPLES] = {"launch", "cell", "rank", "t_us"};

typedef struct {
    tgd_measured *e;
    tgd_group **of_cell; /* by the number of a cell; NULL: not wanted */
    int cells;
    int at[SAMPLES]; /* columns; at[LAUNCH] < 0: not looked up yet */
} sample_reader;

static tg_status find_columns(const tgd_table *t, sample_reader *r)
{
    tg_status status = tg_success();
    for (int i = 0; i <= CELL && status.code == TG_OK; i++)
        status = tgd_table_require(t, sample_name[i], &r->at[i]);
    r->at[RANK] = tgd_table_column(t, sample_name[RANK]);
    r->at[TIME] = tgd_table_column(t, sample_name[TIME]);
    r->e->has_ranks = r->at[RANK] >= 0 && r->at[TIME] >= 0;
    return status;
}

static void add_time(tgd_times *times, double us)
{
    if (times->count == times->room) {
        times->room = times->room > 0 ? 2 * times->room : 16;
        times->us = tgd_resize(times->us, times->room, sizeof *times->us);
    }
    times->us[times->count++] = us;
}

static tg_status take_sample(const tgd_table *t, void *context)
{
    sample_reader *r = context;
    int cell, rank;
    double us;
    tg_status status = r->at[LAUNCH] < 0 ? find_columns(t, r) : tg_success();
    if (status.code != TG_OK || !r->e->has_ranks)
        return status;
    status = tgd_count_in(t, 0, r->at[CELL], 0, INT_MAX, &cell);
    tgd_group *group = status.code == TG_OK && cell < r->cells ? r->of_cell[cell] : NULL;
    if (!group)
        return status;
    status = tgd_count_in(t, 0, r->at[RANK], 0, group->row->ranks - 1, &rank);
    if (status.code == TG_OK)
        status = tgd_number_in(t, 0, r->at[TIME], 0, 1e300, &us);
    if (status.code == TG_OK && !isnan(us))
        add_time(&group->rank[rank], us);
    return status;
}

tg_status tgd_measured_ranks(tgd_measured *e, bool (*wanted)(const tgd_group *group))
{
    sample_reader r = {.e = e, .at = {-1, -1, -1, -1}};
    char *path = tgd_format("%s/samples.csv", e->folder);
    tg_status status = tg_success();
    for (int i = 0; i < e->rows; i++)
        r.cells = e->row[i].cell >= r.cells ? e->row[i].cell + 1 : r.cells;
    if (r.cells > 16 * (e->rows + 1024)) /* numbers of cells count them */
        status =
            tg_fail(TG_BAD_INPUT, "%s: a cell has number %d; expected numbers that count cells",
                    e->table.path, r.cells - 1);
    if (status.code == TG_OK && access(path, F_OK) == 0) {
        r.of_cell = calloc((size_t)r.cells, sizeof(tgd_group *));
        for (int g = 0; r.of_cell && g < e->groups; g++) {
            tgd_group *group = &e->group[g];
            if (!wanted(group))
                continue;
            group->rank = calloc((size_t)group->row->ranks, sizeof *group->rank);
            for (int i = 0; group->rank && i < group->count; i++)
                r.of_cell[group->row[i].cell] = group;
        }
        status = r.of_cell ? tgd_table_scan(path, take_sample, &r)
                           : tg_fail(TG_NO_MEMORY, "%s: no memory to read it", path);
    }
    free(r.of_cell);
    free(path);
    return status;
}

/* ---- medians ---- */

static double median_of(const double *values, int count)
{
    if (count == 0)
        return (double)NAN;
    double *sorted = tgd_resize(NULL, count, sizeof *sorted);
    memcpy(sorted, values, (size_t)count * sizeof *sorted);
    tgb_sort(sorted, count);
    const double median = tgb_quantile(sorted, count, 0.5);
    free(sorted);
    return median;
}

double tgd_group_median(const tgd_group *group)
{
    return median_of(group->value, group->values);
}

double tgd_times_median(const tgd_times *times)
{
    return median_of(times->us, times->count);
}

/* ---- names ---- */

char *tgd_row_word(const tgd_row *row, const char *key)
{
    tgb_case words;
    char *value = NULL;
    if (tgb_case_parse(row->text, &words).code != TG_OK)
        return NULL;
    if (tgb_case_get(&words, key))
        value = tgd_copy(tgb_case_get(&words, key));
    tgb_case_free(&words);
    return value;
}

/* The facts of the launch in which a row was measured; NULL: none. */
static const json_t *facts_of(const tgd_measured *e, const tgd_row *row)
{
    const json_t *launches = json_object_get(e->record, "launches");
    for (size_t i = 0; i < json_array_size(launches); i++) {
        const json_t *launch = json_array_get(launches, i);
        if (json_integer_value(json_object_get(launch, "launch")) == row->launch &&
            json_integer_value(json_object_get(launch, "ranks")) == row->ranks &&
            json_object_get(launch, "facts"))
            return json_object_get(launch, "facts");
    }
    return NULL;
}

int tgd_rank_machine(const tgd_measured *e, const tgd_row *row, int rank)
{
    const json_t *place = json_array_get(json_object_get(facts_of(e, row), "ranks"), (size_t)rank);
    const json_t *machine = json_object_get(place, "machine");
    return json_is_integer(machine) && json_integer_value(machine) >= 0 &&
                   json_integer_value(machine) < MOST_RANKS
               ? (int)json_integer_value(machine)
               : -1;
}

char *tgd_machine_name(const tgd_measured *e, const tgd_row *row, int machine)
{
    const json_t *machines = json_object_get(facts_of(e, row), "machines");
    const char *name =
        machine < 0
            ? NULL
            : json_string_value(json_object_get(json_array_get(machines, (size_t)machine), "name"));
    return name ? tgd_copy(name) : tgd_format("machine %d", machine);
}

char *tgd_rank_name(const tgd_measured *e, const tgd_row *row, int rank)
{
    const json_t *place = json_array_get(json_object_get(facts_of(e, row), "ranks"), (size_t)rank);
    const char *binding = json_string_value(json_object_get(place, "binding"));
    const int machine = tgd_rank_machine(e, row, rank);
    if (!binding || machine < 0)
        return tgd_format("rank %d", rank);
    char *host = tgd_machine_name(e, row, machine);
    char *name = tgd_format("rank %d (%s, CPU%s %s)", rank, host, strpbrk(binding, "-,") ? "s" : "",
                            binding);
    free(host);
    return name;
}
