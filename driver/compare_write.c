/* compare_write.c: a comparison as compare.csv and compare.json. */
#include "driver/compare_print.h"

#include "bench/record.h"
#include "driver/provenance.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SCHEMA = 1 };

/* ---- one row ---- */

/* Texts of a cell, by columns of cells.csv; then numbers, in the same order in both files. */
static const char *const texts[] = {"op", "direction", "case", "algorithm", "dtype"};
enum { TEXTS = sizeof texts / sizeof *texts };

typedef struct {
    const char *name;
    double value; /* NAN: not known */
} number;
enum { NUMBERS = 18 };

static double size_of(const tgd_sides *sides, const tgd_match *match)
{
    const tgd_table *t = sides->side[match->a ? 0 : match->other].table;
    double size = (double)NAN;
    return tgd_table_number(t, tgd_match_cell(match)->row, tgd_table_column(t, "size_bytes"), &size)
                       .code == TG_OK
               ? size
               : (double)NAN;
}

static void numbers_of(const tgd_comparison *c, int index, number all[NUMBERS])
{
    const tgd_match *match = &c->match[index];
    const tgd_difference *d = &c->difference[index];
    const number row[NUMBERS] = {
        {"ranks", tgd_match_cell(match)->ranks},
        {"size_bytes", size_of(c->sides, match)},
        {"base_launches", d->n},
        {"run_launches", d->m},
        {"base_left_out", match->a ? match->a->left_out : 0},
        {"run_left_out", match->b ? match->b->left_out : 0},
        {"base_us", d->a_median_us},
        {"run_us", d->b_median_us},
        {"cost_us", tgd_cost_us(d)},
        {"ratio", d->ratio},
        {"ratio_lo", d->lo},
        {"ratio_hi", d->hi},
        {"p", isnan(d->lo) ? (double)NAN : d->p},
        {"p_adjusted", isnan(d->lo) ? (double)NAN : d->p_adjusted},
        {"launches_needed", d->launches_needed},
        {"found_5_percent", d->found[0]},
        {"found_10_percent", d->found[1]},
        {"found_20_percent", d->found[2]},
    };
    memcpy(all, row, sizeof row);
}

/* ---- CSV ---- */

/* A text that a spreadsheet would take for a formula gets an apostrophe. */
static void put_field(FILE *out, const char *text)
{
    char *safe = tgd_format("%s%s", *text && strchr("=+-@\t\r", *text) ? "'" : "", text);
    tgb_csv_field(out, safe);
    free(safe);
}

static void put_number(FILE *out, double value)
{
    tgb_record r = {{NULL}};
    if (value == floor(value) && fabs(value) < 0x1p53)
        tgb_record_int(&r, TGB_COL_t_median_us, (long long)value);
    else
        tgb_record_real(&r, TGB_COL_t_median_us, isfinite(value) ? value : (double)NAN);
    fprintf(out, ",%s", r.cell[TGB_COL_t_median_us] ? r.cell[TGB_COL_t_median_us] : "");
    tgb_record_clear(&r);
}

static void put_csv(const tgd_comparison *c, FILE *out)
{
    number all[NUMBERS];
    fputs("schema,base,run", out);
    for (int i = 0; i < TEXTS; i++)
        fprintf(out, ",%s", texts[i]);
    for (int i = 0; i < c->count; i++) {
        const tgd_match *match = &c->match[c->order[i]];
        numbers_of(c, c->order[i], all);
        for (int n = 0; n < NUMBERS && i == 0; n++)
            fprintf(out, ",%s", all[n].name);
        fprintf(out, i == 0 ? ",verdict\n%d," : "%d,", SCHEMA);
        put_field(out, c->sides->side[0].name);
        putc(',', out);
        put_field(out, c->sides->side[match->other].name);
        for (int t = 0; t < TEXTS; t++) {
            putc(',', out);
            put_field(out, tgd_match_text(c->sides, match, texts[t]));
        }
        for (int n = 0; n < NUMBERS; n++)
            put_number(out, all[n].value);
        fprintf(out, ",%s\n", tgd_outcome_name[c->difference[c->order[i]].outcome]);
    }
}

/* ---- JSON ---- */

