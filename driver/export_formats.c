/* export_formats.c: one function for each format; a run's texts are data in all of them, escaped as
 * the format wants it. Sources: OSU Micro-Benchmarks 7 and Intel MPI Benchmarks 2021 as they print;
 * Extra-P 4, docs/file-formats.md (JSON Lines). */
#include "driver/export_formats.h"

#include "driver/provenance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *tgd_exported_text(const tgd_exported *e, const char *column)
{
    return tgd_table_text(e->side->table, e->cell->row, tgd_table_column(e->side->table, column));
}

/* ---- tables for people ---- */

static const char *const columns[] = {"operation", "direction", "ranks",    "bytes", "median us",
                                      "least us",  "most us",   "launches", "case"};
enum { COLUMNS = sizeof columns / sizeof *columns };

/* Signs and what stands in their place; ends with NULL. */
typedef const char *const escapes[][2];

static escapes markdown_escapes = {{"|", "\\|"}, {"<", "&lt;"}, {">", "&gt;"},  {"&", "&amp;"},
                                   {"`", "\\`"}, {"*", "\\*"},  {"_", "\\_"},   {"[", "\\["},
                                   {"]", "\\]"}, {"!", "\\!"},  {"\\", "\\\\"}, {NULL, NULL}};
static escapes latex_escapes = {{"\\", "\\textbackslash{}"},
                                {"~", "\\textasciitilde{}"},
                                {"^", "\\textasciicircum{}"},
                                {"&", "\\&"},
                                {"%", "\\%"},
                                {"$", "\\$"},
                                {"#", "\\#"},
                                {"_", "\\_"},
                                {"{", "\\{"},
                                {"}", "\\}"},
                                {"<", "\\textless{}"},
                                {">", "\\textgreater{}"},
                                {"|", "\\textbar{}"},
                                {"\"", "\\textquotedbl{}"},
                                {"`", "\\textasciigrave{}"},
                                {NULL, NULL}};
static escapes no_escapes = {{NULL, NULL}};

static void put_escaped(FILE *out, const char *text, escapes of)
{
    for (; *text; text++) {
        int i = 0;
        while (of[i][0] && *of[i][0] != *text)
            i++;
        if (of[i][0])
            fputs(of[i][1], out);
        else
            putc((unsigned char)*text < ' ' || *text == 127 ? '?' : *text, out);
    }
}

/* How a table looks: what stands before, between and behind the fields of a line. */
typedef struct {
    const char *before, *between, *behind;
    const char *const (*of)[2];
} look;

static void put_value(FILE *out, const look *l, double value)
{
    fputs(l->between, out);
    if (isfinite(value))
        fprintf(out, "%.6g", value);
}

static void put_row(const tgd_exported *e, const look *l, FILE *out)
{
    fputs(l->before, out);
    put_escaped(out, tgd_exported_text(e, "op"), l->of);
    fputs(l->between, out);
    put_escaped(out, e->cell->direction, l->of);
    const double values[] = {e->cell->ranks, e->size_bytes, e->median_us,
                             e->min_us,      e->max_us,     e->cell->launches};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        put_value(out, l, values[i]);
    fputs(l->between, out);
    put_escaped(out, e->cell->text, l->of);
    fputs(l->behind, out);
}

static void put_names(const look *l, FILE *out)
{
    for (int i = 0; i < COLUMNS; i++)
        fprintf(out, "%s%s", i ? l->between : l->before, columns[i]);
    fputs(l->behind, out);
}

static void put_markdown(const tgd_exported *cells, int count, FILE *out)
{
    const look markdown = {"| ", " | ", " |\n", markdown_escapes};
    put_names(&markdown, out);
    fputs("|---|---|---:|---:|---:|---:|---:|---:|---|\n", out);
    for (int i = 0; i < count; i++)
        put_row(&cells[i], &markdown, out);
}

static void put_latex(const tgd_exported *cells, int count, FILE *out)
{
    const look latex = {"  ", " & ", " \\\\\n", latex_escapes};
    fputs("% tensorgauge export; needs \\usepackage[T1]{fontenc} and \\usepackage{textcomp}\n"
          "\\begin{tabular}{llrrrrrrl}\n  \\hline\n",
          out);
    put_names(&latex, out);
    fputs("  \\hline\n", out);
    for (int i = 0; i < count; i++)
        put_row(&cells[i], &latex, out);
    fputs("  \\hline\n\\end{tabular}\n", out);
}

