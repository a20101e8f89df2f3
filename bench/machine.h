/* machine.h: where the ranks of a cell run: machines, cores, binding; and what disturbs them. */
#ifndef TGB_MACHINE_H
#define TGB_MACHINE_H

#include <mpi.h>
#include <stdbool.h>

typedef struct {
    int nodes;           /* machines, told apart by the boot id of their kernel */
    char ppn[32];        /* ranks per machine: "4" or "3-4" */
    char placement[64];  /* "none": not bound; else cores in a rank's mask: "1 core", "1-2 cores" */
    bool oversubscribed; /* a machine has more ranks than cores in the union of their masks */
    bool first_here;     /* the first rank of its machine; the only field that ranks differ in */
    bool yields;         /* waiting ranks give the core away (from Open MPI's environment) */
} tgb_machine;

/* Calls: Collective on comm. */
void tgb_machine_look(MPI_Comm comm, tgb_machine *machine);

/* Calls: Collective on comm. Do the ranks' bytes, summed, fit into what is free on their machines?
 * Yes where the kernel does not say. */
bool tgb_memory_is_enough(MPI_Comm comm, const tgb_machine *machine, double bytes);

/* Calls: Local. Units: ms of time that a hypervisor took from this machine since it started; 0: not
 * known. */
double tgb_steal_ms(void);
/* Calls: Local. Involuntary context switches, and peak resident size in MB (1e6 B), of this
 * process. */
long long tgb_involuntary_switches(void);
double tgb_peak_rss_MB(void);

#endif
