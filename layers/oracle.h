/* oracle.h: matrices of small integers made from a hash, and the check of their products; for this
 * room only.
 *
 * A pattern is a matrix that nobody stores: each entry is computed from the seed and the entry's
 * global index. Sums of products of patterns are exact in f32 as long as they stay below 2^24. */
#ifndef TGL_ORACLE_H
#define TGL_ORACLE_H

#include "primitives/primitives.h"

/* The matrix whose entry (r, c) is offset plus an integer in [-range, range] hashed from (key, row
 * r + column c). Exchange row and column and it is transposed; row = 0 makes all its rows equal;
 * range = 0 makes it constant. */
typedef struct {
    uint64_t key;
    int offset, range;
    ptrdiff_t row, column;
} tgl_pattern;

/* Rows [row, row + rows) and columns [column, column + columns) of a matrix, dense and row-major in
 * data. */
typedef struct {
    const tg_dtype *dtype;
    ptrdiff_t row, rows, column, columns;
    void *data;
} tgl_block;

/* Calls: Local. A row-major matrix with rows of `columns` entries; tensor tells the tensors of one
 * seed apart. */
tgl_pattern tgl_pattern_make(uint64_t seed, int tensor, int range, ptrdiff_t columns);
tgl_pattern tgl_pattern_transpose(tgl_pattern pattern);
int tgl_pattern_at(const tgl_pattern *pattern, ptrdiff_t row, ptrdiff_t column);

/* Calls: Local. The largest range, at most 8, with which sums of `terms` products of two entries,
 * and one entry more, stay below 2^24. It is 1 for 2^24 terms and more: their sum is then not
 * bounded by 2^24 but as good as never reaches it, since the signs are random (2^31 terms:
 * probability below 2 exp(-2^16), Hoeffding). */
int tgl_pattern_range(ptrdiff_t terms);

void tgl_pattern_fill(const tgl_pattern *pattern, const tgl_block *block); /* Calls: Local */

/* Calls: Local. Entries of the block that differ from a b (+ add, when it is not NULL), with depth
 * the columns of a and the rows of b. Every row of the block is multiplied by a random vector first
 * (Freivalds), modulo 2^64 with odd factors: one wrong entry in a row is always found, several are
 * overlooked with probability below 2^-30; rows that fail are computed entry by entry. Cost: depth
 * columns + rows (depth + columns) when nothing is wrong. Errors: -1 without memory. Source: R.
 * Freivalds, Probabilistic machines can use less running time, IFIP 1977. */
ptrdiff_t tgl_count_wrong_product(const tgl_block *block, const tgl_pattern *a,
                                  const tgl_pattern *b, ptrdiff_t depth, const tgl_pattern *add);

#endif
