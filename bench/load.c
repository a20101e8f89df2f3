/* load.c: what a primitive, or the raw call beside it, asks of a rank at least: how many ranks its
 * data must reach, what its link must carry, what it must copy in its own memory. All of it follows
 * from the layouts of x and y. */
#include "bench/operation.h"

#include <stdlib.h>

/* ---- how many ranks one rank's data must reach, or one rank's result comes from ---- */

typedef tg_status find_overlaps(const tg_layout *layout, const tg_box *box, tg_overlap **overlaps,
                                int *count);
typedef tg_box box_of(const tg_layout *layout, int rank);

static int ascending(const void *left, const void *right)
{
    const int a = ((const tg_overlap *)left)->rank, b = ((const tg_overlap *)right)->rank;
    return (a > b) - (a < b);
}

/* Different ranks among overlaps, `rank` apart. Overlaps are reordered. */
static int count_others(tg_overlap *overlaps, int count, int rank)
{
    int others = 0;
    if (count > 0)
        qsort(overlaps, (size_t)count, sizeof *overlaps, ascending);
    for (int i = 0; i < count; i++)
        others += overlaps[i].rank != rank && (i == 0 || overlaps[i].rank != overlaps[i - 1].rank);
    return others;
}

enum { LOOKS = 256 };

/* The largest number, over the ranks of `mine`, of other ranks that a rank's box is found at in
 * `other`; with the rank itself, and never below *most. Of many ranks only some are looked at,
 * spread evenly: a group that is too small makes a bound that is too low, and no wrong one. */
static tg_status count_reach(const tg_layout *mine, const tg_layout *other, box_of *box,
                             find_overlaps *find, int *most)
{
    const int size = tg_layout_size(mine), step = (size + LOOKS - 1) / LOOKS;
    for (int place = 0; place < size; place += step) {
        const int rank = tg_layout_rank(mine, place);
        const tg_box part = box(mine, rank);
        tg_overlap *overlaps = NULL;
        int count = 0;
        tg_status status = find(other, &part, &overlaps, &count);
        if (status.code != TG_OK)
            return status;
        const int reach = 1 + count_others(overlaps, count, rank);
        free(overlaps);
        *most = reach > *most ? reach : *most;
    }
    return tg_success();
}

static bool has_copies(const tg_layout *layout)
{
    bool copies = false;
    for (int a = 0; a < layout->ndim; a++)
        copies = copies || (layout->axis[a].copied && layout->axis[a].parts > 1);
    return copies;
}

/* y[held] = x[owned]: from owners to holders. A sum: from all holders of x to the owner in y, or,
 * where y holds copies too, to all of them. */
static tg_status write_group(const tg_problem *p, tgb_load *l)
{
    const tg_layout *x = &p->x, *y = &p->y;
    tg_status status;
    l->group[0] = 1;
    if (p->primitive->sums && has_copies(y))
        return count_reach(y, x, tg_layout_held, tg_holders_of, &l->group[0]);
    if (p->primitive->sums) {
        status = count_reach(y, x, tg_layout_owned, tg_holders_of, &l->group[0]);
        return status.code == TG_OK ? count_reach(x, y, tg_layout_held, tg_owners_of, &l->group[0])
                                    : status;
    }
    status = count_reach(x, y, tg_layout_owned, tg_holders_of, &l->group[0]);
    return status.code == TG_OK ? count_reach(y, x, tg_layout_held, tg_owners_of, &l->group[0])
                                : status;
}

/* ---- what stays on its rank: read once, written once ---- */

/* Entries that a rank has on both sides of y[held] = x[owned], or of a sum. */
static ptrdiff_t staying(const tg_problem *p, int rank)
{
    const bool sums = p->primitive->sums;
    const tg_box x = sums ? tg_layout_held(&p->x, rank) : tg_layout_owned(&p->x, rank);
    const tg_box y =
        sums && !has_copies(&p->y) ? tg_layout_owned(&p->y, rank) : tg_layout_held(&p->y, rank);
    const tg_box both = tg_box_intersect(&x, &y);
    return tg_box_count(&both);
}

/* Regions of x that are read and regions of y that are made of them; zeros are not counted, since
 * writing alone may be faster than the rate of a copy. */
static int regions_moved(const tg_regions *map)
{
    int moved = 0;
    for (int r = 0; r < map->of_y; r++)
        moved += map->adds[r][0] || map->adds[r][1];
    for (int c = 0; c < map->of_x; c++)
        moved += map->adds[0][c] || map->adds[1][c];
    return moved;
}

static double bytes_in_memory(const tg_problem *p, int rank)
{
    const double size = (double)p->dtype->size;
    if (p->primitive->regions) { /* axis 0 counts the regions of x */
        const tg_box held = tg_layout_held(&p->x, rank);
        return regions_moved(p->primitive->regions) * size * (double)tg_box_count(&held) /
               p->primitive->regions->of_x;
    }
    return 2 * size * (double)staying(p, rank);
}

static void write_memory(const tgb_setup *setup, tgb_load *l)
{
    for (int rank = 0; rank < setup->ranks && !setup->one_buffer; rank++) {
        const double bytes = bytes_in_memory(&setup->problem, rank);
        l->memory_most = bytes > l->memory_most ? bytes : l->memory_most;
        l->memory_least = rank == 0 || bytes < l->memory_least ? bytes : l->memory_least;
    }
}

tg_status tgb_load_of_layouts(const tgb_setup *setup, tgb_load *load)
{
    tg_status status = tg_success();
    if (setup->moved_bytes > 0) {
        load->link_bytes = (double)setup->max_rank_bytes;
        status = write_group(&setup->problem, load);
    }
    write_memory(setup, load);
    return status;
}
