/* cell.c: lists of cells from words and from files. Every word is looked at before anything is
 * measured. */
#include "bench/cell.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tgb_sweep_free(tgb_sweep *sweep)
{
    tgb_free_words(sweep->directions, sweep->ndirections);
    tgb_free_words(sweep->dtypes, sweep->ndtypes);
    tgb_free_words(sweep->kernels, sweep->nkernels);
    tgb_free_words(sweep->algorithms, sweep->nalgorithms);
    free(sweep->ranks);
    free(sweep->sizes);
    *sweep = (tgb_sweep){.nsizes = 0};
}

void tgb_cells_free(tgb_cells *cells)
{
    for (int i = 0; i < cells->count; i++)
        tgb_setup_free(&cells->cell[i].setup);
    free(cells->cell);
    *cells = (tgb_cells){.count = 0};
}

/* ---- one cell ---- */

static tg_status find_direction(const tgb_operation *operation, const char *name,
                                const tgb_direction **direction)
{
    const char *names[8] = {NULL};
    char text[TG_STATUS_TEXT];
    *direction = tgb_find_direction(operation, name);
    if (*direction)
        return tg_success();
    for (int i = 0; i < operation->ndirections && i < 7; i++)
        names[i] = operation->directions[i].name;
    return tg_fail(TG_BAD_INPUT, "direction '%.40s' is unknown for %s; expected %s", name,
                   operation->name, tgb_join(names, text, sizeof text));
}

typedef struct {
    const char *direction;
    int ranks;
    tgb_scaling scaling;
    ptrdiff_t size;
    long number, turn;
} request;

static tg_status add_cell(const tgb_case *words, const request *r, tgb_cells *cells)
{
    tgb_cell cell = {.scaling = r->scaling, .size = r->size, .number = r->number, .turn = r->turn};
    tg_status status = tgb_resolve(words, r->ranks, r->scaling, r->size, &cell.setup);
    if (status.code != TG_OK)
        return status;
    status = find_direction(cell.setup.operation, r->direction, &cell.direction);
    tgb_cell *grown = NULL;
    if (status.code == TG_OK) {
        grown = realloc(cells->cell, ((size_t)cells->count + 1) * sizeof *grown);
        status = grown ? status : tg_fail(TG_NO_MEMORY, "no memory for %d cells", cells->count + 1);
    }
    if (status.code != TG_OK) {
        tgb_setup_free(&cell.setup);
        return status;
    }
    cells->cell = grown;
    cells->cell[cells->count++] = cell;
    return status;
}

/* ---- the cells of a case: sizes, in ranks, directions, algorithms, kernels, types ---- */

static tg_status add_sizes(const tgb_case *words, const tgb_sweep *sweep, request r,
                           tgb_cells *cells)
{
    bool needs;
    tg_status status = tgb_needs_size(words, &needs);
    int count = needs && sweep->nsizes > 0 ? sweep->nsizes : 1;
    for (int i = 0; i < count && status.code == TG_OK; i++) {
        r.size = sweep->nsizes > 0 ? sweep->sizes[i] : -1;
        status = add_cell(words, &r, cells);
    }
    return status;
}

static tg_status add_ranks(const tgb_case *words, const tgb_sweep *sweep, const char *direction,
                           tgb_cells *cells)
{
    tg_status status = tg_success();
    for (int i = 0; i < sweep->nranks && status.code == TG_OK; i++) {
        request r = {.direction = direction,
                     .ranks = (int)sweep->ranks[i],
                     .scaling = sweep->scaling,
                     .number = -1,
                     .turn = -1};
        status = add_sizes(words, sweep, r, cells);
    }
    return status;
}

