/* launcher.c: asks a launcher which one it is; its files of hosts. */
#include "driver/launcher.h"

#include "driver/child.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const double patience_s = 10; /* with the answer to --version */

#define TGD_LAUNCHER(name) extern const tgd_launcher_row tgd_launcher_##name;
#include "driver/launchers.def"
#undef TGD_LAUNCHER

static const tgd_launcher_row *const rows[] = {
#define TGD_LAUNCHER(name) &tgd_launcher_##name,
#include "driver/launchers.def"
#undef TGD_LAUNCHER
};

/* It may be a script that calls Open MPI's launcher, which refuses root. */
static const tgd_launcher_row unknown = {
    .name = "unknown",
    .ranks = "-n",
    .place = {{"", ""}, {"", ""}, {"", ""}},
    .root = "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
};

bool tgd_begins(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

const char *tgd_launcher_number(const char *answer)
{
    for (const char *at = answer; *at; at++) {
        const bool first = at == answer || isspace((unsigned char)at[-1]);
        const size_t digits = strspn(at, "0123456789");
        if (first && digits > 0 && at[digits] == '.')
            return at;
    }
    return NULL;
}

static const tgd_launcher_row *row_of(const char *answer)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i]->is(answer))
            return rows[i];
    return &unknown;
}

/* The row of what the first so many words and --version print. */
static const tgd_launcher_row *ask(const tgd_words *launcher, int count, char **version)
{
    tgd_words words = {NULL, 0};
    char *output, *errors;
    for (int i = 0; i < count; i++)
        tgd_words_add(&words, launcher->word[i]);
    tgd_words_add(&words, "--version");
    tgd_child_capture_within(patience_s, &words, NULL, &output, &errors);
    const tgd_launcher_row *row = row_of(output);
    const char *number = row->is ? tgd_launcher_number(output) : NULL;
    *version = number ? strndup(number, strcspn(number, " \t\n,;)")) : NULL;
    tgd_words_free(&words);
    free(output);
    free(errors);
    return row;
}

const tgd_launcher_row *tgd_launcher_ask(const tgd_words *launcher, char **version)
{
    const tgd_launcher_row *row = ask(launcher, 1, version);
    return row->is || launcher->count == 1 ? row : ask(launcher, launcher->count, version);
}

char *tgd_launcher_title(const tgd_launcher_row *row, const char *version)
{
    return tgd_format("%s%s%s", row->name, version ? " " : "", version ? version : "");
}

/* ---- files of hosts ---- */

static bool names_a_host(const char *text)
{
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        line += strspn(line, " \t\r");
        if (!strchr("#\n", *line))
            return true;
    }
    return false;
}

static tg_status check_file(const char *option, const char *path)
{
    char *text = tgd_read_file(path);
    tg_status status = tg_success();
    if (!text)
        status = tg_fail(TG_BAD_INPUT, "launcher %.20s '%.120s': %s; expected a file of hosts",
                         option, path, strerror(errno));
    else if (!names_a_host(text))
        status = tg_fail(TG_BAD_INPUT,
                         "launcher %.20s '%.120s' names no host; expected one in each line", option,
                         path);
    free(text);
    return status;
}

tg_status tgd_launcher_check_hosts(const tgd_launcher_row *row, const tgd_words *launcher)
{
    tg_status status = tg_success();
    for (int i = 1; i + 1 < launcher->count && status.code == TG_OK; i++)
        for (int k = 0; row->hostfile[k] && status.code == TG_OK; k++)
            if (strcmp(launcher->word[i], row->hostfile[k]) == 0)
                status = check_file(launcher->word[i], launcher->word[i + 1]);
    return status;
}
