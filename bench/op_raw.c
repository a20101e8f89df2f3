/* op_raw.c: calls of the MPI library, and memcpy, with nothing of ours around them: raw:MPI_Bcast
 * and others, as rows of operations. Here are those that copy, or do nothing. */
#include "bench/raw.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the files of raw calls share ---- */

const tgb_key tgb_raw_one_keys[] = {TGB_ONE_LAYOUT, TGB_TYPE, TGB_END};
const tgb_key tgb_raw_two_keys[] = {TGB_TWO_LAYOUTS, TGB_TYPE, TGB_END};

const tg_layout *tgb_raw_x(const tgb_work *work)
{
    return &work->setup->problem.x;
}

const tg_layout *tgb_raw_y(const tgb_work *work)
{
    return &work->setup->problem.y;
}

tg_status tgb_raw_check_count(const tgb_setup *setup)
{
    const ptrdiff_t x = tg_layout_max_held(&setup->problem.x),
                    y = tg_layout_max_held(&setup->problem.y), most = x > y ? x : y;
    if (most <= INT_MAX)
        return tg_success();
    return tg_fail(TG_BAD_INPUT, "%s: a block of %td entries; expected at most %d, an MPI count",
                   setup->operation->name, most, INT_MAX);
}

tg_status tgb_raw_resolve(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    const tg_status status = tgb_primitive_resolve(words, P, N, setup);
    return status.code == TG_OK ? tgb_raw_check_count(setup) : status;
}

static ptrdiff_t held_bytes(const tg_layout *layout, const tgb_work *work)
{
    tg_box held = tg_layout_held(layout, work->rank);
    return tg_box_count(&held) * (ptrdiff_t)work->setup->problem.dtype->size;
}

tg_status tgb_raw_start(tgb_work *work, size_t size)
{
    work->x_bytes = held_bytes(tgb_raw_x(work), work);
    work->y_bytes = held_bytes(tgb_raw_y(work), work);
    work->raw = calloc(1, size);
    const tg_status status = tg_agree(
        work->comm, work->raw ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for a raw call"));
    if (status.code != TG_OK)
        free(work->raw);
    return status;
}

static void free_nothing(tgb_work *work)
{
    (void)work;
}

/* ---- raw:memcpy: one rank's copy, beside a repartition onto the same rank ---- */

static tg_status resolve_memcpy(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    tgb_case one_rank;
    char *text = tgb_case_print(words), grid[4 * TG_MAX_NDIM] = "1";
    if (!text)
        return tg_fail(TG_NO_MEMORY, "no memory for a case");
    tg_status status = tgb_case_parse(text, &one_rank);
    free(text);
    for (const char *c = tgb_case_get(words, "shape"); *c && strlen(grid) + 3 < sizeof grid; c++)
        if (*c == 'x')
            strcat(grid, "x1");
    if (status.code == TG_OK)
        status = tgb_case_set(&one_rank, "from", grid);
    if (status.code == TG_OK)
        status = tgb_case_set(&one_rank, "to", grid);
    if (status.code == TG_OK)
        status = tgb_primitive_resolve(&one_rank, P, N, setup);
    tgb_case_free(&one_rank);
    return status;
}

static tg_status plan_memcpy(tgb_work *work)
{
    work->x_bytes = held_bytes(tgb_raw_x(work), work);
    work->y_bytes = held_bytes(tgb_raw_y(work), work);
    return tg_success();
}

static void run_memcpy(tgb_work *work)
{
    memcpy(work->y, work->x, (size_t)work->x_bytes);
}

/* ---- raw:noop: nothing, on rank 0's buffer: what a time has of the clock and of waiting ---- */

static tg_status resolve_noop(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    tg_status status = resolve_memcpy(words, P, N, setup);
    setup->local = false; /* one a repetition, as operations that communicate */
    return status;
}

static tg_status plan_noop(tgb_work *work)
{
    work->one_buffer = true; /* x is y: right before it is run */
    return plan_memcpy(work);
}

static void run_noop(tgb_work *work)
{
    (void)work;
}

static void fill_noop(tgb_work *work)
{
    tg_fill(&work->setup->problem, TG_X, work->rank, work->seed, work->x);
}

/* ---- rows ---- */

static const tgb_key copy_keys[] = {{"shape", NULL, true}, TGB_TYPE, TGB_END};

const tgb_raw_row tgb_raw_copies[] = {
    {"raw:memcpy",
     "memcpy on rank 0",
     "y = x",
     "repartition",
     copy_keys,
     resolve_memcpy,
     plan_memcpy,
     free_nothing,
     {"forward", run_memcpy, tgb_primitive_fill_forward, tgb_primitive_wrong_forward, 1, NULL,
      NULL}},
    {"raw:noop",
     "nothing: two reads of the clock",
     "y = x",
     "repartition",
     copy_keys,
     resolve_noop,
     plan_noop,
     free_nothing,
     {"forward", run_noop, fill_noop, tgb_primitive_wrong_forward, 1, NULL, NULL}},
    {.name = NULL},
};

static void fill_row(const tgb_raw_row *raw, tgb_operation *row)
{
    *row = (tgb_operation){.name = raw->name,
                           .kind = "raw",
                           .summary = raw->summary,
                           .formula = raw->formula,
                           .adjoint = "-",
                           .source = "MPI 3.1",
                           .directions = &raw->forward,
                           .ndirections = 1,
                           .keys = raw->keys,
                           .algorithms = {"mpi"},
                           .primitive = tg_primitive_find(raw->beside),
                           .resolve = raw->resolve,
                           .plan = raw->plan,
                           .load = tgb_load_of_layouts,
                           .release = raw->release};
    for (int k = 0; k < TGB_MAX_ALGORITHMS && tg_dtypes[k]; k++)
        row->dtypes[k] = tg_dtypes[k]->name;
}

void tgb_add_raw(void (*add)(const tgb_operation *row))
{
    static const tgb_raw_row *const lists[] = {tgb_raw_collectives, tgb_raw_vectors,
                                               tgb_raw_exchanges, tgb_raw_copies};
    static tgb_operation rows[TGB_MAX_OPERATIONS];
    int count = 0;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const tgb_raw_row *raw = lists[i]; raw->name; raw++) {
            fill_row(raw, &rows[count]);
            add(&rows[count++]);
        }
}
