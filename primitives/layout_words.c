/* layout_words.c: layouts from the words of a case, and back.
 *
 * shape = 77x55 | Nx4     grid = 3x2c | Px1     ranks = 0-3,8-4:-2     order = 10 | reshaped
 * parts = 20+19+19+19x*   Every error names the word and what was expected. */
#include "primitives/layout.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A place in a word that is being read. */
typedef struct {
    const char *at;
} reader;

static bool accept(reader *r, char c)
{
    if (*r->at != c)
        return false;
    r->at++;
    return true;
}

/* Digits only: no sign, no blank, nothing above `limit`. */
static bool read_number(reader *r, ptrdiff_t limit, ptrdiff_t *value)
{
    if (*r->at < '0' || *r->at > '9')
        return false;
    *value = 0;
    for (; *r->at >= '0' && *r->at <= '9'; r->at++) {
        int digit = *r->at - '0';
        if (*value > (limit - digit) / 10)
            return false;
        *value = *value * 10 + digit;
    }
    return true;
}

static tg_status bad_word(const char *key, const char *word, const char *expected)
{
    return tg_fail(TG_BAD_INPUT, "%s=%.80s: expected %s", key, word, expected);
}

static tg_status read_shape(const char *word, ptrdiff_t N, tg_layout *layout)
{
    reader r = {word};
    do {
        if (layout->ndim == TG_MAX_NDIM)
            return tg_fail(TG_BAD_INPUT, "shape=%.80s: expected at most %d axes", word,
                           TG_MAX_NDIM);
        ptrdiff_t extent = N;
        if (!accept(&r, 'N') && !read_number(&r, PTRDIFF_MAX, &extent))
            return bad_word("shape", word, "extents joined by x, as in 77x55 or Nx4");
        layout->axis[layout->ndim++].extent = extent;
    } while (accept(&r, 'x'));
    return *r.at ? bad_word("shape", word, "extents joined by x, as in 77x55 or Nx4")
                 : tg_success();
}

static tg_status read_grid(const char *word, int P, tg_layout *layout)
{
    reader r = {word};
    ptrdiff_t size = 1;
    int a = 0;
    do {
        if (a == layout->ndim)
            return tg_fail(TG_BAD_INPUT,
                           "grid=%.80s: more axes than the %d of the shape; expected as many", word,
                           layout->ndim);
        ptrdiff_t parts = P;
        if (!accept(&r, 'P') && !read_number(&r, INT32_MAX / 2, &parts))
            return bad_word("grid", word, "parts joined by x, as in 3x2c or Px1");
        if (parts < 1)
            return bad_word("grid", word, "1 or more parts on each axis");
        size = size > INT32_MAX / 2 ? size : size * parts;
        if (size > INT32_MAX / 2)
            return bad_word("grid", word, "fewer parts in all");
        layout->axis[a].parts = (int)parts;
        layout->axis[a].copied = accept(&r, 'c');
        a++;
    } while (accept(&r, 'x'));
    if (*r.at)
        return bad_word("grid", word, "parts joined by x, as in 3x2c or Px1");
    if (a < layout->ndim)
        return tg_fail(TG_BAD_INPUT, "grid=%.80s: %d axes, but the shape has %d; expected as many",
                       word, a, layout->ndim);
    return tg_success();
}

/* order=reshaped: the grid's shape reversed, ranks kept in order. */
static void reverse_grid(tg_layout *layout)
{
    for (int a = 0, b = layout->ndim - 1; a < b; a++, b--) {
        tg_axis *low = &layout->axis[a], *high = &layout->axis[b];
        int parts = low->parts;
        bool copied = low->copied;
        low->parts = high->parts;
        low->copied = high->copied;
        high->parts = parts;
        high->copied = copied;
    }
}

static tg_status read_order(const char *word, tg_layout *layout)
{
    for (int a = 0; a < layout->ndim; a++)
        layout->order[a] = a;
    if (!word)
        return tg_success();
    if (strcmp(word, "reshaped") == 0) {
        reverse_grid(layout);
        return tg_success();
    }
    unsigned seen = 0;
    int count = 0;
    for (; word[count] >= '0' && word[count] < '0' + layout->ndim; count++) {
        int axis = word[count] - '0';
        if (count == layout->ndim || (seen >> axis & 1))
            break;
        seen |= 1u << axis;
        layout->order[count] = axis;
    }
    if (word[count] || count != layout->ndim)
        return bad_word("order", word, "each axis once, slowest first, as in 201; or reshaped");
    return tg_success();
}

/* Room doubles, so that a list costs its own length. */
static bool append_run(tg_layout *layout, tg_run run)
{
    size_t count = (size_t)layout->nruns;
    if ((count & (count - 1)) == 0) { /* 0, 1, 2, 4, 8 ...: full */
        tg_run *runs = realloc(layout->runs, (count > 0 ? 2 * count : 1) * sizeof *runs);
        if (!runs)
            return false;
        layout->runs = runs;
    }
    layout->runs[layout->nruns++] = run;
    return true;
}

