/* rules.c: checks of layouts and automatic grids that rows share. */
#include "primitives/rules.h"

#include <stdio.h>
#include <string.h>

tg_status tg_check_same_tensor(const tg_layout *x, const tg_layout *y)
{
    bool same = x->ndim == y->ndim;
    for (int a = 0; same && a < x->ndim; a++)
        same = x->axis[a].extent == y->axis[a].extent;
    return same
               ? tg_success()
               : tg_fail(TG_BAD_INPUT, "shape: x and y differ; expected two layouts of one tensor");
}

tg_status tg_check_no_copies(const tg_layout *layout, const char *word)
{
    for (int a = 0; a < layout->ndim; a++)
        if (layout->axis[a].copied && layout->axis[a].parts > 1) {
            char grid[64];
            tg_layout_print_grid(layout, grid, sizeof grid);
            return tg_fail(TG_BAD_INPUT, "%s=%s: axis %d holds copies; expected none here", word,
                           grid, a);
        }
    return tg_success();
}

tg_status tg_check_copies_of(const tg_layout *x, const tg_layout *y, const char *word_x,
                             const char *word_y)
{
    tg_status status = tg_check_same_tensor(x, y);
    if (status.code == TG_OK)
        status = tg_check_no_copies(x, word_x);
    for (int a = 0; status.code == TG_OK && a < x->ndim; a++) {
        const tg_axis *one = &x->axis[a], *many = &y->axis[a];
        bool good = many->copied ? one->parts == 1 : tg_axis_same_split(one, many);
        if (good)
            continue;
        char grid_x[64], grid_y[64];
        tg_layout_print_grid(x, grid_x, sizeof grid_x);
        tg_layout_print_grid(y, grid_y, sizeof grid_y);
        status = tg_fail(TG_BAD_INPUT,
                         "%s=%s %s=%s: axis %d; expected the same split in both, or one part in %s "
                         "and copies in %s",
                         word_x, grid_x, word_y, grid_y, a, word_x, word_y);
    }
    return status;
}

tg_status tg_check_parts_of(const tg_layout *x, const tg_layout *y, const char *word_x,
                            const char *word_y)
{
    tg_status status = tg_check_same_tensor(x, y);
    if (status.code == TG_OK && tg_layout_size(x) != 1) {
        char grid[64];
        tg_layout_print_grid(x, grid, sizeof grid);
        status =
            tg_fail(TG_BAD_INPUT, "%s=%s: expected one part, of which all ranks of %s have a share",
                    word_x, grid, word_y);
    }
    return status.code == TG_OK ? tg_check_no_copies(y, word_y) : status;
}

tg_status tg_check_gathered(const tg_layout *x, const tg_layout *y, const char *word_x,
                            const char *word_y)
{
    tg_status status = tg_check_same_tensor(x, y);
    if (status.code == TG_OK)
        status = tg_check_no_copies(x, word_x);
    for (int a = 0; status.code == TG_OK && a < x->ndim; a++) {
        if (y->axis[a].copied || tg_axis_same_split(&x->axis[a], &y->axis[a]))
            continue;
        char grid_x[64], grid_y[64];
        tg_layout_print_grid(x, grid_x, sizeof grid_x);
        tg_layout_print_grid(y, grid_y, sizeof grid_y);
        status = tg_fail(TG_BAD_INPUT,
                         "%s=%s %s=%s: axis %d; expected the same split in both, or copies in %s",
                         word_x, grid_x, word_y, grid_y, a, word_y);
    }
    return status;
}

tg_status tg_check_windows(const tg_layout *x, const tg_layout *y, const tg_window_rule *rule)
{
    for (int a = 0; a < y->ndim; a++) {
        const tg_window *w = &y->axis[a].window;
        if (w->kernel == 0)
            return tg_fail(TG_BAD_INPUT,
                           "kernel=0 on axis %d: no window; expected one on every axis", a);
        if (tg_window_rule_of(w) != rule)
            return tg_fail(TG_BAD_INPUT, "kernel: a window of the rule %s on axis %d; expected %s",
                           tg_window_rule_of(w)->name, a, rule->name);
    }
    tg_status status = tg_check_same_tensor(x, y);
    for (int a = 0; status.code == TG_OK && a < x->ndim; a++)
        if (x->axis[a].window.kernel != 0)
            status = tg_fail(TG_BAD_INPUT,
                             "kernel: a window on axis %d of x; expected owned boxes there", a);
    if (status.code == TG_OK)
        status = tg_check_no_copies(x, "grid");
    return status.code == TG_OK ? tg_check_copies_of(x, y, "grid", "grid") : status;
}

