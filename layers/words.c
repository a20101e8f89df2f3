/* words.c: the words of layers: keys and values, and what several layers read from them alike. */
#define _POSIX_C_SOURCE 200809L
#include "layers/layer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANKS_TEXT = 4096, LAYOUT_TEXT = 256 };

/* ---- keys and values ---- */

const char *tgl_words_get(const tgl_words *words, const char *key)
{
    for (int i = 0; i < words->count; i++)
        if (strcmp(words->word[i].key, key) == 0)
            return words->word[i].value;
    return NULL;
}

tg_status tgl_words_set(tgl_words *words, const char *key, const char *value)
{
    int i = 0;
    while (i < words->count && strcmp(words->word[i].key, key) != 0)
        i++;
    if (i == TGL_MAX_WORDS)
        return tg_fail(TG_BAD_INPUT, "%.40s: expected at most %d words", key, TGL_MAX_WORDS);
    char *name = i < words->count ? words->word[i].key : strdup(key), *text = strdup(value);
    if (!name || !text) {
        if (i == words->count)
            free(name);
        free(text);
        return tg_fail(TG_NO_MEMORY, "no memory for the words of a layer");
    }
    if (i < words->count)
        free(words->word[i].value);
    else
        words->count++;
    words->word[i].key = name;
    words->word[i].value = text;
    return tg_success();
}

tg_status tgl_words_set_sized(tgl_words *words, const char *key, const char *value, ptrdiff_t N)
{
    char text[LAYOUT_TEXT] = "";
    size_t used = 0;
    for (const char *c = value; *c && used < sizeof text; c++)
        used += (size_t)(*c == 'N' ? snprintf(text + used, sizeof text - used, "%td", N)
                                   : snprintf(text + used, sizeof text - used, "%c", *c));
    if (used >= sizeof text)
        return tg_fail(TG_BAD_INPUT, "%s=%.40s...: expected a shorter value", key, value);
    return tgl_words_set(words, key, text);
}

void tgl_words_free(tgl_words *words)
{
    for (int i = 0; i < words->count; i++) {
        free(words->word[i].key);
        free(words->word[i].value);
    }
    words->count = 0;
}

/* ---- single words ---- */

static const char *text_of(const tgl_words *words, const tgl_key *keys, const char *key)
{
    const char *text = tgl_words_get(words, key);
    while (!text && keys->name && strcmp(keys->name, key) != 0)
        keys++;
    return text ? text : keys->initial ? keys->initial : "";
}

static bool read_number(const char **text, ptrdiff_t *value)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    long long number = strtoll(*text, &end, 10);
    *text = end;
    *value = (ptrdiff_t)number;
    return errno == 0 && number <= INT32_MAX;
}

tg_status tgl_word_extent(const tgl_words *words, const tgl_key *keys, const char *key,
                          ptrdiff_t *value)
{
    const char *text = text_of(words, keys, key), *end = text;
    if (read_number(&end, value) && *end == '\0')
        return tg_success();
    return tg_fail(TG_BAD_INPUT, "%s=%.40s: expected a whole number from 0 to %d", key, text,
                   INT32_MAX);
}

tg_status tgl_word_yes(const tgl_words *words, const tgl_key *keys, const char *key, bool *yes)
{
    const char *text = text_of(words, keys, key);
    *yes = strcmp(text, "yes") == 0;
    if (*yes || strcmp(text, "no") == 0)
        return tg_success();
    return tg_fail(TG_BAD_INPUT, "%s=%.40s: expected yes or no", key, text);
}

tg_status tgl_word_tuple(const tgl_words *words, const tgl_key *keys, const char *key, int axes,
                         ptrdiff_t rest, ptrdiff_t *tuple, tgl_problem *problem)
{
    const char *text = text_of(words, keys, key), *at = text;
    ptrdiff_t read[TG_MAX_NDIM];
    int count = 0;
    bool good = *at != '\0';
    while (good && *at) {
        good = count < axes && read_number(&at, &read[count]) &&
               (*at == '\0' || (*at == 'x' && at[1] != '\0'));
        count++;
        at += good && *at == 'x';
    }
    if (!good)
        return tg_fail(TG_BAD_INPUT, "%s=%.40s: expected at most %d numbers from 0, as in 3x3", key,
                       text, axes);
    char canonical[LAYOUT_TEXT] = "";
    size_t used = 0;
    for (int d = 0; d < axes; d++) {
        tuple[d] = d < axes - count ? rest : read[d - (axes - count)];
        used += (size_t)snprintf(canonical + used, sizeof canonical - used, "%s%td", d ? "x" : "",
                                 tuple[d]);
    }
    return tgl_words_set(&problem->words, key, canonical);
}

tg_status tgl_word_pair(const tgl_words *words, const char *key, ptrdiff_t *in, ptrdiff_t *out)
{
    const char *text = tgl_words_get(words, key), *at = text ? text : "";
    if (read_number(&at, in) && *at == ':') {
        at++;
        if (read_number(&at, out) && *at == '\0')
            return tg_success();
    }
    return tg_fail(TG_BAD_INPUT, "%s=%.40s: expected IN:OUT, as in 1024:512", key,
                   text ? text : "");
}

