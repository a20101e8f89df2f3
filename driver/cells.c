/* cells.c: looks at the folder and at the version of every row before anything is made of it. */
#include "driver/cells.h"

#include "bench/record.h"
#include "driver/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static tg_status check_schema(const tgd_table *cells)
{
    int column;
    char *ours = tgd_format("%d", TGB_SCHEMA);
    tg_status status = tgd_table_require(cells, "schema", &column);
    for (int i = 0; i < cells->rows && status.code == TG_OK; i++) {
        const char *theirs = tgd_table_text(cells, i, column);
        if (strcmp(theirs, ours) != 0) {
            status = tg_fail(TG_BAD_INPUT, "%.150s line %ld, column schema: '%.30s'; expected %s",
                             cells->path, cells->line[i], theirs, ours);
        }
    }
    free(ours);
    return status;
}

tg_status tgd_cells_read(const char *run, tgd_table *cells)
{
    char *path = tgd_format("%s/cells.csv", run);
    struct stat is;
    tg_status status = tg_success();
    *cells = (tgd_table){.rows = 0};
    if (stat(run, &is) != 0 || !S_ISDIR(is.st_mode))
        status = tg_fail(TG_BAD_INPUT, "'%.150s' is not a folder; expected a run folder", run);
    else if (stat(path, &is) != 0 || !S_ISREG(is.st_mode))
        status = tg_fail(TG_BAD_INPUT, "'%.150s' holds no cells.csv; expected a run folder", run);
    if (status.code == TG_OK)
        status = tgd_table_read(path, cells);
    if (status.code == TG_OK)
        status = check_schema(cells);
    if (status.code != TG_OK)
        tgd_table_free(cells);
    free(path);
    return status;
}

bool tgd_is_time(double time_us)
{
    return time_us > 1e-6 && time_us < 1e15;
}
