/* machine.c: machines by boot id, cores and masks by hwloc, disturbance from the kernel. Ranks
 * share a machine when they share a kernel: containers and virtual nodes have names of their own,
 * but one boot id. Source for oversubscription: ranks > cores in the union of their masks. */
#include "bench/machine.h"

#include <hwloc.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- machines ---- */

/* The same number on all ranks of one machine: the boot id, hashed (FNV-1a) into a colour of
 * MPI_Comm_split. */
static int machine_colour(void)
{
    char text[128] = "";
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
    if (!file || !fgets(text, sizeof text, file))
        gethostname(text, sizeof text - 1);
    if (file)
        fclose(file);
    uint32_t hash = UINT32_C(2166136261);
    for (const char *c = text; *c; c++)
        hash = (hash ^ (unsigned char)*c) * UINT32_C(16777619);
    return (int)(hash & INT_MAX);
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

/* Open MPI yields when told so, or when its launcher knows that ranks exceed slots. */
static bool yields_by_environment(void)
{
    const char *told = getenv("OMPI_MCA_mpi_yield_when_idle"),
               *knows = getenv("OMPI_MCA_mpi_oversubscribe");
    const char *text = told ? told : knows ? knows : "0";
    return strcmp(text, "1") == 0 || strcmp(text, "true") == 0 || strcmp(text, "yes") == 0;
}

void tgb_machine_look(MPI_Comm comm, tgb_machine *machine)
{
    MPI_Comm here;
    view v;
    int rank, ranks, first;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_split(comm, machine_colour(), rank, &here);
    MPI_Comm_size(here, &ranks);
    MPI_Comm_rank(here, &first);
    machine->first_here = first == 0;
    machine->nodes = reduced(comm, first == 0, MPI_SUM);
    write_range(machine->ppn, sizeof machine->ppn, reduced(comm, ranks, MPI_MIN),
                reduced(comm, ranks, MPI_MAX), "");
    open_view(&v);
    machine->oversubscribed = reduced(comm, ranks > cores_of_all(&v, here), MPI_MAX);
    write_placement(comm, &v, machine);
    close_view(&v);
    machine->yields = reduced(comm, yields_by_environment(), MPI_MIN);
    MPI_Comm_free(&here);
}

/* ---- memory ---- */

/* The number at `index` (0, 1, ...) behind the words that a line of a file of /proc begins with; 0:
 * not there. */
static double proc_number(const char *path, const char *words, int index)
{
    FILE *file = fopen(path, "r");
    char line[512];
    double found = 0;
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, words, strlen(words)) != 0)
            continue;
        char *at = line + strlen(words);
        for (int i = 0; i <= index; i++)
            found = strtod(at, &at);
        break;
    }
    if (file)
        fclose(file);
    return found;
}

static double available_bytes(void)
{
    return proc_number("/proc/meminfo", "MemAvailable:", 0) * 1024;
}

bool tgb_memory_is_enough(MPI_Comm comm, const tgb_machine *machine, double bytes)
{
    double sum[2] = {bytes, machine->first_here ? available_bytes() : 0};
    MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_DOUBLE, MPI_SUM, comm);
    return sum[1] <= 0 || sum[0] <= sum[1];
}

/* ---- disturbance ---- */

double tgb_steal_ms(void)
{
    enum { STEAL = 7 }; /* behind user nice system idle iowait irq softirq */
    return proc_number("/proc/stat", "cpu ", STEAL) * 1000.0 / (double)sysconf(_SC_CLK_TCK);
}

long long tgb_involuntary_switches(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_nivcsw : 0;
}

double tgb_peak_rss_MB(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (double)usage.ru_maxrss * 1024.0 / 1e6 : 0;
}
