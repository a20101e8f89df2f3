/* blas.c: matrix products by OpenBLAS; the only file that knows OpenBLAS.
 *
 * The BLAS takes its extents as blasint, mostly a 32-bit int: plan functions ask tgl_blas_fits
 * before they promise anything. Source: the interface of cblas.h in OpenBLAS 0.3. */
#include "layers/blas.h"

#include <cblas.h>
#include <string.h>

/* Simulated ranks share the processors of one machine: what a product takes is not measured there, but
 * charged by its operations at the rate of the rank's host. */
static void charge(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k)
{
#ifdef SMPI_H
    smpi_execute_flops(2.0 * (double)m * (double)n * (double)k);
#else
    (void)m;
    (void)n;
    (void)k;
#endif
}

/* The extents and the memory order of one product, as cblas wants them. */
typedef struct {
    CBLAS_TRANSPOSE transpose_a, transpose_b;
    blasint m, n, k;
    blasint row_a, row_b; /* entries from one row in memory to the next */
} blas_shape;

static blas_shape blas_shape_of(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, tgl_factor a, tgl_factor b)
{
    return (blas_shape){.transpose_a = a.transposed ? CblasTrans : CblasNoTrans,
                        .transpose_b = b.transposed ? CblasTrans : CblasNoTrans,
                        .m = (blasint)m,
                        .n = (blasint)n,
                        .k = (blasint)k,
                        .row_a = (blasint)tgl_factor_row(a, m, k),
                        .row_b = (blasint)tgl_factor_row(b, k, n)};
}

/* Products with nothing to multiply never reach the BLAS, which wants rows of at least one entry.
 */
static bool is_empty(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, bool add, void *c, ptrdiff_t row_c,
                     size_t size)
{
    for (ptrdiff_t i = 0; i < m && n > 0 && k == 0 && !add; i++)
        memset((char *)c + (size_t)(i * (row_c ? row_c : n)) * size, 0, (size_t)n * size);
    return m == 0 || n == 0 || k == 0;
}

static void gemm_f32(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, tgl_factor a, tgl_factor b, bool add,
                     void *c, ptrdiff_t row_c)
{
    if (is_empty(m, n, k, add, c, row_c, sizeof(float)))
        return;
    charge(m, n, k);
    blas_shape s = blas_shape_of(m, n, k, a, b);
    cblas_sgemm(CblasRowMajor, s.transpose_a, s.transpose_b, s.m, s.n, s.k, 1, a.data, s.row_a,
                b.data, s.row_b, add ? 1 : 0, c, (blasint)(row_c ? row_c : n));
}

static void gemm_f64(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, tgl_factor a, tgl_factor b, bool add,
                     void *c, ptrdiff_t row_c)
{
    if (is_empty(m, n, k, add, c, row_c, sizeof(double)))
        return;
    charge(m, n, k);
    blas_shape s = blas_shape_of(m, n, k, a, b);
    cblas_dgemm(CblasRowMajor, s.transpose_a, s.transpose_b, s.m, s.n, s.k, 1, a.data, s.row_a,
                b.data, s.row_b, add ? 1 : 0, c, (blasint)(row_c ? row_c : n));
}

tgl_gemm *tgl_gemm_find(const tg_dtype *dtype)
{
    static const struct {
        const char *dtype;
        tgl_gemm *gemm;
    } rows[] = {{"f32", gemm_f32}, {"f64", gemm_f64}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].dtype, dtype->name) == 0)
            return rows[i].gemm;
    return NULL;
}

bool tgl_blas_fits(ptrdiff_t extent)
{
    return extent >= 0 && (ptrdiff_t)(blasint)extent == extent;
}

static bool threads_set; /* the user of the library chose */

void tgl_blas_set_threads(int threads)
{
    threads_set = true;
    openblas_set_num_threads(threads);
}

void tgl_blas_start(void)
{
    if (!threads_set)
        tgl_blas_set_threads(1);
}

const char *tgl_blas_core(void)
{
    return openblas_get_corename();
}

const char *tgl_blas_config(void)
{
    return openblas_get_config();
}

int tgl_blas_threads(void)
{
    return openblas_get_num_threads();
}
