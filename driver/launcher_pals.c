/* launcher_pals.c: mpiexec and aprun of HPE's PALS, under PBS. What it prints when slots are missing
 * is not known to us, nor an option for more ranks than CPUs. Source: the guides of ALCF for Polaris
 * and Aurora; its --version begins with "mpiexec version". */
#include "driver/launcher.h"

static bool is(const char *answer)
{
    return tgd_begins(answer, "mpiexec version ") || tgd_begins(answer, "aprun version ");
}

const tgd_launcher_row tgd_launcher_pals = {
    .name = "PALS",
    .is = is,
    .ranks = "-n",
    .place = {{"--cpu-bind core", "OMPI_MCA_mpi_yield_when_idle=0"},
              {"--cpu-bind thread", "OMPI_MCA_mpi_yield_when_idle=0"},
              {"--cpu-bind none", "OMPI_MCA_mpi_yield_when_idle=1"}},
    .oversubscribe = {NULL, NULL},
    .hostfile = {"--hostfile"},
};
