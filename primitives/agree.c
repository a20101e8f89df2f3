/* agree.c: agreement of all ranks on an error, and on what they were asked for. */
#include "primitives/op.h"

tg_status tg_agree_on(MPI_Comm comm, tg_status mine, uint64_t fingerprint)
{
    int rank, size;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    uint64_t verdict = (uint64_t)mine.code << 32 | (uint64_t)(size - rank);
    uint64_t all[3] = {mine.code == TG_OK ? 0 : verdict, fingerprint, ~fingerprint};
    MPI_Allreduce(MPI_IN_PLACE, all, 3, MPI_UINT64_T, MPI_MAX, comm);
    if (all[0] != 0) {
        MPI_Bcast(&mine, (int)sizeof mine, MPI_BYTE, size - (int)(all[0] & UINT32_MAX), comm);
        return mine;
    }
    if (all[1] != ~all[2])
        return tg_fail(
            TG_DISAGREE,
            "the ranks passed different problems; expected the same problem on every rank");
    return tg_success();
}

tg_status tg_agree(MPI_Comm comm, tg_status mine)
{
    return tg_agree_on(comm, mine, 0);
}

/* FNV-1a over what makes a problem, so that ranks can compare without sending it. */
static uint64_t mix(uint64_t hash, int64_t value)
{
    for (int i = 0; i < 8; i++)
        hash = (hash ^ ((uint64_t)value >> 8 * i & 0xff)) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = mix(hash, *text);
    return hash;
}

static uint64_t mix_layout(uint64_t hash, const tg_layout *layout)
{
    hash = mix(hash, layout->ndim);
    for (int a = 0; a < layout->ndim; a++) {
        const tg_axis *axis = &layout->axis[a];
        const tg_window *w = &axis->window;
        const int64_t numbers[] = {axis->extent, axis->parts, axis->copied,    axis->cuts != NULL,
                                   w->kernel,    w->stride,   w->padding,      w->dilation,
                                   w->ceil,      w->periodic, layout->order[a]};
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
            hash = mix(hash, numbers[i]);
        if (w->kernel > 0)
            hash = mix_text(hash, tg_window_rule_of(w)->name);
        for (int i = 0; axis->cuts && i <= axis->parts; i++)
            hash = mix(hash, axis->cuts[i]);
    }
    for (int i = 0; i < layout->nruns; i++) {
        hash = mix(hash, layout->runs[i].first);
        hash = mix(hash, layout->runs[i].count);
        hash = mix(hash, layout->runs[i].step);
    }
    return hash;
}

static uint64_t mix_store(uint64_t hash, const tg_store *store)
{
    hash = mix(hash, store->block);
    for (int a = 0; a < TG_MAX_NDIM; a++)
        hash = mix(mix(hash, store->before[a]), store->after[a]);
    return hash;
}

uint64_t tg_fingerprint(const tg_problem *p)
{
    uint64_t hash = mix_layout(mix_layout(UINT64_C(0xcbf29ce484222325), &p->x), &p->y);
    hash =
        mix_text(mix_text(mix_text(hash, p->primitive->name), p->dtype->name), p->algorithm->name);
    hash = mix(mix(hash, (int64_t)p->mode), (int64_t)p->place);
    hash = mix(hash, (int64_t)p->memory);
    if (p->partitions != 0)
        hash = mix(hash, p->partitions);
    return mix_store(mix_store(hash, &p->store_x), &p->store_y);
}
