/* html.h: pieces of a page. Texts are escaped (tgd_put_escaped) and cut, with a mark, where they are longer
 * than any that we write. */
#ifndef TGD_HTML_H
#define TGD_HTML_H

#include <stdio.h>

/* Calls: Local, all. An element with one text; tag: its name and attributes. */
void tgd_html_element(FILE *out, const char *tag, const char *text);
void tgd_html_text(FILE *out, const char *text);
void tgd_html_number(FILE *out, const char *format, double value); /* a <td>; empty for NAN */

/* Lines, as they are. */
void tgd_html_lines(FILE *out, const char *text);

/* A table in a box of its own, which scrolls where the page is narrow; heads end with NULL. `what` names
 * it to those who do not see it. */
void tgd_html_table(FILE *out, const char *what, const char *const *heads);
void tgd_html_table_end(FILE *out);

/* "... and 7 more in PLACE", when there are more than shown; place is HTML. */
void tgd_html_more(FILE *out, int shown, int count, const char *place);

#endif
