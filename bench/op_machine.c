/* op_machine.c: what a machine can do, as operations: messages between pairs of ranks, copy and
 * triad in memory, a matrix product, a quantum of arithmetic. They are measured as all others are,
 * and bounds are made from some (calibration.c). The first `busy` ranks work, the others wait;
 * messages go between the mates of each row (mates.h). size_bytes is what one message carries, and for the others all that a rank reads
 * and writes: its working set. Bytes are counted as in J. McCalpin's STREAM. */
#include "bench/kernels.h"
#include "bench/mates.h"
#include "bench/pairs.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_MESSAGES = 4096 };

typedef struct {
    const char *name, *summary, *formula, *algorithm;
    const tgb_key *keys;
    int inputs; /* tensors in x; y is one */
    int least;  /* ranks that it needs; 2: it works in pairs */
    int trips;  /* of the tensor in one run; 0: the key messages says it */
    bool odd;   /* an odd number of ranks may work */
    bool matrices;
    tgb_find_mates *mates; /* NULL: nothing is sent */
    const tgb_kernel *kernel;
} machine_row;

/* ---- rows ---- */

/* clang-format off */
#define SIZE_AND_RANKS {"shape", NULL, true}, {"busy", "all", false}
/* clang-format on */
static const tgb_key pair_keys[] = {
    SIZE_AND_RANKS, {"dtype", "f32", false}, {"algorithm", "mpi", false}, TGB_END};
static const tgb_key round_keys[] = {SIZE_AND_RANKS,
                                     {"dtype", "f32", false},
                                     {"algorithm", "mpi", false},
                                     {"round", NULL, false},
                                     TGB_END};
static const tgb_key stream_keys[] = {SIZE_AND_RANKS,
                                      {"messages", "16", false},
                                      {"dtype", "f32", false},
                                      {"algorithm", "mpi", false},
                                      TGB_END};
static const tgb_key memory_keys[] = {
    SIZE_AND_RANKS, {"dtype", "f32", false}, {"algorithm", "reference", false}, TGB_END};
static const tgb_key gemm_keys[] = {
    SIZE_AND_RANKS, {"dtype", "f32", false}, {"algorithm", "openblas", false}, TGB_END};

static const machine_row machine_rows[] = {
    {.name = "machine:one_way",
     .summary = "a message from rank 2i to 2i + 1 and back; one way is half of the time",
     .formula = "y = x of rank 2i",
     .algorithm = "mpi",
     .keys = pair_keys,
     .inputs = 1,
     .least = 2,
     .trips = 2,
     .mates = tgb_mates_next,
     .kernel = &tgb_kernel_one_way},
    {.name = "machine:both_ways",
     .summary = "messages between ranks 2i and 2i + 1, both ways at once",
     .formula = "y = x of the partner",
     .algorithm = "mpi",
     .keys = pair_keys,
     .inputs = 1,
     .least = 2,
     .trips = 1,
     .mates = tgb_mates_next,
     .kernel = &tgb_kernel_both_ways},
    {.name = "machine:stream",
     .summary = "several messages from rank 2i to 2i + 1, all under way together",
     .formula = "y = x of rank 2i",
     .algorithm = "mpi",
     .keys = stream_keys,
     .inputs = 1,
     .least = 2,
     .mates = tgb_mates_next,
     .kernel = &tgb_kernel_stream},
    {.name = "machine:pairs",
     .summary = "one_way in one of the rounds in which each two ranks meet once",
     .formula = "y = x of the lower rank",
     .algorithm = "mpi",
     .keys = round_keys,
     .inputs = 1,
     .least = 2,
     .trips = 2,
     .odd = true,
     .mates = tgb_mates_round,
     .kernel = &tgb_kernel_one_way},
    {.name = "machine:bisection",
     .summary = "both_ways between rank i and the one half of the ranks further",
     .formula = "y = x of the partner",
     .algorithm = "mpi",
     .keys = pair_keys,
     .inputs = 1,
     .least = 2,
     .trips = 1,
     .mates = tgb_mates_opposite,
     .kernel = &tgb_kernel_both_ways},
    {.name = "machine:permutation",
     .summary = "each rank to the next one of a random cycle, all at once",
     .formula = "y = x of the one before",
     .algorithm = "mpi",
     .keys = pair_keys,
     .inputs = 1,
     .least = 2,
     .trips = 1,
     .odd = true,
     .mates = tgb_mates_permutation,
     .kernel = &tgb_kernel_both_ways},
    {.name = "machine:copy",
     .summary = "memcpy on each rank; its size is the working set",
     .formula = "y = x",
     .algorithm = "reference",
     .keys = memory_keys,
     .inputs = 1,
     .least = 1,
     .trips = 1,
     .kernel = &tgb_kernel_copy},
    {.name = "machine:triad",
     .summary = "two reads and a write on each rank; its size is the working set",
     .formula = "y = b + 3 c, x = (b, c)",
     .algorithm = "reference",
     .keys = memory_keys,
     .inputs = 2,
     .least = 1,
     .trips = 1,
     .kernel = &tgb_kernel_triad},
    {.name = "machine:gemm",
     .summary = "a product of square matrices on each rank",
     .formula = "y = a b, x = (a, b)",
     .algorithm = "openblas",
     .keys = gemm_keys,
     .inputs = 2,
     .least = 1,
     .trips = 1,
     .matrices = true,
     .kernel = &tgb_kernel_gemm},
    {.name = "machine:quantum",
     .summary = "the same arithmetic each time, in registers: what takes longer was interrupted",
     .formula = "y = 1000 steps of a linear congruence from each entry of x",
     .algorithm = "reference",
     .keys = memory_keys,
     .inputs = 1,
     .least = 1,
     .trips = 1,
     .kernel = &tgb_kernel_quantum},
};
enum { ROWS = sizeof machine_rows / sizeof *machine_rows };
static tgb_operation operations[ROWS];
static tgb_direction forward[ROWS];

