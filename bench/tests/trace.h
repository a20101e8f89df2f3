/* trace.h: for tests only: notes of MPI calls and of reads of the clock, in the order in which they
 * happen. Included once, by the file that make_trace.py writes. With PLANT=barrier every read behind
 * tgbench's own barrier is followed by a barrier of the library: what the notes must show. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MOST_NOTES = 1 << 20 };
static const char *notes[MOST_NOTES];
static int count;

static void note(const char *what)
{
    if (count < MOST_NOTES)
        notes[count++] = what;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    if (clock != CLOCK_MONOTONIC_RAW)
        return (int)syscall(SYS_clock_gettime, clock, t);
    const char *plant = getenv("PLANT");
    const int left_barrier = count > 0 && strcmp(notes[count - 1], "MPI_Sendrecv") == 0;
    note("clock");
    const int result = (int)syscall(SYS_clock_gettime, clock, t);
    if (plant && strcmp(plant, "barrier") == 0 && left_barrier)
        MPI_Barrier(MPI_COMM_WORLD);
    return result;
}

int MPI_Finalize(void)
{
    char path[1024];
    int rank;
    PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
    snprintf(path, sizeof path, "%s.%d", getenv("TRACE"), rank);
    FILE *file = fopen(path, "w");
    for (int i = 0; file && i < count; i++)
        fprintf(file, "%s\n", notes[i]);
    if (file)
        fclose(file);
    return PMPI_Finalize();
}
