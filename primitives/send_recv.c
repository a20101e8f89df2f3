/* send_recv.c: one tensor moves from one worker to another: y = x.
 *
 * Forward: the worker of y receives what the worker of x sends. Adjoint: the cotangent of y goes
 * back.
 * Source: Hewett and Grady, arXiv 2006.03108, section 3, "send and receive". */
#include "primitives/auto.h"
#include "primitives/count.h"
#include "primitives/exchange.h"
#include "primitives/rules.h"

#include <stdlib.h>

typedef struct {
    int rank[2]; /* of x and y; by tg_space */
    ptrdiff_t entries;
    tg_blocks whole[2];    /* the tensor in buffers of x and y, as a pair; the same on all ranks */
    bool plain;            /* both are one run: calls count entries */
    MPI_Datatype type[2];  /* not plain: the tensor in these buffers */
    MPI_Request *requests; /* of a message under way */
    int messages;
} ends;

static void release_ends(tg_op *op)
{
    ends *e = op->state;
    for (tg_space space = TG_X; space <= TG_Y; space++) {
        free(e->whole[space].block);
        if (e->type[space] != MPI_DATATYPE_NULL)
            MPI_Type_free(&e->type[space]);
    }
    free(e->requests);
    free(e);
}

static char *begin_of(const tg_blocks *whole, const void *buffer)
{
    return (char *)(uintptr_t)buffer + whole->block->offset;
}

static void start_send(const tg_op *op, const ends *e, tg_space to, const void *in)
{
    const tg_space from = to == TG_Y ? TG_X : TG_Y;
    if (e->plain)
        tg_start_send(op, begin_of(&e->whole[from], in), e->entries, e->rank[to], e->requests);
    else
        MPI_Isend(in, 1, e->type[from], e->rank[to], op->tag, op->comm, e->requests);
}

static void start_receive(const tg_op *op, const ends *e, tg_space to, void *out)
{
    const int from = e->rank[to == TG_Y ? TG_X : TG_Y];
    if (e->plain)
        tg_start_receive(op, begin_of(&e->whole[to], out), e->entries, from, e->requests);
    else
        MPI_Irecv(out, 1, e->type[to], from, op->tag, op->comm, e->requests);
}

static void send(const tg_op *op, const ends *e, tg_space to, const void *in)
{
    const tg_space from = to == TG_Y ? TG_X : TG_Y;
    if (e->plain)
        tg_send(op, begin_of(&e->whole[from], in), e->entries, e->rank[to]);
    else
        MPI_Send(in, 1, e->type[from], e->rank[to], op->tag, op->comm);
}

static void receive(const tg_op *op, const ends *e, tg_space to, void *out)
{
    const int from = e->rank[to == TG_Y ? TG_X : TG_Y];
    if (e->plain)
        tg_receive(op, begin_of(&e->whole[to], out), e->entries, from);
    else
        MPI_Recv(out, 1, e->type[to], from, op->tag, op->comm, MPI_STATUS_IGNORE);
}

/* Does this rank send, or receive, a message? Without one the tensor is empty or stays on its rank. */
static bool is_end(const tg_op *op, const ends *e, tg_space end)
{
    return e->entries > 0 && e->rank[TG_X] != e->rank[TG_Y] && op->rank == e->rank[end];
}

static void copy_here(const tg_op *op, const ends *e, tg_space to, const void *in, void *out)
{
    const tg_space from = to == TG_Y ? TG_X : TG_Y;
    if (e->rank[TG_X] == e->rank[TG_Y] && op->rank == e->rank[to] && !op->in_place)
        tg_blocks_copy(&e->whole[from], in, &e->whole[to], out);
}

/* In place the copy is cleared once it is sent. */
static void clear_sent(const tg_op *op, const ends *e, tg_space to, void *out)
{
    if (op->in_place && to == TG_X && is_end(op, e, TG_Y))
        tg_blocks_clear(&e->whole[TG_Y], out);
}

static void run_ends(tg_op *op, tg_space to, const void *in, void *out)
{
    const ends *e = op->state;
    copy_here(op, e, to, in, out);
    if (is_end(op, e, to == TG_Y ? TG_X : TG_Y))
        send(op, e, to, in);
    if (is_end(op, e, to))
        receive(op, e, to, out);
    clear_sent(op, e, to, out);
}

