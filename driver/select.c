/* select.c: words that choose rows. */
#include "driver/select.h"

#include "bench/case.h"
#include "driver/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- operators: a sign begins those that begin with it later ---- */

static bool equal(double order)
{
    return order == 0;
}
static bool unequal(double order)
{
    return !(order == 0);
}
static bool below(double order)
{
    return order < 0;
}
static bool at_most(double order)
{
    return order <= 0;
}
static bool above(double order)
{
    return order > 0;
}
static bool at_least(double order)
{
    return order >= 0;
}

static const struct {
    const char *sign;
    bool (*holds)(double order); /* of the field less the value; NAN: the field is empty */
    bool numbers;                /* it needs them */
} operations[] = {{"!=", unequal, false}, {"<=", at_most, true}, {">=", at_least, true},
                  {"=", equal, false},    {"<", below, true},    {">", above, true}};
enum { OPERATIONS = sizeof operations / sizeof *operations };

/* ---- words ---- */

static tg_status add_word(tgd_selection *selection, const char *word)
{
    const size_t length = strcspn(word, "!=<>");
    for (int i = 0; i < OPERATIONS; i++) {
        const size_t sign = strlen(operations[i].sign);
        if (length == 0 || strncmp(word + length, operations[i].sign, sign) != 0 ||
            !word[length + sign])
            continue;
        selection->term =
            tgd_resize(selection->term, selection->count + 1, sizeof *selection->term);
        selection->term[selection->count++] =
            (tgd_term){tgd_format("%.*s", (int)length, word), tgd_copy(word + length + sign), i};
        return tg_success();
    }
    return tg_fail(TG_BAD_INPUT,
                   "--select '%.60s': expected a column, one of = != < <= > >=, and a value, as in "
                   "ranks<=64",
                   word);
}

/* "Open MPI v4.1.4" are three words. */
static void lengthen(tgd_term *term, const char *word)
{
    char *longer = tgd_format("%s %s", term->value, word);
    free(term->value);
    term->value = longer;
}

tg_status tgd_selection_add(tgd_selection *selection, const char *text)
{
    tgd_words words = {NULL, 0};
    tg_status status = tg_success();
    const int before = selection->count;
    tgd_words_split(&words, text);
    if (words.count == 0)
        status = tg_fail(TG_BAD_INPUT, "--select '': expected words such as op=halo ranks<=64");
    for (int i = 0; i < words.count && status.code == TG_OK; i++)
        if (selection->count > before && !strpbrk(words.word[i], "!=<>"))
            lengthen(&selection->term[selection->count - 1], words.word[i]);
        else
            status = add_word(selection, words.word[i]);
    tgd_words_free(&words);
    return status;
}

void tgd_selection_free(tgd_selection *selection)
{
    for (int i = 0; i < selection->count; i++) {
        free(selection->term[i].column);
        free(selection->term[i].value);
    }
    free(selection->term);
    *selection = (tgd_selection){NULL, 0};
}

/* ---- rows ---- */

/* A word with the number that its value is, as far as it is one. */
typedef struct {
    const tgd_term *term;
    double number; /* NAN: a text */
} meaning;

static bool read_number(const char *text, double *number)
{
    char *end;
    *number = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*number);
}

static tg_status read_meaning(const tgd_term *term, meaning *m)
{
    const size_t length = strlen(term->column);
    ptrdiff_t bytes;
    *m = (meaning){term, (double)NAN};
    if (read_number(term->value, &m->number))
        return tg_success();
    m->number = (double)NAN;
    if (length > 6 && strcmp(term->column + length - 6, "_bytes") == 0) {
        const tg_status status = tgb_parse_size("--select", term->value, &bytes);
        m->number = status.code == TG_OK ? (double)bytes : (double)NAN;
        return status;
    }
    return operations[term->operation].numbers
               ? tg_fail(TG_BAD_INPUT, "--select '%.40s%s%.40s': expected a number behind %s",
                         term->column, operations[term->operation].sign, term->value,
                         operations[term->operation].sign)
               : tg_success();
}

