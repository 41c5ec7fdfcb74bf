/*
 * Programs that nobody linked: the machine's dynamic linker with bytes changed, eight at a time, where the
 * input says. Whatever they are, what is found lies in the code, or nothing is.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "trace/inject.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { EDIT = 12 };
    static char *linker;
    static size_t length;
    struct err err = {0};
    if (!linker && !(linker = file_read("/lib64/ld-linux-x86-64.so.2", &length, &err)))
        return 0;
    size_t kept = length;
    char *copy = malloc(length);
    memcpy(copy, linker, length);
    for (; size >= EDIT; data += EDIT, size -= EDIT) {
        uint32_t at;
        memcpy(&at, data, sizeof at);
        /* Most at the beginning and at the end, where headers are; one cuts the file short. */
        if (at % 64 == 63)
            kept = at % length;
        else
            memcpy(copy + (at & 1 ? at % 4096 : length - 8 - at % 4096), data + 4, 8);
    }
    struct image image = {.bytes = copy, .length = kept};
    struct inject_places places;
    if (image_is_ours(&image) && inject_look_at(&image, &places)) {
        bool inside = places.room <= places.room_end + 15;
        for (unsigned i = 0; i < INJECT_ACCESSES && places.accesses[i]; i++)
            inside &= places.accesses[i] < places.room;
        for (unsigned i = 0; i < INJECT_OPENS && places.opens[i]; i++)
            inside &= places.opens[i] < places.room;
        if (!inside)
            abort();
    }
    free(copy);
    return 0;
}
