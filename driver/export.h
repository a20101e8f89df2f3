/* export.h: the verbs export and import of tensorgauge: cells in other programs' formats, and other
 * programs' results as a run folder. */
#ifndef TGD_EXPORT_H
#define TGD_EXPORT_H

/* Calls: Local. argv[0] is the verb: `export RUN --format FORMAT [--output FILE]`. Returns the exit
 * status: 0, or 2 for wrong words or files (one line on standard error, and nothing written). */
int tgd_export(int argc, char **argv);

/* Calls: Local. argv[0] is the verb: `import FILE... [--ranks P] [--name NAME] [--output DIR]`.
 * Returns the exit status: 0, or 2 for wrong words or files (one line, and nothing written). */
int tgd_import(int argc, char **argv);

#endif
