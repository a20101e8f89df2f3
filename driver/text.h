/* text.h: small helpers on text, memory and files that every file of the driver uses. A program
 * without MPI may end where it stands: without memory these print one line and exit. */
#ifndef TGD_TEXT_H
#define TGD_TEXT_H

#include "primitives/layout.h"

/* A list of words; the list owns them. */
typedef struct {
    char **word;
    int count;
} tgd_words;

/* Calls: Local, all. Malloc'ed text, as printf. */
char *tgd_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *tgd_copy(const char *text);
/* array with room for count elements of size bytes, as realloc. */
void *tgd_resize(void *array, int count, size_t size);
void tgd_words_add(tgd_words *words, const char *word);   /* adds a copy */
void tgd_words_split(tgd_words *words, const char *text); /* the words between blanks of a text */
bool tgd_words_have(const tgd_words *words, const char *word);
void tgd_words_free(tgd_words *words);

/* The whole file in malloc'ed text, or NULL with errno set. */
char *tgd_read_file(const char *path);
/* Write a file. Errors: TG_BAD_INPUT names the file and why. */
tg_status tgd_write_file(const char *path, const char *text);
/* Seconds on the machine's steady clock. */
double tgd_now_s(void);
/* UTC now, as 20261122T091500Z (compact) or 2026-11-22T09:15:00Z, in malloc'ed text. */
char *tgd_utc(bool compact);

/* Print "tensorgauge: text" as exactly one line on standard error; returns the exit status for
 * wrong words, 2. */
int tgd_report(tg_status status);

#endif
