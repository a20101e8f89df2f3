/* breakdown.c: a clock that always belongs to one phase, and a listener that turns it on. */
#include "bench/breakdown.h"

#include "bench/clock.h"
#include "bench/stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST = 6, MOST = 100 };

const char *const tgb_breakdown_names[TGB_BREAKDOWN_ROWS] = {"communication", "pack", "kernel",
                                                             "wait", "total"};

/* ---- one run ---- */

typedef struct {
    int now;           /* the phase that the clock belongs to */
    uint64_t since_ns; /* from here on */
    int under_way[TG_ACTIVITIES];
    uint64_t ns[TGB_BREAKDOWN_ROWS];
} division;

static void enter(division *d, int phase)
{
    const uint64_t now_ns = tgb_now_ns();
    d->ns[d->now] += now_ns - d->since_ns;
    d->since_ns = now_ns;
    d->now = phase;
}

static void enter_innermost(division *d)
{
    enter(d, d->under_way[TG_PACKS] > 0          ? TGB_PACK
             : d->under_way[TG_COMMUNICATES] > 0 ? TGB_COMMUNICATION
                                                 : TGB_KERNEL);
}

static void wait_for_all(division *d, MPI_Comm comm)
{
    enter(d, TGB_WAIT);
    MPI_Barrier(comm);
}

static void begin(void *context, tg_activity activity, MPI_Comm comm)
{
    division *d = context;
    if (activity == TG_COMMUNICATES)
        wait_for_all(d, comm);
    d->under_way[activity]++;
    enter_innermost(d);
}

static void end(void *context, tg_activity activity)
{
    division *d = context;
    d->under_way[activity]--;
    enter_innermost(d);
}

static void divide_one(tgb_work *work, division *d)
{
    const tg_listener listener = {.begin = begin, .end = end, .context = d};
    *d = (division){.now = TGB_KERNEL, .since_ns = tgb_now_ns()};
    const uint64_t begin_ns = d->since_ns;
    tg_listening = &listener;
    work->direction->run(work);
    tg_listening = NULL;
    wait_for_all(d, work->comm);
    enter(d, TGB_KERNEL);
    d->ns[TGB_TOTAL] = d->since_ns - begin_ns;
}

/* ---- repetitions ---- */

/* Is repetition i in the middle half of n? Equal ones keep their order. */
static bool in_the_middle(const uint64_t *total_ns, int n, int i)
{
    int place = 0;
    for (int j = 0; j < n; j++)
        place += total_ns[j] < total_ns[i] || (total_ns[j] == total_ns[i] && j < i);
    return place >= n / 4 && place < n - n / 4;
}

static void mean_of_middle(const division *made, int n, MPI_Comm comm, double us[])
{
    uint64_t total_ns[MOST];
    int kept = 0;
    memset(us, 0, TGB_BREAKDOWN_ROWS * sizeof *us);
    for (int i = 0; i < n; i++)
        total_ns[i] = made[i].ns[TGB_TOTAL];
    MPI_Allreduce(MPI_IN_PLACE, total_ns, n, MPI_UINT64_T, MPI_MAX, comm);
    for (int i = 0; i < n; i++) {
        const bool keep = in_the_middle(total_ns, n, i);
        kept += keep;
        for (int row = 0; keep && row < TGB_BREAKDOWN_ROWS; row++)
            us[row] += (double)made[i].ns[row] / 1e3;
    }
    for (int row = 0; row < TGB_BREAKDOWN_ROWS; row++)
        us[row] /= kept;
}

/* all: room for each rank's numbers and for one of each rank, on rank 0. */
static void put_over_ranks(tgb_work *work, const double *us, double *all, tgb_breakdown *b)
{
    int ranks;
    MPI_Comm_size(work->comm, &ranks);
    MPI_Gather(us, TGB_BREAKDOWN_ROWS, MPI_DOUBLE, all, TGB_BREAKDOWN_ROWS, MPI_DOUBLE, 0,
               work->comm);
    double *one = all + (size_t)ranks * TGB_BREAKDOWN_ROWS;
    for (int row = 0; work->rank == 0 && row < TGB_BREAKDOWN_ROWS; row++) {
        for (int r = 0; r < ranks; r++)
            one[r] = all[r * TGB_BREAKDOWN_ROWS + row];
        tgb_sort(one, ranks);
        b->row[row].min = one[0];
        b->row[row].median = tgb_quantile(one, ranks, 0.5);
        b->row[row].max = one[ranks - 1];
    }
}

/* Raw calls and what a machine can do call no operator. */
static bool divides(const tgb_operation *operation)
{
    return strcmp(operation->kind, "raw") != 0 && strcmp(operation->kind, "machine") != 0;
}

static int choose_samples(const tgb_work *work, double once_us, double limit_s)
{
    const double fit = limit_s * 1e6 / (2 * fmax(once_us, 1)); /* with what is around a run */
    int samples = fit < LEAST ? LEAST : fit > MOST ? MOST : (int)fit;
    MPI_Bcast(&samples, 1, MPI_INT, 0, work->comm);
    return samples;
}

void tgb_breakdown_run(tgb_work *work, double once_us, double limit_s,
                       void (*before)(void *context), void *context, tgb_breakdown *b)
{
    *b = (tgb_breakdown){.reason = NULL};
    if (!divides(work->setup->operation)) {
        b->reason = "operations of kind raw and machine have no phases";
        return;
    }
    const int samples = choose_samples(work, once_us, limit_s);
    double us[TGB_BREAKDOWN_ROWS];
    const size_t each = TGB_BREAKDOWN_ROWS + 1;
    division *made = malloc((size_t)samples * sizeof *made);
    double *all = malloc((size_t)work->setup->ranks * each * sizeof *all);
    const tg_status status =
        tg_agree(work->comm, made && all ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory"));
    for (int i = -1; i < samples && status.code == TG_OK; i++) { /* the first is not kept */
        before(context);
        divide_one(work, &made[i < 0 ? 0 : i]);
    }
    if (status.code == TG_OK) {
        mean_of_middle(made, samples, work->comm, us);
        put_over_ranks(work, us, all, b);
    } else {
        b->reason = "no memory for the repetitions";
    }
    free(made);
    free(all);
}
