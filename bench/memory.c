/* memory.c: bytes from the layouts; what is free from the kernels of all machines. The ranks of a
 * machine share what it has free, and what the limit of their job leaves. */
#include "bench/memory.h"

#include "bench/free_memory.h"

tg_status tgb_memory_parse(const char *text, double *limit_bytes)
{
    ptrdiff_t bytes;
    tg_status status = tgb_parse_size("--max-mem", text, &bytes);
    if (status.code == TG_OK && bytes < 1)
        status = tg_fail(TG_BAD_INPUT, "--max-mem '%.40s': expected at least 1B", text);
    if (status.code == TG_OK)
        *limit_bytes = (double)bytes;
    return status;
}

static double part_bytes(const tgb_setup *s, const tg_layout *layout, ptrdiff_t largest, int rank)
{
    if (rank < 0)
        return (double)largest;
    const tg_box box = tg_layout_held(layout, rank);
    return (double)tg_box_count(&box) * (double)s->problem.dtype->size;
}

double tgb_memory_wanted(const tgb_setup *s, int rank)
{
    const double x = part_bytes(s, &s->problem.x, s->held_x_bytes, rank),
                 y = part_bytes(s, &s->problem.y, s->held_y_bytes, rank);
    return 2 * (x + y + (double)s->layer.facts.parameters_most * (double)s->problem.dtype->size);
}

static double all_wanted(const tgb_cell *cells, int count, int rank)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += tgb_memory_wanted(&cells[i].setup, rank);
    return sum;
}

static tg_status check_limit(double wanted, double limit_bytes)
{
    if (wanted <= limit_bytes)
        return tg_success();
    return tg_fail(TG_NO_MEMORY, "the largest rank needs %.0f B; --max-mem allows %.0f B", wanted,
                   limit_bytes);
}

tg_status tgb_memory_check(const tgb_team *team, const tgb_cell *cells, int count,
                           double more_bytes, double limit_bytes)
{
    if (limit_bytes > 0)
        return check_limit(all_wanted(cells, count, -1) + more_bytes, limit_bytes);
    const tgb_free_memory here =
        team->machine.first_here ? tgb_free_memory_read("") : (tgb_free_memory){.free_bytes = 0};
    double sum[3] = {all_wanted(cells, count, team->rank) + more_bytes, here.free_bytes,
                     here.by_group};
    MPI_Allreduce(MPI_IN_PLACE, sum, 3, MPI_DOUBLE, MPI_SUM, team->comm);
    if (sum[1] <= 0 || sum[0] <= sum[1])
        return tg_success();
    return tg_fail(TG_NO_MEMORY,
                   "all ranks together need %.0f B; %.0f B are free on their machines%s", sum[0],
                   sum[1], sum[2] > 0 ? " within the memory limit of their job or container" : "");
}
