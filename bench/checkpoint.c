/* checkpoint.c: the file of a training run that can go on:
 *
 *   tensorgauge checkpoint 1
 *   step S seed N batch B optimizer NAME rate X momentum X
 *   tensor LAYER KIND PARAMETER value|state-K DTYPE EXTENTS     then its bytes and a line end; repeated
 *   end CHECKSUM                                                FNV-1a, 64 bits, of all before
 *
 * Bytes are those of the machine (little-endian wherever this was tried). Ranks send and get parts
 * of one tensor after another, so that no rank needs room for more than one. */
#include "bench/checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 256, END = 21, BLOCK = 1 << 16, PIECE = 1 << 30, TAG = 1 };

static const uint64_t fnv_start = 0xcbf29ce484222325u, fnv_prime = 0x100000001b3u;
static const char first_line[] = "tensorgauge checkpoint 1\n";

/* Source: Fowler, Noll, Vo, Eastlake, The FNV non-cryptographic hash algorithm. */
static uint64_t add_bytes(uint64_t checksum, const void *data, size_t size)
{
    const unsigned char *byte = data;
    for (size_t i = 0; i < size; i++)
        checksum = (checksum ^ byte[i]) * fnv_prime;
    return checksum;
}

/* ---- parts of a tensor between rank 0 and the others ---- */

typedef struct {
    long long lo[TG_MAX_NDIM], hi[TG_MAX_NDIM];
} span;

static ptrdiff_t bytes_of(const tg_box *box, const tg_dtype *dtype)
{
    return tg_box_count(box) * (ptrdiff_t)dtype->size;
}

/* The box between the whole tensor and a dense part, row by row of the last axis. */
static void copy_part(const tgl_kept *t, const tg_box *box, char *whole, char *part, bool collect)
{
    const int last = t->whole.ndim - 1;
    const size_t row = (size_t)(box->hi[last] - box->lo[last]) * t->dtype->size;
    const ptrdiff_t rows =
        tg_box_count(box) > 0 ? tg_box_count(box) * (ptrdiff_t)t->dtype->size / (ptrdiff_t)row : 0;
    ptrdiff_t index[TG_MAX_NDIM];
    memcpy(index, box->lo, sizeof index);
    for (ptrdiff_t i = 0; i < rows; i++, part += row) {
        ptrdiff_t at = 0;
        for (int d = 0; d <= last; d++)
            at = at * t->whole.hi[d] + index[d];
        char *place = whole + at * (ptrdiff_t)t->dtype->size;
        memcpy(collect ? place : part, collect ? part : place, row);
        for (int d = last - 1; d >= 0 && ++index[d] == box->hi[d]; d--)
            index[d] = box->lo[d];
    }
}

static void pass(MPI_Comm comm, char *data, ptrdiff_t size, int other, bool send)
{
    for (ptrdiff_t at = 0; at < size; at += PIECE) {
        const int count = (int)(size - at < PIECE ? size - at : PIECE);
        if (send)
            MPI_Send(data + at, count, MPI_BYTE, other, TAG, comm);
        else
            MPI_Recv(data + at, count, MPI_BYTE, other, TAG, comm, MPI_STATUS_IGNORE);
    }
}

/* What rank 0 needs beside the file. */
typedef struct {
    MPI_Comm comm;
    int rank, ranks;
    span *spans; /* of a tensor's parts, one a rank */
    char *whole, *part;
} desk;

