/* table.c: reads a CSV file line by line with libcsv, so that every error can name its line. */
#include "driver/table.h"

#include <csv.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_COLUMNS = 1000 };

/* What the parser's call-backs fill. */
typedef struct {
    tgd_table *table;
    char *text; /* the fields of the record being read, one behind the other, each with its end */
    size_t used, room;
    size_t *start; /* where each of them begins */
    int count, most;
    long line;          /* of the file, from 1 */
    bool unfinished;    /* the line being read has no line end */
    tgd_take_row *take; /* NULL: rows are kept */
    void *context;      /* of take */
    tg_status status;
} reader;

static tg_status no_memory(const char *path)
{
    return tg_fail(TG_NO_MEMORY, "%s: no memory to read it", path);
}

/* Room for one field more. */
static bool make_room(reader *r, size_t length)
{
    if (r->count == r->most) {
        const int most = r->most > 0 ? 2 * r->most : 64;
        size_t *start = realloc(r->start, (size_t)most * sizeof *start);
        if (!start)
            return false;
        r->start = start;
        r->most = most;
    }
    if (r->room - r->used <= length) {
        const size_t room = 2 * (r->used + length + 1);
        char *text = realloc(r->text, room);
        if (!text)
            return false;
        r->text = text;
        r->room = room;
    }
    return true;
}

static void on_field(void *text, size_t length, void *context)
{
    reader *r = context;
    if (r->status.code != TG_OK)
        return;
    if (!make_room(r, length)) {
        r->status = no_memory(r->table->path);
        return;
    }
    if (length > 0)
        memcpy(r->text + r->used, text, length);
    r->text[r->used + length] = '\0';
    r->start[r->count++] = r->used;
    r->used += length + 1;
}

static void drop_fields(reader *r)
{
    r->count = 0;
    r->used = 0;
}

/* A copy of the fields in one block, which the first of them begins. */
static bool copy_fields(const reader *r, char **field)
{
    char *block = malloc(r->used);
    for (int i = 0; block && i < r->count; i++)
        field[i] = block + r->start[i];
    if (block)
        memcpy(block, r->text, r->used);
    return block != NULL;
}

static tg_status take_header(reader *r)
{
    tgd_table *t = r->table;
    if (r->count > MOST_COLUMNS) {
        return tg_fail(TG_BAD_INPUT, "%s line %ld has %d columns; expected at most %d", t->path,
                       r->line, r->count, MOST_COLUMNS);
    }
    for (int i = 0; i < r->count; i++) {
        for (int j = 0; j < i; j++) {
            if (strcmp(r->text + r->start[i], r->text + r->start[j]) == 0) {
                return tg_fail(TG_BAD_INPUT, "%s line %ld: column '%.60s' stands there twice",
                               t->path, r->line, r->text + r->start[i]);
            }
        }
    }
    t->name = malloc((size_t)r->count * sizeof *t->name);
    if (!t->name || !copy_fields(r, t->name))
        return no_memory(t->path);
    t->columns = r->count;
    return tg_success();
}

/* The only row goes to `take`, and is forgotten. */
static tg_status give_row(reader *r)
{
    tgd_table *t = r->table;
    const tg_status status = r->take(t, r->context);
    free(t->cell[0]);
    t->rows = 0;
    return status;
}

static tg_status take_row(reader *r)
{
    tgd_table *t = r->table;
    if (r->unfinished) /* its last field may be cut off */
        return tg_success();
    if (r->count != t->columns) {
        return tg_fail(TG_BAD_INPUT, "%s line %ld has %d fields; expected %d, as its header",
                       t->path, r->line, r->count, t->columns);
    }
    const size_t rows = (size_t)t->rows, columns = (size_t)t->columns;
    if ((rows & (rows - 1)) == 0) { /* 0, 1, 2, 4, ...: room for as many rows again */
        const size_t room = rows > 0 ? 2 * rows : 1;
        char **cell = realloc(t->cell, room * columns * sizeof *cell);
        t->cell = cell ? cell : t->cell;
        long *line = realloc(t->line, room * sizeof *line);
        t->line = line ? line : t->line;
        if (!cell || !line)
            return no_memory(t->path);
    }
    if (!copy_fields(r, t->cell + rows * columns))
        return no_memory(t->path);
    t->line[t->rows++] = r->line;
    return r->take ? give_row(r) : tg_success();
}

static void on_record(int end, void *context)
{
    (void)end;
    reader *r = context;
    if (r->status.code == TG_OK)
        r->status = r->table->name ? take_row(r) : take_header(r);
    drop_fields(r);
}

/* Blanks around a field belong to it. */
static int never_blank(unsigned char c)
{
    (void)c;
    return 0;
}

enum { FIELD_STEP = 4096 };

/* The parser's buffer for a field doubles, or grows by a line, so that a long field grows in few steps. */
static void set_step(struct csv_parser *parser, size_t line)
{
    size_t step = csv_get_buffer_size(parser);
    step = step < line ? line : step;
    csv_set_blk_size(parser, step < FIELD_STEP ? FIELD_STEP : step);
}

