/* calibration.c: reads the rows of machine operations with libcsv and says what the machine can do.
 * Every number comes from the fastest repetition of a row: a lower bound is made of what was seen
 * at best. Source: bench/README.md, "Bounds". */
#include "bench/calibration.h"

#include "bench/case.h"
#include "bench/record.h"

#include <csv.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct tgb_point {
    const char *op; /* of ops */
    int ranks, busy;
    int messages; /* in one run */
    double size_bytes, t_us, flops;
    char cache[16], dtype[8];
};

static const char one_way[] = "machine:one_way", both_ways[] = "machine:both_ways",
                  stream[] = "machine:stream", copy[] = "machine:copy", triad[] = "machine:triad",
                  gemm[] = "machine:gemm";
static const char *const ops[] = {one_way, both_ways, stream, copy, triad, gemm, NULL};

/* ---- reading ---- */

enum { MOST_BYTES = 64 << 20 }; /* a device that never ends is no calibration */

/* The columns that are read; others may stand there too. */
typedef enum { SCHEMA, OP, CASE, RANKS, SIZE, CACHE, DTYPE, TIME, FLOPS, STATUS, NEEDED } needed;
static const tgb_column_id needed_columns[NEEDED] = {
    TGB_COL_schema, TGB_COL_op,    TGB_COL_case,     TGB_COL_ranks, TGB_COL_size_bytes,
    TGB_COL_cache,  TGB_COL_dtype, TGB_COL_t_min_us, TGB_COL_flops, TGB_COL_status};

typedef struct {
    tgb_calibration *calibration;
    const char *path;
    char **field; /* of the line being read */
    int count, room;
    int columns;    /* of the header; 0: not read yet */
    int at[NEEDED]; /* where they stand */
    long line;
    long rows; /* of machine operations */
    tg_status status;
} reader;

static tg_status no_memory(const reader *r)
{
    return tg_fail(TG_NO_MEMORY, "--calibration %.100s: no memory to read it", r->path);
}

static tg_status wrong_line(const reader *r, const char *expected)
{
    return tg_fail(TG_BAD_INPUT, "--calibration %.100s line %ld: expected %s", r->path, r->line,
                   expected);
}

static void on_field(void *text, size_t length, void *context)
{
    reader *r = context;
    if (r->count == r->room) {
        const int room = 2 * r->room + 64;
        char **grown = realloc(r->field, (size_t)room * sizeof *grown);
        if (!grown) {
            r->status = no_memory(r);
            return;
        }
        r->field = grown;
        r->room = room;
    }
    r->field[r->count] = strndup(text ? text : "", length);
    if (r->field[r->count])
        r->count++;
    else
        r->status = no_memory(r);
}

static tg_status take_header(reader *r)
{
    r->columns = r->count;
    for (int i = 0; i < NEEDED; i++) {
        const char *name = tgb_columns[needed_columns[i]].name;
        r->at[i] = -1;
        for (int c = 0; c < r->count; c++)
            if (strcmp(r->field[c], name) == 0)
                r->at[i] = c;
        if (r->at[i] < 0)
            return tg_fail(TG_BAD_INPUT,
                           "--calibration %.100s line 1: no column %s; expected those of cells.csv",
                           r->path, name);
    }
    return tg_success();
}

/* A number of at least 0, or NAN. */
static double number(const char *text)
{
    char *end;
    const double value = strtod(text, &end);
    return *text && *end == '\0' && isfinite(value) && value >= 0 ? value : NAN;
}

/* The number of a key of the case, or `otherwise` where the case has no such key. */
static tg_status key_of(const char *text, const char *key, long otherwise, int *value)
{
    tgb_case words;
    tg_status status = tgb_case_parse(text, &words);
    if (status.code != TG_OK)
        return status;
    const char *found = tgb_case_get(&words, key);
    if (found)
        status = tgb_parse_int(key, found, 1, INT_MAX, &otherwise);
    *value = (int)otherwise;
    tgb_case_free(&words);
    return status;
}

static tg_status read_point(const reader *r, tgb_point *p)
{
    long ranks = 0;
    const char *text = r->field[r->at[CASE]];
    if (tgb_parse_int("ranks", r->field[r->at[RANKS]], 1, INT_MAX, &ranks).code != TG_OK)
        return wrong_line(r, "ranks of 1 or more");
    p->ranks = (int)ranks;
    p->size_bytes = number(r->field[r->at[SIZE]]);
    p->t_us = number(r->field[r->at[TIME]]);
    p->flops = number(r->field[r->at[FLOPS]]);
    snprintf(p->cache, sizeof p->cache, "%s", r->field[r->at[CACHE]]);
    snprintf(p->dtype, sizeof p->dtype, "%s", r->field[r->at[DTYPE]]);
    if (isnan(p->t_us))
        return wrong_line(r, "a t_min_us of 0 or more");
    if (isnan(p->size_bytes))
        return wrong_line(r, "a size_bytes of 0 or more");
    if (key_of(text, "busy", ranks, &p->busy).code != TG_OK ||
        key_of(text, "messages", 1, &p->messages).code != TG_OK)
        return wrong_line(r, "a case");
    return tg_success();
}

