/* counting.c: which events, in which sets, in how many repetitions; and what they were over
 * repetitions and ranks. All events are tried in one set; when the counters do not suffice, or the
 * events belong to different components, each one is counted in a round of its own. */
#include "bench/counting.h"

#include "bench/counters.h"
#include "bench/planned.h"
#include "bench/stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_EVENTS = TGB_MAX_EVENTS, MAX_REPETITIONS = 7 };

/* ---- words ---- */

static const struct {
    const char *name, *events;
} presets[] = {
    {"own", TGB_OWN_EVENTS "bytes," TGB_OWN_EVENTS "messages," TGB_OWN_EVENTS "flops"},
    {"memory", "PAPI_LST_INS,PAPI_L1_DCM,PAPI_L2_TCM,PAPI_L3_TCM,PAPI_TLB_DM"},
    {"flops", "PAPI_TOT_CYC,PAPI_TOT_INS,PAPI_SP_OPS,PAPI_DP_OPS," TGB_OWN_EVENTS "flops"},
    {"energy", "powercap:::ENERGY_UJ:ZONE0,rapl:::PACKAGE_ENERGY:PACKAGE0,"
               "rapl:::DRAM_ENERGY:PACKAGE0"},
};
enum { PRESETS = sizeof presets / sizeof *presets };

struct tgb_counting {
    int count;
    tgb_count event[MAX_EVENTS];
    bool tried;                              /* the next field is known */
    char absent[MAX_EVENTS][TG_STATUS_TEXT]; /* on this rank, in every cell; "": it is there */
    bool said[MAX_EVENTS];                   /* rank 0: why it is absent */
};

static bool is_strange(const char *word)
{
    for (; *word; word++)
        if (*word <= ' ' || *word > '~' || *word == '"')
            return true;
    return false;
}

static tg_status add_event(tgb_counting *c, const char *name)
{
    for (int i = 0; i < c->count; i++)
        if (strcmp(c->event[i].event, name) == 0)
            return tg_success();
    if (is_strange(name))
        return tg_fail(TG_BAD_INPUT, "--counters '%.60s': expected names of events or presets",
                       name);
    if (c->count == MAX_EVENTS)
        return tg_fail(TG_BAD_INPUT, "--counters: '%.60s' is one too many; expected at most %d",
                       name, MAX_EVENTS);
    char *copy = strdup(name);
    if (!copy)
        return tg_fail(TG_NO_MEMORY, "no memory for the name of an event");
    c->event[c->count++] = (tgb_count){.event = copy};
    return tg_success();
}

/* The events of a list; words that are presets are replaced when expand is set. */
static tg_status add_events(tgb_counting *c, const char *text, bool expand)
{
    char **words;
    int count;
    tg_status status = tgb_parse_words("--counters", text, &words, &count);
    if (status.code != TG_OK)
        return status;
    for (int i = 0; i < count && status.code == TG_OK; i++) {
        int k = expand ? 0 : PRESETS;
        while (k < PRESETS && strcmp(words[i], presets[k].name) != 0)
            k++;
        status = k < PRESETS ? add_events(c, presets[k].events, false) : add_event(c, words[i]);
    }
    tgb_free_words(words, count);
    return status;
}

tg_status tgb_counting_make(const char *text, tgb_counting **counting)
{
    *counting = calloc(1, sizeof **counting);
    if (!*counting)
        return tg_fail(TG_NO_MEMORY, "no memory for counters");
    const tg_status status = add_events(*counting, text, true);
    if (status.code != TG_OK) {
        tgb_counting_free(*counting);
        *counting = NULL;
    }
    return status;
}

void tgb_counting_free(tgb_counting *counting)
{
    for (int i = 0; counting && i < counting->count; i++)
        free(counting->event[i].event);
    free(counting);
}

const tgb_count *tgb_counting_at(const tgb_counting *counting, int index)
{
    return index < counting->count ? &counting->event[index] : NULL;
}

/* ---- events of our own ---- */

static long long published[TGB_PLANNED]; /* so far, in counted repetitions */

static void publish_all(void)
{
    static bool done;
    for (int i = 0; i < TGB_PLANNED && !done; i++)
        tgb_counters_publish(tgb_planned_rows[i].name, &published[i]);
    done = true;
}

