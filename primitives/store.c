/* store.c: words of stores, room and places of entries. */
#include "primitives/store.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* ---- words ---- */

static const struct {
    const char *name;
    int block;
} kinds[] = {{"row", 0}, {"nchw8c", 8}, {"nchw16c", 16}};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* The most padding of one axis and side. */
static const ptrdiff_t most_padding = 1 << 20;

static const char *name_of(int block)
{
    for (int i = 0; i < KINDS; i++)
        if (kinds[i].block == block)
            return kinds[i].name;
    return NULL;
}

/* Reads the kind at *text and moves *text behind it. */
static bool read_kind(const char **text, int *block)
{
    const size_t length = strcspn(*text, ":");
    for (int i = 0; i < KINDS; i++)
        if (strlen(kinds[i].name) == length && strncmp(*text, kinds[i].name, length) == 0) {
            *block = kinds[i].block;
            *text += length;
            return true;
        }
    return false;
}

/* Reads numbers joined by x at *text, the last axes' paddings, and moves *text behind them. */
static bool read_padding(const char **text, int ndim, ptrdiff_t padding[TG_MAX_NDIM])
{
    ptrdiff_t number[TG_MAX_NDIM];
    int count = 0;
    const char *c = *text;
    do {
        if (count == ndim || *c < '0' || *c > '9')
            return false;
        number[count] = 0;
        for (; *c >= '0' && *c <= '9' && number[count] <= most_padding; c++)
            number[count] = 10 * number[count] + *c - '0';
        if (number[count++] > most_padding)
            return false;
    } while (*c++ == 'x');
    *text = c - 1;
    for (int a = 0; a < count; a++)
        padding[ndim - count + a] = number[a];
    return true;
}

tg_status tg_store_parse(const char *key, const char *word, int ndim, tg_store *store)
{
    const char *rest = word;
    *store = (tg_store){.block = 0};
    bool good = read_kind(&rest, &store->block);
    if (good && *rest == ':' && *++rest != ':')
        good = read_padding(&rest, ndim, store->before);
    if (good && *rest == ':') {
        rest++;
        good = read_padding(&rest, ndim, store->after);
    }
    if (!good || *rest)
        return tg_fail(TG_BAD_INPUT,
                       "%s=%.40s is an unknown store; expected row, nchw8c or nchw16c, and behind "
                       "it at most :BEFORE:AFTER, paddings as in row:1x2:0x3",
                       key, word);
    return tg_store_check(key, store, ndim);
}

/* Writes a colon and the paddings, from the first axis that has some. */
static int print_padding(const ptrdiff_t padding[TG_MAX_NDIM], int ndim, char *text, size_t size)
{
    int first = 0, length = 0;
    while (first < ndim && padding[first] == 0)
        first++;
    for (int a = first; a < ndim; a++) {
        const size_t used = (size_t)length < size ? (size_t)length : size;
        length += snprintf(text + used, size - used, "%s%td", a == first ? "" : "x", padding[a]);
    }
    return length;
}

int tg_store_print(const tg_store *store, int ndim, char *text, size_t size)
{
    char before[24 * TG_MAX_NDIM] = "", after[24 * TG_MAX_NDIM] = "";
    print_padding(store->before, ndim, before, sizeof before);
    print_padding(store->after, ndim, after, sizeof after);
    return snprintf(text, size, "%s%s%s%s%s", name_of(store->block), *before || *after ? ":" : "",
                    before, *after ? ":" : "", after);
}

tg_status tg_store_check(const char *key, const tg_store *store, int ndim)
{
    if (!name_of(store->block))
        return tg_fail(TG_BAD_INPUT, "%s: blocks of %d channels; expected 8, 16 or none", key,
                       store->block);
    if (store->block && ndim <= TG_CHANNEL_AXIS)
        return tg_fail(TG_BAD_INPUT, "%s=%s: a tensor of %d axis has no channels; expected row",
                       key, name_of(store->block), ndim);
    for (int a = 0; a < TG_MAX_NDIM; a++)
        if (store->before[a] < 0 || store->after[a] < 0 || store->before[a] > most_padding ||
            store->after[a] > most_padding)
            return tg_fail(TG_BAD_INPUT,
                           "%s: a padding of %td and %td entries on axis %d; expected 0 to %td",
                           key, store->before[a], store->after[a], a, most_padding);
    return tg_success();
}

bool tg_store_equal(const tg_store *a, const tg_store *b)
{
    bool equal = a->block == b->block;
    for (int i = 0; i < TG_MAX_NDIM; i++)
        equal = equal && a->before[i] == b->before[i] && a->after[i] == b->after[i];
    return equal;
}

bool tg_store_is_row(const tg_store *store)
{
    const tg_store row = {.block = 0};
    return tg_store_equal(store, &row);
}

/* ---- room and places ---- */

/* Entries that the buffer has room for along an axis. */
static ptrdiff_t room(const tg_store *s, const tg_box *box, int axis)
{
    ptrdiff_t length = s->before[axis] + box->hi[axis] - box->lo[axis] + s->after[axis];
    if (axis != TG_CHANNEL_AXIS || s->block == 0)
        return length;
    return (length + s->block - 1) / s->block * s->block;
}

ptrdiff_t tg_store_entries(const tg_store *store, const tg_box *box)
{
    ptrdiff_t entries = 1;
    if (tg_box_count(box) == 0)
        return 0;
    for (int a = 0; a < box->ndim; a++)
        if (__builtin_mul_overflow(entries, room(store, box, a), &entries))
            return -1;
    return entries;
}

ptrdiff_t tg_store_index(const tg_store *store, const tg_box *box, const ptrdiff_t at[TG_MAX_NDIM])
{
    ptrdiff_t index = 0, in_block = 0, block = 1;
    for (int a = 0; a < box->ndim; a++) {
        ptrdiff_t places = room(store, box, a), place = store->before[a] + at[a] - box->lo[a];
        if (a == TG_CHANNEL_AXIS && store->block) {
            block = store->block;
            in_block = place % block;
            place /= block;
            places /= block;
        }
        index = index * places + place;
    }
    return index * block + in_block;
}
