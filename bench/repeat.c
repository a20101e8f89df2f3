/* repeat.c: start together, read the clock, run one operation, read the clock; where cells take
 * turns, the next operation is the next cell's. The times stay on their ranks until they are
 * collected; all reductions lie outside the timed regions. */
#include "bench/repeat.h"

#include <stdlib.h>
#include <string.h>

void tgb_session_free(tgb_session *s)
{
    free(s->begin);
    free(s->took);
    free(s->late);
    free(s->mine);
    free(s->extreme);
    free(s->first);
    free(s->last);
    free(s->value);
    free(s->skew);
    free(s->scratch);
    free(s->sample);
}

tg_status tgb_session_make(tgb_team *team, tgb_work *work, int n, tgb_session *s)
{
    const size_t size = (size_t)n;
    *s = (tgb_session){.team = team, .work = work, .batch = 1};
    s->begin = calloc(size, sizeof *s->begin);
    s->took = calloc(size, sizeof *s->took);
    s->late = calloc(size, sizeof *s->late);
    s->mine = calloc(size, sizeof *s->mine);
    s->extreme = calloc(size, sizeof *s->extreme);
    s->first = calloc(size, sizeof *s->first);
    s->last = calloc(size, sizeof *s->last);
    s->value = calloc(size, sizeof *s->value);
    s->skew = calloc(size, sizeof *s->skew);
    s->scratch = calloc(size, sizeof *s->scratch);
    s->sample = calloc(size, sizeof *s->sample);
    bool good = s->begin && s->took && s->late && s->mine && s->extreme && s->first && s->last &&
                s->value && s->skew && s->scratch && s->sample;
    tg_status status = tg_agree(
        team->comm, good ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for %d repetitions", n));
    if (status.code != TG_OK)
        tgb_session_free(s);
    return status;
}

/* ---- making them ---- */

/* All that a repetition changes or warms is put right outside the timed region. */
static void prepare(tgb_session *s)
{
    if (tgb_restores(s->work))
        s->work->direction->fill(s->work);
    tgb_evict(s->evictor);
}

static void note(tgb_session *s, int i, uint64_t begin, uint64_t end)
{
    const tgb_starts *starts = &s->starts;
    const tgb_clock *clock = &s->team->clock;
    s->begin[i] = tgb_clock_global(clock, begin);
    s->took[i] = end - begin;
    s->late[i] = 0;
    if (!starts->sync->announces)
        return;
    const uint64_t over = tgb_clock_global(clock, end);
    s->took[i] = over > starts->announced ? over - starts->announced : 0;
    s->late[i] = starts->late || (starts->window > 0 && s->took[i] > starts->window);
}

/* The heart of the program: nothing but the operation is between the two reads; start_one ends with
 * the first of them. False: there is no start any more. */
static bool make_one(tgb_session *s, int at)
{
    tgb_starts *starts = &s->starts;
    tgb_work *work = s->work;
    void (*const run)(tgb_work *) = work->direction->run;
    uint64_t (*const start_one)(tgb_starts *) = starts->sync->start_one;
    prepare(s);
    const uint64_t begin = start_one(starts);
    if (begin == 0)
        return false;
    for (int k = s->batch; k > 0; k--)
        run(work);
    const uint64_t end = tgb_now_ns();
    note(s, at, begin, end);
    return true;
}

static void begin_series(tgb_session *s)
{
    if (s->starts.sync->series)
        s->starts.sync->series(&s->starts);
}

/* Who is the k-th of a round: 0, 1, n - 1, 2, n - 2, ..., from another one on in each round, and the
 * other way round in every second set of n rounds. So each follows each other one equally often, and
 * none always finds what the same one has left in the caches. Source: Williams, "Experimental Designs
 * Balanced for the Estimation of Residual Effects of Treatments", 1949. */
static int whose_turn(int round, int k, int n)
{
    const int step = k % 2 == 1 ? (k + 1) / 2 : n - k / 2;
    return (round + (round / n % 2 == 0 ? step : n - step)) % n;
}

/* A series is of one session: where they take turns, each repetition is one. */
static int make_rounds(tgb_session *s, int sessions, int n)
{
    const int at = s->count, round = s->count + s->redone;
    int made = 0;
    for (; made < n; made++)
        for (int k = 0; k < sessions; k++) {
            tgb_session *next = &s[whose_turn(round + made, k, sessions)];
            if (sessions > 1)
                begin_series(next);
            if (!make_one(next, at + made))
                return made;
        }
    return made;
}

int tgb_repeat(tgb_session *s, int sessions, int n)
{
    if (strcmp(s->team->clock.kind, "model") == 0)
        tgb_clock_renew(s->team->comm, &s->team->clock);
    if (sessions == 1)
        begin_series(s);
    const uint64_t begin = tgb_now_ns();
    const int made = make_rounds(s, sessions, n);
    const uint64_t took = tgb_now_ns() - begin;
    for (int k = 0; k < sessions && made > 0; k++)
        if (!s[k].starts.window)
            s[k].starts.cycle = took / (uint64_t)made / (uint64_t)sessions;
    return made;
}

/* ---- bringing them together ---- */

/* A round is late when a repetition in it was, on any rank: afterwards all of them are. */
static void share_late(tgb_session *s, int sessions, int n)
{
    int *late = s->late + s->count;
    if (!s->starts.sync->announces)
        return;
    for (int k = 1; k < sessions; k++)
        for (int i = 0; i < n; i++)
            late[i] |= s[k].late[s->count + i];
    MPI_Allreduce(MPI_IN_PLACE, late, n, MPI_INT, MPI_MAX, s->team->comm);
    for (int k = 1; k < sessions; k++)
        memcpy(s[k].late + s->count, late, (size_t)n * sizeof *late);
}

/* Returns how many of the next n are left when the late ones are out. */
static int drop_late(tgb_session *s, int n)
{
    const tgb_sync *sync = s->starts.sync;
    const int at = s->count;
    int kept = 0;
    if (!sync->announces)
        return n;
    for (int i = at; i < at + n; i++) {
        if (s->late[i])
            continue;
        s->begin[at + kept] = s->begin[i];
        s->took[at + kept++] = s->took[i];
    }
    s->redone += n - kept;
    if (sync->adapt && s->team->rank == 0)
        sync->adapt(&s->starts, n, n - kept);
    return kept;
}

/* Rank 0 may have left the last repetition of a series long before others: one lasts at least as
 * long as its slowest rank. */
static void note_cycle(tgb_session *s, double last_ns)
{
    if (!s->starts.window && last_ns > (double)s->starts.cycle)
        s->starts.cycle = (uint64_t)last_ns;
}

static void collect(tgb_session *s, int made)
{
    const MPI_Comm comm = s->team->comm;
    const int n = drop_late(s, made), at = s->count;
    const bool writes = s->team->rank == 0;
    s->count += n;
    for (int i = 0; i < n; i++)
        s->mine[i] =
            (struct tgb_time_and_rank){(double)s->took[at + i] / 1e3 / s->batch, s->team->rank};
    MPI_Reduce(s->mine, s->extreme, n, MPI_DOUBLE_INT, MPI_MAXLOC, 0, comm);
    for (int i = 0; writes && i < n; i++) {
        s->value[at + i] = s->sample[at + i].t_max_us = s->extreme[i].us;
        s->sample[at + i].slowest = s->extreme[i].rank;
    }
    if (writes && n > 0)
        note_cycle(s, s->extreme[n - 1].us * 1e3 * s->batch);
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

void tgb_collect(tgb_session *s, int sessions, int n)
{
    share_late(s, sessions, n);
    for (int k = 0; k < sessions; k++)
        collect(&s[k], n);
}

double tgb_median(const double *values, int n, double *scratch)
{
    memcpy(scratch, values, (size_t)n * sizeof *values);
    tgb_sort(scratch, n);
    return tgb_quantile(scratch, n, 0.5);
}
