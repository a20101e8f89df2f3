/* network_words.c: the text of a network, word by word. */
#include "bench/network_words.h"

#include <stdlib.h>
#include <string.h>

/* Words that say where a tensor lies: a grid becomes ones, the others are left out. */
static const char *const grids[] = {"grid", "from", "to", "parts-out", NULL};
static const char *const places[] = {"ranks",      "from-ranks", "to-ranks", "order",
                                     "from-order", "to-order",   "parts",    "from-parts",
                                     "to-parts",   NULL};

static int is_one_of(const char *const *names, const char *word, size_t length)
{
    for (; *names; names++)
        if (strlen(*names) == length && strncmp(*names, word, length) == 0)
            return 1;
    return 0;
}

/* 2x4cxP: 1x1x1 */
static char *put_ones(const char *grid, size_t length, char *to)
{
    for (size_t i = 0; i < length; i++)
        if (i == 0 || grid[i - 1] == 'x')
            *to++ = '1';
        else if (grid[i] == 'x')
            *to++ = 'x';
    return to;
}

char *tgb_network_alone(const char *text)
{
    char *alone = malloc(strlen(text) + 1), *to = alone;
    while (alone && *text) {
        const size_t length = strcspn(text, " \t\r\n"), key = strcspn(text, " \t\r\n=");
        const char *value = text[key] == '=' ? text + key + 1 : NULL;
        if (*text == '#') {
            text += strcspn(text, "\n");
            continue;
        }
        if (value && is_one_of(grids, text, key)) {
            memcpy(to, text, key + 1);
            to = put_ones(value, length - key - 1, to + key + 1);
        } else if (!(value && is_one_of(places, text, key))) {
            memcpy(to, text, length);
            to += length;
        }
        text += length;
        if (*text)
            *to++ = *text++;
    }
    if (alone)
        *to = '\0';
    return alone;
}
