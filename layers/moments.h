/* moments.h: count, mean and M2 = sum of (x - mean)^2 of some entries; for the files of this room
 * only. */
#ifndef TGL_MOMENTS_H
#define TGL_MOMENTS_H

typedef struct {
    double count, mean, m2;
} tgl_moments;

/* Calls: Local. `all` becomes the moments of its entries and those of `more` together; either may
 * have none. Source: Chan, Golub, LeVeque, Updating formulae and a pairwise algorithm for computing
 * sample variances, 1979, (2.1). */
void tgl_moments_merge(tgl_moments *all, const tgl_moments *more);

#endif
