/*
 * ROFS, OSv's read-only file system (scripts/gen-rofs-img.py and fs/rofs/rofs.hh of OSv): block 0
 * is the superblock, then come the files' data, each from a block of its own, then one area with
 * all directory entries, symlink targets and inodes, packed. That area is read once, at mount, and
 * checked as it is indexed, so that nothing later has to distrust it.
 */
#include "block.h"
#include "kernel.h"
#include "vfs.h"

enum { BLOCK = 512, MODE_DIRECTORY = 0x4000, MODE_FILE = 0x8000, MODE_SYMLINK = 0xa000 };

static const uint64_t MAGIC = 0xdeadbead;
static const uint64_t VERSION = 1;

struct superblock {
    uint64_t magic, version, block_size;
    uint64_t structure_block, structure_blocks; /* where the packed area begins, and its length */
    uint64_t dirents, symlinks, inodes; /* how many of each it holds, in that order */
};

struct inode {
    uint64_t mode, number;
    uint64_t at; /* file: first block; directory, symlink: index of its first entry, target */
    uint64_t count; /* file: bytes; directory: entries; symlink: 1 */
};

struct text {
    uint32_t offset; /* in the packed area */
    uint32_t length;
    uint64_t inode; /* of a directory entry */
};

struct rofs {
    unsigned device;
    uint64_t blocks; /* of the device */
    struct superblock super;
    char *area; /* the packed area */
    struct text *dirents; /* where each one's name lies in it */
    struct text *symlinks;
    struct inode *inodes; /* number n at [n - 1] */
};

/* Takes the next u16 length and its bytes; false if the area ends before them. */
static bool index_text(struct rofs *rofs, size_t size, size_t *at, struct text *text)
{
    uint16_t length;

    if (size - *at < sizeof length)
        return false;
    memcpy(&length, rofs->area + *at, sizeof length);
    *at += sizeof length;
    if (size - *at < length)
        return false;
    text->offset = (uint32_t)*at;
    text->length = length;
    *at += length;
    return true;
}

static bool inode_good(const struct rofs *rofs, const struct inode *inode, uint64_t number)
{
    uint64_t blocks = (inode->count + BLOCK - 1) / BLOCK;

    if (inode->number != number)
        return false;
    switch (inode->mode) {
    case MODE_FILE:
        return inode->at <= rofs->blocks && inode->count <= rofs->blocks * BLOCK &&
               blocks <= rofs->blocks - inode->at;
    case MODE_DIRECTORY:
        return inode->at <= rofs->super.dirents && inode->count <= rofs->super.dirents - inode->at;
    case MODE_SYMLINK:
        return inode->at < rofs->super.symlinks;
    default:
        return false;
    }
}

static int index_area(struct rofs *rofs)
{
    const struct superblock *super = &rofs->super;
    size_t size = (size_t)super->structure_blocks * BLOCK, at = 0;

    for (uint64_t i = 0; i < super->dirents; i++) {
        if (size - at < sizeof rofs->dirents[i].inode)
            return ERROR_FORMAT;
        memcpy(&rofs->dirents[i].inode, rofs->area + at, sizeof rofs->dirents[i].inode);
        at += sizeof rofs->dirents[i].inode;
        if (!index_text(rofs, size, &at, &rofs->dirents[i]) || rofs->dirents[i].inode == 0 ||
            rofs->dirents[i].inode > super->inodes || rofs->dirents[i].length > NAME_MAX_BYTES)
            return ERROR_FORMAT;
    }
    for (uint64_t i = 0; i < super->symlinks; i++)
        if (!index_text(rofs, size, &at, &rofs->symlinks[i]))
            return ERROR_FORMAT;
    if ((size - at) / sizeof(struct inode) < super->inodes)
        return ERROR_FORMAT;
    memcpy(rofs->inodes, rofs->area + at, (size_t)super->inodes * sizeof(struct inode));
    for (uint64_t i = 0; i < super->inodes; i++)
        if (!inode_good(rofs, &rofs->inodes[i], i + 1))
            return ERROR_FORMAT;
    return rofs->inodes[0].mode == MODE_DIRECTORY ? 0 : ERROR_FORMAT;
}