tg_status tgl_word_set_number(tgl_words *words, const char *key, ptrdiff_t a, ptrdiff_t b)
{
    char text[64];
    snprintf(text, sizeof text, b < 0 ? "%td" : "%td:%td", a, b);
    return tgl_words_set(words, key, text);
}

tg_status tgl_word_alone(const tgl_problem *problem, tgl_words *words)
{
    static const char *const placed[] = {"grid",  "parts-out",  "parts-batch",
                                         "ranks", "from-ranks", "to-ranks"};
    tg_status status = tg_success();
    for (int i = 0; i < problem->words.count && status.code == TG_OK; i++) {
        bool kept = true;
        for (size_t k = 0; k < sizeof placed / sizeof *placed; k++)
            kept = kept && strcmp(problem->words.word[i].key, placed[k]) != 0;
        if (kept)
            status = tgl_words_set(words, problem->words.word[i].key, problem->words.word[i].value);
    }
    return status;
}

/* ---- layouts ---- */

tg_status tgl_word_shape(const tg_layout *layout, tgl_problem *problem)
{
    char shape[LAYOUT_TEXT];
    tg_layout_print_shape(layout, shape, sizeof shape);
    return tgl_words_set(&problem->words, "shape", shape);
}

tg_status tgl_word_ranks(const char *key, const tg_layout *layout, tgl_problem *problem)
{
    char ranks[RANKS_TEXT];
    if (tg_layout_print_ranks(layout, ranks, sizeof ranks) >= (int)sizeof ranks)
        return tg_fail(TG_BAD_INPUT, "%s=%.40s...: expected a shorter list", key, ranks);
    return tgl_words_set(&problem->words, key, ranks);
}

static tg_status set_layout_words(tgl_problem *problem, const char *grid_key, const char *ranks_key,
                                  const tg_layout *layout)
{
    char grid[LAYOUT_TEXT];
    tg_layout_print_grid(layout, grid, sizeof grid);
    tg_status status = tgl_words_set(&problem->words, grid_key, grid);
    return status.code == TG_OK ? tgl_word_ranks(ranks_key, layout, problem) : status;
}

tg_status tgl_word_layout(const tgl_words *words, const char *shape, const char *side,
                          tgl_problem *problem, tg_layout *layout)
{
    char ranks_key[16], ones[4 * TG_MAX_NDIM] = "1";
    const char *grid_key = side ? side : "grid";
    snprintf(ranks_key, sizeof ranks_key, "%s%sranks", side ? side : "", side ? "-" : "");
    for (const char *c = shape; *c && strlen(ones) + 3 < sizeof ones; c++)
        if (*c == 'x')
            strcat(ones, "x1");
    tg_layout_words w = {.shape = shape,
                         .grid = tgl_words_get(words, grid_key),
                         .ranks = tgl_words_get(words, ranks_key),
                         .side = side};
    if (!w.grid)
        w.grid = ones;
    tg_status status = tg_layout_parse(&w, problem->ranks, 0, layout);
    for (int d = 0; status.code == TG_OK && d < layout->ndim; d++)
        if (layout->axis[d].copied)
            status = tg_fail(TG_BAD_INPUT, "%s=%.40s: expected parts without copies, as in 2x2",
                             grid_key, w.grid);
    if (status.code == TG_OK)
        status = set_layout_words(problem, grid_key, ranks_key, layout);
    if (status.code != TG_OK)
        tg_layout_free(layout);
    return status;
}

/* ---- stores ---- */

tg_status tgl_word_store(const tgl_words *words, const char *key, const char *otherwise, int ndim,
                         tgl_problem *problem, tg_store *store)
{
    const char *text = tgl_words_get(words, key);
    text = text ? text : otherwise;
    tg_status status = tg_store_parse(key, text, ndim, store);
    if (status.code == TG_OK && !tg_store_equal(store, &(tg_store){.block = store->block}))
        status = tg_fail(TG_BAD_INPUT, "%s=%.40s: expected row, nchw8c or nchw16c, without padding",
                         key, text);
    if (status.code == TG_OK)
        status = tg_store_check(key, store, ndim);
    return status.code == TG_OK ? tgl_words_set(&problem->words, key, text) : status;
}

tg_status tgl_word_one_store(const tgl_words *words, tgl_problem *problem)
{
    const int ndim = problem->x.ndim;
    tg_status status = tgl_word_store(words, "store-x", "row", ndim, problem, &problem->store_x);
    if (status.code != TG_OK)
        return status;
    const char *x = tgl_words_get(&problem->words, "store-x");
    status = tgl_word_store(words, "store-y", x, ndim, problem, &problem->store_y);
    if (status.code == TG_OK && !tg_store_equal(&problem->store_x, &problem->store_y))
        status = tg_fail(TG_BAD_INPUT, "store-y=%s: expected %s, the store of x",
                         tgl_words_get(&problem->words, "store-y"), x);
    return status;
}
