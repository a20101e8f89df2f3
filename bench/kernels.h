/* kernels.h: the work of machine operations (op_machine.c has their words). x holds the inputs, one
 * behind the other, y the output; f32 or f64. */
#ifndef TGB_KERNELS_H
#define TGB_KERNELS_H

#include "bench/operation.h"

/* As in tgb_direction and tgb_operation. */
typedef struct {
    void (*run)(tgb_work *work);
    ptrdiff_t (*count_wrong)(tgb_work *work);
    double (*flops)(const tgb_work *work);       /* NULL: none */
    ptrdiff_t (*messages)(const tgb_work *work); /* NULL: none are sent */
} tgb_kernel;

/* one_way: to the mate and back. stream: setup->trips messages. Those and both_ways: work->raw is a
 * tgb_mates (mates.h). gemm: square matrices, x = (a, b). quantum: so much arithmetic for each entry. */
extern const tgb_kernel tgb_kernel_one_way, tgb_kernel_both_ways, tgb_kernel_stream,
    tgb_kernel_copy, tgb_kernel_triad, tgb_kernel_gemm, tgb_kernel_quantum;

/* Calls: Local. Small whole numbers into x, nothing right into y. */
void tgb_kernel_fill(tgb_work *work);

#endif
