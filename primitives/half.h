/* half.h: the two floating-point types of 16 bits, as bit patterns, to and from float.
 *
 *     f16    1 sign, 5 exponent, 10 fraction bits: IEEE 754 binary16
 *     bf16   1 sign, 8 exponent, 7 fraction bits: the upper half of a float
 *
 * Every f16 and bf16 is a float, so that reading is exact. Writing rounds to nearest, ties to even;
 * what is too large becomes infinity, and a NaN stays one and becomes quiet. Only integer
 * arithmetic on the bits, so that no compiler support and no rounding mode matters.
 * Source: IEEE 754-2008, sections 3.4 and 4.3.1. */
#ifndef TG_HALF_H
#define TG_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t tg_float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float tg_float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* bits / 2^shift rounded to the nearest whole number, ties to even; 1 <= shift <= 31. */
static inline uint32_t tg_shift_to_nearest(uint32_t bits, unsigned shift)
{
    uint32_t below_half = (UINT32_C(1) << (shift - 1)) - 1, odd = bits >> shift & 1;
    return (bits + below_half + odd) >> shift;
}

static inline float tg_float_of_bf16(uint16_t pattern)
{
    return tg_float_of_bits((uint32_t)pattern << 16);
}

static inline uint16_t tg_bf16_of_float(float value)
{
    uint32_t bits = tg_float_bits(value), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
    if (size > 0x7f800000) /* NaN: the upper half with the quiet bit */
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)(sign | tg_shift_to_nearest(size, 16)); /* a carry moves the exponent up */
}

static inline float tg_float_of_f16(uint16_t pattern)
{
    uint32_t sign = (uint32_t)(pattern & 0x8000) << 16;
    uint32_t exponent = pattern >> 10 & 0x1f, fraction = pattern & 0x3ff;
    if (exponent == 0x1f) /* infinity or NaN */
        return tg_float_of_bits(sign | 0x7f800000 | fraction << 13);
    if (exponent == 0) /* subnormal: a whole number of 2^-24 */
        return tg_float_of_bits(sign | tg_float_bits((float)fraction * 0x1p-24f));
    return tg_float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

static inline uint16_t tg_f16_of_float(float value)
{
    uint32_t bits = tg_float_bits(value), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
    uint32_t exponent = size >> 23;
    if (size > 0x7f800000) /* NaN: the upper bits of its fraction with the quiet bit */
        return (uint16_t)(sign | 0x7e00 | (size >> 13 & 0x3ff));
    if (exponent >= 127 + 16) /* 65536 and more; a carry makes infinity of 65520 and more */
        return (uint16_t)(sign | 0x7c00);
    if (exponent >= 127 - 14) /* the exponent's offset is 15 instead of 127 */
        return (uint16_t)(sign | tg_shift_to_nearest(size - (UINT32_C(112) << 23), 13));
    if (exponent < 127 - 25) /* less than half of 2^-24 */
        return (uint16_t)sign;
    return (uint16_t)(sign | tg_shift_to_nearest((size & 0x7fffff) | 0x800000,
                                                 (unsigned)(126 - exponent)));
}

#endif
