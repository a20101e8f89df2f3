/* verbs.h: the verbs of tgbench, and what they share: how the program was started, options, one
 * line for an error. */
#ifndef TGB_VERBS_H
#define TGB_VERBS_H

#include "primitives/layout.h"

#include <argp.h>

enum { TGB_GOOD = 0, TGB_FAILED = 1, TGB_BAD_WORDS = 2, TGB_PARTLY = 3 }; /* exit statuses */

/* How the program was started. */
typedef struct {
    int promised;   /* ranks that a launcher's environment speaks of; 1: none */
    int place;      /* this process among them */
    bool started;   /* MPI is */
    int rank, size; /* in MPI_COMM_WORLD; 0 and 1 without MPI */
    bool speaks;    /* prints: one process of all */
} tgb_launch;

/* Calls: Local (environment), then Collective when more than one rank was promised: MPI is started,
 * so that one rank speaks for all. */
void tgb_launch_look(tgb_launch *launch);
/* Calls: Collective. Start MPI where it is not. Errors: TG_BAD_INPUT: alone under a launcher that
 * promised more. */
tg_status tgb_launch_start(tgb_launch *launch);
/* Calls: Collective. End MPI where it was started. */
void tgb_launch_end(const tgb_launch *launch);

/* Calls: Local. One line on standard error, from the process that speaks; returns TGB_BAD_WORDS. */
int tgb_complain(const tgb_launch *launch, tg_status status);

/* What every verb's options begin with. */
typedef struct {
    tg_status status; /* of the words read so far */
    bool help;        /* --help was given */
} tgb_words;
enum { TGB_HELP = 256, TGB_FIRST_OPTION }; /* keys of argp rows: no option has one letter */
#define TGB_HELP_ROW {"help", TGB_HELP, NULL, 0, "show these options", 0}

/* Calls: Local. Parse argv (argv[0] is the verb) by rows whose input begins with a tgb_words. For
 * the parser functions: tgb_common_option handles --help and what no row knows. */
tg_status tgb_parse_options(const struct argp *rows, int argc, char **argv, tgb_words *words);
error_t tgb_common_option(int key, char *text, struct argp_state *state);
/* Calls: Local. Keep the first error; EINVAL for argp when there is one. */
error_t tgb_keep(tgb_words *words, tg_status status);
int tgb_show_help(const tgb_launch *launch, const struct argp *rows, const char *verb);

/* The verbs: argv[0] is the verb; they return the exit status, the same on every rank. */
int tgb_list(tgb_launch *launch, int argc, char **argv);
int tgb_check(tgb_launch *launch, int argc, char **argv);
int tgb_time(tgb_launch *launch, int argc, char **argv);
int tgb_train(tgb_launch *launch, int argc, char **argv);

#endif
