/* keep.c: memory that an operator keeps, and the blocks that it moves. */
#include "primitives/op.h"

#include <stdlib.h>
#include <string.h>

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

static tg_status keep_list(tg_op *op, const tg_block *made, int count, tg_blocks *blocks)
{
    const size_t bytes = (size_t)count * sizeof *made;
    blocks->block = tg_keep(op, (ptrdiff_t)bytes);
    if (!blocks->block)
        return tg_check_memory(NULL, (ptrdiff_t)bytes);
    memcpy(blocks->block, made, bytes);
    blocks->count = count;
    return tg_success();
}

tg_status tg_keep_pair(tg_op *op, const tg_view *a, const tg_box *box_a, const tg_view *b,
                       const tg_box *box_b, tg_blocks *blocks_a, tg_blocks *blocks_b)
{
    const tg_order order = tg_order_of(a, box_a, b, box_b);
    tg_block made_a[TG_MAX_BLOCKS], made_b[TG_MAX_BLOCKS];
    const int count = tg_blocks_pair(a, box_a, b, box_b, &order, made_a, made_b);
    tg_status status = keep_list(op, made_a, count, blocks_a);
    return status.code == TG_OK ? keep_list(op, made_b, count, blocks_b) : status;
}

tg_status tg_keep_blocks(tg_op *op, const tg_view *view, const tg_box *box, const tg_order *order,
                         tg_blocks *blocks)
{
    const tg_order own = tg_order_own(view, box);
    tg_block made[TG_MAX_BLOCKS];
    return keep_list(op, made, tg_blocks_find(view, box, order ? order : &own, made), blocks);
}

/* The box without another one: at most two slabs an axis. Returns how many. */
static int cut_out(const tg_box *box, const tg_box *keep, tg_box slabs[2 * TG_MAX_NDIM])
{
    tg_box rest = *box; /* shrinks to the part that is still to be cut */
    tg_box kept = tg_box_intersect(box, keep);
    int count = 0;
    if (tg_box_count(&kept) == 0) {
        slabs[0] = rest;
        return 1;
    }
    for (int a = 0; a < box->ndim; a++) {
        slabs[count] = slabs[count + 1] = rest;
        slabs[count++].hi[a] = kept.lo[a];
        slabs[count++].lo[a] = kept.hi[a];
        rest.lo[a] = kept.lo[a];
        rest.hi[a] = kept.hi[a];
    }
    return count;
}

tg_status tg_keep_except(tg_op *op, const tg_view *view, const tg_box *box, const tg_box *keep,
                         tg_blocks *blocks)
{
    tg_box slabs[2 * TG_MAX_NDIM];
    tg_block made[2 * TG_MAX_NDIM * TG_MAX_BLOCKS];
    int count = 0;
    for (int i = cut_out(box, keep, slabs); i > 0; i--) {
        const tg_order own = tg_order_own(view, &slabs[i - 1]);
        count += tg_blocks_find(view, &slabs[i - 1], &own, made + count);
    }
    return keep_list(op, made, count, blocks);
}
