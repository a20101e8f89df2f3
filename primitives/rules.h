/* rules.h: what rows share: checks of layouts, automatic grids, unavoidable traffic. Private to
 * the room. */
#ifndef TG_RULES_H
#define TG_RULES_H

#include "primitives/primitives.h"

/* Calls: Local. Rules about layouts; each error names the word and what was expected.
 *   same_tensor  x and y have the same extents
 *   no_copies    no axis holds more than one copy; `word` is the grid's key
 *   copies_of    y is x with copies: an axis is split alike in both, or is one part in x and
 *                copies in y; word_x and word_y are the grids' keys
 *   parts_of     x is one part, y holds no copies
 *   gathered     x holds no copies; an axis is split alike in both, or held in copies in y
 *   windows      y is x with a window of this rule on every axis; neither holds copies */
tg_status tg_check_same_tensor(const tg_layout *x, const tg_layout *y);
tg_status tg_check_no_copies(const tg_layout *layout, const char *word);
tg_status tg_check_copies_of(const tg_layout *x, const tg_layout *y, const char *word_x,
                             const char *word_y);
tg_status tg_check_parts_of(const tg_layout *x, const tg_layout *y, const char *word_x,
                            const char *word_y);
tg_status tg_check_gathered(const tg_layout *x, const tg_layout *y, const char *word_x,
                            const char *word_y);
tg_status tg_check_windows(const tg_layout *x, const tg_layout *y, const tg_window_rule *rule);

/* Calls: Local. Grids of P parts, as words: of `from` | of `to`. Parts and copies lie along the
 * first axis.
 *   ones      one part | one part
 *   copies    one part | P copies         uncopies  P copies | one part
 *   parts     one part | P parts          unparts   P parts | one part
 *   gathered  P parts | P copies          reduced   P copies | P parts
 *   turned    P parts along the first axis | P parts along the last axis; with more than two axes, parts
 *             along the first and the second | along the first and the last, as square as P's factors
 *             allow: the pencils of a Fourier transform
 *   blocks    parts as near to cubes as P's prime factors allow */
typedef void tg_grid(const ptrdiff_t *extent, int ndim, int P, bool to, char *text, size_t size);
tg_grid tg_grid_ones, tg_grid_copies, tg_grid_uncopies, tg_grid_parts, tg_grid_unparts,
    tg_grid_gathered, tg_grid_reduced, tg_grid_turned, tg_grid_blocks;

/* Calls: Local. Traffic of y[held] = x[owned], and of its adjoint from y to x. Cost: that of the
 * ranks, and of the parts of the axes. */
tg_status tg_traffic_copy(const tg_layout *x, const tg_layout *y, tg_traffic *traffic);
tg_status tg_traffic_sum(const tg_layout *x, const tg_layout *y, tg_traffic *traffic);

#endif
