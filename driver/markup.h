/* markup.h: what a file of a run says is data: it is written so that no terminal, XML or HTML reader
 * takes it for anything else. */
#ifndef TGD_MARKUP_H
#define TGD_MARKUP_H

#include <stddef.h>
#include <stdio.h>

/* Calls: Local, all. UTF-8 on one line: control characters and bytes that are no UTF-8 become '?'.
 * Malloc'ed. */
char *tgd_clean(const char *text);
void tgd_put_clean(FILE *file, const char *text);

/* The same, escaped for XML 1.0 and HTML: as a text and within the quotes of an attribute. */
void tgd_put_escaped(FILE *file, const char *text);

/* Bytes in base64 (RFC 4648), on one line. */
void tgd_put_base64(FILE *file, const char *bytes, size_t count);

#endif
