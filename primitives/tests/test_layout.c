/* test_layout.c: boxes, splits, windows, words and partners, against brute force over all ranks
 * (model.h) and against every row of halo.json, which was made by DistDL's halo code and a model of
 * it. */
#include "primitives/tests/model.h"
#include "primitives/tests/random_words.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *halo_file;

static tg_layout parse(const char *shape, const char *grid, const char *ranks, const char *order,
                       const char *parts, int P)
{
    tg_layout_words words = {shape, grid, ranks, order, parts, NULL};
    tg_layout layout;
    tg_status status = tg_layout_parse(&words, P, 0, &layout);
    if (status.code != TG_OK)
        fail_msg("%s %s: %s", shape, grid, status.text);
    return layout;
}

static tg_box box_of(int ndim, const long *lo, const long *hi)
{
    tg_box box = {.ndim = ndim};
    for (int d = 0; d < ndim; d++) {
        box.lo[d] = lo[d];
        box.hi[d] = hi[d];
    }
    return box;
}

/* ---- boxes and splits ---- */

static void test_boxes(void **state)
{
    (void)state;
    tg_box a = box_of(2, (long[]){0, 0}, (long[]){4, 6}),
           b = box_of(2, (long[]){2, -3}, (long[]){9, 2});
    tg_box far = box_of(2, (long[]){7, 7}, (long[]){8, 8}),
           none = box_of(2, (long[]){5, 1}, (long[]){5, 9});
    tg_box upside_down = box_of(2, (long[]){5, 9}, (long[]){2, 3});
    assert_int_equal(tg_box_count(&a), 24);
    assert_int_equal(tg_box_count(&none), 0);
    assert_int_equal(tg_box_count(&upside_down), 0);
    tg_box both = tg_box_intersect(&a, &b), expected = box_of(2, (long[]){2, 0}, (long[]){4, 2});
    assert_true(tg_box_equal(&both, &expected));
    both = tg_box_intersect(&a, &far);
    assert_int_equal(tg_box_count(&both), 0);
    assert_true(tg_box_equal(&both, &none));
    tg_box hull = tg_box_hull(&a, &far), around = box_of(2, (long[]){0, 0}, (long[]){8, 8});
    assert_true(tg_box_equal(&hull, &around));
    hull = tg_box_hull(&none, &a);
    assert_true(tg_box_equal(&hull, &a));
    hull = tg_box_hull(&b, &none);
    assert_true(tg_box_equal(&hull, &b));
    assert_false(tg_box_equal(&a, &b));
    tg_box large = box_of(3, (long[]){0, 0, 0}, (long[]){100000, 100000, 100});
    assert_int_equal(tg_box_count(&large), 1000000000000L);
}

static void test_split(void **state)
{
    (void)state;
    for (int n = 0; n < 40; n++) {
        for (int p = 1; p < 14; p++) {
            ptrdiff_t at = 0;
            for (int i = 0; i < p; i++) {
                assert_int_equal(tg_split_start(n, p, i), at);
                at += n / p + (i < n % p);
            }
            assert_int_equal(tg_split_start(n, p, p), n);
        }
    }
    assert_int_equal(tg_split_start(1000000000007L, 4096, 4096), 1000000000007L);
    assert_int_equal(tg_split_start(1000000000007L, 4096, 1), 1000000000007L / 4096 + 1);
}

/* The library's window of an axis of the model. */
static tg_window window_of(const model_axis *axis)
{
    tg_window window = {.kernel = axis->kernel,
                        .stride = axis->stride,
                        .padding = axis->padding,
                        .dilation = axis->dilation,
                        .ceil = axis->ceil,
                        .periodic = axis->periodic};
    if (axis->rule != NULL)
        window.rule = strcmp(axis->rule->operation, "halo_upsample") == 0 ? &tg_window_upsample
                                                                          : &tg_window_transposed;
    return window;
}

static void test_window_outputs(void **state)
{
    long checks = 0;
    (void)state;
    for (long n = 1; n < 12; n++) {
        for (long code = 0; code < 5 * 4 * 4 * 3 * 2; code++) {
            model_axis axis = {.extent = n,
                               .parts = 1,
                               .kernel = 1 + code % 5,
                               .stride = 1 + code / 5 % 4,
                               .padding = code / 20 % 4,
                               .dilation = 1 + code / 80 % 3,
                               .ceil = code / 240 == 1};
            tg_window window = window_of(&axis);
            long m = model_outputs(&axis), found = tg_window_outputs(&window, n);
            if (m < 1 ? found >= 1 : found != m) {
                fail_msg("n %ld kernel %ld stride %ld padding %ld dilation %ld ceil %d: %ld, "
                         "expected %ld",
                         n, axis.kernel, axis.stride, axis.padding, axis.dilation, axis.ceil, found,
                         m);
            }
            checks++;
        }
    }
    assert_true(checks > 0);
}

/* Intervals worked out by hand. */
typedef struct {
    tg_window window;
    long n, m, y0, y1, lo, hi; /* lo and hi not cut to [0, n) */
} worked_window;

