/* plan_text.c: the cells of a plan as tgbench reads them, and what it says to them. */
#include "driver/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* With a last column where cells take turns. */
static bool have_turns(const tgd_plan *plan)
{
    for (int i = 0; i < plan->count; i++)
        if (plan->cell[i].turn > 0)
            return true;
    return false;
}

static void print_header(bool turns, FILE *file)
{
    fprintf(file, "launch\tcell\tranks\tscaling\tdirection\tsize_bytes\tcase%s\n",
            turns ? "\tturn" : "");
}

static void print_cell(const tgd_cell *c, bool turns, FILE *file)
{
    char size[32] = "", turn[32] = "";
    if (c->size_bytes >= 0)
        snprintf(size, sizeof size, "%td", c->size_bytes);
    if (turns)
        snprintf(turn, sizeof turn, c->turn > 0 ? "\t%d" : "\t", c->turn);
    fprintf(file, "%d\t%d\t%d\t%s\t%s\t%s\t%s%s\n", c->launch, c->number, c->ranks,
            c->section->scaling, c->direction, size, c->text, turn);
}

char *tgd_plan_text(const tgd_plan *plan)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    const bool turns = have_turns(plan);
    if (file)
        print_header(turns, file);
    for (int i = 0; file && i < plan->to_do; i++)
        print_cell(&plan->cell[plan->order[i]], turns, file);
    return file && fclose(file) == 0 ? text : tgd_copy("");
}

tg_status tgd_plan_write(const tgd_plan *plan, const char *path)
{
    char *text = tgd_plan_text(plan);
    const tg_status status = tgd_write_file(path, text);
    free(text);
    return status;
}

/* The first launch's cells, as they are numbered. */
static bool write_first_launch(const tgd_plan *plan, int fd)
{
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file)
        return false;
    print_header(false, file);
    for (int i = 0; i < plan->count && plan->cell[i].launch == 0; i++)
        print_cell(&plan->cell[i], false, file);
    const bool good = ferror(file) == 0;
    return fclose(file) == 0 && good;
}

/* tgbench says "FILE line N: what was wrong" of the file of cells; the user knows the line of the
 * campaign. */
static tg_status in_campaign(tg_status status, const char *path, const tgd_plan *plan,
                             const tgd_campaign *campaign, int *refused)
{
    const char *place = strstr(status.text, " line ");
    if (!place || strncmp(status.text, path, (size_t)(place - status.text)) != 0)
        return tg_fail(status.code, "%.60s: %s", tgd_campaign_file(campaign), status.text);
    char *end;
    const long cell = strtol(place + 6, &end, 10) - 2; /* the first line is the header */
    if (cell >= 0 && cell < plan->count)
        *refused = (int)cell;
    const int line = *refused >= 0 ? plan->cell[*refused].line : 0;
    end += strspn(end, ": ");
    return tg_fail(status.code, "%.60s line %d: %s", tgd_campaign_file(campaign), line, end);
}

tg_status tgd_plan_dry_run(const tgd_plan *plan, const tgd_campaign *campaign,
                           const tgd_bench *bench, bool json, char **output, int *refused)
{
    int at = -1;
    const char *folder = getenv("TMPDIR");
    char *path = tgd_format("%s/tensorgauge-XXXXXX", folder && *folder ? folder : "/tmp");
    const int fd = mkstemp(path);
    tg_status status = tg_success();
    if (!write_first_launch(plan, fd)) {
        status = tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected a file that can be written", path,
                         strerror(errno));
    } else {
        tgd_words settings = {NULL, 0};
        tgd_campaign_words(campaign, &settings);
        status = tgd_bench_dry_run(bench, path, &settings, json, output);
        tgd_words_free(&settings);
        if (status.code != TG_OK)
            status = in_campaign(status, path, plan, campaign, &at);
    }
    if (fd >= 0)
        unlink(path);
    free(path);
    if (refused)
        *refused = at;
    return status;
}
