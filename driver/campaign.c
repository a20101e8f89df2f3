/* campaign.c: reads a campaign with inih. A key is a row: its name and the function that takes its
 * value, the same for a line of the file and for an option of the command line. */
#include "driver/campaign.h"

#include "bench/case.h"
#include "driver/rounds.h"

#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LINE = 65536, MAX_RANKS = 1 << 24, MAX_LAUNCHES = 100000 };

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof *(array)))

/* ---- keys of [campaign] ---- */

static tg_status set_name(tgd_campaign *c, const char *what, const char *value)
{
    (void)what;
    free(c->name);
    c->name = tgd_copy(value);
    return tg_success();
}

static tg_status set_launches(tgd_campaign *c, const char *what, const char *value)
{
    return tgb_parse_int(what, value, 1, MAX_LAUNCHES, &c->launches);
}

static tg_status set_time(const char *what, const char *value, double *time_s)
{
    tg_status status = tgb_parse_seconds(what, value, time_s);
    if (status.code == TG_OK && *time_s <= 0) {
        status =
            tg_fail(TG_BAD_INPUT, "%s '%.60s': expected a time above 0, such as 90s", what, value);
    }
    return status;
}

static tg_status set_budget(tgd_campaign *c, const char *what, const char *value)
{
    return set_time(what, value, &c->budget_s);
}

static tg_status set_stall(tgd_campaign *c, const char *what, const char *value)
{
    return set_time(what, value, &c->stall_s);
}

static tg_status set_soak(tgd_campaign *c, const char *what, const char *value)
{
    return set_time(what, value, &c->soak_s);
}

static tg_status set_order(tgd_campaign *c, const char *what, const char *value)
{
    c->given_order = strcmp(value, "given") == 0;
    if (!c->given_order && strcmp(value, "shuffled") != 0)
        return tg_fail(TG_BAD_INPUT, "%s '%.60s': expected shuffled or given", what, value);
    return tg_success();
}

static tg_status set_seed(tgd_campaign *c, const char *what, const char *value)
{
    return tgb_parse_int(what, value, 0, LONG_MAX, &c->seed);
}

static tg_status set_yes(const char *what, const char *value, bool *yes)
{
    *yes = strcmp(value, "yes") == 0;
    return *yes || strcmp(value, "no") == 0
               ? tg_success()
               : tg_fail(TG_BAD_INPUT, "%s '%.60s': expected yes or no", what, value);
}

static tg_status set_calibrate(tgd_campaign *c, const char *what, const char *value)
{
    return set_yes(what, value, &c->calibrate);
}

static const struct {
    const char *key;
    tg_status (*set)(tgd_campaign *c, const char *what, const char *value);
} campaign_keys[] = {
    {"name", set_name},           {"launches", set_launches},   {"budget", set_budget},
    {"seed", set_seed},           {"calibrate", set_calibrate}, {"order", set_order},
    {"stall-timeout", set_stall}, {"soak", set_soak},
};

/* ---- settings for tgbench, whose words tgbench knows ---- */

const char *const tgd_passed[TGD_PASSED] = {"sync",     "cache",    "ci",        "min-reps",
                                            "max-reps", "counters", "max-mem",   "raw",
                                            "overlap",  "phases",   "auto-cache"};

static int find_passed(const char *key)
{
    int i = 0;
    while (i < TGD_PASSED && strcmp(tgd_passed[i], key) != 0)
        i++;
    return i;
}

static void set_passed(tgd_campaign *c, int i, const char *value)
{
    free(c->passed[i]);
    c->passed[i] = tgd_copy(value);
}

void tgd_campaign_words(const tgd_campaign *c, tgd_words *words)
{
    for (int i = 0; i < TGD_PASSED; i++) {
        if (c->passed[i]) {
            char *word = tgd_format("--%s=%s", tgd_passed[i], c->passed[i]);
            tgd_words_add(words, word);
            free(word);
        }
    }
}

/* ---- keys of [cells NAME] ---- */

static int ascending(const void *left, const void *right)
{
    const long a = *(const long *)left, b = *(const long *)right;
    return (a > b) - (a < b);
}