/* How a field lies to the value; NAN: it is empty, or a text where numbers are compared. */
static double order_of(const meaning *m, const char *field)
{
    double number;
    if (!*field)
        return (double)NAN;
    if (!isnan(m->number) && read_number(field, &number))
        return number - m->number;
    return operations[m->term->operation].numbers ? (double)NAN
                                                  : (double)strcmp(field, m->term->value);
}

/* What stands in a column, for a person: the first few texts. */
static char *known_values(const tgd_table *t, int column)
{
    enum { MOST = 8 };
    tgd_words seen = {NULL, 0};
    char *list = tgd_copy("");
    for (int row = 0; row < t->rows && seen.count <= MOST; row++) {
        const char *text = tgd_table_text(t, row, column);
        if (!*text || tgd_words_have(&seen, text))
            continue;
        tgd_words_add(&seen, text);
        char *longer =
            tgd_format("%s%s%.30s", list, *list ? ", " : "", seen.count > MOST ? "..." : text);
        free(list);
        list = longer;
    }
    tgd_words_free(&seen);
    return list;
}

/* The value of = and != stands in a row of a table. */
static tg_status check_value(const meaning *m, tgd_table *const *tables, int count)
{
    for (int i = 0; i < count; i++) {
        const int column = tgd_table_column(tables[i], m->term->column);
        for (int row = 0; row < tables[i]->rows; row++)
            if (order_of(m, tgd_table_text(tables[i], row, column)) == 0)
                return tg_success();
    }
    char *known = known_values(tables[0], tgd_table_column(tables[0], m->term->column));
    const tg_status status =
        tg_fail(TG_BAD_INPUT, "--select '%.40s%s%.40s': no row has that; expected one of: %s",
                m->term->column, operations[m->term->operation].sign, m->term->value,
                *known ? known : "(nothing)");
    free(known);
    return status;
}

static tg_status check_word(const tgd_term *term, tgd_table *const *tables, int count, meaning *m)
{
    for (int i = 0; i < count; i++)
        if (tgd_table_column(tables[i], term->column) < 0)
            return tg_fail(TG_BAD_INPUT,
                           "--select '%.60s': no such column in %.100s; expected one of its header",
                           term->column, tables[i]->path);
    tg_status status = read_meaning(term, m);
    if (status.code == TG_OK && !operations[term->operation].numbers)
        status = check_value(m, tables, count);
    return status;
}

/* Returns how many rows are left. */
static int keep_rows(tgd_table *t, const meaning *m)
{
    const int column = tgd_table_column(t, m->term->column);
    bool *kept = tgd_resize(NULL, t->rows, sizeof *kept);
    for (int row = 0; row < t->rows; row++)
        kept[row] =
            operations[m->term->operation].holds(order_of(m, tgd_table_text(t, row, column)));
    tgd_table_keep(t, kept);
    free(kept);
    return t->rows;
}

tg_status tgd_select(const tgd_selection *selection, tgd_table *const *tables, int count)
{
    meaning *meanings = tgd_resize(NULL, selection->count, sizeof *meanings);
    tg_status status = tg_success();
    for (int i = 0; i < selection->count && status.code == TG_OK; i++)
        status = check_word(&selection->term[i], tables, count, &meanings[i]);
    for (int i = 0; i < selection->count && status.code == TG_OK; i++) {
        int left = 0;
        for (int t = 0; t < count; t++)
            left += keep_rows(tables[t], &meanings[i]);
        if (left == 0)
            status = tg_fail(
                TG_BAD_INPUT,
                "--select: no row is left after '%.40s%s%.40s'; expected words that rows have",
                selection->term[i].column, operations[selection->term[i].operation].sign,
                selection->term[i].value);
    }
    free(meanings);
    return status;
}
