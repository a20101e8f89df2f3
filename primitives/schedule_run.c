/* schedule_run.c: running the steps of a schedule, forwards and backwards.
 *
 * All messages are non-blocking, and the sends of a step are waited for one step later, or before
 * their place is written. A range that is added travels in segments, so that a segment is added
 * while it is in cache and the next one arrives. Where the value that it is added to is still in
 * the input, it is received into the vector, and the input is added there: no entry is copied. */
#include "primitives/schedule.h"

#include "primitives/count.h"

#include <string.h>

/* What a block's place has. */
enum { NOTHING = 0, IN_INPUT, HERE };

/* ---- values ---- */

static char *at(const tg_schedule *s, ptrdiff_t entry)
{
    return s->vector + entry * (ptrdiff_t)s->op->dtype->size;
}

static const char *input_at(const tg_schedule *s, ptrdiff_t entry)
{
    return s->input + entry * (ptrdiff_t)s->op->dtype->size;
}

static size_t bytes_of(const tg_schedule *s, ptrdiff_t entries)
{
    return (size_t)entries * s->op->dtype->size;
}

static bool all_are(const tg_schedule *s, const tg_range *r, char state)
{
    for (int i = r->first; i < r->first + r->count; i++)
        if (s->states[i] != state && s->starts[i + 1] > s->starts[i])
            return false;
    return true;
}

static void set_states(tg_schedule *s, const tg_leg *leg, char state)
{
    for (int i = 0; i < leg->count; i++)
        s->states[(leg->first + i) % s->blocks] = state;
}

/* Copies those blocks of a range that are still in the input into the vector. */
static void bring(tg_schedule *s, int first, int count)
{
    for (int i = first; i < first + count; i++) {
        if (s->states[i] != IN_INPUT)
            continue;
        const tg_range r = tg_range_of(s, i, 1);
        memcpy(at(s, r.start), input_at(s, r.start), bytes_of(s, r.entries));
        s->states[i] = HERE;
    }
}

static void bring_leg(tg_schedule *s, const tg_leg *leg)
{
    tg_range made[2];
    for (int i = tg_ranges_of(s, leg, made) - 1; i >= 0; i--)
        bring(s, made[i].first, made[i].count);
}

static void finish_sends(tg_schedule *s, int bank)
{
    MPI_Waitall(s->nsends[bank], s->sends[bank], MPI_STATUSES_IGNORE);
    s->nsends[bank] = 0;
}

void tg_schedule_settle(tg_schedule *s, int first, int count)
{
    bring(s, first, count);
    for (int i = first; i < first + count; i++) {
        if (s->states[i] != NOTHING)
            continue;
        finish_sends(s, 0); /* they may still read the place */
        finish_sends(s, 1);
        const tg_range r = tg_range_of(s, i, 1);
        memset(at(s, r.start), 0, bytes_of(s, r.entries));
        s->states[i] = HERE;
    }
}

/* Where the values of a range stand one behind the other. */
static const char *source(tg_schedule *s, const tg_range *r)
{
    if (all_are(s, r, IN_INPUT))
        return input_at(s, r->start);
    if (!all_are(s, r, HERE))
        tg_schedule_settle(s, r->first, r->count);
    return at(s, r->start);
}

void tg_schedule_begin(tg_schedule *s, char *vector)
{
    s->vector = vector;
    s->input = NULL;
    s->begun = false;
    memset(s->states, NOTHING, (size_t)s->blocks);
}

void tg_schedule_input(tg_schedule *s, const char *values, int first, int count)
{
    const tg_leg leg = {.first = first, .count = count};
    s->input = values;
    set_states(s, &leg, values == s->vector ? HERE : IN_INPUT);
}

/* ---- receiving ---- */

/* Entries of message i; which of the two ranges it is of. */
static tg_range segment_of(const tg_inbox *box, int i, int *of)
{
    *of = i >= box->messages[0];
    const tg_range *r = &box->ranges[*of];
    const ptrdiff_t before = (i - (*of ? box->messages[0] : 0)) * box->segment;
    const ptrdiff_t left = r->entries - before;
    return (tg_range){.start = r->start + before,
                      .entries = left < box->segment ? left : box->segment};
}

static char *slot(const tg_schedule *s, int i)
{
    return s->scratch + i % TG_SLOTS * s->slot_bytes;
}

/* Start as many messages as there is room for; of those that are added only the next ones, so that
 * they are still in cache when they are added. */
static void start_receives(tg_schedule *s, tg_inbox *box)
{
    for (; box->posted < box->total; box->posted++) {
        int of;
        const tg_range r = segment_of(box, box->posted, &of);
        const bool scratch = box->how[of] == TG_ADD_HERE, adds = box->how[of] != TG_WRITE;
        if (adds && box->ahead == TG_SLOTS)
            return;
        tg_start_receive(s->op, scratch ? slot(s, box->into++) : at(s, r.start), r.entries,
                         box->from, &s->receives[box->posted]);
        box->ahead += adds;
    }
}