static tg_status set_ranks(tgd_section *s, const char *what, const char *value)
{
    long *ranks;
    int count;
    const tg_status status = tgb_parse_ints(what, value, 1, MAX_RANKS, &ranks, &count);
    if (status.code != TG_OK)
        return status;
    free(s->ranks);
    s->ranks = ranks;
    s->nranks = 0;
    qsort(ranks, (size_t)count, sizeof *ranks, ascending);
    for (int i = 0; i < count; i++)
        if (i == 0 || ranks[i] != ranks[i - 1])
            s->ranks[s->nranks++] = ranks[i];
    return status;
}

static tg_status set_sizes(tgd_section *s, const char *what, const char *value)
{
    ptrdiff_t *sizes;
    int count;
    const tg_status status = tgb_parse_sizes(what, value, &sizes, &count);
    if (status.code == TG_OK) {
        free(s->sizes);
        s->sizes = sizes;
        s->nsizes = count;
    }
    return status;
}

static tg_status set_words(tgd_words *words, const char *what, const char *value)
{
    tgd_words read;
    const tg_status status = tgb_parse_words(what, value, &read.word, &read.count);
    if (status.code == TG_OK) {
        tgd_words_free(words);
        *words = read;
    }
    return status;
}

static tg_status set_direction(tgd_section *s, const char *what, const char *value)
{
    return set_words(&s->directions, what, value);
}

static tg_status set_dtype(tgd_section *s, const char *what, const char *value)
{
    return set_words(&s->dtypes, what, value);
}

static tg_status set_kernels(tgd_section *s, const char *what, const char *value)
{
    return set_words(&s->kernels, what, value);
}

static tg_status set_algorithm(tgd_section *s, const char *what, const char *value)
{
    return set_words(&s->algorithms, what, value);
}

static tg_status set_scaling(tgd_section *s, const char *what, const char *value)
{
    if (strcmp(value, "strong") != 0 && strcmp(value, "weak") != 0 && strcmp(value, "size") != 0)
        return tg_fail(TG_BAD_INPUT, "%s '%.60s': expected strong, weak or size", what, value);
    free(s->scaling);
    s->scaling = tgd_copy(value);
    return tg_success();
}

static tg_status set_turns(tgd_section *s, const char *what, const char *value)
{
    return set_yes(what, value, &s->turns);
}

static tg_status set_pairs(tgd_section *s, const char *what, const char *value)
{
    const tg_status status = tgd_rounds_check(what, value);
    if (status.code == TG_OK) {
        free(s->pairs);
        s->pairs = tgd_copy(value);
    }
    return status;
}

static const struct {
    const char *key;
    tg_status (*set)(tgd_section *s, const char *what, const char *value);
} section_keys[] = {
    {"ranks", set_ranks},     {"sizes", set_sizes},     {"direction", set_direction},
    {"dtype", set_dtype},     {"kernels", set_kernels}, {"algorithm", set_algorithm},
    {"scaling", set_scaling}, {"turns", set_turns},     {"pairs", set_pairs},
};

tg_status tgd_campaign_set(tgd_campaign *c, const char *what, const char *key, const char *value)
{
    tg_status status = tg_success();
    for (int i = 0; i < COUNT_OF(campaign_keys); i++)
        if (strcmp(campaign_keys[i].key, key) == 0)
            return campaign_keys[i].set(c, what, value);
    if (find_passed(key) < TGD_PASSED)
        set_passed(c, find_passed(key), value);
    c->other_ranks = c->other_ranks || strcmp(key, "ranks") == 0;
    for (int i = 0; i < COUNT_OF(section_keys); i++) {
        for (int s = 0; strcmp(section_keys[i].key, key) == 0 && s < c->nsections; s++) {
            status = section_keys[i].set(&c->sections[s], what, value);
            if (status.code != TG_OK)
                return status;
        }
    }
    return status;
}

/* ---- the file ---- */

