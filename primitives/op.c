/* op.c: planning, applying and flipping operators.
 *
 * (F*)* = F is flip.
 * Source: Hewett and Grady, arXiv 2006.03108, section 2. */
#include "primitives/op.h"

#include <stdlib.h>
#include <string.h>

/* ---- tables ---- */

#define TG_PRIMITIVE(name) extern const tg_primitive tg_##name;
#include "primitives/table.def"
#undef TG_PRIMITIVE

const tg_primitive *const tg_primitives[] = {
#define TG_PRIMITIVE(name) &tg_##name,
#include "primitives/table.def"
#undef TG_PRIMITIVE
    NULL};

const tg_primitive *tg_primitive_find(const char *name)
{
    for (const tg_primitive *const *row = tg_primitives; *row; row++)
        if (strcmp((*row)->name, name) == 0)
            return *row;
    return NULL;
}

static const tg_algorithm *find_row(const tg_algorithm *const *row, const char *name)
{
    for (; row && *row; row++)
        if (strcmp((*row)->name, name) == 0)
            return *row;
    return NULL;
}

const tg_algorithm *tg_algorithm_find(const tg_primitive *primitive, const char *name)
{
    const tg_algorithm *found = find_row(primitive->algorithms, name);
    return found ? found : find_row(primitive->lacking, name);
}

/* Axis 0 of a side must count the regions of the operator. */
static tg_status check_regions(const tg_layout *layout, const char *name, int regions)
{
    char shape[TG_STATUS_TEXT / 2];
    if (layout->axis[0].extent == regions)
        return tg_success();
    tg_layout_print_shape(layout, shape, sizeof shape);
    return tg_fail(TG_BAD_INPUT, "shape=%s: axis 0 counts the memory regions of %s; expected %d",
                   shape, name, regions);
}

static tg_status check_layouts(const tg_primitive *primitive, const tg_layout *x,
                               const tg_layout *y)
{
    tg_status status = tg_success();
    if (primitive->regions)
        status = check_regions(x, primitive->name, primitive->regions->of_x);
    if (primitive->regions && status.code == TG_OK)
        status = check_regions(y, primitive->name, primitive->regions->of_y);
    return status.code == TG_OK ? primitive->check(x, y) : status;
}

tg_status tg_primitive_layouts(const tg_primitive *primitive, const tg_layout *from,
                               const tg_layout *to, tg_layout *x, tg_layout *y)
{
    *y = (tg_layout){.ndim = 0};
    tg_status status = tg_layout_copy(from, x);
    for (int a = 0; primitive->window && a < x->ndim; a++)
        x->axis[a].window = (tg_window){.kernel = 0};
    if (status.code == TG_OK)
        status = tg_layout_copy(primitive->two_layouts ? to : from, y);
    if (status.code == TG_OK && primitive->regions) {
        free(y->axis[0].cuts); /* the check asks for one part: the whole axis, grown or shrunk */
        y->axis[0].cuts = NULL;
        y->axis[0].extent = primitive->regions->of_y;
    }
    if (status.code == TG_OK)
        status = check_layouts(primitive, x, y);
    if (status.code != TG_OK) {
        tg_layout_free(x);
        tg_layout_free(y);
    }
    return status;
}

/* ---- planning ---- */

static tg_status check_stores(const tg_problem *p)
{
    tg_status status = tg_store_check("store-x", &p->store_x, p->x.ndim);
    if (status.code == TG_OK)
        status = tg_store_check("store-y", &p->store_y, p->y.ndim);
    if (status.code != TG_OK || p->place == TG_OUT_OF_PLACE ||
        tg_store_equal(&p->store_x, &p->store_y))
        return status;
    char x[TG_STATUS_TEXT / 3], y[TG_STATUS_TEXT / 3];
    tg_store_print(&p->store_x, p->x.ndim, x, sizeof x);
    tg_store_print(&p->store_y, p->y.ndim, y, sizeof y);
    return tg_fail(TG_BAD_INPUT,
                   "in-place=yes store-x=%.60s store-y=%.60s: one buffer has one store; expected "
                   "the same",
                   x, y);
}

static tg_status check_problem(const tg_problem *p, int P)
{
    if (!p->primitive || !p->dtype || !p->algorithm)
        return tg_fail(TG_BAD_INPUT, "a problem without %s; expected one",
                       !p->primitive ? "primitive"
                       : !p->dtype   ? "dtype"
                                     : "algorithm");
    if (tg_algorithm_find(p->primitive, p->algorithm->name) != p->algorithm)
        return tg_fail(TG_BAD_INPUT, "algorithm=%s: not one of %s; see tgbench list",
                       p->algorithm->name, p->primitive->name);
    if (p->partitions < 0 || p->partitions > TG_MOST_PARTITIONS)
        return tg_fail(TG_BAD_INPUT, "partitions=%d: expected a whole number from 1 to %d",
                       p->partitions, TG_MOST_PARTITIONS);
    if (p->place == TG_IN_PLACE && p->mode == TG_ACCUMULATE)
        return tg_fail(TG_BAD_INPUT,
                       "in-place=yes accumulate=yes: a buffer cannot be added to itself; "
                       "expected one of them to be no");
    tg_status status = tg_layout_check(&p->x, P);
    if (status.code == TG_OK)
        status = tg_layout_check(&p->y, P);
    if (status.code == TG_OK)
        status = check_stores(p);
    for (int a = 0; status.code == TG_OK && !p->primitive->window && a < p->y.ndim; a++)
        if (p->x.axis[a].window.kernel > 0 || p->y.axis[a].window.kernel > 0)
            status = tg_fail(TG_BAD_INPUT, "kernel: a window on axis %d; expected none for %s", a,
                             p->primitive->name);
    return status.code == TG_OK ? check_layouts(p->primitive, &p->x, &p->y) : status;
}

