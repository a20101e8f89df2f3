/* launcher.h: launchers of MPI programs as rows: what each is known by, and how it is asked for
 * ranks, places, more ranks than slots, and variables. launchers.def lists them; a row is one file,
 * launcher_NAME.c. */
#ifndef TGD_LAUNCHER_H
#define TGD_LAUNCHER_H

#include "driver/text.h"

/* How ranks meet the cores of this machine. */
typedef enum {
    TGD_ON_CORES,   /* one rank a core; waiting ranks spin */
    TGD_ON_THREADS, /* one rank a hardware thread; waiting ranks spin */
    TGD_CROWDED, /* more ranks than hardware threads: not bound; waiting ranks give their core away */
    TGD_PLACES
} tgd_place;

/* One wish in the launcher's language; empty texts: nothing has to be said. */
typedef struct {
    const char *words;       /* in front of the program */
    const char *environment; /* NAME=VALUE words; what the user has set stays as it is */
} tgd_wording;

typedef struct {
    const char *name;
    /* Is this what LAUNCHER --version printed? */
    bool (*is)(const char *answer);
    const char *ranks; /* the option in front of the number of ranks */
    tgd_wording place[TGD_PLACES];
    const char *binding; /* variable by which a user binds ranks: then no words of ours; or NULL */
    tgd_wording oversubscribe; /* more ranks than slots; words NULL: it cannot */
    const char *send; /* option in front of a variable's name that sends it to other hosts; NULL: it
                         sends all */
    const char *root; /* NAME=VALUE words without which it refuses root; or NULL */
    const char *hostfile[6]; /* options in front of a file of hosts, up to the first NULL */
    const char *no_slots[2]; /* what it prints when slots are missing, up to the first NULL */
    const char *remedy;      /* what to do then; NULL without no_slots */
    /* Is there room, before anything is started? Or NULL. Errors: TG_BAD_INPUT. */
    tg_status (*check_room)(const tgd_words *launcher, int ranks);
} tgd_launcher_row;

/* Calls: Local. Asks a launcher `--version`, for at most 10 s, and finds its row: its program alone,
 * and when that is not known all its words, for they may be "env NAME=VALUE mpirun". An unknown one
 * has a row without `is`, which asks for ranks and for nothing else. *version: the number that it
 * told, malloc'ed, or NULL. */
const tgd_launcher_row *tgd_launcher_ask(const tgd_words *launcher, char **version);

/* Calls: Local. "Open MPI (ORTE) 4.1.4", malloc'ed. */
char *tgd_launcher_title(const tgd_launcher_row *row, const char *version);

/* Calls: Local. Each file of hosts among the launcher's words has to name one. Errors: TG_BAD_INPUT.
 */
tg_status tgd_launcher_check_hosts(const tgd_launcher_row *row, const tgd_words *launcher);

/* Calls: Local. For the rows: the first number with a point in an answer ("4.1.4"), or NULL; and
 * whether a text begins with another. */
const char *tgd_launcher_number(const char *answer);
bool tgd_begins(const char *text, const char *start);

#endif
