/* piece_types.c: MPI types of what a rank exchanges with each of its partners, for algorithms that
 * let the MPI library find the pieces. A type says how much and where from the buffer's start, so
 * that it is used with count 1 and displacement 0. */
#include "primitives/pieces.h"

#include <stdlib.h>

/* The partner's run of the side's packed buffer. */
static MPI_Datatype packed_type(const tg_op *op, const tg_partner *p)
{
    tg_block run = {.offset = p->offset, .run_bytes = p->entries * (ptrdiff_t)op->dtype->size};
    const tg_blocks blocks = {&run, 1};
    return tg_blocks_type(&blocks, op->dtype);
}

tg_status tg_types_plan(tg_op *op, const tg_side *side, bool packed, bool self, tg_types *types)
{
    const ptrdiff_t bytes = side->npartners * (ptrdiff_t)sizeof *types->type;
    types->type = tg_keep(op, bytes);
    if (!types->type)
        return tg_check_memory(NULL, bytes);
    for (const tg_partner *p = side->partners; p < side->partners + side->npartners; p++)
        if (self || !tg_is_self(side, p))
            types->type[types->count++] =
                packed ? packed_type(op, p) : tg_blocks_type(&p->blocks, op->dtype);
    return tg_success();
}

void tg_types_free(tg_types *types)
{
    while (types->count > 0)
        MPI_Type_free(&types->type[--types->count]);
    free(types->type);
    types->type = NULL;
}
