/* compare.h: the verb compare of tensorgauge: which cells of runs are faster, slower or the same. */
#ifndef TGD_COMPARE_H
#define TGD_COMPARE_H

/* Calls: Local. argv[0] is the verb: `compare A B [C...]`, or `compare RUN` of a run with several
 * builds. Returns the exit status: 0 nothing is slower, 1 something is, 2 wrong words or files (one
 * line on standard error, and nothing written). */
int tgd_compare(int argc, char **argv);

#endif