static tg_arrival arrival_of(tg_schedule *s, const tg_range *r)
{
    if (all_are(s, r, NOTHING))
        return TG_WRITE;
    if (all_are(s, r, IN_INPUT))
        return TG_ADD_INPUT;
    tg_schedule_settle(s, r->first, r->count);
    return TG_ADD_HERE;
}

static tg_inbox open_inbox(tg_schedule *s, const tg_leg *leg, bool adds)
{
    tg_inbox box = {.from = leg->rank, .segment = s->segment[adds]};
    box.nranges = tg_ranges_of(s, leg, box.ranges);
    for (int i = 0; i < box.nranges; i++) {
        box.how[i] = arrival_of(s, &box.ranges[i]);
        box.messages[i] = tg_range_messages(&box.ranges[i], box.segment);
        box.total += box.messages[i];
    }
    start_receives(s, &box);
    return box;
}

/* All messages, in their sequence. `own`: sends of this step that read the same range. */
static void take_messages(tg_schedule *s, tg_inbox *box, MPI_Request *own)
{
    for (int i = 0; i < box->total; i++) {
        int of;
        const tg_range r = segment_of(box, i, &of);
        MPI_Wait(&s->receives[i], MPI_STATUS_IGNORE);
        if (box->how[of] == TG_WRITE)
            continue;
        if (box->how[of] == TG_ADD_INPUT) {
            s->op->dtype->add(at(s, r.start), input_at(s, r.start), r.entries);
        } else {
            if (own)
                MPI_Wait(&own[i], MPI_STATUS_IGNORE);
            s->op->dtype->add(at(s, r.start), slot(s, box->out_of++), r.entries);
        }
        box->ahead--;
        start_receives(s, box);
    }
}

/* ---- steps ---- */

static void start_sends(tg_schedule *s, const tg_leg *leg, bool adds)
{
    const ptrdiff_t segment = s->segment[adds];
    tg_range made[2];
    const int count = tg_ranges_of(s, leg, made);
    for (int i = 0; i < count; i++) {
        const char *values = source(s, &made[i]);
        for (ptrdiff_t done = 0; done < made[i].entries; done += segment) {
            const ptrdiff_t left = made[i].entries - done;
            tg_start_send(s->op, values + bytes_of(s, done), left < segment ? left : segment,
                          leg->rank, &s->sends[1][s->nsends[1]++]);
        }
    }
}

static bool has_block(const tg_schedule *s, const tg_leg *leg, int block)
{
    return (block - leg->first + s->blocks) % s->blocks < leg->count;
}

/* Two ranges with a turn meet when one of them has the other's first block. */
static bool meet(const tg_schedule *s, const tg_leg *a, const tg_leg *b)
{
    return a->count > 0 && b->count > 0 && (has_block(s, a, b->first) || has_block(s, b, a->first));
}

/* A step in the direction in which it is run. */
typedef struct {
    const tg_leg *send, *receive;
    bool adds, gives;
} directed;

static directed step_of(const tg_schedule *s, bool sum, int i)
{
    const tg_step *step = sum ? &s->sum.step[s->sum.count - 1 - i] : &s->copy.step[i];
    return sum ? (directed){&step->receive, &step->send, true, true}
               : (directed){&step->send, &step->receive, s->copy_adds, step->gives};
}

static void begin_step(tg_schedule *s, directed step)
{
    if (meet(s, &s->sent, step.receive))
        finish_sends(s, 0);
    s->box = open_inbox(s, step.receive, step.adds);
    start_sends(s, step.send, step.adds);
}

static void end_step(tg_schedule *s, directed step)
{
    if (!step.adds && s->vector)
        bring_leg(s, step.send); /* while the messages travel */
    take_messages(s, &s->box, meet(s, step.send, step.receive) ? s->sends[1] : NULL);
    if (step.gives)
        set_states(s, step.send, NOTHING);
    set_states(s, step.receive, HERE);
    finish_sends(s, 0);
    MPI_Request *const started = s->sends[1];
    s->sends[1] = s->sends[0];
    s->sends[0] = started;
    s->nsends[0] = s->nsends[1];
    s->nsends[1] = 0;
    s->sent = *step.send;
}

static void run_steps(tg_schedule *s, bool sum)
{
    const int count = sum ? s->sum.count : s->copy.count;
    for (int i = 0; i < count; i++) {
        const directed step = step_of(s, sum, i);
        if (!s->begun)
            begin_step(s, step);
        s->begun = false;
        end_step(s, step);
    }
    finish_sends(s, 0);
}

void tg_schedule_start(tg_schedule *s, bool sum)
{
    s->begun = (sum ? s->sum.count : s->copy.count) > 0;
    if (s->begun)
        begin_step(s, step_of(s, sum, 0));
}

void tg_schedule_copy(tg_schedule *s)
{
    run_steps(s, false);
    if (s->vector)
        bring(s, 0, s->blocks);
}

void tg_schedule_sum(tg_schedule *s)
{
    run_steps(s, true);
}