static tg_status open_desk(MPI_Comm comm, desk *d)
{
    *d = (desk){.comm = comm};
    MPI_Comm_rank(comm, &d->rank);
    MPI_Comm_size(comm, &d->ranks);
    d->spans = malloc((size_t)(d->rank == 0 ? d->ranks : 1) * sizeof *d->spans);
    return tg_agree(comm, d->spans ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for a list"));
}

static void close_desk(desk *d)
{
    free(d->spans);
    free(d->whole);
    free(d->part);
}

/* Room for a tensor on rank 0, where it is needed whole. */
static tg_status make_room(desk *d, const tgl_kept *t)
{
    const size_t size = (size_t)bytes_of(&t->whole, t->dtype) + 1;
    free(d->whole);
    free(d->part);
    d->whole = d->rank == 0 ? malloc(size) : NULL;
    d->part = d->rank == 0 ? malloc(size) : NULL;
    const bool good = d->rank != 0 || (d->whole && d->part);
    return tg_agree(d->comm, good ? tg_success()
                                  : tg_fail(TG_NO_MEMORY, "no memory for a tensor of %zu B", size));
}

/* Collective. The parts of a tensor to rank 0 (collect), or from there. */
static void exchange(desk *d, const tgl_kept *t, bool collect)
{
    span mine = {{0}, {0}};
    for (int a = 0; a < t->box.ndim; a++) {
        mine.lo[a] = t->box.lo[a];
        mine.hi[a] = t->box.hi[a];
    }
    MPI_Gather(&mine, sizeof mine, MPI_BYTE, d->spans, sizeof mine, MPI_BYTE, 0, d->comm);
    if (d->rank != 0) {
        pass(d->comm, t->data, bytes_of(&t->box, t->dtype), 0, collect);
        return;
    }
    for (int r = 0; r < d->ranks; r++) {
        tg_box box = {.ndim = t->whole.ndim};
        for (int a = 0; a < box.ndim; a++) {
            box.lo[a] = (ptrdiff_t)d->spans[r].lo[a];
            box.hi[a] = (ptrdiff_t)d->spans[r].hi[a];
        }
        char *part = r == 0 ? t->data : d->part;
        if (collect && r > 0)
            pass(d->comm, part, bytes_of(&box, t->dtype), r, false);
        copy_part(t, &box, d->whole, part, collect);
        if (!collect && r > 0)
            pass(d->comm, part, bytes_of(&box, t->dtype), r, true);
    }
}

/* ---- lines ---- */

static void print_head(const tgb_checkpoint *head, char line[LINE])
{
    snprintf(line, LINE, "step %ld seed %ld batch %ld optimizer %s rate %.17g momentum %.17g\n",
             head->step, head->seed, head->batch, head->rule->name, head->rates.rate,
             head->rates.momentum);
}

static void print_tensor(const tgl_kept *t, char line[LINE])
{
    int length = snprintf(line, LINE, "tensor %d %s %d ", t->layer, t->kind, t->number);
    length += t->state < 0 ? snprintf(line + length, LINE - (size_t)length, "value")
                           : snprintf(line + length, LINE - (size_t)length, "state-%d", t->state);
    length += snprintf(line + length, LINE - (size_t)length, " %s ", t->dtype->name);
    for (int d = 0; d < t->whole.ndim; d++)
        length += snprintf(line + length, LINE - (size_t)length, "%s%td", d > 0 ? "x" : "",
                           t->whole.hi[d]);
    snprintf(line + length, LINE - (size_t)length, "\n");
}

/* ---- writing ---- */

/* Rank 0's file; elsewhere file is NULL and nothing is put. */
typedef struct {
    FILE *file;
    uint64_t checksum;
    bool good;
} writer;

static void put(writer *w, const void *data, ptrdiff_t size)
{
    const char *bytes = data;
    for (ptrdiff_t at = 0; w->file && at < size; at += PIECE) {
        const size_t count = (size_t)(size - at < PIECE ? size - at : PIECE);
        w->good = w->good && fwrite(bytes + at, 1, count, w->file) == count;
        w->checksum = add_bytes(w->checksum, bytes + at, count);
    }
}

static void put_line(writer *w, const char *line)
{
    put(w, line, (ptrdiff_t)strlen(line));
}

static tg_status put_tensors(desk *d, const tgl_optimiser *optimiser, writer *w)
{
    tgl_kept t;
    char line[LINE];
    tg_status status = tg_success();
    for (int i = 0; status.code == TG_OK && tgl_optimiser_kept(optimiser, i, &t); i++) {
        status = make_room(d, &t);
        if (status.code != TG_OK)
            break;
        exchange(d, &t, true);
        print_tensor(&t, line);
        put_line(w, line);
        put(w, d->whole, bytes_of(&t.whole, t.dtype));
        put_line(w, "\n");
    }
    return status;
}

/* Rank 0. The last line, the disk, the name. */
static tg_status finish(writer *w, const char *fresh, const char *path, tg_status status)
{
    char line[LINE];
    snprintf(line, sizeof line, "end %016" PRIx64 "\n", w->checksum);
    put_line(w, line);
    w->good = fflush(w->file) == 0 && fsync(fileno(w->file)) == 0 && w->good;
    w->good = fclose(w->file) == 0 && w->good;
    if (status.code == TG_OK && (!w->good || rename(fresh, path) != 0))
        status = tg_fail(TG_BAD_INPUT,
                         "--checkpoint %.120s: %s; expected a file that can be "
                         "written",
                         path, strerror(errno));
    if (status.code != TG_OK)
        unlink(fresh);
    return status;
}

tg_status tgb_checkpoint_write(MPI_Comm comm, const char *path, const tgb_checkpoint *head,
                               const tgl_optimiser *optimiser)
{
    desk d;
    char fresh[4096], line[LINE];
    writer w = {.checksum = fnv_start, .good = true};
    tg_status status = open_desk(comm, &d);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    if (status.code == TG_OK && d.rank == 0 && !(w.file = fopen(fresh, "wb")))
        status = tg_fail(TG_BAD_INPUT,
                         "--checkpoint %.120s: %s; expected a file that can be "
                         "written",
                         path, strerror(errno));
    status = tg_agree(comm, status);
    if (status.code == TG_OK) {
        print_head(head, line);
        put_line(&w, first_line);
        put_line(&w, line);
        status = put_tensors(&d, optimiser, &w);
    }
    if (w.file)
        status = finish(&w, fresh, path, status);
    close_desk(&d);
    return tg_agree(comm, status);
}

/* ---- reading ---- */

/* The file as it must be: its last line says the checksum of all before. */
static tg_status check_sum(FILE *file, const char *path)
{
    unsigned char block[BLOCK];
    char end[END + 1] = "", expected[LINE];
    uint64_t checksum = fnv_start;
    off_t left = fseeko(file, 0, SEEK_END) == 0 ? ftello(file) - END : -1;
    rewind(file);
    while (left > 0) {
        const size_t got = fread(block, 1, left < BLOCK ? (size_t)left : BLOCK, file);
        if (got == 0)
            break;
        checksum = add_bytes(checksum, block, got);
        left -= (off_t)got;
    }
    snprintf(expected, sizeof expected, "end %016" PRIx64 "\n", checksum);
    if (left != 0 || fread(end, 1, END, file) != END || strcmp(end, expected) != 0)
        return tg_fail(TG_BAD_INPUT,
                       "%.120s: truncated or changed; expected a checkpoint with its checksum",
                       path);
    rewind(file);
    return tg_success();
}

static tg_status read_head(FILE *file, const char *path, tgb_checkpoint *head)
{
    char line[LINE], name[17], printed[LINE];
    if (!fgets(line, sizeof line, file) || strcmp(line, first_line) != 0)
        return tg_fail(TG_BAD_INPUT, "%.120s: expected a checkpoint, which begins with '%.24s'",
                       path, first_line);
    tg_status status = check_sum(file, path);
    if (status.code != TG_OK)
        return status;
    *head = (tgb_checkpoint){.step = 0};
    if (fgets(line, sizeof line, file) && fgets(line, sizeof line, file) &&
        sscanf(line, "step %ld seed %ld batch %ld optimizer %16s rate %lf momentum %lf",
               &head->step, &head->seed, &head->batch, name, &head->rates.rate,
               &head->rates.momentum) == 6 &&
        (head->rule = tgl_rule_find(name))) {
        print_head(head, printed);
        if (strcmp(line, printed) == 0)
            return tg_success();
    }
    return tg_fail(TG_BAD_INPUT,
                   "%.120s: line 2 is '%.60s'; expected step, seed, batch, "
                   "optimizer, rate and momentum",
                   path, line);
}

static tg_status open_to_read(int rank, const char *path, FILE **file)
{
    *file = rank == 0 ? fopen(path, "rb") : NULL;
    return rank == 0 && !*file
               ? tg_fail(TG_BAD_INPUT, "%.120s: %s; expected a checkpoint", path, strerror(errno))
               : tg_success();
}

tg_status tgb_checkpoint_look(MPI_Comm comm, const char *path, tgb_checkpoint *head)
{
    int rank, rule = 0;
    FILE *file;
    MPI_Comm_rank(comm, &rank);
    tg_status status = open_to_read(rank, path, &file);
    if (file) {
        status = read_head(file, path, head);
        fclose(file);
    }
    status = tg_agree(comm, status);
    if (status.code != TG_OK)
        return status;
    if (rank == 0)
        rule = (int)(head->rule - tgl_rules);
    MPI_Bcast(&rule, 1, MPI_INT, 0, comm);
    MPI_Bcast(head, sizeof *head, MPI_BYTE, 0, comm);
    head->rule = &tgl_rules[rule];
    return status;
}

/* Rank 0. The next tensor into d->whole. */
static tg_status get_tensor(FILE *file, const char *path, const tgl_kept *t, char *whole)
{
    char line[LINE], expected[LINE];
    const size_t size = (size_t)bytes_of(&t->whole, t->dtype);
    print_tensor(t, expected);
    if (!fgets(line, sizeof line, file))
        line[0] = '\0';
    if (strcmp(line, expected) != 0) {
        line[strcspn(line, "\n")] = expected[strcspn(expected, "\n")] = '\0';
        return tg_fail(TG_BAD_INPUT, "%.60s: of another network: '%.60s'; expected '%.60s'", path,
                       line, expected);
    }
    return fread(whole, 1, size, file) == size && fgetc(file) == '\n'
               ? tg_success()
               : tg_fail(TG_BAD_INPUT, "%.120s: ends within a tensor", path);
}

/* Rank 0. Nothing but the last line is left. */
static tg_status get_end(FILE *file, const char *path)
{
    char line[LINE] = "";
    return fgets(line, sizeof line, file) && strncmp(line, "end ", 4) == 0
               ? tg_success()
               : tg_fail(TG_BAD_INPUT, "%.60s: of another network: it goes on with '%.60s'", path,
                         line);
}

tg_status tgb_checkpoint_read(MPI_Comm comm, const char *path, tgl_optimiser *optimiser)
{
    desk d;
    FILE *file = NULL;
    char line[LINE];
    tgl_kept t;
    tg_status status = open_desk(comm, &d);
    if (status.code == TG_OK)
        status = tg_agree(comm, open_to_read(d.rank, path, &file));
    for (int i = 0; file && i < 2; i++) /* the head */
        if (!fgets(line, sizeof line, file))
            break;
    for (int i = 0; status.code == TG_OK && tgl_optimiser_kept(optimiser, i, &t); i++) {
        status = make_room(&d, &t);
        if (status.code == TG_OK)
            status = tg_agree(comm, file ? get_tensor(file, path, &t, d.whole) : tg_success());
        if (status.code == TG_OK)
            exchange(&d, &t, false);
    }
    if (status.code == TG_OK)
        status = tg_agree(comm, file ? get_end(file, path) : tg_success());
    if (file)
        fclose(file);
    close_desk(&d);
    return status;
}
