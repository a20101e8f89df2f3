/* machine.c: machines by boot id, nodes by their names too, cores and masks by hwloc. Ranks share a
 * machine, with its cores and memory, when they share a kernel: containers and virtual nodes have
 * names of their own, but one boot id. Simulated ranks run in one process: their machines are the hosts
 * of the platform, of which nothing but the name is known. */
#include "bench/machine.h"

#include "bench/clock.h"

#include <hwloc.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- machines ---- */

/* A colour of MPI_Comm_split: FNV-1a. */
static int hash_of(const char *text, const char *more)
{
    uint32_t hash = UINT32_C(2166136261);
    for (const char *c = text; *c; c++)
        hash = (hash ^ (unsigned char)*c) * UINT32_C(16777619);
    for (const char *c = more; *c; c++)
        hash = (hash ^ (unsigned char)*c) * UINT32_C(16777619);
    return (int)(hash & INT_MAX);
}

void tgb_machine_name(char *text, size_t size)
{
    char name[MPI_MAX_PROCESSOR_NAME] = "";
    int length;
    if (tgb_clock_simulated())
        MPI_Get_processor_name(name, &length);
    else if (gethostname(name, sizeof name - 1) != 0)
        name[0] = '\0';
    snprintf(text, size, "%s", name);
}

/* The boot id of the kernel; where there is none, the name. */
static void read_boot_id(char *text, int size)
{
    text[0] = '\0';
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
    if (!file || !fgets(text, size, file))
        tgb_machine_name(text, (size_t)size);
    if (file)
        fclose(file);
}

/* The same number on all ranks of one machine; a simulated host is one. */
static int machine_id(void)
{
    char boot_id[128];
    if (tgb_clock_simulated())
        return tgb_node_id();
    read_boot_id(boot_id, sizeof boot_id);
    return hash_of(boot_id, "");
}

int tgb_node_id(void)
{
    char boot_id[128], name[256];
    read_boot_id(boot_id, sizeof boot_id);
    tgb_machine_name(name, sizeof name);
    return hash_of(boot_id, name);
}

static void write_range(char *text, size_t size, int lo, int hi, const char *unit)
{
    if (lo == hi)
        snprintf(text, size, "%d%s", lo, unit);
    else
        snprintf(text, size, "%d-%d%s", lo, hi, unit);
}

static int reduced(MPI_Comm comm, int mine, MPI_Op op)
{
    MPI_Allreduce(MPI_IN_PLACE, &mine, 1, MPI_INT, op, comm);
    return mine;
}

/* ---- masks ---- */

typedef struct {
    hwloc_topology_t topology;
    hwloc_bitmap_t mask; /* where this rank may run */
} view;

static void open_view(view *v)
{
    hwloc_topology_init(&v->topology);
    hwloc_topology_set_all_types_filter(v->topology, HWLOC_TYPE_FILTER_KEEP_NONE);
    hwloc_topology_set_type_filter(v->topology, HWLOC_OBJ_CORE, HWLOC_TYPE_FILTER_KEEP_ALL);
    hwloc_topology_load(v->topology);
    v->mask = hwloc_bitmap_alloc();
    if (hwloc_get_cpubind(v->topology, v->mask, HWLOC_CPUBIND_PROCESS) != 0)
        hwloc_bitmap_copy(v->mask, hwloc_topology_get_topology_cpuset(v->topology));
}

static void close_view(view *v)
{
    hwloc_bitmap_free(v->mask);
    hwloc_topology_destroy(v->topology);
}

/* Cores of which a mask holds some part; processing units where the kernel tells of no cores. */
static int cores_in(const view *v, hwloc_const_bitmap_t mask)
{
    int cores = 0, total = hwloc_get_nbobjs_by_type(v->topology, HWLOC_OBJ_CORE);
    for (int i = 0; i < total; i++)
        cores += hwloc_bitmap_intersects(
            hwloc_get_obj_by_type(v->topology, HWLOC_OBJ_CORE, (unsigned)i)->cpuset, mask);
    return total > 0 ? cores : hwloc_bitmap_weight(mask);
}

/* Cores in the union of the masks of all ranks of a machine. */
static int cores_of_all(const view *v, MPI_Comm machine)
{
    int words = reduced(machine, hwloc_bitmap_nr_ulongs(v->mask), MPI_MAX);
    unsigned long *bits = calloc(words > 0 ? (size_t)words : 1, sizeof *bits);
    hwloc_bitmap_t together = hwloc_bitmap_alloc();
    int cores = 0;
    if (reduced(machine, bits && together && words > 0, MPI_MIN)) {
        hwloc_bitmap_to_ulongs(v->mask, (unsigned)words, bits);
        MPI_Allreduce(MPI_IN_PLACE, bits, words, MPI_UNSIGNED_LONG, MPI_BOR, machine);
        hwloc_bitmap_from_ulongs(together, (unsigned)words, bits);
        cores = cores_in(v, together);
    }
    hwloc_bitmap_free(together);
    free(bits);
    return cores;
}

/* How many ranks of a machine are held on the core that holds most of them: ranks with one core in
 * their mask. */
static int most_on_a_core(const view *v, MPI_Comm machine)
{
    int total = reduced(machine, hwloc_get_nbobjs_by_type(v->topology, HWLOC_OBJ_CORE), MPI_MAX),
        most = 0;
    int *held = calloc(total > 0 ? (size_t)total : 1, sizeof *held);
    if (reduced(machine, held && total > 0, MPI_MIN)) {
        for (int i = 0; i < total && cores_in(v, v->mask) == 1; i++) {
            hwloc_obj_t core = hwloc_get_obj_by_type(v->topology, HWLOC_OBJ_CORE, (unsigned)i);
            held[i] = core && hwloc_bitmap_intersects(core->cpuset, v->mask);
        }
        MPI_Allreduce(MPI_IN_PLACE, held, total, MPI_INT, MPI_SUM, machine);
        for (int i = 0; i < total; i++)
            most = held[i] > most ? held[i] : most;
    }
    free(held);
    return most;
}

