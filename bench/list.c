/* list.c: verb list: every operation as a line, as JSON, or as a table in Markdown. All from the
 * rows. */
#include "bench/json.h"
#include "bench/operation.h"
#include "bench/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- text ---- */

static const char *join_directions(const tgb_operation *o, char *text, size_t size)
{
    const char *names[8] = {NULL};
    for (int i = 0; i < o->ndirections && i < 7; i++)
        names[i] = o->directions[i].name;
    return tgb_join(names, text, size);
}

static void print_text(const tgb_operation *o)
{
    char text[512];
    printf("%s (%s): %s\n", o->name, o->kind, o->summary);
    printf("    formula     %s\n", o->formula);
    printf("    adjoint     %s\n", o->adjoint);
    printf("    directions  %s\n", join_directions(o, text, sizeof text));
    printf("    algorithms  %s\n", tgb_join(o->algorithms, text, sizeof text));
    if (o->lacking[0])
        printf("    lacking     %s\n", tgb_join(o->lacking, text, sizeof text));
    printf("    dtypes      %s\n", tgb_join(o->dtypes, text, sizeof text));
    if (o->kernels[0])
        printf("    kernels     %s\n", tgb_join(o->kernels, text, sizeof text));
    printf("    keys       ");
    for (const tgb_key *key = o->keys; key->name; key++)
        printf(" %s", key->name);
    printf("\n    source      %s\n\n", o->source);
}

/* A cell of a table: a bar would end it. */
static void print_cell(const char *text)
{
    for (; *text; text++)
        printf(*text == '|' ? "\\%c" : "%c", *text);
    printf(" | ");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* By name, those that this build's MPI library lacks among them: a README holds for each library. */
static const char *join_algorithms(const tgb_operation *o, char *text, size_t size)
{
    const char *names[2 * TGB_MAX_ALGORITHMS + 1] = {NULL};
    size_t count = 0;
    for (int i = 0; o->algorithms[i]; i++)
        names[count++] = o->algorithms[i];
    for (int i = 0; o->lacking[i]; i++)
        names[count++] = o->lacking[i];
    qsort(names, count, sizeof *names, by_name);
    return tgb_join(names, text, size);
}

static void print_markdown(const tgb_operation *const *row, int count)
{
    char text[512];
    puts("| operation | kind | formula | adjoint | directions | algorithms | types | source |");
    puts("|---|---|---|---|---|---|---|---|");
    for (int i = 0; i < count; i++) {
        printf("| `%s` | ", row[i]->name);
        print_cell(row[i]->kind);
        print_cell(row[i]->formula);
        print_cell(row[i]->adjoint);
        print_cell(join_directions(row[i], text, sizeof text));
        print_cell(join_algorithms(row[i], text, sizeof text));
        print_cell(tgb_join(row[i]->dtypes, text, sizeof text));
        printf("%s |\n", row[i]->source);
    }
}

/* What the algorithms of our own cost, where it is known; k, n, p, L and S as in tg_weights. */
static void print_weights(const tgb_operation *const *row, int count)
{
    puts("\n| operation | algorithm | rounds | bytes of the busiest rank | source |");
    puts("|---|---|---|---|---|");
    for (int i = 0; i < count; i++) {
        for (int a = 0; row[i]->weigh && row[i]->algorithms[a]; a++) {
            const tg_weights *w =
                tg_algorithm_find(row[i]->primitive, row[i]->algorithms[a])->weights;
            if (w)
                printf("| `%s` | `%s` | %s | %s | %s |\n", row[i]->name, row[i]->algorithms[a],
                       w->rounds, w->bytes, w->source);
        }
    }
}

/* ---- the verb ---- */

enum { JSON = TGB_FIRST_OPTION, MARKDOWN };

static const struct argp_option options[] = {
    {"json", JSON, NULL, 0, "everything, and how the program was built, as JSON", 0},
    {"markdown", MARKDOWN, NULL, 0, "tables for a README: operations; weights of algorithms", 0},
    TGB_HELP_ROW,
    {NULL, 0, NULL, 0, NULL, 0},
};

typedef struct {
    tgb_words words;
    bool json, markdown;
} list_words;

static error_t parse(int key, char *text, struct argp_state *state)
{
    list_words *w = state->input;
    switch (key) {
    case JSON:
        w->json = true;
        return 0;
    case MARKDOWN:
        w->markdown = true;
        return 0;
    case ARGP_KEY_ARG:
        return tgb_keep(
            &w->words,
            tg_fail(TG_BAD_INPUT, "list '%.60s': expected --json, --markdown or nothing", text));
    default:
        return tgb_common_option(key, text, state);
    }
}

int tgb_list(tgb_launch *launch, int argc, char **argv)
{
    const struct argp rows = {options, parse, NULL, "Operations that can be checked and timed.",
                              NULL,    NULL,  NULL};
    list_words w = {.json = false};
    int count;
    tg_status status = tgb_parse_options(&rows, argc, argv, &w.words);
    if (status.code != TG_OK)
        return tgb_complain(launch, status);
    if (w.words.help)
        return tgb_show_help(launch, &rows, argv[0]);
    const tgb_operation *const *row = tgb_operations(&count);
    if (!launch->speaks)
        return TGB_GOOD;
    if (w.json)
        return tgb_print_operations(row, count) ? TGB_GOOD : TGB_FAILED;
    if (w.markdown) {
        print_markdown(row, count);
        print_weights(row, count);
    }
    for (int i = 0; !w.markdown && i < count; i++)
        print_text(row[i]);
    return TGB_GOOD;
}
