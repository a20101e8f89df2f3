/* rows.c: tables line by line: samples.csv may be too large to be held whole. A row is one line: no
 * field that we write holds a line end. */
#include "driver/rows.h"

#include "bench/record.h"
#include "driver/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FIELDS = 256 };

/* ---- lines ---- */

/* The fields of a line; quotes around them and its line end are not part of them. */
typedef struct {
    int count; /* 0: the line has no end, or a quote has none */
    const char *text[MAX_FIELDS];
    size_t length[MAX_FIELDS];
} fields;

static void split(const char *line, fields *f)
{
    const char *end = strchr(line, '\n');
    f->count = 0;
    for (const char *at = line; end && f->count < MAX_FIELDS; at++) {
        const bool quoted = *at == '"';
        const char *start = at += quoted;
        while (at < end && (quoted ? *at != '"' || at[1] == '"' : *at != ','))
            at += quoted && *at == '"' ? 2 : 1;
        f->text[f->count] = start;
        f->length[f->count++] = (size_t)(at - start);
        if (quoted && at >= end)
            f->count = 0;
        at += quoted && at < end;
        if (at >= end)
            return;
    }
}

static bool is_field(const fields *f, int i, const char *text)
{
    return i >= 0 && f->length[i] == strlen(text) && strncmp(f->text[i], text, f->length[i]) == 0;
}

static int find_field(const fields *f, const char *name)
{
    for (int i = 0; i < f->count; i++)
        if (is_field(f, i, name))
            return i;
    return -1;
}

/* ---- what is kept ---- */

typedef struct {
    bool *done; /* by number of the cell */
    int cells;
    bool drop_killed;
    long dropped;
} keeper;

/* The columns of the table being read. */
typedef struct {
    int count, cell, status;
} columns;

static long cell_of(const fields *f, const columns *c, const keeper *k)
{
    const long number = strtol(f->text[c->cell], NULL, 10);
    return number >= 1 && number <= k->cells ? number : 0;
}

static bool keep_cell(const fields *f, const columns *c, keeper *k)
{
    const long number = cell_of(f, c, k);
    if (number == 0 || k->done[number] || (k->drop_killed && is_field(f, c->status, "killed")))
        return false;
    k->done[number] = true;
    return true;
}

static bool keep_of_done(const fields *f, const columns *c, keeper *k)
{
    const long number = cell_of(f, c, k);
    return number > 0 && k->done[number];
}

typedef bool keep_function(const fields *f, const columns *c, keeper *k);

/* The lines of a table that are kept. Its header is one of them; without a whole header nothing is.
 * Returns how many are not. */
static long copy_lines(FILE *in, FILE *out, keep_function *keep, keeper *k)
{
    char *line = NULL;
    size_t size = 0;
    columns c = {0, -1, -1};
    fields f;
    long dropped = 0;
    for (bool is_header = true; getline(&line, &size, in) > 0; is_header = false) {
        split(line, &f);
        if (is_header)
            c = (columns){f.count, find_field(&f, "cell"), find_field(&f, "status")};
        const bool whole = f.count > 0 && f.count == c.count && c.cell >= 0;
        if (whole && (is_header || keep(&f, &c, k)))
            fputs(line, out);
        else
            dropped++;
    }
    free(line);
    return dropped;
}

static tg_status cannot_write(const char *path)
{
    return tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected a file that can be written", path,
                   strerror(errno));
}

static tg_status filter(const char *folder, const char *name, keep_function *keep, keeper *k)
{
    char *path = tgd_format("%s/%s", folder, name), *fresh = tgd_format("%s.new", path);
    tg_status status = tg_success();
    FILE *in = fopen(path, "r"), *out = in ? fopen(fresh, "w") : NULL;
    if (out) {
        const long dropped = copy_lines(in, out, keep, k);
        bool good = fflush(out) == 0 && !ferror(out) && !ferror(in);
        if (dropped > 0)
            good = good && fdatasync(fileno(out)) == 0 && rename(fresh, path) == 0;
        if (!good)
            status = cannot_write(path);
        fclose(out);
        if (!good || dropped == 0)
            unlink(fresh);
        k->dropped += dropped;
    } else if (in || errno != ENOENT) {
        status = cannot_write(path);
    }
    if (in)
        fclose(in);
    free(path);
    free(fresh);
    return status;
}