static void write_placement(MPI_Comm comm, const view *v, tgb_machine *machine)
{
    int mine = cores_in(v, v->mask),
        all = cores_in(v, hwloc_topology_get_topology_cpuset(v->topology));
    int lo = reduced(comm, mine, MPI_MIN), hi = reduced(comm, mine, MPI_MAX);
    if (reduced(comm, mine == all && all > 1, MPI_MIN))
        snprintf(machine->placement, sizeof machine->placement, "none");
    else
        write_range(machine->placement, sizeof machine->placement, lo, hi,
                    hi == 1 ? " core" : " cores");
}

/* Open MPI yields when told so, or when its launcher knows that ranks exceed slots. Other libraries
 * are not known to yield. */
static bool yields_by_environment(void)
{
#ifndef OPEN_MPI
    return false;
#else
    const char *told = getenv("OMPI_MCA_mpi_yield_when_idle"),
               *knows = getenv("OMPI_MCA_mpi_oversubscribe");
    const char *text = told ? told : knows ? knows : "0";
    return strcmp(text, "1") == 0 || strcmp(text, "true") == 0 || strcmp(text, "yes") == 0;
#endif
}

/* The ranks of the same colour: how many such groups there are, and how large they are. */
typedef struct {
    MPI_Comm comm;
    int groups, ranks, fewest, most;
    bool first; /* this rank, of its group */
} group;

static group group_by(MPI_Comm comm, int colour)
{
    group g;
    int rank, place;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_split(comm, colour, rank, &g.comm);
    MPI_Comm_size(g.comm, &g.ranks);
    MPI_Comm_rank(g.comm, &place);
    g.first = place == 0;
    g.groups = reduced(comm, g.first, MPI_SUM);
    g.fewest = reduced(comm, g.ranks, MPI_MIN);
    g.most = reduced(comm, g.ranks, MPI_MAX);
    return g;
}

/* How ranks meet cores; what the cores of the simulating machine do means nothing to simulated
 * ranks. */
static void look_at_cores(MPI_Comm comm, const group *here, tgb_machine *machine)
{
    view v;
    if (tgb_clock_simulated()) {
        snprintf(machine->placement, sizeof machine->placement, "none");
        return;
    }
    open_view(&v);
    bool crowded = here->ranks > cores_of_all(&v, here->comm);
    crowded = most_on_a_core(&v, here->comm) > 1 || crowded;
    machine->oversubscribed = reduced(comm, crowded, MPI_MAX);
    write_placement(comm, &v, machine);
    close_view(&v);
}

/* All simulated ranks are in the memory of one real machine. */
void tgb_machine_look(MPI_Comm comm, tgb_machine *machine)
{
    int rank;
    group node = group_by(comm, tgb_node_id()), here = group_by(comm, machine_id());
    MPI_Comm_rank(comm, &rank);
    machine->nodes = node.groups;
    write_range(machine->ppn, sizeof machine->ppn, node.fewest, node.most, "");
    machine->machines = here.groups;
    machine->fewest_ranks = here.fewest;
    machine->most_ranks = here.most;
    machine->first_here = tgb_clock_simulated() ? rank == 0 : here.first;
    look_at_cores(comm, &here, machine);
    machine->yields = reduced(comm, yields_by_environment(), MPI_MIN);
    MPI_Comm_free(&node.comm);
    MPI_Comm_free(&here.comm);
}

/* ---- one machine ---- */

void tgb_machine_binding(char *text, size_t size)
{
    view v;
    *text = '\0';
    if (tgb_clock_simulated())
        return;
    open_view(&v);
    hwloc_bitmap_list_snprintf(text, size, v.mask);
    close_view(&v);
}

tgb_topology tgb_machine_topology(void)
{
    if (tgb_clock_simulated())
        return (tgb_topology){.cores = 0};
    hwloc_topology_t topology;
    hwloc_topology_init(&topology);
    hwloc_topology_load(topology);
    const tgb_topology all = {
        .packages = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PACKAGE),
        .cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE),
        .cpus = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU),
        .numa_nodes = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE),
    };
    hwloc_topology_destroy(topology);
    return all;
}

void tgb_machine_library(char *text, size_t size)
{
    const unsigned version = hwloc_get_api_version(); /* 0xMMmmpp */
    snprintf(text, size, "%u.%u", version >> 16, (version >> 8) & 0xff);
}

/* ---- caches ---- */

tgb_caches tgb_machine_caches(void)
{
    static const hwloc_obj_type_t levels[] = {HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE,
                                              HWLOC_OBJ_L3CACHE, HWLOC_OBJ_L4CACHE};
    tgb_caches caches = {.last = 0};
    if (tgb_clock_simulated())
        return caches;
    hwloc_topology_t topology;
    hwloc_topology_init(&topology);
    hwloc_topology_load(topology);
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        const int count = hwloc_get_nbobjs_by_type(topology, levels[i]);
        if (count <= 0)
            continue;
        caches.own = caches.last;
        caches.last = (size_t)hwloc_get_obj_by_type(topology, levels[i], 0)->attr->cache.size;
        caches.all_last = (size_t)count * caches.last;
    }
    hwloc_topology_destroy(topology);
    return caches;
}
