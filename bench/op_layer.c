/* op_layer.c: every layer as an operation: forward and backward; and, as kernel:NAME with the same
 * words, what one rank of it computes, without communication: the block of the rank with most, on
 * every rank that takes part. The tensor that --sizes counts is
 * x, the parameters and y together. Weak scaling holds the floating-point operations of the busiest
 * rank at those that one rank alone has for the size; a layer without any holds its x. The adjoint
 * of a linear layer is checked by <dy, y> = <dx, x> + <db, b>, which holds for any parameters. */
#include "bench/operation.h"

#include <stdio.h>
#include <string.h>

/* ---- words ---- */

static tg_status read_words(const tgb_case *c, const tgl_kind *kind, ptrdiff_t N, tgl_words *words)
{
    tg_status status = tg_success();
    for (const tgl_key *key = kind->keys; key->name && status.code == TG_OK; key++) {
        const char *value = tgb_case_get(c, key->name);
        if (value)
            status = key->sized ? tgl_words_set_sized(words, key->name, value, N)
                                : tgl_words_set(words, key->name, value);
    }
    return status;
}

/* ---- facts ---- */

static tg_status load(const tgb_setup *setup, tgb_load *l)
{
    const tgl_facts *facts = &setup->layer.facts;
    l->group[0] = facts->group[0];
    l->group[1] = facts->group[1];
    l->memory_most = facts->entries_most * (double)setup->problem.dtype->size;
    l->flops = facts->busiest_flops;
    return tg_success();
}

/* The whole layer's; a kernel is sized as the layer that it belongs to. */
static void write_facts(const tgl_problem *whole, tgb_setup *setup)
{
    const tgl_facts *facts = &whole->facts;
    const tg_layout *x = &setup->problem.x, *y = &setup->problem.y;
    const ptrdiff_t size = (ptrdiff_t)setup->problem.dtype->size;
    setup->size_bytes =
        (tg_layout_count(&whole->x) + tg_layout_count(&whole->y) + facts->parameters) * size;
    setup->held_x_bytes = tg_layout_max_held(x) * size;
    setup->held_y_bytes = tg_layout_max_held(y) * size;
    setup->flops = facts->flops;
    setup->weak_goal = facts->flops;
    setup->weak_part = facts->busiest_flops;
    if (facts->flops <= 0) {
        setup->weak_goal = (double)(tg_layout_count(x) * size);
        setup->weak_part = (double)setup->held_x_bytes;
    }
    setup->local = setup->ranks == 1;
}

static const char kernel_prefix[] = "kernel:";

static bool is_kernel(const tgb_operation *operation)
{
    return strncmp(operation->name, kernel_prefix, strlen(kernel_prefix)) == 0;
}

static const tgl_kind *kind_of(const tgb_operation *operation)
{
    return tgl_kind_find(operation->name + (is_kernel(operation) ? strlen(kernel_prefix) : 0));
}

static tg_status resolve_whole(const tgb_case *words, int P, ptrdiff_t N,
                               const tgb_operation *operation, tgl_problem *whole)
{
    const tgl_kind *kind = kind_of(operation);
    tgl_words given = {.count = 0};
    tg_status status = read_words(words, kind, N, &given);
    if (status.code == TG_OK)
        status = tgl_resolve(kind, &given, P, whole);
    tgl_words_free(&given);
    return status;
}

/* What was resolved as setup->layer, as far as an operation shows it; words are those of the whole. */
static tg_status show(const tgl_problem *whole, tgb_setup *setup)
{
    tg_status status = tg_layout_copy(&setup->layer.x, &setup->problem.x);
    if (status.code == TG_OK)
        status = tg_layout_copy(&setup->layer.y, &setup->problem.y);
    for (int i = 0; status.code == TG_OK && i < whole->words.count; i++)
        status = tgb_case_set(&setup->words, whole->words.word[i].key, whole->words.word[i].value);
    if (status.code == TG_OK)
        write_facts(whole, setup);
    return status;
}

static tg_status resolve(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    tg_status status = resolve_whole(words, P, N, setup->operation, &setup->layer);
    return status.code == TG_OK ? show(&setup->layer, setup) : status;
}

static tg_status resolve_kernel(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    tgl_problem whole = {.kind = NULL};
    tgl_words alone = {.count = 0};
    tg_status status = resolve_whole(words, P, N, setup->operation, &whole);
    if (status.code == TG_OK)
        status = whole.kind->alone(&whole, &alone);
    if (status.code == TG_OK)
        status = tgl_resolve(whole.kind, &alone, 1, &setup->layer);
    if (status.code == TG_OK)
        status = show(&whole, setup);
    setup->flops = setup->layer.facts.flops * P;
    setup->local = true;
    tgl_words_free(&alone);
    tgl_problem_free(&whole);
    return status;
}

/* ---- work ---- */

static tg_status plan(tgb_work *work)
{
    const tgb_setup *setup = work->setup;
    const ptrdiff_t size = (ptrdiff_t)setup->problem.dtype->size;
    const bool alone = is_kernel(setup->operation);
    tg_status status = tg_agree(
        work->comm, tgl_plan(alone ? MPI_COMM_SELF : work->comm, &setup->layer, &work->layer));
    if (status.code != TG_OK)
        tgl_free(&work->layer);
    const int rank = alone ? 0 : work->rank;
    tg_box x = tg_layout_held(&setup->problem.x, rank), y = tg_layout_held(&setup->problem.y, rank);
    work->x_bytes = tg_store_entries(&setup->layer.store_x, &x) * size;
    work->y_bytes = tg_store_entries(&setup->layer.store_y, &y) * size;
    return status;
}