static void test_worked_windows(void **state)
{
    const tg_window_rule *t = &tg_window_transposed, *u = &tg_window_upsample;
    const worked_window rows[] = {
        {{3, 2, 1, 1, false, false, NULL}, 9, 5, 2, 4, 3, 8},
        /* transposed: input i reaches outputs 2 i - 1 to 2 i + 1 */
        {{3, 2, 1, 1, false, false, t}, 4, 7, 0, 7, 0, 4},
        {{3, 2, 1, 1, false, false, t}, 4, 7, 2, 3, 1, 2},
        {{3, 2, 1, 1, false, false, t}, 4, 7, 3, 4, 1, 3},
        /* one tap, three outputs apart: outputs 1 and 2 receive nothing */
        {{1, 3, 0, 1, false, false, t}, 2, 4, 1, 3, 1, 1},
        {{1, 3, 0, 1, false, false, t}, 2, 4, 1, 4, 1, 2},
        /* taps at 0 and 3: input i reaches outputs i to i + 3 */
        {{2, 1, 0, 3, false, false, t}, 5, 8, 0, 1, -3, 1},
        {{2, 1, 0, 3, false, false, t}, 5, 8, 7, 8, 4, 8},
        /* the cases of README.md */
        {{4, 2, 1, 1, false, false, t}, 8, 16, 4, 8, 1, 5},
        {{3, 2, 1, 1, false, false, t}, 7, 13, 5, 9, 2, 5},
        {{2, 2, 0, 1, false, false, u}, 8, 16, 4, 8, 1, 5},
        {{1, 2, 0, 1, false, false, u}, 8, 16, 4, 8, 2, 4},
        /* nearest and linear: outputs 0 1 2 3 of factor 2 lie at -1/4 1/4 3/4 5/4 */
        {{1, 2, 0, 1, false, false, u}, 4, 8, 1, 4, 0, 2},
        {{2, 2, 0, 1, false, false, u}, 4, 8, 0, 1, -1, 1},
        {{2, 2, 0, 1, false, false, u}, 4, 8, 1, 3, 0, 2},
        {{2, 2, 0, 1, false, false, u}, 4, 8, 3, 4, 1, 3},
        {{2, 2, 0, 1, false, false, u}, 4, 8, 7, 8, 3, 5},
        /* factor 3: output 1 lies exactly at 0 */
        {{2, 3, 0, 1, false, false, u}, 2, 6, 0, 1, -1, 1},
        {{2, 3, 0, 1, false, false, u}, 2, 6, 1, 2, 0, 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const worked_window *r = &rows[i];
        ptrdiff_t lo, hi;
        assert_int_equal(tg_window_outputs(&r->window, r->n), r->m);
        tg_window_inputs(&r->window, r->y0, r->y1, &lo, &hi);
        if (lo != r->lo || hi != r->hi)
            fail_msg("row %zu: inputs [%td,%td), expected [%ld,%ld)", i, lo, hi, r->lo, r->hi);
    }
}

/* Every window of a rule: what each interval of outputs needs, pair by pair; each input that the
 * definition says an output reads is among them; and the intervals of neighbours ascend. */
static long check_window_rule(const char *operation, long n, long code)
{
    char line[LINE_SIZE];
    model_layout axis = {.ndim = 1};
    snprintf(line, sizeof line, "%s kernel=%ld stride=%ld padding=%ld dilation=%ld periodic=%ld",
             operation, 1 + code % 4, 1 + code / 4 % 4, code / 16 % 3, 1 + code / 48 % 3,
             code / 144 % 2);
    model_windows(line, &axis);
    model_axis *a = &axis.axis[0];
    tg_window window = window_of(a);
    a->extent = n;
    long m = model_outputs(a);
    tg_status status = tg_window_check(&window, n, 0);
    bool upsample = window.rule == &tg_window_upsample;
    bool good = m > 0 && (!upsample || (a->kernel <= 2 && a->padding == 0 && a->dilation == 1));
    if ((status.code == TG_OK) != good)
        fail_msg("%s n %ld: '%s', %ld outputs", line, n, status.text, m);
    if (!good)
        return 0;
    assert_int_equal(tg_window_outputs(&window, n), m);
    for (long parts = 1; parts <= m + 2; parts++) {
        ptrdiff_t before_lo = PTRDIFF_MIN, before_hi = PTRDIFF_MIN;
        tg_axis x = {.extent = n, .parts = (int)parts, .window = window};
        a->parts = parts;
        for (int part = 0; part < parts; part++) {
            ptrdiff_t lo, hi, y0 = tg_split_start(m, (int)parts, part),
                              y1 = tg_split_start(m, (int)parts, part + 1);
            tg_axis_held(&x, part, &lo, &hi);
            tg_box box =
                model_box(&(model_layout){.ndim = 1, .places = 1, .axis = {*a}}, part, true);
            if (hi - lo != model_count(&box) || (hi > lo && (lo != box.lo[0] || hi != box.hi[0])))
                fail_msg("%s n %ld part %d of %ld: [%td,%td), expected [%td,%td)", line, n, part,
                         parts, lo, hi, box.lo[0], box.hi[0]);
            for (ptrdiff_t o = y0; o < y1 && !upsample; o++)
                for (long i = 0; i < n; i++)
                    for (long j = 0; j < a->kernel; j++)
                        if (o == i * a->stride - a->padding + j * a->dilation)
                            assert_true(lo <= i && i < hi);
            assert_true(y0 == y1 || (lo >= before_lo && hi >= before_hi));
            before_lo = lo;
            before_hi = hi;
        }
    }
    return 1;
}

static void test_window_rules(void **state)
{
    long transposed = 0, upsample = 0;
    (void)state;
    for (long n = 1; n < 7; n++)
        for (long code = 0; code < 288; code++) {
            transposed += check_window_rule("halo_transposed", n, code);
            upsample += check_window_rule("halo_upsample", n, code);
        }
    assert_true(transposed > 1000 && upsample == 6 * 2 * 4 * 2);
}

/* ---- words ---- */

static const char *const good_words[][5] = {
    {"77x55", "3x4", NULL, NULL, NULL},
    {"77x55", "4x1", "4-7", NULL, "20+19+19+19x*"},
    {"14x5", "2x3c", NULL, NULL, NULL},
    {"14x5", "2x3c", "5-0:-1", "10", NULL},
    {"8x3x2", "2x3x2", NULL, "reshaped", NULL},
    {"8x3x2", "2x3cx1", NULL, "reshaped", NULL},
    {"8x3x2", "2x3x2", "11,0-4:2,3,10-6:-1,1,5", "201", NULL},
    {"1", "12", "11-0:-1", NULL, NULL},
    {"0", "3", NULL, NULL, NULL},
    {"0x7", "2x2", NULL, NULL, "0+0x7+0"},
    {"9", "4", "0,3,6,9", NULL, "0+9+0+0"},
    {"5x4x3x2x1x1", "1x2x3x1x1x2c", NULL, "543210", NULL},
    {"2x2x2x2x2x2x2x2", "1x1x2x1x2x1x1x3c", NULL, "76543210", NULL},
    {"14x1", "2x2c", "1,0,3,2", NULL, NULL},
    {"6x6", "1x1", "7", NULL, NULL},
    {"6x6", "Px1", NULL, NULL, NULL},
    {"NxN", "1xPc", NULL, NULL, NULL},
    {"3xN", "2x2", "8-2:-2", "01", NULL},
};

/* P and N of the words replaced by numbers, since the model knows numbers only. */
static void with_numbers(const char *word, int P, long N, char text[MODEL_WORD])
{
    size_t used = 0;
    text[0] = '\0';
    for (const char *at = word != NULL ? word : ""; *at != '\0'; at++) {
        if (*at == 'P' || *at == 'N') {
            used +=
                (size_t)snprintf(text + used, MODEL_WORD - used, "%ld", *at == 'P' ? (long)P : N);
        } else {
            text[used++] = *at;
            text[used] = '\0';
        }
    }
}

static void check_against_model(const tg_layout *layout, const model_layout *m, int P)
{
    ptrdiff_t largest = 0;
    assert_int_equal(tg_layout_size(layout), m->places);
    for (int rank = 0; rank < P; rank++) {
        int place = model_place(m, rank);
        tg_box held = tg_layout_held(layout, rank), owned = tg_layout_owned(layout, rank);
        tg_box expect_held = model_box(m, place, true);
        tg_box expect_owned = place >= 0 && model_is_first(m, place) ? model_box(m, place, false)
                                                                     : (tg_box){.ndim = m->ndim};
        assert_int_equal(tg_layout_place(layout, rank), place);
        assert_true(tg_box_equal(&held, &expect_held));
        assert_true(tg_box_equal(&owned, &expect_owned));
        largest = model_count(&expect_held) > largest ? model_count(&expect_held) : largest;
        if (place >= 0) {
            int coords[TG_MAX_NDIM];
            long expected[TG_MAX_NDIM];
            tg_layout_coords(layout, place, coords);
            model_coords(m, place, expected);
            for (int d = 0; d < m->ndim; d++)
                assert_int_equal(coords[d], expected[d]);
            assert_int_equal(tg_layout_place_at(layout, coords), place);
            assert_int_equal(tg_layout_rank(layout, place), rank);
        }
    }
    assert_int_equal(tg_layout_max_held(layout), largest);
}

static void test_good_words(void **state)
{
    const int P = 12;
    const long N = 5;
    (void)state;
    for (size_t i = 0; i < sizeof good_words / sizeof *good_words; i++) {
        const char *const *w = good_words[i];
        char word[5][MODEL_WORD];
        tg_layout_words words = {w[0], w[1], w[2], w[3], w[4], NULL};
        tg_layout layout;
        model_layout m;
        tg_status status = tg_layout_parse(&words, P, N, &layout);
        if (status.code != TG_OK)
            fail_msg("%s %s: %s", w[0], w[1], status.text);
        assert_string_equal(status.text, "");
        assert_int_equal(tg_layout_check(&layout, P).code, TG_OK);
        for (int k = 0; k < 5; k++)
            with_numbers(w[k], P, N, word[k]);
        assert_true(model_layout_read(word[0], word[1], word[2], word[3], word[4], &m));
        check_against_model(&layout, &m, P);
        tg_layout_free(&layout);
        tg_layout_free(&layout); /* an empty layout may be freed again */
    }
}

/* parse(print(layout)) is the layout, and printing it again gives the same words. */
static void check_round_trip(const tg_layout *layout, int P)
{
    int (*const print[5])(const tg_layout *, char *, size_t) = {
        tg_layout_print_shape, tg_layout_print_grid, tg_layout_print_ranks, tg_layout_print_order,
        tg_layout_print_parts};
    char word[5][512], again[512], cut[4];
    for (int k = 0; k < 5; k++) {
        int length = print[k](layout, word[k], sizeof word[k]);
        assert_int_equal(length, strlen(word[k]));
        assert_int_equal(print[k](layout, cut, sizeof cut), length);
        assert_true(strlen(cut) == (size_t)(length < 3 ? length : 3));
        assert_true(strncmp(cut, word[k], strlen(cut)) == 0);
    }
    tg_layout_words words = {word[0], word[1], word[2], word[3], word[4], NULL};
    tg_layout back;
    tg_status status = tg_layout_parse(&words, P, 0, &back);
    if (status.code != TG_OK)
        fail_msg("%s %s %s %s %s: %s", word[0], word[1], word[2], word[3], word[4], status.text);
    assert_true(tg_layout_equal(layout, &back));
    for (int k = 0; k < 5; k++) {
        print[k](&back, again, sizeof again);
        assert_string_equal(again, word[k]);
    }
    tg_layout_free(&back);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_words / sizeof *good_words; i++) {
        const char *const *w = good_words[i];
        tg_layout_words words = {w[0], w[1], w[2], w[3], w[4], NULL};
        tg_layout layout, other;
        assert_int_equal(tg_layout_parse(&words, 12, 5, &layout).code, TG_OK);
        check_round_trip(&layout, 12);
        assert_int_equal(tg_layout_copy(&layout, &other).code, TG_OK);
        assert_true(tg_layout_equal(&layout, &other));
        other.axis[0].extent++;
        assert_false(tg_layout_equal(&layout, &other));
        tg_layout_free(&other);
        tg_layout_free(&layout);
    }
    char word[64];
    tg_layout layout = parse("8x3x2", "2x3cx1", NULL, "reshaped", NULL, 12);
    tg_layout_print_grid(&layout, word, sizeof word);
    assert_string_equal(word, "1x3cx2");
    tg_layout_free(&layout);
    layout = parse("9", "9", "0,1,2,3,8-4:-1", NULL, NULL, 12);
    tg_layout_print_ranks(&layout, word, sizeof word);
    assert_string_equal(word, "0-3,8-4:-1");
    tg_layout_free(&layout);
}

