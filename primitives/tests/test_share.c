/* test_share.c: memory that other processes of the node map: what they see, when blocks come and go,
 * when descriptors are used again, and when there are too many blocks. Each rank reads its
 * neighbour's. Where the system forbids it nothing is mapped: the test says so and looks at its own
 * memory only. */
#include "primitives/primitives.h"
#include "primitives/share.h"

#include <fcntl.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BYTES = 100000, LITTLE = 100, BLOCKS = 300 };

static int rank, size, failed, checks;
static bool allowed; /* to look into other processes */

static void check(bool good, const char *what)
{
    checks++;
    if (good)
        return;
    failed++;
    printf("FAILED on rank %d of %d: %s\n", rank, size, what);
}

/* What the next rank tells of a buffer, and its process. */
static tg_far exchange(const void *buffer, pid_t *process)
{
    struct {
        tg_far far;
        pid_t process;
    } mine = {tg_far_of(buffer), getpid()}, other;
    MPI_Sendrecv(&mine, sizeof mine, MPI_BYTE, (rank + size - 1) % size, 0, &other, sizeof other,
                 MPI_BYTE, (rank + 1) % size, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    *process = other.process;
    return other.far;
}

/* May this process open what its neighbour has open? */
static void find_out(void)
{
    void *block = tg_memory_alloc(BYTES);
    pid_t process;
    const tg_far far = exchange(block, &process);
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/fd/%ld", (long)process, (long)far.file);
    const int file = open(path, O_RDONLY);
    int good = file >= 0;
    if (good)
        close(file);
    MPI_Allreduce(MPI_IN_PLACE, &good, 1, MPI_INT, MPI_LAND, MPI_COMM_WORLD);
    allowed = good;
    if (!allowed && rank == 0)
        printf("processes may not open each other's files here: nothing is mapped\n");
    tg_memory_free(block);
}

static bool holds(const char *at, int value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != (char)value)
            return false;
    return true;
}

/* Read a block of the neighbour, filled with its rank and `more`, from `past` bytes on. */
static const char *read_one(tg_views *views, char *block, int more, size_t past)
{
    pid_t process;
    memset(block, rank + more, BYTES);
    const tg_far far = exchange(block + past, &process);
    const char *here = tg_far_here(views, process, &far);
    check((here != NULL) == allowed, "mapped or not");
    if (here)
        check(holds(here, (rank + 1) % size + more, BYTES - past), "what the neighbour wrote");
    MPI_Barrier(MPI_COMM_WORLD);
    return here;
}

/* A block, changed; freed; and another one, which gets its descriptor. */
static void check_again(void)
{
    tg_views views = {NULL, 0};
    char *block = tg_memory_alloc(BYTES);
    const char *first = read_one(&views, block, 1, 0);
    check(read_one(&views, block, 2, 0) == first, "mapped once");
    check(read_one(&views, block, 3, 77) == (first ? first + 77 : NULL), "a place inside");
    const tg_far before = tg_far_of(block);
    tg_memory_free(block);
    block = tg_memory_alloc(BYTES);
    const tg_far after = tg_far_of(block);
    check(after.file == before.file && after.block != before.block,
          "another block, one descriptor");
    read_one(&views, block, 4, 0);
    check(views.count == 1, "one view for one descriptor");
    tg_views_free(&views);
    check(holds(block, rank + 4, BYTES), "the owner's bytes stay");
    tg_memory_free(block);
}

/* A freed block gives its memory back although the neighbour has it mapped. */
static void check_given_back(void)
{
    tg_views views = {NULL, 0};
    char *block = tg_memory_alloc(BYTES);
    read_one(&views, block, 1, 0);
    pid_t process;
    const tg_far far = exchange(block, &process);
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/fd/%ld", (long)process, (long)far.file);
    const int file = allowed ? open(path, O_RDONLY) : -1;
    MPI_Barrier(MPI_COMM_WORLD);
    tg_memory_free(block);
    MPI_Barrier(MPI_COMM_WORLD);
    if (file >= 0) {
        check(lseek(file, 0, SEEK_END) == 0, "no bytes are left");
        close(file);
    }
    tg_views_free(&views);
}

/* Small, and too many: ordinary memory, with no block. */
static void check_ordinary(void)
{
    static char *block[BLOCKS];
    char *little = tg_memory_alloc(LITTLE);
    int shared = 0;
    check(little && tg_far_of(little).block == 0, "a small one");
    tg_memory_free(little);
    for (int i = 0; i < BLOCKS; i++) {
        block[i] = tg_memory_alloc(BYTES);
        check(block[i] && (size_t)block[i] % 64 == 0, "its address");
        memset(block[i], i, BYTES);
        shared += tg_far_of(block[i]).block != 0;
    }
    check(shared > 100 && shared < BLOCKS, "some are shared, the others not");
    for (int i = 0; i < BLOCKS; i++)
        check(holds(block[i], i, BYTES), "blocks do not overlap");
    for (int i = 0; i < BLOCKS; i++)
        tg_memory_free(block[i * 7 % BLOCKS]);
    tg_memory_free(NULL);
    check(!tg_memory_alloc(-1) && !tg_memory_alloc(PTRDIFF_MAX), "no such size");
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    find_out();
    check_again();
    check_given_back();
    check_ordinary();
    MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0)
        printf("%d checks a rank, %d failed\n", checks, failed);
    MPI_Finalize();
    return failed > 0;
}
