/* output.c: cells.csv and samples.csv (RFC 4180). A number has a dot and enough digits to be read
 * back exactly. */
#include "bench/output.h"

#include "bench/whole.h"

#include <errno.h>
#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAMPLE_COLUMNS                                                                             \
    "schema,run_id,launch,cell,repetition,t_max_us,slowest_rank,t_min_us,fastest_rank"
static const char *const samples_header[] = {SAMPLE_COLUMNS "\n", SAMPLE_COLUMNS ",rank,t_us\n"};

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

/* The file's first line, or its header where it has none yet. */
static tg_status check_header(const char *dir, const char *name, const char *header, FILE *file)
{
    char *line = NULL;
    size_t size = 0;
    tg_status status = tg_success();
    if (getline(&line, &size, file) < 0) {
        if (fputs(header, file) < 0 || fflush(file) != 0)
            status = tg_fail(TG_BAD_INPUT,
                             "--output %.120s: %s cannot be written: %s; expected room on the disk",
                             dir, name, strerror(errno));
    } else if (strcmp(line, header) != 0)
        status = tg_fail(TG_BAD_INPUT,
                         "--output %.120s: %s has other columns; expected those of schema %d", dir,
                         name, TGB_SCHEMA);
    free(line);
    return status;
}

/* The file at its end, with its header as the first line; nobody else writes to it. */
static tg_status open_table(const char *dir, const char *name, const char *header, FILE **file)
{
    char *path = join(dir, name);
    *file = path ? fopen(path, "a+") : NULL;
    free(path);
    if (!*file)
        return tg_fail(TG_BAD_INPUT, "--output %.120s: %s: %s; expected a file that can be written",
                       dir, name, strerror(errno));
    tg_status status = tgb_whole_lock(*file);
    if (status.code != TG_OK)
        return tg_fail(status.code, "--output %.120s: %s: %s", dir, name, status.text);
    tgb_whole_trim(*file);
    status = check_header(dir, name, header, *file);
    if (status.code != TG_OK)
        tgb_whole_give_up(*file);
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

tg_status tgb_output_open(const char *dir, bool raw_all, tgb_output *output)
{
    *output = (tgb_output){.cells = stdout, .raw_all = raw_all};
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
            status = open_table(dir, "samples.csv", samples_header[raw_all], &output->samples);
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
    good = (!output->counters || fclose(output->counters) == 0) && good;
    good = (!output->overlap || fclose(output->overlap) == 0) && good;
    good = (!output->phases || fclose(output->phases) == 0) && good;
    free(output->run_id);
    *output = (tgb_output){.cells = NULL};
    return good ? tg_success()
                : tg_fail(TG_BAD_INPUT, "rows cannot be written; expected room on the disk");
}

/* ---- rows ---- */

static void put_real(FILE *file, double value)
{
    char text[40] = "";
    if (isfinite(value))
        snprintf(text, sizeof text, "%.15g", value);
    if (text[0] && strtod(text, NULL) != value)
        snprintf(text, sizeof text, "%.17g", value);
    fprintf(file, ",%s", text);
}

/* A line without its end. */
static void put_sample(const tgb_output *output, long launch, long cell, int i,
                       const tgb_measurement *m)
{
    FILE *file = output->samples;
    const tgb_sample *s = &m->sample[i];
    fprintf(file, "%d,", TGB_SCHEMA);
    tgb_csv_field(file, output->run_id ? output->run_id : "");
    fprintf(file, ",%ld,%ld,%d", launch, cell, i);
    put_real(file, s->t_max_us);
    fprintf(file, ",%d", s->slowest);
    put_real(file, s->t_min_us);
    fprintf(file, ",%d", s->fastest);
}

static void put_samples(const tgb_output *output, long launch, long cell, const tgb_measurement *m)
{
    for (int i = 0; i < m->samples; i++) {
        put_sample(output, launch, cell, i, m);
        putc('\n', output->samples);
    }
}

/* ---- each rank's own times ---- */

enum { TAG = 2, BLOCK = 1024 };

/* Synchronous: times that nobody waits for yet stay where they are. */
static void send_times(const tgb_team *team, const tgb_measurement *m)
{
    for (int at = 0; at < m->samples; at += BLOCK)
        MPI_Ssend(m->took_ns + at, m->samples - at < BLOCK ? m->samples - at : BLOCK, MPI_UINT64_T,
                  0, TAG, team->comm);
}

static void put_times(const tgb_output *output, const tgb_team *team, int rank, long launch,
                      long cell, const tgb_measurement *m)
{
    uint64_t received[BLOCK];
    for (int i = 0; i < m->samples; i++) {
        const int n = m->samples - i < BLOCK ? m->samples - i : BLOCK;
        if (rank > 0 && i % BLOCK == 0)
            MPI_Recv(received, n, MPI_UINT64_T, rank, TAG, team->comm, MPI_STATUS_IGNORE);
        const uint64_t took_ns = rank > 0 ? received[i % BLOCK] : m->took_ns[i];
        put_sample(output, launch, cell, i, m);
        fprintf(output->samples, ",%d", rank);
        put_real(output->samples, (double)took_ns / 1e3 / m->batch);
        putc('\n', output->samples);
    }
}

void tgb_output_raw(tgb_output *output, const tgb_team *team, long launch, long cell,
                    const tgb_measurement *m)
{
    if (m->status.code != TG_OK)
        return;
    if (team->rank > 0)
        send_times(team, m);
    for (int rank = 0; team->rank == 0 && rank < team->size; rank++)
        put_times(output, team, rank, launch, cell, m);
}

/* ---- the end of a cell ---- */

static bool flushed(FILE *file)
{
    const bool good =
        fflush(file) == 0 && !ferror(file) && (file == stdout || fdatasync(fileno(file)) == 0);
    if (!good && file != stdout)
        tgb_whole_give_up(file);
    return good;
}

tg_status tgb_output_cell(tgb_output *output, long launch, const tgb_record *row,
                          const tgb_measurement *m)
{
    bool good = true;
    if (output->samples) {
        if (!output->raw_all)
            put_samples(output, launch, strtol(row->cell[TGB_COL_cell], NULL, 10), m);
        good = flushed(output->samples);
    }
    char *line = tgb_record_line(row);
    good = good && fputs(line, output->cells) >= 0 && flushed(output->cells);
    free(line);
    return good ? tg_success()
                : tg_fail(TG_BAD_INPUT, "rows cannot be written: %s; expected room on the disk",
                          strerror(errno));
}

/* ---- counters ---- */

static const char counters_header[] = "run_id,launch,cell,event,min,median,max,reason\n";

tg_status tgb_output_open_counters(const char *dir, tgb_output *output)
{
    const tg_status status = open_table(dir, "counters.csv", counters_header, &output->counters);
    if (status.code != TG_OK)
        tgb_output_close(output);
    return status;
}

tg_status tgb_output_counts(tgb_output *output, long launch, long cell,
                            const tgb_counting *counting)
{
    FILE *file = output->counters;
    const tgb_count *count;
    for (int i = 0; (count = tgb_counting_at(counting, i)); i++) {
        tgb_csv_field(file, output->run_id ? output->run_id : "");
        fprintf(file, ",%ld,%ld,", launch, cell);
        tgb_csv_field(file, count->event);
        put_real(file, count->min);
        put_real(file, count->median);
        put_real(file, count->max);
        putc(',', file);
        tgb_csv_field(file, count->reason);
        putc('\n', file);
    }
    return flushed(file)
               ? tg_success()
               : tg_fail(TG_BAD_INPUT, "counters cannot be written: %s; expected room on the disk",
                         strerror(errno));
}

/* ---- overlap ---- */

static const char overlap_header[] =
    "run_id,launch,cell,samples,pure_us,pure_lo_us,pure_hi_us,cpu_us,cpu_lo_us,cpu_hi_us,"
    "both_us,both_lo_us,both_hi_us,overlap_percent,reason\n";

tg_status tgb_output_open_overlap(const char *dir, tgb_output *output)
{
    const tg_status status = open_table(dir, "overlap.csv", overlap_header, &output->overlap);
    if (status.code != TG_OK)
        tgb_output_close(output);
    return status;
}

tg_status tgb_output_overlap(tgb_output *output, long launch, long cell, const tgb_overlap *o)
{
    FILE *file = output->overlap;
    tgb_csv_field(file, output->run_id ? output->run_id : "");
    fprintf(file, ",%ld,%ld,%d", launch, cell, o->samples);
    for (int kind = 0; kind < TGB_OVERLAP_TIMES; kind++) {
        put_real(file, o->reason ? (double)NAN : o->times[kind].median);
        put_real(file, o->reason ? (double)NAN : o->times[kind].ci_lo);
        put_real(file, o->reason ? (double)NAN : o->times[kind].ci_hi);
    }
    put_real(file, o->reason ? (double)NAN : o->percent);
    putc(',', file);
    tgb_csv_field(file, o->reason ? o->reason : "");
    putc('\n', file);
    return flushed(file) ? tg_success()
                         : tg_fail(TG_BAD_INPUT,
                                   "overlap.csv cannot be written: %s; expected room on the disk",
                                   strerror(errno));
}

/* ---- phases ---- */

static const char phases_header[] = "run_id,launch,cell,phase,min_us,median_us,max_us\n";

tg_status tgb_output_open_phases(const char *dir, tgb_output *output)
{
    const tg_status status = open_table(dir, "phases.csv", phases_header, &output->phases);
    if (status.code != TG_OK)
        tgb_output_close(output);
    return status;
}

tg_status tgb_output_phases(tgb_output *output, long launch, long cell, const tgb_breakdown *b)
{
    FILE *file = output->phases;
    for (int row = 0; row < TGB_BREAKDOWN_ROWS; row++) {
        tgb_csv_field(file, output->run_id ? output->run_id : "");
        fprintf(file, ",%ld,%ld,%s", launch, cell, tgb_breakdown_names[row]);
        put_real(file, b->reason ? (double)NAN : b->row[row].min);
        put_real(file, b->reason ? (double)NAN : b->row[row].median);
        put_real(file, b->reason ? (double)NAN : b->row[row].max);
        putc('\n', file);
    }
    return flushed(file) ? tg_success()
                         : tg_fail(TG_BAD_INPUT,
                                   "phases.csv cannot be written: %s; expected room on the disk",
                                   strerror(errno));
}
