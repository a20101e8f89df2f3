/* planted.c: for tests only: a broadcast of the MPI library that is wrong, or late, on the last
 * rank of its group. PLANT = flip: one bit of the last byte of every block received; late: the call
 * takes 3 ms more. Linked with tgbench into a program of its own: what a check that works must
 * find. */
#include <mpi.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int MPI_Bcast(void *buffer, int count, MPI_Datatype type, int root, MPI_Comm comm)
{
    const char *plant = getenv("PLANT");
    int rank, ranks, size, result = PMPI_Bcast(buffer, count, type, root, comm);
    PMPI_Comm_rank(comm, &rank);
    PMPI_Comm_size(comm, &ranks);
    PMPI_Type_size(type, &size);
    if (!plant || rank != ranks - 1 || rank == root ||
        count < 64) /* short ones are decisions of tgbench itself */
        return result;
    if (strcmp(plant, "flip") == 0)
        ((unsigned char *)buffer)[(size_t)count * (size_t)size - 1] ^= 0x40;
    if (strcmp(plant, "late") == 0)
        nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
    return result;
}
