/* Sorting large arrays without memory of its own. Any thread. */
#ifndef GANTRY_BASE_SORT_H
#define GANTRY_BASE_SORT_H

#include <stddef.h>

/* As qsort, of elements of at most SORT_ELEMENT_MAX bytes: small arrays by qsort, which takes as much memory
 * again, large ones in place. Elements that compare equal come in no order that is promised. */
enum { SORT_ELEMENT_MAX = 128 };
void sort_array(void *array, size_t count, size_t size_bytes,
                int (*compare)(const void *, const void *));

#endif
