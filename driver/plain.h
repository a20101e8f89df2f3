/* plain.h: text of a run's CSV, reduced to what no reader of a figure's files takes for more than text. */
#ifndef TGD_PLAIN_H
#define TGD_PLAIN_H

#include <stdio.h>

/* Calls: Local, both. A malloc'ed copy in which every sign but letters, digits and " _.,:+-=*()/" has
 * become '?'; such a copy between two texts that are written as they are. */
char *tgd_plain(const char *text);
void tgd_put_plain(FILE *file, const char *before, const char *text, const char *after);

#endif
