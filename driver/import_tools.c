/* import_tools.c: readers of what other benchmarks print, line by line; one row for each program.
 * Sources: OSU Micro-Benchmarks 7, Intel MPI Benchmarks 2021, nccl-tests 2 as they print. */
#include "driver/import_tools.h"

#include "driver/cells.h"
#include "driver/text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- benchmarks ---- */

/* The whole tensor of one group, in nccl-tests' sense, for the size that a program prints. */
static double same(double size, int ranks)
{
    (void)ranks;
    return size;
}
static double times_ranks(double size, int ranks)
{
    return size * ranks;
}
static double times_ranks_twice(double size, int ranks)
{
    return size * ranks * ranks;
}

/* What a program calls a benchmark, what it is here, and the size of its tensor. A NULL name: the
 * program has none. OSU's and IMB's sizes are of what one rank gives, of MPI_Reduce_scatter the
 * whole vector. */
enum { OSU, IMB, NCCL, PROGRAMS };
static const struct {
    const char *name[PROGRAMS], *op;
    double (*whole)(double size, int ranks), (*whole_of_nccl)(double size, int ranks);
} benchmarks[] = {
    {{"Latency", "PingPong", NULL}, "raw:MPI_Send", same, same},
    {{"Broadcast Latency", "Bcast", "broadcast_perf"}, "raw:MPI_Bcast", same, same},
    {{"Reduce Latency", "Reduce", "reduce_perf"}, "raw:MPI_Reduce", same, same},
    {{"Allreduce Latency", "Allreduce", "all_reduce_perf"}, "raw:MPI_Allreduce", same, same},
    {{"Scatter Latency", "Scatter", "scatter_perf"}, "raw:MPI_Scatter", times_ranks, same},
    {{"Gather Latency", "Gather", "gather_perf"}, "raw:MPI_Gather", times_ranks, same},
    {{"Allgather Latency", "Allgather", "all_gather_perf"}, "raw:MPI_Allgather", times_ranks, same},
    {{"Reduce_scatter Latency", "Reduce_scatter", "reduce_scatter_perf"},
     "raw:MPI_Reduce_scatter",
     same,
     same},
    {{"All-to-All Personalized Exchange Latency", "Alltoall", "alltoall_perf"},
     "raw:MPI_Alltoall",
     times_ranks_twice,
     times_ranks},
};
enum { BENCHMARKS = sizeof benchmarks / sizeof *benchmarks, FIELDS = 16 };

/* ---- a file being read ---- */

typedef struct tool tool;
typedef struct {
    const char *path;
    long line;
    const tool *tool;
    tgd_imported *imported;
    int benchmark; /* -1: none yet, or one that is not read */
    int ranks, given_ranks;
    char *version, *dtype;
} reader;

struct tool {
    const char *name, *sign; /* sign: how a line of it begins */
    tg_status (*comment)(reader *r, const char *text);
    tg_status (*data)(reader *r, char *const *field, int count);
};

static tg_status wrong(const reader *r, const char *expected)
{
    return tg_fail(TG_BAD_INPUT, "%.150s line %ld: expected %s, as %s prints", r->path, r->line,
                   expected, r->tool->name);
}

static void keep(char **text, const char *value)
{
    char *copy = tgd_copy(value);
    copy[strcspn(copy, " \t\r\n")] = '\0';
    free(*text);
    *text = copy;
}

static bool read_number(const char *text, double *value)
{
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*value) && *value >= 0;
}

/* 0: it is none. */
static int read_ranks(const char *text)
{
    const long ranks = strtol(text, NULL, 10);
    return ranks >= 1 && ranks <= 1 << 30 ? (int)ranks : 0;
}

/* ---- rows ---- */

/* What a line says of one cell. */
typedef struct {
    double size, us, min_us, max_us, busbw_GBps; /* NAN: not said */
    bool in_place, wrong;
    const char *estimator;
    double (*whole)(double size, int ranks);
} finding;

