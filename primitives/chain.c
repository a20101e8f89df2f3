/* chain.c: one operator after another: (G F)* = F* G*.
 *
 * Source: Hewett and Grady, arXiv 2006.03108, section 2. */
#include "primitives/op.h"

#include <stdint.h>
#include <stdlib.h>

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
    const tg_view *end = &first->view[first->flipped ? TG_X : TG_Y],
                  *start = &second->view[second->flipped ? TG_Y : TG_X];
    if (first->in_place || second->in_place)
        return tg_fail(TG_BAD_INPUT, "a chain of an operator in place; expected out of place");
    if (first->sum[TG_Y] || second->sum[TG_Y])
        return tg_fail(TG_BAD_INPUT,
                       "a chain of an operator that accumulates; expected one that replaces");
    if (first->dtype != second->dtype || !tg_box_equal(&end->box, &start->box) ||
        !tg_store_equal(&end->store, &start->store))
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
    op->view[TG_X] = first->view[first->flipped ? TG_Y : TG_X];
    op->view[TG_Y] = second->view[second->flipped ? TG_X : TG_Y];
    for (tg_space to = TG_X; to <= TG_Y; to++) {
        const ptrdiff_t one = tg_op_messages(first, to == TG_X),
                        other = tg_op_messages(second, to == TG_X);
        op->messages[to] = one >= 0 && other >= 0 ? one + other : -1;
    }
    op->held_bytes += first->held_bytes + second->held_bytes;
    op->algorithm[TG_X] = op->algorithm[TG_Y] = "several";
    op->state = c;
    op->run = run_chain;
    op->release = release_chain;
    return tg_success();
}

tg_status tg_chain(tg_op *second, tg_op *first, tg_op **op)
{
    tg_comm *own = first->shared;
    tg_comm_join(own);
    tg_op *made = tg_op_new(own, first->dtype);
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
        tg_op_drop(made);
    else
        tg_comm_close(own);
    if (!took_over) {
        tg_free(&first);
        tg_free(&second);
    }
    return status;
}
