/* random_words.h: nasty small problems as lines of words, the same on every rank for the same seed.
 * Extents below the parts, extents of 0 and 1, odd sizes, idle ranks, ranks in any order, copies,
 * explicit parts with empty ones, orders, and windows that are one-sided, negative, periodic or
 * wider than a neighbour. */
#ifndef TG_TESTS_RANDOM_WORDS_H
#define TG_TESTS_RANDOM_WORDS_H

#include <stdbool.h>
#include <stdint.h>

enum { LINE_SIZE = 1024 };

typedef struct {
    uint64_t state;
} random_source;

long random_below(random_source *source, long n); /* 0 .. n - 1 */

/* A line of layout words for the operation, on at most `ranks` ranks. false: no rule is known for
 * this operation; the words are by the rule of any other one, and may not be this operation's. */
bool random_problem(random_source *source, const char *operation, int ranks, char line[LINE_SIZE]);

/* Append store-x and store-y to the words of a problem: none for most, else blocks and paddings; in
 * place the same for both. */
void random_stores(random_source *source, bool in_place, char line[LINE_SIZE]);

#endif