/* Ranks from the front of a list that make one run: as many as keep one step, if these are three,
 * or two neighbours. */
static tg_run first_run(const int *ranks, int count)
{
    tg_run run = {ranks[0], 1, 1};
    if (count == 1)
        return run;
    int step = ranks[1] - ranks[0], length = 2;
    while (length < count && ranks[length] - ranks[length - 1] == step)
        length++;
    bool neighbours = step == 1 || step == -1;
    if (step != 0 && (length > 2 || neighbours))
        run = (tg_run){ranks[0], length, step};
    return run;
}

tg_status tg_layout_set_ranks(tg_layout *layout, const int *ranks, int count)
{
    layout->nruns = 0;
    for (int at = 0; at < count; at += layout->runs[layout->nruns - 1].count)
        if (!append_run(layout, first_run(ranks + at, count - at)))
            return tg_fail(TG_NO_MEMORY, "no memory for a list of %d ranks", count);
    return tg_success();
}

/* One list, one way to write it: 3,2,1,0 and 3-0:-1 become the same runs. A single long run is that
 * already. */
static tg_status make_canonical(tg_layout *layout)
{
    ptrdiff_t total = 0;
    for (int i = 0; i < layout->nruns; i++)
        total += layout->runs[i].count;
    if (total != tg_layout_size(layout) || (layout->nruns == 1 && total != 2))
        return tg_success(); /* a list of another length is an error that tg_layout_check names */
    int *ranks = malloc((size_t)total * sizeof *ranks);
    if (!ranks)
        return tg_fail(TG_NO_MEMORY, "no memory for a list of %td ranks", total);
    for (int place = 0, i = 0; i < layout->nruns; i++)
        for (int k = 0; k < layout->runs[i].count; k++)
            ranks[place++] = layout->runs[i].first + k * layout->runs[i].step;
    tg_status status = tg_layout_set_ranks(layout, ranks, (int)total);
    free(ranks);
    return status;
}

static tg_status read_ranks(const char *word, tg_layout *layout)
{
    const char *expected = "ranks as in 0-3,8,12-4:-2";
    if (!word) {
        tg_run all = {0, tg_layout_size(layout), 1};
        return append_run(layout, all) ? tg_success()
                                       : tg_fail(TG_NO_MEMORY, "no memory for a rank list");
    }
    reader r = {word};
    do {
        ptrdiff_t first, last, step = 1;
        if (!read_number(&r, INT32_MAX / 2, &first))
            return bad_word("ranks", word, expected);
        last = first;
        if (accept(&r, '-')) {
            if (!read_number(&r, INT32_MAX / 2, &last))
                return bad_word("ranks", word, expected);
            if (accept(&r, ':')) {
                bool down = accept(&r, '-');
                if (!read_number(&r, INT32_MAX / 2, &step) || step == 0)
                    return bad_word("ranks", word, expected);
                step = down ? -step : step;
            }
        }
        if ((last - first) / step < 0 || (last != first && (last - first > 0) != (step > 0)))
            return bad_word("ranks", word,
                            "a step that leads from the first rank to the last, as in 5-3:-1");
        tg_run run = {(int)first, (int)((last - first) / step) + 1, (int)step};
        if (run.count == 1)
            run.step = 1;
        if (!append_run(layout, run))
            return tg_fail(TG_NO_MEMORY, "no memory for a rank list");
    } while (accept(&r, ','));
    return *r.at ? bad_word("ranks", word, expected) : make_canonical(layout);
}

static bool is_balanced(const tg_axis *axis)
{
    tg_axis balanced = *axis;
    balanced.cuts = NULL;
    return !axis->copied && tg_axis_same_split(axis, &balanced);
}

static tg_status read_parts(const char *word, tg_layout *layout)
{
    if (!word)
        return tg_success();
    const char *expected =
        "for each axis * or sizes joined by +, the axes joined by x, as in 20+19+19x*";
    reader r = {word};
    for (int a = 0; a < layout->ndim; a++) {
        tg_axis *axis = &layout->axis[a];
        if (a > 0 && !accept(&r, 'x'))
            return bad_word("parts", word, expected);
        if (accept(&r, '*'))
            continue;
        axis->cuts = calloc((size_t)axis->parts + 1, sizeof *axis->cuts);
        if (!axis->cuts)
            return tg_fail(TG_NO_MEMORY, "no memory for the part sizes of axis %d", a);
        for (int i = 0; i < axis->parts; i++) {
            ptrdiff_t size;
            if ((i > 0 && !accept(&r, '+')) ||
                !read_number(&r, axis->extent - axis->cuts[i], &size))
                return tg_fail(TG_BAD_INPUT, "parts=%.80s: axis %d; expected %d sizes with sum %td",
                               word, a, axis->parts, axis->extent);
            axis->cuts[i + 1] = axis->cuts[i] + size;
        }
        if (axis->cuts[axis->parts] != axis->extent || *r.at == '+')
            return tg_fail(TG_BAD_INPUT, "parts=%.80s: axis %d; expected %d sizes with sum %td",
                           word, a, axis->parts, axis->extent);
        if (is_balanced(axis)) { /* one split, one way to write it */
            free(axis->cuts);
            axis->cuts = NULL;
        }
    }
    return *r.at ? bad_word("parts", word, expected) : tg_success();
}

