/* output.c: cells.csv and samples.csv (RFC 4180). A number has a dot and enough digits to be read
 * back exactly. */
#include "bench/output.h"

#include <errno.h>
#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char samples_header[] =
    "schema,run_id,launch,cell,repetition,t_max_us,slowest_rank,t_min_us,fastest_rank\n";

/* ---- opening ---- */

static tg_status make_folder(const char *dir)
{
    struct stat info;
    if (mkdir(dir, 0777) == 0)
        return tg_success();
    int error = errno;
    if (error == EEXIST && stat(dir, &info) == 0 && S_ISDIR(info.st_mode))
        return tg_success();
    return tg_fail(TG_BAD_INPUT,
                   "--output %.120s: %s; expected a folder, or a new name in a folder that exists",
                   dir, strerror(error));
}

static char *join(const char *dir, const char *name)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", dir, name) >= 0 ? path : NULL;
}

/* The file at its end, with its header as the first line. */
static tg_status open_table(const char *dir, const char *name, const char *header, FILE **file)
{
    char *path = join(dir, name), *line = NULL;
    size_t size = 0;
    tg_status status = tg_success();
    *file = path ? fopen(path, "a+") : NULL;
    if (!*file)
        status =
            tg_fail(TG_BAD_INPUT, "--output %.120s: %s: %s; expected a file that can be written",
                    dir, name, strerror(errno));
    else if (getline(&line, &size, *file) < 0) {
        if (fputs(header, *file) < 0 || fflush(*file) != 0)
            status = tg_fail(TG_BAD_INPUT,
                             "--output %.120s: %s cannot be written: %s; expected room on the disk",
                             dir, name, strerror(errno));
    } else if (strcmp(line, header) != 0)
        status = tg_fail(TG_BAD_INPUT,
                         "--output %.120s: %s has other columns; expected those of schema %d", dir,
                         name, TGB_SCHEMA);
    free(line);
    free(path);
    return status;
}

/* The cell number of a row: its fourth field, after schema, run_id (which may be quoted) and
 * launch. */
static long cell_of_row(const char *row)
{
    bool quoted = false;
    int field = 0;
    for (; *row && field < TGB_COL_cell; row++) {
        quoted = quoted != (*row == '"');
        field += *row == ',' && !quoted;
    }
    return strtol(row, NULL, 10);
}

static long next_number(FILE *cells)
{
    char *line = NULL;
    size_t size = 0;
    long next = 0;
    rewind(cells);
    for (bool header = true; getline(&line, &size, cells) >= 0; header = false)
        if (!header && cell_of_row(line) >= next)
            next = cell_of_row(line) + 1;
    free(line);
    fseek(cells, 0, SEEK_END);
    return next;
}

static char *name_of(const char *dir)
{
    char *real = realpath(dir, NULL), *name = real ? strdup(basename(real)) : NULL;
    free(real);
    return name;
}

tg_status tgb_output_open(const char *dir, tgb_output *output)
{
    *output = (tgb_output){.cells = stdout};
    char *header = tgb_header_line();
    tg_status status = tg_success();
    if (!dir) {
        fputs(header, stdout);
    } else {
        output->cells = NULL;
        status = make_folder(dir);
        if (status.code == TG_OK)
            status = open_table(dir, "cells.csv", header, &output->cells);
        if (status.code == TG_OK)
            status = open_table(dir, "samples.csv", samples_header, &output->samples);
        if (status.code == TG_OK) {
            output->run_id = name_of(dir);
            output->next_cell = next_number(output->cells);
        }
    }
    free(header);
    if (status.code != TG_OK)
        tgb_output_close(output);
    return status;
}

tg_status tgb_output_close(tgb_output *output)
{
    bool good =
        !output->cells || (output->cells == stdout ? fflush(stdout) : fclose(output->cells)) == 0;
    good = (!output->samples || fclose(output->samples) == 0) && good;
    free(output->run_id);
    *output = (tgb_output){.cells = NULL};
    return good ? tg_success()
                : tg_fail(TG_BAD_INPUT, "rows cannot be written; expected room on the disk");
}

/* ---- rows ---- */

static void put_real(FILE *file, double value)
{
    char text[40];
    snprintf(text, sizeof text, "%.15g", value);
    if (strtod(text, NULL) != value)
        snprintf(text, sizeof text, "%.17g", value);
    fprintf(file, ",%s", text);
}

static void put_samples(tgb_output *output, long launch, const char *cell, const tgb_measurement *m)
{
    FILE *file = output->samples;
    for (int i = 0; i < m->samples; i++) {
        const tgb_sample *s = &m->sample[i];
        fprintf(file, "%d,", TGB_SCHEMA);
        tgb_csv_field(file, output->run_id ? output->run_id : "");
        fprintf(file, ",%ld,%s,%d", launch, cell, i);
        put_real(file, s->t_max_us);
        fprintf(file, ",%d", s->slowest);
        put_real(file, s->t_min_us);
        fprintf(file, ",%d\n", s->fastest);
    }
}

static bool flushed(FILE *file)
{
    return fflush(file) == 0 && !ferror(file) && (file == stdout || fdatasync(fileno(file)) == 0);
}

tg_status tgb_output_cell(tgb_output *output, long launch, const tgb_record *row,
                          const tgb_measurement *m)
{
    bool good = true;
    if (output->samples) {
        put_samples(output, launch, row->cell[TGB_COL_cell], m);
        good = flushed(output->samples);
    }
    char *line = tgb_record_line(row);
    good = good && fputs(line, output->cells) >= 0 && flushed(output->cells);
    free(line);
    return good ? tg_success()
                : tg_fail(TG_BAD_INPUT, "rows cannot be written: %s; expected room on the disk",
                          strerror(errno));
}
