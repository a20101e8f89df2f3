/* run.h: the verbs run and list of tensorgauge. */
#ifndef TGD_RUN_H
#define TGD_RUN_H

/* Calls: Local. argv[0] is the verb. Returns the exit status: 0 good, 1 a cell was wrong or is
 * missing, 2 wrong words or files (one line on standard error), 3 partly done (signal). */
int tgd_run(int argc, char **argv);
int tgd_list(int argc, char **argv);

#endif
