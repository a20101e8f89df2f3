/* select.h: some rows of cells.csv: words of a column, an operator and a value, as in 'op=halo ranks<=64'. */
#ifndef TGD_SELECT_H
#define TGD_SELECT_H

#include "driver/table.h"

typedef struct {
    char *column, *value;
    int operation; /* of a list of select.c */
} tgd_term;

typedef struct {
    tgd_term *term;
    int count;
} tgd_selection;

/* Calls: Local. Adds the words of a text; one without an operator goes on with the value before it, after a
 * blank. Operators: = != < <= > >=. Errors: TG_BAD_INPUT names the word. */
tg_status tgd_selection_add(tgd_selection *selection, const char *text);
void tgd_selection_free(tgd_selection *selection);

/* Calls: Local. Keeps the rows that agree with every word; an empty field agrees with != only. The value of = and !=
 * must stand in a row of one of the tables, so that a misspelt one is seen; < and the like take numbers, columns of
 * bytes also 64KiB. Errors: TG_BAD_INPUT names the word: a column or value that is not there, a text where a number is
 * needed, no row left. */
tg_status tgd_select(const tgd_selection *selection, tgd_table *const *tables, int count);

#endif
