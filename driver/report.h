/* report.h: the verb report of tensorgauge: what runs say, as one HTML file for somebody else. */
#ifndef TGD_REPORT_H
#define TGD_REPORT_H

/* Calls: Local. argv[0] is the verb: `report RUN... [--output FILE]`. Draws figures that are missing
 * into RUN/figures, then writes FILE (RUN/report.html). Returns the exit status: 0, or 2 for wrong
 * words or files (one line on standard error, and no report). */
int tgd_report_runs(int argc, char **argv);

#endif
