/* main.c: program tensorgauge: runs campaigns of tgbench and draws their figures. Its verbs are
 * rows. */
#include "driver/accept.h"
#include "driver/compare.h"
#include "driver/export.h"
#include "driver/plot.h"
#include "driver/report.h"
#include "driver/run.h"
#include "driver/selfcheck.h"
#include "driver/submit.h"
#include "driver/text.h"
#include "driver/train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *words, *summary;
    int (*run)(int argc, char **argv);
} verbs[] = {
    {"run", "CAMPAIGN [OPTION...]", "measure a campaign; makes a run folder", tgd_run},
    {"submit", "CAMPAIGN --nodes N", "write, and with --go submit, a job of Slurm that runs one",
     tgd_submit},
    {"compare", "A B [C...] [OPTION...]", "which cells of runs are faster, slower or the same",
     tgd_compare},
    {"accept", "RUN [--reference REF]", "pass or fail, and which rank, machine or link",
     tgd_accept},
    {"plot", "RUN... [options]", "draw the figures of run folders", tgd_plot},
    {"report", "RUN... [--output FILE]", "what runs say, as one HTML file for somebody else",
     tgd_report_runs},
    {"export", "RUN --format FORMAT", "the cells as OSU, IMB, JSON, Markdown, LaTeX or Extra-P",
     tgd_export},
    {"import", "FILE... [--ranks P]", "a run folder of what OSU, IMB or nccl-tests printed",
     tgd_import},
    {"selfcheck", "[OPTION...]", "measure the measurement itself, for about a minute",
     tgd_selfcheck},
    {"train", "NETWORK [OPTION...]", "train a network on images and draw its curves", tgd_train},
    {"list", "", "campaigns, builds and launchers found", tgd_list},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

static int print_help(void)
{
    puts("Usage: tensorgauge VERB ...\n"
         "Runs campaigns of linear operators of model parallelism and draws their figures.\n");
    for (int i = 0; i < VERBS; i++)
        printf("  %-9s %-24s %s\n", verbs[i].name, verbs[i].words, verbs[i].summary);
    puts("\nMore: tensorgauge VERB --help. Exit status: 0 good, 1 a check failed or something is "
         "slower, 2 wrong words or "
         "files,\n3 partly done.");
    return 0;
}

static int refuse(const char *word)
{
    char *known = tgd_copy(verbs[0].name);
    for (int i = 1; i < VERBS; i++) {
        char *longer = tgd_format("%s%s%s", known, i + 1 < VERBS ? ", " : " or ", verbs[i].name);
        free(known);
        known = longer;
    }
    const int result = tgd_report(tg_fail(
        TG_BAD_INPUT, "verb '%.60s' is not known; expected %s (tensorgauge --help)", word, known));
    free(known);
    return result;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, "--help") == 0)
        return print_help();
    if (strcmp(word, "--version") == 0) {
        puts("tensorgauge " TGD_VERSION);
        return 0;
    }
    for (int i = 0; i < VERBS; i++)
        if (strcmp(word, verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    return refuse(word);
}
