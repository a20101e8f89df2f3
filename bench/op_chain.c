/* op_chain.c: two operators one behind the other that do what one does, as one operation in one timed
 * region: chain:scatter+all_gather beside broadcast, and others. When the one takes longer than
 * both, the MPI library leaves time on the table. The layout between the two is made of y's.
 * Source: Traeff, Gropp, Thakur, "Self-Consistent MPI Performance Guidelines", 2010. */
#include "bench/operation.h"

#include <stdlib.h>

/* ---- between the two ---- */

static void one_part(tg_axis *axis)
{
    free(axis->cuts);
    axis->cuts = NULL;
    axis->copied = false;
    axis->parts = 1;
}

/* As many ranks as there are parts, the first ones. */
static void first_ranks(tg_layout *layout)
{
    int parts = 1;
    for (int a = 0; a < layout->ndim; a++)
        parts *= layout->axis[a].parts;
    layout->nruns = 1;
    layout->runs[0] = (tg_run){0, parts, 1};
}

/* What were copies become parts. */
static void make_split(tg_layout *layout)
{
    for (int a = 0; a < layout->ndim; a++)
        layout->axis[a].copied = false;
}

/* One owner of each block. */
static void make_owners(tg_layout *layout)
{
    for (int a = 0; a < layout->ndim; a++)
        if (layout->axis[a].copied)
            one_part(&layout->axis[a]);
    first_ranks(layout);
}

/* Rank 0 has all. */
static void make_root(tg_layout *layout)
{
    for (int a = 0; a < layout->ndim; a++)
        one_part(&layout->axis[a]);
    first_ranks(layout);
}

/* ---- rows ---- */

static const tgb_key one_keys[] = {TGB_ONE_LAYOUT, TGB_TYPE, TGB_END};
static const tgb_key two_keys[] = {TGB_TWO_LAYOUTS, TGB_TYPE, TGB_END};

static const struct chain_row {
    const char *name, *summary, *formula, *beside, *first, *second;
    const tgb_key *keys;
    void (*make_middle)(tg_layout *y);
} chain_rows[] = {
    {"chain:scatter+all_gather", "scatter, then all_gather, beside broadcast", "y_i = x",
     "broadcast", "scatter", "all_gather", two_keys, make_split},
    {"chain:sum_reduce+broadcast", "sum_reduce, then broadcast, beside all_sum_reduce",
     "y_i = sum_j x_j", "all_sum_reduce", "sum_reduce", "broadcast", one_keys, make_owners},
    {"chain:reduce_scatter+all_gather", "reduce_scatter, then all_gather, beside all_sum_reduce",
     "y_i = sum_j x_j", "all_sum_reduce", "reduce_scatter", "all_gather", one_keys, make_split},
    {"chain:gather+scatter", "gather to rank 0, then scatter, beside repartition",
     "y[held] = x[owned]", "repartition", "gather", "scatter", two_keys, make_root},
};
enum { ROWS = sizeof chain_rows / sizeof *chain_rows };
static tgb_operation operations[ROWS];

static const struct chain_row *row_of(const tgb_setup *setup)
{
    return &chain_rows[setup->operation - operations];
}

/* ---- resolve ---- */

static tg_status make_middle(const tgb_setup *setup, tg_layout *middle)
{
    const tg_status status = tg_layout_copy(&setup->problem.y, middle);
    if (status.code == TG_OK)
        row_of(setup)->make_middle(middle);
    return status;
}

/* Is that a problem of this primitive? */
static tg_status check_part(const char *name, const tg_layout *from, const tg_layout *to)
{
    tg_layout x, y;
    const tg_status status = tg_primitive_layouts(tg_primitive_find(name), from, to, &x, &y);
    tg_layout_free(&x);
    tg_layout_free(&y);
    return status;
}

static tg_status resolve(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    const struct chain_row *row = row_of(setup);
    tg_layout middle = {.ndim = 0};
    tg_status status = tgb_primitive_resolve(words, P, N, setup);
    if (status.code == TG_OK)
        status = make_middle(setup, &middle);
    if (status.code == TG_OK)
        status = check_part(row->first, &setup->problem.x, &middle);
    if (status.code == TG_OK)
        status = check_part(row->second, &middle, &setup->problem.y);
    tg_layout_free(&middle);
    return status;
}

/* ---- plan, run and free ---- */

static tg_status plan_part(const tgb_work *work, const char *name, const tg_layout *x,
                           const tg_layout *y, tg_op **op)
{
    tg_problem part = work->setup->problem; /* its element type and stores */
    part.primitive = tg_primitive_find(name);
    part.algorithm = tg_algorithm_find(part.primitive, work->setup->algorithm);
    part.x = *x;
    part.y = *y;
    return tg_plan(work->comm, &part, op);
}

static tg_status plan(tgb_work *work)
{
    const tgb_setup *setup = work->setup;
    tg_layout middle = {.ndim = 0};
    tg_op *first = NULL, *second = NULL;
    tg_status status = tg_agree(work->comm, make_middle(setup, &middle));
    if (status.code == TG_OK)
        status = plan_part(work, row_of(setup)->first, &setup->problem.x, &middle, &first);
    if (status.code == TG_OK)
        status = plan_part(work, row_of(setup)->second, &middle, &setup->problem.y, &second);
    tg_layout_free(&middle);
    if (status.code == TG_OK)
        status = tg_chain(second, first, &work->op); /* takes both over */
    else
        tg_free(&first);
    if (status.code != TG_OK)
        return status;
    work->x_bytes = tg_op_x_bytes(work->op);
    work->y_bytes = tg_op_y_bytes(work->op);
    return status;
}

static void run(tgb_work *work)
{
    tg_apply(work->op, work->x, work->y);
}

static ptrdiff_t messages(const tgb_work *work)
{
    return tg_op_messages(work->op, false);
}

static void free_work(tgb_work *work)
{
    tg_free(&work->op);
}

void tgb_add_chains(void (*add)(const tgb_operation *row))
{
    static const tgb_direction forward = {
        "forward", run, tgb_primitive_fill_forward, tgb_primitive_wrong_forward, 1, NULL, NULL};
    for (int i = 0; i < ROWS; i++) {
        const struct chain_row *row = &chain_rows[i];
        operations[i] = (tgb_operation){.name = row->name,
                                        .kind = "chain",
                                        .summary = row->summary,
                                        .formula = row->formula,
                                        .adjoint = "-",
                                        .source = "Traeff, Gropp, Thakur, 2010",
                                        .directions = &forward,
                                        .ndirections = 1,
                                        .keys = row->keys,
                                        .algorithms = {"mpi"},
                                        .primitive = tg_primitive_find(row->beside),
                                        .resolve = resolve,
                                        .plan = plan,
                                        .messages = messages,
                                        .load = tgb_load_of_layouts,
                                        .release = free_work};
        for (int k = 0; k < TGB_MAX_ALGORITHMS && tg_dtypes[k]; k++)
            operations[i].dtypes[k] = tg_dtypes[k]->name;
        add(&operations[i]);
    }
}
