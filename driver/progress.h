/* progress.h: how far a run is: a bar with the time left on a terminal, now and then a plain line
 * elsewhere. All of it goes to standard error. */
#ifndef TGD_PROGRESS_H
#define TGD_PROGRESS_H

#include <stdbool.h>

typedef struct {
    int total, done;
    double start_s, end_s; /* end_s: when the budget is used up */
    double printed_s;      /* when a plain line was last printed */
    bool terminal, bar;    /* bar: one stands on the terminal's line */
    char last[200];        /* the last cell: status, time, interval, repetitions, case */
} tgd_progress;

/* Calls: Local, all. */
void tgd_progress_start(tgd_progress *progress, int total, double budget_s);
void tgd_progress_cell(tgd_progress *progress, const char *text); /* one more cell is done */
void tgd_progress_show(tgd_progress *progress);
/* A whole line of text, above the bar. */
void tgd_progress_say(tgd_progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void tgd_progress_end(tgd_progress *progress);

#endif
