/* measure.c: synchronise, read the clock, run one operation, read the clock; decide together when
 * to stop. Looks at the interval come after 10, 15, 23, 35, ... repetitions (each time half as many
 * again), so that looking does not become part of what is measured; rank 0 decides and tells the
 * others. Between two looks the times stay on their ranks; all reductions lie outside the timed
 * regions. */
#include "bench/measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    TAG = 0,
    FIRST_LOOK = 10,
    WARM_UP_WINDOW = 5,
    WARM_UP_WINDOWS = 20,
    MAX_BATCH = 100000,
    SHORT_IN_TIMERS = 20 /* a sample should last this many reads of the clock */
};
static const double BATCH_NS = 25000, CHUNK_S = 0.1, AGREE = 0.1;

uint64_t tgb_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static double seconds_since(uint64_t start_ns)
{
    return (double)(tgb_now_ns() - start_ns) / 1e9;
}

/* ---- teams ---- */

static double timer_cost_ns(void)
{
    enum { READS = 200, TRIALS = 20 };
    double best = INFINITY;
    for (int i = 0; i < TRIALS; i++) {
        uint64_t start = tgb_now_ns(), end = start;
        for (int k = 0; k < READS; k++)
            end = tgb_now_ns();
        best = fmin(best, (double)(end - start) / READS);
    }
    return best;
}

void tgb_team_make(int ranks, tgb_team *team)
{
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    *team = (tgb_team){.comm = MPI_COMM_NULL};
    MPI_Comm_split(MPI_COMM_WORLD, rank < ranks ? 0 : MPI_UNDEFINED, rank, &team->comm);
    if (team->comm == MPI_COMM_NULL)
        return;
    MPI_Comm_rank(team->comm, &team->rank);
    MPI_Comm_size(team->comm, &team->size);
    tgb_machine_look(team->comm, &team->machine);
    team->timer_ns = timer_cost_ns();
    MPI_Allreduce(MPI_IN_PLACE, &team->timer_ns, 1, MPI_DOUBLE, MPI_MAX, team->comm);
}

void tgb_team_free(tgb_team *team)
{
    if (team->comm != MPI_COMM_NULL)
        MPI_Comm_free(&team->comm);
}

void tgb_rest(void)
{
    const struct timespec nap = {.tv_nsec = 2000000};
    MPI_Request all;
    int done = 0;
    MPI_Ibarrier(MPI_COMM_WORLD, &all);
    for (MPI_Test(&all, &done, MPI_STATUS_IGNORE); !done; MPI_Test(&all, &done, MPI_STATUS_IGNORE))
        nanosleep(&nap, NULL);
}

/* Dissemination barrier: after ceil(log2 P) rounds every rank has heard of every other. */
static void barrier(const tgb_team *team)
{
    for (int step = 1; step < team->size; step *= 2)
        MPI_Sendrecv(NULL, 0, MPI_BYTE, (team->rank + step) % team->size, TAG, NULL, 0, MPI_BYTE,
                     (team->rank - step + team->size) % team->size, TAG, team->comm,
                     MPI_STATUS_IGNORE);
}

/* What rank 0 has decided. */
static int told(const tgb_team *team, int decision)
{
    MPI_Bcast(&decision, 1, MPI_INT, 0, team->comm);
    return decision;
}

static double largest(const tgb_team *team, double mine)
{
    MPI_Allreduce(MPI_IN_PLACE, &mine, 1, MPI_DOUBLE, MPI_MAX, team->comm);
    return mine;
}

/* ---- repetitions ---- */

struct time_and_rank { /* MPI_DOUBLE_INT */
    double us;
    int rank;
};

/* The repetitions of one cell. */
typedef struct {
    const tgb_team *team;
    tgb_work *work;
    int batch, count;                     /* operations a repetition; repetitions made */
    uint64_t *begin, *took;               /* this rank's starts and durations, ns */
    struct time_and_rank *mine, *extreme; /* for MPI_MAXLOC and MPI_MINLOC */
    uint64_t *first, *last;               /* rank 0: first and last start over ranks */
    double *value, *skew, *scratch;       /* rank 0, us, in the order measured */
    tgb_sample *sample;                   /* rank 0 */
} session;

