/* pairs.c: with an even number n of players, one of them apart and the others called 0 .. n - 2: in
 * round r those meet whose names add up to r - 1 modulo n - 1; who would meet himself meets the one
 * apart. Rank 0 is apart; the ranks 1, 2, 3, 4, 5, ... are called 0, 1, -1, 2, -2, ..., which makes
 * the first two rounds the ring. An odd P gets a player who is not there. */
#include "bench/pairs.h"

int tgb_pair_rounds(int ranks)
{
    return ranks < 2 ? 0 : ranks % 2 == 0 ? ranks - 1 : ranks;
}

static int name_of(int rank, int modulus)
{
    return rank % 2 == 0 ? rank / 2 : (modulus - (rank - 1) / 2) % modulus;
}

static int rank_of(int name, int modulus)
{
    return name == 0 ? 1 : name <= modulus / 2 ? 2 * name : 2 * (modulus - name) + 1;
}

int tgb_pair_partner(int ranks, int round, int rank)
{
    const int modulus = ranks + ranks % 2 - 1, sum = round - 1;
    int partner;
    if (rank == 0) { /* whose name twice is the sum: modulus is odd */
        partner = rank_of((sum % 2 == 0 ? sum : sum + modulus) / 2, modulus);
    } else {
        const int name = name_of(rank, modulus), other = (sum - name + modulus) % modulus;
        partner = other == name ? 0 : rank_of(other, modulus);
    }
    return partner < ranks ? partner : -1;
}
