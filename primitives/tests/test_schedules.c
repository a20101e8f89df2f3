/* test_schedules.c: the steps of our own algorithms in groups of 1 to 20 ranks, from each root,
 * followed in one process.
 *
 * Instead of a value a block has the number of times that each rank's term is in it. A message is
 * the blocks as they are when its sender comes to the step, and the sender stays there until it is
 * taken: no rank may have to wait for ever though nothing is buffered. Rounds and blocks sent must
 * be what tree.c, ring.c and scatter_allgather.c say. */
#include "primitives/patterns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 20, SEGMENTS = 7, MAX_STEPS = 64, QUEUE = 4096 };

/* terms[i]: how often the term of place i is in a block; all 0: it has no value. */
typedef struct {
    int terms[MOST];
} block_value;

typedef struct {
    int from, to, first, count, start; /* start: the round in which it is sent */
    block_value value[MOST];
    bool taken;
} message;

typedef struct {
    int size, root, blocks;
    tg_step steps[MOST][MAX_STEPS];
    int nsteps[MOST], next[MOST], clock[MOST];
    bool started[MOST], received[MOST]; /* in the step that comes next */
    const message *mine[MOST];          /* that was sent in it */
    block_value value[MOST][MOST];      /* by index and block */
    int sent[MOST];                     /* blocks */
    bool adds;
} world;

static message queue[QUEUE];
static int queued;

static int log2_up(int k)
{
    int rounds = 0;
    while (1 << rounds < k)
        rounds++;
    return rounds;
}

static bool has_value(const block_value *v)
{
    static const block_value none;
    return memcmp(v, &none, sizeof none) != 0;
}

static block_value *value_at(world *w, int index, int block)
{
    return &w->value[index][block % w->blocks];
}

static const message *post(world *w, int index, const tg_leg *leg, bool gives)
{
    message *m = &queue[queued++];
    assert_true(queued < QUEUE);
    *m = (message){index, leg->rank, leg->first, leg->count, w->clock[index], {{{0}}}, false};
    w->sent[index] += leg->count;
    for (int i = 0; i < leg->count; i++) {
        block_value *v = value_at(w, index, leg->first + i);
        m->value[i] = *v;
        if (gives)
            *v = (block_value){{0}};
    }
    return m;
}

/* The oldest message between two ranks that was not taken; NULL: none. */
static message *oldest(int from, int to)
{
    for (message *m = queue; m < queue + queued; m++)
        if (!m->taken && m->from == from && m->to == to)
            return m;
    return NULL;
}

static void take(world *w, int index, const tg_leg *leg, message *m)
{
    assert_int_equal(m->first % w->blocks, leg->first % w->blocks);
    assert_int_equal(m->count, leg->count);
    m->taken = true;
    for (int i = 0; i < leg->count; i++) {
        block_value *v = value_at(w, index, leg->first + i);
        assert_true(w->adds || !has_value(v)); /* copies are written where there is none */
        for (int t = 0; t < w->size; t++)
            v->terms[t] += m->value[i].terms[t];
    }
}

/* One rank's next step, as far as it can go. Returns whether anything happened. */
static bool advance(world *w, int index, bool back)
{
    if (w->next[index] == w->nsteps[index])
        return false;
    const int at = back ? w->nsteps[index] - 1 - w->next[index] : w->next[index];
    const tg_step *step = &w->steps[index][at];
    const tg_leg *send = back ? &step->receive : &step->send;
    const tg_leg *receive = back ? &step->send : &step->receive;
    bool moved = !w->started[index];
    if (moved) {
        w->mine[index] = send->count > 0 ? post(w, index, send, back || step->gives) : NULL;
        w->received[index] = receive->count == 0;
        w->started[index] = true;
    }
    message *m = w->received[index] ? NULL : oldest(receive->rank, index);
    if (m) {
        take(w, index, receive, m);
        w->clock[index] = m->start > w->clock[index] ? m->start : w->clock[index];
        w->received[index] = moved = true;
    }
    if (!w->received[index] || (w->mine[index] && !w->mine[index]->taken))
        return moved;
    w->clock[index]++;
    w->next[index]++;
    w->started[index] = false;
    return true;
}

/* Returns the rounds. */
static int run(world *w, void (*make)(const tg_member *m, tg_steps *steps), bool back)
{
    int ranks[MOST], rounds = 0;
    queued = 0;
    for (int i = 0; i < w->size; i++)
        ranks[i] = i;
    for (int i = 0; i < w->size; i++) {
        const tg_member m = {ranks, w->size, i, w->root, w->blocks};
        tg_steps counted = {NULL, 0}, steps = {w->steps[i], 0};
        make(&m, &counted);
        assert_true(counted.count <= MAX_STEPS);
        make(&m, &steps);
        assert_int_equal(steps.count, counted.count);
        w->nsteps[i] = steps.count;
        w->next[i] = w->clock[i] = w->sent[i] = 0;
        w->started[i] = false;
    }
    for (bool more = true; more;) {
        more = false;
        for (int i = 0; i < w->size; i++)
            more = advance(w, i, back) || more;
    }
    for (int i = 0; i < w->size; i++) {
        assert_int_equal(w->next[i], w->nsteps[i]); /* else it waits for ever */
        rounds = w->clock[i] > rounds ? w->clock[i] : rounds;
    }
    for (const message *m = queue; m < queue + queued; m++)
        assert_true(m->taken);
    return rounds;
}

