/* network_words.h: the text of a network, dealt out in another way. */
#ifndef TGB_NETWORK_WORDS_H
#define TGB_NETWORK_WORDS_H

/* Calls: Local. The same layers on one rank: every grid is one of ones, and no rank, order or part is
 * named. malloc'ed; NULL: no memory. */
char *tgb_network_alone(const char *text);

#endif
