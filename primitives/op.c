/* op.c: planning, applying, flipping and chaining operators; agreement of all ranks on errors.
 *
 * (F*)* = F is flip; (G F)* = F* G* is chain.
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

const tg_algorithm *tg_algorithm_find(const tg_primitive *primitive, const char *name)
{
    for (const tg_algorithm *const *row = primitive->algorithms; *row; row++)
        if (strcmp((*row)->name, name) == 0)
            return *row;
    return NULL;
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

/* ---- agreement ---- */

/* All ranks learn the worst code and the text of the lowest rank that has it. `fingerprint` must be
 * the same everywhere when all are well. One reduction when nothing is wrong. */
static tg_status agree(MPI_Comm comm, tg_status mine, uint64_t fingerprint)
{
    int rank, size;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    uint64_t verdict = (uint64_t)mine.code << 32 | (uint64_t)(size - rank);
    uint64_t all[3] = {mine.code == TG_OK ? 0 : verdict, fingerprint, ~fingerprint};
    MPI_Allreduce(MPI_IN_PLACE, all, 3, MPI_UINT64_T, MPI_MAX, comm);
    if (all[0] != 0) {
        MPI_Bcast(&mine, (int)sizeof mine, MPI_BYTE, size - (int)(all[0] & UINT32_MAX), comm);
        return mine;
    }
    if (all[1] != ~all[2])
        return tg_fail(
            TG_DISAGREE,
            "the ranks passed different problems; expected the same problem on every rank");
    return tg_success();
}

tg_status tg_agree(MPI_Comm comm, tg_status mine)
{
    return agree(comm, mine, 0);
}

/* FNV-1a over what makes a problem, so that ranks can compare without sending it. */
static uint64_t mix(uint64_t hash, int64_t value)
{
    for (int i = 0; i < 8; i++)
        hash = (hash ^ ((uint64_t)value >> 8 * i & 0xff)) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = mix(hash, *text);
    return hash;
}

static uint64_t mix_layout(uint64_t hash, const tg_layout *layout)
{
    hash = mix(hash, layout->ndim);
    for (int a = 0; a < layout->ndim; a++) {
        const tg_axis *axis = &layout->axis[a];
        const tg_window *w = &axis->window;
        const int64_t numbers[] = {axis->extent, axis->parts, axis->copied,    axis->cuts != NULL,
                                   w->kernel,    w->stride,   w->padding,      w->dilation,
                                   w->ceil,      w->periodic, layout->order[a]};
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
            hash = mix(hash, numbers[i]);
        if (w->kernel > 0)
            hash = mix_text(hash, tg_window_rule_of(w)->name);
        for (int i = 0; axis->cuts && i <= axis->parts; i++)
            hash = mix(hash, axis->cuts[i]);
    }
    for (int i = 0; i < layout->nruns; i++) {
        hash = mix(hash, layout->runs[i].first);
        hash = mix(hash, layout->runs[i].count);
        hash = mix(hash, layout->runs[i].step);
    }
    return hash;
}

static uint64_t fingerprint_of(const tg_problem *p)
{
    uint64_t hash = mix_layout(mix_layout(UINT64_C(0xcbf29ce484222325), &p->x), &p->y);
    hash =
        mix_text(mix_text(mix_text(hash, p->primitive->name), p->dtype->name), p->algorithm->name);
    hash = mix(mix(hash, (int64_t)p->mode), (int64_t)p->place);
    return mix(mix(hash, (int64_t)p->store_x), (int64_t)p->store_y);
}

/* ---- small tools for algorithms ---- */

tg_status tg_check_memory(const void *pointer, ptrdiff_t bytes)
{
    return pointer ? tg_success()
                   : tg_fail(TG_NO_MEMORY, "no memory for %td bytes of a plan", bytes);
}

void *tg_keep(tg_op *op, ptrdiff_t bytes)
{
    void *memory = calloc(1, bytes > 0 ? (size_t)bytes : 1);
    op->held_bytes += memory ? bytes : 0;
    return memory;
}

