/* list.c: the verb list: campaigns, builds and launchers that `tensorgauge run` can find. */
#include "driver/bench.h"
#include "driver/campaign.h"
#include "driver/launcher.h"
#include "driver/paths.h"
#include "driver/run.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void list_campaigns(const char *data)
{
    char *pattern = tgd_format("%s/campaigns/*.ini", data);
    glob_t found = {0};
    printf("campaigns in %s/campaigns\n", data);
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            tgd_campaign c;
            const char *name = strrchr(found.gl_pathv[i], '/') + 1;
            const tg_status status = tgd_campaign_read(found.gl_pathv[i], &c);
            printf("  %-16.*s ", (int)strcspn(name, "."), name);
            if (status.code != TG_OK) {
                printf("%s\n", status.text);
                continue;
            }
            printf("%d sections, %ld launch%s, budget %.3g s\n", c.nsections, c.launches,
                   c.launches > 1 ? "es" : "", c.budget_s);
            tgd_campaign_free(&c);
        }
    }
    globfree(&found);
    free(pattern);
}

static void list_build(const char *folder)
{
    tgd_bench bench;
    if (tgd_bench_open(folder, NULL, &bench).code != TG_OK)
        return;
    printf("  %-48s %s, BLAS kernel %s\n", bench.path, tgd_bench_build(&bench, "mpi"),
           tgd_bench_build(&bench, "blas_core"));
    tgd_bench_close(&bench);
}

/* The folder of this program, and its neighbours: build/dev/bin, build/release/bin, ... */
static void list_builds(void)
{
    char *program = tgd_program_folder();
    char *pattern = tgd_format("%s/../../*/bin", program);
    glob_t found = {0};
    printf("builds\n");
    list_build(program);
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            char *folder = realpath(found.gl_pathv[i], NULL);
            if (folder && strcmp(folder, program) != 0)
                list_build(folder);
            free(folder);
        }
    }
    globfree(&found);
    free(pattern);
    free(program);
}

static void list_launcher(const char *path)
{
    tgd_words words = {NULL, 0};
    char *version;
    tgd_words_add(&words, path);
    const tgd_launcher_row *row = tgd_launcher_ask(&words, &version);
    char *title = tgd_launcher_title(row, version);
    printf("  %-48s %s\n", path, title);
    free(title);
    free(version);
    tgd_words_free(&words);
}

static void list_launchers(void)
{
    static const char *const names[] = {
        "mpiexec.openmpi", "mpiexec.mpich", "mpiexec", "mpirun", "srun", "flux", "aprun"};
    printf("launchers\n");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = tgd_find_program(names[i]);
        if (path)
            list_launcher(path);
        free(path);
    }
}

int tgd_list(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") != 0) {
        return tgd_report(
            tg_fail(TG_BAD_INPUT, "list: '%.80s' is one word too many; expected none", argv[1]));
    }
    if (argc > 1) {
        puts("Usage: tensorgauge list\nPrints the campaigns, builds and launchers that are found.");
        return 0;
    }
    char *data = tgd_data_folder();
    list_campaigns(data);
    list_builds();
    list_launchers();
    free(data);
    return 0;
}