typedef struct {
    const char *shape, *grid, *ranks, *order, *parts, *named;
} bad_words;

static const bad_words bad[] = {
    {"", "1", NULL, NULL, NULL, "shape"},
    {NULL, "1", NULL, NULL, NULL, "shape"},
    {"0x", "1", NULL, NULL, NULL, "0x"},
    {"x5", "1x1", NULL, NULL, NULL, "x5"},
    {"5xx5", "1x1", NULL, NULL, NULL, "5xx5"},
    {"-3", "1", NULL, NULL, NULL, "-3"},
    {"+3", "1", NULL, NULL, NULL, "+3"},
    {" 3", "1", NULL, NULL, NULL, " 3"},
    {"5.5", "1", NULL, NULL, NULL, "5.5"},
    {"abc", "1", NULL, NULL, NULL, "abc"},
    {"N2", "1", NULL, NULL, NULL, "N2"},
    {"99999999999999999999", "1", NULL, NULL, NULL, "99999999999999999999"},
    {"4294967296x4294967296x4", "1x1x1", NULL, NULL, NULL, "shape"},
    {"1x1x1x1x1x1x1x1x1", "1x1x1x1x1x1x1x1x1", NULL, NULL, NULL, "1x1x1x1x1x1x1x1x1"},
    {"5", "0", NULL, NULL, NULL, "grid=0"},
    {"5", "0c", NULL, NULL, NULL, "0c"},
    {"5", "2x", NULL, NULL, NULL, "2x"},
    {"5", "c", NULL, NULL, NULL, "c"},
    {"5", "2cc", NULL, NULL, NULL, "2cc"},
    {"5", "2q", NULL, NULL, NULL, "2q"},
    {"5", "", NULL, NULL, NULL, "grid"},
    {"5", "-1", NULL, NULL, NULL, "-1"},
    {"5", "P2", NULL, NULL, NULL, "P2"},
    {"5", "2x2", NULL, NULL, NULL, "2x2"},
    {"5x5", "2", NULL, NULL, NULL, "2"},
    {"5", "13", NULL, NULL, NULL, "13"},
    {"5x5", "4x4", NULL, NULL, NULL, "grid=4x4"},
    {"5x5", "PxP", NULL, NULL, NULL, "grid=PxP"},
    {"5", "99999999999", NULL, NULL, NULL, "99999999999"},
    {"5x5x5x5", "65536x65536x65536x65536", NULL, NULL, NULL, "65536x65536x65536x65536"},
    {"5", "2", "0,0", NULL, NULL, "ranks=0,0"},
    {"5", "3", "0-2:2,2", NULL, NULL, "ranks=0-2:2,2"},
    {"5", "4", "5-3:-1,4", NULL, NULL, "ranks=5-3:-1,4"},
    {"5", "4", "0-2,2", NULL, NULL, "ranks=0-2,2"},
    {"5", "2", "0-", NULL, NULL, "0-"},
    {"5", "1", "-1", NULL, NULL, "-1"},
    {"5", "1", "a", NULL, NULL, "a"},
    {"5", "2", "0,", NULL, NULL, "0,"},
    {"5", "1", ",0", NULL, NULL, ",0"},
    {"5", "4", "0-3:0", NULL, NULL, "0-3:0"},
    {"5", "4", "3-0", NULL, NULL, "3-0"},
    {"5", "4", "0-3:-1", NULL, NULL, "0-3:-1"},
    {"5", "4", "0-3:", NULL, NULL, "0-3:"},
    {"5", "2", "0-2", NULL, NULL, "ranks=0-2"},
    {"5", "4", "0-2", NULL, NULL, "ranks=0-2"},
    {"5", "1", "12", NULL, NULL, "12"},
    {"5", "1", "99999999999", NULL, NULL, "99999999999"},
    {"5", "2", "0;1", NULL, NULL, "0;1"},
    {"5", "1", "", NULL, NULL, "ranks"},
    {"5x5", "1x1", NULL, "00", NULL, "00"},
    {"5x5", "1x1", NULL, "012", NULL, "012"},
    {"5x5", "1x1", NULL, "0", NULL, "0"},
    {"5x5", "1x1", NULL, "0a", NULL, "0a"},
    {"5x5", "1x1", NULL, "02", NULL, "02"},
    {"5x5", "1x1", NULL, "reshape", NULL, "reshape"},
    {"7", "2", NULL, NULL, "3+3", "3+3"},
    {"7", "2", NULL, NULL, "7", "7"},
    {"7", "2", NULL, NULL, "3+3+1", "3+3+1"},
    {"7", "2", NULL, NULL, "*x*", "*x*"},
    {"7x7", "2x1", NULL, NULL, "3+4", "3+4"},
    {"7", "2", NULL, NULL, "8+-1", "8+-1"},
    {"7", "2", NULL, NULL, "*+3", "*+3"},
    {"7", "2", NULL, NULL, "3++4", "3++4"},
    {"7", "2", NULL, NULL, "3+4+", "3+4+"},
    {"7", "2", NULL, NULL, "3+4c", "3+4c"},
    {"7", "2c", NULL, NULL, "3+4", "parts=3+4"},
    {"7", "2", NULL, NULL, "", "parts"},
};

