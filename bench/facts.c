/* facts.c: every rank tells its node's first rank where it runs, and the first ranks tell rank 0 what
 * their nodes are, both along trees (places.h); rank 0 writes. No variable of the environment is
 * read. */
#include "bench/facts.h"

#include "bench/clock.h"
#include "bench/free_memory.h"
#include "bench/machine.h"
#include "bench/places.h"
#include "bench/proc.h"
#include "bench/row.h"
#include "layers/layers.h"

#include <errno.h>
#include <jansson.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what is gathered ---- */

/* Of a node; behind it come its runs. */
typedef struct {
    char name[64], blas_core[32];
    int id, ranks;
    tgb_topology topology;
    tgb_caches caches;
    double memory_bytes, memory_limit_bytes; /* of the machine; of this job on it, 0: none */
    size_t runs;
} machine;

static int world_rank(void)
{
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return rank;
}

static int world_size(void)
{
    int size;
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    return size;
}

static machine look_at_machine(int ranks_here)
{
    machine m = {.id = tgb_node_id(),
                 .ranks = ranks_here,
                 .topology = tgb_machine_topology(),
                 .caches = tgb_machine_caches(),
                 .memory_bytes = tgb_memory_bytes(),
                 .memory_limit_bytes = tgb_free_memory_read("").limit_bytes};
    tgb_machine_name(m.name, sizeof m.name);
    snprintf(m.blas_core, sizeof m.blas_core, "%s", tgl_blas_core());
    return m;
}

/* On rank 0: each node and its runs, one behind the other, in the order of their first ranks. */
static tgb_bytes gather_nodes(void)
{
    MPI_Comm here, firsts;
    int place, ranks_here;
    tgb_run mine = {.rank = world_rank(), .count = 1};
    tgb_bytes runs = {.at = NULL}, nodes = {.at = NULL};
    tgb_machine_binding(mine.binding, sizeof mine.binding);
    MPI_Comm_split(MPI_COMM_WORLD, tgb_node_id(), mine.rank, &here);
    MPI_Comm_rank(here, &place);
    MPI_Comm_size(here, &ranks_here);
    MPI_Comm_split(MPI_COMM_WORLD, place == 0 ? 0 : MPI_UNDEFINED, mine.rank, &firsts);
    tgb_join_runs(&runs, &mine, sizeof mine);
    tgb_gather_bytes(here, tgb_join_runs, &runs);
    MPI_Comm_free(&here);
    if (firsts == MPI_COMM_NULL)
        return nodes;
    machine this_one = look_at_machine(ranks_here);
    this_one.runs = runs.size / sizeof mine;
    tgb_join_bytes(&nodes, &this_one, sizeof this_one);
    tgb_join_bytes(&nodes, runs.at, runs.size);
    nodes.failed = nodes.failed || runs.failed;
    free(runs.at);
    tgb_gather_bytes(firsts, tgb_join_bytes, &nodes);
    MPI_Comm_free(&firsts);
    return nodes;
}

/* ---- as JSON ---- */

/* Text that is not UTF-8 is replaced, so that the file is always JSON. */
static json_t *text(const char *value)
{
    json_t *string = json_string(value);
    return string ? string : json_string("(not UTF-8)");
}

static json_t *known(double value)
{
    return value > 0 ? json_integer((json_int_t)value) : json_null();
}

static json_t *json_machine(const machine *m)
{
    char id[16];
    snprintf(id, sizeof id, "%08x", (unsigned)m->id);
    return json_pack(
        "{s:o, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", text(m->name), "id",
        id, "ranks", m->ranks, "packages", known(m->topology.packages), "cores",
        known(m->topology.cores), "cpus", known(m->topology.cpus), "numa_nodes",
        known(m->topology.numa_nodes), "llc_bytes", known((double)m->caches.last), "all_llc_bytes",
        known((double)m->caches.all_last), "memory_bytes", known(m->memory_bytes),
        "memory_limit_bytes", known(m->memory_limit_bytes), "blas_core", text(m->blas_core));
}

static void put_run(json_t *ranks, const tgb_run *run, int number)
{
    for (int i = 0; i < run->count; i++) {
        char binding[sizeof run->binding];
        const int rank = run->rank + i * run->rank_step;
        tgb_run_binding(run, i, binding, sizeof binding);
        json_array_set_new(ranks, (size_t)rank,
                           json_pack("{s:i, s:o}", "machine", number, "binding", text(binding)));
    }
}