static tg_status add_row(reader *r, const finding *f)
{
    if (r->ranks < 1) {
        return tg_fail(
            TG_BAD_INPUT,
            "%.150s line %ld: the file does not say on how many ranks; expected --ranks P", r->path,
            r->line);
    }
    if (!tgd_is_time(f->us))
        return tg_success(); /* 0.00 us: shorter than what is printed, or at size 0 not called */
    const double bytes = f->whole(f->size, r->ranks);
    if (bytes > 0x1p62)
        return wrong(r, "a tensor of less than 4 EiB");
    tgd_imported *all = r->imported;
    all->row = tgd_resize(all->row, all->count + 1, sizeof *all->row);
    tgb_record *row = &all->row[all->count++];
    *row = (tgb_record){{NULL}};
    char *text = tgd_format("%s bytes=%.0f in-place=%s", benchmarks[r->benchmark].op, bytes,
                            f->in_place ? "yes" : "no");
    char *mpi = tgd_format("not said (%s%s%s)", r->tool->name, r->version ? " " : "",
                           r->version ? r->version : "");
    tgb_record_int(row, TGB_COL_schema, TGB_SCHEMA);
    tgb_record_text(row, TGB_COL_build, r->tool->name);
    tgb_record_text(row, TGB_COL_mpi, mpi);
    tgb_record_text(row, TGB_COL_op, benchmarks[r->benchmark].op);
    tgb_record_text(row, TGB_COL_direction, "forward");
    tgb_record_text(row, TGB_COL_case, text);
    tgb_record_text(row, TGB_COL_algorithm, "mpi");
    tgb_record_text(row, TGB_COL_dtype, r->dtype ? r->dtype : "");
    tgb_record_int(row, TGB_COL_in_place, f->in_place);
    tgb_record_int(row, TGB_COL_ranks, r->ranks);
    tgb_record_int(row, TGB_COL_world_size, r->ranks);
    tgb_record_text(row, TGB_COL_scaling, "size");
    tgb_record_int(row, TGB_COL_size_bytes, (long long)bytes);
    tgb_record_int(row, TGB_COL_osu_size_bytes, (long long)f->size);
    tgb_record_text(row, TGB_COL_estimator, f->estimator);
    tgb_record_real(row, TGB_COL_t_median_us, f->us);
    if (strcmp(f->estimator, "mean_of_means") == 0)
        tgb_record_real(row, TGB_COL_osu_avg_us, f->us);
    tgb_record_real(row, TGB_COL_osu_min_us, f->min_us);
    tgb_record_real(row, TGB_COL_osu_max_us, f->max_us);
    tgb_record_real(row, TGB_COL_algbw_GBps, bytes > 0 ? bytes / f->us / 1e3 : (double)NAN);
    tgb_record_real(row, TGB_COL_busbw_GBps, f->busbw_GBps > 0 ? f->busbw_GBps : (double)NAN);
    tgb_record_text(row, TGB_COL_status, f->wrong ? "wrong" : "ok");
    free(text);
    free(mpi);
    return tg_success();
}

/* A size and a time stand in these fields; so do the least and the most, when they are not -1. */
static tg_status read_line(reader *r, char *const *field, int size, int us, int min, int max,
                           const char *estimator)
{
    finding f = {.min_us = (double)NAN,
                 .max_us = (double)NAN,
                 .busbw_GBps = (double)NAN,
                 .estimator = estimator,
                 .whole = benchmarks[r->benchmark].whole};
    if (!read_number(field[size], &f.size) || f.size > 0x1p52 || !read_number(field[us], &f.us) ||
        (min >= 0 && !read_number(field[min], &f.min_us)) ||
        (max >= 0 && !read_number(field[max], &f.max_us)))
        return wrong(r, "numbers: a size and times");
    return add_row(r, &f);
}

/* ---- OSU ---- */

static int find_benchmark(int program, const char *name, size_t length)
{
    for (int i = 0; i < BENCHMARKS; i++) {
        const char *known = benchmarks[i].name[program];
        if (known && strlen(known) == length && strncmp(known, name, length) == 0)
            return i;
    }
    return -1;
}