/* ---- planning ---- */

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
    if (p->store_x != TG_ROW_MAJOR || p->store_y != TG_ROW_MAJOR)
        return tg_fail(TG_BAD_INPUT, "store: expected row (dense, row-major)");
    if (p->place == TG_IN_PLACE && p->mode == TG_ACCUMULATE)
        return tg_fail(TG_BAD_INPUT,
                       "in-place=yes accumulate=yes: a buffer cannot be added to itself; "
                       "expected one of them to be no");
    tg_status status = tg_layout_check(&p->x, P);
    if (status.code == TG_OK)
        status = tg_layout_check(&p->y, P);
    for (int a = 0; status.code == TG_OK && !p->primitive->window && a < p->y.ndim; a++)
        if (p->x.axis[a].window.kernel > 0 || p->y.axis[a].window.kernel > 0)
            status = tg_fail(TG_BAD_INPUT, "kernel: a window on axis %d; expected none for %s", a,
                             p->primitive->name);
    return status.code == TG_OK ? check_layouts(p->primitive, &p->x, &p->y) : status;
}

/* An operator without an algorithm yet; NULL without memory. */
static tg_op *new_op(tg_comm *comm, const tg_dtype *dtype)
{
    tg_op *op = calloc(1, sizeof *op);
    if (!op)
        return NULL;
    op->shared = comm;
    op->comm = comm->mpi;
    op->dtype = dtype;
    op->messages = -1;
    op->held_bytes = (ptrdiff_t)sizeof *op;
    MPI_Comm_rank(op->comm, &op->rank);
    MPI_Comm_size(op->comm, &op->size);
    return op;
}

static void free_op(tg_op *op)
{
    if (op->release)
        op->release(op);
    free(op->sum[TG_X]);
    free(op->sum[TG_Y]);
    tg_comm_close(op->shared);
    free(op);
}

static ptrdiff_t bytes_of(const tg_op *op, tg_space space)
{
    return tg_box_count(&op->box[space]) * (ptrdiff_t)op->dtype->size;
}

/* The parts that every algorithm has. Local. */
static tg_status prepare(const tg_problem *problem, tg_op *op)
{
    op->box[TG_X] = tg_layout_held(&problem->x, op->rank);
    op->box[TG_Y] = tg_layout_held(&problem->y, op->rank);
    op->in_place = problem->place == TG_IN_PLACE;
    if (op->in_place)
        op->box[TG_X] = op->box[TG_Y] = tg_box_hull(&op->box[TG_X], &op->box[TG_Y]);
    for (tg_space space = TG_X; problem->mode == TG_ACCUMULATE && space <= TG_Y; space++) {
        op->sum[space] = tg_keep(op, bytes_of(op, space));
        if (!op->sum[space])
            return tg_check_memory(NULL, bytes_of(op, space));
    }
    return tg_success();
}

/* Let the algorithm plan: F, or for a transposed primitive F*, which is then flipped. Agreed by all
 * ranks. */
static tg_status run_plan(const tg_problem *problem, tg_op *op)
{
    if (!problem->primitive->transposed)
        return problem->algorithm->plan(problem, op);
    tg_problem back = *problem;
    back.x = problem->y;
    back.y = problem->x;
    tg_box box = op->box[TG_X];
    op->box[TG_X] = op->box[TG_Y];
    op->box[TG_Y] = box;
    void *sum = op->sum[TG_X];
    op->sum[TG_X] = op->sum[TG_Y];
    op->sum[TG_Y] = sum;
    tg_status status = problem->algorithm->plan(&back, op);
    op->flipped = true;
    return status;
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
    uint64_t fingerprint = status.code == TG_OK ? fingerprint_of(problem) : 0;
    if (status.code == TG_OK) {
        made = new_op(own, problem->dtype);
        status = made ? prepare(problem, made) : tg_check_memory(NULL, (ptrdiff_t)sizeof *made);
    }
    status = agree(own->mpi, status, fingerprint);
    if (status.code == TG_OK)
        status = run_plan(problem, made);
    if (status.code == TG_OK)
        *op = made;
    else if (made)
        free_op(made);
    else
        tg_comm_close(own);
    return status;
}

void tg_free(tg_op **op)
{
    if (*op)
        free_op(*op);
    *op = NULL;
}

/* ---- applying ---- */

