/* launch.h: how one launch of tgbench looks: the launcher's words and the environment of one rank
 * count. */
#ifndef TGD_LAUNCH_H
#define TGD_LAUNCH_H

#include "driver/bench.h"
#include "driver/machine.h"

typedef struct {
    const tgd_bench *bench;
    const tgd_machine *machine;
    tgd_words words; /* the launcher and its own words; the user's, or the one of tgbench's MPI */
    bool is_users;   /* the user chose it: it gets no words of ours but -n P */
    const char *blas_core; /* OPENBLAS_CORETYPE for the launches, or NULL: as it is */
} tgd_launcher;

/* Calls: Local. launcher: the user's words ("srun --mpi=pmix") or NULL. Errors: TG_BAD_INPUT when
 * the launcher is not found, or a file of hosts among its words names none. */
tg_status tgd_launcher_make(const tgd_bench *bench, const tgd_machine *machine,
                            const char *launcher, tgd_launcher *made);
void tgd_launcher_free(tgd_launcher *launcher);

/* Calls: Local. Words that start tgbench on so many ranks (its path last; the caller adds its
 * verb), and NAME=VALUE words to be added to the environment. What the user has set in the
 * environment stays as it is. The caller frees both. ranks <= cores  one rank a core, waiting ranks
 * spin ranks <= CPUs   one rank a hardware thread, waiting ranks spin more            not bound,
 * waiting ranks give their core away */
void tgd_launch_words(const tgd_launcher *launcher, int ranks, tgd_words *words,
                      tgd_words *environment);

#endif
