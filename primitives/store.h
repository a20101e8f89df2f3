/* store.h: how a box of entries lies in a buffer; plain values, no MPI.
 *
 * The buffer has room for before + length + after entries on each axis, so that strides and leading
 * padding are told by numbers of entries. Axes follow each other row-major. In a blocked store axis
 * 1, the channels, is cut into blocks of `block` channels, and the channels of a block lie next to
 * each other, as in oneDNN's nChw8c:
 *
 *     row     n c h w                 index = ((n C + c) H + h) W + w
 *     nchw8c  n c/8 h w c%8           index = (((n ceil(C/8) + c/8) H + h) W + w) 8 + c%8
 *
 * Entries of the room that are not of the box are never read and never written. */
#ifndef TG_STORE_H
#define TG_STORE_H

#include "primitives/layout.h"

/* All zeros: dense and row-major. The same on all ranks, whatever their boxes. */
typedef struct {
    int block; /* 0: no blocks */
    ptrdiff_t before[TG_MAX_NDIM], after[TG_MAX_NDIM];
} tg_store;

enum { TG_CHANNEL_AXIS = 1 };

/* Calls: Local, all.
 *   parse    row, nchw8c or nchw16c, with padding behind it: nchw8c:BEFORE or row:BEFORE:AFTER. The
 *            paddings are numbers joined by x; fewer numbers than axes are the last axes'. Errors:
 *            TG_BAD_INPUT names the key and the word
 *   print    the word that parse reads; returns the length needed, as snprintf
 *   check    does the store fit a tensor of so many axes? Errors: TG_BAD_INPUT names the key */
tg_status tg_store_parse(const char *key, const char *word, int ndim, tg_store *store);
int tg_store_print(const tg_store *store, int ndim, char *text, size_t size);
tg_status tg_store_check(const char *key, const tg_store *store, int ndim);
bool tg_store_equal(const tg_store *a, const tg_store *b);
bool tg_store_is_row(const tg_store *store); /* dense and row-major */

/* Calls: Local. Entries that the buffer of a box has room for; 0 for an empty box, -1 when they are
 * more than a ptrdiff_t counts. The place of entry `at` of the box in it. */
ptrdiff_t tg_store_entries(const tg_store *store, const tg_box *box);
ptrdiff_t tg_store_index(const tg_store *store, const tg_box *box, const ptrdiff_t at[TG_MAX_NDIM]);

#endif
