/* calibrate.c: writes the cells of the short calibration, launches tgbench on them and keeps the
 * rows that it prints. */
#include "driver/calibrate.h"

#include "driver/child.h"
#include "driver/paths.h"
#include "driver/stop.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double share = 0.1;     /* of the campaign's budget */
static const double patience_s = 60; /* a launch may take this much longer than it was given */

/* ---- rank counts ---- */

static int ascending(const void *left, const void *right)
{
    const long a = *(const long *)left, b = *(const long *)right;
    return (a > b) - (a < b);
}

/* All rank counts of a campaign, each once, ascending, malloc'ed. */
static long *ranks_of(const tgd_campaign *c, int *count)
{
    long *ranks = NULL;
    int all = 0;
    for (int s = 0; s < c->nsections; s++) {
        ranks = tgd_resize(ranks, all + c->sections[s].nranks, sizeof *ranks);
        for (int i = 0; i < c->sections[s].nranks; i++)
            ranks[all++] = c->sections[s].ranks[i];
    }
    *count = 0;
    if (all > 0)
        qsort(ranks, (size_t)all, sizeof *ranks, ascending);
    for (int i = 0; i < all; i++)
        if (i == 0 || ranks[i] != ranks[i - 1])
            ranks[(*count)++] = ranks[i];
    return ranks;
}

/* All hosts of a simulated machine are alike, as are its links: one rank and two of them tell all. */
static long *ranks_simulated(const tgd_campaign *c, int *count)
{
    long *all = ranks_of(c, count), *ranks = tgd_resize(NULL, 2, sizeof *ranks);
    ranks[0] = 1;
    ranks[1] = 2;
    *count = *count > 0 && all[*count - 1] > 1 ? 2 : 1;
    free(all);
    return ranks;
}

/* ---- cells ---- */

/* All ranks are the one that works alone, and the case stands there already; or the machine is
 * simulated, where copies take no time. */
static bool is_left_out(const char *text, long ranks, bool simulated)
{
    return (ranks == 1 && strstr(text, " busy=all")) ||
           (simulated && strncmp(text, "machine:copy ", 13) == 0);
}

/* The cells of a section at one rank count; its own smallest rank count is the least it can take.
 */
static void put_section(FILE *file, const tgd_section *s, long ranks, bool simulated, int *cells)
{
    for (int c = 0; c < s->ncases && ranks >= s->ranks[0]; c++)
        for (int t = 0; t < s->dtypes.count && !is_left_out(s->cases[c].text, ranks, simulated);
             t++)
            for (int i = 0; i < s->nsizes; i++)
                fprintf(file, "0\t%d\t%ld\tsize\tforward\t%td\t%s dtype=%s\n", (*cells)++, ranks,
                        s->sizes[i], s->cases[c].text, s->dtypes.word[t]);
}

static tg_status write_cells(const char *path, const tgd_campaign *parts, bool simulated,
                             const long *ranks, int count)
{
    FILE *file = fopen(path, "w");
    int cells = 1;
    if (file)
        fputs("launch\tcell\tranks\tscaling\tdirection\tsize_bytes\tcase\n", file);
    for (int i = 0; file && i < count; i++)
        for (int s = 0; s < parts->nsections; s++)
            put_section(file, &parts->sections[s], ranks[i], simulated, &cells);
    const bool good = file && !ferror(file);
    if ((file && fclose(file) != 0) || !good)
        return tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected a file that can be written", path,
                       strerror(errno));
    return tg_success();
}

/* ---- launches ---- */

/* What a launch prints: the header and rows of cells.csv; all else goes to the log. */
typedef struct {
    FILE *log, *rows;
    int count; /* of rows */
    bool headed;
    double end_s; /* of the launch */
} listener;

static void on_line(void *context, bool is_error, const char *line)
{
    listener *l = context;
    const bool is_header = !is_error && strncmp(line, "schema,", 7) == 0;
    const bool is_row = !is_error && strncmp(line, "1,", 2) == 0;
    if (!is_header && !is_row)
        fprintf(l->log, "%s\n", line);
    if (is_row || (is_header && !l->headed))
        fprintf(l->rows, "%s\n", line);
    l->headed = l->headed || is_header;
    l->count += is_row;
}

/* A launch that hangs is no reason to wait for ever. */
static tgd_wish on_tick(void *context)
{
    const listener *l = context;
    return tgd_stop_signal() || tgd_now_s() > l->end_s ? TGD_END : TGD_GO_ON;
}

static void log_words(FILE *log, const tgd_words *list, char end)
{
    for (int i = 0; i < list->count; i++)
        fprintf(log, "%s%c", list->word[i], i + 1 < list->count ? ' ' : end);
}