static void free_session(session *s)
{
    free(s->begin);
    free(s->took);
    free(s->mine);
    free(s->extreme);
    free(s->first);
    free(s->last);
    free(s->value);
    free(s->skew);
    free(s->scratch);
    free(s->sample);
}

/* Room for n repetitions; on all ranks or on none. */
static tg_status make_session(const tgb_team *team, tgb_work *work, int n, session *s)
{
    const size_t size = (size_t)n;
    *s = (session){.team = team, .work = work, .batch = 1};
    s->begin = calloc(size, sizeof *s->begin);
    s->took = calloc(size, sizeof *s->took);
    s->mine = calloc(size, sizeof *s->mine);
    s->extreme = calloc(size, sizeof *s->extreme);
    s->first = calloc(size, sizeof *s->first);
    s->last = calloc(size, sizeof *s->last);
    s->value = calloc(size, sizeof *s->value);
    s->skew = calloc(size, sizeof *s->skew);
    s->scratch = calloc(size, sizeof *s->scratch);
    s->sample = calloc(size, sizeof *s->sample);
    bool good = s->begin && s->took && s->mine && s->extreme && s->first && s->last && s->value &&
                s->skew && s->scratch && s->sample;
    tg_status status = tg_agree(
        team->comm, good ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for %d repetitions", n));
    if (status.code != TG_OK)
        free_session(s);
    return status;
}

/* n repetitions behind those made: the heart of the program. Nothing but the operation is between
 * the two reads. */
static void repeat(session *s, int n)
{
    tgb_work *work = s->work;
    void (*const run)(tgb_work *) = work->direction->run;
    const bool restores = work->setup->restores;
    for (int i = s->count; i < s->count + n; i++) {
        if (restores)
            work->direction->fill(work);
        barrier(s->team);
        const uint64_t begin = tgb_now_ns();
        for (int k = s->batch; k > 0; k--)
            run(work);
        const uint64_t end = tgb_now_ns();
        s->begin[i] = begin;
        s->took[i] = end - begin;
    }
}

/* Bring the next n repetitions together on rank 0: extremes over ranks, and the spread of the
 * starts. */
static void collect(session *s, int n)
{
    const MPI_Comm comm = s->team->comm;
    const int at = s->count;
    const bool writes = s->team->rank == 0;
    s->count += n;
    for (int i = 0; i < n; i++)
        s->mine[i] =
            (struct time_and_rank){(double)s->took[at + i] / 1e3 / s->batch, s->team->rank};
    MPI_Reduce(s->mine, s->extreme, n, MPI_DOUBLE_INT, MPI_MAXLOC, 0, comm);
    for (int i = 0; writes && i < n; i++) {
        s->value[at + i] = s->sample[at + i].t_max_us = s->extreme[i].us;
        s->sample[at + i].slowest = s->extreme[i].rank;
    }
    MPI_Reduce(s->mine, s->extreme, n, MPI_DOUBLE_INT, MPI_MINLOC, 0, comm);
    for (int i = 0; writes && i < n; i++) {
        s->sample[at + i].t_min_us = s->extreme[i].us;
        s->sample[at + i].fastest = s->extreme[i].rank;
    }
    MPI_Reduce(s->begin + at, s->first, n, MPI_UINT64_T, MPI_MIN, 0, comm);
    MPI_Reduce(s->begin + at, s->last, n, MPI_UINT64_T, MPI_MAX, 0, comm);
    for (int i = 0; writes && i < n; i++)
        s->skew[at + i] = (double)(s->last[i] - s->first[i]) / 1e3;
}

static double median(const double *values, int n, double *scratch)
{
    memcpy(scratch, values, (size_t)n * sizeof *values);
    tgb_sort(scratch, n);
    return tgb_quantile(scratch, n, 0.5);
}

/* ---- warm-up: until two successive windows agree ---- */

/* Returns, on rank 0, the median of the last window in us. */
static double warm_up(session *s, double first_us, double limit_s)
{
    const uint64_t start = tgb_now_ns();
    const int n = first_us * WARM_UP_WINDOW > CHUNK_S * 1e6 ? 1 : WARM_UP_WINDOW;
    double before = -1, now = 0;
    for (int i = 0, go_on = 1; i < WARM_UP_WINDOWS && go_on; i++) {
        s->count = 0;
        repeat(s, n);
        collect(s, n);
        if (s->team->rank == 0) {
            now = median(s->value, n, s->scratch);
            bool agrees = before >= 0 && fabs(now - before) <= AGREE * fmax(now, before);
            go_on = !agrees && seconds_since(start) < limit_s;
            before = now;
        }
        go_on = told(s->team, go_on);
    }
    s->count = 0;
    return now;
}

/* Operations a repetition: one, unless nothing crosses between ranks and one is too short for the
 * clock. */
static int choose_batch(const session *s, double once_us)
{
    double wanted_ns = fmax(BATCH_NS, SHORT_IN_TIMERS * s->team->timer_ns);
    double batch = s->work->setup->local ? ceil(wanted_ns / fmax(once_us * 1e3, 1)) : 1;
    return told(s->team, batch > MAX_BATCH ? MAX_BATCH : batch < 1 ? 1 : (int)batch);
}

/* ---- the timed repetitions ---- */

static bool interval_is_small(session *s, double ci)
{
    int lo, hi;
    if (!tgb_median_ranks(s->count, &lo, &hi))
        return false;
    double middle = median(s->value, s->count, s->scratch); /* scratch is sorted now */
    return s->scratch[hi - 1] <= middle * (1 + ci) && s->scratch[lo - 1] >= middle * (1 - ci);
}

/* Why to stop now; NULL: go on. Rank 0. */
static const char *reason_to_stop(session *s, const tgb_rules *rules, bool look, double left_s)
{
    if (s->count < rules->min_reps)
        return NULL;
    if (s->count >= rules->max_reps)
        return rules->min_reps == rules->max_reps ? "fixed" : "max_reps";
    if (look && rules->min_reps < rules->max_reps && interval_is_small(s, rules->ci))
        return "interval";
    return left_s <= 0 ? "budget" : NULL;
}

/* Repetitions until the next look, though not more than about CHUNK_S of them before the budget is
 * looked at. */
static int next_chunk(int until_look, double once_us)
{
    double fits = CHUNK_S * 1e6 / fmax(once_us, 1e-3);
    return fits < 1 ? 1 : fits < until_look ? (int)fits : until_look;
}

static const char *repeat_until_good(session *s, const tgb_rules *rules, double once_us,
                                     uint64_t start, double budget_s)
{
    const char *reason = NULL;
    int look = FIRST_LOOK < rules->max_reps ? FIRST_LOOK : rules->max_reps;
    for (int go_on = 1; go_on;) {
        int chunk = told(s->team, next_chunk(look - s->count, once_us * s->batch));
        repeat(s, chunk);
        collect(s, chunk);
        bool looks = s->count == look;
        if (s->team->rank == 0)
            reason = reason_to_stop(s, rules, looks, budget_s - seconds_since(start));
        if (looks)
            look = (3 * look + 1) / 2 < rules->max_reps ? (3 * look + 1) / 2 : rules->max_reps;
        go_on = told(s->team, reason == NULL);
    }
    return reason;
}

/* ---- what the row tells ---- */

/* OSU's estimators: mean, smallest and largest over ranks of each rank's mean. */
static void write_osu(const session *s, tgb_measurement *m)
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
static int most_often_slowest(const session *s)
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

static void write_messages(const session *s, tgb_measurement *m)
{
    ptrdiff_t (*count)(const tgb_work *) = s->work->setup->operation->messages;
    long long mine = count ? count(s->work) : -1, sum[2] = {mine < 0 ? 0 : mine, mine < 0};
    MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_LONG_LONG, MPI_SUM, s->team->comm);
    m->messages = sum[1] > 0 ? -1 : sum[0];
}