/* Two ways to write one layout give the same words: a case must not have two texts. */
static void test_one_way_to_write(void **state)
{
    (void)state;
    static const char *const lists[][3] = {
        {"3,2,1,0", "3-0:-1", "3-0:-1"},     {"0,2,4,6", "0-6:2", "0-6:2"},
        {"0-2:2,5,7", "0,2,5,7", "0,2,5,7"}, {"4,5,1,0", "4-5,1,0", "4-5,1-0:-1"},
        {"0-1,2-3", "0,1,2,3", "0-3"},
    };
    char word[64];
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (int k = 0; k < 2; k++) {
            tg_layout layout = parse("9", "4", lists[i][k], NULL, NULL, 12);
            tg_layout_print_ranks(&layout, word, sizeof word);
            assert_string_equal(word, lists[i][2]);
            tg_layout_free(&layout);
        }
    tg_layout layout = parse("5x4", "2x3", NULL, NULL, "3+2x1+1+2", 12);
    tg_layout_print_parts(&layout, word, sizeof word);
    assert_string_equal(word, "*x1+1+2"); /* 3+2 is the balanced split of 5 */
    tg_layout_free(&layout);
}

static void test_bad_words(void **state)
{
    int wrong = 0;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const bad_words *b = &bad[i];
        tg_layout_words words = {b->shape, b->grid, b->ranks, b->order, b->parts, NULL};
        tg_layout layout;
        memset(&layout, 0x5A, sizeof layout); /* the result may not depend on what was there */
        tg_status status = tg_layout_parse(&words, 12, 5, &layout);
        bool good = status.code == TG_BAD_INPUT && strstr(status.text, b->named) != NULL &&
                    strchr(status.text, '\n') == NULL && layout.ndim == 0;
        if (!good) {
            print_error(
                "shape=%s grid=%s ranks=%s order=%s parts=%s: code %d, text '%s', ndim %d\n",
                b->shape ? b->shape : "-", b->grid ? b->grid : "-", b->ranks ? b->ranks : "-",
                b->order ? b->order : "-", b->parts ? b->parts : "-", (int)status.code, status.text,
                status.code == TG_OK ? -1 : layout.ndim);
            wrong++;
        }
        if (status.code == TG_OK)
            tg_layout_free(&layout);
    }
    assert_int_equal(wrong, 0);
}