static const machine_row *row_of(const tgb_setup *setup)
{
    return &machine_rows[setup->operation - operations];
}

/* ---- words ---- */

/* `all`, or a number that the operation can use: whole pairs where none may be left over. */
static tg_status parse_busy(const tgb_case *words, int P, const machine_row *row, long *busy)
{
    const char *text = tgb_case_get(words, "busy");
    if (P < row->least)
        return tg_fail(TG_BAD_INPUT, "%s on %d rank: expected %d ranks or more", row->name, P,
                       row->least);
    const int multiple = row->odd ? 1 : row->least;
    *busy = P - P % multiple;
    if (!text || strcmp(text, "all") == 0)
        return tg_success();
    tg_status status = tgb_parse_int("busy", text, row->least, P, busy);
    if (status.code == TG_OK && *busy % multiple != 0)
        status = tg_fail(TG_BAD_INPUT, "busy=%.40s: expected an even number or all", text);
    return status;
}

static tg_status parse_messages(const tgb_case *words, const machine_row *row, int *trips)
{
    const char *text = tgb_case_get(words, "messages");
    long messages = row->trips;
    tg_status status = tg_success();
    if (row->trips == 0)
        status = tgb_parse_int("messages", text ? text : "16", 1, MOST_MESSAGES, &messages);
    *trips = (int)messages;
    return status;
}

/* Which round, where the row has rounds; else 0. */
static tg_status parse_round(const tgb_case *words, long busy, const machine_row *row, long *round)
{
    *round = 0;
    if (row->keys != round_keys)
        return tg_success();
    return tgb_parse_int("round", tgb_case_get(words, "round"), 1, tgb_pair_rounds((int)busy),
                         round);
}

/* The tensor that each busy rank holds, as a layout of copies. */
static tg_status parse_tensor(const tgb_case *words, long busy, int P, ptrdiff_t N,
                              tg_layout *layout)
{
    const char *shape = tgb_case_get(words, "shape");
    char grid[32 + 2 * TG_MAX_NDIM];
    int length = snprintf(grid, sizeof grid, "%ldc", busy);
    for (const char *c = shape; *c && length + 3 < (int)sizeof grid; c++)
        if (*c == 'x')
            length += snprintf(grid + length, sizeof grid - (size_t)length, "x1");
    return tg_layout_parse(&(tg_layout_words){.shape = shape, .grid = grid}, P, N, layout);
}

static tg_status check_tensor(const machine_row *row, const tg_layout *layout)
{
    const bool square = layout->ndim == 2 && layout->axis[0].extent == layout->axis[1].extent;
    if (row->matrices && !square)
        return tg_fail(TG_BAD_INPUT, "%s: expected a shape of two equal extents, as in shape=NxN",
                       row->name);
    if (row->least == 2 && tg_layout_count(layout) > INT_MAX)
        return tg_fail(TG_BAD_INPUT, "%s: %td entries; expected at most %d, an MPI count",
                       row->name, tg_layout_count(layout), INT_MAX);
    return tg_success();
}

static void write_facts(const machine_row *row, tgb_setup *setup)
{
    const ptrdiff_t tensor =
        tg_layout_count(&setup->problem.x) * (ptrdiff_t)setup->problem.dtype->size;
    const int busy = tg_layout_size(&setup->problem.x);
    const bool crosses = row->least == 2;
    setup->held_x_bytes = row->inputs * tensor;
    setup->held_y_bytes = tensor * (row->trips == 0 ? setup->trips : 1);
    setup->size_bytes = crosses ? tensor : (row->inputs + 1) * tensor;
    setup->moved_bytes = crosses ? busy * (tensor / 2) * (row->trips == 0 ? setup->trips : 2) : 0;
    setup->max_rank_bytes = crosses ? tensor : 0;
    setup->weak_part = (double)tgb_held_bytes(setup);
    setup->local = !crosses;
}

