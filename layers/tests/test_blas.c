/* test_blas.c: the local matrix product of every library against three loops, for every combination of
 * transposes, dense and in rows that lie further apart. */
#include "layers/kernel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int entry(int which, ptrdiff_t row, ptrdiff_t column)
{
    return (int)((which * 5 + row * 7 + column * 3 + row * column % 5) % 9) - 4;
}

/* A factor with rows x columns entries, stored transposed or not, with gaps between its rows. */
static tgl_factor make_factor(const tg_dtype *dtype, int which, ptrdiff_t rows, ptrdiff_t columns,
                              bool transposed, ptrdiff_t gap)
{
    const ptrdiff_t row = (transposed ? rows : columns) + gap;
    void *data = calloc((size_t)((transposed ? columns : rows) * row) + 1, dtype->size);
    assert_non_null(data);
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = 0; c < columns; c++)
            dtype->put(data, transposed ? c * row + r : r * row + c, entry(which, r, c));
    return (tgl_factor){data, transposed, gap ? row : 0};
}

/* choice: a bit each for the transposes, the sum, and gaps between rows */
static void check_product(const tg_dtype *dtype, tgl_gemm *gemm, const ptrdiff_t e[3], int choice)
{
    bool transpose_a = choice & 1, transpose_b = choice & 2, add = choice & 4;
    ptrdiff_t m = e[0], n = e[1], k = e[2], gap = choice & 8 ? 3 : 0, row = n + gap;
    tgl_factor a = make_factor(dtype, 0, m, k, transpose_a, gap);
    tgl_factor b = make_factor(dtype, 1, k, n, transpose_b, gap);
    tgl_factor c = make_factor(dtype, 2, m, n, false, gap);
    void *data = (void *)c.data;
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t j = n; j < row; j++)
            dtype->put(data, i * row + j, 77); /* must stay */
    dtype->put(data, m * row, 77);
    gemm(m, n, k, a, b, add, data, c.row);
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t j = 0; j < n; j++) {
            int sum = add ? entry(2, i, j) : 0;
            for (ptrdiff_t l = 0; l < k; l++)
                sum += entry(0, i, l) * entry(1, l, j);
            assert_true(dtype->get(data, i * row + j) == sum);
        }
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t j = n; j < row; j++)
            assert_true(dtype->get(data, i * row + j) == 77);
    assert_true(dtype->get(data, m * row) == 77);
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
    const char *names[] = {"f32", "f64"}, *libraries[] = {"openblas", "onednn", "auto"};
    const tgl_conv_kernel *chosen;
    tgl_gemm *gemm;
    for (int d = 0; d < 2; d++)
        for (int l = 0; l < 3; l++) {
            const tg_dtype *dtype = tg_dtype_find(names[d]);
            const tg_status status = tgl_gemm_choose(libraries[l], dtype, &chosen, &gemm);
            assert_true(status.code == TG_OK || l == 1); /* not in every build, and f32 only */
            for (size_t i = 0; gemm && i < sizeof extents / sizeof *extents; i++)
                for (int choice = 0; choice < 16; choice++)
                    check_product(dtype, gemm, extents[i], choice);
        }
}

static void test_square(void **state)
{
    (void)state;
    enum { N = 5 };
    const tg_dtype *dtype = tg_dtype_find("f64");
    tgl_factor a = make_factor(dtype, 0, N, N, false, 0), b = make_factor(dtype, 1, N, N, false, 0);
    double c[N * N];
    assert_true(tgl_multiply("openblas", dtype, N, a.data, b.data, c));
    for (ptrdiff_t i = 0; i < N; i++)
        for (ptrdiff_t j = 0; j < N; j++) {
            int sum = 0;
            for (ptrdiff_t l = 0; l < N; l++)
                sum += entry(0, i, l) * entry(1, l, j);
            assert_true(c[i * N + j] == sum);
        }
    assert_false(tgl_multiply("auto", tg_dtype_find("i32"), N, a.data, b.data, c));
    assert_false(tgl_multiply("auto", dtype, PTRDIFF_MAX, a.data, b.data, c));
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
