/* fuzz_csv.c: any bytes as a CSV file: they are refused, or every field of the table can be read, row by row as well. */
#include "driver/table.h"
#include "driver/tests/fuzz.h"

#include <assert.h>
#include <string.h>

static tg_status count_row(const tgd_table *t, void *context)
{
    assert(t->rows == 1);
    ++*(int *)context;
    return tg_success();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);
    tgd_table t;
    int rows = 0;
    const tg_status status = tgd_table_read(path, &t);
    const tg_status scanned = tgd_table_scan(path, count_row, &rows);
    assert((status.code == TG_OK) == (scanned.code == TG_OK));
    assert(status.code != TG_OK || rows == t.rows);
    size_t letters = 0;
    for (int row = 0; row < t.rows; row++)
        for (int column = 0; column < t.columns; column++) {
            double value;
            letters += strlen(tgd_table_text(&t, row, column));
            (void)tgd_table_number(&t, row, column, &value);
        }
    assert(letters <= size);
    tgd_table_free(&t);
    return 0;
}