static void expect_bad(tg_layout *layout, const char *what)
{
    tg_status status = tg_layout_check(layout, 12);
    if (status.code != TG_BAD_INPUT || status.text[0] == '\0')
        fail_msg("%s: code %d, text '%s'", what, (int)status.code, status.text);
}

/* A layout made or changed by hand, without words. */
static void test_bad_values(void **state)
{
    (void)state;
    tg_layout good = parse("7x9", "2x3", "0-5", NULL, "3+4x*", 12);
    assert_int_equal(tg_layout_check(&good, 12).code, TG_OK);
    assert_int_equal(tg_layout_check(&good, 0).code, TG_OK);
    assert_int_equal(tg_layout_check(&good, 6).code, TG_OK);
    assert_int_equal(tg_layout_check(&good, 5).code, TG_BAD_INPUT);
#define SPOIL(member, value)                                                                       \
    do {                                                                                           \
        tg_layout spoilt = good;                                                                   \
        spoilt.member = (value);                                                                   \
        expect_bad(&spoilt, #member " = " #value);                                                 \
    } while (0)
    SPOIL(ndim, 0);
    SPOIL(ndim, TG_MAX_NDIM + 1);
    SPOIL(axis[1].extent, -1);
    SPOIL(axis[1].parts, 0);
    SPOIL(axis[1].parts, 4);
    SPOIL(axis[0].extent, 8);
    SPOIL(axis[1].window.kernel, -1);
    SPOIL(order[0], 1);
    SPOIL(order[1], 2);
    SPOIL(nruns, 0);
    SPOIL(axis[1].window, ((tg_window){3, 0, 0, 1, false, false, NULL}));
    SPOIL(axis[1].window, ((tg_window){3, 1, -1, 1, false, false, NULL}));
    SPOIL(axis[1].window, ((tg_window){3, 1, 0, 0, false, false, NULL}));
    SPOIL(axis[1].window, ((tg_window){3, 1, 0, 9, false, false, NULL})); /* no output */
#undef SPOIL
    good.axis[0].cuts[1] = 8; /* not ascending */
    expect_bad(&good, "cuts 0 8 7");
    good.axis[0].cuts[1] = 3;
    good.axis[0].cuts[0] = 1;
    expect_bad(&good, "cuts 1 3 7");
    good.axis[0].cuts[0] = 0;
    good.runs[0].step = 0;
    expect_bad(&good, "one rank six times");
    good.runs[0] = (tg_run){4, 6, -1};
    expect_bad(&good, "rank -1");
    tg_layout_free(&good);
}

/* ---- partners ---- */

/* Every overlap is non-empty and inside the asked box; together they cover each (rank, entry) pair
 * of the brute force once. wrapped: entries beyond the tensor are brought back, as on periodic
 * axes. */
static long check_overlaps(const tg_overlap *overlaps, int count, const tg_box *asked,
                           bool of_owners, const tg_layout *layout, const model_layout *m,
                           const char *line)
{
    long found = 0, expected = 0;
    for (int i = 0; i < count; i++) {
        const tg_overlap *o = &overlaps[i];
        tg_box theirs =
            of_owners ? tg_layout_owned(layout, o->rank) : tg_layout_held(layout, o->rank);
        tg_box moved = o->box;
        for (int d = 0; d < moved.ndim; d++) {
            moved.lo[d] += o->shift[d];
            moved.hi[d] += o->shift[d];
            assert_int_equal(o->shift[d] % (m->axis[d].extent > 0 ? m->axis[d].extent : 1), 0);
        }
        tg_box at_holder = tg_box_intersect(&o->box, of_owners ? asked : &theirs);
        tg_box at_owner = tg_box_intersect(&moved, of_owners ? &theirs : asked);
        if (tg_box_count(&o->box) == 0 || !tg_box_equal(&at_holder, &o->box) ||
            !tg_box_equal(&at_owner, &moved))
            fail_msg("%s: overlap %d with rank %d is empty or not in both boxes", line, i, o->rank);
        found += tg_box_count(&o->box);
        for (int j = 0; j < i; j++) {
            tg_box both = tg_box_intersect(&o->box, &overlaps[j].box);
            assert_true(overlaps[j].rank != o->rank || tg_box_count(&both) == 0);
        }
    }
    for (int place = 0; place < m->places; place++) {
        tg_box box = model_box(m, place, !of_owners);
        if (of_owners && !model_is_first(m, place))
            continue;
        const tg_box *walked = of_owners ? asked : &box, *target = of_owners ? &box : asked;
        for (long n = 0; n < model_count(walked); n++) {
            long g[TG_MAX_NDIM];
            model_entry(walked, n, g);
            for (int d = 0; d < m->ndim; d++) {
                long extent = m->axis[d].extent;
                g[d] = extent > 0 ? ((g[d] % extent) + extent) % extent : g[d];
            }
            expected += model_offset(target, g) >= 0;
        }
    }
    if (found != expected)
        fail_msg("%s: %ld entries found, expected %ld", line, found, expected);
    return expected;
}

static tg_layout layout_of_line(const char *line, const char *const keys[4], const model_layout *m,
                                int P)
{
    char word[5][MODEL_WORD];
    const char *value[5];
    const char *const all[5] = {"shape", keys[0], keys[1], keys[2], keys[3]};
    for (int i = 0; i < 5; i++)
        value[i] = model_word(line, all[i], "", word[i]) ? word[i] : NULL;
    tg_layout layout = parse(value[0], value[1], value[2], value[3], value[4], P);
    for (int d = 0; d < m->ndim; d++) {
        const model_axis *axis = &m->axis[d];
        layout.axis[d].window = window_of(axis);
    }
    return layout;
}

static void test_partners(void **state)
{
    static const char *const from_keys[4] = {"from", "from-ranks", "from-order", "from-parts"};
    static const char *const to_keys[4] = {"to", "to-ranks", "to-order", "to-parts"};
    static const char *const one_keys[4] = {"grid", "ranks", "order", "parts"};
    static model m;
    const int P = 24;
    random_source source = {20261123};
    long overlaps_seen = 0, entries = 0;
    (void)state;
    for (int trial = 0; trial < 3000; trial++) {
        char line[LINE_SIZE];
        static const char *const operations[4] = {"halo", "repartition", "halo_transposed",
                                                  "halo_upsample"};
        bool halo = trial % 4 != 1;
        random_problem(&source, operations[trial % 4], P, line);
        assert_true(model_read(line, !halo, halo, false, &m));
        tg_layout x = layout_of_line(line, halo ? one_keys : from_keys, &m.x, P);
        tg_layout y = layout_of_line(line, halo ? one_keys : to_keys, &m.y, P);
        assert_int_equal(tg_layout_check(&x, P).code, TG_OK);
        assert_int_equal(tg_layout_check(&y, P).code, TG_OK);
        check_against_model(&x, &m.x, P);
        check_against_model(&y, &m.y, P);
        check_round_trip(&x, P);
        for (int rank = 0; rank < P; rank += 1 + trial % 3) {
            tg_overlap *overlaps;
            int count;
            tg_box held = tg_layout_held(&y, rank), owned = tg_layout_owned(&x, rank);
            assert_int_equal(tg_owners_of(&x, &held, &overlaps, &count).code, TG_OK);
            assert_true((overlaps == NULL) == (count == 0));
            entries += check_overlaps(overlaps, count, &held, true, &x, &m.x, line);
            overlaps_seen += count;
            free(overlaps);
            assert_int_equal(tg_holders_of(&y, &owned, &overlaps, &count).code, TG_OK);
            assert_true((overlaps == NULL) == (count == 0));
            entries += check_overlaps(overlaps, count, &owned, false, &y, &m.y, line);
            overlaps_seen += count;
            free(overlaps);
        }
        tg_layout_free(&x);
        tg_layout_free(&y);
    }
    print_message("partners: %ld overlaps, %ld entries\n", overlaps_seen, entries);
    assert_true(overlaps_seen > 10000);
}

/* 4,096 parts: as many overlaps as there are partners, each where the index arithmetic says. */
static void test_partners_4096(void **state)
{
    static model_layout cube, line;
    tg_overlap *overlaps;
    int count;
    (void)state;
    tg_layout grid = parse("160x165x163", "16x16x16", "4095-0:-1", "120", NULL, 4096);
    assert_true(model_layout_read("160x165x163", "16x16x16", "4095-0:-1", "120", "", &cube));
    tg_layout row = parse("160x165x163", "4096x1x1", NULL, NULL, NULL, 4096);
    assert_true(model_layout_read("160x165x163", "4096x1x1", "", "", "", &line));
    assert_int_equal(tg_layout_max_held(&grid), 10 * 11 * 11);
    assert_int_equal(tg_layout_max_held(&row), 1 * 165 * 163);
    for (int rank = 0; rank < 4096; rank += 131) {
        tg_box held = tg_layout_held(&row, rank), block = model_rank_box(&line, rank, true);
        assert_true(tg_box_equal(&held, &block));
        assert_int_equal(tg_owners_of(&grid, &held, &overlaps, &count).code, TG_OK);
        assert_int_equal(count, rank < 160 ? 256 : 0);
        free(overlaps);
        held = tg_layout_held(&grid, rank);
        block = model_rank_box(&cube, rank, true);
        assert_true(tg_box_equal(&held, &block));
        assert_int_equal(tg_owners_of(&grid, &held, &overlaps, &count).code, TG_OK);
        assert_int_equal(count, 1);
        assert_int_equal(overlaps[0].rank, rank);
        free(overlaps);
        assert_int_equal(tg_holders_of(&row, &held, &overlaps, &count).code, TG_OK);
        assert_int_equal(count, held.hi[0] - held.lo[0]);
        free(overlaps);
        for (int d = 0; d < 3;
             d++) { /* one entry wider: up to 27 partners, counted over all places */
            held.lo[d] -= held.lo[d] > 0;
            held.hi[d] += held.hi[d] < cube.axis[d].extent;
        }
        int expected = 0;
        for (int place = 0; place < cube.places; place++) {
            tg_box owned = model_box(&cube, place, false), both = tg_box_intersect(&owned, &held);
            expected += tg_box_count(&both) > 0;
        }
        assert_int_equal(tg_owners_of(&grid, &held, &overlaps, &count).code, TG_OK);
        assert_int_equal(count, expected);
        assert_true(expected >= 8);
        free(overlaps);
    }
    tg_layout_free(&grid);
    tg_layout_free(&row);
}

/* A halo over 4,096 parts has two neighbours; a copied axis has every rank as a holder. */
static void test_neighbours_4096(void **state)
{
    tg_overlap *overlaps;
    int count;
    (void)state;
    tg_layout x = parse("40960x3", "4096x1", NULL, NULL, NULL, 4096), y;
    assert_int_equal(tg_layout_copy(&x, &y).code, TG_OK);
    y.axis[0].window = (tg_window){5, 1, 2, 1, false, true, NULL};
    for (int rank = 0; rank < 4096; rank += 1365) {
        tg_box held = tg_layout_held(&y, rank), owned = tg_layout_owned(&x, rank);
        assert_int_equal(held.lo[0], rank * 10 - 2);
        assert_int_equal(held.hi[0], rank * 10 + 12);
        assert_int_equal(tg_owners_of(&x, &held, &overlaps, &count).code, TG_OK);
        assert_int_equal(count, 3);
        free(overlaps);
        assert_int_equal(tg_holders_of(&y, &owned, &overlaps, &count).code, TG_OK);
        assert_int_equal(count, 3);
        free(overlaps);
    }
    tg_layout copies = parse("5x3", "4096cx1", NULL, NULL, NULL, 4096);
    tg_box whole = tg_layout_owned(&copies, 0), none = tg_layout_owned(&copies, 77);
    assert_int_equal(tg_box_count(&whole), 15);
    assert_int_equal(tg_box_count(&none), 0);
    assert_int_equal(tg_holders_of(&copies, &whole, &overlaps, &count).code, TG_OK);
    assert_int_equal(count, 4096);
    free(overlaps);
    assert_int_equal(tg_owners_of(&copies, &whole, &overlaps, &count).code, TG_OK);
    assert_int_equal(count, 1);
    free(overlaps);
    tg_layout_free(&x);
    tg_layout_free(&y);
    tg_layout_free(&copies);
}

/* ---- halo.json ---- */

/* What one worker sees along one axis. The halo widths are those of padded coordinates (README.md,
 * windows); the blocks contain the padding only where the layer pads its input before it calls the
 * halo code (pad). */
typedef struct {
    ptrdiff_t x_start, x_shape, y_start, y_shape, left, right, needed_start, needed_stop;
} padded;

static padded padded_form(const tg_window *w, ptrdiff_t n, ptrdiff_t m, int parts, int part,
                          bool pad)
{
    ptrdiff_t x0 = tg_split_start(n, parts, part), x1 = tg_split_start(n, parts, part + 1);
    ptrdiff_t y0 = tg_split_start(m, parts, part), y1 = tg_split_start(m, parts, part + 1), lo, hi;
    tg_window_inputs(w, y0, y1, &lo, &hi);
    x0 -= part == 0 ? w->padding : 0;
    x1 += part == parts - 1 ? w->padding : 0;
    padded p = {x0 + w->padding, x1 - x0, y0, y1 - y0, x0 - lo, hi - x1, 0, 0};
    if (!pad) {
        p.x_start = tg_split_start(n, parts, part);
        p.x_shape = tg_split_start(n, parts, part + 1) - p.x_start;
    }
    p.needed_start = p.left < 0 ? -p.left : 0;
    p.needed_stop = (p.left > 0 ? p.left : 0) + p.x_shape + (p.right > 0 ? p.right : 0);
    return p;
}

static json_t *load_halo(void)
{
    json_error_t error;
    json_t *root = json_load_file(halo_file, 0, &error);
    if (root == NULL)
        fail_msg("%s: %s", halo_file, error.text);
    return root;
}

static ptrdiff_t number_at(const json_t *array, size_t i)
{
    assert_true(json_is_integer(json_array_get(array, i)));
    return (ptrdiff_t)json_integer_value(json_array_get(array, i));
}

static void test_halo_sweep(void **state)
{
    json_t *root = load_halo(), *rows = json_object_get(root, "sweep"), *row;
    long checked = 0, workers = 0;
    size_t i;
    (void)state;
    json_array_foreach(rows, i, row)
    {
        ptrdiff_t n = number_at(row, 0), m = number_at(row, 6);
        int parts = (int)number_at(row, 1);
        tg_window window = {number_at(row, 2),
                            number_at(row, 3),
                            number_at(row, 4),
                            number_at(row, 5),
                            false,
                            false,
                            NULL};
        const json_t *expected = json_array_get(row, 7);
        assert_int_equal(tg_window_outputs(&window, n), m);
        assert_int_equal(json_array_size(expected), parts);
        for (int part = 0; part < parts; part++) {
            padded p = padded_form(&window, n, m, parts, part, true);
            const json_t *worker = json_array_get(expected, (size_t)part);
            if (p.y_shape == 0)
                continue; /* the file's numbers mean nothing for a worker without outputs */
            assert_int_equal(p.left, number_at(worker, 0));
            assert_int_equal(p.right, number_at(worker, 1));
            assert_int_equal(p.needed_start, number_at(worker, 2));
            assert_int_equal(p.needed_stop, number_at(worker, 3));
            workers++;
        }
        checked++;
    }
    print_message("halo.json: %ld sweep rows, %ld workers\n", checked, workers);
    assert_int_equal(checked, 600);
    assert_true(workers > 600);
    json_decref(root);
}

/* The last axes' numbers, from a number or an array in the file. */
static ptrdiff_t window_number(const json_t *value, int ndim, int d, ptrdiff_t filler)
{
    if (json_is_integer(value))
        return d >= 2 || ndim < 3 ? (ptrdiff_t)json_integer_value(value) : filler;
    int given = (int)json_array_size(value), from_end = ndim - d;
    return from_end <= given ? number_at(value, (size_t)(given - from_end)) : filler;
}

static void expect_pair(const json_t *worker, const char *key, int d, ptrdiff_t a, ptrdiff_t b)
{
    const json_t *value = json_object_get(worker, key);
    if (value != NULL) {
        const json_t *pair = json_array_get(value, (size_t)d);
        assert_int_equal(number_at(pair, 0), a);
        assert_int_equal(number_at(pair, 1), b);
    }
}

static void expect_number(const json_t *worker, const char *key, int d, ptrdiff_t number)
{
    const json_t *value = json_object_get(worker, key);
    if (value != NULL)
        assert_int_equal(number_at(value, (size_t)d), number);
}

static ptrdiff_t positive(ptrdiff_t n)
{
    return n > 0 ? n : 0;
}

static void check_worker_axis(const json_t *entry, const json_t *worker, int ndim, int d, int part,
                              bool pad)
{
    tg_window w = {window_number(json_object_get(entry, "kernel"), ndim, d, 1),
                   window_number(json_object_get(entry, "stride"), ndim, d, 1),
                   window_number(json_object_get(entry, "padding"), ndim, d, 0),
                   window_number(json_object_get(entry, "dilation"), ndim, d, 1),
                   false,
                   false,
                   NULL};
    ptrdiff_t n = number_at(json_object_get(entry, "x_global"), (size_t)d);
    ptrdiff_t m = number_at(json_object_get(entry, "y_global"), (size_t)d);
    int parts = (int)number_at(json_object_get(entry, "P"), (size_t)d);
    bool channels =
        tg_window_outputs(&w, n) != m; /* an axis that the layer changes, not its window */
    assert_true(!channels || (w.kernel == 1 && d < 2));
    padded p = padded_form(&w, n, channels ? n : m, parts, part, pad);
    ptrdiff_t left = positive(p.left), right = positive(p.right);
    ptrdiff_t pad_left = part == 0 ? w.padding : 0, pad_right = part == parts - 1 ? w.padding : 0;
    padded before = part > 0 ? padded_form(&w, n, m, parts, part - 1, pad) : p;
    padded after = part + 1 < parts ? padded_form(&w, n, m, parts, part + 1, pad) : p;
    expect_number(worker, "x_start", d, p.x_start);
    expect_number(worker, "x_shape", d, p.x_shape);
    expect_number(worker, "x_shape_unpadded", d, p.x_shape - pad_left - pad_right);
    if (!channels) {
        expect_number(worker, "y_start", d, p.y_start);
        expect_number(worker, "y_shape", d, p.y_shape);
    }
    expect_pair(worker, "halo", d, left, right);
    expect_pair(worker, "recv", d, left, right);
    expect_pair(worker, "halo_signed", d, p.left, p.right);
    expect_pair(worker, "needed", d, p.needed_start, p.needed_stop);
    expect_pair(worker, "local_pad", d, pad_left, pad_right);
    expect_pair(worker, "torch_pad_total", d, pad_left + left, pad_right + right);
    expect_pair(worker, "send", d, part > 0 ? positive(before.right) : 0,
                part + 1 < parts ? positive(after.left) : 0);
}

static void test_halo_groups(void **state)
{
    static const char *const groups[3] = {"asserted", "paper_style", "layers"};
    static const long counts[3] = {1, 4, 19};
    json_t *root = load_halo(), *entry, *worker;
    size_t i, r;
    (void)state;
    for (int group = 0; group < 3; group++) {
        long checked = 0, workers = 0;
        json_array_foreach(json_object_get(root, groups[group]), i, entry)
        {
            json_t *list = json_object_get(entry, "workers");
            list = list != NULL ? list : json_object_get(entry, "expected");
            json_t *P = json_object_get(entry, "P");
            int ndim = (int)json_array_size(P);
            assert_true(json_array_size(list) > 0);
            json_array_foreach(list, r, worker)
            {
                ptrdiff_t rest = (ptrdiff_t)r;
                for (int d = ndim - 1; d >= 0; d--) {
                    ptrdiff_t parts = number_at(P, (size_t)d);
                    expect_number(worker, "index", d, rest % parts);
                    check_worker_axis(entry, worker, ndim, d, (int)(rest % parts), group == 2);
                    rest /= parts;
                }
                workers++;
            }
            checked++;
        }
        print_message("halo.json: %ld rows of %s, %ld workers\n", checked, groups[group], workers);
        assert_int_equal(checked, counts[group]);
    }
    json_decref(root);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boxes),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_window_outputs),
        cmocka_unit_test(test_worked_windows),
        cmocka_unit_test(test_window_rules),
        cmocka_unit_test(test_good_words),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bad_words),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_partners),
        cmocka_unit_test(test_partners_4096),
        cmocka_unit_test(test_neighbours_4096),
        cmocka_unit_test(test_one_way_to_write),
        cmocka_unit_test(test_halo_sweep),
        cmocka_unit_test(test_halo_groups),
    };
    if (argc != 2) {
        fprintf(stderr, "test_layout: one word expected, the path of halo.json\n");
        return 2;
    }
    halo_file = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
