/* phases.c: one clock, and a sum for each phase. */
#include "bench/phases.h"

#include "bench/measure.h"

static const char *const names[TGB_PHASES] = {
    "start", "plan", "validation", "warm_up", "timed", "counted", "overlap", "breakdown", "rows"};

static struct {
    uint64_t since_ns; /* when the present phase was entered; 0: none was */
    tgb_phase now;
    double sum_s[TGB_PHASES];
} spent;

void tgb_phase_enter(tgb_phase phase)
{
    const uint64_t now_ns = tgb_now_ns();
    if (spent.since_ns != 0 && now_ns > spent.since_ns) /* a simulator's clock begins with MPI */
        spent.sum_s[spent.now] += (double)(now_ns - spent.since_ns) / 1e9;
    spent.since_ns = now_ns;
    spent.now = phase;
}

double tgb_phase_s(tgb_phase phase)
{
    if (spent.since_ns != 0)
        tgb_phase_enter(spent.now);
    return spent.sum_s[phase];
}

const char *tgb_phase_name(tgb_phase phase)
{
    return names[phase];
}

void tgb_phases_print(FILE *out, int cells)
{
    fputs("phases_s", out);
    for (int i = 0; i < TGB_PHASES; i++)
        fprintf(out, " %s=%.6f", tgb_phase_name((tgb_phase)i), tgb_phase_s((tgb_phase)i));
    fprintf(out, " cells=%d\n", cells);
}
