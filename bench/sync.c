/* sync.c: the rows of synchronisations. Waiting for an announced start is reading the clock. Where
 * ranks share cores, or MPI gives the core away while it waits, it is given away in between. */
#include "bench/sync.h"

#include "bench/operation.h"

#include <math.h>
#include <sched.h>
#include <string.h>
#include <time.h>

enum {
    TRIALS = 5,
    LEAST_WINDOWS = 2,
    OFTEN = 10 /* one of so many is late: often */,
    LAST_NS = 5000 /* before the start a core is kept: it may come back too late */
};
static const double MOST_SLACK_NS = 1e9, MOST_WINDOW_NS = 1e10;

/* ---- barrier ---- */

static uint64_t leave_barrier(tgb_starts *s)
{
    tgb_barrier(s->team);
    return tgb_now_ns();
}

/* ---- announced starts ---- */

static void pause_before(const tgb_team *team, uint64_t left_ns)
{
    const struct timespec left = {(time_t)(left_ns / 1000000000), (long)(left_ns % 1000000000)};
    if (strcmp(team->clock.kind, "simulated") == 0) /* where time passes only by sleeping */
        nanosleep(&left, NULL);
    else if (left_ns > LAST_NS && (team->machine.oversubscribed || team->machine.yields))
        sched_yield();
}

static uint64_t wait_for_start(tgb_starts *s)
{
    const uint64_t start = tgb_clock_local(&s->team->clock, s->announced);
    uint64_t now = tgb_now_ns();
    s->late = now > start;
    while (now < start) {
        pause_before(s->team, start - now);
        now = tgb_now_ns();
    }
    return now;
}

static uint64_t global_now(const tgb_starts *s)
{
    return tgb_clock_global(&s->team->clock, tgb_now_ns());
}

static void set_slack(tgb_starts *s, double slack_ns)
{
    s->slack = fmin(fmax(slack_ns, s->least_slack), MOST_SLACK_NS);
}

/* ---- window ---- */

static void announce_series(tgb_starts *s)
{
    uint64_t words[2];
    if (s->team->rank == 0) {
        words[1] = (uint64_t)fmin((double)s->cycle * s->windows + 1, MOST_WINDOW_NS);
        words[0] = global_now(s) + (uint64_t)s->slack - words[1];
    }
    MPI_Bcast(words, 2, MPI_UINT64_T, 0, s->team->comm);
    s->announced = words[0];
    s->window = words[1];
}

static uint64_t start_window(tgb_starts *s)
{
    s->announced += s->window;
    return wait_for_start(s);
}

static void adapt_windows(tgb_starts *s, int n, int late)
{
    set_slack(s, late > 0 ? s->slack * 2 : s->slack * 0.875);
    if (late * OFTEN > n && (double)s->cycle * s->windows < MOST_WINDOW_NS)
        s->windows *= 2;
}

/* ---- round-time ---- */

/* The reduction tells rank 0 that all are done with the last repetition and ready for the next. */
static uint64_t start_round(tgb_starts *s)
{
    int late = s->late, any = 0;
    MPI_Reduce(&late, &any, 1, MPI_INT, MPI_MAX, 0, s->team->comm);
    if (s->team->rank == 0) {
        const uint64_t now = global_now(s);
        set_slack(s, any ? s->slack * 2 : s->slack * 0.98);
        s->announced = s->deadline && now > s->deadline ? 0 : now + (uint64_t)s->slack;
    }
    MPI_Bcast(&s->announced, 1, MPI_UINT64_T, 0, s->team->comm);
    return s->announced ? wait_for_start(s) : 0;
}

/* ---- rows ---- */

static const tgb_sync round_time = {
    .name = "round-time", .start = "announced", .announces = true, .start_one = start_round};

static const tgb_sync window = {.name = "window",
                                .start = "announced",
                                .announces = true,
                                .warm_up = &round_time,
                                .series = announce_series,
                                .start_one = start_window,
                                .adapt = adapt_windows};

static const tgb_sync barrier = {.name = "barrier", .start = "own", .start_one = leave_barrier};

const tgb_sync *const tgb_syncs[] = {&barrier, &window, &round_time, NULL};

tg_status tgb_sync_find(const char *name, const tgb_sync **sync)
{
    enum { ROWS = sizeof tgb_syncs / sizeof *tgb_syncs };
    const char *names[ROWS] = {NULL};
    char text[TG_STATUS_TEXT];
    for (int i = 0; tgb_syncs[i]; i++) {
        names[i] = tgb_syncs[i]->name;
        if (strcmp(name, names[i]) == 0) {
            *sync = tgb_syncs[i];
            return tg_success();
        }
    }
    return tg_fail(TG_BAD_INPUT, "--sync '%.40s' is unknown; expected %s", name,
                   tgb_join(names, text, sizeof text));
}

/* ---- how long an announcement takes ---- */

/* Until the last rank has heard of it; the shortest of some. */
static double announcement_ns(tgb_starts *s)
{
    double shortest = INFINITY;
    for (int i = 0; i < TRIALS; i++) {
        tgb_barrier(s->team);
        uint64_t sent = global_now(s);
        MPI_Bcast(&sent, 1, MPI_UINT64_T, 0, s->team->comm);
        const double took_ns = (double)(int64_t)(global_now(s) - sent);
        shortest = fmin(shortest, tgb_team_largest(s->team, took_ns));
    }
    return shortest;
}

void tgb_starts_make(const tgb_team *team, const tgb_sync *sync, tgb_starts *s)
{
    *s = (tgb_starts){.sync = sync, .team = team, .windows = LEAST_WINDOWS};
    if (!sync->announces)
        return;
    s->least_slack = 4 * fmax(announcement_ns(s), 0) + 10 * team->timer_ns;
    set_slack(s, 0);
}
