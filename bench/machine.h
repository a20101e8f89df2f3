/* machine.h: where the ranks of a cell run: machines, cores, binding. */
#ifndef TGB_MACHINE_H
#define TGB_MACHINE_H

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    int nodes; /* told apart by the boot id of their kernel and their host name; simulated hosts */
    char ppn[32]; /* ranks per node: "4" or "3-4" */
    int machines; /* told apart by the boot id alone: containers and virtual nodes are nodes,
                            for messages between them cross a network, and share a machine */
    int fewest_ranks, most_ranks; /* on one machine */
    char placement[64];  /* "none": not bound; else cores in a rank's mask: "1 core", "1-2 cores" */
    bool oversubscribed; /* a machine has more ranks than cores in the union of their masks, or two
                            ranks that may run on one core only, the same */
    bool first_here;     /* the first rank of its kernel; the only field that ranks differ in */
    bool yields;         /* waiting ranks give the core away: so says Open MPI's environment */
} tgb_machine;

/* Calls: Collective on comm. */
void tgb_machine_look(MPI_Comm comm, tgb_machine *machine);

/* Calls: Local. The logical CPUs that this rank may run on, as a list: "0-3,8". */
void tgb_machine_binding(char *text, size_t size);

/* Calls: Local. What this machine has; 0: not known, as of simulated hosts. */
typedef struct {
    int packages, cores, cpus, numa_nodes; /* cpus: logical ones */
} tgb_topology;
tgb_topology tgb_machine_topology(void);

/* Calls: Local. Version of the library that was asked, as in 2.9. */
void tgb_machine_library(char *text, size_t size);

/* Calls: Local. The node's name for itself; and a number made of it and the boot id, the same on
 * all ranks of a node. */
void tgb_machine_name(char *text, size_t size);
int tgb_node_id(void);

/* Calls: Local. Units: bytes. The caches of this machine; 0: not known. */
typedef struct {
    size_t own, last, all_last; /* the second to last level of a core; one of the last level; all */
} tgb_caches;
tgb_caches tgb_machine_caches(void);

#endif
