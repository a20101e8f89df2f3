/* holders.c: which ranks hold copies of one part.
 *
 * A rank is in at most two groups: the one of its part of x, as root, and the one of its part of
 * y, as a copy. Groups are numbered by their part, and every rank goes through its groups in
 * ascending number, when communicators are made and in every run: no cycle of ranks can wait for
 * each other. */
#include "primitives/holders.h"

#include <stdlib.h>
#include <string.h>

void tg_holders_free(tg_holders *h)
{
    free(h->ranks);
    for (tg_space space = TG_X; space <= TG_Y; space++)
        free(h->part[space].block);
}

char *tg_part_begin(const tg_blocks *part, const void *buffer)
{
    return (char *)(uintptr_t)buffer + part->block->offset;
}

/* The place in `layout` of the part at `coords` of a layout with copies: copied axes count from the
 * first copy. */
static int part_number(const tg_layout *layout, const int coords[TG_MAX_NDIM],
                       const tg_layout *copies)
{
    int part[TG_MAX_NDIM];
    for (int a = 0; a < layout->ndim; a++)
        part[a] = copies->axis[a].copied ? 0 : coords[a];
    return tg_layout_place_at(layout, part);
}

/* Ranks of comm in the group of the part at coords: the copies in the order of their places; in
 * front of them the owner when it holds no copy. Returns a malloc'ed list; *root is the owner's
 * index. */
static int *ranks_of_group(const tg_layout *copies, const int coords[TG_MAX_NDIM], int owner,
                           int *size, int *root)
{
    bool fixed[TG_MAX_NDIM];
    int count = 1;
    for (int a = 0; a < copies->ndim; a++) {
        fixed[a] = !copies->axis[a].copied;
        count *= fixed[a] ? 1 : copies->axis[a].parts;
    }
    int *list = malloc(((size_t)count + 1) * sizeof *list);
    if (!list)
        return NULL;
    *size = tg_layout_ranks_at(copies, coords, fixed, list);
    for (*root = 0; *root < *size && list[*root] != owner;)
        (*root)++;
    if (*root == *size) { /* the owner holds no copy */
        memmove(list + 1, list, (size_t)*size * sizeof *list);
        list[0] = owner;
        *root = 0;
        (*size)++;
    }
    return list;
}

/* The ranks, and how the part lies in buffers of x and y, which hold nothing else. */
static tg_status fill_holders(const tg_problem *problem, tg_op *op, const int coords[TG_MAX_NDIM],
                              const tg_box *box, tg_holders *h)
{
    const tg_layout *x = &problem->x, *y = &problem->y;
    const ptrdiff_t size = (ptrdiff_t)op->dtype->size;
    const tg_view view_x = {*box, problem->store_x, size}, view_y = {*box, problem->store_y, size};
    h->ranks = ranks_of_group(y, coords, tg_layout_rank(x, h->number), &h->size, &h->root);
    if (!h->ranks)
        return tg_check_memory(NULL, tg_layout_size(y) * (ptrdiff_t)sizeof(int));
    op->held_bytes += (h->size + 1) * (ptrdiff_t)sizeof *h->ranks;
    while (h->ranks[h->me] != op->rank)
        h->me++;
    return tg_keep_pair(op, &view_x, box, &view_y, box, &h->part[TG_X], &h->part[TG_Y]);
}

/* In place a collective reads and writes one contiguous part. */
static tg_status check_in_place(const tg_problem *problem, const tg_op *op)
{
    tg_box x = tg_layout_held(&problem->x, op->rank), y = tg_layout_held(&problem->y, op->rank);
    if (!op->in_place || tg_box_count(&x) == 0 || tg_box_count(&y) == 0 || tg_box_equal(&x, &y))
        return tg_success();
    return tg_fail(
        TG_BAD_INPUT,
        "in-place=yes algorithm=%s: rank %d holds different parts of x and y; expected the same "
        "part, or algorithm=reference",
        problem->algorithm->name, op->rank);
}

tg_status tg_find_holders(const tg_problem *problem, tg_op *op, tg_holders found[2], int *count)
{
    *count = 0;
    tg_status status = check_in_place(problem, op);
    if (status.code != TG_OK)
        return status;
    const tg_layout *x = &problem->x, *y = &problem->y;
    int place_x = tg_layout_place(x, op->rank), place_y = tg_layout_place(y, op->rank);
    int coords_x[TG_MAX_NDIM] = {0}, coords_y[TG_MAX_NDIM] = {0};
    int number_x = -1, number_y = -1;
    if (place_x >= 0) {
        tg_layout_coords(x, place_x, coords_x);
        number_x = part_number(x, coords_x, y);
    }
    if (place_y >= 0) {
        tg_layout_coords(y, place_y, coords_y);
        number_y = part_number(x, coords_y, y);
    }
    bool same = number_x == number_y;
    for (int i = 0; i < 2; i++) {
        bool of_x = (i == 0) == (number_x <= number_y); /* ascending */
        int number = of_x ? number_x : number_y;
        if (number < 0 || (same && i == 1))
            continue;
        tg_box box = of_x ? tg_layout_held(x, op->rank) : tg_layout_held(y, op->rank);
        if (tg_box_count(&box) == 0) /* all ranks of the group know it: nothing to send */
            continue;
        tg_holders *made = &found[(*count)++];
        *made = (tg_holders){.number = number,
                             .entries = tg_box_count(&box),
                             .sends = of_x || same,
                             .holds = !of_x || same};
        status = fill_holders(problem, op, of_x ? coords_x : coords_y, &box, made);
        if (status.code != TG_OK)
            return status;
    }
    return tg_success();
}
