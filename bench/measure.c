/* measure.c: the life of one cell: plan, check, warm up, repeat, check again; decide together when
 * to stop. Looks at the interval come after 10, 15, 23, 35, ... repetitions (each time half as many
 * again), so that looking does not become part of what is measured; rank 0 decides and tells the
 * others. */
#include "bench/measure.h"
#include "bench/memory.h"
#include "bench/osu.h"
#include "bench/phases.h"
#include "bench/proc.h"
#include "bench/repeat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    WARM_UP_WINDOW = 5,
    WARM_UP_WINDOWS = 20,
    MAX_BATCH = 100000,
    MOST_REDONE = 20,    /* times as many as are wanted at least */
    SHORT_IN_TIMERS = 20 /* a sample should last this many reads of the clock */
};
static const double BATCH_NS = 25000, CHUNK_S = 0.1, AGREE = 0.1;

static double seconds_since(uint64_t start_ns)
{
    return (double)(tgb_now_ns() - start_ns) / 1e9;
}

/* ---- warm-up: until two successive windows agree ---- */

/* On rank 0: does a window's median agree with that of the window before? */
static bool agrees(double now, double before)
{
    return before >= 0 && fabs(now - before) <= AGREE * fmax(now, before);
}

/* A window has one repetition where some would take long, with all that is around them; the first
 * one tells. Returns, on rank 0, the median of the last window in us. */
static double warm_up(tgb_session *s, double limit_s)
{
    const tgb_sync *sync = s->starts.sync;
    const uint64_t start = tgb_now_ns();
    double before = -1, now = -1;
    if (sync->warm_up)
        s->starts.sync = sync->warm_up;
    for (int i = 0, n = 1, go_on = 1; i < WARM_UP_WINDOWS && go_on; i++) {
        s->count = 0;
        tgb_collect(s, tgb_repeat(s, n));
        before = now;
        if (s->count > 0 && s->team->rank == 0)
            now = tgb_median(s->value, s->count, s->scratch);
        go_on = tgb_team_told(s->team, !agrees(now, before) && seconds_since(start) < limit_s);
        bool many = (double)s->starts.cycle * WARM_UP_WINDOW <= CHUNK_S * 1e9;
        n = tgb_team_told(s->team, many ? WARM_UP_WINDOW : 1);
    }
    s->starts.sync = sync;
    s->count = s->redone = 0;
    return fmax(now, 0);
}

/* Operations a repetition: one, unless nothing crosses between ranks and one is too short for the
 * clock. Only the first of a batch would find its caches cold. */
static int choose_batch(const tgb_session *s, bool cold, double once_us)
{
    double wanted_ns = fmax(BATCH_NS, SHORT_IN_TIMERS * s->team->timer_ns);
    double batch = s->work->setup->local && !cold ? ceil(wanted_ns / fmax(once_us * 1e3, 1)) : 1;
    return tgb_team_told(s->team, batch > MAX_BATCH ? MAX_BATCH : batch < 1 ? 1 : (int)batch);
}

/* ---- the timed repetitions ---- */

static bool interval_is_small(tgb_session *s, double ci)
{
    tgb_median(s->value, s->count, s->scratch); /* sorts scratch */
    return tgb_interval_is_small(s->scratch, s->count, ci);
}

/* Why to stop now; NULL: go on. Rank 0. */
static const char *reason_to_stop(tgb_session *s, const tgb_rules *rules, bool look, double left_s)
{
    if (s->count < rules->min_reps)
        return left_s <= 0 && s->redone > MOST_REDONE * rules->min_reps ? "budget" : NULL;
    if (s->count >= rules->max_reps)
        return rules->min_reps == rules->max_reps ? "fixed" : "max_reps";
    if (look && rules->min_reps < rules->max_reps && interval_is_small(s, rules->ci))
        return "interval";
    return left_s <= 0 ? "budget" : NULL;
}

/* Repetitions until the next look, though not more than about CHUNK_S of them before the budget is
 * looked at. */
static int next_chunk(const tgb_session *s, int until_look)
{
    double fits = CHUNK_S * 1e9 / fmax((double)s->starts.cycle, 1);
    return fits < 1 ? 1 : fits < until_look ? (int)fits : until_look;
}

static const char *repeat_until_good(tgb_session *s, const tgb_rules *rules, uint64_t start,
                                     double budget_s)
{
    const char *reason = NULL;
    int look = tgb_next_look(0, rules->max_reps);
    for (int go_on = 1; go_on;) {
        int chunk = tgb_team_told(s->team, next_chunk(s, look - s->count));
        s->starts.deadline =
            s->count >= rules->min_reps ? start + (uint64_t)(fmax(budget_s, 0) * 1e9) : 0;
        tgb_collect(s, tgb_repeat(s, chunk));
        bool looks = s->count == look;
        if (s->team->rank == 0)
            reason = reason_to_stop(s, rules, looks, budget_s - seconds_since(start));
        if (looks)
            look = tgb_next_look(look, rules->max_reps);
        go_on = tgb_team_told(s->team, reason == NULL);
    }
    return reason;
}

