/* html.c: pieces of a page in HTML 5 (WHATWG, HTML Living Standard) that the sections of a report share. */
#include "driver/html.h"

#include "driver/markup.h"
#include "driver/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 1000, LONGEST_LINES = 100000 };

static char *cut(const char *text, size_t longest)
{
    const bool whole = strnlen(text, longest + 1) <= longest;
    return tgd_format("%.*s%s", (int)longest, text, whole ? "" : "...");
}

void tgd_html_text(FILE *out, const char *text)
{
    char *start = cut(text, LONGEST);
    tgd_put_escaped(out, start);
    free(start);
}

void tgd_html_element(FILE *out, const char *tag, const char *text)
{
    fprintf(out, "<%s>", tag);
    tgd_html_text(out, text);
    fprintf(out, "</%.*s>\n", (int)strcspn(tag, " "), tag);
}

void tgd_html_number(FILE *out, const char *format, double value)
{
    char text[64] = "";
    if (isfinite(value))
        snprintf(text, sizeof text, format, value);
    fprintf(out, "<td class=\"n\">%s</td>", text);
}

void tgd_html_lines(FILE *out, const char *text)
{
    char *copy = cut(text, LONGEST_LINES), *rest = copy;
    fputs("<pre tabindex=\"0\">", out);
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        for (char *tab = strchr(line, '\t'); tab; tab = strchr(tab, '\t'))
            *tab = ' ';
        tgd_put_escaped(out, line);
        if (rest)
            putc('\n', out);
    }
    fputs("</pre>\n", out);
    free(copy);
}

void tgd_html_table(FILE *out, const char *what, const char *const *heads)
{
    fputs("<div class=\"box\" role=\"region\" tabindex=\"0\" aria-label=\"", out);
    tgd_html_text(out, what);
    fputs("\">\n<table>\n<thead><tr>", out);
    for (; *heads; heads++)
        fprintf(out, "<th scope=\"col\">%s</th>", *heads);
    fputs("</tr></thead>\n<tbody>\n", out);
}

void tgd_html_table_end(FILE *out)
{
    fputs("</tbody>\n</table>\n</div>\n", out);
}

void tgd_html_more(FILE *out, int shown, int count, const char *place)
{
    if (count > shown)
        fprintf(out, "<p>... and %d more in %s.</p>\n", count - shown, place);
}