static void begin(world *w, int size, int root, int blocks, bool adds)
{
    memset(w, 0, sizeof *w);
    w->size = size;
    w->root = root;
    w->blocks = blocks;
    w->adds = adds;
}

/* Every rank has its own term in every block. */
static void give_terms(world *w)
{
    for (int i = 0; i < w->size; i++)
        for (int b = 0; b < w->blocks; b++)
            w->value[i][b].terms[i] = 1;
}

/* The block is the sum of all terms, each once. */
static void expect_sum(const world *w, int index, int block)
{
    for (int t = 0; t < w->size; t++)
        assert_int_equal(w->value[index][block].terms[t], 1);
}

static int most_sent(const world *w)
{
    int most = 0;
    for (int i = 0; i < w->size; i++)
        most = w->sent[i] > most ? w->sent[i] : most;
    return most;
}

/* ---- broadcast: from the root to all, and sums at the root ---- */

static world w;

static void check_broadcast(const tg_pattern *p, int k, int root, int blocks, int rounds,
                            int copied, int summed)
{
    begin(&w, k, root, blocks, false);
    for (int b = 0; b < blocks; b++)
        w.value[root][b].terms[root] = 1;
    assert_int_equal(run(&w, p->copy, false), rounds);
    assert_int_equal(p->rounds(k, blocks), rounds);
    assert_true(most_sent(&w) <= copied);
    assert_false(p->copy_adds);
    for (int i = 0; i < k; i++)
        for (int b = 0; b < blocks; b++)
            for (int t = 0; t < k; t++)
                assert_int_equal(w.value[i][b].terms[t], t == root);

    begin(&w, k, root, blocks, true);
    give_terms(&w);
    assert_int_equal(run(&w, p->sum, true), rounds);
    assert_true(most_sent(&w) <= summed);
    for (int b = 0; b < blocks; b++)
        expect_sum(&w, root, b);
}

static void broadcasts(void **state)
{
    (void)state;
    for (int k = 1; k <= MOST; k++)
        for (int root = 0; root < k; root++) {
            const int l = log2_up(k), alone = k == 1;
            check_broadcast(&tg_steps_binomial, k, root, 1, l, l, 1);
            check_broadcast(&tg_steps_chain, k, root, SEGMENTS, alone ? 0 : k - 2 + SEGMENTS,
                            SEGMENTS, SEGMENTS);
            check_broadcast(&tg_steps_halving, k, root, k, 2 * l, 2 * (k - 1), 2 * (k - 1));
        }
}

/* ---- all_gather: block i begins at rank i, and its sum ends there ---- */

static void check_gather(const tg_pattern *p, int k, int rounds)
{
    begin(&w, k, 0, k, false);
    for (int i = 0; i < k; i++)
        w.value[i][i].terms[i] = 1;
    assert_int_equal(run(&w, p->copy, false), rounds);
    assert_int_equal(p->rounds(k, k), rounds);
    assert_int_equal(most_sent(&w), k - 1);
    for (int i = 0; i < k; i++)
        for (int b = 0; b < k; b++)
            for (int t = 0; t < k; t++)
                assert_int_equal(w.value[i][b].terms[t], t == b);

    begin(&w, k, 0, k, true);
    give_terms(&w);
    assert_int_equal(run(&w, p->sum, true), rounds);
    assert_int_equal(most_sent(&w), k - 1);
    for (int i = 0; i < k; i++)
        expect_sum(&w, i, i);
}

static void gathers(void **state)
{
    (void)state;
    for (int k = 1; k <= MOST; k++) {
        check_gather(&tg_steps_doubling, k, log2_up(k));
        check_gather(&tg_steps_ring, k, k - 1);
    }
}

/* ---- all_sum_reduce: sums, then copies on what they leave ---- */

static void check_all_sum(const tg_pattern *p, int k, int blocks, int rounds, int sent)
{
    int taken = 0, most = 0;
    begin(&w, k, 0, blocks, true);
    give_terms(&w);
    if (p->sum) {
        taken += run(&w, p->sum, true);
        most += most_sent(&w);
    }
    w.adds = p->copy_adds;
    taken += run(&w, p->copy, false);
    most += most_sent(&w);
    assert_int_equal(taken, rounds);
    assert_int_equal((p->sum ? 2 : 1) * p->rounds(k, blocks), rounds);
    assert_int_equal(most, sent);
    for (int i = 0; i < k; i++)
        for (int b = 0; b < blocks; b++)
            expect_sum(&w, i, b);
}

static void all_sums(void **state)
{
    (void)state;
    for (int k = 1; k <= MOST; k++) {
        const int l = log2_up(k), power = 1 << l == k;
        check_all_sum(&tg_steps_pairs, k, 1, power ? l : l + 1, l);
        check_all_sum(&tg_steps_ring, k, k, 2 * (k - 1), 2 * (k - 1));
        check_all_sum(&tg_steps_half_and_double, k, k, 2 * l, 2 * (k - 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(broadcasts), cmocka_unit_test(gathers),
                                       cmocka_unit_test(all_sums)};
    return cmocka_run_group_tests_name("schedules", tests, NULL, NULL);
}
