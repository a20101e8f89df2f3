/* row.c: the columns of a row, group by group, in the order of columns.def.
 * Bandwidths: algbw = size / t, busbw = largest unavoidable bytes of one rank / t, 1 GB = 1e9 B. */
#include "bench/row.h"

#include "bench/osu.h"

#include <math.h>
#include <string.h>

const char *tgb_mpi_version(void)
{
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    if (!text[0]) {
        MPI_Get_library_version(text, &length);
        text[strcspn(text, "\r\n")] = '\0';
        for (char *tab = strchr(text, '\t'); tab; tab = strchr(tab, '\t'))
            *tab = ' ';
    }
    return text;
}

const char *tgb_status_of(const tgb_measurement *m)
{
    if (m->status.code == TG_NO_MEMORY)
        return "skipped_mem";
    if (m->status.code != TG_OK)
        return "unsupported";
    if (m->samples == 0)
        return "budget"; /* and all repetitions late */
    return m->wrong != 0 || m->adjoint_gap > TGB_MAX_GAP ? "wrong" : "ok";
}

static void put_known(tgb_record *row, tgb_column_id column, long long value)
{
    if (value >= 0)
        tgb_record_int(row, column, value);
}

static void put_identity(const tgb_cell *cell, long launch, const char *run_id, tgb_record *row)
{
    const tgb_setup *s = &cell->setup;
    tgb_record_int(row, TGB_COL_schema, TGB_SCHEMA);
    tgb_record_text(row, TGB_COL_run_id, run_id);
    tgb_record_int(row, TGB_COL_launch, launch);
    tgb_record_int(row, TGB_COL_cell, cell->number);
    tgb_record_text(row, TGB_COL_build, TGB_BUILD);
    tgb_record_text(row, TGB_COL_mpi, tgb_mpi_version());
    tgb_record_text(row, TGB_COL_op, s->operation->name);
    tgb_record_text(row, TGB_COL_direction, cell->direction->name);
    tgb_record_text(row, TGB_COL_case, s->text);
    tgb_record_text(row, TGB_COL_algorithm, s->algorithm);
    tgb_record_text(row, TGB_COL_dtype, s->problem.dtype->name);
    tgb_record_text(row, TGB_COL_scaling, tgb_scaling_name(cell->scaling));
}

static void put_layouts(const tgb_setup *s, tgb_record *row)
{
    char text[32 * TG_MAX_NDIM];
    tg_layout_print_shape(&s->problem.x, text, sizeof text);
    tgb_record_text(row, TGB_COL_shape, text);
    tg_layout_print_grid(&s->problem.x, text, sizeof text);
    tgb_record_text(row, TGB_COL_grid_x, text);
    tg_layout_print_grid(&s->problem.y, text, sizeof text);
    tgb_record_text(row, TGB_COL_grid_y, text);
    tgb_record_int(row, TGB_COL_in_place, s->problem.place == TG_IN_PLACE);
    put_known(row, TGB_COL_size_bytes, s->size_bytes);
    put_known(row, TGB_COL_osu_size_bytes, tgb_osu_size(s));
    put_known(row, TGB_COL_held_x_bytes, s->held_x_bytes);
    put_known(row, TGB_COL_held_y_bytes, s->held_y_bytes);
    put_known(row, TGB_COL_moved_bytes, s->moved_bytes);
    put_known(row, TGB_COL_max_rank_bytes, s->max_rank_bytes);
}

static void put_team(const tgb_team *team, tgb_record *row)
{
    int world;
    MPI_Comm_size(MPI_COMM_WORLD, &world);
    tgb_record_int(row, TGB_COL_ranks, team->size);
    tgb_record_int(row, TGB_COL_world_size, world);
    tgb_record_int(row, TGB_COL_nodes, team->machine.nodes);
    tgb_record_text(row, TGB_COL_ppn, team->machine.ppn);
    tgb_record_int(row, TGB_COL_threads, tgl_blas_threads());
    tgb_record_text(row, TGB_COL_placement, team->machine.placement);
    tgb_record_int(row, TGB_COL_oversubscribed, team->machine.oversubscribed);
    tgb_record_int(row, TGB_COL_yield, team->machine.yields);
    tgb_record_real(row, TGB_COL_timer_ns, team->timer_ns);
}

static void put_method(const tgb_rules *rules, tgb_record *row)
{
    tgb_record_text(row, TGB_COL_cache, rules->cold ? "cold" : "warm");
    tgb_record_text(row, TGB_COL_sync, rules->sync->name);
    tgb_record_text(row, TGB_COL_start, rules->sync->start);
    tgb_record_text(row, TGB_COL_estimator, rules->osu ? "osu" : "median_of_max");
    tgb_record_text(row, TGB_COL_clock, tgb_clock_simulated() ? "simulated" : "raw");
    tgb_record_int(row, TGB_COL_seed, (long long)rules->seed);
}

