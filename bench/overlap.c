/* overlap.c: start, compute, finish. The computing touches 2 KiB and calls nothing, so that whatever
 * the messages do meanwhile is the library's, the network's or another core's work. */
#include "bench/overlap.h"

#include "bench/clock.h"

#include <math.h>
#include <stdlib.h>

enum { LEAST = 6, MOST = 100, NUMBERS = 256, TRIAL_PASSES = 200, TRIALS = 3 };

const char *const tgb_overlap_names[TGB_OVERLAP_TIMES] = {"pure", "cpu", "both"};

double tgb_overlap_percent(double pure, double cpu, double both)
{
    const double hidden = (pure + cpu - both) / fmin(pure, cpu);
    return 100 * fmax(0, fmin(1, hidden));
}

/* ---- the computing ---- */

/* So many passes over numbers that stay below 2: x <- x / 2 + 1. Never inlined: the same code
 * whatever stands around it. */
static __attribute__((noinline)) void compute(double *numbers, long passes)
{
    for (long i = 0; i < passes; i++) {
        for (int k = 0; k < NUMBERS; k++)
            numbers[k] = 0.5 * numbers[k] + 1;
        __asm__ volatile("" : : "r"(numbers) : "memory"); /* every pass is made */
    }
}

/* Passes that take about so long on this rank, by the fastest of a few trials. */
static long passes_for(double *numbers, double wanted_ns)
{
    double least = INFINITY;
    for (int i = 0; i < TRIALS; i++) {
        const uint64_t begin = tgb_now_ns();
        compute(numbers, TRIAL_PASSES);
        least = fmin(least, (double)(tgb_now_ns() - begin));
    }
    return (long)ceil(wanted_ns * TRIAL_PASSES / fmax(least, 1));
}

/* ---- repetitions ---- */

typedef struct {
    tgb_work *work;
    void (*before)(void *context);
    void *context;
    double numbers[NUMBERS];
    long passes;
} series;

static void run_pure(series *s)
{
    s->work->direction->start(s->work);
    s->work->direction->finish(s->work);
}

static void run_cpu(series *s)
{
    compute(s->numbers, s->passes);
}

static void run_both(series *s)
{
    s->work->direction->start(s->work);
    compute(s->numbers, s->passes);
    s->work->direction->finish(s->work);
}

static void (*const runs[TGB_OVERLAP_TIMES])(series *s) = {run_pure, run_cpu, run_both};

static double time_one(series *s, int kind)
{
    s->before(s->context);
    const uint64_t begin = tgb_now_ns();
    runs[kind](s);
    return (double)(tgb_now_ns() - begin) / 1e3;
}

/* Computing that takes as long as the slowest rank's operation, the same time on every rank. */
static void choose_passes(series *s)
{
    double us = INFINITY;
    for (int i = 0; i < TRIALS; i++)
        us = fmin(us, time_one(s, TGB_PURE));
    MPI_Allreduce(MPI_IN_PLACE, &us, 1, MPI_DOUBLE, MPI_MAX, s->work->comm);
    s->passes = passes_for(s->numbers, us * 1e3);
}

static void measure(series *s, int samples, double *mine, double *worst, tgb_overlap *o)
{
    choose_passes(s);
    for (int i = 0; i < samples; i++)
        for (int kind = 0; kind < TGB_OVERLAP_TIMES; kind++)
            mine[kind * samples + i] = time_one(s, kind);
    MPI_Reduce(mine, worst, TGB_OVERLAP_TIMES * samples, MPI_DOUBLE, MPI_MAX, 0, s->work->comm);
    o->samples = samples;
    for (int kind = 0; s->work->rank == 0 && kind < TGB_OVERLAP_TIMES; kind++)
        o->times[kind] = tgb_summarise(worst + kind * samples, samples, mine);
    o->percent = tgb_overlap_percent(o->times[TGB_PURE].median, o->times[TGB_CPU].median,
                                     o->times[TGB_BOTH].median);
}

void tgb_overlap_run(tgb_work *work, double once_us, double limit_s, void (*before)(void *context),
                     void *context, tgb_overlap *o)
{
    *o = (tgb_overlap){.reason = NULL};
    if (!work->direction->start) {
        o->reason = "the operation has no halves";
        return;
    }
    const double fit = limit_s * 1e6 / (4 * fmax(once_us, 1)); /* pure + cpu + both is 3 to 4 */
    int samples = fit < LEAST ? LEAST : fit > MOST ? MOST : (int)fit;
    MPI_Bcast(&samples, 1, MPI_INT, 0, work->comm);
    const size_t bytes = TGB_OVERLAP_TIMES * (size_t)samples * sizeof(double);
    double *mine = malloc(bytes), *worst = malloc(bytes);
    const tg_status status =
        tg_agree(work->comm, mine && worst ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory"));
    series s = {.work = work, .before = before, .context = context};
    if (status.code == TG_OK)
        measure(&s, samples, mine, worst, o);
    else
        o->reason = "no memory for the repetitions";
    free(mine);
    free(worst);
}
