/* accept.c: the verb accept: reads a run, asks every rule, tells what came of it. */
#include "driver/accept.h"

#include "driver/accept_write.h"
#include "driver/heat.h"
#include "driver/text.h"

#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: tensorgauge accept RUN [--reference REF] [--tolerance SHARE]\n"
    "\n"
    "Judges a run, such as one of the campaign acceptance, by rules, and names what is to blame: a "
    "rank, a machine, a link, a cell.\n"
    "The last line is the verdict: 'tensorgauge accept: PASS', 'FAIL' or 'UNDECIDED', a colon, and "
    "more. Writes judgement.csv,\n"
    "judgement.json and junit.xml into RUN, and figures of the links into RUN/figures.\n"
    "\n"
    "  RUN                a run folder (it holds cells.csv)\n"
    "  --reference REF    compare with another run folder, or with a CSV file of the columns\n"
    "                     case,direction,ranks,value,lower,upper (value in us; shares of it)\n"
    "  --tolerance SHARE  of a reference that is a run: how much slower each cell may be (10%)\n"
    "\n"
    "Exit status: 0 nothing failed, 1 a rule failed, 2 wrong words or files.\n"
    "\n"
    "Rules:\n";

static void print_help(void)
{
    fputs(help, stdout);
    for (const tgd_rule *rule = tgd_rule_list; rule->name; rule++)
        printf("  %-10s  %s\n", rule->name, rule->looks_at);
}

/* ---- words ---- */

typedef struct {
    const char *run, *reference, *tolerance;
} accept_words;

/* "--name VALUE" or "--name=VALUE" at argv[*i]; *i is then at its last word. */
static tg_status take_option(int argc, char **argv, int *i, const char *name, const char **value,
                             bool *taken)
{
    const size_t length = strlen(name);
    const char *word = argv[*i];
    *taken = strncmp(word, name, length) == 0 && (word[length] == '\0' || word[length] == '=');
    if (!*taken)
        return tg_success();
    if (*value || (word[length] == '\0' && *i + 1 == argc))
        return tg_fail(TG_BAD_INPUT, "accept: %s needs one value, once", name);
    *value = word[length] == '=' ? word + length + 1 : argv[++*i];
    return **value ? tg_success() : tg_fail(TG_BAD_INPUT, "accept: %s needs one value, once", name);
}

static tg_status read_words(int argc, char **argv, accept_words *words)
{
    tg_status status = tg_success();
    for (int i = 1; i < argc && status.code == TG_OK; i++) {
        bool taken;
        status = take_option(argc, argv, &i, "--reference", &words->reference, &taken);
        if (status.code == TG_OK && !taken)
            status = take_option(argc, argv, &i, "--tolerance", &words->tolerance, &taken);
        if (status.code != TG_OK || taken)
            continue;
        if (argv[i][0] == '-')
            status = tg_fail(TG_BAD_INPUT,
                             "accept: unknown option '%.80s'; expected RUN [--reference REF] "
                             "[--tolerance SHARE]",
                             argv[i]);
        else if (words->run)
            status = tg_fail(TG_BAD_INPUT, "accept: '%.80s' is one word too many; expected one RUN",
                             argv[i]);
        else
            words->run = argv[i];
    }
    if (status.code == TG_OK && !words->run)
        status = tg_fail(TG_BAD_INPUT, "accept: no run given; expected RUN [--reference REF]");
    if (status.code == TG_OK && words->tolerance && !words->reference)
        status = tg_fail(TG_BAD_INPUT, "accept: --tolerance without --reference; expected both");
    return status;
}

/* "10%" as a share of 1. */
static tg_status read_share(const char *text, double *share)
{
    char *end;
    const double percent = strtod(text, &end);
    if (end == text || strcmp(end, "%") != 0 || !(percent > 0 && percent <= 1000))
        return tg_fail(TG_BAD_INPUT,
                       "accept: --tolerance '%.60s': expected a percentage above 0, such as 10%%",
                       text);
    *share = percent / 100;
    return tg_success();
}

/* ---- the verb ---- */

static tg_status judge(const tgd_measured *e, const tgd_demands *demands, tgd_ruling *at,
                       int *count)
{
    tg_status status = tg_success();
    for (const tgd_rule *rule = tgd_rule_list; rule->name && status.code == TG_OK; rule++) {
        at[*count] = (tgd_ruling){.rule = rule};
        status = rule->judge(e, demands, &at[*count]);
        *count += at[*count].text != NULL;
    }
    return status;
}

/* Reads and judges first: with wrong words or files nothing is written. */
static tg_status accept_run(const accept_words *words, tgd_answer *verdict)
{
    tgd_demands demands = {words->reference, 0.1};
    tgd_measured e;
    tgd_ruling *at = NULL;
    int rules = 0, count = 0;
    while (tgd_rule_list[rules].name)
        rules++;
    tg_status status =
        words->tolerance ? read_share(words->tolerance, &demands.upper) : tg_success();
    if (status.code == TG_OK)
        status = tgd_measured_read(words->run, &e);
    if (status.code != TG_OK)
        return status;
    at = tgd_resize(NULL, rules, sizeof *at);
    status = tgd_measured_ranks(&e, tgd_rules_want);
    if (status.code == TG_OK)
        status = judge(&e, &demands, at, &count);
    const tgd_rulings all = {at, count, tgd_answer_of(at, count)};
    if (status.code == TG_OK)
        status = tgd_accept_write(&all, words->run);
    if (status.code == TG_OK)
        status = tgd_heat_draw(&e);
    if (status.code == TG_OK)
        tgd_accept_print(&all, stdout);
    *verdict = all.verdict;
    for (int i = 0; i < count; i++)
        tgd_ruling_free(&at[i]);
    free(at);
    tgd_measured_free(&e);
    return status;
}

int tgd_accept(int argc, char **argv)
{
    accept_words words = {NULL, NULL, NULL};
    tgd_answer verdict = TGD_OPEN;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_help();
            return 0;
        }
    }
    tg_status status = read_words(argc, argv, &words);
    if (status.code == TG_OK)
        status = accept_run(&words, &verdict);
    return status.code != TG_OK ? tgd_report(status) : verdict == TGD_FAIL;
}
