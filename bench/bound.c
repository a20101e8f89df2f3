/* bound.c: the largest of the bounds that apply. Latency: the time in which data reach their group.
 * Link: unavoidable bytes of one rank over its best rate. Memory: what stays on a rank over the
 * rate of its memory at that working set. Compute: floating-point operations over the best product.
 * What crosses, what stays and what is computed may overlap, so they are not added. Source:
 * bench/README.md, "Bounds". */
#include "bench/bound.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double MOST = 1.05; /* a fraction above it is flagged */

/* starts[n]: when the n-th message starts. Each comes from a rank that has just sent (a gap later)
 * or from one that has just been told (alpha later); both come in the order of the starts. */
double tgb_reach_us(int group, double alpha_us, double gap_us)
{
    if (group <= 1)
        return 0;
    double *starts = malloc((size_t)group * sizeof *starts);
    if (!starts)
        return NAN;
    starts[0] = 0;
    for (int n = 1, sent = 0, told = 0; n < group - 1; n++) {
        const double again = starts[sent] + gap_us, first = starts[told] + alpha_us;
        starts[n] = fmin(again, first);
        if (again <= first)
            sent++;
        else
            told++;
    }
    const double last = starts[group - 2];
    free(starts);
    return last + alpha_us;
}

/* ---- the four bounds; NAN: does not apply, or nothing was measured ---- */

typedef struct {
    const tgb_calibration *calibration;
    tgb_whose whose;
    const tgb_cell *cell;
    const tgb_way *way;
    tgb_load load;
} question;

static double latency_us(const question *q)
{
    const double alpha_us = tgb_alpha_us(q->calibration, &q->whose),
                 gap_us = tgb_gap_us(q->calibration, &q->whose);
    double us = 0;
    for (int i = 0; i < 2; i++)
        us += tgb_reach_us(q->load.group[i], alpha_us, isnan(gap_us) ? 0 : gap_us);
    return us;
}

/* Messages of ours go through MPI's point-to-point. The library's own collectives may do without
 * them between ranks of one machine: one copy from memory to memory then bounds what crosses, read
 * and written: twice its bytes. */
static double link_us(const question *q)
{
    const double bytes = q->load.link_bytes;
    double rate_GBps = tgb_link_GBps(q->calibration, &q->whose);
    if (q->way->library && q->way->nodes == 1)
        rate_GBps =
            fmax(rate_GBps, tgb_memory_GBps(q->calibration, &q->whose, false, 2 * bytes) / 2);
    return bytes / rate_GBps / 1e3;
}

/* The rank with most works at the rate of one alone; all ranks together have at least what the one
 * with least has. */
static double memory_us(const question *q)
{
    const double most = q->load.memory_most, least = q->load.memory_least;
    const double one = most / tgb_memory_GBps(q->calibration, &q->whose, false, most) / 1e3;
    const double all = least / tgb_memory_GBps(q->calibration, &q->whose, true, least) / 1e3;
    return fmax(one, all);
}

static double compute_us(const question *q)
{
    const double flops = q->load.flops * q->cell->direction->work_factor;
    return flops / tgb_gemm_GFLOPs(q->calibration, &q->whose) / 1e3;
}

static const struct {
    const char *kind;
    double (*us)(const question *q);
} kinds[] = {
    {"latency", latency_us}, {"link", link_us}, {"memory", memory_us}, {"compute", compute_us}};

tgb_bound tgb_bound_of(const tgb_calibration *c, const tgb_cell *cell, const tgb_way *way)
{
    const tgb_setup *setup = &cell->setup;
    tgb_bound bound = {NAN, NULL};
    question q = {.calibration = c,
                  .whose = {setup->ranks, way->cache, setup->problem.dtype->name},
                  .cell = cell,
                  .way = way,
                  .load = {.group = {1, 1}}};
    if (!setup->operation->load || setup->operation->load(setup, &q.load).code != TG_OK)
        return bound;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const double us = kinds[i].us(&q);
        if (us > 0 && !(us <= bound.us))
            bound = (tgb_bound){us, kinds[i].kind};
    }
    return bound;
}

static void add_flag(const char *flag, tgb_record *row)
{
    const char *before = row->cell[TGB_COL_flags];
    char text[128];
    snprintf(text, sizeof text, "%s%s%s", before ? before : "", before ? " " : "", flag);
    tgb_record_text(row, TGB_COL_flags, text);
}

/* The number in a column; 0: empty. */
static double number_in(const tgb_record *row, tgb_column_id column)
{
    return row->cell[column] ? strtod(row->cell[column], NULL) : 0;
}

void tgb_put_bound(const tgb_calibration *c, const tgb_cell *cell, tgb_record *row)
{
    const double t_us = number_in(row, TGB_COL_t_median_us);
    const tgb_way way = {.cache = row->cell[TGB_COL_cache],
                         .nodes = (int)number_in(row, TGB_COL_nodes),
                         .library = row->cell[TGB_COL_messages] == NULL};
    if (c->count == 0 || !(t_us > 0))
        return;
    const tgb_bound bound = tgb_bound_of(c, cell, &way);
    if (isnan(bound.us))
        return;
    tgb_record_real(row, TGB_COL_bound_us, bound.us);
    tgb_record_text(row, TGB_COL_bound_kind, bound.kind);
    tgb_record_real(row, TGB_COL_bound_fraction, bound.us / t_us);
    if (bound.us / t_us > MOST)
        add_flag("above_bound", row);
}
