/* links.h: the time of a message between each two ranks, from the rounds of machine:pairs. */
#ifndef TGD_LINKS_H
#define TGD_LINKS_H

#include "driver/measured.h"

/* Two ranks, a < b. */
typedef struct {
    int a, b;
    bool apart; /* on two machines */
    double us;  /* there and back: the median over repetitions of the slower end */
} tgd_link;

/* All links of one case (its rounds apart), direction and rank count. */
typedef struct {
    const tgd_group *group; /* its first round */
    tgd_link *link;
    int count;
} tgd_links;

/* Calls: Local. Needs tgd_measured_ranks before. The caller frees by tgd_links_free. */
tgd_links *tgd_links_make(const tgd_measured *e, int *count);
void tgd_links_free(tgd_links *links, int count);

#endif
