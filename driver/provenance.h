/* provenance.h: where the numbers of a run come from: run.json (method.md's rule 9). */
#ifndef TGD_PROVENANCE_H
#define TGD_PROVENANCE_H

#include "driver/builds.h"
#include "driver/campaign.h"

/* Calls: Local. A new object with all that is known before the first launch: version, command line,
 * campaign (NULL: there is none), machine, what tgbench says of its build, the source tree's commit, and the
 * environment's variables that steer MPI, threads and BLAS, by an allow-list: no other variable is
 * written. The caller adds what happened. */
json_t *tgd_provenance(const tgd_campaign *campaign, const tgd_launcher *launcher,
                       const char *run_id, int argc, char *const *argv);

json_t *tgd_words_json(const tgd_words *words); /* an array of texts */

/* Calls: Local. A build: path, version and what tgbench says of it; for runs of several, with its
 * launcher. */
json_t *tgd_provenance_bench(const tgd_bench *bench);
json_t *tgd_provenance_builds(const tgd_builds *builds);

/* Calls: Local. A text as JSON; null for NULL, and another text in its place when it is not UTF-8, so
 * that a file is always JSON. */
json_t *tgd_json_text(const char *value);

/* Calls: Local. Write an object to a file, whole or not at all (a new file takes the old one's
 * place). Errors: TG_BAD_INPUT names the file. */
tg_status tgd_json_write(const json_t *object, const char *path);

#endif
