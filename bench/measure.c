/* measure.c: the life of one cell, or of several that take turns: plan, check, warm up, repeat, check
 * again; decide together when to stop. Looks at the interval come after 10, 15, 23, 35, ... repetitions (each time half as many
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
 * one tells, and is all where time is simulated: it repeats. Returns, on rank 0, the median of the
 * last window in us. */
static double warm_up(tgb_session *s, double limit_s)
{
    const tgb_sync *sync = s->starts.sync;
    const uint64_t start = tgb_now_ns();
    double before = -1, now = -1;
    if (sync->warm_up)
        s->starts.sync = sync->warm_up;
    const int windows = tgb_clock_simulated() ? 1 : WARM_UP_WINDOWS;
    for (int i = 0, n = 1, go_on = 1; i < windows && go_on; i++) {
        s->count = 0;
        tgb_collect(s, 1, tgb_repeat(s, 1, n));
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
 * clock. Only the first of a batch would find its caches cold; no batch is long enough where
 * computing takes no time, under a simulator. */
static int choose_batch(const tgb_session *s, bool cold, double once_us)
{
    double wanted_ns = fmax(BATCH_NS, SHORT_IN_TIMERS * s->team->timer_ns);
    const bool batched = s->work->setup->local && !cold && !tgb_clock_simulated();
    double batch = batched ? ceil(wanted_ns / fmax(once_us * 1e3, 1)) : 1;
    return tgb_team_told(s->team, batch > MAX_BATCH ? MAX_BATCH : batch < 1 ? 1 : (int)batch);
}

/* ---- cells that take turns ---- */

typedef struct {
    const tgb_cell *cell;
    tgb_work work;
    tgb_session *session; /* NULL: could not be planned */
    tgb_measurement m;
} member;

typedef struct {
    tgb_team *team;
    const tgb_rules *rules;
    uint64_t start;
    double steal_ms, budget_s; /* stolen so far, at the start; of all members together */
    tgb_evictor evictor;
    int members, sessions;
    member *member;
    tgb_session *session; /* one for each member that was planned */
} turns;

/* What is left of the time for the cells from number i on, a part for each. */
static double share_s(const turns *t, int i)
{
    return (t->budget_s - seconds_since(t->start)) / (t->members - i);
}

/* ---- the timed repetitions ---- */

static bool interval_is_small(tgb_session *s, double ci)
{
    tgb_median(s->value, s->count, s->scratch); /* sorts scratch */
    return tgb_interval_is_small(s->scratch, s->count, ci);
}

static bool intervals_are_small(const turns *t)
{
    bool small = true;
    for (int k = 0; k < t->sessions && small; k++)
        small = interval_is_small(&t->session[k], t->rules->ci);
    return small;
}

/* Why to stop now; NULL: go on. Rank 0. All sessions have the same count. */
static const char *reason_to_stop(const turns *t, bool look, double left_s)
{
    const tgb_session *s = t->session;
    const tgb_rules *rules = t->rules;
    if (s->count < rules->min_reps)
        return left_s <= 0 && s->redone > MOST_REDONE * rules->min_reps ? "budget" : NULL;
    if (s->count >= rules->max_reps)
        return rules->min_reps == rules->max_reps ? "fixed" : "max_reps";
    if (look && rules->min_reps < rules->max_reps && intervals_are_small(t))
        return "interval";
    return left_s <= 0 ? "budget" : NULL;
}

/* Rounds until the next look, though not more than about CHUNK_S of them before the budget is looked
 * at. */
static int next_chunk(const turns *t, int until_look)
{
    double cycle_ns = 0;
    for (int k = 0; k < t->sessions; k++)
        cycle_ns += (double)t->session[k].starts.cycle;
    const double fits = CHUNK_S * 1e9 / fmax(cycle_ns, 1);
    return fits < 1 ? 1 : fits < until_look ? (int)fits : until_look;
}

static const char *repeat_until_good(turns *t)
{
    tgb_session *s = t->session;
    const tgb_rules *rules = t->rules;
    const uint64_t end = t->start + (uint64_t)(fmax(t->budget_s, 0) * 1e9);
    const char *reason = NULL;
    int look = tgb_next_look(0, rules->max_reps);
    for (int go_on = 1; go_on;) {
        int chunk = tgb_team_told(t->team, next_chunk(t, look - s->count));
        for (int k = 0; k < t->sessions; k++)
            s[k].starts.deadline = s->count >= rules->min_reps ? end : 0;
        tgb_collect(s, t->sessions, tgb_repeat(s, t->sessions, chunk));
        bool looks = s->count == look;
        if (t->team->rank == 0)
            reason = reason_to_stop(t, looks, t->budget_s - seconds_since(t->start));
        if (looks)
            look = tgb_next_look(look, rules->max_reps);
        go_on = tgb_team_told(t->team, reason == NULL);
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

static void prepare_repetitions(tgb_session *s, const tgb_rules *rules, double limit_s)
{
    const double once_us = warm_up(s, limit_s);
    s->batch = choose_batch(s, rules->cold, once_us);
    s->starts.cycle = (uint64_t)fmax((double)s->starts.cycle, once_us * 1e3 * s->batch);
}

/* Every cell is warmed up by itself, with a quarter of its part of the time. */
static void warm_up_all(turns *t)
{
    tgb_phase_enter(TGB_PHASE_WARM_UP);
    for (int i = 0; i < t->members && !t->rules->osu; i++)
        if (t->member[i].session)
            prepare_repetitions(t->member[i].session, t->rules, share_s(t, i) / 4);
}

static void time_repetitions(turns *t)
{
    tgb_phase_enter(TGB_PHASE_TIMED);
    const uint64_t begin = tgb_now_ns();
    long long switches = -tgb_involuntary_switches(), all = 0;
    const char *reason = t->rules->osu ? tgb_osu_repeat(t->session) : repeat_until_good(t);
    switches += tgb_involuntary_switches();
    MPI_Reduce(&switches, &all, 1, MPI_LONG_LONG, MPI_SUM, 0, t->team->comm);
    for (int i = 0; i < t->members; i++) {
        tgb_measurement *m = &t->member[i].m;
        m->stop_reason = reason;
        m->repeated_s = seconds_since(begin) / t->sessions;
        m->nivcsw = all / t->sessions;
    }
}

/* What precedes a repetition, outside of it. */
static void make_ready(void *context)
{
    const tgb_session *s = context;
    if (tgb_restores(s->work))
        s->work->direction->fill(s->work);
    tgb_evict(s->evictor);
    tgb_barrier(s->team);
}

/* On rank 0: what a repetition took. */
static double once_us(const tgb_session *s)
{
    return s->team->rank == 0 ? tgb_median(s->value, s->count, s->scratch) : 0;
}

/* Events, in repetitions of their own: a quarter of the cell's time at most. */
static void count_events(tgb_session *s, const tgb_rules *rules, double budget_s)
{
    if (!rules->counting || s->count == 0)
        return;
    tgb_phase_enter(TGB_PHASE_COUNTED);
    tgb_counting_run(rules->counting, s->work, s->batch, once_us(s), budget_s / 4, make_ready, s);
}

/* Start, compute, finish, in repetitions of their own: a quarter of the cell's time. */
static void hide_behind_computing(tgb_session *s, const tgb_rules *rules, double budget_s,
                                  tgb_measurement *m)
{
    if (!rules->overlap || s->count == 0)
        return;
    tgb_phase_enter(TGB_PHASE_OVERLAP);
    tgb_overlap_run(s->work, once_us(s), budget_s / 4, make_ready, s, &m->overlap);
}

/* Run by phases, in repetitions of their own: a quarter of the cell's time. */
static void divide_into_phases(tgb_session *s, const tgb_rules *rules, double budget_s,
                               tgb_measurement *m)
{
    if (!rules->phases || s->count == 0)
        return;
    tgb_phase_enter(TGB_PHASE_BREAKDOWN);
    tgb_breakdown_run(s->work, once_us(s), budget_s / 4, make_ready, s, &m->breakdown);
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

/* The first call, values and adjoint; ready for repetitions. */
static void begin_member(const turns *t, member *one)
{
    const tgb_operation *operation = one->cell->setup.operation;
    tgb_phase_enter(TGB_PHASE_WARM_UP);
    one->m.t_first_us = time_first(t->team, &one->work);
    tgb_phase_enter(TGB_PHASE_VALIDATION);
    one->m.wrong = tgb_validate(&one->work);
    if (operation->adjoint_gap)
        one->m.adjoint_gap = operation->adjoint_gap(&one->work);
    one->work.direction->fill(&one->work);
}

/* Behind the timed repetitions. */
static void end_member(const turns *t, member *one)
{
    tgb_session *s = one->session;
    tgb_measurement *m = &one->m;
    count_events(s, t->rules, t->budget_s / t->members);
    hide_behind_computing(s, t->rules, t->budget_s / t->members, m);
    divide_into_phases(s, t->rules, t->budget_s / t->members, m);
    tgb_phase_enter(TGB_PHASE_VALIDATION);
    m->wrong = worse(m->wrong, tgb_validate(s->work));
    if (s->count > 0)
        write_facts(s, m);
    m->algorithm_chosen = chosen_by_auto(s->work);
    m->redone = s->redone;
    m->samples = s->count;
    m->batch = s->batch;
    if (t->rules->raw_all) {
        m->took_ns = s->took;
        s->took = NULL;
    }
}

/* ---- plan and free ---- */

static void plan_member(turns *t, member *one)
{
    const tgb_rules *rules = t->rules;
    const int room = rules->max_reps > WARM_UP_WINDOW ? rules->max_reps : WARM_UP_WINDOW;
    tgb_session *s = &t->session[t->sessions];
    tgb_phase_enter(TGB_PHASE_PLAN);
    one->m.t_plan_us = time_plan(t->team, one->cell, rules->seed, &one->work, &one->m.status);
    if (one->m.status.code != TG_OK)
        return;
    one->m.status = tgb_session_make(t->team, &one->work, room, s);
    if (one->m.status.code != TG_OK) {
        tgb_work_free(&one->work);
        return;
    }
    s->evictor = &t->evictor;
    tgb_starts_make(t->team, rules->sync, &s->starts);
    one->session = s;
    t->sessions++;
}

static void free_member(member *one)
{
    if (one->session) {
        tgb_session_free(one->session);
        tgb_work_free(&one->work);
    }
}

/* What all of them need. */
static tg_status make_turns(turns *t, const tgb_cell *cells)
{
    const size_t evict_bytes = t->rules->cold ? tgb_evict_bytes(t->team) : 0;
    const size_t count = (size_t)t->members;
    tg_status status =
        tgb_memory_check(t->team, cells, t->members, (double)evict_bytes, t->rules->max_mem_bytes);
    if (status.code != TG_OK)
        return status;
    if (!t->team->clock.kind)
        tgb_clock_learn(t->team->comm, t->team->machine.machines == 1, &t->team->clock);
    t->member = calloc(count, sizeof *t->member);
    t->session = calloc(count, sizeof *t->session);
    if (!t->member || !t->session)
        status = tg_fail(TG_NO_MEMORY, "no memory for %d cells", t->members);
    status = tg_agree(t->team->comm, status);
    return status.code == TG_OK ? tgb_evictor_make(t->team, evict_bytes, &t->evictor) : status;
}

static void free_turns(turns *t)
{
    tgb_evictor_free(&t->evictor);
    free(t->member);
    free(t->session);
}

static tgb_measurement begin_measurement(tg_status status)
{
    tgb_measurement m = {
        .status = status, .messages = -1, .adjoint_gap = NAN, .skew_us = NAN, .flops = NAN};
    write_start(&m);
    return m;
}

static void hand_over(const turns *t, const tgb_cell *cell, tgb_measurement *m, tgb_measured *done,
                      void *context)
{
    tgb_phase_enter(TGB_PHASE_ROWS);
    m->cell_s = seconds_since(t->start);
    m->steal_ms = tgb_team_largest(t->team, tgb_steal_ms() - t->steal_ms);
    done(context, cell, m);
    free(m->sample);
    free(m->took_ns);
}

static void measure_turns(turns *t, const tgb_cell *cells, tgb_measured *done, void *context)
{
    for (int i = 0; i < t->members; i++) {
        t->member[i] = (member){.cell = &cells[i], .m = begin_measurement(tg_success())};
        plan_member(t, &t->member[i]);
        if (t->member[i].session)
            begin_member(t, &t->member[i]);
    }
    if (t->sessions > 0) {
        warm_up_all(t);
        time_repetitions(t);
    }
    for (int i = 0; i < t->members; i++) {
        if (t->member[i].session)
            end_member(t, &t->member[i]);
        hand_over(t, &cells[i], &t->member[i].m, done, context);
    }
    for (int i = 0; i < t->members; i++)
        free_member(&t->member[i]);
}

void tgb_measure(tgb_team *team, const tgb_cell *cells, int count, const tgb_rules *rules,
                 double budget_s, tgb_measured *done, void *context)
{
    turns t = {.team = team,
               .rules = rules,
               .start = tgb_now_ns(),
               .steal_ms = tgb_steal_ms(),
               .budget_s = budget_s,
               .members = count};
    tgb_peak_rss_forget();
    const tg_status status = make_turns(&t, cells);
    if (status.code == TG_OK)
        measure_turns(&t, cells, done, context);
    for (int i = 0; i < count && status.code != TG_OK; i++) {
        tgb_measurement m = begin_measurement(status);
        hand_over(&t, &cells[i], &m, done, context);
    }
    free_turns(&t);
}