static tg_status add_directions(const tgb_case *words, const tgb_sweep *sweep, tgb_cells *cells)
{
    const tgb_operation *operation = tgb_find(words->operation);
    tg_status status = tg_success();
    if (sweep->ndirections == 0 && !operation) /* the error of an unknown operation */
        return add_ranks(words, sweep, "forward", cells);
    for (int i = 0; i < sweep->ndirections && status.code == TG_OK; i++)
        status = add_ranks(words, sweep, sweep->directions[i], cells);
    for (int i = 0; sweep->ndirections == 0 && i < operation->ndirections && status.code == TG_OK;
         i++)
        status = add_ranks(words, sweep, operation->directions[i].name, cells);
    return status;
}

static tg_status add_algorithms(tgb_case *words, const tgb_sweep *sweep, tgb_cells *cells)
{
    const tgb_operation *operation = tgb_find(words->operation);
    bool all = sweep->all_algorithms && operation && !tgb_case_get(words, "algorithm");
    tg_status status = tg_success();
    if (sweep->nalgorithms == 0 && !all)
        return add_directions(words, sweep, cells);
    for (int i = 0;
         (all ? operation->algorithms[i] != NULL : i < sweep->nalgorithms) && status.code == TG_OK;
         i++) {
        status =
            tgb_case_set(words, "algorithm", all ? operation->algorithms[i] : sweep->algorithms[i]);
        if (status.code == TG_OK)
            status = add_directions(words, sweep, cells);
    }
    return status;
}

/* NULL: the case's own word. */
static tg_status add_case(const char *text, const tgb_sweep *sweep, const char *dtype,
                          const char *kernels, tgb_cells *cells)
{
    tgb_case words;
    tg_status status = tgb_case_parse(text, &words);
    if (status.code == TG_OK && dtype)
        status = tgb_case_set(&words, "dtype", dtype);
    if (status.code == TG_OK && kernels)
        status = tgb_case_set(&words, "kernels", kernels);
    if (status.code == TG_OK)
        status = add_algorithms(&words, sweep, cells);
    tgb_case_free(&words);
    return status;
}

tg_status tgb_cells_of_case(const char *text, const tgb_sweep *sweep, tgb_cells *cells)
{
    tg_status status = tg_success();
    for (int i = 0; i < (sweep->ndtypes > 0 ? sweep->ndtypes : 1); i++)
        for (int j = 0; j < (sweep->nkernels > 0 ? sweep->nkernels : 1); j++)
            if (status.code == TG_OK)
                status = add_case(text, sweep, sweep->ndtypes > 0 ? sweep->dtypes[i] : NULL,
                                  sweep->nkernels > 0 ? sweep->kernels[j] : NULL, cells);
    return status;
}

/* ---- turns ---- */

static bool belong_together(const tgb_cell *a, const tgb_cell *b)
{
    return a->setup.ranks == b->setup.ranks && a->size == b->size &&
           strcmp(a->direction->name, b->direction->name) == 0;
}

tg_status tgb_cells_take_turns(tgb_cells *cells)
{
    tgb_cell *sorted = malloc((size_t)cells->count * sizeof *sorted);
    int placed = 0;
    if (!sorted)
        return tg_fail(TG_NO_MEMORY, "no memory for %d cells", cells->count);
    for (int i = 0; i < cells->count; i++) { /* who has a turn already is placed */
        const bool placed_before = cells->cell[i].turn >= 0;
        for (int j = i; !placed_before && j < cells->count; j++)
            if (cells->cell[j].turn < 0 && belong_together(&cells->cell[i], &cells->cell[j])) {
                cells->cell[j].turn = i;
                sorted[placed++] = cells->cell[j];
            }
    }
    free(cells->cell);
    cells->cell = sorted;
    return tg_success();
}

int tgb_cells_in_turn(const tgb_cells *cells, int at)
{
    const tgb_cell *first = &cells->cell[at];
    int count = 1;
    while (first->turn >= 0 && at + count < cells->count && first[count].turn == first->turn &&
           first[count].setup.ranks == first->setup.ranks)
        count++;
    return count;
}

/* ---- the cells of a file ---- */

