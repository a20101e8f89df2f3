/* proc.h: what the kernel tells of this process and this machine: memory, and what disturbs a
 * measurement. Numbers of /proc; 0: not known. */
#ifndef TGB_PROC_H
#define TGB_PROC_H

#include <stdbool.h>

/* Calls: Local, all. Memory of this machine, that is free or can be made free, in bytes; all of it.
 */
double tgb_available_bytes(void);
double tgb_memory_bytes(void);

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