/* "# OSU MPI Broadcast Latency Test v7.4", "# OSU MPI-CUDA Allreduce Latency Test v7.0" */
static tg_status osu_comment(reader *r, const char *text)
{
    const char *title = strncmp(text, "# OSU MPI", 9) == 0 ? strchr(text + 6, ' ') : NULL;
    const char *test = title ? strstr(title, " Test v") : NULL;
    if (strncmp(text, "# Datatype: ", 12) == 0) {
        keep(&r->dtype, text + 12);
        r->dtype[strcspn(r->dtype, ".")] = '\0';
    }
    if (strncmp(text, "# Processes: ", 13) == 0) /* what tensorgauge export writes */
        r->ranks = read_ranks(text + 13);
    if (!test)
        return tg_success();
    keep(&r->version, test + 6);
    r->benchmark = find_benchmark(OSU, title + 1, (size_t)(test - title - 1));
    if (r->benchmark < 0)
        return wrong(r, "a latency test of one message or a collective");
    r->ranks = r->benchmark == 0 ? 2 : r->given_ranks;
    return tg_success();
}

/* size, mean; with -f: least, most, iterations, and percentiles. */
static tg_status osu_data(reader *r, char *const *field, int count)
{
    if (r->benchmark == 0)
        return count < 2 ? wrong(r, "a size and a time")
                         : read_line(r, field, 0, 1, -1, -1, "half_round_trip");
    if (count != 2 && count < 4)
        return wrong(r, "a size, and one or three times");
    return read_line(r, field, 0, 1, count < 4 ? -1 : 2, count < 4 ? -1 : 3, "mean_of_means");
}

/* ---- IMB ---- */

/* Benchmarks that are not known are passed over: a file has those of a whole suite. */
static tg_status imb_comment(reader *r, const char *text)
{
    if (strncmp(text, "# Benchmarking ", 15) == 0) {
        r->benchmark = find_benchmark(IMB, text + 15, strcspn(text + 15, " "));
        r->ranks = 0;
    }
    if (strncmp(text, "# #processes = ", 15) == 0)
        r->ranks = read_ranks(text + 15);
    return tg_success();
}

static tg_status imb_data(reader *r, char *const *field, int count)
{
    if (r->benchmark < 0)
        return tg_success();
    if (r->benchmark == 0)
        return count < 3 ? wrong(r, "a size, repetitions and a time")
                         : read_line(r, field, 0, 2, -1, -1, "half_round_trip");
    return count < 5 ? wrong(r, "a size, repetitions and three times")
                     : read_line(r, field, 0, 4, 2, 3, "mean_of_means");
}

/* ---- nccl-tests ---- */

/* The name of the test stands in newer versions only, or in the file's name. */
static tg_status nccl_comment(reader *r, const char *text)
{
    if (strncmp(text, "# Collective test starting: ", 28) == 0)
        r->benchmark = find_benchmark(NCCL, text + 28, strcspn(text + 28, " "));
    if (strncmp(text, "# nccl-tests version ", 21) == 0)
        keep(&r->version, text + 21);
    if (strncmp(text, "# Rank ", 7) == 0 && isdigit((unsigned char)text[7]))
        r->ranks++;
    return tg_success();
}

static tg_status nccl_data(reader *r, char *const *field, int count)
{
    if (r->benchmark < 0)
        return wrong(
            r, "\"# Collective test starting: all_reduce_perf\" or another known test before");
    if (count != 13)
        return wrong(r, "13 fields: size count type redop root, twice time algbw busbw #wrong");
    keep(&r->dtype, field[2]);
    tg_status status = tg_success();
    for (int way = 0; way < 2 && status.code == TG_OK; way++) {
        char *const *at = field + 5 + 4 * way;
        if (strcmp(at[0], "N/A") == 0)
            continue;
        finding f = {.min_us = (double)NAN,
                     .max_us = (double)NAN,
                     .in_place = way == 1,
                     .wrong = strcmp(at[3], "0") != 0 && strcmp(at[3], "N/A") != 0,
                     .estimator = "mean_of_batch",
                     .whole = benchmarks[r->benchmark].whole_of_nccl};
        status = read_number(field[0], &f.size) && f.size < 0x1p52 && read_number(at[0], &f.us) &&
                         read_number(at[2], &f.busbw_GBps)
                     ? add_row(r, &f)
                     : wrong(r, "numbers: a size, a time and rates");
    }
    return status;
}

