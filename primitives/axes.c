/* axes.c: the algorithm `axes`: a halo axis by axis, so that corners come by way of the neighbours.
 *
 * On axis a, part i owns the interval O_a(i) and needs N_a(i). Owned and needed boxes are products
 * of these, and the grid is the product of the axes' parts; so the halo is the Kronecker product of d
 * halos of one axis, h_(d-1) x ... x h_0, and by (A x B) = (A x I)(I x B) one after the other:
 *
 *     stage a  the box N_0 x .. x N_(a-1) x O_a x .. x O_(d-1) becomes N_0 x .. x N_a x O_(a+1) x ..
 *
 * Stage a exchanges among the ranks that differ on axis a only. They have all other intervals in
 * common, which stage a therefore does not touch: a stage is a halo with one window, however far it
 * reaches and however its parts are split. A rank that needs nothing on axis a passes on what others
 * need from it: before stage a its box has O_a whole. The adjoint is the product of the adjoints, axes
 * in the reverse order.
 * A rank has 2 d partners instead of 3^d - 1 when one is enough on each side. It receives each of its
 * ghosts once, as with p2p; only where it needs less than it owns, what it passes on comes on top.
 *
 * All stages work in place in one work buffer around both boxes. It is the user's where every part
 * needs all that it owns: in place, and for y = F x out of place; otherwise it is the plan's.
 * Sources: Hewett and Grady, arXiv 2006.03108, section 3, "halo exchange"; Palmer and Nieplocha,
 * "Efficient Algorithms for Ghost Cell Updates on Two Classes of MPP Architectures", 2002. */
#include "primitives/axes.h"

#include "primitives/exchange.h"

#include <stdlib.h>

/* ---- stages ---- */

bool tg_axes_fit(const tg_problem *problem)
{
    tg_layout x = problem->x; /* borrows */
    for (int a = 0; a < x.ndim; a++)
        x.axis[a].window = problem->y.axis[a].window;
    return tg_layout_equal(&x, &problem->y);
}

bool tg_has_axis_stage(const tg_problem *problem, int axis)
{
    const tg_axis *y = &problem->y.axis[axis];
    return y->parts > 1 || y->window.periodic;
}

/* What a rank has before stage `axis`. An axis without a stage is cut to what is needed at once. */
static tg_box box_before(const tg_problem *problem, int rank, int axis)
{
    tg_box box = tg_layout_owned(&problem->x, rank);
    const tg_box needed = tg_layout_held(&problem->y, rank);
    for (int a = 0; a < box.ndim; a++)
        if (a < axis || !tg_has_axis_stage(problem, a)) {
            box.lo[a] = needed.lo[a];
            box.hi[a] = needed.hi[a];
        }
    return box;
}

/* The smallest box around what a rank has before and after every stage. */
static tg_box box_of_work(const tg_problem *problem, int rank)
{
    tg_box box = tg_layout_owned(&problem->x, rank);
    const tg_box needed = tg_layout_held(&problem->y, rank);
    for (int a = 0; a < box.ndim; a++) {
        const bool owns = box.lo[a] < box.hi[a], needs = needed.lo[a] < needed.hi[a];
        if (needs && (!owns || needed.lo[a] < box.lo[a]))
            box.lo[a] = needed.lo[a];
        if (needs && (!owns || needed.hi[a] > box.hi[a]))
            box.hi[a] = needed.hi[a];
    }
    return box;
}

/* The ranks that differ from `rank` on one axis only, in the order of its parts. An ordered list of
 * ranks gives one run. */
static tg_status find_line(const tg_layout *layout, int rank, int axis, tg_layout *line)
{
    const int parts = layout->axis[axis].parts;
    int coords[TG_MAX_NDIM], count = layout->nruns == 1 ? 1 : parts, step = 1;
    tg_layout_coords(layout, tg_layout_place(layout, rank), coords);
    for (int i = layout->ndim - 1; layout->order[i] != axis; i--)
        step *= layout->axis[layout->order[i]].parts;
    line->runs = malloc((size_t)count * sizeof *line->runs);
    if (!line->runs)
        return tg_check_memory(NULL, count * (ptrdiff_t)sizeof *line->runs);
    for (int i = 0; i < count; i++) {
        coords[axis] = i;
        line->runs[i] = (tg_run){tg_layout_rank(layout, tg_layout_place_at(layout, coords)), 1, 0};
    }
    if (count == 1)
        line->runs[0] = (tg_run){line->runs[0].first, parts, step * layout->runs[0].step};
    line->nruns = count;
    return tg_success();
}

