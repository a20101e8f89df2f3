/* launch.h: how one launch of tgbench looks: the launcher's words and the environment of one rank
 * count; and whether it can be started at all. */
#ifndef TGD_LAUNCH_H
#define TGD_LAUNCH_H

#include "driver/bench.h"
#include "driver/launcher.h"
#include "driver/machine.h"

/* What a user says of the launcher. */
typedef struct {
    const char
        *words; /* it and its own words ("srun --mpi=pmix"); NULL: the one of tgbench's MPI */
    bool oversubscribe; /* it is asked for more ranks than slots */
} tgd_launcher_choice;

typedef struct {
    const tgd_bench *bench;
    const tgd_machine *machine;
    tgd_words words; /* the launcher and its own words; the user's, or the one of tgbench's MPI */
    const tgd_launcher_row *row; /* NULL: of simulated ranks */
    char *version;               /* that it told; or NULL */
    bool is_users;         /* the user chose it: it gets no words of ours for places of ranks */
    bool oversubscribe;    /* the user asked for it */
    const char *blas_core; /* OPENBLAS_CORETYPE for the launches, or NULL: as it is */
} tgd_launcher;

/* Calls: Local. Finds the launcher and asks it which one it is. Errors: TG_BAD_INPUT when it is not
 * found, a file of hosts among its words names none, or it has no way to oversubscribe. */
tg_status tgd_launcher_make(const tgd_bench *bench, const tgd_machine *machine,
                            const tgd_launcher_choice *choice, tgd_launcher *made);
void tgd_launcher_free(tgd_launcher *launcher);

/* Calls: Local. Words that start tgbench on so many ranks (its path last; the caller adds its
 * verb), and NAME=VALUE words to be added to the environment. What the user has set in the
 * environment stays as it is. The caller frees both. A launcher of our own choice is also told the
 * place of the ranks (tgd_place). */
void tgd_launch_words(const tgd_launcher *launcher, int ranks, tgd_words *words,
                      tgd_words *environment);

/* Calls: Local. Starts `tgbench --version` on so many ranks, for at most limit_s: they have to find
 * each other. Simulated ranks are not tried. Errors: TG_BAD_INPUT says in one line what the launcher
 * lacks, and what to do about it. */
#define TGD_TRY_S 60.0 /* what a verb without a time of its own gives it */
tg_status tgd_launch_try(const tgd_launcher *launcher, int ranks, double limit_s);

#endif
