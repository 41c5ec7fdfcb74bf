/*
 * Growable arrays of any type: `VEC(char *) names = {0};  vec_push(&names, text);  names.at[i]`.
 * The owner frees with vec_free; elements are the owner's. Not thread-safe.
 */
#ifndef GANTRY_BASE_VEC_H
#define GANTRY_BASE_VEC_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define VEC(type)                                                                                  \
    struct {                                                                                       \
        type *at;                                                                                  \
        size_t len, cap;                                                                           \
    }

/* Makes room for at least `count` elements of `size_bytes`; returns the (moved) array. */
void *vec_room(void *array, size_t *cap, size_t count, size_t size_bytes);

#define vec_reserve(v, count) ((v)->at = vec_room((v)->at, &(v)->cap, (count), sizeof *(v)->at))
#define vec_push(v, ...)                                                                           \
    (vec_reserve((v), (v)->len + 1), (v)->at[(v)->len] = (__VA_ARGS__), (v)->len++)
/* Adds a zeroed element and gives its address. */
#define vec_new(v)                                                                                 \
    (vec_reserve((v), (v)->len + 1), memset(&(v)->at[(v)->len], 0, sizeof *(v)->at),               \
     &(v)->at[(v)->len++])
#define vec_free(v) (free((v)->at), (v)->at = NULL, (v)->len = (v)->cap = 0)

/* A list of strings; str_list_free frees each one too. */
typedef VEC(char *) str_list;
void str_list_free(str_list *list);

#endif
