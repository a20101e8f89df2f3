/* random.h: random numbers that are the same on every system: the C library's differ. */
#ifndef TGD_RANDOM_H
#define TGD_RANDOM_H

#include <stdint.h>

/* Calls: Local, all; *state is the seed. 64 equally likely bits. Source: Steele, Lea, Flood, "Fast
 * Splittable Pseudorandom Number Generators", 2014 (splitmix64). */
uint64_t tgd_random(uint64_t *state);

/* A normal deviate of mean 0 and standard deviation 1. Source: Box and Muller, 1958. */
double tgd_random_normal(uint64_t *state);

/* Shuffles `count` numbers. Source: Fisher and Yates, as in Knuth, TAOCP 2, 3.4.2. */
void tgd_shuffle(int *items, int count, uint64_t *state);

#endif
