/* plain.c: text of a run's CSV, reduced to what no reader of a figure's files takes for more than text. */
#include "driver/plain.h"

#include "driver/text.h"

#include <stdlib.h>
#include <string.h>

char *tgd_plain(const char *text)
{
    char *copy = tgd_copy(text);
    for (char *c = copy; *c; c++) {
        const bool letter =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        *c = letter || strchr(" _.,:+-=*()/", *c) ? *c : '?';
    }
    return copy;
}

void tgd_put_plain(FILE *file, const char *before, const char *text, const char *after)
{
    char *copy = tgd_plain(text);
    fprintf(file, "%s%s%s", before, copy, after);
    free(copy);
}