/* ---- files ---- */

static const tool tools[PROGRAMS] = {{"OSU", "# OSU MPI", osu_comment, osu_data},
                                     {"IMB", "# Benchmarking ", imb_comment, imb_data},
                                     {"nccl-tests", "# nThread ", nccl_comment, nccl_data}};

/* Blanks are squeezed, so that comments can be compared. */
static void squeeze(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        const bool blank = isspace((unsigned char)*from);
        if (!blank || (to > text && to[-1] != ' '))
            *to++ = blank ? ' ' : *from;
    }
    if (to > text && to[-1] == ' ')
        to--;
    *to = '\0';
}

static tg_status take_line(reader *r, char *line)
{
    squeeze(line);
    if (*line == '#')
        return r->tool->comment(r, line);
    if (!isdigit((unsigned char)*line)) /* what launchers and libraries say */
        return tg_success();
    char *field[FIELDS], *rest = NULL;
    int count = 0;
    for (char *word = strtok_r(line, " ", &rest); word && count < FIELDS;
         word = strtok_r(NULL, " ", &rest))
        field[count++] = word;
    return r->tool->data(r, field, count);
}

/* The program whose sign stands at the beginning of some line. */
static const tool *recognise(const char *text)
{
    for (const char *at = text; at; at = strchr(at, '\n')) {
        at += strspn(at, " \t\r\n");
        for (int i = 0; i < PROGRAMS; i++)
            if (strncmp(at, tools[i].sign, strlen(tools[i].sign)) == 0)
                return &tools[i];
    }
    return NULL;
}

/* Older nccl-tests do not print which test it is; the file's name may: all_reduce_perf.txt. */
static int benchmark_of_name(const char *path)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    int found = -1;
    size_t longest = 0;
    for (int i = 0; i < BENCHMARKS; i++) {
        const char *known = benchmarks[i].name[NCCL];
        if (known && strlen(known) > longest && strstr(name, known)) {
            found = i;
            longest = strlen(known);
        }
    }
    return found;
}

static tg_status take_text(reader *r, char *text)
{
    tg_status status = tg_success();
    for (char *line = text; line && status.code == TG_OK;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        r->line++;
        status = take_line(r, line);
        line = end ? end + 1 : NULL;
    }
    return status;
}

tg_status tgd_import_file(const char *path, int ranks, tgd_imported *imported)
{
    char *text = tgd_read_file(path);
    if (!text)
        return tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected a text file", path, strerror(errno));
    reader r = {.path = path,
                .tool = recognise(text),
                .imported = imported,
                .benchmark = -1,
                .given_ranks = ranks};
    const int before = imported->count;
    tg_status status = tg_success();
    if (!r.tool)
        status = tg_fail(TG_BAD_INPUT,
                         "'%.150s': expected what OSU Micro-Benchmarks, Intel MPI Benchmarks or "
                         "nccl-tests print",
                         path);
    else if (r.tool == &tools[NCCL])
        r.benchmark = benchmark_of_name(path);
    if (status.code == TG_OK)
        status = take_text(&r, text);
    if (status.code == TG_OK && imported->count == before)
        status = tg_fail(TG_BAD_INPUT, "'%.150s': expected results of a known benchmark of %s",
                         path, r.tool->name);
    free(r.version);
    free(r.dtype);
    free(text);
    return status;
}

void tgd_imported_free(tgd_imported *imported)
{
    for (int i = 0; i < imported->count; i++)
        tgb_record_clear(&imported->row[i]);
    free(imported->row);
    *imported = (tgd_imported){NULL, 0};
}