static void start_ends(tg_op *op, tg_space to, const void *in, void *out)
{
    const ends *e = op->state;
    copy_here(op, e, to, in, out);
    if (is_end(op, e, to == TG_Y ? TG_X : TG_Y))
        start_send(op, e, to, in);
    if (is_end(op, e, to))
        start_receive(op, e, to, out);
}

static void finish_ends(tg_op *op, tg_space to, const void *in, void *out)
{
    const ends *e = op->state;
    (void)in;
    if (is_end(op, e, TG_X) || is_end(op, e, TG_Y))
        MPI_Waitall(e->messages, e->requests, MPI_STATUSES_IGNORE);
    clear_sent(op, e, to, out);
}

/* How the tensor lies at the two ends. Local. */
static tg_status find_ends(const tg_problem *problem, tg_op *op, ends *e)
{
    e->rank[TG_X] = tg_layout_rank(&problem->x, 0);
    e->rank[TG_Y] = tg_layout_rank(&problem->y, 0);
    e->entries = tg_layout_count(&problem->x);
    const tg_view x = tg_view_of(problem, TG_X, e->rank[TG_X]),
                  y = tg_view_of(problem, TG_Y, e->rank[TG_Y]);
    const tg_box whole = tg_layout_held(&problem->x, e->rank[TG_X]);
    tg_status status = tg_keep_pair(op, &x, &whole, &y, &whole, &e->whole[TG_X], &e->whole[TG_Y]);
    if (status.code != TG_OK)
        return status;
    e->plain = tg_blocks_contiguous(&e->whole[TG_X]) && tg_blocks_contiguous(&e->whole[TG_Y]);
    for (tg_space space = TG_X; !e->plain && e->entries > 0 && space <= TG_Y; space++)
        e->type[space] = tg_blocks_type(&e->whole[space], op->dtype);
    e->messages = e->plain ? tg_count_calls(e->entries) : e->entries > 0;
    tg_set_messages(op, is_end(op, e, TG_X) ? e->messages : 0);
    e->requests = tg_keep(op, e->messages * (ptrdiff_t)sizeof *e->requests);
    return tg_check_memory(e->requests, e->messages * (ptrdiff_t)sizeof *e->requests);
}

static tg_status plan_ends(const tg_problem *problem, tg_op *op)
{
    ends *e = tg_keep(op, (ptrdiff_t)sizeof *e);
    tg_status status = tg_check_memory(e, (ptrdiff_t)sizeof *e);
    if (e) {
        e->type[TG_X] = e->type[TG_Y] = MPI_DATATYPE_NULL;
        op->state = e;
        op->release = release_ends;
        op->run = run_ends;
        op->start = start_ends;
        op->finish = finish_ends;
        status = find_ends(problem, op, e);
    }
    return tg_agree(op->comm, status);
}

static tg_status check(const tg_layout *x, const tg_layout *y)
{
    if (tg_layout_size(x) != 1 || tg_layout_size(y) != 1) {
        char from[64], to[64];
        tg_layout_print_grid(x, from, sizeof from);
        tg_layout_print_grid(y, to, sizeof to);
        return tg_fail(TG_BAD_INPUT, "from=%s to=%s: expected one part on each side", from, to);
    }
    return tg_check_same_tensor(x, y);
}

static const tg_algorithm mpi = {"mpi", "MPI_Send and MPI_Recv", plan_ends, NULL};
static const tg_algorithm *const algorithms[] = {&tg_engine_reference, TG_AND_PARTITIONED(&mpi),
                                                 &tg_engine_auto, NULL};

extern const tg_primitive tg_send_recv;
const tg_primitive tg_send_recv = {
    .name = "send_recv",
    .summary = "one tensor from one worker to another",
    .formula = "y = x",
    .adjoint = "x = y, received and added where x is",
    .source = "arXiv 2006.03108, section 3",
    .two_layouts = true,
    .check = check,
    .auto_grid = tg_grid_ones,
    .traffic = tg_traffic_copy,
    .algorithms = algorithms,
    .lacking = TG_LACKING_PARTITIONED,
};
