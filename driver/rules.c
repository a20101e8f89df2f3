/* rules.c: the rules of accept, a row each, and those that look at a run as a whole. */
#include "driver/rules.h"

#include "driver/machine.h"
#include "driver/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- verdicts and findings ---- */

const char *tgd_answer_name(tgd_answer verdict)
{
    static const char *const names[] = {"pass", "fail", "undecided", "look"};
    return names[verdict];
}

void tgd_rule_decide(tgd_ruling *j, tgd_answer verdict, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    free(j->text);
    if (vasprintf(&j->text, format, arguments) < 0)
        j->text = tgd_copy("");
    va_end(arguments);
    j->verdict = verdict;
}

tgd_finding *tgd_find(tgd_ruling *j, const tgd_row *row, char *culprit, char *text)
{
    if ((j->count & (j->count - 1)) == 0) /* 0, 1, 2, 4, ...: room for as many again */
        j->finding = tgd_resize(j->finding, j->count > 0 ? 2 * j->count : 1, sizeof *j->finding);
    tgd_finding *finding = &j->finding[j->count++];
    *finding = (tgd_finding){culprit, text, row, (double)NAN, (double)NAN, (double)NAN};
    return finding;
}

void tgd_ruling_free(tgd_ruling *j)
{
    for (int i = 0; i < j->count; i++) {
        free(j->finding[i].culprit);
        free(j->finding[i].text);
    }
    free(j->finding);
    free(j->text);
    *j = (tgd_ruling){.rule = NULL};
}

char *tgd_row_name(const tgd_row *row)
{
    return tgd_format("%s %s on %d rank%s", row->text, row->direction, row->ranks,
                      row->ranks == 1 ? "" : "s");
}

/* ---- what rules look at ---- */

bool tgd_is_pairs(const tgd_group *group)
{
    return strcmp(group->row->op, "machine:pairs") == 0;
}

bool tgd_is_local(const tgd_group *group)
{
    if (strncmp(group->row->op, "machine:", 8) != 0 || group->row->moved_bytes > 0)
        return false;
    char *busy = tgd_row_word(group->row, "busy"), *all = tgd_format("%d", group->row->ranks);
    const bool local = busy && strcmp(busy, all) == 0;
    free(busy);
    free(all);
    return local;
}

bool tgd_rules_want(const tgd_group *group)
{
    return tgd_is_pairs(group) || tgd_is_local(group);
}

/* ---- values ---- */

static tg_status judge_values(const tgd_measured *e, const tgd_demands *demands, tgd_ruling *j)
{
    (void)demands;
    for (int i = 0; i < e->rows; i++) {
        const tgd_row *row = &e->row[i];
        if (strcmp(row->status, "wrong") != 0 && !(row->wrong > 0))
            continue;
        tgd_find(j, row, tgd_row_name(row),
                 row->wrong > 0
                     ? tgd_format("%.0f wrong elements in launch %d", row->wrong, row->launch)
                     : tgd_format("wrong values in launch %d", row->launch))
            ->value = row->wrong;
    }
    if (j->count > 0)
        tgd_rule_decide(j, TGD_FAIL, "%d of %d rows are wrong", j->count, e->rows);
    else
        tgd_rule_decide(j, TGD_PASS, "%d rows of %d cells, none wrong", e->rows, e->groups);
    return tg_success();
}

/* ---- complete: every cell that was asked for has a time ---- */

static tg_status judge_complete(const tgd_measured *e, const tgd_demands *demands, tgd_ruling *j)
{
    (void)demands;
    const json_int_t planned = json_integer_value(json_object_get(e->record, "cells_planned"));
    int killed = 0;
    for (int i = 0; i < e->rows; i++) {
        const tgd_row *row = &e->row[i];
        if (strcmp(row->status, "ok") == 0 || strcmp(row->status, "wrong") == 0)
            continue;
        killed += strcmp(row->status, "killed") == 0;
        tgd_find(j, row, tgd_row_name(row),
                 tgd_format("status %.40s in launch %d", row->status, row->launch));
    }
    if (killed > 0)
        tgd_rule_decide(j, TGD_FAIL, "%d cells ended with their launch: it died or hung", killed);
    else if (planned > e->rows)
        tgd_rule_decide(j, TGD_OPEN,
                        "%d of %lld cells were measured; tensorgauge run --resume goes on", e->rows,
                        (long long)planned);
    else if (j->count > 0)
        tgd_rule_decide(j, TGD_OPEN, "%d of %d rows have no time", j->count, e->rows);
    else
        tgd_rule_decide(j, TGD_PASS, "all %d rows have a time", e->rows);
    return tg_success();
}

/* ---- cores: not oversubscribed ---- */

