/* record.c: a row of results as text, one malloc'ed string a column, written as RFC 4180 CSV.
 * A number has the fewest digits from which the same number is read back, and a dot in any locale.
 */
#include "bench/record.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const tgb_column tgb_columns[TGB_COLUMNS] = {
#define TGB_COLUMN(name, type, unit, meaning) {#name, type, unit, meaning},
#include "bench/columns.def"
#undef TGB_COLUMN
};

static void *must(void *memory)
{
    if (!memory) {
        fputs("tensorgauge: no memory for a row of results\n", stderr);
        exit(EXIT_FAILURE);
    }
    return memory;
}

void tgb_record_text(tgb_record *r, tgb_column_id column, const char *text)
{
    char *copy = text ? must(strdup(text)) : NULL;
    free(r->cell[column]);
    r->cell[column] = copy;
}

void tgb_record_int(tgb_record *r, tgb_column_id column, long long value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", value);
    tgb_record_text(r, column, text);
}

void tgb_record_real(tgb_record *r, tgb_column_id column, double value)
{
    if (!isfinite(value)) {
        tgb_record_text(r, column, NULL);
        return;
    }
    const locale_t plain = must(newlocale(LC_ALL_MASK, "C", (locale_t)0));
    const locale_t before = uselocale(plain);
    char text[40];
    int digits = 1;
    do {
        snprintf(text, sizeof text, "%.*g", digits, value);
    } while (strtod(text, NULL) != value && ++digits <= 17);
    uselocale(before);
    freelocale(plain);
    tgb_record_text(r, column, text);
}

void tgb_record_clear(tgb_record *r)
{
    for (int i = 0; i < TGB_COLUMNS; i++) {
        free(r->cell[i]);
        r->cell[i] = NULL;
    }
}

void tgb_csv_field(FILE *file, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, file);
        return;
    }
    putc('"', file);
    for (const char *c = text; *c; c++) {
        if (*c == '"')
            putc('"', file);
        putc(*c, file);
    }
    putc('"', file);
}

/* Joins one text a column; NULL is an empty field. */
static char *line_of(const char *const text[TGB_COLUMNS])
{
    char *line = NULL;
    size_t size = 0;
    FILE *out = must(open_memstream(&line, &size));
    for (int i = 0; i < TGB_COLUMNS; i++) {
        if (i > 0)
            putc(',', out);
        tgb_csv_field(out, text[i] ? text[i] : "");
    }
    putc('\n', out);
    if (fclose(out) != 0)
        must(NULL);
    return must(line);
}

char *tgb_record_line(const tgb_record *r)
{
    const char *text[TGB_COLUMNS];
    for (int i = 0; i < TGB_COLUMNS; i++)
        text[i] = r->cell[i];
    return line_of(text);
}

char *tgb_header_line(void)
{
    const char *text[TGB_COLUMNS];
    for (int i = 0; i < TGB_COLUMNS; i++)
        text[i] = tgb_columns[i].name;
    return line_of(text);
}
