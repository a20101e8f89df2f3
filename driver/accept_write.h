/* accept_write.h: what accept tells: a table for a person, files for programs. */
#ifndef TGD_ACCEPT_WRITE_H
#define TGD_ACCEPT_WRITE_H

#include "driver/rules.h"

#include <stdio.h>

/* All rules of a run, judged. */
typedef struct {
    const tgd_ruling *at;
    int count;
    tgd_answer verdict; /* of all together: pass, fail or undecided */
} tgd_rulings;

/* Calls: Local. fail: a rule failed; pass: none did, and one that compares times passed; else
 * undecided. */
tgd_answer tgd_answer_of(const tgd_ruling *at, int count);

/* Calls: Local. A line for each rule and each finding (of many the first ones), then the verdict:
 * "tensorgauge accept: FAIL: ...". What a file says is printed without its control characters. */
void tgd_accept_print(const tgd_rulings *all, FILE *out);

/* Calls: Local. judgement.csv (a line for each finding, and for each rule without one),
 * judgement.json, junit.xml (a test case for each rule). Errors: TG_BAD_INPUT names the file. */
tg_status tgd_accept_write(const tgd_rulings *all, const char *folder);

#endif
