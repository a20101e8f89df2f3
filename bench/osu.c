/* osu.c: OSU's loop: read the clock, call, read the clock, MPI_Barrier; and so on, with no look at
 * the times and no start of its own. Only the clock is ours. */
#include "bench/osu.h"

#include <stdio.h>
#include <string.h>

/* ---- sizes and counts ---- */

static ptrdiff_t part_of_x(const tgb_setup *s)
{
    return s->held_x_bytes;
}

static ptrdiff_t part_of_y(const tgb_setup *s)
{
    return s->held_y_bytes;
}

/* OSU's size is the count of one rank in the call; of MPI_Reduce_scatter that of the whole vector.
 */
static const struct {
    const char *operation;
    ptrdiff_t (*size)(const tgb_setup *setup);
    const char *program; /* NULL: OSU measures it in another way, half a ping-pong */
} rows[] = {
    {"broadcast", tgb_held_bytes, "osu_bcast"},
    {"raw:MPI_Bcast", tgb_held_bytes, "osu_bcast"},
    {"sum_reduce", tgb_held_bytes, "osu_reduce"},
    {"raw:MPI_Reduce", tgb_held_bytes, "osu_reduce"},
    {"all_sum_reduce", tgb_held_bytes, "osu_allreduce"},
    {"raw:MPI_Allreduce", tgb_held_bytes, "osu_allreduce"},
    {"scatter", part_of_y, "osu_scatter"},
    {"gather", part_of_x, "osu_gather"},
    {"all_gather", part_of_x, "osu_allgather"},
    {"reduce_scatter", part_of_x, "osu_reduce_scatter"},
    {"send_recv", tgb_held_bytes, NULL},
};
enum { ROWS = sizeof rows / sizeof *rows };

static int row_of(const tgb_setup *setup)
{
    int row = 0;
    while (row < ROWS && strcmp(rows[row].operation, setup->operation->name) != 0)
        row++;
    return row;
}

ptrdiff_t tgb_osu_size(const tgb_setup *setup)
{
    const int row = row_of(setup);
    return row < ROWS ? rows[row].size(setup) : -1;
}

tgb_osu_counts tgb_osu_counts_of(ptrdiff_t size_bytes)
{
    enum { LARGE = 8192 }; /* above it fewer */
    return size_bytes > LARGE ? (tgb_osu_counts){10, 100} : (tgb_osu_counts){100, TGB_OSU_MOST};
}

tg_status tgb_osu_check(const tgb_setup *setup)
{
    const char *names[ROWS + 1] = {NULL};
    char text[TG_STATUS_TEXT];
    int count = 0;
    const int row = row_of(setup);
    if (row < ROWS && rows[row].program)
        return tg_success();
    for (int i = 0; i < ROWS; i++)
        if (rows[i].program)
            names[count++] = rows[i].operation;
    return tg_fail(TG_BAD_INPUT, "--compat osu: no collective of OSU's is %s; expected %s",
                   setup->operation->name, tgb_join(names, text, sizeof text));
}

/* ---- words ---- */

tg_status tgb_osu_choose(const char *word, tgb_rules *rules)
{
    rules->osu = strcmp(word, "osu") == 0;
    return rules->osu ? tg_success()
                      : tg_fail(TG_BAD_INPUT, "--compat '%.40s' is unknown; expected osu", word);
}

tg_status tgb_osu_rules(tgb_rules *rules)
{
    if (rules->sync != tgb_syncs[0] || rules->cold || rules->min_reps != 0 ||
        rules->max_reps != TGB_MAX_REPS)
        return tg_fail(TG_BAD_INPUT,
                       "--compat osu has its own loop and counts; expected no --sync, "
                       "--cache, --min-reps or --max-reps beside it");
    rules->min_reps = rules->max_reps = TGB_OSU_MOST;
    return tg_success();
}

/* ---- the loop ---- */

const char *tgb_osu_repeat(tgb_session *s)
{
    tgb_work *work = s->work;
    void (*const run)(tgb_work *) = work->direction->run;
    const MPI_Comm comm = s->team->comm;
    const tgb_osu_counts counts = tgb_osu_counts_of(tgb_osu_size(work->setup));
    s->count = s->redone = 0;
    MPI_Barrier(comm);
    for (int i = -counts.warm_up; i < counts.counted; i++) {
        if (tgb_restores(work)) { /* OSU does the same to its buffers when it validates */
            work->direction->fill(work);
            MPI_Barrier(comm);
        }
        const uint64_t begin = tgb_now_ns();
        run(work);
        const uint64_t end = tgb_now_ns();
        MPI_Barrier(comm);
        if (i < 0)
            continue;
        s->begin[i] = tgb_clock_global(&s->team->clock, begin);
        s->took[i] = end - begin;
        s->late[i] = 0;
    }
    tgb_collect(s, 1, counts.counted);
    return "fixed";
}
