/* campaign.h: what is to be measured, as an INI file says it: one section [campaign], any number of
 * sections [cells NAME] whose lists multiply. Words of operations are not known here; they are
 * looked at in plan.h. */
#ifndef TGD_CAMPAIGN_H
#define TGD_CAMPAIGN_H

#include "driver/text.h"

typedef struct {
    char *text; /* as written */
    int line;   /* of the file */
} tgd_case_line;

/* One [cells NAME]. An empty list means: every word that the operation offers (direction), its
 * default (dtype, kernels, algorithm), no N to be solved (sizes). */
typedef struct {
    char *name;
    int line;       /* of its first setting */
    unsigned given; /* a bit for each key that has been given */
    tgd_case_line *cases;
    int ncases;
    long *ranks; /* ascending, none twice */
    int nranks;
    ptrdiff_t *sizes;
    int nsizes;
    tgd_words directions, dtypes, kernels, algorithms;
    char *scaling; /* strong, weak or size */
    bool turns;    /* cells of the same ranks, size and direction take turns */
    char *pairs;   /* which rounds R of pairs (rounds.h); NULL: not said */
} tgd_section;

/* Settings that the driver does not look into: each is given to tgbench as the option of its name.
 */
enum { TGD_PASSED = 11, TGD_SYNC = 0, TGD_AUTO_CACHE = TGD_PASSED - 1 };
extern const char *const tgd_passed[TGD_PASSED];

typedef struct {
    char *path, *text; /* the file and what stood in it */
    char *name;
    long launches, seed;
    double budget_s, stall_s;
    double soak_s;            /* more launches until so much time is over; 0: none */
    bool calibrate;           /* before the cells: driver/calibrate.h */
    bool given_order;         /* cells are measured as they are numbered, not shuffled */
    bool other_ranks;         /* than the file's: --ranks */
    char *passed[TGD_PASSED]; /* NULL: tgbench's default */
    unsigned given;
    tgd_section *sections;
    int nsections;
} tgd_campaign;

/* Calls: Local. Errors: TG_BAD_INPUT names the file, the line and the word; *c is then empty. */
tg_status tgd_campaign_read(const char *path, tgd_campaign *c);
const char *tgd_campaign_file(const tgd_campaign *c); /* the file's name without its folder */
void tgd_campaign_free(tgd_campaign *c);              /* an empty campaign may be freed again */

/* Calls: Local. Replace a setting of the campaign, or of all its sections: what a command-line
 * option does. Errors: TG_BAD_INPUT names what (the option) and the word. */
tg_status tgd_campaign_set(tgd_campaign *c, const char *what, const char *key, const char *value);

/* Calls: Local. Add the options and values of the settings that are passed on: --sync window ... */
void tgd_campaign_words(const tgd_campaign *c, tgd_words *words);

#endif