static tg_status take_row(reader *r)
{
    tgb_calibration *c = r->calibration;
    tgb_point point = {.op = NULL};
    if (r->count != r->columns)
        return wrong_line(r, "as many fields as its header has");
    if (strcmp(r->field[r->at[SCHEMA]], "1") != 0)
        return wrong_line(r, "schema 1");
    for (int i = 0; ops[i] && strcmp(r->field[r->at[STATUS]], "ok") == 0; i++)
        if (strcmp(r->field[r->at[OP]], ops[i]) == 0)
            point.op = ops[i];
    if (!point.op)
        return tg_success();
    r->rows++;
    tg_status status = read_point(r, &point);
    if (status.code != TG_OK)
        return status;
    if (point.t_us == 0 || point.size_bytes == 0) /* a simulator takes no time for it; no rate */
        return status;
    tgb_point *grown = realloc(c->point, ((size_t)c->count + 1) * sizeof *grown);
    if (!grown)
        return no_memory(r);
    c->point = grown;
    c->point[c->count++] = point;
    return status;
}

static void on_record(int end, void *context)
{
    reader *r = context;
    (void)end;
    r->line++;
    if (r->status.code == TG_OK)
        r->status = r->columns > 0 ? take_row(r) : take_header(r);
    for (int i = 0; i < r->count; i++)
        free(r->field[i]);
    r->count = 0;
}

static void read_file(reader *r, FILE *file)
{
    struct csv_parser parser;
    char block[4096];
    size_t length, total = 0;
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL) != 0) {
        r->status = no_memory(r);
        return;
    }
    csv_set_blk_size(&parser, MOST_BYTES / 16); /* a field of that length grows in few steps */
    bool good = true;
    while (good && r->status.code == TG_OK && (length = fread(block, 1, sizeof block, file)) > 0) {
        good = csv_parse(&parser, block, length, on_field, on_record, r) == length;
        total += length;
        if (total > MOST_BYTES && r->status.code == TG_OK)
            r->status = tg_fail(TG_BAD_INPUT,
                                "--calibration %.100s: more than %d MiB; expected a smaller file",
                                r->path, MOST_BYTES >> 20);
    }
    good = good && csv_fini(&parser, on_field, on_record, r) == 0;
    csv_free(&parser);
    for (int i = 0; i < r->count; i++)
        free(r->field[i]);
    if (ferror(file) && r->status.code == TG_OK)
        r->status = tg_fail(TG_BAD_INPUT, "--calibration %.100s: %s; expected a CSV file", r->path,
                            strerror(errno));
    r->line++;
    if (!good && r->status.code == TG_OK)
        r->status = wrong_line(r, "CSV, whose quotes are doubled and closed");
}

tg_status tgb_calibration_read(const char *path, tgb_calibration *c)
{
    *c = (tgb_calibration){NULL, 0};
    reader r = {.calibration = c, .path = path, .status = tg_success()};
    FILE *file = fopen(path, "r");
    if (!file)
        return tg_fail(TG_BAD_INPUT, "--calibration %.100s: %s; expected a file as cells.csv", path,
                       strerror(errno));
    read_file(&r, file);
    fclose(file);
    free(r.field);
    if (r.status.code == TG_OK && r.rows == 0)
        r.status = tg_fail(TG_BAD_INPUT,
                           "--calibration %.100s: no row of a machine operation with status ok; "
                           "expected some",
                           path);
    if (r.status.code != TG_OK)
        tgb_calibration_free(c);
    return r.status;
}

void tgb_calibration_free(tgb_calibration *c)
{
    free(c->point);
    *c = (tgb_calibration){NULL, 0};
}

/* ---- rows that serve ---- */

static bool tells_of_messages(const char *op)
{
    return op == one_way || op == both_ways || op == stream;
}

static bool tells_of_memory(const char *op)
{
    return op == copy || op == triad;
}

static bool tells_of_products(const char *op)
{
    return op == gemm;
}

/* The rank count whose rows serve: the cell's own; else the largest below it, for fewer ranks can do no
 * less each; 0: none. */
static int serving_ranks(const tgb_calibration *c, const tgb_whose *whose,
                         bool (*tells)(const char *op))
{
    int best = 0;
    for (int i = 0; i < c->count; i++) {
        const int ranks = c->point[i].ranks;
        if (tells(c->point[i].op) && ranks <= whose->ranks && ranks > best)
            best = ranks;
    }
    return best;
}

