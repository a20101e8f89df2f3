/* pairs.h: all pairs of P ranks in rounds: in a round every rank has one partner at most, and in all
 * rounds together each two ranks meet once. No MPI: the driver uses it too. */
#ifndef TGB_PAIRS_H
#define TGB_PAIRS_H

/* Calls: Local. P - 1 rounds for even P, P for odd P, where one rank is idle in each; 0 below 2. */
int tgb_pair_rounds(int ranks);

/* Calls: Local. The partner of a rank in a round, 1 .. tgb_pair_rounds(ranks); -1: it is idle.
 * Round 1 has the pairs (2i, 2i + 1), round 2 the pairs (2i + 1, 2i + 2), so that both together are
 * the ring of all ranks (of an odd P without the pair of the last rank and rank 0).
 * Source: the circle method of round-robin tournaments (Kirkman, 1847). */
int tgb_pair_partner(int ranks, int round, int rank);

#endif