static void run_towards(tg_op *op, tg_space to, const void *in, void *out)
{
    if (!op->sum[to]) {
        op->run(op, to, in, out);
        return;
    }
    op->run(op, to, in, op->sum[to]);
    op->dtype->add(out, op->sum[to], tg_box_count(&op->box[to]));
}

void tg_apply(tg_op *op, const void *x, void *y)
{
    run_towards(op, op->flipped ? TG_X : TG_Y, x, y);
}

void tg_apply_adjoint(tg_op *op, void *y, void *x)
{
    run_towards(op, op->flipped ? TG_Y : TG_X, y, x);
}

tg_op *tg_flip(tg_op *op)
{
    op->flipped = !op->flipped;
    return op;
}

tg_box tg_op_x(const tg_op *op)
{
    return op->box[op->flipped ? TG_Y : TG_X];
}

tg_box tg_op_y(const tg_op *op)
{
    return op->box[op->flipped ? TG_X : TG_Y];
}

ptrdiff_t tg_op_x_bytes(const tg_op *op)
{
    return bytes_of(op, op->flipped ? TG_Y : TG_X);
}

ptrdiff_t tg_op_y_bytes(const tg_op *op)
{
    return bytes_of(op, op->flipped ? TG_X : TG_Y);
}

ptrdiff_t tg_op_messages(const tg_op *op)
{
    return op->messages;
}

ptrdiff_t tg_op_held_bytes(const tg_op *op)
{
    return op->held_bytes;
}

/* ---- chaining ---- */

typedef struct {
    tg_op *first, *second;
    void *middle; /* y of first, x of second */
} chain;

static void run_chain(tg_op *op, tg_space to, const void *in, void *out)
{
    chain *c = op->state;
    if (to == TG_Y) {
        tg_apply(c->first, in, c->middle);
        tg_apply(c->second, c->middle, out);
    } else { /* neither changes its input: chain takes out-of-place operators only */
        tg_apply_adjoint(c->second, (void *)(uintptr_t)in, c->middle);
        tg_apply_adjoint(c->first, c->middle, out);
    }
}

static void release_chain(tg_op *op)
{
    chain *c = op->state;
    tg_free(&c->first);
    tg_free(&c->second);
    free(c->middle);
    free(c);
}

static tg_status make_chain(tg_op *second, tg_op *first, tg_op *op)
{
    tg_box end = tg_op_y(first), start = tg_op_x(second);
    if (first->in_place || second->in_place)
        return tg_fail(TG_BAD_INPUT, "a chain of an operator in place; expected out of place");
    if (first->sum[TG_Y] || second->sum[TG_Y])
        return tg_fail(TG_BAD_INPUT,
                       "a chain of an operator that accumulates; expected one that replaces");
    if (first->dtype != second->dtype || !tg_box_equal(&end, &start))
        return tg_fail(
            TG_BAD_INPUT,
            "a chain of operators that do not meet; expected y of the first to be x of the "
            "second on every rank");
    chain *c = tg_keep(op, (ptrdiff_t)sizeof *c);
    void *middle = tg_keep(op, tg_op_y_bytes(first));
    if (!c || !middle) {
        free(c);
        free(middle);
        return tg_check_memory(NULL, tg_op_y_bytes(first));
    }
    *c = (chain){first, second, middle};
    op->box[TG_X] = tg_op_x(first);
    op->box[TG_Y] = tg_op_y(second);
    if (first->messages >= 0 && second->messages >= 0)
        op->messages = first->messages + second->messages;
    op->held_bytes += first->held_bytes + second->held_bytes;
    op->state = c;
    op->run = run_chain;
    op->release = release_chain;
    return tg_success();
}

tg_status tg_chain(tg_op *second, tg_op *first, tg_op **op)
{
    tg_comm *own = first->shared;
    tg_comm_join(own);
    tg_op *made = new_op(own, first->dtype);
    tg_status status =
        made ? make_chain(second, first, made) : tg_check_memory(NULL, (ptrdiff_t)sizeof *made);
    status = tg_agree(own->mpi, status);
    *op = NULL;
    if (status.code == TG_OK) {
        *op = made;
        return status;
    }
    bool took_over = made && made->release;
    if (made)
        free_op(made);
    else
        tg_comm_close(own);
    if (!took_over) {
        tg_free(&first);
        tg_free(&second);
    }
    return status;
}
