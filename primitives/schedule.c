/* schedule.c: the steps of a schedule, and the memory that a run of them needs: of every block its
 * place and state, requests for the largest step, and scratch for two segments. */
#include "primitives/schedule.h"

#include "primitives/count.h"

#include <stdlib.h>

enum { SEGMENT_BYTES = 128 * 1024 };

void tg_add_step(tg_steps *steps, tg_step step)
{
    if (steps->step)
        steps->step[steps->count] = step;
    steps->count++;
}

int tg_member_rank(const tg_member *m, int place)
{
    return m->ranks[(m->root + place) % m->size];
}

int tg_member_place(const tg_member *m)
{
    return (m->me - m->root + m->size) % m->size;
}

tg_range tg_range_of(const tg_schedule *s, int first, int count)
{
    return (tg_range){first, count, s->starts[first], s->starts[first + count] - s->starts[first]};
}

int tg_ranges_of(const tg_schedule *s, const tg_leg *leg, tg_range made[2])
{
    int before = s->blocks - leg->first, count = 0;
    if (leg->count == 0)
        return 0;
    made[0] = tg_range_of(s, leg->first, leg->count < before ? leg->count : before);
    count += made[0].entries > 0;
    made[count] = tg_range_of(s, 0, leg->count > before ? leg->count - before : 0);
    return count + (made[count].entries > 0);
}

int tg_range_messages(const tg_range *r, ptrdiff_t segment)
{
    return (int)(r->entries / segment + (r->entries % segment > 0));
}

static int messages_of_leg(const tg_schedule *s, const tg_leg *leg, ptrdiff_t segment)
{
    tg_range made[2];
    int messages = 0;
    for (int i = tg_ranges_of(s, leg, made) - 1; i >= 0; i--)
        messages += tg_range_messages(&made[i], segment);
    return messages;
}

static ptrdiff_t largest_range(const tg_schedule *s, const tg_leg *leg)
{
    tg_range made[2];
    ptrdiff_t largest = 0;
    for (int i = tg_ranges_of(s, leg, made) - 1; i >= 0; i--)
        largest = made[i].entries > largest ? made[i].entries : largest;
    return largest;
}

static tg_status make_steps(tg_op *op, const tg_member *m,
                            void (*make)(const tg_member *m, tg_steps *steps), tg_steps *steps)
{
    if (!make)
        return tg_success();
    tg_steps counted = {NULL, 0};
    make(m, &counted);
    const ptrdiff_t bytes = counted.count * (ptrdiff_t)sizeof *steps->step;
    steps->step = tg_keep(op, bytes);
    if (steps->step)
        make(m, steps);
    return tg_check_memory(steps->step, bytes);
}

static tg_status make_starts(tg_op *op, ptrdiff_t entries, const ptrdiff_t *starts, tg_schedule *s)
{
    s->starts = tg_keep(op, (s->blocks + 1) * (ptrdiff_t)sizeof *s->starts);
    s->states = tg_keep(op, s->blocks);
    if (!s->starts || !s->states)
        return tg_check_memory(NULL, (s->blocks + 1) * (ptrdiff_t)sizeof *s->starts);
    for (int i = 0; i <= s->blocks; i++)
        s->starts[i] = starts ? starts[i] : tg_split_start(entries, s->blocks, i);
    return tg_success();
}

/* What the largest leg asks of a list; `adds` is a list that is run so that ranges are added. */
static void measure(tg_schedule *s, const tg_steps *steps, bool adds, ptrdiff_t *scratch)
{
    for (const tg_step *step = steps->step; step < steps->step + steps->count; step++) {
        const tg_leg *legs[2] = {&step->send, &step->receive};
        for (int i = 0; i < 2; i++) {
            int messages = messages_of_leg(s, legs[i], s->segment[adds]);
            ptrdiff_t entries = largest_range(s, legs[i]);
            s->most = messages > s->most ? messages : s->most;
            if (adds && entries > *scratch)
                *scratch = entries;
        }
    }
}