/* Waits until nobody writes to cells.csv any more. */
static tg_status wait_for_writer(const char *folder)
{
    char *path = tgd_format("%s/cells.csv", folder);
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    tg_status status = tg_success();
    if (fd >= 0 && tgd_lock_is_taken(fd))
        status = tg_fail(TG_BAD_INPUT, "'%.150s' is being written; expected to be alone", path);
    if (fd >= 0)
        close(fd);
    free(path);
    return status;
}

tg_status tgd_rows_repair(const char *folder, const tgd_plan *plan, bool drop_killed, bool *done,
                          long *dropped)
{
    static const char *const others[] = {"samples.csv", "counters.csv", "overlap.csv",
                                         "phases.csv"};
    keeper k = {done, plan->count, drop_killed, 0};
    memset(done, 0, (size_t)(plan->count + 1) * sizeof *done);
    tg_status status = wait_for_writer(folder);
    if (status.code == TG_OK)
        status = filter(folder, "cells.csv", keep_cell, &k);
    if (status.code == TG_OK && drop_killed) {
        tgd_plan_break(plan, done);
        status = filter(folder, "cells.csv", keep_of_done, &k);
    }
    for (int i = 0; i < 4 && status.code == TG_OK; i++)
        status = filter(folder, others[i], keep_of_done, &k);
    *dropped = k.dropped;
    return status;
}

/* ---- a row for a cell that was not finished ---- */

static json_t *killed_row(const char *folder, const tgd_bench *bench, const tgd_cell *cell)
{
    json_t *row = json_copy(cell->resolved);
    const char *slash = strrchr(folder, '/');
    char *now = tgd_utc(false);
    json_object_set_new(row, "schema", json_integer(TGB_SCHEMA));
    json_object_set_new(row, "run_id", json_string(slash ? slash + 1 : folder));
    json_object_set_new(row, "launch", json_integer(cell->launch));
    json_object_set_new(row, "cell", json_integer(cell->number));
    json_object_set_new(row, "build", json_string(tgd_bench_build(bench, "name")));
    json_object_set_new(row, "mpi", json_string(tgd_bench_build(bench, "mpi")));
    json_object_set_new(row, "status", json_string("killed"));
    json_object_set_new(row, "t_start_iso", json_string(now));
    free(now);
    return row;
}

/* The line of an object, by the names of the header's columns. */
static char *line_of(const json_t *row, const char *header)
{
    char *line = NULL;
    size_t size;
    fields f;
    FILE *out = open_memstream(&line, &size);
    split(header, &f);
    for (int i = 0; out && i < f.count; i++) {
        char *name = strndup(f.text[i], f.length[i]);
        const json_t *value = name ? json_object_get(row, name) : NULL;
        free(name);
        if (i > 0)
            putc(',', out);
        if (json_is_integer(value))
            fprintf(out, "%lld", (long long)json_integer_value(value));
        else if (json_is_string(value))
            tgb_csv_field(out, json_string_value(value));
    }
    if (out)
        putc('\n', out);
    return out && fclose(out) == 0 ? line : tgd_copy("");
}

tg_status tgd_rows_add_killed(const char *folder, const tgd_bench *bench, const tgd_cell *cell)
{
    char *path = tgd_format("%s/cells.csv", folder), *header = NULL;
    size_t size = 0;
    tg_status status = tg_success();
    FILE *file = fopen(path, "a+");
    if (file && getline(&header, &size, file) > 0) {
        json_t *row = killed_row(folder, bench, cell);
        char *line = line_of(row, header);
        if (fseek(file, 0, SEEK_END) != 0 || fputs(line, file) < 0 || fflush(file) != 0 ||
            fdatasync(fileno(file)) != 0)
            status = cannot_write(path);
        free(line);
        json_decref(row);
    }
    if (file)
        fclose(file);
    free(header);
    free(path);
    return status;
}
