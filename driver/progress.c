/* progress.c: the time left is what the cells so far took, for the cells to come, and never above
 * the budget. */
#include "driver/progress.h"

#include "driver/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR_WIDTH = 20, ENOUGH_CELLS = 5, PLAIN_WIDTH = 120 };
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

/* "3 of 14 cells, 12 s left; ok 1.7 us +-5.0% (15 reps) broadcast ...", cut to so many characters.
 */
static void describe(const tgd_progress *p, char *text, size_t size)
{
    const int length =
        snprintf(text, size, "%d of %d cells, %.0f s left", p->done, p->total, left_s(p));
    if (*p->last && length > 0 && (size_t)length < size)
        snprintf(text + length, size - (size_t)length, "; %s", p->last);
}

static size_t terminal_width(void)
{
    struct winsize window = {.ws_col = 0};
    const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0;
    return known ? window.ws_col : 80;
}

void tgd_progress_show(tgd_progress *p)
{
    char text[PLAIN_WIDTH + 1], bar[BAR_WIDTH + 1];
    if (!p->terminal) {
        describe(p, text, sizeof text);
        if (tgd_now_s() - p->printed_s >= plain_every_s)
            tgd_progress_say(p, "%s", text);
        return;
    }
    const size_t width = terminal_width(), used = BAR_WIDTH + 4; /* [ ] blank, and the last place */
    const size_t room = width > used ? width - used + 1 : 1;
    describe(p, text, room < sizeof text ? room : sizeof text);
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i * p->total < p->done * BAR_WIDTH ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r\033[K[%s] %s", bar, text);
    fflush(stderr);
    p->bar = true;
}

void tgd_progress_cell(tgd_progress *p, const char *text)
{
    p->done++;
    snprintf(p->last, sizeof p->last, "%s", text);
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
