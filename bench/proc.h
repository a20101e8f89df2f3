/* proc.h: what the kernel tells of this process and this machine: memory, and what disturbs a
 * measurement. Numbers of /proc; 0: not known. */
#ifndef TGB_PROC_H
#define TGB_PROC_H

#include <stdbool.h>

/* Calls: Local, all. The number at `index` (0, 1, ...) behind the words that the first such line of a
 * file begins with. */
double tgb_proc_number(const char *path, const char *words, int index);

double tgb_memory_bytes(void); /* of this machine */

/* Units: MB (1e6 B). Largest resident size of this process since it was forgotten, or since the
 * process began where the kernel cannot forget (false). */
double tgb_peak_rss_MB(void);
bool tgb_peak_rss_forget(void);

/* Units: ms that a hypervisor took from all CPUs of this machine since it started. */
double tgb_steal_ms(void);

/* Involuntary context switches of this process: it could have run on, and another one ran. A rank
 * that waits and gives its core away is counted too. */
long long tgb_involuntary_switches(void);

#endif
