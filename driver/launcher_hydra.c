/* launcher_hydra.c: mpiexec of MPICH, which is Hydra. It has no slots: ranks go round the hosts
 * until all are placed. MPICH's ranks never give their core away while they wait. Source:
 * mpiexec(1) of MPICH 4.0.2 and 4.2.1; its --version begins with "HYDRA build details:". */
#include "driver/launcher.h"

static bool is(const char *answer)
{
    return tgd_begins(answer, "HYDRA build details");
}

const tgd_launcher_row tgd_launcher_hydra = {
    .name = "MPICH (Hydra)",
    .is = is,
    .ranks = "-n",
    .place = {{"-bind-to core", ""}, {"-bind-to hwthread", ""}, {"-bind-to none", ""}},
    .binding = "HYDRA_BINDING",
    .oversubscribe = {"", ""},
    .hostfile = {"-f", "-hostfile", "--hostfile", "-machinefile", "--machinefile"},
};
