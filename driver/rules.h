/* rules.h: what accept looks at: a rule is a row; its function looks at what a run measured and
 * gives a verdict, one line of text and what it found, each finding with its culprit by name. */
#ifndef TGD_RULES_H
#define TGD_RULES_H

#include "driver/measured.h"

/* What a rule says. look: not as it should be, but no reason to refuse a machine. */
typedef enum { TGD_PASS, TGD_FAIL, TGD_OPEN, TGD_REMARK } tgd_answer;
const char *tgd_answer_name(tgd_answer verdict);

typedef struct {
    char *culprit;                 /* rank 3 (node07, CPU 3); a case; ... */
    char *text;                    /* what is the matter with it */
    const tgd_row *row;            /* one of the cells where it was seen; NULL: none */
    double value, expected, limit; /* in the rule's unit; NAN: none */
} tgd_finding;

typedef struct tgd_rule tgd_rule;

typedef struct {
    const tgd_rule *rule;
    tgd_answer verdict;
    char *text; /* what was looked at and what came of it, one line */
    tgd_finding *finding;
    int count;
} tgd_ruling;

/* What the user wants besides: --reference and --tolerance. */
typedef struct {
    const char *reference; /* NULL: none */
    double upper;          /* of a reference that is a run: how much slower a cell may be */
} tgd_demands;

struct tgd_rule {
    const char *name, *looks_at;
    const char *unit; /* of value, expected and limit */
    bool compares;    /* times with times: a machine may be accepted by it */
    /* Local. Fills verdict, text and findings of *j; no text: there was nothing to be judged, as
     * without a reference. Errors: TG_BAD_INPUT names the file and what
     * was expected. */
    tg_status (*judge)(const tgd_measured *e, const tgd_demands *demands, tgd_ruling *j);
};

extern const tgd_rule tgd_rule_list[]; /* ends with a row without name */

/* Calls: Local. The cells whose times of each rank some rule looks at. */
bool tgd_rules_want(const tgd_group *group);

/* ---- for the functions of the rules ---- */

/* Calls: Local, all. The text of a judgement, as printf; a finding, whose two texts become the
 * judgement's. */
void tgd_rule_decide(tgd_ruling *j, tgd_answer verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
tgd_finding *tgd_find(tgd_ruling *j, const tgd_row *row, char *culprit, char *text);
void tgd_ruling_free(tgd_ruling *j);
char *tgd_row_name(const tgd_row *row); /* "CASE forward on 4 ranks", malloc'ed */

/* On each rank alone, all ranks at work: their times can be compared. A round of pairs. */
bool tgd_is_local(const tgd_group *group);
bool tgd_is_pairs(const tgd_group *group);

typedef tg_status tgd_rule_function(const tgd_measured *e, const tgd_demands *demands,
                                    tgd_ruling *j);
tgd_rule_function tgd_rule_blas;                                      /* rules.c */
tgd_rule_function tgd_rule_ranks, tgd_rule_nodes, tgd_rule_pairs;     /* rules_peers.c */
tgd_rule_function tgd_rule_reference;                                 /* rules_reference.c */
tgd_rule_function tgd_rule_noise, tgd_rule_throttling, tgd_rule_soak; /* rules_time.c */
tgd_rule_function tgd_rule_guidelines;                                /* rules_guidelines.c */

#endif
