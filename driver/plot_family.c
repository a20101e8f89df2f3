/* plot_family.c: cells of one sweep are those that agree when one of their numbers is left out. */
#include "driver/plot_family.h"

#include "driver/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* The next extent at or behind `at`: digits behind one of = x : and before one of x : blank or the end. */
static const char *next_extent(const char *text, const char *at, size_t *length)
{
    for (; *at; at += *length + 1) {
        *length = strspn(at, "0123456789");
        const bool begins = at > text && strchr("=x:", at[-1]);
        if (*length > 0 && begins && strchr("x: ", at[*length])) /* the end is found, too */
            return at;
        if (at[*length] == '\0')
            break;
    }
    return NULL;
}

/* The text with N for the extent; with `equal` for all of its word that equal it. */
static char *with_N(const char *text, const char *extent, size_t length, bool equal)
{
    const char *first = extent, *end = extent + strcspn(extent, " "), *rest = text;
    while (equal && first > text && first[-1] != ' ')
        first--;
    char *made = tgd_copy("");
    size_t other;
    for (const char *at = first; (at = next_extent(text, at, &other)) && at < end; at += other) {
        if (at == extent || (equal && other == length && strncmp(at, extent, length) == 0)) {
            char *longer = tgd_format("%s%.*sN", made, (int)(at - rest), rest);
            free(made);
            made = longer;
            rest = at + other;
        }
        if (!equal)
            break;
    }
    char *whole = tgd_format("%s%s", made, rest);
    free(made);
    return whole;
}

static json_int_t count_of(const json_t *families, const char *words)
{
    return json_integer_value(json_object_get(families, words));
}

/* All the ways to put N: each is noted, or, with best, the one that most cells share is kept. */
static void each_way(json_t *families, const char *words, char **best)
{
    size_t length;
    for (const char *at = words; (at = next_extent(words, at, &length)); at += length) {
        for (int equal = 0; equal < 2; equal++) {
            char *way = with_N(words, at, length, equal);
            if (!best) {
                json_object_set_new(families, way, json_integer(count_of(families, way) + 1));
            } else if (count_of(families, way) > count_of(families, *best)) {
                char *before = *best;
                *best = way;
                way = before;
            }
            free(way);
        }
    }
}

void tgd_family_note(json_t *families, const char *words)
{
    json_object_set_new(families, words, json_integer(count_of(families, words) + 1));
    each_way(families, words, NULL);
}

char *tgd_family_of(json_t *families, const char *words)
{
    char *best = tgd_copy(words);
    each_way(families, words, &best);
    return best;
}