static tg_status make_workspace(tg_op *op, tg_schedule *s)
{
    ptrdiff_t scratch = 0;
    measure(s, &s->copy, s->copy_adds, &scratch);
    measure(s, &s->sum, true, &scratch);
    scratch = scratch < s->segment[true] ? scratch : s->segment[true];
    s->slot_bytes = scratch * (ptrdiff_t)op->dtype->size;
    const ptrdiff_t requests = s->most * (ptrdiff_t)sizeof(MPI_Request);
    s->scratch = tg_keep(op, TG_SLOTS * s->slot_bytes);
    s->receives = tg_keep(op, requests);
    s->sends[0] = tg_keep(op, requests);
    s->sends[1] = tg_keep(op, requests);
    bool good = s->scratch && s->receives && s->sends[0] && s->sends[1];
    return tg_check_memory(good ? s : NULL, TG_SLOTS * s->slot_bytes + 3 * requests);
}

tg_status tg_schedule_steps(tg_op *op, const tg_pattern *pattern, const tg_member *member,
                            ptrdiff_t entries, const ptrdiff_t *starts, tg_schedule *s)
{
    const ptrdiff_t size = (ptrdiff_t)op->dtype->size, whole = SEGMENT_BYTES / size;
    tg_member m = *member;
    const ptrdiff_t segment = tg_count_most(whole);
    m.blocks = starts ? m.blocks : pattern->blocks(m.size, entries, segment);
    *s = (tg_schedule){.op = op,
                       .blocks = m.blocks,
                       .copy_adds = pattern->copy_adds,
                       .segment = {tg_largest_count, segment}};
    tg_status status = make_starts(op, entries, starts, s);
    if (status.code == TG_OK)
        status = make_steps(op, &m, pattern->copy, &s->copy);
    if (status.code == TG_OK)
        status = make_steps(op, &m, pattern->sum, &s->sum);
    return status;
}

tg_status tg_schedule_plan(tg_op *op, const tg_pattern *pattern, const tg_member *member,
                           ptrdiff_t entries, const ptrdiff_t *starts, tg_schedule *s)
{
    const tg_status status = tg_schedule_steps(op, pattern, member, entries, starts, s);
    return status.code == TG_OK ? make_workspace(op, s) : status;
}

void tg_schedule_free(tg_schedule *s)
{
    free(s->starts);
    free(s->copy.step);
    free(s->sum.step);
    free(s->scratch);
    free(s->receives);
    free(s->sends[0]);
    free(s->sends[1]);
    free(s->states);
}

bool tg_schedule_sums_here(const tg_schedule *s)
{
    for (int i = 0; i < s->sum.count; i++)
        if (s->sum.step[i].send.count > 0) /* backwards it is received */
            return true;
    return false;
}

static ptrdiff_t entries_of_leg(const tg_schedule *s, const tg_leg *leg)
{
    tg_range made[2];
    ptrdiff_t entries = 0;
    for (int i = tg_ranges_of(s, leg, made) - 1; i >= 0; i--)
        entries += made[i].entries;
    return entries;
}

void tg_schedule_carried(const tg_schedule *s, bool sum, tg_carried *carried)
{
    const tg_steps *steps = sum ? &s->sum : &s->copy;
    const ptrdiff_t segment = s->segment[sum || s->copy_adds];
    for (const tg_step *step = steps->step; step < steps->step + steps->count; step++) {
        const tg_leg *legs[2] = {sum ? &step->receive : &step->send,
                                 sum ? &step->send : &step->receive};
        for (int i = 0; i < 2; i++) {
            carried->messages[i] += messages_of_leg(s, legs[i], segment);
            carried->entries[i] += entries_of_leg(s, legs[i]);
        }
    }
}

ptrdiff_t tg_schedule_messages(const tg_schedule *s, bool sum)
{
    tg_carried carried = {{0, 0}, {0, 0}};
    tg_schedule_carried(s, sum, &carried);
    return carried.messages[0];
}