/* The lists of machines and of ranks. */
static void put_nodes(const tgb_bytes *nodes, json_t *machines, json_t *ranks)
{
    const char *at = nodes->at, *end = at + nodes->size;
    for (int i = 0; i < world_size(); i++)
        json_array_append_new(ranks, json_null());
    for (int number = 0; at < end; number++) {
        machine m;
        memcpy(&m, at, sizeof m);
        at += sizeof m;
        json_array_append_new(machines, json_machine(&m));
        for (size_t i = 0; i < m.runs; i++, at += sizeof(tgb_run)) {
            tgb_run run;
            memcpy(&run, at, sizeof run);
            put_run(ranks, &run, number);
        }
    }
}

static const char *thread_level(void)
{
    static const struct {
        int level;
        const char *name;
    } rows[] = {{MPI_THREAD_SINGLE, "single"},
                {MPI_THREAD_FUNNELED, "funneled"},
                {MPI_THREAD_SERIALIZED, "serialized"},
                {MPI_THREAD_MULTIPLE, "multiple"}};
    int level;
    MPI_Query_thread(&level);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].level == level)
            return rows[i].name;
    return "unknown";
}

static json_t *json_mpi(void)
{
    char standard[16];
    int version, subversion;
    MPI_Get_version(&version, &subversion);
    snprintf(standard, sizeof standard, "%d.%d", version, subversion);
    return json_pack("{s:o, s:s, s:s}", "library", text(tgb_mpi_version()), "standard", standard,
                     "thread_level", thread_level());
}

static json_t *json_libraries(void)
{
    char hwloc[16], libc[64] = "";
    confstr(_CS_GNU_LIBC_VERSION, libc, sizeof libc);
    tgb_machine_library(hwloc, sizeof hwloc);
    return json_pack("{s:s, s:s, s:s, s:o}", "hwloc", hwloc, "jansson", JANSSON_VERSION, "libc",
                     libc, "kernels", text(tgl_kernels_library()));
}

static json_t *json_blas(void)
{
    return json_pack("{s:o, s:i}", "library", text(tgl_blas_config()), "threads",
                     tgl_blas_threads());
}

static json_t *json_clock(double timer_ns)
{
    const tgb_clock_facts c = tgb_clock_known();
    return json_pack("{s:s, s:s, s:f, s:i, s:f, s:f, s:f}", "source",
                     tgb_clock_simulated() ? "simulated" : "raw", "model", c.kind, "timer_ns",
                     timer_ns, "rounds", c.rounds, "residual_us", c.residual_us, "bound_us",
                     c.bound_us, "drift_ppm_max", c.drift_ppm_max);
}

/* ---- the file ---- */

static tg_status bad_file(const char *path)
{
    return tg_fail(TG_BAD_INPUT, "--facts '%.120s': %s; expected a file that can be written", path,
                   strerror(errno));
}

tg_status tgb_facts_check(const char *path)
{
    struct stat info;
    char *copy = strdup(path);
    if (!copy)
        return tg_fail(TG_NO_MEMORY, "no memory for a path");
    tg_status status = tg_success();
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        errno = EISDIR;
        status = bad_file(path);
    } else if (access(dirname(copy), W_OK) != 0) {
        status = bad_file(path);
    }
    free(copy);
    return status;
}

static tg_status write_file(const json_t *object, const char *path)
{
    char *fresh = NULL;
    if (!object || asprintf(&fresh, "%s.new", path) < 0)
        return tg_fail(TG_NO_MEMORY, "no memory for the facts of a launch");
    tg_status status = tg_success();
    if (json_dump_file(object, fresh, JSON_INDENT(1)) != 0 || rename(fresh, path) != 0) {
        status = bad_file(path);
        unlink(fresh);
    }
    free(fresh);
    return status;
}

tg_status tgb_facts_write(const char *path, double timer_ns)
{
    tgb_bytes nodes = gather_nodes();
    int forgets = tgb_peak_rss_forget();
    MPI_Allreduce(MPI_IN_PLACE, &forgets, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    if (world_rank() != 0)
        return tg_success();
    tg_status status = tg_fail(TG_NO_MEMORY, "no memory for the facts of a launch");
    if (!nodes.failed) {
        json_t *machines = json_array(), *ranks = json_array();
        put_nodes(&nodes, machines, ranks);
        json_t *object =
            json_pack("{s:i, s:i, s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "schema", 1, "world_size",
                      world_size(), "mpi", json_mpi(), "clock", json_clock(timer_ns), "blas",
                      json_blas(), "libraries", json_libraries(), "peak_rss_since",
                      forgets ? "cell" : "start", "machines", machines, "ranks", ranks);
        status = write_file(object, path);
        json_decref(object);
    }
    free(nodes.at);
    return status;
}
