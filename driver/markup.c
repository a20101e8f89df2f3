/* markup.c: texts and bytes of a run within XML and HTML. Sources: RFC 3629 (UTF-8), XML 1.0, RFC 4648. */
#include "driver/markup.h"

#include "driver/text.h"

#include <stdlib.h>

/* Length of the UTF-8 sequence at c; 0: it is none. */
static int utf8_length(const unsigned char *c)
{
    const int length = *c < 0x80                 ? 1
                       : *c >= 0xC2 && *c < 0xE0 ? 2
                       : *c >= 0xE0 && *c < 0xF0 ? 3
                       : *c >= 0xF0 && *c < 0xF5 ? 4
                                                 : 0;
    for (int i = 1; i < length; i++)
        if ((c[i] & 0xC0) != 0x80)
            return 0;
    const bool surrogate = length == 3 && *c == 0xED && c[1] >= 0xA0;
    const bool overlong =
        (length == 3 && *c == 0xE0 && c[1] < 0xA0) || (length == 4 && *c == 0xF0 && c[1] < 0x90);
    const bool beyond = length == 4 && *c == 0xF4 && c[1] >= 0x90;
    const bool no_character = length == 3 && *c == 0xEF && c[1] == 0xBF && c[2] >= 0xBE;
    return surrogate || overlong || beyond || no_character ? 0 : length;
}

char *tgd_clean(const char *text)
{
    char *copy = tgd_copy(text);
    for (char *c = copy; *c;) {
        const int length = utf8_length((const unsigned char *)c);
        const bool control = length == 1 && ((unsigned char)*c < 0x20 || *c == 0x7F);
        const bool c1 = length == 2 && (unsigned char)*c == 0xC2 && (unsigned char)c[1] < 0xA0;
        if (length == 0 || control || c1)
            for (int i = 0; i < (c1 ? 2 : 1); i++)
                c[i] = '?';
        c += length > 0 ? length : 1;
    }
    return copy;
}

void tgd_put_clean(FILE *file, const char *text)
{
    char *copy = tgd_clean(text);
    fputs(copy, file);
    free(copy);
}

void tgd_put_escaped(FILE *file, const char *text)
{
    static const struct {
        char sign;
        const char *entity;
    } entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    char *copy = tgd_clean(text);
    for (const char *c = copy; *c; c++) {
        const char *entity = NULL;
        for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
            entity = *c == entities[i].sign ? entities[i].entity : entity;
        if (entity)
            fputs(entity, file);
        else
            putc(*c, file);
    }
    free(copy);
}

void tgd_put_base64(FILE *file, const char *bytes, size_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < count; i += 3) {
        unsigned triple = 0;
        for (size_t k = 0; k < 3; k++)
            triple = triple << 8 | (i + k < count ? (unsigned char)bytes[i + k] : 0u);
        for (size_t k = 0; k < 4; k++)
            putc(i + k <= count ? digits[triple >> (18 - 6 * k) & 63] : '=', file);
    }
}
