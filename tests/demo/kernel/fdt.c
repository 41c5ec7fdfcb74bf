#include "fdt.h"

enum { BEGIN_NODE = 1, END_NODE = 2, PROPERTY = 3, NOP = 4, CELL = 4 };

static const uint32_t MAGIC = 0xd00dfeed;

/* Of the header, in cells: where things are. */
enum { TOTAL_SIZE = 1, STRUCTURE_AT = 2, STRINGS_AT = 3 };

static uint32_t cell(const void *tree, uint64_t offset)
{
    return (uint32_t)fdt_number((const char *)tree + offset, 1);
}

static uint32_t header(const void *tree, unsigned field)
{
    return cell(tree, field * CELL);
}

uint64_t fdt_number(const void *cells, unsigned count)
{
    const unsigned char *at = cells;
    uint64_t value = 0;

    for (unsigned i = 0; i < count * CELL; i++)
        value = value << 8 | at[i];
    return value;
}

bool fdt_good(const void *tree)
{
    return tree && header(tree, 0) == MAGIC;
}

uint32_t fdt_total_size(const void *tree)
{
    return header(tree, TOTAL_SIZE);
}

/* One token of the structure block. */
struct token {
    uint32_t kind;
    const char *name; /* of a node or property */
    const void *value; /* of a property */
    uint32_t value_size;
};

static uint32_t round_to_cell(uint32_t size)
{
    return (size + CELL - 1) & ~(uint32_t)(CELL - 1);
}

/* Reads the token at offset; returns the offset of the next one. */
static int read_token(const void *tree, int at, struct token *token)
{
    const char *base = (const char *)tree + header(tree, STRUCTURE_AT) + at;

    token->kind = cell(base, 0);
    if (token->kind == BEGIN_NODE) {
        token->name = base + CELL;
        return at + CELL + (int)round_to_cell((uint32_t)strlen(token->name) + 1);
    }
    if (token->kind == PROPERTY) {
        token->value_size = cell(base, CELL);
        token->name = (const char *)tree + header(tree, STRINGS_AT) + cell(base, 2 * CELL);
        token->value = base + 3 * CELL;
        return at + 3 * CELL + (int)round_to_cell(token->value_size);
    }
    return at + CELL;
}

const void *fdt_property(const void *tree, int node, const char *name, uint32_t *size)
{
    struct token token;
    int at = read_token(tree, node, &token);

    /* Properties of a node come before its children. */
    for (;;) {
        at = read_token(tree, at, &token);
        if (token.kind == NOP)
            continue;
        if (token.kind != PROPERTY)
            return NULL;
        if (strcmp(token.name, name) == 0) {
            *size = token.value_size;
            return token.value;
        }
    }
}

static bool is_compatible(const void *tree, int node, const char *wanted)
{
    uint32_t size;
    const char *list = fdt_property(tree, node, "compatible", &size);

    for (const char *end = list + size; list && list < end; list += strlen(list) + 1)
        if (strcmp(list, wanted) == 0)
            return true;
    return false;
}

/* The next node behind after in the order of the block; *depth counts from the root's 1. */
static int next_node(const void *tree, int after, int *depth)
{
    struct token token;
    int at = after < 0 ? 0 : read_token(tree, after, &token);

    for (;;) {
        int next = read_token(tree, at, &token);

        if (token.kind == BEGIN_NODE) {
            ++*depth;
            return at;
        }
        if (token.kind == END_NODE)
            --*depth;
        else if (token.kind != PROPERTY && token.kind != NOP)
            return -1;
        at = next;
    }
}

int fdt_find_compatible(const void *tree, int after, const char *compatible)
{
    int depth = 0, node = after;

    do
        node = next_node(tree, node, &depth);
    while (node >= 0 && !is_compatible(tree, node, compatible));
    return node;
}

int fdt_find_child(const void *tree, const char *name)
{
    int depth = 0, node = -1;

    while ((node = next_node(tree, node, &depth)) >= 0) {
        struct token token;
        const char *rest;

        read_token(tree, node, &token);
        if (depth == 2 && text_starts(token.name, name, &rest) && (!*rest || *rest == '@'))
            break;
    }
    return node;
}

static unsigned root_cells(const void *tree, const char *name)
{
    uint32_t size;
    int depth = 0;
    const void *value = fdt_property(tree, next_node(tree, -1, &depth), name, &size);

    return value ? cell(value, 0) : 2;
}

bool fdt_reg(const void *tree, int node, unsigned index, uint64_t *address, uint64_t *size)
{
    unsigned address_cells = root_cells(tree, "#address-cells");
    unsigned size_cells = root_cells(tree, "#size-cells");
    unsigned entry = (address_cells + size_cells) * CELL;
    uint32_t bytes;
    const char *reg = fdt_property(tree, node, "reg", &bytes);

    if (!reg || bytes < (index + 1) * entry)
        return false;
    *address = fdt_number(reg + index * entry, address_cells);
    *size = fdt_number(reg + index * entry + address_cells * CELL, size_cells);
    return true;
}