static int load(struct rofs *rofs)
{
    const struct superblock *super = &rofs->super;
    /* Each entry takes two bytes at least: more of them than this cannot be true. */
    uint64_t most = super->structure_blocks * (BLOCK / 2);

    if (super->structure_block > rofs->blocks || super->structure_blocks > UINT32_MAX / BLOCK ||
        super->structure_blocks > rofs->blocks - super->structure_block || super->inodes == 0 ||
        super->inodes > most || super->dirents > most || super->symlinks > most)
        return ERROR_FORMAT;
    rofs->area = memory_allocate((size_t)super->structure_blocks * BLOCK);
    rofs->dirents = memory_allocate((size_t)super->dirents * sizeof *rofs->dirents);
    rofs->symlinks = memory_allocate((size_t)super->symlinks * sizeof *rofs->symlinks);
    rofs->inodes = memory_allocate((size_t)super->inodes * sizeof *rofs->inodes);
    if (!rofs->area || !rofs->dirents || !rofs->symlinks || !rofs->inodes)
        return ERROR_MEMORY;
    int error = block_read(rofs->device, super->structure_block, (uint32_t)super->structure_blocks,
                           rofs->area);

    return error ? error : index_area(rofs);
}

static void fill(const struct rofs *rofs, uint64_t number, struct file *file)
{
    const struct inode *inode = &rofs->inodes[number - 1];

    ASSERT(number > 0 && number <= rofs->super.inodes);
    file->node = number;
    file->size = inode->mode == MODE_SYMLINK ? rofs->symlinks[inode->at].length : inode->count;
    file->type = inode->mode == MODE_DIRECTORY ? FILE_DIRECTORY
                 : inode->mode == MODE_SYMLINK ? FILE_SYMLINK
                                               : FILE_REGULAR;
}

static int rofs_look_up(void *instance, uint64_t directory, const char *name, size_t length,
                        struct file *file)
{
    struct rofs *rofs = instance;
    const struct inode *inode = &rofs->inodes[directory - 1];

    for (uint64_t i = inode->at; i < inode->at + inode->count; i++) {
        const struct text *entry = &rofs->dirents[i];

        if (entry->length == length && memcmp(rofs->area + entry->offset, name, length) == 0) {
            fill(rofs, entry->inode, file);
            return 0;
        }
    }
    return ERROR_NOT_FOUND;
}

/* Whole blocks go straight to the buffer; a cut one at either end takes a detour. */
static int64_t read_blocks(const struct rofs *rofs, const struct inode *inode, uint64_t offset,
                           char *to, size_t size)
{
    char cut[BLOCK];
    size_t done = 0;

    while (done < size) {
        uint64_t block = inode->at + (offset + done) / BLOCK;
        size_t skip = (size_t)((offset + done) % BLOCK), count = size - done;
        int error;

        if (skip == 0 && count >= BLOCK) {
            uint64_t blocks = count / BLOCK;

            if (blocks > UINT32_MAX)
                blocks = UINT32_MAX;
            error = block_read(rofs->device, block, (uint32_t)blocks, to + done);
            count = (size_t)blocks * BLOCK;
        } else {
            error = block_read(rofs->device, block, 1, cut);
            if (count > BLOCK - skip)
                count = BLOCK - skip;
            if (!error)
                memcpy(to + done, cut + skip, count);
        }
        if (error)
            return error;
        done += count;
    }
    return (int64_t)size;
}

static int64_t rofs_read(void *instance, const struct file *file, uint64_t offset, void *buffer,
                         size_t size)
{
    struct rofs *rofs = instance;
    const struct inode *inode = &rofs->inodes[file->node - 1];

    if (inode->mode == MODE_SYMLINK) {
        memcpy(buffer, rofs->area + rofs->symlinks[inode->at].offset + offset, size);
        return (int64_t)size;
    }
    return read_blocks(rofs, inode, offset, buffer, size);
}

static int rofs_list(void *instance, const struct file *directory, uint64_t index,
                     struct directory_entry *entry)
{
    struct rofs *rofs = instance;
    const struct text *dirent = &rofs->dirents[rofs->inodes[directory->node - 1].at + index];

    memcpy(entry->name, rofs->area + dirent->offset, dirent->length);
    entry->name[dirent->length] = '\0';
    fill(rofs, dirent->inode, &entry->file);
    return 0;
}

int rofs_mount(const char *path, const char **name)
{
    static const struct file_system type = {"rofs", rofs_look_up, rofs_read, rofs_list};
    static struct rofs rofs;
    static struct block_info info;
    char sector[SECTOR_BYTES];
    struct file root;

    for (rofs.device = 0; block_info(rofs.device, &info) == 0; rofs.device++) {
        int error = block_read(rofs.device, 0, 1, sector);

        if (error)
            return error;
        memcpy(&rofs.super, sector, sizeof rofs.super);
        if (rofs.super.magic != MAGIC)
            continue;
        if (rofs.super.version != VERSION || rofs.super.block_size != BLOCK)
            return ERROR_FORMAT;
        rofs.blocks = info.sectors;
        error = load(&rofs);
        if (error)
            return error;
        fill(&rofs, 1, &root);
        *name = info.name;
        return vfs_mount(path, &type, &rofs, &root);
    }
    return ERROR_NOT_FOUND;
}
