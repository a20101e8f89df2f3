/* machine.h: what this machine is, read from the kernel. */
#ifndef TGD_MACHINE_H
#define TGD_MACHINE_H

#include "driver/text.h"

typedef struct {
    int cpus;  /* logical ones in this process's affinity mask */
    int cores; /* physical ones among them */
    char *host, *kernel, *cpu_model;
    tgd_words flags;  /* of the CPU: avx2, fma, avx512f, ... */
    tgd_words caches; /* "L1 Data 32K", ... of one core */
    char *governor;   /* of frequency; "" when there is none */
    double memory_bytes, load[3];
} tgd_machine;

/* Calls: Local. What cannot be read stays empty or 0; cpus and cores are at least 1. */
void tgd_machine_read(tgd_machine *machine);
void tgd_machine_free(tgd_machine *machine);

/* Calls: Local. The OpenBLAS kernel that the CPU's flags allow when `core`, the one that the
 * library chose, is below it, as OpenBLAS takes an older kernel on a CPU that it does not know;
 * NULL when core is good or not known. Source: kernel names and their instruction sets are those of
 * OpenBLAS's TargetList.txt. */
const char *tgd_better_blas_core(const tgd_words *flags, const char *core);

#endif