tg_status tg_axis_stage_find(const tg_problem *problem, int rank, int axis, tg_axis_stage *stage)
{
    const tg_box box = box_before(problem, rank, axis), work = box_of_work(problem, rank);
    tg_store store = problem->store_y;
    tg_layout line = {.ndim = box.ndim};
    for (int a = 0; a < box.ndim; a++) {
        line.order[a] = a;
        if (a == axis)
            continue;
        line.axis[a] = (tg_axis){.extent = box.hi[a] - box.lo[a], .parts = 1};
        store.before[a] += box.lo[a] - work.lo[a];
        store.after[a] += work.hi[a] - box.hi[a];
    }
    const tg_status status = find_line(&problem->y, rank, axis, &line);
    stage->runs = line.runs;
    stage->problem = *problem;
    stage->problem.place = TG_IN_PLACE;
    stage->problem.store_x = stage->problem.store_y = store;
    stage->problem.x = stage->problem.y = line;
    stage->problem.x.axis[axis] = problem->x.axis[axis];
    stage->problem.y.axis[axis] = problem->y.axis[axis];
    return status;
}

/* ---- running ---- */

typedef struct {
    tg_op inside; /* stands for this rank in every stage: in place in the work buffer */
    tg_pieces stage[TG_MAX_NDIM];
    int nstages;
    bool covers; /* this rank needs all that it owns: y is a work buffer */
    char *work;  /* the plan's work buffer, where the user's is none */
    /* By tg_space: what the first stage begins with and the last one ends with, in the user's buffer
     * and in the work buffer. */
    tg_blocks user[2], working[2];
    tg_blocks clear[2]; /* towards x: entries of x that nobody needs; in place, of y but not of x */
} axes;

static void *work_of(const tg_op *op, const axes *s, tg_space to, void *out)
{
    return s->covers && (to == TG_Y || op->in_place) ? out : s->work;
}

/* The stages from the first to the last, or back. */
static tg_pieces *stage_at(axes *s, tg_space to, int i)
{
    return &s->stage[to == TG_Y ? i : s->nstages - 1 - i];
}

static void start_stage(axes *s, tg_space to, int i, void *work)
{
    tg_messages_start(&s->inside, stage_at(s, to, i), to, work, work);
    tg_pieces_give_self(&s->inside, stage_at(s, to, i), to, work, work);
}

static void start(tg_op *op, tg_space to, const void *in, void *out)
{
    axes *s = op->state;
    const tg_space from = to == TG_Y ? TG_X : TG_Y;
    void *work = work_of(op, s, to, out);
    if (work != in)
        tg_blocks_copy(&s->user[from], in, &s->working[from], work);
    if (s->nstages > 0)
        start_stage(s, to, 0, work);
}

static void finish(tg_op *op, tg_space to, const void *in, void *out)
{
    axes *s = op->state;
    void *work = work_of(op, s, to, out);
    (void)in;
    for (int i = 0; i < s->nstages; i++) {
        if (i > 0)
            start_stage(s, to, i, work);
        tg_messages_finish(&s->inside, stage_at(s, to, i), to, work);
    }
    if (work == out)
        return;
    for (tg_space space = TG_X; to == TG_X && space <= TG_Y; space++)
        tg_blocks_clear(&s->clear[space], out);
    tg_blocks_copy(&s->working[to], work, &s->user[to], out);
}

static void run(tg_op *op, tg_space to, const void *in, void *out)
{
    start(op, to, in, out);
    finish(op, to, in, out);
}

/* ---- planning ---- */

