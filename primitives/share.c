/* share.c: memory that other processes of the node can map.
 *
 * One file without a name (memfd_create(2)) a block, so that the bytes of a freed block are given
 * back although others still have it mapped: the file is cut to nothing. Nobody reads it then,
 * because a buffer is told of anew in each apply. Blocks have numbers that are never used twice. So
 * a reader sees when a descriptor stands for another block than before.
 * Source of the idea: Hashmi and others, "Designing efficient shared address space reduction
 * collectives for multi-/many-cores", IPDPS 2018: ranks map each other's buffers, one copy by loads
 * and stores of the reader. */
#include "primitives/share.h"

#include "primitives/primitives.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    LINE_BYTES = 64,
    MOST_BLOCKS = 256 /* descriptors are few, and the program needs some too */
};

ptrdiff_t tg_least_shared = 16 * 1024;

/* ---- blocks of this process ---- */

typedef struct {
    char *begin;
    size_t bytes;
    int file;
    uint64_t number;
} block;

static block blocks[MOST_BLOCKS];
static int nblocks;
static uint64_t numbers;

static block *find(const void *buffer)
{
    const char *at = buffer;
    for (block *b = blocks; b < blocks + nblocks; b++)
        if (at >= b->begin && at < b->begin + b->bytes)
            return b;
    return NULL;
}

/* A file of so many bytes, mapped; NULL: none is to be had. */
static char *map_new(size_t bytes, int *file)
{
#ifdef MFD_CLOEXEC
    *file = memfd_create("tensorgauge", MFD_CLOEXEC);
    if (*file < 0)
        return NULL;
    if (ftruncate(*file, (off_t)bytes) == 0) {
        void *begin = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *file, 0);
        if (begin != MAP_FAILED)
            return begin;
    }
    close(*file);
#endif
    (void)bytes, (void)file;
    return NULL;
}

void *tg_memory_alloc(ptrdiff_t bytes)
{
    if (bytes < 0 || bytes > PTRDIFF_MAX - 2 * LINE_BYTES)
        return NULL;
    const size_t rounded = ((size_t)bytes / LINE_BYTES + 1) * LINE_BYTES;
    if (bytes >= tg_least_shared && nblocks < MOST_BLOCKS) {
        block made = {.bytes = rounded};
        made.begin = map_new(rounded, &made.file);
        if (made.begin) {
            made.number = ++numbers;
            blocks[nblocks++] = made;
            return made.begin;
        }
    }
    return aligned_alloc(LINE_BYTES, rounded);
}

void tg_memory_free(void *memory)
{
    block *b = find(memory);
    if (!b) {
        free(memory);
        return;
    }
    munmap(b->begin, b->bytes);
    if (ftruncate(b->file, 0) != 0)
        perror("tensorgauge: ftruncate of a block of shared memory");
    close(b->file);
    *b = blocks[--nblocks];
}

tg_far tg_far_of(const void *buffer)
{
    const block *b = find(buffer);
    tg_far far = {.address = buffer, .file = -1};
    if (b) {
        far.block = b->number;
        far.offset = far.address - b->begin;
        far.file = b->file;
    }
    return far;
}

/* ---- blocks of others ---- */

struct tg_mapped {
    uint64_t block;
    int64_t file;
    char *begin; /* NULL: it could not be mapped */
    size_t bytes;
};

static void map_far(struct tg_mapped *m, pid_t process, const tg_far *far)
{
    char path[64];
    *m = (struct tg_mapped){.block = far->block, .file = far->file};
    snprintf(path, sizeof path, "/proc/%ld/fd/%ld", (long)process, (long)far->file);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    const off_t bytes = lseek(file, 0, SEEK_END);
    if (bytes > 0) {
        void *begin = mmap(NULL, (size_t)bytes, PROT_READ, MAP_SHARED, file, 0);
        m->begin = begin == MAP_FAILED ? NULL : begin;
        m->bytes = (size_t)bytes;
    }
    close(file);
}

static void unmap(struct tg_mapped *m)
{
    if (m->begin)
        munmap(m->begin, m->bytes);
    m->begin = NULL;
}

const char *tg_far_here(tg_views *views, pid_t process, const tg_far *far)
{
    if (far->block == 0)
        return NULL;
    struct tg_mapped *m = views->mapped, *end = m + views->count;
    while (m < end && m->file != far->file)
        m++;
    if (m == end) {
        m = realloc(views->mapped, ((size_t)views->count + 1) * sizeof *m);
        if (!m)
            return NULL;
        views->mapped = m;
        m += views->count++;
        map_far(m, process, far);
    } else if (m->block != far->block) {
        unmap(m);
        map_far(m, process, far);
    }
    return m->begin ? m->begin + far->offset : NULL;
}

void tg_views_free(tg_views *views)
{
    for (int i = 0; i < views->count; i++)
        unmap(&views->mapped[i]);
    free(views->mapped);
    *views = (tg_views){NULL, 0};
}
