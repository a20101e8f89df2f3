/* peers.h: is one of many that should be alike slower than the others? */
#ifndef TGD_PEERS_H
#define TGD_PEERS_H

#include <stdbool.h>

enum { TGD_LEAST_PEERS = 4 };

typedef struct {
    double median;
    double limit; /* median + max(5 % of it, 4 robust sigma): a value above is not alike */
    int count;
} tgd_peers;

/* Calls: Local. values: one of each peer, none NAN. Robust sigma = 1.4826 x the median of the
 * distances from the median (MAD), which is sigma where the values are normal. False below
 * TGD_LEAST_PEERS, where nothing can be said. Source: Hampel, 1974. */
bool tgd_peers_make(const double *values, int count, tgd_peers *peers);

#endif