/* The machine is asked in the state in which the cells are measured. */
static void add_settings(const tgd_campaign *c, tgd_words *words)
{
    static const char *const names[] = {"sync", "cache"};
    for (int i = 0; i < TGD_PASSED; i++)
        for (int n = 0; n < 2; n++)
            if (c->passed[i] && strcmp(tgd_passed[i], names[n]) == 0) {
                char *word = tgd_format("--%s=%s", names[n], c->passed[i]);
                tgd_words_add(words, word);
                free(word);
            }
}

static void launch(const tgd_calibration *c, const char *cells, long ranks, double budget_s,
                   listener *l)
{
    tgd_words words, environment;
    char *budget = tgd_format("%.0fms", 1e3 * fmax(budget_s, 0.001));
    char *seed = tgd_format("%ld", c->campaign->seed);
    /* A bound is made of what was seen at best: a narrow interval lets all of the time be used, and
     * few repetitions are enough where the network is so slow that no more fit into it. */
    const char *const more[] = {"time",     "--cells",    cells,    "--launch", "0",
                                "--budget", budget,       "--seed", seed,       "--ci",
                                "1%",       "--min-reps", "3"};
    tgd_launch_words(c->launcher, (int)ranks, &words, &environment);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        tgd_words_add(&words, more[i]);
    add_settings(c->campaign, &words);
    log_words(c->log, &environment, ' ');
    log_words(c->log, &words, '\n');
    const tgd_child child = {.arguments = &words,
                             .environment = &environment,
                             .on_line = on_line,
                             .on_tick = on_tick,
                             .context = l};
    l->end_s = c->bench->platform ? INFINITY /* budgets are simulated time, too */
                                  : tgd_now_s() + fmax(budget_s, 0) + patience_s;
    const int rows = l->count, status = tgd_child_run(&child);
    fprintf(c->log, "calibration on %ld ranks: %d rows, exit status %d\n", ranks, l->count - rows,
            status);
    fflush(c->log);
    tgd_words_free(&words);
    tgd_words_free(&environment);
    free(budget);
    free(seed);
}

static void launch_all(const tgd_calibration *c, const char *cells, double budget_s,
                       const long *ranks, int count, listener *l)
{
    const double end_s = tgd_now_s() + budget_s;
    for (int i = 0; i < count && !tgd_stop_signal(); i++)
        launch(c, cells, ranks[i], (end_s - tgd_now_s()) / (count - i), l);
}

/* ---- the file ---- */

/* Under another name first: a file of this name is whole. */
static tg_status write_rows(const char *path, const char *text)
{
    char *unfinished = tgd_format("%s.new", path);
    FILE *file = fopen(unfinished, "w");
    bool good = file && fputs(text, file) >= 0;
    good = (!file || fclose(file) == 0) && good && rename(unfinished, path) == 0;
    free(unfinished);
    return good ? tg_success()
                : tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected a file that can be written", path,
                          strerror(errno));
}

static tg_status measure(const tgd_calibration *c, const tgd_campaign *parts, const char *path,
                         bool *measured)
{
    char *cells = tgd_format("%s/calibration.tsv", c->folder), *text = NULL;
    size_t size;
    int count;
    long *ranks = (c->bench->platform ? ranks_simulated : ranks_of)(c->campaign, &count);
    listener l = {.log = c->log, .rows = open_memstream(&text, &size)};
    tg_status status = l.rows ? write_cells(cells, parts, c->bench->platform, ranks, count)
                              : tg_fail(TG_NO_MEMORY, "no memory for a calibration");
    if (status.code == TG_OK)
        launch_all(c, cells, fmin(parts->budget_s, share * c->campaign->budget_s), ranks, count,
                   &l);
    if (l.rows)
        fclose(l.rows);
    *measured = l.count > 0 && !tgd_stop_signal();
    if (status.code == TG_OK && *measured)
        status = write_rows(path, text);
    unlink(cells);
    free(text);
    free(cells);
    free(ranks);
    return status;
}

tg_status tgd_calibrate(const tgd_calibration *c, char **path)
{
    *path = NULL;
    if (!c->campaign->calibrate || !tgd_bench_operation(c->bench, "machine:copy"))
        return tg_success();
    char *file = tgd_format("%s/%s", c->folder, c->name), *data = tgd_data_folder();
    char *source = tgd_format("%s/campaigns/parts/calibration.ini", data);
    tgd_campaign parts = {.path = NULL};
    bool measured = access(file, R_OK) == 0;
    tg_status status = tg_success();
    if (!measured) {
        status = tgd_campaign_read(source, &parts);
        if (status.code == TG_OK)
            status = measure(c, &parts, file, &measured);
        tgd_campaign_free(&parts);
    }
    if (status.code == TG_OK && measured)
        *path = tgd_copy(file);
    free(source);
    free(data);
    free(file);
    return status;
}
