/* json_cases.h: the cases of primitives.json as lines of words, each with what must be true of it.
 *
 * The file holds facts about the parametrised cases of DistDL; its field `note` explains them. An
 * item is one of its cases, one row of its two lists of shape rules, or one worked example. */
#ifndef TG_TESTS_JSON_CASES_H
#define TG_TESTS_JSON_CASES_H

#include "primitives/tests/random_words.h"

#include <jansson.h>
#include <stdbool.h>

enum { JSON_KEY = 96, JSON_ITEMS = 256, JSON_MAX_RANKS = 17 };

typedef enum {
    JSON_BROADCAST,
    JSON_SUM_REDUCE,
    JSON_ALL_SUM_REDUCE,
    JSON_REPARTITION,
    JSON_HALO
} json_target;

typedef struct {
    char key[JSON_KEY];   /* of the file; for rules and examples their list and number */
    char line[LINE_SIZE]; /* the words, without algorithm, in-place and accumulate */
    int ranks;            /* it is run at this number of ranks and no other */
    int words_ranks; /* ranks that its words need: more than `ranks`: the words are read only */
    bool rejected;   /* it must be refused, by a line with both names */
    char named[2][64];
    json_target target;
    const json_t *json; /* its object in the file */
    bool worked;        /* a worked example */
} json_item;

/* Reads all of the file; returns the number of items. A target, a field or a sentence that is not
 * known ends the program with status 2: nothing of the file is left out silently. */
int json_read(const char *path, json_item items[JSON_ITEMS]);

#endif
