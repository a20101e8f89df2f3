/* norm_rows.c: the loops of batch_norm and layer_norm over one contiguous row; see norm.h. Sums are
 * in double in both types: a mean of many entries must not lose the last ones. */
#include "layers/norm.h"

#define ROWS(type, suffix)                                                                         \
    static void measure_##suffix(ptrdiff_t n, const void *data, tgl_moments *moments)              \
    {                                                                                              \
        const type *x = data;                                                                      \
        double sum = 0, m2 = 0;                                                                    \
        for (ptrdiff_t i = 0; i < n; i++)                                                          \
            sum += (double)x[i];                                                                   \
        const double mean = n > 0 ? sum / (double)n : 0;                                           \
        for (ptrdiff_t i = 0; i < n; i++)                                                          \
            m2 += ((double)x[i] - mean) * ((double)x[i] - mean);                                   \
        *moments = (tgl_moments){(double)n, mean, m2};                                             \
    }                                                                                              \
    static void normalise_##suffix(ptrdiff_t n, double mean, double inverse, const void *scales,   \
                                   const void *shifts, ptrdiff_t step, const void *from, void *to) \
    {                                                                                              \
        const type *x = from, *scale = scales, *shift = shifts;                                    \
        type *y = to;                                                                              \
        for (ptrdiff_t i = 0; i < n; i++)                                                          \
            y[i] = (type)(((double)x[i] - mean) * inverse * (double)scale[i * step] +              \
                          (double)shift[i * step]);                                                \
    }                                                                                              \
    static void sum_##suffix(ptrdiff_t n, double mean, double inverse, const void *from,           \
                             const void *cotangent, double sums[2])                                \
    {                                                                                              \
        const type *x = from, *dy = cotangent;                                                     \
        double plain = 0, with_x = 0;                                                              \
        for (ptrdiff_t i = 0; i < n; i++) {                                                        \
            plain += (double)dy[i];                                                                \
            with_x += (double)dy[i] * (((double)x[i] - mean) * inverse);                           \
        }                                                                                          \
        sums[0] += plain;                                                                          \
        sums[1] += with_x;                                                                         \
    }                                                                                              \
    static void sum_along_##suffix(ptrdiff_t n, double mean, double inverse, const void *scales,   \
                                   const void *from, const void *cotangent, double sums[2],        \
                                   double *dscale, double *dshift)                                 \
    {                                                                                              \
        const type *x = from, *dy = cotangent, *scale = scales;                                    \
        double plain = 0, with_x = 0;                                                              \
        for (ptrdiff_t i = 0; i < n; i++) {                                                        \
            const double xhat = ((double)x[i] - mean) * inverse,                                   \
                         part = (double)dy[i] * (double)scale[i];                                  \
            plain += part;                                                                         \
            with_x += part * xhat;                                                                 \
            dscale[i] += (double)dy[i] * xhat;                                                     \
            dshift[i] += (double)dy[i];                                                            \
        }                                                                                          \
        sums[0] += plain;                                                                          \
        sums[1] += with_x;                                                                         \
    }                                                                                              \
    static void spread_##suffix(ptrdiff_t n, double mean, double inverse, const void *scales,      \
                                ptrdiff_t step, const double means[2], const void *from,           \
                                const void *cotangent, void *to)                                   \
    {                                                                                              \
        const type *x = from, *dy = cotangent, *scale = scales;                                    \
        type *dx = to;                                                                             \
        for (ptrdiff_t i = 0; i < n; i++) {                                                        \
            const double xhat = ((double)x[i] - mean) * inverse,                                   \
                         part = (double)dy[i] * (double)scale[i * step];                           \
            dx[i] = (type)(inverse * (part - means[0] - xhat * means[1]));                         \
        }                                                                                          \
    }                                                                                              \
    const tgl_norm_rows tgl_norm_rows_##suffix = {                                                 \
        measure_##suffix, normalise_##suffix, sum_##suffix, sum_along_##suffix, spread_##suffix}

ROWS(float, f32);
ROWS(double, f64);
