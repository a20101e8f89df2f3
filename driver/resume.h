/* resume.h: going on with a run that has ended early: is it one, and is it the same? */
#ifndef TGD_RESUME_H
#define TGD_RESUME_H

#include "driver/bench.h"
#include "driver/campaign.h"
#include "driver/plan.h"
#include "driver/run_words.h"

/* Calls: Local. Read run.json of a run folder. Errors: TG_BAD_INPUT: no run folder, or one that was
 * renamed after its first row. */
tg_status tgd_resume_read(const char *folder, json_t **record);

/* Calls: Local. The settings that were options of the command line, as an object for run.json, and
 * the words of a command line that goes on with a run: options that are not given are taken from
 * the record, which has to outlive the words. Errors: TG_BAD_INPUT names an option that says
 * something else than the run was started with. */
json_t *tgd_settings_of(const tgd_run_words *words);
tg_status tgd_resume_words(const json_t *record, tgd_run_words *words);

/* Calls: Local. The folders of the builds that the run was started with, as --builds takes them,
 * malloc'ed, or NULL. */
char *tgd_resume_builds(const json_t *record);

/* Calls: Local. How many launches the plan of a run folder has: a soak has added some. */
long tgd_resume_launches(const char *folder);

/* Calls: Local. Are they the builds, and are they the cells, that the run was started with? Errors:
 * TG_BAD_INPUT names what differs. */
tg_status tgd_resume_check_builds(const json_t *record, const tgd_builds *builds);
tg_status tgd_resume_check_plan(const char *folder, const tgd_plan *plan);

/* Calls: Local. Add to the record's list `resumed` when and how the run went on. */
void tgd_resume_note(json_t *record, const char *host, int argc, char *const *argv, long dropped,
                     int cells);

#endif
