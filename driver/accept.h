/* accept.h: the verb accept of tensorgauge: may this machine be accepted, and if not, what is to
 * blame? */
#ifndef TGD_ACCEPT_H
#define TGD_ACCEPT_H

/* Calls: Local. argv[0] is the verb: `accept RUN [--reference REF] [--tolerance SHARE]`. Prints a
 * line for each rule, the culprits by name, and one last line with the verdict; writes
 * judgement.csv, judgement.json and junit.xml into RUN. Returns the exit status: 0, 1 when a rule
 * failed, 2 for wrong words or files (one line on standard error, and nothing written). */
int tgd_accept(int argc, char **argv);

#endif
