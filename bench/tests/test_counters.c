/* test_counters.c: counted repetitions with a planned operation of our own, linked twice: with PAPI
 * and without it. Built without it every event is absent, and the operation runs no more often than
 * with it. */
#include "bench/counters.h"
#include "bench/counting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH = 4 };

static int runs, ready, rank, ranks;

static void run(tgb_work *work)
{
    (void)work;
    runs++;
}

static void before(void *context)
{
    assert_ptr_equal(context, &ready);
    assert_int_equal(runs, ready * BATCH); /* outside: the repetitions before are whole */
    ready++;
}

/* Rank r sends r + 1 messages; one operation is 10 flops on each. */
static ptrdiff_t messages(const tgb_work *work)
{
    return work->rank + 1;
}

static double flops(const tgb_work *work)
{
    (void)work;
    return 10;
}

static const tgb_direction forward = {.name = "forward", .run = run};
static const tgb_operation operation = {.name = "planted",
                                        .directions = &forward,
                                        .ndirections = 1,
                                        .messages = messages,
                                        .flops = flops};
static const tgb_setup setup = {.operation = &operation, .algorithm = "none", .moved_bytes = -1};

static tgb_counting *count(const char *words)
{
    tgb_work work = {.setup = &setup, .direction = &forward, .comm = MPI_COMM_WORLD, .rank = rank};
    tgb_counting *counting;
    runs = ready = 0;
    assert_int_equal(tgb_counting_make(words, &counting).code, TG_OK);
    tgb_counting_run(counting, &work, BATCH, 1, 10, before, &ready);
    return counting;
}

static bool has_own(void)
{
    return strstr(tgb_counters_library(), "libsde") != NULL;
}

static void check_count(const tgb_count *c, const char *name, double min, double median, double max)
{
    assert_non_null(c);
    assert_string_equal(c->event, name);
    if (!has_own()) {
        assert_true(c->reason[0] && c->min != c->min && c->median != c->median);
        return;
    }
    assert_string_equal(c->reason, "");
    assert_true(c->min == min && c->median == median && c->max == max);
}

static void test_own(void **state)
{
    (void)state;
    tgb_counting *c = count(TGB_OWN_EVENTS "messages," TGB_OWN_EVENTS "flops");
    check_count(tgb_counting_at(c, 0), TGB_OWN_EVENTS "messages", 1, (ranks + 1) / 2.0, ranks);
    check_count(tgb_counting_at(c, 1), TGB_OWN_EVENTS "flops", 10, 10, 10);
    assert_null(tgb_counting_at(c, 2));
    assert_int_equal(ready, has_own() ? 7 : 0);
    assert_int_equal(runs, ready * BATCH);
    tgb_counting_free(c);
}

static void test_not_known(void **state)
{
    (void)state;
    tgb_counting *c = count(TGB_OWN_EVENTS "bytes,NO_SUCH_EVENT," TGB_OWN_EVENTS "flops");
    if (has_own())
        assert_string_equal(tgb_counting_at(c, 0)->reason, "not known for planted, algorithm none");
    assert_true(tgb_counting_at(c, 1)->reason[0]);
    check_count(tgb_counting_at(c, 2), TGB_OWN_EVENTS "flops", 10, 10, 10);
    tgb_counting_free(c);
}

static void test_nothing_there(void **state)
{
    (void)state;
    tgb_counting *c = count("NO_SUCH_EVENT,ANOTHER:::ONE");
    assert_int_equal(runs, 0);
    assert_true(tgb_counting_at(c, 0)->reason[0] && tgb_counting_at(c, 1)->reason[0]);
    tgb_counting_free(c);
}

static void test_sets(void **state)
{
    (void)state;
    static long long value;
    const char *const own = TGB_OWN_EVENTS "planted";
    const char *const mixed[] = {own, "NO_SUCH_EVENT"};
    tgb_counter_set *set;
    tgb_counters_publish("planted", &value);
    assert_int_equal(tgb_counter_set_make(mixed, 2, &set).code, TG_BAD_INPUT);
    assert_null(set);
    const tg_status status = tgb_counter_set_make(&own, 1, &set);
    if (!has_own()) {
        assert_string_equal(status.text, "built without PAPI");
        return;
    }
    long long seen = -1;
    assert_int_equal(status.code, TG_OK);
    value = 1000;
    assert_true(tgb_counter_set_start(set));
    value += 42;
    assert_true(tgb_counter_set_stop(set, &seen));
    assert_int_equal(seen, 42);
    assert_false(tgb_counter_set_stop(set, &seen)); /* it is not running */
    tgb_counter_set_free(set);
}

static void test_words(void **state)
{
    (void)state;
    tgb_counting *c;
    assert_int_equal(tgb_counting_make("own,own,flops", &c).code, TG_OK);
    int events = 0;
    while (tgb_counting_at(c, events))
        events++;
    assert_int_equal(events, 3 + 4); /* flops holds one of own */
    tgb_counting_free(c);
    assert_int_equal(tgb_counting_make("a,,b", &c).code, TG_BAD_INPUT);
    assert_null(c);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own), cmocka_unit_test(test_not_known), cmocka_unit_test(test_sets),
        cmocka_unit_test(test_nothing_there), cmocka_unit_test(test_words)};
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