/* ---- as other benchmarks print ---- */

/* Operations that those benchmarks measure, too, and what they call them. */
static const struct {
    const char *op, *osu, *imb;
} names[] = {{"broadcast", "Broadcast", "Bcast"},
             {"raw:MPI_Bcast", "Broadcast", "Bcast"},
             {"sum_reduce", "Reduce", "Reduce"},
             {"raw:MPI_Reduce", "Reduce", "Reduce"},
             {"all_sum_reduce", "Allreduce", "Allreduce"},
             {"raw:MPI_Allreduce", "Allreduce", "Allreduce"},
             {"scatter", "Scatter", "Scatter"},
             {"gather", "Gather", "Gather"},
             {"all_gather", "Allgather", "Allgather"},
             {"reduce_scatter", "Reduce_scatter", "Reduce_scatter"}};
enum { NAMES = sizeof names / sizeof *names };

static int name_of(const tgd_exported *e)
{
    int i = 0;
    while (i < NAMES && strcmp(names[i].op, tgd_exported_text(e, "op")) != 0)
        i++;
    const bool has = strcmp(e->cell->direction, "forward") == 0 && isfinite(e->osu_avg_us) &&
                     isfinite(e->osu_size_bytes);
    return has ? i : NAMES;
}

/* Do two cells belong to one sweep over sizes? */
static bool same_sweep(const tgd_exported *a, const tgd_exported *b)
{
    static const char *const same[] = {"op", "algorithm", "dtype", "in_place"};
    bool is = a->side == b->side && a->cell->ranks == b->cell->ranks;
    for (size_t i = 0; i < sizeof same / sizeof *same && is; i++)
        is = strcmp(tgd_exported_text(a, same[i]), tgd_exported_text(b, same[i])) == 0;
    return is;
}

typedef void put_head(const tgd_exported *e, int name, FILE *out);
typedef void put_line(const tgd_exported *e, FILE *out);

static void put_sweeps(const tgd_exported *cells, int count, put_head *head, put_line *line,
                       FILE *out)
{
    int left_out = 0;
    for (int i = 0; i < count; i++) {
        const int name = name_of(&cells[i]);
        bool seen = name == NAMES;
        left_out += seen;
        for (int j = 0; j < i && !seen; j++)
            seen = name_of(&cells[j]) < NAMES && same_sweep(&cells[j], &cells[i]);
        if (seen)
            continue;
        fputs("# tensorgauge: ", out);
        put_escaped(out, tgd_exported_text(&cells[i], "op"), no_escapes);
        fputs(", algorithm ", out);
        put_escaped(out, tgd_exported_text(&cells[i], "algorithm"), no_escapes);
        fputs(", ", out);
        put_escaped(out, tgd_exported_text(&cells[i], "dtype"), no_escapes);
        fputs("; means over repetitions, then least, largest and mean over ranks\n", out);
        head(&cells[i], name, out);
        double last = -1;
        for (bool more = true; more;) { /* ascending sizes, as those programs print */
            const tgd_exported *next = NULL;
            for (int j = i; j < count; j++) {
                const bool fits = name_of(&cells[j]) < NAMES && same_sweep(&cells[i], &cells[j]);
                if (fits && cells[j].osu_size_bytes > last &&
                    (!next || cells[j].osu_size_bytes < next->osu_size_bytes))
                    next = &cells[j];
            }
            more = next != NULL;
            last = more ? next->osu_size_bytes : last;
            if (more)
                line(next, out);
        }
        putc('\n', out);
    }
    if (left_out > 0)
        fprintf(out, "# left out: %d cells that such a benchmark does not have\n", left_out);
}

static void put_osu_head(const tgd_exported *e, int name, FILE *out)
{
    fprintf(out, "# OSU MPI %s Latency Test v7.0 format\n# Processes: %d\n", names[name].osu,
            e->cell->ranks);
    fprintf(out, "# Size       Avg Latency(us)   Min Latency(us)   Max Latency(us)  Iterations\n");
}

