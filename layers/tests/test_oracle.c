/* test_oracle.c: patterns, and the check of products: right ones pass, and wrong entries are
 * counted one by one. */
#include "layers/oracle.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROWS = 6, COLUMNS = 5, DEPTH = 40 };

typedef struct {
    tgl_pattern a, b, add;
    tgl_block block;
    double data[ROWS * COLUMNS];
} product;

/* A block of a larger product, right in every entry. */
static void make_product(product *p)
{
    p->a = tgl_pattern_make(3, 0, 8, DEPTH);
    p->b = tgl_pattern_transpose(tgl_pattern_make(3, 1, 8, DEPTH));
    p->add = tgl_pattern_make(3, 2, 8, 100);
    p->add.row = 0;
    p->block = (tgl_block){tg_dtype_find("f64"), 4, ROWS, 7, COLUMNS, p->data};
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLUMNS; c++) {
            p->data[r * COLUMNS + c] = tgl_pattern_at(&p->add, 4 + r, 7 + c);
            for (int k = 0; k < DEPTH; k++)
                p->data[r * COLUMNS + c] +=
                    tgl_pattern_at(&p->a, 4 + r, k) * tgl_pattern_at(&p->b, k, 7 + c);
        }
}

static ptrdiff_t count(const product *p)
{
    return tgl_count_wrong_product(&p->block, &p->a, &p->b, DEPTH, &p->add);
}

static void test_patterns(void **state)
{
    (void)state;
    tgl_pattern p = tgl_pattern_make(1, 0, 8, 10), q = tgl_pattern_make(1, 1, 8, 10);
    tgl_pattern t = tgl_pattern_transpose(p), other = tgl_pattern_make(2, 0, 8, 10);
    int seen[17] = {0}, same_tensor = 0, same_seed = 0;
    for (int r = 0; r < 100; r++)
        for (int c = 0; c < 10; c++) {
            int value = tgl_pattern_at(&p, r, c);
            assert_in_range(value + 8, 0, 16);
            seen[value + 8]++;
            assert_int_equal(value, tgl_pattern_at(&t, c, r));
            same_tensor += value == tgl_pattern_at(&q, r, c);
            same_seed += value == tgl_pattern_at(&other, r, c);
        }
    for (int i = 0; i < 17; i++)
        assert_true(seen[i] > 20); /* about 59 of 1,000 */
    assert_true(same_tensor < 150 && same_seed < 150);
    tgl_pattern ones = {.offset = 1};
    assert_int_equal(tgl_pattern_at(&ones, 5, 9), 1);
}

static void test_range(void **state)
{
    (void)state;
    const ptrdiff_t terms[] = {0, 1, 1000, 262143, 262144, 1 << 20, (1 << 24) - 2};
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) {
        int range = tgl_pattern_range(terms[i]);
        assert_true(range >= 1 && range <= 8);
        assert_true((double)terms[i] * range * range + range < 0x1p24);
    }
    assert_int_equal(tgl_pattern_range(1000), 8);
    assert_int_equal(tgl_pattern_range((ptrdiff_t)1 << 40), 1);
}

static void test_right_product(void **state)
{
    (void)state;
    product p;
    make_product(&p);
    assert_int_equal(count(&p), 0);
    int columns_with_addend = 0;
    for (int c = 0; c < COLUMNS; c++)
        columns_with_addend += tgl_pattern_at(&p.add, 0, 7 + c) != 0;
    assert_true(columns_with_addend > 0);
    assert_int_equal(tgl_count_wrong_product(&p.block, &p.a, &p.b, DEPTH, NULL),
                     ROWS * columns_with_addend);
    p.block.rows = 0;
    assert_int_equal(count(&p), 0);
}

/* Every single entry, by every kind of difference. */
static void test_each_entry_is_looked_at(void **state)
{
    (void)state;
    product p;
    make_product(&p);
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        const double right = p.data[i];
        const double wrong[] = {right + 1, right - 1, right + 0.5,    right + 0x1p20,
                                NAN,       HUGE_VAL,  right + 0x1p40, -0x1p60};
        for (size_t j = 0; j < sizeof wrong / sizeof *wrong; j++) {
            p.data[i] = wrong[j];
            assert_int_equal(count(&p), 1);
        }
        p.data[i] = right;
    }
    assert_int_equal(count(&p), 0);
}

static void test_several_entries(void **state)
{
    (void)state;
    product p;
    make_product(&p);
    p.data[0] += 1; /* the plain sum of the row stays right */
    p.data[1] -= 1;
    assert_int_equal(count(&p), 2);
    p.data[COLUMNS] += 1; /* the plain sum of a column, too */
    p.data[COLUMNS + 1] -= 1;
    p.data[0] -= 2;
    assert_int_equal(count(&p), 4);
    p.data[ROWS * COLUMNS - 1] = NAN;
    assert_int_equal(count(&p), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns), cmocka_unit_test(test_range),
        cmocka_unit_test(test_right_product), cmocka_unit_test(test_each_entry_is_looked_at),
        cmocka_unit_test(test_several_entries)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