static tg_status judge_cores(const tgd_measured *e, const tgd_demands *demands, tgd_ruling *j)
{
    (void)demands;
    int known = 0, last = 0;
    for (int g = 0; g < e->groups; g++) {
        const tgd_row *row = e->group[g].row;
        bool seen = row->ranks == last;
        known += !isnan(row->oversubscribed);
        for (int i = 0; i < j->count && !seen; i++)
            seen = j->finding[i].row->ranks == row->ranks;
        if (!(row->oversubscribed > 0) || seen)
            continue;
        last = row->ranks;
        tgd_find(j, row, tgd_format("%d ranks", row->ranks),
                 tgd_copy("a machine has more ranks than cores, or two ranks on one core"));
    }
    if (j->count > 0)
        tgd_rule_decide(j, TGD_FAIL, "ranks share cores: these times are not the machine's");
    else if (known < e->groups)
        tgd_rule_decide(j, TGD_OPEN, "%d of %d cells do not say whether ranks share cores",
                        e->groups - known, e->groups);
    else
        tgd_rule_decide(j, TGD_PASS, "no ranks share a core");
    return tg_success();
}

/* ---- blas: no kernel below what the CPU allows ---- */

static tgd_words flags_of(const json_t *record)
{
    tgd_words flags = {NULL, 0};
    const json_t *list = json_object_get(json_object_get(record, "machine"), "cpu_flags");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_is_string(json_array_get(list, i)))
            tgd_words_add(&flags, json_string_value(json_array_get(list, i)));
    return flags;
}

static void look_at_kernel(tgd_ruling *j, const tgd_words *flags, const char *host,
                           const char *core)
{
    const char *better = core ? tgd_better_blas_core(flags, core) : NULL;
    bool seen = false;
    for (int i = 0; i < j->count; i++)
        seen = seen || strcmp(j->finding[i].culprit, host) == 0;
    if (better && !seen)
        tgd_find(j, NULL, tgd_copy(host),
                 tgd_format("BLAS kernel %s, where the CPU allows %s", core, better));
}

tg_status tgd_rule_blas(const tgd_measured *e, const tgd_demands *demands, tgd_ruling *j)
{
    (void)demands;
    tgd_words flags = flags_of(e->record);
    const json_t *launches = json_object_get(e->record, "launches");
    int machines = 0;
    for (size_t l = 0; l < json_array_size(launches); l++) {
        const json_t *list =
            json_object_get(json_object_get(json_array_get(launches, l), "facts"), "machines");
        for (size_t m = 0; m < json_array_size(list); m++, machines++) {
            const json_t *machine = json_array_get(list, m);
            const char *name = json_string_value(json_object_get(machine, "name"));
            look_at_kernel(j, &flags, name ? name : "a machine",
                           json_string_value(json_object_get(machine, "blas_core")));
        }
    }
    const char *chosen = json_string_value(
        json_object_get(json_object_get(e->record, "environment"), "OPENBLAS_CORETYPE"));
    if (j->count > 0 && chosen)
        tgd_rule_decide(j, TGD_REMARK,
                        "the BLAS uses the kernel that OPENBLAS_CORETYPE=%.40s told it", chosen);
    else if (j->count > 0)
        tgd_rule_decide(j, TGD_FAIL, "the BLAS took a kernel of an older CPU");
    else if (machines == 0 || flags.count == 0)
        tgd_rule_decide(j, TGD_OPEN, "run.json does not tell the CPU or the BLAS kernel");
    else
        tgd_rule_decide(j, TGD_PASS,
                        "no BLAS kernel is below what the CPU of the first machine allows");
    tgd_words_free(&flags);
    return tg_success();
}

/* ---- the rows ---- */

const tgd_rule tgd_rule_list[] = {
    {"values", "every element of every result is what it must be", "elements", false, judge_values},
    {"complete", "every cell that was asked for has a time", "", false, judge_complete},
    {"cores", "no ranks share a core", "", false, judge_cores},
    {"blas", "the BLAS uses a kernel made for the CPU", "", false, tgd_rule_blas},
    {"ranks", "each rank alone: copy, triad, gemm, quantum; against the other ranks", "ratio", true,
     tgd_rule_ranks},
    {"nodes", "the ranks of each machine together, against the other machines", "ratio", true,
     tgd_rule_nodes},
    {"pairs", "messages between each two ranks, against the other pairs", "us", true,
     tgd_rule_pairs},
    {"noise", "the same arithmetic again and again on each core: what interrupts it", "share",
     false, tgd_rule_noise},
    {"throttling", "products in the last minute, against those of the first", "ratio", false,
     tgd_rule_throttling},
    {"soak", "each launch, against the other launches", "ratio", false, tgd_rule_soak},
    {"guidelines", "no collective takes longer than others that do the same", "us", false,
     tgd_rule_guidelines},
    {"reference", "the time of each cell, against that of a reference", "us", true,
     tgd_rule_reference},
    {NULL, NULL, NULL, false, NULL},
};