static void write_flops(const session *s, tgb_measurement *m)
{
    double (*count)(const tgb_work *) = s->work->setup->operation->flops;
    m->flops = count ? count(s->work) : NAN;
    MPI_Allreduce(MPI_IN_PLACE, &m->flops, 1, MPI_DOUBLE, MPI_SUM, s->team->comm);
}

static void write_facts(session *s, tgb_measurement *m)
{
    write_osu(s, m);
    write_messages(s, m);
    write_flops(s, m);
    m->peak_rss_MB = largest(s->team, tgb_peak_rss_MB());
    if (s->team->rank != 0)
        return;
    m->samples = s->count;
    m->batch = s->batch;
    m->times = tgb_summarise(s->value, s->count, s->scratch);
    m->skew_us = s->team->machine.nodes == 1 ? median(s->skew, s->count, s->scratch) : NAN;
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
    barrier(team);
    const uint64_t begin = tgb_now_ns();
    *status = tgb_plan(team->comm, &cell->setup, cell->direction, seed, work);
    return largest(team, (double)(tgb_now_ns() - begin) / 1e3);
}

/* The first call, kept apart: connections are made in it. */
static double time_first(const tgb_team *team, tgb_work *work)
{
    work->direction->fill(work);
    barrier(team);
    const uint64_t begin = tgb_now_ns();
    work->direction->run(work);
    return largest(team, (double)(tgb_now_ns() - begin) / 1e3);
}

