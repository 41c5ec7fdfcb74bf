/*
 * A reader of flattened device trees (Devicetree Specification v0.4, chapter 5). A node is the
 * offset of its FDT_BEGIN_NODE in the structure block; a negative one means none.
 */
#ifndef KERNEL_FDT_H
#define KERNEL_FDT_H

#include "tiny.h"

bool fdt_good(const void *tree);
uint32_t fdt_total_size(const void *tree);

/* The next node behind after (-1: from the first on) that is compatible with what is asked. */
int fdt_find_compatible(const void *tree, int after, const char *compatible);

/* The child of the root called name, with or without a unit address behind it. */
int fdt_find_child(const void *tree, const char *name);

/* The bytes of a property of node, or NULL. Numbers in it are big endian. */
const void *fdt_property(const void *tree, int node, const char *name, uint32_t *size);

/* Entry number index of "reg" of a child of the root. */
bool fdt_reg(const void *tree, int node, unsigned index, uint64_t *address, uint64_t *size);

/* A big-endian number of one or two cells. */
uint64_t fdt_number(const void *cells, unsigned count);

#endif