static void put_times(const tgb_measurement *m, tgb_record *row)
{
    const tgb_summary *t = &m->times;
    const struct {
        tgb_column_id column;
        double value;
    } real[] = {{TGB_COL_t_plan_us, m->t_plan_us},
                {TGB_COL_t_first_us, m->t_first_us},
                {TGB_COL_t_min_us, t->min},
                {TGB_COL_t_p25_us, t->p25},
                {TGB_COL_t_median_us, t->median},
                {TGB_COL_ci_lo_us, t->ci_lo},
                {TGB_COL_ci_hi_us, t->ci_hi},
                {TGB_COL_t_p75_us, t->p75},
                {TGB_COL_t_p95_us, t->p95},
                {TGB_COL_t_p99_us, t->p99},
                {TGB_COL_t_max_us, t->max},
                {TGB_COL_t_mean_us, t->mean},
                {TGB_COL_t_sd_us, t->sd},
                {TGB_COL_lag1, t->lag1},
                {TGB_COL_osu_avg_us, m->osu_avg_us},
                {TGB_COL_osu_min_us, m->osu_min_us},
                {TGB_COL_osu_max_us, m->osu_max_us},
                {TGB_COL_skew_us, m->skew_us},
                {TGB_COL_steal_ms, m->steal_ms},
                {TGB_COL_peak_rss_MB, m->peak_rss_MB},
                {TGB_COL_flops, m->flops},
                {TGB_COL_adjoint_gap, m->adjoint_gap}};
    for (size_t i = 0; i < sizeof real / sizeof *real; i++)
        tgb_record_real(row, real[i].column, real[i].value);
    tgb_record_text(row, TGB_COL_algorithm_chosen, m->algorithm_chosen);
    tgb_record_int(row, TGB_COL_batch, m->batch);
    tgb_record_int(row, TGB_COL_samples, m->samples);
    tgb_record_text(row, TGB_COL_stop_reason, m->stop_reason);
    tgb_record_int(row, TGB_COL_slowest_rank, m->slowest_rank);
    tgb_record_int(row, TGB_COL_nivcsw, m->nivcsw);
    put_known(row, TGB_COL_messages, m->messages);
    put_known(row, TGB_COL_wrong, m->wrong);
}

static double rate(double amount, double t_us)
{
    return t_us > 0 ? amount / (t_us * 1e3) : NAN; /* 1e9 of something a second */
}

static void put_rates(const tgb_setup *s, const tgb_measurement *m, tgb_record *row)
{
    const double once_us = m->times.median / s->trips;
    tgb_record_real(row, TGB_COL_algbw_GBps, rate((double)s->size_bytes, once_us));
    tgb_record_real(row, TGB_COL_gflops, rate(m->flops, m->times.median));
    if (s->max_rank_bytes > 0)
        tgb_record_real(row, TGB_COL_busbw_GBps, rate((double)s->max_rank_bytes, once_us));
}

static bool is_noisy(const tgb_team *team, const tgb_measurement *m)
{
    const tgb_disturbance d = {.switches = (double)m->nivcsw,
                               .samples = m->samples,
                               .ranks = team->size,
                               .repeated_s = m->repeated_s,
                               .steal_ms = m->steal_ms,
                               .cell_s = m->cell_s,
                               .ranks_on_a_machine = team->machine.most_ranks};
    return !tgb_clock_simulated() && tgb_is_noisy(&d);
}

static void put_flags(const tgb_team *team, const tgb_measurement *m, tgb_record *row)
{
    const double repetition_us = m->times.median * m->batch;
    char text[64] = "";
    if (repetition_us * 1e3 < 20 * team->timer_ns)
        strcat(text, " short");
    if (team->size > 1 && repetition_us < 5 * m->skew_us)
        strcat(text, " skewed");
    if (m->samples < 6)
        strcat(text, " no_ci");
    if (is_noisy(team, m))
        strcat(text, " noisy");
    tgb_record_text(row, TGB_COL_flags, text[0] ? text + 1 : NULL);
}

void tgb_fill_row(const tgb_cell *cell, const tgb_team *team, const tgb_measurement *m,
                  const tgb_rules *rules, long launch, const char *run_id, tgb_record *row)
{
    put_identity(cell, launch, run_id, row);
    put_layouts(&cell->setup, row);
    put_team(team, row);
    put_method(rules, row);
    tgb_record_text(row, TGB_COL_status, tgb_status_of(m));
    tgb_record_text(row, TGB_COL_t_start_iso, m->started);
    if (m->status.code != TG_OK || m->samples == 0)
        return;
    put_times(m, row);
    put_rates(&cell->setup, m, row);
    put_flags(team, m, row);
}
