/* send_recv.c: one tensor moves from one worker to another: y = x.
 *
 * Forward: the worker of y receives what the worker of x sends. Adjoint: the cotangent of y goes
 * back.
 * Source: Hewett and Grady, arXiv 2006.03108, section 3, "send and receive". */
#include "primitives/count.h"
#include "primitives/exchange.h"
#include "primitives/rules.h"

#include <stdlib.h>

typedef struct {
    int rank[2]; /* of x and y; by tg_space */
    ptrdiff_t entries;
} ends;

static void release_ends(tg_op *op)
{
    free(op->state);
}

static void run_ends(tg_op *op, tg_space to, const void *in, void *out)
{
    const ends *e = op->state;
    tg_space from = to == TG_Y ? TG_X : TG_Y;
    if (e->rank[TG_X] == e->rank[TG_Y]) {
        if (op->rank == e->rank[to] && !op->in_place) {
            tg_block all = tg_block_of(&op->box[to], &op->box[to], op->dtype->size);
            tg_block_copy(&all, in, &all, out);
        }
    } else if (op->rank == e->rank[from]) {
        tg_send(in, e->entries, op->dtype, e->rank[to], op->comm);
        if (op->in_place && to == TG_X) { /* the copy is cleared once it is sent */
            tg_block all = tg_block_of(&op->box[from], &op->box[from], op->dtype->size);
            tg_block_clear(&all, out);
        }
    } else if (op->rank == e->rank[to]) {
        tg_receive(out, e->entries, op->dtype, e->rank[from], op->comm);
    }
}

static tg_status plan_ends(const tg_problem *problem, tg_op *op)
{
    ends *e = tg_keep(op, (ptrdiff_t)sizeof *e);
    op->state = e;
    op->release = release_ends;
    op->run = run_ends;
    tg_status status = tg_check_memory(e, (ptrdiff_t)sizeof *e);
    if (status.code == TG_OK) {
        *e = (ends){.rank = {tg_layout_rank(&problem->x, 0), tg_layout_rank(&problem->y, 0)},
                    .entries = tg_layout_count(&problem->x)};
        bool sends = op->rank == e->rank[TG_X] && e->rank[TG_X] != e->rank[TG_Y];
        op->messages = sends ? tg_count_calls(e->entries) : 0;
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

static const tg_algorithm mpi = {"mpi", "MPI_Send and MPI_Recv", plan_ends};
static const tg_algorithm *const algorithms[] = {&tg_engine_reference, &mpi, NULL};

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
};
