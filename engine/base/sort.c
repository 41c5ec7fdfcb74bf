#include "base/sort.h"

#include <stdlib.h>
#include <string.h>

enum { SMALL_BYTES = 512 * 1024 };

/* Lets the element at `hole`, whose bytes are in `moved`, sink below the larger ones. */
static void sink_down(char *array, size_t count, size_t size_bytes, size_t hole, const char *moved,
                      int (*compare)(const void *, const void *))
{
    for (size_t child; (child = 2 * hole + 1) < count; hole = child) {
        if (child + 1 < count &&
            compare(array + child * size_bytes, array + (child + 1) * size_bytes) < 0)
            child++;
        if (compare(moved, array + child * size_bytes) >= 0)
            break;
        memcpy(array + hole * size_bytes, array + child * size_bytes, size_bytes);
    }
    memcpy(array + hole * size_bytes, moved, size_bytes);
}

void sort_array(void *array, size_t count, size_t size_bytes,
                int (*compare)(const void *, const void *))
{
    _Alignas(16) char moved[SORT_ELEMENT_MAX];
    char *at = array;
    if (count < 2)
        return;
    if (count * size_bytes <= SMALL_BYTES || size_bytes > SORT_ELEMENT_MAX) {
        qsort(array, count, size_bytes, compare);
        return;
    }
    for (size_t i = count / 2; i-- > 0;) {
        memcpy(moved, at + i * size_bytes, size_bytes);
        sink_down(at, count, size_bytes, i, moved, compare);
    }
    for (size_t end = count - 1; end > 0; end--) {
        memcpy(moved, at + end * size_bytes, size_bytes);
        memcpy(at + end * size_bytes, at, size_bytes);
        sink_down(at, end, size_bytes, 0, moved, compare);
    }
}
