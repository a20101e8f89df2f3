/* launcher_prrte.c: mpirun of Open MPI from version 5 on, which is PRRTE, and prterun. It reads
 * OMPI_MCA_ variables of the library, not those of ORTE's mapping. Source: prterun(1) of Open MPI
 * 5.0.7; its --version says "mpirun (Open MPI) 5.0.7", prterun's "prterun (PRRTE) 3.0.8". */
#include "driver/launcher.h"

#include <stdlib.h>
#include <string.h>

static bool is(const char *answer)
{
    const char *number = tgd_launcher_number(answer);
    return strstr(answer, "(PRRTE)") ||
           (strstr(answer, "(Open MPI)") && number && strtol(number, NULL, 10) >= 5);
}

const tgd_launcher_row tgd_launcher_prrte = {
    .name = "Open MPI (PRRTE)",
    .is = is,
    .ranks = "-n",
    .place = {{"--bind-to core", "OMPI_MCA_mpi_yield_when_idle=0"},
              {"--map-by :HWTCPUS --bind-to hwthread", "OMPI_MCA_mpi_yield_when_idle=0"},
              {"--bind-to none", "OMPI_MCA_mpi_yield_when_idle=1"}},
    .binding = "PRTE_MCA_hwloc_default_binding_policy",
    .oversubscribe = {"", "PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe"},
    .send = "-x",
    .root = "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
    .hostfile = {"--hostfile", "-hostfile", "--machinefile", "-machinefile", "--default-hostfile"},
    .no_slots = {"There are not enough slots available"},
    .remedy = "fewer ranks, more slots (HOST slots=N in a file of hosts), or --oversubscribe",
};