/* ---- what the row tells ---- */

/* OSU's estimators: mean, smallest and largest over ranks of each rank's mean. */
static void write_osu(const tgb_session *s, tgb_measurement *m)
{
    double sum = 0, mean, all;
    for (int i = 0; i < s->count; i++)
        sum += (double)s->took[i] / 1e3 / s->batch;
    mean = sum / s->count;
    MPI_Reduce(&mean, &all, 1, MPI_DOUBLE, MPI_SUM, 0, s->team->comm);
    MPI_Reduce(&mean, &m->osu_min_us, 1, MPI_DOUBLE, MPI_MIN, 0, s->team->comm);
    MPI_Reduce(&mean, &m->osu_max_us, 1, MPI_DOUBLE, MPI_MAX, 0, s->team->comm);
    m->osu_avg_us = all / s->team->size;
}

/* The rank that was the slowest most often; the lowest of equals. */
static int most_often_slowest(const tgb_session *s)
{
    int *times = calloc((size_t)s->team->size, sizeof *times), best = 0;
    for (int i = 0; times && i < s->count; i++)
        times[s->sample[i].slowest]++;
    for (int r = 1; times && r < s->team->size; r++)
        if (times[r] > times[best])
            best = r;
    free(times);
    return best;
}

static void write_messages(const tgb_session *s, tgb_measurement *m)
{
    ptrdiff_t (*count)(const tgb_work *) = s->work->setup->operation->messages;
    long long mine = count ? count(s->work) : -1, sum[2] = {mine < 0 ? 0 : mine, mine < 0};
    MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_LONG_LONG, MPI_SUM, s->team->comm);
    m->messages = sum[1] > 0 ? -1 : sum[0];
}

static void write_flops(const tgb_session *s, tgb_measurement *m)
{
    double (*count)(const tgb_work *) = s->work->setup->operation->flops;
    m->flops = count ? count(s->work) : NAN;
    MPI_Allreduce(MPI_IN_PLACE, &m->flops, 1, MPI_DOUBLE, MPI_SUM, s->team->comm);
}

static void write_facts(tgb_session *s, tgb_measurement *m)
{
    write_osu(s, m);
    write_messages(s, m);
    write_flops(s, m);
    m->peak_rss_MB = tgb_team_largest(s->team, tgb_peak_rss_MB());
    if (s->team->rank != 0)
        return;
    m->times = tgb_summarise(s->value, s->count, s->scratch);
    m->skew_us = tgb_median(s->skew, s->count, s->scratch);
    m->slowest_rank = most_often_slowest(s);
    m->sample = s->sample;
    s->sample = NULL;
}