/* What inih's call-backs share. */
typedef struct {
    tgd_campaign *campaign;
    FILE *file;
    int line;
    char section[64]; /* of the last setting; inih cuts names at 49 characters */
    tg_status status; /* the first thing that was wrong */
} reader;

const char *tgd_campaign_file(const tgd_campaign *c)
{
    const char *slash = strrchr(c->path, '/');
    return slash ? slash + 1 : c->path;
}

/* Notes that a key has been given; it may be given once. */
static tg_status give(unsigned *given, int key, const char *what)
{
    const unsigned bit = 1U << key;
    if (*given & bit)
        return tg_fail(TG_BAD_INPUT, "%s is given twice in its section; expected it once", what);
    *given |= bit;
    return tg_success();
}

static tg_status no_key(const char *what)
{
    char names[240] = "";
    for (int i = 0; i < COUNT_OF(campaign_keys) + TGD_PASSED; i++) {
        const int passed = i - COUNT_OF(campaign_keys);
        strcat(names, i > 0 ? ", " : "");
        strcat(names, passed < 0 ? campaign_keys[i].key : tgd_passed[passed]);
    }
    return tg_fail(TG_BAD_INPUT, "%s is no key of [campaign]; expected one of %s", what, names);
}

static tg_status campaign_line(reader *r, const char *what, const char *key, const char *value)
{
    tgd_campaign *c = r->campaign;
    const int passed = find_passed(key);
    tg_status status;
    for (int i = 0; i < COUNT_OF(campaign_keys); i++) {
        if (strcmp(campaign_keys[i].key, key) == 0) {
            status = give(&c->given, i, what);
            return status.code == TG_OK ? campaign_keys[i].set(c, what, value) : status;
        }
    }
    if (passed == TGD_PASSED)
        return no_key(what);
    status = give(&c->given, COUNT_OF(campaign_keys) + passed, what);
    if (status.code == TG_OK)
        set_passed(c, passed, value);
    return status;
}

static tg_status add_case(tgd_section *s, const char *what, const char *value, int line)
{
    tgb_case c;
    const tg_status status = tgb_case_parse(value, &c);
    tgb_case_free(&c);
    if (status.code != TG_OK)
        return tg_fail(status.code, "%s: %s", what, status.text);
    s->cases = tgd_resize(s->cases, s->ncases + 1, sizeof *s->cases);
    s->cases[s->ncases++] = (tgd_case_line){tgd_copy(value), line};
    return status;
}

static tg_status begin_section(reader *r, const char *name)
{
    tgd_campaign *c = r->campaign;
    for (int i = 0; i < c->nsections; i++) {
        if (strcmp(c->sections[i].name, name) == 0) {
            return tg_fail(TG_BAD_INPUT, "%.80s line %d: a second section [cells %.60s]",
                           tgd_campaign_file(c), r->line, name);
        }
    }
    c->sections = tgd_resize(c->sections, c->nsections + 1, sizeof *c->sections);
    c->sections[c->nsections++] =
        (tgd_section){.name = tgd_copy(name), .line = r->line, .scaling = tgd_copy("size")};
    return tg_success();
}

static tg_status section_line(reader *r, const char *what, const char *key, const char *value)
{
    tgd_section *s = &r->campaign->sections[r->campaign->nsections - 1];
    if (strcmp(key, "case") == 0)
        return add_case(s, what, value, r->line);
    for (int i = 0; i < COUNT_OF(section_keys); i++) {
        if (strcmp(section_keys[i].key, key) == 0) {
            const tg_status status = give(&s->given, i, what);
            return status.code == TG_OK ? section_keys[i].set(s, what, value) : status;
        }
    }
    return tg_fail(TG_BAD_INPUT,
                   "%s is no key of [cells]; expected case, ranks, sizes, direction, dtype, "
                   "kernels, algorithm, scaling, turns or pairs",
                   what);
}