/* ---- messages ---- */

/* Both ways at once no message is faster than one way alone. */
double tgb_alpha_us(const tgb_calibration *c, const tgb_whose *whose)
{
    const int ranks = serving_ranks(c, whose, tells_of_messages);
    double alpha_us = NAN;
    for (int i = 0; i < c->count; i++) {
        const tgb_point *p = &c->point[i];
        const double us = p->op == one_way ? p->t_us / 2 : p->op == both_ways ? p->t_us : NAN;
        if (p->ranks == ranks)
            alpha_us = fmin(alpha_us, us); /* fmin passes over NAN */
    }
    return alpha_us;
}

/* A stream of n messages and its answer: two one-way times and n - 1 gaps. */
double tgb_gap_us(const tgb_calibration *c, const tgb_whose *whose)
{
    const int ranks = serving_ranks(c, whose, tells_of_messages);
    const double alpha_us = tgb_alpha_us(c, whose);
    double gap_us = NAN;
    for (int i = 0; i < c->count; i++) {
        const tgb_point *p = &c->point[i];
        if (p->ranks == ranks && p->op == stream && p->messages > 1)
            gap_us = fmin(gap_us, (p->t_us - 2 * alpha_us) / (p->messages - 1));
    }
    return isnan(gap_us) ? NAN : fmin(fmax(gap_us, 0), alpha_us);
}

double tgb_link_GBps(const tgb_calibration *c, const tgb_whose *whose)
{
    const int ranks = serving_ranks(c, whose, tells_of_messages);
    double best = NAN;
    for (int i = 0; i < c->count; i++) {
        const tgb_point *p = &c->point[i];
        const double bytes = p->op == one_way     ? 2 * p->size_bytes
                             : p->op == both_ways ? p->size_bytes
                             : p->op == stream    ? p->messages * p->size_bytes
                                                  : NAN;
        if (p->ranks == ranks)
            best = fmax(best, bytes / p->t_us / 1e3);
    }
    return best;
}

/* ---- memory ---- */

/* Rows that say the same: which cache state (NULL: any), one rank alone or all together. */
typedef struct {
    const tgb_calibration *calibration;
    int ranks;
    const char *cache;
    bool together;
} memory_rows;

static bool is_in(const memory_rows *rows, const tgb_point *p)
{
    return tells_of_memory(p->op) && p->ranks == rows->ranks &&
           p->busy == (rows->together ? p->ranks : 1) &&
           (!rows->cache || strcmp(p->cache, rows->cache) == 0);
}

/* The largest rate at this working set or a larger one: what was reached there can be reached with
 * less, where the cost of a call may hide it. */
static double best_from(const memory_rows *rows, double working_set_bytes)
{
    double best = NAN;
    for (int i = 0; i < rows->calibration->count; i++) {
        const tgb_point *p = &rows->calibration->point[i];
        if (is_in(rows, p) && p->size_bytes >= 0.99 * working_set_bytes) /* N is rounded down */
            best = fmax(best, p->size_bytes / p->t_us / 1e3);
    }
    return best;
}

double tgb_memory_GBps(const tgb_calibration *c, const tgb_whose *whose, bool together,
                       double working_set_bytes)
{
    memory_rows rows = {c, serving_ranks(c, whose, tells_of_memory), whose->cache, together};
    double below = NAN, above = NAN;
    if (isnan(best_from(&rows, 0)))
        rows.cache = NULL;
    for (int i = 0; i < c->count; i++) {
        const double size = c->point[i].size_bytes;
        if (is_in(&rows, &c->point[i]) && size <= working_set_bytes)
            below = fmax(below, size);
        if (is_in(&rows, &c->point[i]) && size >= working_set_bytes)
            above = fmin(above, size);
    }
    if (isnan(below) || isnan(above) || below == above)
        return best_from(&rows, isnan(below) ? 0 : below);
    const double share = log(working_set_bytes / below) / log(above / below);
    return (1 - share) * best_from(&rows, below) + share * best_from(&rows, above);
}

/* ---- products ---- */

double tgb_gemm_GFLOPs(const tgb_calibration *c, const tgb_whose *whose)
{
    const int ranks = serving_ranks(c, whose, tells_of_products);
    double best = NAN;
    for (int i = 0; i < c->count; i++) {
        const tgb_point *p = &c->point[i];
        if (p->op == gemm && p->ranks == ranks && strcmp(p->dtype, whose->dtype) == 0)
            best = fmax(best, p->flops / p->busy / p->t_us / 1e3);
    }
    return best;
}