static void write_start(tgb_measurement *m)
{
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(m->started, sizeof m->started, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* ---- one cell ---- */

static double time_plan(const tgb_team *team, const tgb_cell *cell, uint64_t seed, tgb_work *work,
                        tg_status *status)
{
    tgb_barrier(team);
    const uint64_t begin = tgb_now_ns();
    *status = tgb_plan(team->comm, &cell->setup, cell->direction, seed, work);
    return tgb_team_largest(team, (double)(tgb_now_ns() - begin) / 1e3);
}

/* The first call, kept apart: connections are made in it. */
static double time_first(const tgb_team *team, tgb_work *work)
{
    work->direction->fill(work);
    tgb_barrier(team);
    const uint64_t begin = tgb_now_ns();
    work->direction->run(work);
    return tgb_team_largest(team, (double)(tgb_now_ns() - begin) / 1e3);
}

static void prepare_repetitions(tgb_session *s, const tgb_rules *rules, double budget_s)
{
    const double once_us = warm_up(s, budget_s / 4);
    s->batch = choose_batch(s, rules->cold, once_us);
    s->starts.cycle = (uint64_t)fmax((double)s->starts.cycle, once_us * 1e3 * s->batch);
}

static void time_repetitions(tgb_session *s, const tgb_rules *rules, uint64_t start,
                             double budget_s, tgb_measurement *m)
{
    if (!rules->osu)
        prepare_repetitions(s, rules, budget_s - seconds_since(start));
    tgb_phase_enter(TGB_PHASE_TIMED);
    const uint64_t begin = tgb_now_ns();
    long long switches = -tgb_involuntary_switches();
    m->stop_reason = rules->osu ? tgb_osu_repeat(s) : repeat_until_good(s, rules, start, budget_s);
    switches += tgb_involuntary_switches();
    m->repeated_s = seconds_since(begin);
    MPI_Reduce(&switches, &m->nivcsw, 1, MPI_LONG_LONG, MPI_SUM, 0, s->team->comm);
}

/* What precedes a repetition, outside of it. */
static void make_ready(void *context)
{
    const tgb_session *s = context;
    if (s->work->setup->restores)
        s->work->direction->fill(s->work);
    tgb_evict(&s->evictor);
    tgb_barrier(s->team);
}

/* Events, in repetitions of their own: a quarter of the cell's time at most. */
static void count_events(tgb_session *s, const tgb_rules *rules, double budget_s)
{
    if (!rules->counting || s->count == 0)
        return;
    tgb_phase_enter(TGB_PHASE_COUNTED);
    const double once_us = s->team->rank == 0 ? tgb_median(s->value, s->count, s->scratch) : 0;
    tgb_counting_run(rules->counting, s->work, s->batch, once_us, budget_s / 4, make_ready, s);
}

/* Start, compute, finish, in repetitions of their own: a quarter of the cell's time. */
static void hide_behind_computing(tgb_session *s, const tgb_rules *rules, double budget_s,
                                  tgb_measurement *m)
{
    if (!rules->overlap || s->count == 0)
        return;
    tgb_phase_enter(TGB_PHASE_OVERLAP);
    const double once_us = s->team->rank == 0 ? tgb_median(s->value, s->count, s->scratch) : 0;
    tgb_overlap_run(s->work, once_us, budget_s / 4, make_ready, s, &m->overlap);
}

static long long worse(long long a, long long b)
{
    return a < 0 || b < 0 ? -1 : a > b ? a : b;
}

/* What stands for the word auto: of the algorithm, or of the kernels of a layer. */
static const char *chosen_by_auto(const tgb_work *work)
{
    const char *kernels = tgb_case_get(&work->setup->words, "kernels");
    if (strcmp(work->setup->algorithm, "auto") == 0 && work->op)
        return tg_op_algorithm(work->op, strcmp(work->direction->name, "adjoint") == 0);
    return work->layer && kernels && strcmp(kernels, "auto") == 0 ? tgl_kernels(work->layer) : NULL;
}

static void measure_planned(tgb_session *s, const tgb_cell *cell, const tgb_rules *rules,
                            uint64_t start, double budget_s, tgb_measurement *m)
{
    tgb_phase_enter(TGB_PHASE_WARM_UP);
    m->t_first_us = time_first(s->team, s->work);
    tgb_phase_enter(TGB_PHASE_VALIDATION);
    m->wrong = tgb_validate(s->work);
    if (cell->setup.operation->adjoint_gap)
        m->adjoint_gap = cell->setup.operation->adjoint_gap(s->work);
    s->work->direction->fill(s->work);
    tgb_phase_enter(TGB_PHASE_WARM_UP);
    time_repetitions(s, rules, start, budget_s, m);
    count_events(s, rules, budget_s);
    hide_behind_computing(s, rules, budget_s, m);
    tgb_phase_enter(TGB_PHASE_VALIDATION);
    m->wrong = worse(m->wrong, tgb_validate(s->work));
    if (s->count > 0)
        write_facts(s, m);
    m->algorithm_chosen = chosen_by_auto(s->work);
    m->redone = s->redone;
    m->samples = s->count;
    m->batch = s->batch;
    if (rules->raw_all) {
        m->took_ns = s->took;
        s->took = NULL;
    }
}

static tg_status make_session(tgb_team *team, tgb_work *work, const tgb_rules *rules, int room,
                              size_t evict_bytes, tgb_session *s)
{
    tg_status status = tgb_session_make(team, work, room, s);
    if (status.code != TG_OK)
        return status;
    status = tgb_evictor_make(team, evict_bytes, &s->evictor);
    if (status.code != TG_OK)
        tgb_session_free(s);
    else
        tgb_starts_make(team, rules->sync, &s->starts);
    return status;
}

void tgb_measure(tgb_team *team, const tgb_cell *cell, const tgb_rules *rules, double budget_s,
                 tgb_measurement *m)
{
    const uint64_t start = tgb_now_ns();
    const double steal_ms = tgb_steal_ms();
    const size_t evict_bytes = rules->cold ? tgb_evict_bytes(team) : 0;
    const int room = rules->max_reps > WARM_UP_WINDOW ? rules->max_reps : WARM_UP_WINDOW;
    tgb_work work;
    tgb_session s;
    *m = (tgb_measurement){.messages = -1, .adjoint_gap = NAN, .skew_us = NAN, .flops = NAN};
    write_start(m);
    tgb_peak_rss_forget();
    m->status = tgb_memory_check(team, &cell->setup, (double)evict_bytes, rules->max_mem_bytes);
    if (m->status.code != TG_OK)
        return;
    if (!team->clock.kind)
        tgb_clock_learn(team->comm, team->machine.nodes == 1, &team->clock);
    tgb_phase_enter(TGB_PHASE_PLAN);
    m->t_plan_us = time_plan(team, cell, rules->seed, &work, &m->status);
    if (m->status.code != TG_OK)
        return;
    m->status = make_session(team, &work, rules, room, evict_bytes, &s);
    if (m->status.code == TG_OK) {
        measure_planned(&s, cell, rules, start, budget_s, m);
        m->cell_s = seconds_since(start);
        m->steal_ms = tgb_team_largest(team, tgb_steal_ms() - steal_ms);
        tgb_session_free(&s);
    }
    tgb_work_free(&work);
    tgb_phase_enter(TGB_PHASE_ROWS);
}

void tgb_measurement_free(tgb_measurement *m)
{
    free(m->sample);
    free(m->took_ns);
    m->sample = NULL;
    m->took_ns = NULL;
}