static json_t *number_json(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *sides_json(const tgd_comparison *c)
{
    json_t *array = json_array();
    for (int s = 0; s < c->sides->count; s++) {
        const tgd_side *side = &c->sides->side[s];
        json_array_append_new(array, json_pack("{s:o, s:i, s:i}", "name", tgd_json_text(side->name),
                                               "cells", side->count, "left_out", side->left_out));
    }
    return array;
}

static json_t *outcomes_json(const int *outcomes, int most)
{
    json_t *object = json_object();
    for (int o = 0; o < most; o++)
        json_object_set_new(object, tgd_outcome_name[o], json_integer(outcomes[o]));
    return object;
}

static json_t *totals_json(const tgd_comparison *c)
{
    int count;
    tgd_total *totals = tgd_totals_make(c, &count);
    json_t *array = json_array();
    for (int i = 0; i < count; i++) {
        const tgd_total *t = &totals[i];
        json_array_append_new(
            array,
            json_pack("{s:o, s:o, s:i, s:f, s:f, s:f, s:f, s:o}", "op", tgd_json_text(t->op), "run",
                      tgd_json_text(c->sides->side[t->other].name), "cells", t->cells, "base_us",
                      t->a_us, "run_us", t->b_us, "lost_us", t->lost_us, "gained_us", t->gained_us,
                      "verdicts", outcomes_json(t->outcomes, TGD_UNMATCHED)));
    }
    tgd_totals_free(totals, count);
    return array;
}

static json_t *cells_json(const tgd_comparison *c)
{
    json_t *array = json_array();
    number all[NUMBERS];
    for (int i = 0; i < c->count; i++) {
        const tgd_match *match = &c->match[c->order[i]];
        json_t *cell = json_object();
        json_object_set_new(cell, "run", tgd_json_text(c->sides->side[match->other].name));
        for (int t = 0; t < TEXTS; t++)
            json_object_set_new(cell, texts[t],
                                tgd_json_text(tgd_match_text(c->sides, match, texts[t])));
        numbers_of(c, c->order[i], all);
        for (int n = 0; n < NUMBERS; n++)
            json_object_set_new(cell, all[n].name, number_json(all[n].value));
        json_object_set_new(cell, "verdict",
                            json_string(tgd_outcome_name[c->difference[c->order[i]].outcome]));
        json_array_append_new(array, cell);
    }
    return array;
}

static json_t *whole_json(const tgd_comparison *c, const json_t *differences)
{
    json_t *object = json_object();
    json_object_set_new(object, "schema", json_integer(SCHEMA));
    json_object_set_new(object, "sides", sides_json(c));
    json_object_set(object, "differences", (json_t *)differences);
    json_object_set_new(object, "tolerance", json_real(c->terms.tolerance));
    json_object_set_new(object, "level", json_real(c->terms.level));
    json_object_set_new(object, "adjustment", json_string(c->terms.adjustment->name));
    json_object_set_new(object, "compared", json_integer(c->family));
    json_object_set_new(object, "verdicts", outcomes_json(c->outcomes, TGD_OUTCOMES));
    json_t *found = json_array();
    for (int e = 0; e < TGD_EFFECTS; e++)
        json_array_append_new(found, json_pack("{s:f, s:o}", "ratio", tgd_effects[e], "chance",
                                               number_json(c->found[e])));
    json_object_set_new(object, "found", found);
    json_object_set_new(object, "totals", totals_json(c));
    json_object_set_new(object, "cells", cells_json(c));
    return object;
}

/* ---- files ---- */

tg_status tgd_comparison_write(const tgd_comparison *c, const json_t *differences,
                               const char *folder)
{
    char *path = tgd_format("%s/compare.csv", folder), *fresh = tgd_format("%s.new", path);
    tg_status status = tg_success();
    FILE *out = fopen(fresh, "w");
    if (out)
        put_csv(c, out);
    const bool bad = !out || ferror(out) != 0;
    if ((out && fclose(out) != 0) || bad || rename(fresh, path) != 0) {
        status = tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected a file that can be written", path,
                         strerror(errno));
        unlink(fresh);
    }
    free(fresh);
    free(path);
    if (status.code != TG_OK)
        return status;
    path = tgd_format("%s/compare.json", folder);
    json_t *whole = whole_json(c, differences);
    status = tgd_json_write(whole, path);
    json_decref(whole);
    free(path);
    return status;
}
