/* oracle.c: matrices of small integers made from a hash, and the check of their products: C = A B +
 * D.
 *
 * A column vector r of random odd numbers gives C r = A (B r) + D r, all modulo 2^64. B r costs one
 * pass over B and each row of C then one pass over a row of A, instead of one over all of B.
 * Source: R. Freivalds, Probabilistic machines can use less running time, IFIP Congress 1977. */
#include "layers/oracle.h"

#include <math.h>
#include <stdlib.h>

/* A bijection of 64-bit words without visible structure. Constants: Stafford's variant 13 of the
 * finaliser of MurmurHash3, as SplitMix64 uses them (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t mix(uint64_t word)
{
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
    word = (word ^ word >> 27) * 0x94d049bb133111ebu;
    return word ^ word >> 31;
}

tgl_pattern tgl_pattern_make(uint64_t seed, int tensor, int range, ptrdiff_t columns)
{
    return (tgl_pattern){
        .key = mix(mix(seed) + (uint64_t)tensor + 1), .range = range, .row = columns, .column = 1};
}

tgl_pattern tgl_pattern_transpose(tgl_pattern pattern)
{
    ptrdiff_t row = pattern.row;
    pattern.row = pattern.column;
    pattern.column = row;
    return pattern;
}

int tgl_pattern_at(const tgl_pattern *pattern, ptrdiff_t row, ptrdiff_t column)
{
    uint64_t index = (uint64_t)(row * pattern->row + column * pattern->column);
    uint64_t word = mix(pattern->key + index) >> 32;
    return pattern->offset - pattern->range +
           (int)(word * (uint64_t)(2 * pattern->range + 1) >> 32);
}

int tgl_pattern_range(ptrdiff_t terms)
{
    int range = 8;
    while (range > 1 && (double)range * range * (double)terms + range >= 0x1p24)
        range /= 2;
    return range;
}

void tgl_pattern_fill(const tgl_pattern *pattern, const tgl_block *block)
{
    for (ptrdiff_t r = 0; r < block->rows; r++)
        for (ptrdiff_t c = 0; c < block->columns; c++)
            block->dtype->put(block->data, r * block->columns + c,
                              tgl_pattern_at(pattern, block->row + r, block->column + c));
}

/* sum over the block's columns of factors[c] pattern(row, c) */
static uint64_t pattern_times(const uint64_t *factors, const tgl_pattern *pattern, ptrdiff_t row,
                              const tgl_block *block)
{
    uint64_t sum = 0;
    for (ptrdiff_t c = 0; c < block->columns; c++)
        sum += factors[c] * (uint64_t)tgl_pattern_at(pattern, row, block->column + c);
    return sum;
}

/* The same sum over row r of the block's data; false when an entry is not even an integer. */
static bool row_times(const uint64_t *factors, const tgl_block *block, ptrdiff_t r, uint64_t *sum)
{
    *sum = 0;
    for (ptrdiff_t c = 0; c < block->columns; c++) {
        double value = block->dtype->get(block->data, r * block->columns + c);
        if (!(fabs(value) < 0x1p53) || value != trunc(value))
            return false;
        *sum += factors[c] * (uint64_t)(int64_t)value;
    }
    return true;
}

static ptrdiff_t count_wrong_in_row(const tgl_block *block, ptrdiff_t r, const tgl_pattern *a,
                                    const tgl_pattern *b, ptrdiff_t depth, const tgl_pattern *add)
{
    ptrdiff_t wrong = 0;
    for (ptrdiff_t c = 0; c < block->columns; c++) {
        ptrdiff_t row = block->row + r, column = block->column + c;
        int64_t sum = add ? tgl_pattern_at(add, row, column) : 0;
        for (ptrdiff_t k = 0; k < depth; k++)
            sum += tgl_pattern_at(a, row, k) * tgl_pattern_at(b, k, column);
        wrong += block->dtype->get(block->data, r * block->columns + c) != (double)sum;
    }
    return wrong;
}

ptrdiff_t tgl_count_wrong_product(const tgl_block *block, const tgl_pattern *a,
                                  const tgl_pattern *b, ptrdiff_t depth, const tgl_pattern *add)
{
    if (block->rows == 0 || block->columns == 0)
        return 0;
    uint64_t *factors = malloc(((size_t)block->columns + (size_t)depth) * sizeof *factors);
    if (!factors)
        return -1;
    for (ptrdiff_t c = 0; c < block->columns; c++)
        factors[c] = mix((uint64_t)c) | 1;
    uint64_t *b_factors = factors + block->columns; /* B r */
    for (ptrdiff_t k = 0; k < depth; k++)
        b_factors[k] = pattern_times(factors, b, k, block);
    ptrdiff_t wrong = 0;
    for (ptrdiff_t r = 0; r < block->rows; r++) {
        uint64_t expected = add ? pattern_times(factors, add, block->row + r, block) : 0, sum;
        for (ptrdiff_t k = 0; k < depth; k++)
            expected += (uint64_t)tgl_pattern_at(a, block->row + r, k) * b_factors[k];
        if (!row_times(factors, block, r, &sum) || sum != expected)
            wrong += count_wrong_in_row(block, r, a, b, depth, add);
    }
    free(factors);
    return wrong;
}