/* The row behind an event of ours, or NULL. */
static const tgb_planned *planned_of(const char *event)
{
    const size_t length = strlen(TGB_OWN_EVENTS);
    for (int i = 0; i < TGB_PLANNED && strncmp(event, TGB_OWN_EVENTS, length) == 0; i++)
        if (strcmp(event + length, tgb_planned_rows[i].name) == 0)
            return &tgb_planned_rows[i];
    return NULL;
}

/* ---- which events are there ---- */

static void try_events(tgb_counting *c)
{
    publish_all();
    for (int i = 0; i < c->count; i++) {
        tgb_counter_set *set;
        const char *const name = c->event[i].event;
        const tg_status status = tgb_counter_set_make(&name, 1, &set);
        tgb_counter_set_free(set);
        snprintf(c->absent[i], sizeof c->absent[i], "%s", status.text);
    }
    c->tried = true;
}

/* An event is there when every rank has it, and when it is ours and this operation tells of it. */
static void choose_events(tgb_counting *c, const tgb_work *work)
{
    if (!c->tried)
        try_events(c);
    for (int i = 0; i < c->count; i++) {
        const tgb_planned *planned = planned_of(c->event[i].event);
        tg_status status = tg_success();
        if (c->absent[i][0])
            status = tg_fail(TG_BAD_INPUT, "%s", c->absent[i]);
        else if (planned && planned->count(work) < 0)
            status = tg_fail(TG_BAD_INPUT, "not known for %s, algorithm %s",
                             work->setup->operation->name, work->setup->algorithm);
        status = tg_agree(work->comm, status);
        snprintf(c->event[i].reason, sizeof c->event[i].reason, "%s", status.text);
        c->event[i].min = c->event[i].median = c->event[i].max = NAN;
    }
}

/* Rank 0: each reason on one line, with the events that it is for. */
static void say_reasons(tgb_counting *c)
{
    for (int i = 0; i < c->count; i++) {
        const char *reason = c->event[i].reason;
        if (!reason[0] || c->said[i])
            continue;
        fprintf(stderr, "tgbench: not counted:");
        for (int k = i, first = 1; k < c->count; k++)
            if (!c->said[k] && strcmp(c->event[k].reason, reason) == 0) {
                fprintf(stderr, "%s %s", first ? "" : ",", c->event[k].event);
                c->said[k] = true;
                first = 0;
            }
        fprintf(stderr, ": %s\n", reason);
    }
}

/* ---- rounds ---- */

/* Events counted together, by their places in the list. */
typedef struct {
    int place[MAX_EVENTS], count;
    tgb_counter_set *set;
} batch_of_events;

static tg_status open_round(const tgb_counting *c, batch_of_events *round)
{
    const char *names[MAX_EVENTS];
    for (int i = 0; i < round->count; i++)
        names[i] = c->event[round->place[i]].event;
    return tgb_counter_set_make(names, round->count, &round->set);
}

typedef struct {
    tgb_work *work;
    int batch, repetitions;
    void (*before)(void *context);
    void *context;
    double planned[TGB_PLANNED];
} plan;

static void run_batch(const plan *p)
{
    void (*const run)(tgb_work *) = p->work->direction->run;
    for (int k = p->batch; k > 0; k--) {
        run(p->work);
        for (int i = 0; i < TGB_PLANNED; i++)
            published[i] += (long long)p->planned[i];
    }
}

/* The repetitions of a round; the median of each of its events is put into value. */
static tg_status count_round(const plan *p, const batch_of_events *round, double *value)
{
    double seen[MAX_EVENTS][MAX_REPETITIONS];
    long long now[MAX_EVENTS] = {0};
    bool good = true;
    for (int r = 0; r < p->repetitions; r++) {
        p->before(p->context);
        const bool started = tgb_counter_set_start(round->set);
        run_batch(p);
        good = started && tgb_counter_set_stop(round->set, now) && good;
        for (int i = 0; i < round->count; i++)
            seen[i][r] = (double)now[i] / p->batch;
    }
    for (int i = 0; i < round->count; i++) {
        tgb_sort(seen[i], p->repetitions);
        value[round->place[i]] = tgb_quantile(seen[i], p->repetitions, 0.5);
    }
    return good ? tg_success() : tg_fail(TG_BAD_INPUT, "the counter could not be read");
}

