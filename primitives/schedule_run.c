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
    return s->vector + entry * (ptrdiff_t)s->dtype->size;
}

static const char *input_at(const tg_schedule *s, ptrdiff_t entry)
{
    return s->input + entry * (ptrdiff_t)s->dtype->size;
}

static size_t bytes_of(const tg_schedule *s, ptrdiff_t entries)
{
    return (size_t)entries * s->dtype->size;
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
    memset(s->states, NOTHING, (size_t)s->blocks);
}

void tg_schedule_input(tg_schedule *s, const char *values, int first, int count)
{
    const tg_leg leg = {.first = first, .count = count};
    s->input = values;
    set_states(s, &leg, values == s->vector ? HERE : IN_INPUT);
}

/* ---- receiving ---- */

/* What is done with a range that arrives: written into the vector; the input is added to it there;
 * or it is added from the scratch to what stands in the vector. */
typedef enum { WRITE, ADD_INPUT, ADD_HERE } arrival;

/* The messages of one step's receiving leg, in the sequence in which they are sent. */
typedef struct {
    int from;
    tg_range ranges[2];
    arrival how[2];
    int messages[2], nranges, total;
    ptrdiff_t segment;
    int posted, ahead; /* messages that were started; of them, to be added and not yet added */
    int into, out_of;  /* the scratch's next slot to be written; to be read */
} inbox;

/* Entries of message i; which of the two ranges it is of. */
static tg_range segment_of(const inbox *box, int i, int *of)
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
static void start_receives(tg_schedule *s, inbox *box)
{
    for (; box->posted < box->total; box->posted++) {
        int of;
        const tg_range r = segment_of(box, box->posted, &of);
        const bool scratch = box->how[of] == ADD_HERE, adds = box->how[of] != WRITE;
        if (adds && box->ahead == TG_SLOTS)
            return;
        tg_start_receive(scratch ? slot(s, box->into++) : at(s, r.start), r.entries, s->dtype,
                         box->from, s->comm, &s->receives[box->posted]);
        box->ahead += adds;
    }
}

static arrival arrival_of(tg_schedule *s, const tg_range *r)
{
    if (all_are(s, r, NOTHING))
        return WRITE;
    if (all_are(s, r, IN_INPUT))
        return ADD_INPUT;
    tg_schedule_settle(s, r->first, r->count);
    return ADD_HERE;
}

static inbox open_inbox(tg_schedule *s, const tg_leg *leg, bool adds)
{
    inbox box = {.from = leg->rank, .segment = s->segment[adds]};
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
static void take_messages(tg_schedule *s, inbox *box, MPI_Request *own)
{
    for (int i = 0; i < box->total; i++) {
        int of;
        const tg_range r = segment_of(box, i, &of);
        MPI_Wait(&s->receives[i], MPI_STATUS_IGNORE);
        if (box->how[of] == WRITE)
            continue;
        if (box->how[of] == ADD_INPUT) {
            s->dtype->add(at(s, r.start), input_at(s, r.start), r.entries);
        } else {
            if (own)
                MPI_Wait(&own[i], MPI_STATUS_IGNORE);
            s->dtype->add(at(s, r.start), slot(s, box->out_of++), r.entries);
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
            tg_start_send(values + bytes_of(s, done), left < segment ? left : segment, s->dtype,
                          leg->rank, s->comm, &s->sends[1][s->nsends[1]++]);
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

static void run_step(tg_schedule *s, const tg_leg *send, const tg_leg *receive, bool adds,
                     bool gives)
{
    const bool same = meet(s, send, receive);
    if (meet(s, &s->sent, receive))
        finish_sends(s, 0);
    inbox box = open_inbox(s, receive, adds);
    start_sends(s, send, adds);
    if (!adds && s->vector)
        bring_leg(s, send); /* while the messages travel */
    take_messages(s, &box, same ? s->sends[1] : NULL);
    if (gives)
        set_states(s, send, NOTHING);
    set_states(s, receive, HERE);
    finish_sends(s, 0);
    MPI_Request *const started = s->sends[1];
    s->sends[1] = s->sends[0];
    s->sends[0] = started;
    s->nsends[0] = s->nsends[1];
    s->nsends[1] = 0;
    s->sent = *send;
}

void tg_schedule_copy(tg_schedule *s)
{
    for (const tg_step *step = s->copy.step; step < s->copy.step + s->copy.count; step++)
        run_step(s, &step->send, &step->receive, s->copy_adds, step->gives);
    finish_sends(s, 0);
    if (s->vector)
        bring(s, 0, s->blocks);
}

void tg_schedule_sum(tg_schedule *s)
{
    for (int i = s->sum.count - 1; i >= 0; i--)
        run_step(s, &s->sum.step[i].receive, &s->sum.step[i].send, true, true);
    finish_sends(s, 0);
}
