/* allocations.h: how often this program's own objects called the allocator. */
#ifndef TGL_TEST_ALLOCATIONS_H
#define TGL_TEST_ALLOCATIONS_H

extern long allocations;

#endif