/* Errors begin with grid, ranks, order or parts. As a user wrote them these keys are from,
 * from-ranks, ... on one side of two layouts, and have a value. */
static tg_status in_user_words(const tg_layout_words *words, tg_status status)
{
    const struct {
        const char *name, *value;
    } keys[] = {{"grid", words->grid},
                {"ranks", words->ranks},
                {"order", words->order},
                {"parts", words->parts},
                {"shape", words->shape}};
    for (size_t i = 0; status.code == TG_BAD_INPUT && i < sizeof keys / sizeof *keys; i++) {
        size_t length = strlen(keys[i].name);
        if (strncmp(status.text, keys[i].name, length) != 0)
            continue;
        bool is_grid = i == 0, is_shape = i == 4;
        const char *side = words->side && !is_shape ? words->side : "";
        const char *dash = *side && !is_grid ? "-" : "", *rest = status.text + length;
        const char *value = *rest == ':' ? keys[i].value : NULL; /* else the text has it */
        return tg_fail(status.code, "%s%s%s%s%.60s%s", side, dash,
                       *side && is_grid ? "" : keys[i].name, value ? "=" : "", value ? value : "",
                       rest);
    }
    return status;
}

tg_status tg_layout_parse(const tg_layout_words *words, int P, ptrdiff_t N, tg_layout *layout)
{
    *layout = (tg_layout){.ndim = 0};
    if (!words->shape)
        return tg_fail(TG_BAD_INPUT,
                       "shape is missing; expected the extents of the tensor, as in 77x55");
    if (!words->grid)
        return tg_fail(TG_BAD_INPUT, "%s is missing; expected the parts of each axis, as in 3x2",
                       words->side ? words->side : "grid");
    tg_status status = read_shape(words->shape, N, layout);
    if (status.code == TG_OK)
        status = read_grid(words->grid, P, layout);
    if (status.code == TG_OK)
        status = read_order(words->order, layout);
    if (status.code == TG_OK)
        status = read_ranks(words->ranks, layout);
    if (status.code == TG_OK)
        status = read_parts(words->parts, layout);
    if (status.code == TG_OK)
        status = tg_layout_check(layout, P);
    if (status.code != TG_OK)
        tg_layout_free(layout);
    return in_user_words(words, status);
}

/* ---- printing ---- */

/* Text that grows in a buffer of limited size, as snprintf counts it. */
typedef struct {
    char *text;
    size_t size;
    int length;
} writer;

static void write_text(writer *w, const char *prefix, ptrdiff_t value, const char *suffix)
{
    size_t used = (size_t)w->length < w->size ? (size_t)w->length : w->size;
    w->length += snprintf(w->text + used, w->size - used, "%s%td%s", prefix, value, suffix);
}

static void write_word(writer *w, const char *word)
{
    size_t used = (size_t)w->length < w->size ? (size_t)w->length : w->size;
    w->length += snprintf(w->text + used, w->size - used, "%s", word);
}

int tg_layout_print_shape(const tg_layout *layout, char *text, size_t size)
{
    writer w = {text, size, 0};
    for (int a = 0; a < layout->ndim; a++)
        write_text(&w, a > 0 ? "x" : "", layout->axis[a].extent, "");
    return w.length;
}

int tg_layout_print_grid(const tg_layout *layout, char *text, size_t size)
{
    writer w = {text, size, 0};
    for (int a = 0; a < layout->ndim; a++)
        write_text(&w, a > 0 ? "x" : "", layout->axis[a].parts, layout->axis[a].copied ? "c" : "");
    return w.length;
}

int tg_layout_print_ranks(const tg_layout *layout, char *text, size_t size)
{
    writer w = {text, size, 0};
    for (int i = 0; i < layout->nruns; i++) {
        const tg_run *run = &layout->runs[i];
        write_text(&w, i > 0 ? "," : "", run->first, "");
        if (run->count > 1)
            write_text(&w, "-", run->first + (ptrdiff_t)(run->count - 1) * run->step, "");
        if (run->count > 1 && run->step != 1)
            write_text(&w, ":", run->step, "");
    }
    return w.length;
}

int tg_layout_print_order(const tg_layout *layout, char *text, size_t size)
{
    writer w = {text, size, 0};
    for (int a = 0; a < layout->ndim; a++)
        write_text(&w, "", layout->order[a], "");
    return w.length;
}

int tg_layout_print_parts(const tg_layout *layout, char *text, size_t size)
{
    writer w = {text, size, 0};
    for (int a = 0; a < layout->ndim; a++) {
        const tg_axis *axis = &layout->axis[a];
        if (a > 0)
            write_word(&w, "x");
        if (!axis->cuts)
            write_word(&w, "*");
        for (int i = 0; axis->cuts && i < axis->parts; i++)
            write_text(&w, i > 0 ? "+" : "", axis->cuts[i + 1] - axis->cuts[i], "");
    }
    return w.length;
}
