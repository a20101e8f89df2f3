/* launcher_orte.c: mpirun of Open MPI before version 5, which is ORTE. It yields by itself only
 * when it knows that ranks exceed slots, and binds by itself only up to 2 ranks: so both are said.
 * Source: mpirun(1) of Open MPI 4.1.4; its --version says "mpirun (Open MPI) 4.1.4", Debian's
 * "mpirun.openmpi (OpenRTE) 4.1.4". */
#include "driver/launcher.h"

#include <stdlib.h>
#include <string.h>

static bool is(const char *answer)
{
    const char *number = tgd_launcher_number(answer);
    return strstr(answer, "(OpenRTE)") ||
           (strstr(answer, "(Open MPI)") && number && strtol(number, NULL, 10) < 5);
}

const tgd_launcher_row tgd_launcher_orte = {
    .name = "Open MPI (ORTE)",
    .is = is,
    .ranks = "-n",
    .place = {{"--bind-to core", "OMPI_MCA_mpi_yield_when_idle=0"},
              {"--use-hwthread-cpus --bind-to hwthread", "OMPI_MCA_mpi_yield_when_idle=0"},
              {"--bind-to none", "OMPI_MCA_mpi_yield_when_idle=1"}},
    .binding = "OMPI_MCA_hwloc_base_binding_policy",
    .oversubscribe = {"", "OMPI_MCA_rmaps_base_oversubscribe=1"},
    .send = "-x",
    .root = "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
    .hostfile = {"--hostfile", "-hostfile", "--machinefile", "-machinefile", "--default-hostfile"},
    .no_slots = {"There are not enough slots available"},
    .remedy = "fewer ranks, more slots (HOST slots=N in a file of hosts), or --oversubscribe",
};