static void release(tg_op *op)
{
    axes *s = op->state;
    for (int i = 0; i < s->nstages; i++)
        tg_pieces_free(&s->stage[i]);
    for (tg_space space = TG_X; space <= TG_Y; space++) {
        free(s->user[space].block);
        free(s->working[space].block);
        free(s->clear[space].block);
    }
    free(s->work);
    free(s);
}

static tg_status plan_stage(const tg_problem *problem, axes *s, int axis)
{
    const bool pack[2] = {false, false};
    tg_axis_stage stage;
    tg_pieces *e = &s->stage[s->nstages++];
    tg_status status = tg_axis_stage_find(problem, s->inside.rank, axis, &stage);
    if (status.code == TG_OK)
        status = tg_pieces_plan(e, &stage.problem, &s->inside, pack);
    if (status.code == TG_OK)
        status = tg_messages_plan(&s->inside, e);
    free(stage.runs);
    return status;
}

static tg_status plan_stages(const tg_problem *problem, tg_op *op, axes *s)
{
    ptrdiff_t messages = 0;
    tg_status status = tg_success();
    s->inside = (tg_op){.comm = op->comm,
                        .tag = op->tag,
                        .rank = op->rank,
                        .size = op->size,
                        .dtype = op->dtype,
                        .in_place = true};
    for (int a = 0; a < problem->y.ndim && status.code == TG_OK; a++) {
        if (!tg_has_axis_stage(problem, a))
            continue;
        status = plan_stage(problem, s, a);
        messages += s->inside.messages[TG_Y];
    }
    tg_set_messages(op, messages);
    op->held_bytes += s->inside.held_bytes;
    return status;
}

/* Between the user's buffers and the work buffer. */
static tg_status plan_ends(const tg_problem *problem, tg_op *op, axes *s)
{
    const tg_view work = {box_of_work(problem, op->rank), problem->store_y,
                          (ptrdiff_t)op->dtype->size};
    const tg_box owned = tg_layout_owned(&problem->x, op->rank),
                 needed = tg_layout_held(&problem->y, op->rank),
                 first = box_before(problem, op->rank, 0);
    const tg_box *box[2] = {&first, &needed};
    s->covers = true;
    for (int a = 0; a < owned.ndim; a++)
        s->covers = s->covers && work.box.lo[a] == needed.lo[a] && work.box.hi[a] == needed.hi[a];
    if (!op->in_place || !s->covers) {
        s->work = tg_keep(op, tg_view_bytes(&work));
        if (!s->work)
            return tg_check_memory(NULL, tg_view_bytes(&work));
    }
    tg_status status = tg_keep_except(op, &op->view[TG_X], &owned, &first, &s->clear[TG_X]);
    if (op->in_place && status.code == TG_OK)
        status = tg_keep_except(op, &op->view[TG_Y], &needed, &owned, &s->clear[TG_Y]);
    for (tg_space space = TG_X; space <= TG_Y && status.code == TG_OK; space++)
        status = tg_keep_pair(op, &op->view[space], box[space], &work, box[space], &s->user[space],
                              &s->working[space]);
    return status;
}

static tg_status plan_local(const tg_problem *problem, tg_op *op)
{
    axes *s = tg_keep(op, (ptrdiff_t)sizeof *s);
    if (!s)
        return tg_check_memory(NULL, (ptrdiff_t)sizeof *s);
    op->state = s;
    op->release = release;
    op->run = run;
    op->start = start;
    op->finish = finish;
    tg_set_messages(op, 0);
    if (tg_layout_place(&problem->y, op->rank) < 0)
        return tg_success();
    const tg_status status = plan_stages(problem, op, s);
    return status.code == TG_OK ? plan_ends(problem, op, s) : status;
}

static tg_status plan(const tg_problem *problem, tg_op *op)
{
    if (!tg_axes_fit(problem)) /* the same on all ranks */
        return tg_engine_p2p.plan(problem, op);
    return tg_agree(op->comm, plan_local(problem, op));
}

static const tg_weights weights = {"p, added over the axes", "its pieces on each axis",
                                   "Palmer and Nieplocha 2002", tg_weigh_axes};

const tg_algorithm tg_engine_axes = {
    "axes", "p2p along one axis after the other, so that corners come by way of the neighbours",
    plan, &weights};
