/* case.h: a case is one line of text that names an operation and its layouts. No MPI, no knowledge
 * of operations: words in, words out. Grammar: operation { " " key "=" value }, one key once. */
#ifndef TGB_CASE_H
#define TGB_CASE_H

#include "primitives/layout.h"

enum { TGB_MAX_KEYS = 32 };

typedef struct {
    char *operation;
    int count;
    struct {
        char *key, *value;
    } word[TGB_MAX_KEYS];
} tgb_case;

/* Calls: Local. Errors: TG_BAD_INPUT names the word (an empty line, a word without '=', a key given
 * twice, a character outside printable ASCII), TG_NO_MEMORY; *c is then empty. */
tg_status tgb_case_parse(const char *text, tgb_case *c);
void tgb_case_free(tgb_case *c); /* an empty case may be freed again */

/* Calls: Local. The value of a key, or NULL; set replaces or appends. Errors of set: TG_BAD_INPUT
 * when there are too many keys, TG_NO_MEMORY. */
const char *tgb_case_get(const tgb_case *c, const char *key);
tg_status tgb_case_set(tgb_case *c, const char *key, const char *value);

/* Calls: Local. The line of text in a malloc'ed string; NULL without memory. */
char *tgb_case_print(const tgb_case *c);

/* ---- numbers as users write them (words.c) ---- */

/* Calls: Local. "64KiB", "1MB", "8" -> bytes; "90s", "1.5min", "200ms" -> seconds; whole numbers in
 * [lo, hi]. Errors: TG_BAD_INPUT names the text, what it is for (what, e.g. "--sizes") and what was
 * expected. */
tg_status tgb_parse_size(const char *what, const char *text, ptrdiff_t *bytes);
tg_status tgb_parse_seconds(const char *what, const char *text, double *seconds);
tg_status tgb_parse_int(const char *what, const char *text, long lo, long hi, long *value);

/* Comma lists into a malloc'ed array: sizes may hold ranges "1KiB:16MiB:x4"; words are malloc'ed
 * strings. */
tg_status tgb_parse_sizes(const char *what, const char *text, ptrdiff_t **sizes, int *count);
tg_status tgb_parse_ints(const char *what, const char *text, long lo, long hi, long **values,
                         int *count);
tg_status tgb_parse_words(const char *what, const char *text, char ***words, int *count);
void tgb_free_words(char **words, int count);

#endif
