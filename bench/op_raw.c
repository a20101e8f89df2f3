/* op_raw.c: calls of the MPI library, and memcpy, with nothing of ours around them: raw:MPI_Bcast
 * and others, as rows of operations. Here are those that copy, or do nothing. Each collective call that
 * MPI 4 can plan once and start many times has a second row, raw:MPI_Bcast_init and others. */
#include "bench/raw.h"

#include <limits.h>
#include <stdio.h>
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

/* ---- blocks of one size ---- */

static ptrdiff_t gcd(ptrdiff_t a, ptrdiff_t b)
{
    return b == 0 ? a : gcd(b, a % b);
}

/* What N is to be a multiple of, for the axes of the shape that are N; 1 where there are none. More than
 * N once it is clear that only 0 will do. */
static ptrdiff_t step_of(const char *shape, ptrdiff_t N, const tg_problem *p)
{
    const tg_layout *const sides[] = {&p->x, &p->y};
    ptrdiff_t step = 1;
    for (int a = 0; a < p->x.ndim; a++) {
        for (int s = 0; s < 2 && shape[0] == 'N' && step <= N; s++) {
            const tg_axis *axis = &sides[s]->axis[a];
            const ptrdiff_t parts = axis->copied ? 1 : axis->parts;
            step = step / gcd(step, parts) * parts;
        }
        shape += strcspn(shape, "x");
        shape += *shape == 'x';
    }
    return step;
}

static tg_status check_equal(const char *name, const tg_layout *layout)
{
    for (int a = 0; a < layout->ndim; a++) {
        ptrdiff_t lo, hi, length = 0;
        for (int i = 0; !layout->axis[a].copied && i < layout->axis[a].parts; i++) {
            tg_axis_owned(&layout->axis[a], i, &lo, &hi);
            if (i > 0 && hi - lo != length)
                return tg_fail(
                    TG_BAD_INPUT,
                    "%s: axis %d has a part of %td entries and one of %td; expected equal "
                    "parts",
                    name, a, length, hi - lo);
            length = hi - lo;
        }
    }
    return tg_success();
}

tg_status tgb_raw_resolve_equal(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    tg_status status = tgb_raw_resolve(words, P, N, setup);
    if (status.code != TG_OK)
        return status;
    const ptrdiff_t over = N % step_of(tgb_case_get(words, "shape"), N, &setup->problem);
    if (over > 0) {
        tg_layout_free(&setup->problem.x);
        tg_layout_free(&setup->problem.y);
        status = tgb_raw_resolve(words, P, N - over, setup);
    }
    if (status.code == TG_OK)
        status = check_equal(setup->operation->name, &setup->problem.x);
    return status.code == TG_OK ? check_equal(setup->operation->name, &setup->problem.y) : status;
}

/* ---- plan and run ---- */

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

void tgb_raw_start_and_wait(tgb_work *work)
{
    if (work->request == MPI_REQUEST_NULL)
        return;
    MPI_Start(&work->request);
    MPI_Wait(&work->request, MPI_STATUS_IGNORE);
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
    {.name = "raw:memcpy",
     .summary = "memcpy on rank 0",
     .formula = "y = x",
     .beside = "repartition",
     .keys = copy_keys,
     .resolve = resolve_memcpy,
     .plan = plan_memcpy,
     .release = free_nothing,
     .run = run_memcpy},
    {.name = "raw:noop",
     .summary = "nothing: two reads of the clock",
     .formula = "y = x",
     .beside = "repartition",
     .keys = copy_keys,
     .resolve = resolve_noop,
     .plan = plan_noop,
     .release = free_nothing,
     .run = run_noop,
     .fill = fill_noop},
    {.name = NULL},
};

/* ---- all of them as operations ---- */

static void fill_row(const tgb_raw_row *raw, tgb_operation *row, tgb_direction *forward)
{
    *forward = (tgb_direction){.name = "forward",
                               .run = raw->run,
                               .fill = raw->fill ? raw->fill : tgb_primitive_fill_forward,
                               .count_wrong = raw->count_wrong ? raw->count_wrong
                                                               : tgb_primitive_wrong_forward,
                               .work_factor = 1};
    *row = (tgb_operation){.name = raw->name,
                           .kind = "raw",
                           .summary = raw->summary,
                           .formula = raw->formula,
                           .adjoint = "-",
                           .source = "MPI 3.1",
                           .directions = forward,
                           .ndirections = 1,
                           .keys = raw->keys,
                           .algorithms = {"mpi"},
                           .primitive = tg_primitive_find(raw->beside),
                           .resolve = raw->resolve,
                           .plan = raw->plan,
                           .load = raw->load ? raw->load : tgb_load_of_layouts,
                           .release = raw->release};
    for (int k = 0; k < TGB_MAX_ALGORITHMS && tg_dtypes[k]; k++)
        row->dtypes[k] = tg_dtypes[k]->name;
}

/* ---- NAME_init: the persistent form of a call ---- */

#ifdef TG_HAVE_PERSISTENT_COLLECTIVES
static const char *const absent = NULL;
#else
static const char *const absent =
    "no persistent collectives in this MPI library; expected one of MPI 4";
#endif

/* Of the row at the same place. */
typedef struct {
    char name[40], summary[120];
    const char *fault; /* NULL: it can be planned */
} init_text;

static tgb_operation rows[TGB_MAX_OPERATIONS];
static init_text texts[TGB_MAX_OPERATIONS];

static tg_status plan_refused(tgb_work *work)
{
    const init_text *text = &texts[work->setup->operation - rows];
    return tg_fail(TG_BAD_INPUT, "%s: %s", text->name, text->fault);
}

static void fill_init_row(const tgb_raw_row *raw, init_text *text, tgb_operation *row,
                          tgb_direction *forward)
{
    const char *call = raw->name + strlen("raw:");
    fill_row(raw, row, forward);
    snprintf(text->name, sizeof text->name, "%s_init", raw->name);
    snprintf(text->summary, sizeof text->summary,
             "%s, planned by %s_init: MPI_Start and MPI_Wait are timed", raw->name, call);
    text->fault = absent ? absent : raw->init_fault;
    forward->run = raw->run_init ? raw->run_init : tgb_raw_start_and_wait;
    row->name = text->name;
    row->summary = text->summary;
    row->source = "MPI 4.0";
    row->bind = raw->init;
    row->plan = text->fault ? plan_refused : raw->plan;
}

void tgb_add_raw(void (*add)(const tgb_operation *row))
{
    enum { LISTS = 4 };
    static const tgb_raw_row *const lists[LISTS] = {tgb_raw_collectives, tgb_raw_vectors,
                                                    tgb_raw_exchanges, tgb_raw_copies};
    static tgb_direction forward[TGB_MAX_OPERATIONS];
    int count = 0;
    for (int i = 0; i < LISTS; i++)
        for (const tgb_raw_row *raw = lists[i]; raw->name; raw++, count++)
            fill_row(raw, &rows[count], &forward[count]);
    for (int i = 0; i < LISTS; i++)
        for (const tgb_raw_row *raw = lists[i]; raw->name; raw++)
            if (raw->init) {
                fill_init_row(raw, &texts[count], &rows[count], &forward[count]);
                count++;
            }
    for (int i = 0; i < count; i++)
        add(&rows[i]);
}
