/* machine.c: reads /proc and /sys of Linux. */
#include "driver/machine.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof *(array)))

/* The first line of a small file of the kernel; "" when there is none. */
static char *first_line(const char *path)
{
    char *text = tgd_read_file(path);
    if (!text)
        return tgd_copy("");
    text[strcspn(text, "\n")] = '\0';
    return text;
}

/* Logical CPUs in our mask, and how many different cores they belong to. */
static void count_cores(tgd_machine *m)
{
    cpu_set_t mask;
    tgd_words cores = {NULL, 0};
    CPU_ZERO(&mask);
    sched_getaffinity(0, sizeof mask, &mask);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &mask))
            continue;
        char *path =
            tgd_format("/sys/devices/system/cpu/cpu%zu/topology/thread_siblings_list", cpu);
        char *siblings = first_line(path);
        if (*siblings == '\0') { /* not told: a core of its own */
            free(siblings);
            siblings = tgd_format("%zu", cpu);
        }
        if (!tgd_words_have(&cores, siblings))
            tgd_words_add(&cores, siblings);
        free(siblings);
        free(path);
        m->cpus++;
    }
    m->cores = cores.count > 0 ? cores.count : 1;
    m->cpus = m->cpus > 0 ? m->cpus : 1;
    tgd_words_free(&cores);
}

/* The text behind "name : " in the first block of /proc/cpuinfo that has it. */
static char *cpuinfo(const char *text, const char *name)
{
    const size_t length = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0 && strspn(line + length, " \t:") > 0) {
            const char *value = line + length + strspn(line + length, " \t:");
            return strndup(value, strcspn(value, "\n"));
        }
    }
    return tgd_copy("");
}

static void read_cpu(tgd_machine *m)
{
    char *text = tgd_read_file("/proc/cpuinfo");
    m->cpu_model = cpuinfo(text, "model name");
    char *flags = cpuinfo(text, "flags");
    tgd_words_split(&m->flags, flags ? flags : "");
    free(flags);
    free(text);
}

static void read_caches(tgd_machine *m)
{
    for (int i = 0; i < 8; i++) {
        char *value[3];
        const char *const name[] = {"level", "type", "size"};
        for (int j = 0; j < 3; j++) {
            char *path = tgd_format("/sys/devices/system/cpu/cpu0/cache/index%d/%s", i, name[j]);
            value[j] = first_line(path);
            free(path);
        }
        if (*value[0]) {
            char *cache = tgd_format("L%s %s %s", value[0], value[1], value[2]);
            tgd_words_add(&m->caches, cache);
            free(cache);
        }
        for (int j = 0; j < 3; j++)
            free(value[j]);
    }
}

void tgd_machine_read(tgd_machine *m)
{
    memset(m, 0, sizeof *m);
    struct utsname name;
    const bool named = uname(&name) == 0;
    m->host = tgd_copy(named ? name.nodename : "");
    m->kernel =
        named ? tgd_format("%s %s %s", name.sysname, name.release, name.machine) : tgd_copy("");
    count_cores(m);
    read_cpu(m);
    read_caches(m);
    m->governor = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    m->memory_bytes = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (getloadavg(m->load, 3) != 3)
        memset(m->load, 0, sizeof m->load);
}

void tgd_machine_free(tgd_machine *m)
{
    free(m->host);
    free(m->kernel);
    free(m->cpu_model);
    free(m->governor);
    tgd_words_free(&m->flags);
    tgd_words_free(&m->caches);
    memset(m, 0, sizeof *m);
}

/* ---- the BLAS kernel ---- */

/* Kernels of x86 by the widest vectors that they use: 128, 256 or 512 bits. */
static const struct {
    const char *core;
    int bits;
} blas_cores[] = {
    {"Prescott", 128},    {"Core2", 128},          {"Penryn", 128},     {"Dunnington", 128},
    {"Nehalem", 128},     {"Atom", 128},           {"Barcelona", 128},  {"Bobcat", 128},
    {"Katmai", 128},      {"Coppermine", 128},     {"Northwood", 128},  {"Banias", 128},
    {"Opteron", 128},     {"Opteron_SSE3", 128},   {"Athlon", 128},     {"Nano", 128},
    {"Sandybridge", 128}, {"Bulldozer", 128},      {"Piledriver", 128}, {"Steamroller", 128},
    {"Excavator", 256},   {"Haswell", 256},        {"Zen", 256},        {"SkylakeX", 512},
    {"Cooperlake", 512},  {"SapphireRapids", 512},
};

static bool have_all(const tgd_words *flags, const char *const *needed, int count)
{
    for (int i = 0; i < count; i++)
        if (!tgd_words_have(flags, needed[i]))
            return false;
    return true;
}

const char *tgd_better_blas_core(const tgd_words *flags, const char *core)
{
    static const char *const avx2[] = {"avx2", "fma"};
    static const char *const avx512[] = {"avx2",     "fma",      "avx512f",
                                         "avx512dq", "avx512bw", "avx512vl"};
    for (int i = 0; i < COUNT_OF(blas_cores); i++) {
        if (strcasecmp(blas_cores[i].core, core) != 0)
            continue;
        if (blas_cores[i].bits < 512 && have_all(flags, avx512, COUNT_OF(avx512)))
            return "SkylakeX";
        return blas_cores[i].bits < 256 && have_all(flags, avx2, COUNT_OF(avx2)) ? "Haswell" : NULL;
    }
    return NULL;
}