static void time_repetitions(session *s, const tgb_rules *rules, uint64_t start, double budget_s,
                             tgb_measurement *m)
{
    const double once_us = warm_up(s, m->t_first_us, (budget_s - seconds_since(start)) / 4);
    s->batch = choose_batch(s, once_us);
    long long switches = -tgb_involuntary_switches();
    m->stop_reason = repeat_until_good(s, rules, once_us, start, budget_s);
    switches += tgb_involuntary_switches();
    MPI_Reduce(&switches, &m->nivcsw, 1, MPI_LONG_LONG, MPI_SUM, 0, s->team->comm);
}

static long long worse(long long a, long long b)
{
    return a < 0 || b < 0 ? -1 : a > b ? a : b;
}

/* Buffers, and the copies that the check of the adjoint keeps. */
static tg_status check_memory(const tgb_team *team, const tgb_work *work)
{
    double bytes = 2 * (double)(work->x_bytes + work->y_bytes);
    if (tgb_memory_is_enough(team->comm, &team->machine, bytes))
        return tg_success();
    return tg_fail(TG_NO_MEMORY, "rank 0 holds %td B, and all ranks together more than is free",
                   work->x_bytes + work->y_bytes);
}

static void measure_planned(session *s, const tgb_cell *cell, const tgb_rules *rules,
                            uint64_t start, double budget_s, tgb_measurement *m)
{
    m->t_first_us = time_first(s->team, s->work);
    m->wrong = tgb_validate(s->work);
    if (cell->setup.operation->adjoint_gap)
        m->adjoint_gap = cell->setup.operation->adjoint_gap(s->work);
    s->work->direction->fill(s->work);
    time_repetitions(s, rules, start, budget_s, m);
    m->wrong = worse(m->wrong, tgb_validate(s->work));
    write_facts(s, m);
}

void tgb_measure(const tgb_team *team, const tgb_cell *cell, const tgb_rules *rules,
                 double budget_s, tgb_measurement *m)
{
    const uint64_t start = tgb_now_ns();
    const double steal_ms = tgb_steal_ms();
    const int room = rules->max_reps > WARM_UP_WINDOW ? rules->max_reps : WARM_UP_WINDOW;
    tgb_work work;
    session s;
    *m = (tgb_measurement){.messages = -1, .adjoint_gap = NAN, .skew_us = NAN, .flops = NAN};
    write_start(m);
    m->t_plan_us = time_plan(team, cell, rules->seed, &work, &m->status);
    if (m->status.code != TG_OK)
        return;
    m->status = check_memory(team, &work);
    if (m->status.code == TG_OK)
        m->status = make_session(team, &work, room, &s);
    if (m->status.code == TG_OK) {
        measure_planned(&s, cell, rules, start, budget_s, m);
        m->steal_ms = largest(team, tgb_steal_ms() - steal_ms);
        free_session(&s);
    }
    tgb_work_free(&work);
}

void tgb_measurement_free(tgb_measurement *m)
{
    free(m->sample);
    m->sample = NULL;
}