static void free_work(tgb_work *work)
{
    tgl_free(&work->layer);
}

static void run_forward(tgb_work *work)
{
    tgl_forward(work->layer, work->x, work->y);
}

static void run_backward(tgb_work *work)
{
    tgl_backward(work->layer, work->x, work->dy, work->dx);
}

static void fill_forward(tgb_work *work)
{
    tgl_fill(work->layer, work->seed, work->x, work->dy);
    memset(work->y, TGB_NOTHING_RIGHT, (size_t)work->y_bytes);
}

/* backward takes the x of the last forward again: there must be one. */
static void fill_backward(tgb_work *work)
{
    fill_forward(work);
    tgl_forward(work->layer, work->x, work->y);
    memset(work->dx, TGB_NOTHING_RIGHT, (size_t)work->x_bytes);
}

static ptrdiff_t wrong_forward(tgb_work *work)
{
    return tgl_count_wrong_forward(work->layer, work->seed, work->y);
}

static ptrdiff_t wrong_backward(tgb_work *work)
{
    return tgl_count_wrong_backward(work->layer, work->seed, work->dx);
}

static double dot(const tg_dtype *dtype, ptrdiff_t count, const void *a, const void *b)
{
    double sum = 0;
    for (ptrdiff_t i = 0; i < count; i++)
        sum += dtype->get(a, i) * dtype->get(b, i);
    return sum;
}

static double adjoint_gap(tgb_work *work)
{
    const tg_dtype *dtype = work->setup->problem.dtype;
    const ptrdiff_t nx = work->x_bytes / (ptrdiff_t)dtype->size,
                    ny = work->y_bytes / (ptrdiff_t)dtype->size;
    fill_backward(work);
    run_backward(work);
    tgb_products sum = {.left = dot(dtype, ny, work->dy, work->y),
                        .right = dot(dtype, nx, work->dx, work->x),
                        .out2 = dot(dtype, ny, work->y, work->y),
                        .y2 = dot(dtype, ny, work->dy, work->dy),
                        .x2 = dot(dtype, nx, work->x, work->x),
                        .back2 = dot(dtype, nx, work->dx, work->dx)};
    const tgl_parameter *p;
    for (int i = 0; (p = tgl_parameter_at(work->layer, i)); i++)
        if (strcmp(p->name, "bias") == 0)
            sum.right += dot(dtype, tg_box_count(&p->box), p->gradient, p->value);
    return tgb_gap(work->comm, &sum);
}

static double flops(const tgb_work *work)
{
    return work->direction->run == run_forward ? tgl_flops_forward(work->layer)
                                               : tgl_flops_backward(work->layer);
}

/* ---- rows ---- */

enum { MAX_LAYERS = 32 };

/* What a kind's row needs in the form of an operation's; and of a second one, of its kernel. */
typedef struct {
    tgb_direction direction[2];
    tgb_key keys[TGL_MAX_WORDS + 1];
    tgb_operation row, kernel;
    char name[32];
} parts;

static void copy_keys(const tgl_kind *kind, tgb_key *keys)
{
    for (int i = 0; kind->keys[i].name && i < TGL_MAX_WORDS; i++)
        keys[i] = (tgb_key){kind->keys[i].name, kind->keys[i].initial, kind->keys[i].sized};
}

static void add_layer(const tgl_kind *kind, parts *p, void (*add)(const tgb_operation *row))
{
    p->direction[0] =
        (tgb_direction){"forward", run_forward, fill_forward, wrong_forward, 1, NULL, NULL};
    p->direction[1] = (tgb_direction){
        "backward", run_backward, fill_backward, wrong_backward, kind->backward_factor, NULL, NULL};
    copy_keys(kind, p->keys);
    p->row = (tgb_operation){.kind = "layer",
                             .name = kind->name,
                             .summary = kind->summary,
                             .formula = kind->formula,
                             .adjoint = kind->backward,
                             .source = kind->source,
                             .directions = p->direction,
                             .ndirections = 2,
                             .keys = p->keys,
                             .resolve = resolve,
                             .plan = plan,
                             .adjoint_gap = kind->linear ? adjoint_gap : NULL,
                             .flops = flops,
                             .load = load,
                             .release = free_work};
    for (int i = 0; kind->dtypes[i]; i++)
        p->row.dtypes[i] = kind->dtypes[i];
    for (int i = 0; i < TGB_MAX_ALGORITHMS && tgl_algorithm_at(kind, i); i++)
        p->row.algorithms[i] = tgl_algorithm_at(kind, i);
    tgb_put_kernels(&p->row);
    add(&p->row);
    if (!kind->alone)
        return;
    snprintf(p->name, sizeof p->name, "%s%s", kernel_prefix, kind->name);
    p->kernel = p->row;
    p->kernel.name = p->name;
    p->kernel.kind = "machine";
    p->kernel.summary = "what one rank of the layer computes: its largest block, on every rank";
    p->kernel.source = "bench/README.md";
    p->kernel.resolve = resolve_kernel;
    add(&p->kernel);
}

void tgb_add_layers(void (*add)(const tgb_operation *row))
{
    static parts made[MAX_LAYERS];
    for (int i = 0; tgl_kinds[i] && i < MAX_LAYERS; i++)
        if (!tg_primitive_find(tgl_kinds[i]->name)) /* else it is measured as that primitive */
            add_layer(tgl_kinds[i], &made[i], add);
}