static void read_lines(reader *r, struct csv_parser *parser, FILE *file)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    while (r->status.code == TG_OK && (length = getline(&line, &size, file)) > 0) {
        r->line++;
        r->unfinished = line[length - 1] != '\n';
        set_step(parser, (size_t)length);
        if (csv_parse(parser, line, (size_t)length, on_field, on_record, r) != (size_t)length &&
            r->status.code == TG_OK) {
            r->status = tg_fail(TG_BAD_INPUT, "%s line %ld: a quote stands where CSV has none",
                                r->table->path, r->line);
        }
    }
    free(line);
    if (r->status.code == TG_OK && csv_fini(parser, on_field, on_record, r) != 0 &&
        !r->unfinished) {
        r->status = tg_fail(TG_BAD_INPUT, "%s line %ld: a quoted field does not end",
                            r->table->path, r->line);
    }
}

static tg_status read_table(const char *path, tgd_table *t, tgd_take_row *take, void *context)
{
    memset(t, 0, sizeof *t);
    t->path = strdup(path);
    struct csv_parser parser;
    if (!t->path || csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL) != 0) {
        free(t->path);
        t->path = NULL;
        return no_memory(path);
    }
    csv_set_space_func(&parser, never_blank);
    reader r = {.table = t, .take = take, .context = context, .status = tg_success()};
    FILE *file = fopen(path, "r");
    if (file) {
        read_lines(&r, &parser, file);
        fclose(file);
    } else {
        r.status = tg_fail(TG_BAD_INPUT, "%s: %s; expected a CSV file", path, strerror(errno));
    }
    csv_free(&parser);
    free(r.start);
    free(r.text);
    if (r.status.code == TG_OK && !t->name)
        r.status = tg_fail(TG_BAD_INPUT, "%s is empty; expected a header line", path);
    if (r.status.code != TG_OK)
        tgd_table_free(t);
    return r.status;
}

tg_status tgd_table_read(const char *path, tgd_table *t)
{
    return read_table(path, t, NULL, NULL);
}

tg_status tgd_table_scan(const char *path, tgd_take_row *take, void *context)
{
    tgd_table t;
    const tg_status status = read_table(path, &t, take, context);
    tgd_table_free(&t);
    return status;
}

void tgd_table_free(tgd_table *t)
{
    if (t->columns > 0)
        free(t->name[0]);
    for (int row = 0; row < t->rows; row++)
        free(t->cell[(size_t)row * (size_t)t->columns]);
    free(t->path);
    free(t->name);
    free(t->cell);
    free(t->line);
    memset(t, 0, sizeof *t);
}

void tgd_table_keep(tgd_table *t, const bool *kept)
{
    const size_t columns = (size_t)t->columns;
    int rows = 0;
    for (int row = 0; row < t->rows; row++) {
        char **const from = t->cell + (size_t)row * columns;
        if (!kept[row]) {
            free(*from);
            continue;
        }
        memmove(t->cell + (size_t)rows * columns, from, columns * sizeof *from);
        t->line[rows++] = t->line[row];
    }
    t->rows = rows;
}

int tgd_table_column(const tgd_table *t, const char *name)
{
    for (int i = 0; i < t->columns; i++)
        if (strcmp(t->name[i], name) == 0)
            return i;
    return -1;
}

tg_status tgd_table_require(const tgd_table *t, const char *name, int *column)
{
    *column = tgd_table_column(t, name);
    return *column >= 0 ? tg_success()
                        : tg_fail(TG_BAD_INPUT, "%s line 1: expected a column '%s'", t->path, name);
}

const char *tgd_table_text(const tgd_table *t, int row, int column)
{
    return column < 0 ? "" : t->cell[(size_t)row * (size_t)t->columns + (size_t)column];
}

tg_status tgd_table_number(const tgd_table *t, int row, int column, double *value)
{
    const char *text = tgd_table_text(t, row, column);
    *value = (double)NAN;
    if (*text == '\0')
        return tg_success();
    static locale_t plain; /* made once: a large table holds millions of numbers */
    plain = plain ? plain : newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!plain)
        return no_memory(t->path);
    char *end;
    *value = strtod_l(text, &end, plain);
    return *end == '\0' && isfinite(*value)
               ? tg_success()
               : tg_fail(TG_BAD_INPUT,
                         "%s line %ld, column %s: '%.60s' is not a number; expected one "
                         "with a decimal dot",
                         t->path, t->line[row], t->name[column], text);
}

const char *tgd_row_text(const tgd_table *t, int row, const char *name)
{
    return tgd_table_text(t, row, tgd_table_column(t, name));
}

double tgd_row_number(const tgd_table *t, int row, const char *name)
{
    double value;
    const bool good = tgd_table_number(t, row, tgd_table_column(t, name), &value).code == TG_OK;
    return good ? value : (double)NAN;
}
