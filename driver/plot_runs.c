/* plot_runs.c: reads the runs that figures are drawn of. */
#include "driver/plot_runs.h"

#include "driver/cells.h"
#include "driver/plot_phases.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- one run ---- */

/* The machine as run.json describes it, or NULL: a run may come without. */
static char *machine_of(const json_t *record)
{
    const json_t *machine = json_object_get(record, "machine");
    const char *host = json_string_value(json_object_get(machine, "host"));
    const char *cpu = json_string_value(json_object_get(machine, "cpu_model"));
    const json_int_t cores = json_integer_value(json_object_get(machine, "cores"));
    return host && cpu && cores > 0 ? tgd_format("%s (%s, %lld cores)", host, cpu, (long long)cores)
                                    : NULL;
}

static tg_status make_points(const char *run, const tgd_table *table, tgd_points *points)
{
    tg_status status = tgd_points_make(table, points);
    return status.code == TG_OK ? tgd_phases_read(run, table, points) : status;
}

tg_status tgd_run_points(const char *run, const tgd_selection *selection, tgd_table *table,
                         tgd_points *points)
{
    *points = (tgd_points){.count = 0};
    tg_status status = tgd_cells_read(run, table);
    if (status.code == TG_OK)
        status = tgd_select(selection, &table, 1);
    if (status.code == TG_OK)
        status = make_points(run, table, points);
    if (status.code == TG_OK) {
        char *path = tgd_format("%s/run.json", run);
        json_t *record = json_load_file(path, 0, NULL);
        points->machine = machine_of(record);
        json_decref(record);
        free(path);
    }
    return status;
}

/* ---- several runs ---- */

static const char *host_of(const json_t *record)
{
    const char *host =
        json_string_value(json_object_get(json_object_get(record, "machine"), "host"));
    return host ? host : "";
}

static bool hosts_differ(const tgd_sides *sides)
{
    bool differ = true;
    for (int i = 0; i < sides->runs; i++) {
        differ = differ && *host_of(sides->record[i]);
        for (int j = 0; j < i; j++)
            differ = differ && strcmp(host_of(sides->record[i]), host_of(sides->record[j])) != 0;
    }
    return differ;
}

static char *name_of(const tgd_sides *sides, int run)
{
    if (hosts_differ(sides))
        return tgd_format("%.24s", host_of(sides->record[run]));
    return run < 26 ? tgd_format("run %c", 'A' + run) : tgd_format("run %d", run + 1);
}

static void put_differences(FILE *out, const tgd_sides *sides)
{
    enum { MOST = 12 };
    json_t *list = tgd_sides_differences(sides), *one, *value;
    size_t i, k;
    fputs(json_array_size(list) > 0 ? "What differs between the runs:\n"
                                    : "Nothing that the runs say of themselves differs.\n",
          out);
    json_array_foreach(list, i, one)
    {
        if (i == MOST) {
            fprintf(out, "  and %zu more, which tensorgauge compare names.\n",
                    json_array_size(list) - i);
            break;
        }
        const char *what = json_string_value(json_object_get(one, "what"));
        fprintf(out, "  %.60s: ", what ? what : "");
        json_array_foreach(json_object_get(one, "values"), k, value)
        {
            const char *text = json_string_value(value);
            fprintf(out, "%s%.60s", k > 0 ? " / " : "", text && *text ? text : "(not said)");
        }
        fputs(".\n", out);
    }
    json_decref(list);
}

/* Which runs these are, and how they differ; of all their rows. NULL: no memory. */
static char *about_runs(const tgd_words *runs, const tgd_sides *sides)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    for (int r = 0; r < sides->runs; r++) {
        const tgd_table *t = &sides->table[r];
        char *name = name_of(sides, r), *machine = machine_of(sides->record[r]);
        fprintf(out, "Curves of %s: %.200s. Machine: %.120s. MPI: %.120s.\n", name, runs->word[r],
                machine ? machine : "(not said)",
                t->rows > 0 ? tgd_table_text(t, 0, tgd_table_column(t, "mpi")) : "");
        free(machine);
        free(name);
    }
    put_differences(out, sides);
    fclose(out);
    return text;
}

static tg_status join_runs(const tgd_words *runs, const tgd_sides *sides, tgd_points *points)
{
    tg_status status = tg_success();
    for (int r = 0; r < sides->runs && status.code == TG_OK; r++) {
        tgd_points one;
        char *name = name_of(sides, r);
        status = make_points(runs->word[r], &sides->table[r], &one);
        if (status.code == TG_OK)
            tgd_points_join(points, &one, name);
        tgd_points_free(&one);
        free(name);
    }
    return status;
}

tg_status tgd_runs_points(const tgd_words *runs, const tgd_selection *selection, tgd_sides *sides,
                          tgd_points *points)
{
    *points = (tgd_points){.threads = (double)NAN};
    tg_status status = tgd_sides_read(runs, sides);
    tgd_table **tables = tgd_resize(NULL, runs->count, sizeof(tgd_table *));
    for (int r = 0; r < sides->runs; r++)
        tables[r] = &sides->table[r];
    if (status.code == TG_OK)
        points->about = about_runs(runs, sides);
    if (status.code == TG_OK) /* of the sides only their tables are looked at from here on */
        status = tgd_select(selection, tables, sides->runs);
    if (status.code == TG_OK)
        status = join_runs(runs, sides, points);
    free(tables);
    return status;
}