/* ---- grids ---- */

/* parts[a], with c behind where copied[a]. */
static void write_grid(const int *parts, const bool *copied, int ndim, char *text, size_t size)
{
    tg_layout layout = {.ndim = ndim};
    for (int a = 0; a < ndim; a++) {
        layout.axis[a].parts = parts[a];
        layout.axis[a].copied = copied[a];
    }
    tg_layout_print_grid(&layout, text, size);
}

static void grid_of(int axis, int parts_there, bool copied_there, int ndim, char *text, size_t size)
{
    int parts[TG_MAX_NDIM];
    bool copied[TG_MAX_NDIM] = {false};
    for (int a = 0; a < ndim; a++)
        parts[a] = 1;
    parts[axis] = parts_there;
    copied[axis] = copied_there;
    write_grid(parts, copied, ndim, text, size);
}

void tg_grid_ones(const ptrdiff_t *extent, int ndim, int P, bool to, char *text, size_t size)
{
    (void)extent, (void)P, (void)to;
    grid_of(0, 1, false, ndim, text, size);
}

void tg_grid_copies(const ptrdiff_t *extent, int ndim, int P, bool to, char *text, size_t size)
{
    (void)extent;
    grid_of(0, to ? P : 1, to, ndim, text, size);
}

void tg_grid_uncopies(const ptrdiff_t *extent, int ndim, int P, bool to, char *text, size_t size)
{
    tg_grid_copies(extent, ndim, P, !to, text, size);
}

void tg_grid_parts(const ptrdiff_t *extent, int ndim, int P, bool to, char *text, size_t size)
{
    (void)extent;
    grid_of(0, to ? P : 1, false, ndim, text, size);
}

void tg_grid_unparts(const ptrdiff_t *extent, int ndim, int P, bool to, char *text, size_t size)
{
    tg_grid_parts(extent, ndim, P, !to, text, size);
}

void tg_grid_gathered(const ptrdiff_t *extent, int ndim, int P, bool to, char *text, size_t size)
{
    (void)extent;
    grid_of(0, P, to, ndim, text, size);
}

void tg_grid_reduced(const ptrdiff_t *extent, int ndim, int P, bool to, char *text, size_t size)
{
    tg_grid_gathered(extent, ndim, P, !to, text, size);
}

void tg_grid_turned(const ptrdiff_t *extent, int ndim, int P, bool to, char *text, size_t size)
{
    (void)extent;
    int parts[TG_MAX_NDIM], kept = 1;
    bool copied[TG_MAX_NDIM] = {false};
    for (int d = 2; ndim > 2 && d <= P / d; d++)
        if (P % d == 0)
            kept = d;
    for (int a = 0; a < ndim; a++)
        parts[a] = 1;
    parts[0] = kept;
    parts[to ? ndim - 1 : ndim > 2 ? 1 : 0] *= P / kept;
    write_grid(parts, copied, ndim, text, size);
}

void tg_grid_blocks(const ptrdiff_t *extent, int ndim, int P, bool to, char *text, size_t size)
{
    (void)to;
    int parts[TG_MAX_NDIM];
    bool copied[TG_MAX_NDIM] = {false};
    for (int a = 0; a < ndim; a++)
        parts[a] = 1;
    int factor = P;
    while (P >
           1) { /* the largest prime factor that is left goes to the axis with the longest part */
        for (factor = P; factor > 2; factor--) {
            bool prime = P % factor == 0;
            for (int d = 2; prime && d * d <= factor; d++)
                prime = factor % d != 0;
            if (prime)
                break;
        }
        int longest = 0;
        for (int a = 1; a < ndim; a++)
            if (extent[a] * parts[longest] > extent[longest] * parts[a])
                longest = a;
        parts[longest] *= factor;
        P /= factor;
    }
    write_grid(parts, copied, ndim, text, size);
}
