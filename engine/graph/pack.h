/*
 * A finished graph as bytes, and back, so that what a loader worked out need not be worked out again
 * (51,000 steps: 40 % of a build that has one step to run). The bytes are for this machine and this
 * Gantry alone; whoever keeps them has to know that they are still right. One thread at a time.
 *
 * They are a row of 32-bit words, in which texts are numbers, and then each text once.
 */
#ifndef GANTRY_GRAPH_PACK_H
#define GANTRY_GRAPH_PACK_H

#include "graph/graph.h"

struct packer {
    VEC(uint32_t) words;
    struct intern texts;
};
void pack_number(struct packer *packer, uint64_t number);
void pack_text(struct packer *packer, const char *text); /* or NULL */

struct unpacker {
    char *bytes; /* all of them; texts point into it */
    const uint32_t *at, *end;
    const char **texts;
    const uint32_t *lengths; /* of texts */
    uint32_t texts_count;
    bool bad; /* something did not fit: nothing that was read counts */
};
uint64_t unpack_number(struct unpacker *in);
/* A number that is not above `most`. */
uint32_t unpack_count(struct unpacker *in, size_t most);
const char *
unpack_text(struct unpacker *in); /* lives as long as the graph; NULL where that was put */

/* In-process work has code and data that only the loader knows: its table, ended by a NULL rule. */
struct pack_action {
    const char *rule;
    action_fn *action;
    check_fn *check; /* or NULL */
    void (*put)(struct packer *packer, const void *data); /* NULL: there is none */
    const void *(*take)(struct unpacker *in, struct arena *arena);
};

/* Puts a graph; the first thing that a packer is used for. False where a step's action is not in the
 * table, or the graph has what native trees have not (pools). */
bool graph_pack(struct packer *packer, const struct graph *graph,
                const struct pack_action *actions);
/* Ends a packer: gives the bytes, and their id (a hash, not 0), and frees it. */
uint64_t packer_end(struct packer *packer, struct str *bytes);

/* Takes over bytes (malloc) that should have this id. False where they are not whole, are others, or of
 * another Gantry: they are freed then. */
bool unpacker_begin(struct unpacker *in, char *bytes, size_t length, uint64_t id);
/* Fills a zeroed graph, finished, which owns the bytes from then on; what else was put follows. False
 * where something is odd (our own mistake, since the bytes are whole): the graph is to be freed all the
 * same. */
bool graph_unpack(struct unpacker *in, struct graph *graph, const struct pack_action *actions);
void unpacker_free(struct unpacker *in);

#endif
