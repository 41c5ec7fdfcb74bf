#include "base/vec.h"

#include "base/mem.h"

void *vec_room(void *array, size_t *cap, size_t count, size_t size_bytes)
{
    if (count <= *cap)
        return array;
    size_t room = *cap ? *cap * 2 : 8;
    if (room < count)
        room = count;
    *cap = room;
    return mem_grow(array, room * size_bytes);
}

void str_list_free(str_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        free(list->at[i]);
    vec_free(list);
}