static int on_setting(void *context, const char *section, const char *key, const char *value)
{
    reader *r = context;
    const bool is_cells = strncmp(section, "cells ", 6) == 0 && section[6] != '\0';
    char *what = tgd_format("%.80s line %d: %.60s", tgd_campaign_file(r->campaign), r->line, key);
    if (is_cells && strcmp(section, r->section) != 0)
        r->status = begin_section(r, section + 6);
    snprintf(r->section, sizeof r->section, "%s", section);
    if (r->status.code == TG_OK && is_cells) {
        r->status = section_line(r, what, key, value);
    } else if (r->status.code == TG_OK && strcmp(section, "campaign") == 0) {
        r->status = campaign_line(r, what, key, value);
    } else if (r->status.code == TG_OK) {
        r->status = tg_fail(TG_BAD_INPUT,
                            "%.80s line %d stands in section [%.60s]; expected [campaign] or "
                            "[cells NAME]",
                            tgd_campaign_file(r->campaign), r->line, section);
    }
    free(what);
    return r->status.code == TG_OK;
}

static char *next_line(char *text, int size, void *context)
{
    reader *r = context;
    r->line++;
    return fgets(text, size, r->file);
}

static tg_status check_sections(const tgd_campaign *c)
{
    if (c->nsections == 0)
        return tg_fail(TG_BAD_INPUT, "%.150s: expected at least one section [cells NAME]", c->path);
    for (int i = 0; i < c->nsections; i++) {
        const tgd_section *s = &c->sections[i];
        if (s->ncases == 0 || s->nranks == 0) {
            return tg_fail(TG_BAD_INPUT, "%.80s line %d: section [cells %.60s] has no %s",
                           tgd_campaign_file(c), s->line, s->name,
                           s->ncases == 0 ? "case" : "ranks");
        }
    }
    return tg_success();
}

tg_status tgd_campaign_read(const char *path, tgd_campaign *c)
{
    *c = (tgd_campaign){.path = tgd_copy(path),
                        .launches = 1,
                        .seed = 1,
                        .budget_s = 60,
                        .stall_s = 60,
                        .calibrate = true};
    c->text = tgd_read_file(path);
    reader r = {.campaign = c, .status = tg_success()};
    if (!c->text) {
        r.status =
            tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected a campaign file", path, strerror(errno));
        tgd_campaign_free(c);
        return r.status;
    }
    r.file = fmemopen(c->text, strlen(c->text) + 1, "r");
    if (!r.file) {
        tgd_campaign_free(c);
        return tg_fail(TG_NO_MEMORY, "'%.150s': no memory to read it", path);
    }
    ini_use_stack = false; /* a canonical case is longer than inih's line of 200 characters */
    ini_max_line = ini_initial_alloc = MAX_LINE;
    ini_allow_multiline = false;
    ini_stop_on_first_error = true;
    const int bad_line = ini_parse_stream(next_line, &r, on_setting, &r);
    fclose(r.file);
    if (r.status.code == TG_OK && bad_line != 0) {
        r.status = tg_fail(TG_BAD_INPUT, "%.80s line %d: expected [section] or key = value",
                           tgd_campaign_file(c), bad_line);
    }
    if (r.status.code == TG_OK)
        r.status = check_sections(c);
    if (r.status.code == TG_OK && !c->name) {
        c->name = tgd_copy(tgd_campaign_file(c));
        char *dot = strrchr(c->name, '.');
        if (dot && dot != c->name)
            *dot = '\0';
    }
    if (r.status.code != TG_OK)
        tgd_campaign_free(c);
    return r.status;
}

void tgd_campaign_free(tgd_campaign *c)
{
    for (int i = 0; i < c->nsections; i++) {
        tgd_section *s = &c->sections[i];
        for (int j = 0; j < s->ncases; j++)
            free(s->cases[j].text);
        free(s->cases);
        free(s->name);
        free(s->ranks);
        free(s->sizes);
        free(s->scaling);
        free(s->pairs);
        tgd_words_free(&s->directions);
        tgd_words_free(&s->dtypes);
        tgd_words_free(&s->kernels);
        tgd_words_free(&s->algorithms);
    }
    free(c->sections);
    free(c->path);
    free(c->text);
    free(c->name);
    for (int i = 0; i < TGD_PASSED; i++)
        free(c->passed[i]);
    memset(c, 0, sizeof *c);
}
