/* osu.h: --compat osu: repetitions made and counted as the collective benchmarks of OSU do it, so
 * that osu_avg_us, osu_min_us and osu_max_us of a row are what they would print. Line by line:
 * bench/README.md. Source: OSU Micro-Benchmarks 7 (The Ohio State University), c/mpi/collective. */
#ifndef TGB_OSU_H
#define TGB_OSU_H

#include "bench/repeat.h"

/* Calls: Local. The size that OSU's benchmark of this call prints in its first column, in bytes, which
 * is column osu_size_bytes of every row; -1: it has no such call. */
ptrdiff_t tgb_osu_size(const tgb_setup *setup);

/* How often OSU runs a call of this size: repetitions that are not counted, and that are. */
typedef struct {
    int warm_up, counted;
} tgb_osu_counts;
enum { TGB_OSU_MOST = 1000 };
tgb_osu_counts tgb_osu_counts_of(ptrdiff_t size_bytes); /* Local */

/* Calls: Local. The word behind --compat; then, when all words are read, the rules that go with it.
 * Errors: TG_BAD_INPUT: no such word; another start, cache or number of repetitions was chosen. */
tg_status tgb_osu_choose(const char *word, tgb_rules *rules);
tg_status tgb_osu_rules(tgb_rules *rules);

/* Calls: Local. Can this case be measured so? Errors: TG_BAD_INPUT names the operation. */
tg_status tgb_osu_check(const tgb_setup *setup);

/* Calls: Collective on the team. All repetitions, collected; the session has room for TGB_OSU_MOST.
 * Returns why they ended: fixed. */
const char *tgb_osu_repeat(tgb_session *s);

#endif
