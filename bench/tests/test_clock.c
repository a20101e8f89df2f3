/* test_clock.c: the model of rank 0's clock against the truth. Every rank but the first reads a
 * clock of its own, planted here: far away, and running at another rate. Run on several ranks. */
#include "bench/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Drift of odd ranks; even ones drift the other way. Far above that of quartz clocks. */
#define PLANTED_DRIFT   1e-3
#define PLANTED_STEP_NS 1000000007 /* between the clocks of two ranks */

/* Ranks that share cores may be interrupted in every message of an attempt; a model that is wrong is
 * wrong in all of them. Of more than MANY ranks only the offsets are looked at, and coarsely: the
 * tree. */
enum { ATTEMPTS = 10, MANY = 4 };

static int rank, size, checks, failed, attempt;
static int64_t planted_offset_ns; /* this rank's clock minus the true time */
static double planted_drift;
static uint64_t planted_at_ns;
static bool simulated;

static uint64_t true_ns(void)
{
    struct timespec t;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC_RAW, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static uint64_t planted_ns(uint64_t at_ns)
{
    const double since = (double)(int64_t)(at_ns - planted_at_ns);
    return at_ns + (uint64_t)(planted_offset_ns + llround(planted_drift * since));
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    if (clock != CLOCK_MONOTONIC_RAW)
        return (int)syscall(SYS_clock_gettime, clock, t);
    const uint64_t now = planted_ns(true_ns());
    t->tv_sec = (time_t)(now / UINT64_C(1000000000));
    t->tv_nsec = (long)(now % UINT64_C(1000000000));
    return 0;
}

int MPI_Get_library_version(char *version, int *length)
{
    if (!simulated)
        return PMPI_Get_library_version(version, length);
    strcpy(version, "SMPI Version 3.32");
    *length = (int)strlen(version);
    return MPI_SUCCESS;
}

static void check(bool good, const char *what, double value, double expected)
{
    checks++;
    failed += !good;
    if (!good && attempt == ATTEMPTS)
        printf("FAILED rank %d of %d: %s: %g, expected %g\n", rank, size, what, value, expected);
}

static void plant(int64_t offset_ns, double drift)
{
    planted_offset_ns = rank > 0 ? offset_ns : 0;
    planted_drift = rank == 0 ? 0 : rank % 2 ? drift : -drift;
    planted_at_ns = true_ns();
    MPI_Barrier(MPI_COMM_WORLD);
}

static int rounds_of(int ranks)
{
    int rounds = 0;
    for (int reached = 1; reached < ranks; reached *= 2)
        rounds++;
    return rounds;
}

static double allowed_offset_ns(void)
{
    return (size > MANY ? 1e-2 : 1e-4) * PLANTED_STEP_NS;
}

/* The model is right but for a ten-thousandth of the planted second (a hundredth for many ranks), and
 * for a share of what the planted drift makes of the time since it was last set right. */
static void check_model(const tgb_clock *clock, double share, const char *what)
{
    const uint64_t now = true_ns(), mine = planted_ns(now);
    const double since = fabs((double)(int64_t)(mine - clock->at_ns));
    const double error = fabs((double)(int64_t)(tgb_clock_global(clock, mine) - now));
    const double allowed = allowed_offset_ns() + share * PLANTED_DRIFT * since;
    check(error <= allowed, what, error, allowed);
    const int64_t back = (int64_t)(tgb_clock_local(clock, tgb_clock_global(clock, mine)) - mine);
    check(llabs(back) <= 2, "there and back again", (double)back, 0);
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
}

static void test_one_clock(void)
{
    tgb_clock clock;
    plant(0, 0);
    tgb_clock_learn(MPI_COMM_WORLD, true, &clock);
    check(strcmp(clock.kind, "one") == 0, "one clock is seen", 0, 1);
    check(tgb_clock_global(&clock, 12345) == 12345, "one clock", 0, 12345);
    check(clock.rounds == rounds_of(size), "rounds", clock.rounds, rounds_of(size));
    check(clock.residual_ns <= allowed_offset_ns(), "residual", clock.residual_ns, 0);
    tgb_clock_learn(MPI_COMM_WORLD, false, &clock);
    check(size == 1 || strcmp(clock.kind, "model") == 0, "a model on several machines", 0, 1);
    check(fabs((double)clock.offset_ns) <= allowed_offset_ns(), "no offset",
          (double)clock.offset_ns, 0);
}

/* Ranks of one machine whose clocks differ all the same, as in a time namespace. */
static void test_planted(void)
{
    tgb_clock clock;
    plant((int64_t)rank * PLANTED_STEP_NS - 2500000000, PLANTED_DRIFT);
    tgb_clock_learn(MPI_COMM_WORLD, true, &clock);
    check(size == 1 || strcmp(clock.kind, "model") == 0, "clocks that differ are seen", 0, 1);
    for (int i = 0; i < 2; i++) {
        nap();
        tgb_clock_renew(MPI_COMM_WORLD, &clock);
    }
    check_model(&clock, 0.2, "offset learned");
    nap();
    check_model(&clock, 0.2, "drift learned");
    const double expected = 1 / (1 + planted_drift) - 1;
    check(size > MANY || fabs(clock.drift - expected) < 0.2 * PLANTED_DRIFT, "drift", clock.drift,
          expected);
}

/* A clock that jumps shows in the residual, and in the facts of all. */
static void test_residual(void)
{
    tgb_clock clock;
    plant(1000000000, 0);
    tgb_clock_learn(MPI_COMM_WORLD, true, &clock);
    if (rank == size - 1)
        planted_offset_ns += 2000000000;
    tgb_clock_close(MPI_COMM_WORLD, &clock);
    const tgb_clock_facts facts = tgb_clock_known();
    if (size == 1) {
        check(strcmp(facts.kind, "none") == 0, "no facts of one rank", 0, 1);
        return;
    }
    check(strcmp(facts.kind, "model") == 0, "facts of a model", 0, 1);
    check(facts.residual_us > 1.9e6, "residual", facts.residual_us, 2e6);
    check(facts.rounds == rounds_of(size), "rounds", facts.rounds, rounds_of(size));
}

static void test_simulated(void)
{
    tgb_clock clock;
    simulated = true;
    tgb_clock_learn(MPI_COMM_WORLD, false, &clock);
    simulated = false;
    check(strcmp(clock.kind, "simulated") == 0, "a simulator is seen", 0, 1);
    check(tgb_clock_global(&clock, 77) == 77 && clock.rounds == 0, "nothing is learned", 0, 0);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    do {
        attempt++;
        checks = failed = 0;
        test_one_clock();
        test_planted();
        test_residual();
        test_simulated();
        MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    } while (failed > 0 && attempt < ATTEMPTS);
    if (rank == 0)
        printf("%d ranks: %d checks a rank, %d failed in attempt %d\n", size, checks, failed,
               attempt);
    MPI_Finalize();
    return checks > 0 && failed == 0 ? 0 : 1;
}