/* launch cell ranks scaling direction size_bytes case, and turn where there is such a column */
enum { FIELDS = 7, MOST_FIELDS };

static bool split_fields(char *line, int fields, char *field[MOST_FIELDS])
{
    for (int i = 0; i < fields; i++) {
        field[i] = line;
        line += strcspn(line, "\t");
        if ((*line == '\0') != (i == fields - 1))
            return false;
        *line++ = '\0';
    }
    return true;
}

static tg_status add_line(char *line, int fields, long launch, long ranks, tgb_cells *cells)
{
    char *field[MOST_FIELDS] = {NULL};
    long line_launch, line_ranks;
    request r = {.size = -1, .turn = -1};
    tgb_case words;
    if (!split_fields(line, fields, field))
        return tg_fail(TG_BAD_INPUT, "expected %d fields with tabs between them", fields);
    tg_status status = tgb_parse_int("launch", field[0], 0, INT_MAX, &line_launch);
    if (status.code == TG_OK)
        status = tgb_parse_int("cell", field[1], 0, INT_MAX, &r.number);
    if (status.code == TG_OK)
        status = tgb_parse_int("ranks", field[2], 1, INT_MAX / 4, &line_ranks);
    if (status.code == TG_OK)
        status = tgb_scaling_parse(field[3], &r.scaling);
    if (status.code == TG_OK && *field[5])
        status = tgb_parse_size("size_bytes", field[5], &r.size);
    if (status.code == TG_OK && field[FIELDS] && *field[FIELDS])
        status = tgb_parse_int("turn", field[FIELDS], 0, INT_MAX, &r.turn);
    if (status.code != TG_OK || (launch >= 0 && line_launch != launch) ||
        (ranks >= 0 && line_ranks != ranks))
        return status;
    r.direction = field[4];
    r.ranks = (int)line_ranks;
    status = tgb_case_parse(field[6], &words);
    if (status.code != TG_OK)
        return status;
    status = add_cell(&words, &r, cells);
    tgb_case_free(&words);
    return status;
}

/* How many fields a header announces; 0: it is none. */
static int fields_of(const char *header)
{
    static const char names[] = "launch\tcell\tranks\tscaling\tdirection\tsize_bytes\tcase";
    const size_t length = sizeof names - 1;
    if (strncmp(header, names, length) != 0)
        return 0;
    return header[length] == '\0'                   ? FIELDS
           : strcmp(header + length, "\tturn") == 0 ? MOST_FIELDS
                                                    : 0;
}

static tg_status add_lines(FILE *file, const char *path, long launch, long ranks, tgb_cells *cells)
{
    char *line = NULL;
    size_t size = 0;
    int fields = 0;
    tg_status status = tg_success();
    for (long number = 1; status.code == TG_OK && getline(&line, &size, file) >= 0; number++) {
        line[strcspn(line, "\r\n")] = '\0';
        if (number == 1 && (fields = fields_of(line)) == 0)
            status = tg_fail(TG_BAD_INPUT, "expected launch cell ranks scaling direction "
                                           "size_bytes case, and perhaps turn, with tabs");
        else if (number > 1 && *line)
            status = add_line(line, fields, launch, ranks, cells);
        if (status.code != TG_OK)
            status = tg_fail(status.code, "%.60s line %ld: %.150s", path, number, status.text);
    }
    free(line);
    if (status.code == TG_OK && cells->count == 0)
        status =
            tg_fail(TG_BAD_INPUT,
                    "%.100s: no line of this launch and rank count; expected one or more", path);
    return status;
}

tg_status tgb_cells_of_file(const char *path, long launch, long ranks, tgb_cells *cells)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return tg_fail(TG_BAD_INPUT, "--cells %.120s: %s; expected a file of cells", path,
                       strerror(errno));
    tg_status status = add_lines(file, path, launch, ranks, cells);
    fclose(file);
    return status;
}