/* An operator without an algorithm yet; NULL without memory. */
tg_op *tg_op_new(tg_comm *comm, const tg_dtype *dtype)
{
    tg_op *op = calloc(1, sizeof *op);
    if (!op)
        return NULL;
    op->shared = comm;
    op->comm = comm->mpi;
    op->tag = comm->tag;
    op->dtype = dtype;
    tg_set_messages(op, -1);
    op->held_bytes = (ptrdiff_t)sizeof *op;
    MPI_Comm_rank(op->comm, &op->rank);
    MPI_Comm_size(op->comm, &op->size);
    return op;
}

void tg_op_drop(tg_op *op)
{
    if (op->release)
        op->release(op);
    for (tg_space space = TG_X; space <= TG_Y; space++) {
        free(op->sum[space]);
        free(op->whole[space].block);
    }
    tg_comm_close(op->shared);
    free(op);
}

tg_view tg_view_of(const tg_problem *p, tg_space space, int rank)
{
    tg_box x = tg_layout_held(&p->x, rank), y = tg_layout_held(&p->y, rank);
    return (tg_view){.box = p->place == TG_IN_PLACE ? tg_box_hull(&x, &y)
                            : space == TG_X         ? x
                                                    : y,
                     .store = space == TG_X ? p->store_x : p->store_y,
                     .entry_bytes = (ptrdiff_t)p->dtype->size};
}

static tg_status prepare_sum(tg_op *op, tg_space space)
{
    const tg_view *view = &op->view[space];
    op->sum[space] = tg_keep(op, tg_view_bytes(view));
    if (!op->sum[space])
        return tg_check_memory(NULL, tg_view_bytes(view));
    return tg_keep_blocks(op, view, &view->box, NULL, &op->whole[space]);
}

/* The parts that every algorithm has. Local. */
static tg_status prepare(const tg_problem *problem, tg_op *op)
{
    tg_status status = tg_success();
    op->in_place = problem->place == TG_IN_PLACE;
    for (tg_space space = TG_X; space <= TG_Y; space++) {
        op->view[space] = tg_view_of(problem, space, op->rank);
        ptrdiff_t entries = tg_store_entries(&op->view[space].store, &op->view[space].box);
        if (entries < 0 || entries > PTRDIFF_MAX / op->view[space].entry_bytes)
            return tg_fail(TG_BAD_INPUT,
                           "store-%c: more bytes than can be addressed; expected less padding",
                           space == TG_X ? 'x' : 'y');
    }
    for (tg_space space = TG_X; space <= TG_Y; space++)
        if (problem->mode == TG_ACCUMULATE && status.code == TG_OK)
            status = prepare_sum(op, space);
    return status;
}

static void exchange_sides(tg_op *op)
{
    const tg_view view = op->view[TG_X];
    const tg_blocks whole = op->whole[TG_X];
    void *const sum = op->sum[TG_X];
    op->view[TG_X] = op->view[TG_Y];
    op->view[TG_Y] = view;
    op->whole[TG_X] = op->whole[TG_Y];
    op->whole[TG_Y] = whole;
    op->sum[TG_X] = op->sum[TG_Y];
    op->sum[TG_Y] = sum;
}

/* Let the algorithm plan: F, or for a transposed primitive F*, which is then flipped. Agreed by all
 * ranks. */
static tg_status run_plan(const tg_problem *problem, tg_op *op)
{
    op->algorithm[TG_X] = op->algorithm[TG_Y] = problem->algorithm->name;
    if (!problem->primitive->transposed)
        return problem->algorithm->plan(problem, op);
    tg_problem back = *problem;
    back.x = problem->y;
    back.y = problem->x;
    back.store_x = problem->store_y;
    back.store_y = problem->store_x;
    exchange_sides(op);
    tg_status status = problem->algorithm->plan(&back, op);
    op->flipped = true;
    return status;
}

tg_status tg_plan_lacking(const tg_problem *problem, tg_op *op)
{
    const tg_status no =
        tg_fail(TG_BAD_INPUT,
                "algorithm=%s: calls of MPI 4 that it needs are lacking, or wrong, "
                "in this MPI library; expected another one, or another algorithm",
                problem->algorithm->name);
    return tg_agree(op->comm, no);
}

