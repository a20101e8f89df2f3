/* blas.h: the matrix product that layers compute on one rank; for the files of this room only. */
#ifndef TGL_BLAS_H
#define TGL_BLAS_H

#include "layers/layers.h"

/* A factor of a product: dense and row-major, or the transpose of such a matrix. */
typedef struct {
    const void *data;
    bool transposed; /* the factor is the transpose of what lies in memory */
    ptrdiff_t row;   /* entries from one row in memory to the next; 0: dense */
} tgl_factor;

/* Entries from one row in memory to the next, of a factor of rows x columns. */
static inline ptrdiff_t tgl_factor_row(tgl_factor f, ptrdiff_t rows, ptrdiff_t columns)
{
    return f.row ? f.row : f.transposed ? rows : columns;
}

/* Calls: Local. c = a b, or c += a b with add. Shapes: a is m x k, b is k x n, c is m x n, row-major;
 * row_c as in a factor. Any of m, n, k may be 0, and k = 0 without add clears c. Every extent passes
 * tgl_blas_fits. */
typedef void tgl_gemm(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, tgl_factor a, tgl_factor b, bool add,
                      void *c, ptrdiff_t row_c);

tgl_gemm *tgl_gemm_find(const tg_dtype *dtype); /* NULL: the BLAS has no product for this type */
bool tgl_blas_fits(ptrdiff_t extent);           /* is it a number that the BLAS can take? */
void tgl_blas_start(void); /* one thread, unless tgl_blas_set_threads said otherwise */

#endif
