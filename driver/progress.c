/* progress.c: the time left is what the cells so far took, for the cells to come, and never above
 * the budget. */
#include "driver/progress.h"

#include "driver/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { BAR_WIDTH = 30, ENOUGH_CELLS = 5 };
static const double plain_every_s = 5;

static double left_s(const tgd_progress *p)
{
    const double now = tgd_now_s();
    const double budget = fmax(p->end_s - now, 0);
    if (p->done < ENOUGH_CELLS)
        return budget;
    return fmin(budget, (now - p->start_s) / p->done * (p->total - p->done));
}

static void clear_bar(tgd_progress *p)
{
    if (p->bar) {
        fputs("\r\033[K", stderr);
        p->bar = false;
    }
}

void tgd_progress_start(tgd_progress *p, int total, double budget_s)
{
    const double now = tgd_now_s();
    *p = (tgd_progress){.total = total,
                        .start_s = now,
                        .end_s = now + budget_s,
                        .printed_s = now,
                        .terminal = isatty(STDERR_FILENO) == 1};
}

void tgd_progress_show(tgd_progress *p)
{
    if (!p->terminal) {
        if (tgd_now_s() - p->printed_s >= plain_every_s)
            tgd_progress_say(p, "%d of %d cells, %.0f s left", p->done, p->total, left_s(p));
        return;
    }
    char bar[BAR_WIDTH + 1];
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i * p->total < p->done * BAR_WIDTH ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r\033[K[%s] %d of %d cells, %.0f s left", bar, p->done, p->total, left_s(p));
    fflush(stderr);
    p->bar = true;
}

void tgd_progress_cell(tgd_progress *p)
{
    p->done++;
    tgd_progress_show(p);
}

void tgd_progress_say(tgd_progress *p, const char *format, ...)
{
    va_list arguments;
    clear_bar(p);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    putc('\n', stderr);
    p->printed_s = tgd_now_s();
}

void tgd_progress_end(tgd_progress *p)
{
    clear_bar(p);
}