static tg_status write_words(const machine_row *row, const char *shape, int busy, long round,
                             tgb_setup *setup)
{
    char number[3][32];
    snprintf(number[0], sizeof number[0], "%d", busy);
    snprintf(number[1], sizeof number[1], "%d", setup->trips);
    snprintf(number[2], sizeof number[2], "%ld", round);
    const struct {
        const char *key, *value;
    } texts[] = {{"shape", shape},
                 {"busy", number[0]},
                 {"messages", number[1]},
                 {"round", number[2]},
                 {"dtype", setup->problem.dtype->name},
                 {"algorithm", setup->algorithm}};
    tg_status status = tg_success();
    for (const tgb_key *key = row->keys; key->name; key++)
        for (size_t i = 0; i < sizeof texts / sizeof *texts && status.code == TG_OK; i++)
            if (strcmp(key->name, texts[i].key) == 0)
                status = tgb_case_set(&setup->words, key->name, texts[i].value);
    return status;
}

static tg_status resolve(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    const machine_row *row = row_of(setup);
    tg_layout *x = &setup->problem.x;
    char shape[32 * TG_MAX_NDIM];
    long busy, round = 0;
    tg_status status = parse_busy(words, P, row, &busy);
    if (status.code == TG_OK)
        status = parse_round(words, busy, row, &round);
    if (status.code == TG_OK)
        status = parse_messages(words, row, &setup->trips);
    if (status.code == TG_OK)
        status = parse_tensor(words, busy, P, N, x);
    if (status.code == TG_OK)
        status = check_tensor(row, x);
    if (status.code == TG_OK)
        status = tg_layout_copy(x, &setup->problem.y);
    if (status.code != TG_OK)
        return status;
    write_facts(row, setup);
    tg_layout_print_shape(x, shape, sizeof shape);
    return write_words(row, shape, (int)busy, round, setup);
}

/* ---- plan and free ---- */

static tg_status plan_mates(tgb_work *work, bool works)
{
    const tgb_setup *setup = work->setup;
    const machine_row *row = row_of(setup);
    tgb_mates *mates = calloc(1, sizeof *mates + (size_t)setup->trips * sizeof(MPI_Request));
    work->raw = mates;
    if (!mates)
        return tg_fail(TG_NO_MEMORY, "no memory for %d messages", setup->trips);
    mates->to = mates->from = MPI_PROC_NULL;
    mates->requests = (MPI_Request *)(mates + 1);
    return works && row->mates ? row->mates(work, tg_layout_size(&setup->problem.x), mates)
                               : tg_success();
}

static tg_status plan(tgb_work *work)
{
    const tgb_setup *setup = work->setup;
    const bool works = work->rank < tg_layout_size(&setup->problem.x);
    work->x_bytes = works ? setup->held_x_bytes : 0;
    work->y_bytes = works ? setup->held_y_bytes : 0;
    tg_status status = plan_mates(work, works);
    if (row_of(setup)->matrices &&
        !tgl_multiply(setup->algorithm, setup->problem.dtype, 0, NULL, NULL, NULL))
        status = tg_fail(TG_BAD_INPUT, "machine:gemm: %s has no product for %s", setup->algorithm,
                         setup->problem.dtype->name);
    status = tg_agree(work->comm, status);
    if (status.code != TG_OK)
        free(work->raw);
    return status;
}

static void free_work(tgb_work *work)
{
    free(work->raw);
}

/* Of a product, the library that is not in every build. */
static const char *second_algorithm(const machine_row *row)
{
    return row->matrices && tgl_multiply("onednn", tg_dtype_find("f32"), 0, NULL, NULL, NULL)
               ? "onednn"
               : NULL;
}

void tgb_add_machine(void (*add)(const tgb_operation *row))
{
    for (int i = 0; i < ROWS; i++) {
        const machine_row *row = &machine_rows[i];
        forward[i] = (tgb_direction){
            "forward", row->kernel->run, tgb_kernel_fill, row->kernel->count_wrong, 1, NULL, NULL};
        operations[i] = (tgb_operation){.name = row->name,
                                        .kind = "machine",
                                        .summary = row->summary,
                                        .formula = row->formula,
                                        .adjoint = "-",
                                        .source = "bench/README.md",
                                        .directions = &forward[i],
                                        .ndirections = 1,
                                        .keys = row->keys,
                                        .algorithms = {row->algorithm, second_algorithm(row)},
                                        .dtypes = {"f32", "f64"},
                                        .resolve = resolve,
                                        .plan = plan,
                                        .flops = row->kernel->flops,
                                        .messages = row->kernel->messages,
                                        .release = free_work};
        add(&operations[i]);
    }
}
