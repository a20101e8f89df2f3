/* test_blas.c: the local matrix product against three loops, for every combination of transposes.
 */
#include "layers/blas.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int entry(int which, ptrdiff_t row, ptrdiff_t column)
{
    return (int)((which * 5 + row * 7 + column * 3 + row * column % 5) % 9) - 4;
}

/* A factor with rows x columns entries, stored transposed or not. */
static tgl_factor make_factor(const tg_dtype *dtype, int which, ptrdiff_t rows, ptrdiff_t columns,
                              bool transposed)
{
    void *data = calloc((size_t)(rows * columns) + 1, dtype->size);
    assert_non_null(data);
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = 0; c < columns; c++)
            dtype->put(data, transposed ? c * rows + r : r * columns + c, entry(which, r, c));
    return (tgl_factor){data, transposed, 0};
}

static void check_product(const tg_dtype *dtype, const ptrdiff_t e[3], int choice)
{
    bool transpose_a = choice & 1, transpose_b = choice & 2, add = choice & 4;
    ptrdiff_t m = e[0], n = e[1], k = e[2];
    tgl_factor a = make_factor(dtype, 0, m, k, transpose_a);
    tgl_factor b = make_factor(dtype, 1, k, n, transpose_b);
    tgl_factor c = make_factor(dtype, 2, m, n, false);
    void *data = (void *)c.data;
    dtype->put(data, m * n, 77); /* must stay */
    tgl_gemm_find(dtype)(m, n, k, a, b, add, data, 0);
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t j = 0; j < n; j++) {
            int sum = add ? entry(2, i, j) : 0;
            for (ptrdiff_t l = 0; l < k; l++)
                sum += entry(0, i, l) * entry(1, l, j);
            assert_true(dtype->get(data, i * n + j) == sum);
        }
    assert_true(dtype->get(data, m * n) == 77);
    free((void *)a.data);
    free((void *)b.data);
    free(data);
}

static void test_products(void **state)
{
    (void)state;
    static const ptrdiff_t extents[][3] = {{1, 1, 1},    {3, 5, 7}, {1, 9, 4}, {8, 1, 3},
                                           {4, 3, 0},    {0, 3, 2}, {3, 0, 2}, {33, 17, 9},
                                           {64, 70, 65}, {0, 0, 0}};
    const char *names[] = {"f32", "f64"};
    for (int d = 0; d < 2; d++)
        for (size_t i = 0; i < sizeof extents / sizeof *extents; i++)
            for (int choice = 0; choice < 8; choice++)
                check_product(tg_dtype_find(names[d]), extents[i], choice);
}

static void test_square(void **state)
{
    (void)state;
    enum { N = 5 };
    const tg_dtype *dtype = tg_dtype_find("f64");
    tgl_factor a = make_factor(dtype, 0, N, N, false), b = make_factor(dtype, 1, N, N, false);
    double c[N * N];
    assert_true(tgl_multiply(dtype, N, a.data, b.data, c));
    for (ptrdiff_t i = 0; i < N; i++)
        for (ptrdiff_t j = 0; j < N; j++) {
            int sum = 0;
            for (ptrdiff_t l = 0; l < N; l++)
                sum += entry(0, i, l) * entry(1, l, j);
            assert_true(c[i * N + j] == sum);
        }
    assert_false(tgl_multiply(tg_dtype_find("i32"), N, a.data, b.data, c));
    assert_false(tgl_multiply(dtype, PTRDIFF_MAX, a.data, b.data, c));
    free((void *)a.data);
    free((void *)b.data);
}

static void test_limits(void **state)
{
    (void)state;
    assert_null(tgl_gemm_find(tg_dtype_find("i32")));
    assert_true(tgl_blas_fits(0));
    assert_true(tgl_blas_fits(2147483647));
    assert_false(tgl_blas_fits(-1));
    assert_non_null(tgl_blas_core());
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_products),
                                       cmocka_unit_test(test_square),
                                       cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
