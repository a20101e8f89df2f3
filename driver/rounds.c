/* rounds.c: all pairs are P (P - 1) / 2 links in about P rounds, too many for a large machine: there
 * a few random rounds look at every rank, and at some links of it. */
#include "driver/rounds.h"

#include "bench/case.h"
#include "bench/pairs.h"
#include "driver/random.h"
#include "driver/text.h"

#include <stdlib.h>
#include <string.h>

enum { ALL_UP_TO = 64, ROUNDS_ABOVE = 16, RING = 2 };

static const char random_word[] = "random:";

tg_status tgd_rounds_check(const char *what, const char *choice)
{
    const size_t length = strlen(random_word);
    long rounds;
    if (strcmp(choice, "all") == 0 || strcmp(choice, "ring") == 0 ||
        (strncmp(choice, random_word, length) == 0 &&
         tgb_parse_int(what, choice + length, 1, 1 << 20, &rounds).code == TG_OK))
        return tg_success();
    return tg_fail(TG_BAD_INPUT, "%s '%.60s': expected all, ring or random:K, such as random:16",
                   what, choice);
}

static int ascending(const void *left, const void *right)
{
    const int a = *(const int *)left, b = *(const int *)right;
    return (a > b) - (a < b);
}

int *tgd_rounds_make(const char *choice, int ranks, long seed, int *count)
{
    const int all = tgb_pair_rounds(ranks);
    int *rounds = tgd_resize(NULL, all, sizeof *rounds), wanted = all;
    const bool is_random = choice && strncmp(choice, random_word, strlen(random_word)) == 0;
    uint64_t state = (uint64_t)seed;
    for (int i = 0; i < all; i++)
        rounds[i] = i + 1;
    if (is_random || (!choice && ranks > ALL_UP_TO)) {
        tgd_shuffle(rounds, all, &state);
        wanted = is_random ? (int)strtol(choice + strlen(random_word), NULL, 10) : ROUNDS_ABOVE;
    } else if (choice && strcmp(choice, "ring") == 0) {
        wanted = RING;
    }
    *count = wanted < all ? wanted : all;
    qsort(rounds, (size_t)*count, sizeof *rounds, ascending);
    return rounds;
}
