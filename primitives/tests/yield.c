/* yield.c: lets MPICH's ranks give the core away while they wait, so that tests with more ranks than cores
 * end; a library for LD_PRELOAD, for tests only. MPICH 4.0 over UCX never yields: its progress is asked
 * here for what it did, and the core is given away when that was nothing. */
#include <dlfcn.h>
#include <sched.h>

typedef unsigned progress_fn(void *worker);

unsigned ucp_worker_progress(void *worker);
unsigned ucp_worker_progress(void *worker)
{
    static progress_fn *next;
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "ucp_worker_progress");
    const unsigned done = next(worker);
    if (done == 0)
        sched_yield();
    return done;
}
