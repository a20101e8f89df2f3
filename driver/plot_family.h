/* plot_family.h: which number of a layer's case grows along a sweep. */
#ifndef TGD_PLOT_FAMILY_H
#define TGD_PLOT_FAMILY_H

#include <jansson.h>

/* Calls: Local. families: a JSON object of the caller, empty at first. note takes in the words of one
 * cell of a sweep, without its layouts; of gives them back, when all are noted, with N for the extent
 * in which the most other cells differ and nothing else, as malloc'ed text: batch=N, space=Nx32,
 * features=N:1024. Words that agree with no others so stay as they are. */
void tgd_family_note(json_t *families, const char *words);
char *tgd_family_of(json_t *families, const char *words);

#endif
