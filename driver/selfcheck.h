/* selfcheck.h: the measurement, measured. */
#ifndef TGD_SELFCHECK_H
#define TGD_SELFCHECK_H

/* Verb selfcheck: argv[0] is the verb; returns the exit status. Everything that depends on how long
 * something takes is looked at here, and in no test. */
int tgd_selfcheck(int argc, char **argv);

#endif