static void put_osu_line(const tgd_exported *e, FILE *out)
{
    fprintf(out, "%-10.0f %17.2f %17.2f %17.2f %11.0f\n", e->osu_size_bytes, e->osu_avg_us,
            e->osu_min_us, e->osu_max_us, isfinite(e->samples) ? e->samples : 0);
}

static void put_osu(const tgd_exported *cells, int count, FILE *out)
{
    put_sweeps(cells, count, put_osu_head, put_osu_line, out);
}

static void put_imb_head(const tgd_exported *e, int name, FILE *out)
{
    static const char rule[] =
        "#----------------------------------------------------------------\n";
    fprintf(out, "%s# Benchmarking %s \n# #processes = %d \n%s", rule, names[name].imb,
            e->cell->ranks, rule);
    fprintf(out, "       #bytes #repetitions  t_min[usec]  t_max[usec]  t_avg[usec]\n");
}

static void put_imb_line(const tgd_exported *e, FILE *out)
{
    fprintf(out, "%13.0f %12.0f %12.2f %12.2f %12.2f\n", e->osu_size_bytes,
            isfinite(e->samples) ? e->samples : 0, e->osu_min_us, e->osu_max_us, e->osu_avg_us);
}

static void put_imb(const tgd_exported *cells, int count, FILE *out)
{
    put_sweeps(cells, count, put_imb_head, put_imb_line, out);
}

/* ---- JSON ---- */

static json_t *number_json(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static void put_json(const tgd_exported *cells, int count, FILE *out)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++) {
        const tgd_exported *e = &cells[i];
        json_t *launches = json_array();
        for (int l = 0; l < e->cell->launches; l++)
            json_array_append_new(launches, json_real(e->cell->us[l]));
        json_array_append_new(array,
                              json_pack("{s:o, s:o, s:o, s:o, s:i, s:o, s:o, s:o}", "build",
                                        tgd_json_text(tgd_exported_text(e, "build")), "op",
                                        tgd_json_text(tgd_exported_text(e, "op")), "direction",
                                        tgd_json_text(e->cell->direction), "case",
                                        tgd_json_text(e->cell->text), "ranks", e->cell->ranks,
                                        "size_bytes", number_json(e->size_bytes), "median_us",
                                        number_json(e->median_us), "launches_us", launches));
    }
    json_t *whole = json_pack("{s:i, s:o}", "schema", 1, "cells", array);
    json_dumpf(whole, out, JSON_INDENT(1));
    putc('\n', out);
    json_decref(whole);
}

/* Extra-P takes "->" for a step of the call path. */
static void put_extrap(const tgd_exported *cells, int count, FILE *out)
{
    for (int i = 0; i < count; i++) {
        const tgd_exported *e = &cells[i];
        char *path = tgd_format("%s %s %s %s", tgd_exported_text(e, "op"), e->cell->direction,
                                tgd_exported_text(e, "algorithm"), tgd_exported_text(e, "dtype"));
        for (char *arrow = strstr(path, "->"); arrow; arrow = strstr(arrow, "->"))
            arrow[1] = '?';
        json_t *values = json_array();
        for (int l = 0; l < e->cell->launches; l++)
            json_array_append_new(values, json_real(e->cell->us[l]));
        json_t *line =
            json_pack("{s:{s:i, s:f}, s:o, s:s, s:o}", "params", "ranks", e->cell->ranks,
                      "size_bytes", isfinite(e->size_bytes) ? e->size_bytes : 0, "callpath",
                      tgd_json_text(path), "metric", "time_us", "value", values);
        json_dumpf(line, out, JSON_COMPACT);
        putc('\n', out);
        json_decref(line);
        free(path);
    }
}

const tgd_format_row tgd_formats[] = {
    {"osu", "as OSU Micro-Benchmarks print: forward cells of their operations", put_osu},
    {"imb", "as Intel MPI Benchmarks print: the same cells", put_imb},
    {"json", "every cell, with the median of each launch", put_json},
    {"markdown", "a table of all cells", put_markdown},
    {"latex", "a table of all cells", put_latex},
    {"extrap", "Extra-P, JSON Lines: parameters ranks and size_bytes", put_extrap},
    {NULL, NULL, NULL},
};
