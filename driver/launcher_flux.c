/* launcher_flux.c: `flux run`. A rank needs a core of the instance; for more ranks than cores it
 * has no option beside the number of ranks. Sources: flux-run(1) of flux-core 0.50; its flux --version
 * has a line "libflux-core: 0.50.0". Its schedulers say "unsatisfiable request" and "alloc denied due
 * to type="unsatisfiable"" (flux-core issue 6437, flux-sched issue 1373). */
#include "driver/launcher.h"

#include <string.h>

static bool is(const char *answer)
{
    return strstr(answer, "libflux-core:") != NULL;
}

const tgd_launcher_row tgd_launcher_flux = {
    .name = "Flux",
    .is = is,
    .ranks = "-n",
    .place = {{"-o cpu-affinity=per-task", "OMPI_MCA_mpi_yield_when_idle=0"},
              {"-o cpu-affinity=per-task", "OMPI_MCA_mpi_yield_when_idle=0"},
              {"-o cpu-affinity=off", "OMPI_MCA_mpi_yield_when_idle=1"}},
    .oversubscribe = {NULL, NULL},
    .no_slots = {"unsatisfiable"},
    .remedy = "fewer ranks, or a larger instance of Flux",
};