/* One round, on all ranks or on none. Events of a round that fails are absent in this cell. */
static tg_status do_round(tgb_counting *c, const plan *p, batch_of_events *round, double *value)
{
    const MPI_Comm comm = p->work->comm;
    tg_status status = tg_agree(comm, open_round(c, round));
    if (status.code == TG_OK)
        status = tg_agree(comm, count_round(p, round, value));
    tgb_counter_set_free(round->set);
    return status;
}

static void do_rounds(tgb_counting *c, const plan *p, double *value)
{
    batch_of_events all = {.count = 0};
    for (int i = 0; i < c->count; i++)
        if (!c->event[i].reason[0])
            all.place[all.count++] = i;
    if (all.count == 0)
        return;
    if (do_round(c, p, &all, value).code == TG_OK)
        return;
    for (int i = 0; i < all.count; i++) {
        tgb_count *event = &c->event[all.place[i]];
        batch_of_events one = {.place = {all.place[i]}, .count = 1};
        const tg_status status = do_round(c, p, &one, value);
        snprintf(event->reason, sizeof event->reason, "%s", status.text);
    }
}

/* ---- over ranks ---- */

/* Doubles as numbers that are ordered as they are. */
static uint64_t key_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static double value_of(uint64_t key)
{
    const uint64_t bits = key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The k-th smallest (from 1) of the ranks' values, for n values at once: bisection of their bits,
 * so that no rank needs memory for all. */
static void select_over_ranks(MPI_Comm comm, const double *mine, int n, int k, double *selected)
{
    uint64_t lo[MAX_EVENTS] = {0}, hi[MAX_EVENTS];
    int below[MAX_EVENTS];
    memset(hi, 0xFF, sizeof hi);
    for (int bit = 0; bit < 64; bit++) {
        for (int i = 0; i < n; i++)
            below[i] = key_of(mine[i]) <= lo[i] + (hi[i] - lo[i]) / 2;
        MPI_Allreduce(MPI_IN_PLACE, below, n, MPI_INT, MPI_SUM, comm);
        for (int i = 0; i < n; i++) {
            const uint64_t middle = lo[i] + (hi[i] - lo[i]) / 2;
            if (below[i] >= k)
                hi[i] = middle;
            else
                lo[i] = middle + 1;
        }
    }
    for (int i = 0; i < n; i++)
        selected[i] = value_of(lo[i]);
}

static void put_over_ranks(tgb_counting *c, MPI_Comm comm, const double *value)
{
    double order[4][MAX_EVENTS];
    int size;
    MPI_Comm_size(comm, &size);
    const int which[4] = {1, (size + 1) / 2, size / 2 + 1, size};
    for (int i = 0; i < 4; i++)
        select_over_ranks(comm, value, c->count, which[i], order[i]);
    for (int i = 0; i < c->count; i++) {
        tgb_count *event = &c->event[i];
        if (event->reason[0])
            continue;
        event->min = order[0][i];
        event->median = (order[1][i] + order[2][i]) / 2;
        event->max = order[3][i];
    }
}

/* ---- one cell ---- */

/* Every round gets as many repetitions; in the worst case there is a round for each event. */
static int choose_repetitions(const tgb_counting *c, MPI_Comm comm, double repetition_us,
                              double limit_s)
{
    int chosen;
    const double fits = limit_s * 1e6 / fmax(repetition_us * c->count, 1e-3);
    chosen = fits < 1 ? 1 : fits < MAX_REPETITIONS ? (int)fits : MAX_REPETITIONS;
    MPI_Bcast(&chosen, 1, MPI_INT, 0, comm);
    return chosen;
}

void tgb_counting_run(tgb_counting *c, tgb_work *work, int batch, double once_us, double limit_s,
                      void (*before)(void *context), void *context)
{
    double value[MAX_EVENTS] = {0};
    int rank;
    plan p = {.work = work, .batch = batch, .before = before, .context = context};
    choose_events(c, work);
    for (int i = 0; i < TGB_PLANNED; i++)
        p.planned[i] = fmax(tgb_planned_rows[i].count(work), 0);
    p.repetitions = choose_repetitions(c, work->comm, once_us * batch, limit_s);
    do_rounds(c, &p, value);
    put_over_ranks(c, work->comm, value);
    MPI_Comm_rank(work->comm, &rank);
    if (rank == 0)
        say_reasons(c);
}