tg_status tg_plan(MPI_Comm comm, const tg_problem *problem, tg_op **op)
{
    *op = NULL;
    tg_comm *own;
    tg_status status = tg_comm_open(comm, &own);
    if (status.code != TG_OK)
        return status;
    int size;
    MPI_Comm_size(comm, &size);

    tg_op *made = NULL;
    status = check_problem(problem, size);
    uint64_t fingerprint = status.code == TG_OK ? tg_fingerprint(problem) : 0;
    if (status.code == TG_OK) {
        made = tg_op_new(own, problem->dtype);
        status = made ? prepare(problem, made) : tg_check_memory(NULL, (ptrdiff_t)sizeof *made);
    }
    status = tg_agree_on(own->mpi, status, fingerprint);
    if (status.code == TG_OK)
        status = run_plan(problem, made);
    if (status.code == TG_OK)
        *op = made;
    else if (made)
        tg_op_drop(made);
    else
        tg_comm_close(own);
    return status;
}

void tg_free(tg_op **op)
{
    if (*op)
        tg_op_drop(*op);
    *op = NULL;
}

/* ---- applying ---- */

const tg_listener *tg_listening;

static void run_towards(tg_op *op, tg_space to, const void *in, void *out)
{
    tg_begin(TG_COMMUNICATES, op->comm);
    op->run(op, to, in, op->sum[to] ? op->sum[to] : out);
    if (op->sum[to])
        tg_blocks_add_blocks(&op->whole[to], op->sum[to], &op->whole[to], out, op->dtype);
    tg_end(TG_COMMUNICATES);
}

void tg_apply(tg_op *op, const void *x, void *y)
{
    run_towards(op, op->flipped ? TG_X : TG_Y, x, y);
}

void tg_apply_adjoint(tg_op *op, void *y, void *x)
{
    run_towards(op, op->flipped ? TG_Y : TG_X, y, x);
}

/* ---- in two halves ---- */

static void run_halves(tg_op *op, tg_space to, const void *in, void *out)
{
    op->start(op, to, in, out);
    op->finish(op, to, in, out);
}

void tg_set_halves(tg_op *op, tg_pass *start, tg_pass *finish)
{
    op->run = run_halves;
    op->start = start;
    op->finish = finish;
}

void tg_set_collective(tg_op *op, tg_pass *run, tg_pass *start, tg_pass *finish)
{
    op->run = run;
#ifdef SMPI_H
    (void)start;
    (void)finish;
#else
    op->start = start;
    op->finish = finish;
#endif
}

void tg_start_run(tg_op *op, tg_space to, const void *in, void *out)
{
    if (op->start)
        op->start(op, to, in, out);
    else
        op->run(op, to, in, out);
}

void tg_finish_run(tg_op *op, tg_space to, const void *in, void *out)
{
    if (op->finish)
        op->finish(op, to, in, out);
}

static void start_towards(tg_op *op, tg_space to, const void *in, void *out)
{
    op->under_way.to = to;
    op->under_way.in = in;
    op->under_way.out = out;
    tg_begin(TG_COMMUNICATES, op->comm);
    tg_start_run(op, to, in, op->sum[to] ? op->sum[to] : out);
    tg_end(TG_COMMUNICATES);
}

void tg_start(tg_op *op, const void *x, void *y)
{
    start_towards(op, op->flipped ? TG_X : TG_Y, x, y);
}

void tg_start_adjoint(tg_op *op, void *y, void *x)
{
    start_towards(op, op->flipped ? TG_Y : TG_X, y, x);
}

void tg_finish(tg_op *op)
{
    const tg_space to = op->under_way.to;
    void *const out = op->under_way.out;
    tg_begin(TG_COMMUNICATES, op->comm);
    tg_finish_run(op, to, op->under_way.in, op->sum[to] ? op->sum[to] : out);
    if (op->sum[to])
        tg_blocks_add_blocks(&op->whole[to], op->sum[to], &op->whole[to], out, op->dtype);
    tg_end(TG_COMMUNICATES);
}

tg_op *tg_flip(tg_op *op)
{
    op->flipped = !op->flipped;
    return op;
}

tg_box tg_op_x(const tg_op *op)
{
    return op->view[op->flipped ? TG_Y : TG_X].box;
}

tg_box tg_op_y(const tg_op *op)
{
    return op->view[op->flipped ? TG_X : TG_Y].box;
}

ptrdiff_t tg_op_x_bytes(const tg_op *op)
{
    return tg_view_bytes(&op->view[op->flipped ? TG_Y : TG_X]);
}

ptrdiff_t tg_op_y_bytes(const tg_op *op)
{
    return tg_view_bytes(&op->view[op->flipped ? TG_X : TG_Y]);
}

void tg_set_messages(tg_op *op, ptrdiff_t messages)
{
    op->messages[TG_X] = op->messages[TG_Y] = messages;
}

const char *tg_op_algorithm(const tg_op *op, bool adjoint)
{
    return op->algorithm[op->flipped == adjoint ? TG_Y : TG_X];
}

ptrdiff_t tg_op_messages(const tg_op *op, bool adjoint)
{
    return op->messages[op->flipped == adjoint ? TG_Y : TG_X];
}

ptrdiff_t tg_op_held_bytes(const tg_op *op)
{
    return op->held_bytes;
}
