/* bench.h: the program tgbench that is to be launched, and what it says of itself. */
#ifndef TGD_BENCH_H
#define TGD_BENCH_H

#include "driver/text.h"

#include <jansson.h>

typedef struct {
    char *path;
    char *loader;         /* of simulated ranks, which starts it; NULL: it starts by itself */
    const char *platform; /* the path of the simulated machine, the caller's; NULL: a real one */
    json_t *info;         /* what `tgbench list --json` printed: version, build, operations */
    char *help;           /* what `tgbench time --help` printed */
} tgd_bench;

/* Calls: Local. Find tgbench in the folder builds (or its bin/), or beside this program when builds
 * is NULL, and ask it for its list. With a platform it is tgbench.so, also found in the build folder
 * smpi beside this one. Errors: TG_BAD_INPUT names the folder or says what tgbench answered. */
tg_status tgd_bench_open(const char *builds, const char *platform, tgd_bench *bench);
void tgd_bench_close(tgd_bench *bench);

/* Calls: Local. Adds what starts it on simulated ranks, or as a plain process when it is no
 * simulation: its own words come behind. */
void tgd_bench_words(const tgd_bench *bench, int ranks, tgd_words *words);

/* Calls: Local. A text of the build ("mpi_family", "mpiexec", "blas_core", ...); "" when it is not
 * there. */
const char *tgd_bench_build(const tgd_bench *bench, const char *key);

/* Calls: Local. Does its verb time have an option, such as "--facts"? Builds may be of different
 * ages. */
bool tgd_bench_has_option(const tgd_bench *bench, const char *option);

/* Calls: Local. The operation's object in the list, or NULL. */
const json_t *tgd_bench_operation(const tgd_bench *bench, const char *name);

/* Calls: Local. Does an array of the operation (directions, algorithms, dtypes) hold the word? */
bool tgd_bench_offers(const json_t *operation, const char *list, const char *word);

/* Calls: Local. `tgbench time --dry-run` of the cells in a file, with more options: its table in
 * *output (malloc'ed), as JSON when json is true. Errors: TG_BAD_INPUT with the line that tgbench
 * printed. */
tg_status tgd_bench_dry_run(const tgd_bench *bench, const char *cells, const tgd_words *more,
                            bool json, char **output);

#endif
