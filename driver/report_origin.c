/* report_origin.c: where the numbers of a report come from, and how to make them again: what run.json says. */
#include "driver/report_write.h"

#include "driver/text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 6, MOST_LAUNCHES = 50 };

/* ---- members ---- */

/* These have places of their own. */
static const char *const apart[] = {"command", "campaign.text", "launches", "resumed"};

static void put_scalar(const json_t *value, FILE *out)
{
    const size_t flags = JSON_ENCODE_ANY | JSON_REAL_PRECISION(12);
    const bool single = !json_is_array(value) && !json_is_object(value);
    if (json_is_string(value))
        fputs(json_string_value(value), out);
    else if (!single || json_dumpf(value, out, flags) != 0)
        fputs("...", out);
}

/* A scalar, or an array of scalars, as malloc'ed text. */
static char *value_text(const json_t *value)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return tgd_copy("");
    if (!json_is_array(value))
        put_scalar(value, out);
    for (size_t i = 0; i < json_array_size(value); i++) {
        fputs(i > 0 ? " " : "", out);
        put_scalar(json_array_get(value, i), out);
    }
    fclose(out);
    return text;
}

static void put_members(const json_t *value, const char *path, int depth, FILE *out)
{
    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++)
        if (strcmp(path, apart[i]) == 0)
            return;
    const char *key;
    json_t *member;
    size_t i;
    if (depth < DEEPEST && json_is_object(value)) {
        json_object_foreach((json_t *)value, key, member)
        {
            char *deeper = tgd_format("%s%s%s", path, *path ? "." : "", key);
            put_members(member, deeper, depth + 1, out);
            free(deeper);
        }
        return;
    }
    if (depth < DEEPEST && json_is_object(json_array_get(value, 0))) {
        json_array_foreach((json_t *)value, i, member)
        {
            char *deeper = tgd_format("%s[%zu]", path, i);
            put_members(member, deeper, depth + 1, out);
            free(deeper);
        }
        return;
    }
    char *text = value_text(value);
    fputs("<tr>", out);
    tgd_html_element(out, "th scope=\"row\"", path);
    tgd_html_element(out, "td class=\"long\"", text);
    fputs("</tr>\n", out);
    free(text);
}

static void put_launches(const json_t *launches, const char *heading, FILE *out)
{
    static const char *const keys[] = {"launch", "ranks",       "cells", "cells_done",
                                       "time_s", "exit_status", NULL};
    size_t i;
    json_t *launch;
    tgd_html_element(out, heading, "Launches");
    tgd_html_table(out, "Launches", keys);
    json_array_foreach((json_t *)launches, i, launch)
    {
        fputs(i < MOST_LAUNCHES ? "<tr>" : "", out);
        for (int k = 0; keys[k] && i < MOST_LAUNCHES; k++) {
            const json_t *value = json_object_get(launch, keys[k]);
            tgd_html_number(out, "%.6g",
                            json_is_number(value) ? json_number_value(value) : (double)NAN);
        }
        fputs(i < MOST_LAUNCHES ? "</tr>\n" : "", out);
    }
    tgd_html_table_end(out);
    tgd_html_more(out, MOST_LAUNCHES, (int)json_array_size(launches), "run.json");
}

void tgd_report_origin(const tgd_report_data *data, FILE *out)
{
    static const char *const heads[] = {"member of run.json", "value", NULL};
    for (int i = 0; i < data->runs->count; i++) {
        const json_t *record = data->sides->record[i];
        const json_t *launches = json_object_get(record, "launches");
        if (data->runs->count > 1)
            tgd_html_element(out, "h3", data->runs->word[i]);
        if (!json_is_object(record)) {
            fputs("<p>The run has no run.json that can be read: where its numbers come from is not "
                  "known.</p>\n",
                  out);
            continue;
        }
        tgd_html_table(out, "Provenance", heads);
        put_members(record, "", 0, out);
        tgd_html_table_end(out);
        if (json_array_size(launches) > 0)
            put_launches(launches, tgd_report_heading(data), out);
    }
}

/* ---- how to repeat it ---- */

static void put_shell_word(const char *word, FILE *out)
{
    bool plain = *word != '\0';
    for (const char *c = word; *c && plain; c++)
        plain = isalnum((unsigned char)*c) || strchr("_@%+=:,./-", *c);
    fputs(plain ? "" : "'", out);
    for (const char *c = word; *c; c++)
        if (*c == '\'')
            fputs("'\\''", out);
        else
            putc(*c, out);
    fputs(plain ? "" : "'", out);
}

/* The words as they are given to a shell; malloc'ed. */
static char *shell_text(const json_t *words)
{
    char *text = NULL;
    size_t size = 0, i;
    json_t *word;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return tgd_copy("");
    json_array_foreach((json_t *)words, i, word)
    {
        fputs(i > 0 ? " " : "", out);
        put_shell_word(json_is_string(word) ? json_string_value(word) : "", out);
    }
    fclose(out);
    return text;
}

static void put_command(const char *before, const json_t *words, FILE *out)
{
    char *text = shell_text(words);
    if (*text) {
        tgd_html_element(out, "p", before);
        tgd_html_lines(out, text);
    }
    free(text);
}

void tgd_report_repeat(const tgd_report_data *data, FILE *out)
{
    for (int i = 0; i < data->runs->count; i++) {
        const json_t *record = data->sides->record[i];
        const char *campaign =
            json_string_value(json_object_get(json_object_get(record, "campaign"), "text"));
        if (data->runs->count > 1)
            tgd_html_element(out, "h3", data->runs->word[i]);
        put_command("The run was started by:", json_object_get(record, "command"), out);
        put_command(
            "Its first launch was:",
            json_object_get(json_array_get(json_object_get(record, "launches"), 0), "command"),
            out);
        if (campaign) {
            fputs("<p>The campaign; as a file, <code>tensorgauge run FILE.ini</code> measures "
                  "it:</p>\n",
                  out);
            tgd_html_lines(out, campaign);
        }
        if (!record)
            fputs("<p>The run does not say how it was made.</p>\n", out);
    }
    fputs("<p>A row of cells.csv is measured again by its case: <code>tgbench time CASE</code>. "
          "With the run folder, <code>tensorgauge plot</code> draws its figures again, "
          "<code>tensorgauge accept</code> judges it, <code>tensorgauge compare</code> holds it "
          "against another one, and <code>tensorgauge report</code> writes this page.</p>\n",
          out);
}
