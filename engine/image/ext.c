#include "image/ext.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "image/bytes.h"
#include "image/ext_private.h"
#include "image/fs.h"

enum {
    RUN_MOST = 32768, /* blocks of one extent that is initialized */
    GROUP = 32768, /* blocks of a group */
    INODE_BYTES = 256,
    SLACK = 16 << 20,
    TIME = 1, /* of everything: libext2fs takes 0 for "now" */
    INLINE_EXTENTS = 4,
    BLOCK_EXTENTS = (EXT_BLOCK - 12) / 12,
    FAST_LINK = 60, /* a shorter target stands in the inode */
    PIECE = 256 * 1024,
};

/* ---- libext2fs on a sink ---- */

/* What io_open opens: libext2fs hands a manager nothing but a name. */
static _Thread_local struct ext *opening;
static struct struct_io_manager sink_manager;

static errcode_t io_open(const char *name, int flags, io_channel *channel)
{
    (void)flags;
    io_channel io = mem_zero(1, sizeof *io);
    io->magic = EXT2_ET_MAGIC_IO_CHANNEL;
    io->manager = &sink_manager;
    io->name = mem_copy(name);
    io->block_size = EXT_BLOCK;
    io->refcount = 1;
    io->private_data = opening;
    *channel = io;
    return 0;
}

static errcode_t io_close(io_channel io)
{
    if (--io->refcount > 0)
        return 0;
    free(io->name);
    free(io);
    return 0;
}

static errcode_t io_set_blksize(io_channel io, int bytes)
{
    io->block_size = bytes;
    return 0;
}

/* A negative count is bytes. */
static size_t io_length(io_channel io, int count)
{
    return count < 0 ? (size_t)-count : (size_t)count * (size_t)io->block_size;
}

static errcode_t io_read(io_channel io, unsigned long long block, int count, void *data)
{
    struct ext *ext = io->private_data;
    uint64_t at = ext->base + (uint64_t)block * (unsigned)io->block_size;
    return sink_get(ext->sink, at, data, io_length(io, count), ext->err) < 0 ? EXT2_ET_SHORT_READ
                                                                             : 0;
}

static errcode_t io_write(io_channel io, unsigned long long block, int count, const void *data)
{
    struct ext *ext = io->private_data;
    uint64_t at = ext->base + (uint64_t)block * (unsigned)io->block_size;
    return sink_put(ext->sink, at, data, io_length(io, count), ext->err) < 0 ? EXT2_ET_SHORT_WRITE
                                                                             : 0;
}

static errcode_t io_read_old(io_channel io, unsigned long block, int count, void *data)
{
    return io_read(io, block, count, data);
}

static errcode_t io_write_old(io_channel io, unsigned long block, int count, const void *data)
{
    return io_write(io, block, count, data);
}

static errcode_t io_flush(io_channel io)
{
    (void)io;
    return 0;
}

static struct struct_io_manager sink_manager = {
    .magic = EXT2_ET_MAGIC_IO_MANAGER,
    .name = "gantry",
    .open = io_open,
    .close = io_close,
    .set_blksize = io_set_blksize,
    .read_blk = io_read_old,
    .write_blk = io_write_old,
    .flush = io_flush,
    .read_blk64 = io_read,
    .write_blk64 = io_write,
};

/* The sentence of a failed write stands already; others are libext2fs' own. */
static int failed(struct ext *ext, const char *what, errcode_t code)
{
    if (ext->err && ext->err->kind != ERR_NONE)
        return -1;
    if (code == EXT2_ET_BLOCK_ALLOC_FAIL)
        return err_set(ext->err, ERR_INPUT,
                       "%s: the files do not fit into the ext4 file system: give a larger size",
                       ext->sink->out.path);
    return err_set(ext->err, ERR_SYSTEM, "%s: %s: ext2fs error %ld", ext->sink->out.path, what,
                   (long)code);
}

/* ---- blocks and inodes ---- */

ext2_ino_t ext_directory(uint32_t directory)
{
    return directory ? EXT_FIRST_INODE + directory - 1 : EXT2_ROOT_INO;
}

ext2_ino_t ext_leaf(const struct ext *ext, uint32_t leaf)
{
    return EXT_FIRST_INODE + intern_count(&ext->tree->directories) - 1 + leaf;
}

int ext_take(struct ext *ext, uint64_t logical, uint64_t count, ext_runs *runs)
{
    while (count) {
        blk64_t start, got, most = count < RUN_MOST ? count : RUN_MOST;
        errcode_t code = ext2fs_new_range(ext->fs, 0, ext->goal, most, NULL, &start, &got);
        if (code)
            return failed(ext, "blocks", code);
        if (got > most)
            got = most;
        ext2fs_block_alloc_stats_range(ext->fs, start, (blk_t)got, +1);
        ext->goal = start + got;
        struct ext_run *last = runs->len ? &runs->at[runs->len - 1] : NULL;
        if (last && last->physical + last->count == start &&
            last->logical + last->count == logical && last->count + got <= RUN_MOST)
            last->count += got;
        else
            vec_push(runs, (struct ext_run){logical, start, got});
        logical += got;
        count -= got;
    }
    return 0;
}

int ext_put_block(struct ext *ext, uint64_t block, const void *bytes)
{
    return sink_put(ext->sink, ext->base + block * EXT_BLOCK, bytes, EXT_BLOCK, ext->err);
}

static void put_extent_head(unsigned char *at, size_t entries, size_t most, unsigned depth)
{
    put_le(at, 0xF30A, 2);
    put_le(at + 2, entries, 2);
    put_le(at + 4, most, 2);
    put_le(at + 6, depth, 2);
    put_le(at + 8, 0, 4);
}

static void put_extents(unsigned char *at, const struct ext_run *runs, size_t count, unsigned depth)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char *entry = at + 12 + 12 * i;
        put_le(entry, runs[i].logical, 4);
        if (depth) {
            put_le(entry + 4, runs[i].physical, 4);
            put_le(entry + 8, runs[i].physical >> 32, 2);
            put_le(entry + 10, 0, 2);
        } else {
            put_le(entry + 4, runs[i].count, 2);
            put_le(entry + 6, runs[i].physical >> 32, 2);
            put_le(entry + 8, runs[i].physical, 4);
        }
    }
}

/* The tree over a file's runs, its root in the inode. *blocks grows by what the tree takes. */
static int put_extent_tree(struct ext *ext, const ext_runs *runs, unsigned char root[static 60],
                           uint64_t *blocks)
{
    ext_runs level = {0};
    unsigned depth = 0;
    int status = 0;
    for (size_t i = 0; i < runs->len; i++)
        vec_push(&level, runs->at[i]);
    for (; level.len > INLINE_EXTENTS && !status; depth++) {
        ext_runs up = {0};
        for (size_t i = 0; i < level.len && !status; i += BLOCK_EXTENTS) {
            unsigned char block[EXT_BLOCK] = {0};
            size_t count = level.len - i < BLOCK_EXTENTS ? level.len - i : BLOCK_EXTENTS;
            ext_runs own = {0};
            put_extent_head(block, count, BLOCK_EXTENTS, depth);
            put_extents(block, level.at + i, count, depth);
            status = ext_take(ext, 0, 1, &own);
            if (!status)
                status = ext_put_block(ext, own.at[0].physical, block);
            if (!status)
                vec_push(&up, (struct ext_run){level.at[i].logical, own.at[0].physical, 1});
            vec_free(&own);
            ++*blocks;
        }
        vec_free(&level);
        level.at = up.at;
        level.len = up.len;
        level.cap = up.cap;
    }
    if (!status) {
        put_extent_head(root, level.len, INLINE_EXTENTS, depth);
        put_extents(root, level.at, level.len, depth);
    }
    vec_free(&level);
    return status;
}

/* What an inode says of itself. */
struct node {
    uint32_t mode, links, flags;
    uint64_t size_bytes;
    const char *target; /* of a short link */
    const ext_runs *runs;
};

static int put_inode(struct ext *ext, ext2_ino_t number, const struct node *node)
{
    struct ext2_inode_large inode = {0};
    unsigned char root[60] = {0};
    uint64_t blocks = 0;
    inode.i_mode = (uint16_t)node->mode;
    inode.i_links_count = (uint16_t)node->links;
    inode.i_size = (uint32_t)node->size_bytes;
    inode.i_size_high = (uint32_t)(node->size_bytes >> 32);
    inode.i_atime = inode.i_ctime = inode.i_mtime = inode.i_crtime = TIME;
    inode.i_extra_isize = 32;
    inode.i_flags = node->flags;
    if (node->target) {
        memcpy(root, node->target, strlen(node->target));
    } else {
        inode.i_flags |= EXT4_EXTENTS_FL;
        for (size_t i = 0; i < node->runs->len; i++)
            blocks += node->runs->at[i].count;
        if (put_extent_tree(ext, node->runs, root, &blocks) < 0)
            return -1;
    }
    memcpy(inode.i_block, root, sizeof root);
    ext2fs_iblk_set(ext->fs, (struct ext2_inode *)&inode, blocks);
    bool directory = S_ISDIR(node->mode);
    if (number >= EXT_FIRST_INODE - 1)
        ext2fs_inode_alloc_stats2(ext->fs, number, +1, directory);
    errcode_t code =
        ext2fs_write_inode_full(ext->fs, number, (struct ext2_inode *)&inode, (int)sizeof inode);
    return code ? failed(ext, "inode", code) : 0;
}

/* ---- files ---- */

/* Writes bytes of a file to where its runs have them; *run is the run that the last call ended in. */
static int put_data(struct ext *ext, const ext_runs *runs, size_t *run, uint64_t at,
                    const unsigned char *bytes, size_t length)
{
    while (length) {
        const struct ext_run *here = &runs->at[*run];
        uint64_t begin = here->logical * EXT_BLOCK, end = begin + here->count * EXT_BLOCK;
        if (at >= end) {
            ++*run;
            continue;
        }
        size_t piece = length < end - at ? length : (size_t)(end - at);
        if (sink_put(ext->sink, ext->base + here->physical * EXT_BLOCK + (at - begin), bytes, piece,
                     ext->err) < 0)
            return -1;
        at += piece;
        bytes += piece;
        length -= piece;
    }
    return 0;
}

/* Data of one file. All of it gets blocks: lwext4 reads block 0 where a file has a hole. What is a
 * hole on the host is not read, and not written, so that the image's file has one there. */
static int stream(struct ext *ext, struct source *source, uint64_t size, unsigned char *piece,
                  ext_runs *runs)
{
    size_t run = 0;
    if (ext_take(ext, 0, (size + EXT_BLOCK - 1) / EXT_BLOCK, runs) < 0)
        return -1;
    for (uint64_t at = 0; at < size;) {
        uint64_t data = source_data(source, at);
        if (data >= size)
            break;
        at = data / PIECE * PIECE;
        size_t length = size - at < PIECE ? (size_t)(size - at) : PIECE;
        if (source_read(source, at, piece, length, ext->err) < 0)
            return -1;
        bool zeros = !piece[0] && memcmp(piece, piece + 1, length - 1) == 0;
        if (!zeros) { /* by content, and not by how the host stores it */
            XXH3_128bits_update(ext->content, &at, sizeof at);
            XXH3_128bits_update(ext->content, piece, length);
            if (put_data(ext, runs, &run, at, piece, length) < 0)
                return -1;
        }
        at += length;
    }
    return 0;
}

static int put_file(struct ext *ext, const struct manifest_entry *entry, unsigned char *piece,
                    ext_runs *runs)
{
    struct err why = {0}, *err = ext->err;
    struct source source;
    if (source_open(&source, entry->host, entry->size_bytes, &why) == 0) {
        ext->err = &why;
        int status = stream(ext, &source, entry->size_bytes, piece, runs);
        ext->err = err;
        int closed = source_close(&source, status ? NULL : &why);
        if (!status && !closed)
            return 0;
    }
    return fs_blame(entry, &why, err);
}

static int put_link(struct ext *ext, const struct manifest_entry *entry, ext_runs *runs)
{
    unsigned char block[EXT_BLOCK] = {0};
    if (entry->size_bytes >= EXT_BLOCK)
        return err_at(ext->err, entry->file, entry->line, 0,
                      "%s: a link in ext4 has at most %d bytes", entry->guest, EXT_BLOCK - 1);
    if (entry->size_bytes < FAST_LINK)
        return 0;
    memcpy(block, entry->host, entry->size_bytes);
    if (ext_take(ext, 0, 1, runs) < 0)
        return -1;
    return ext_put_block(ext, runs->at[0].physical, block);
}

static int put_leaf(struct ext *ext, uint32_t index, unsigned char *piece)
{
    const struct guest_leaf *leaf = &ext->tree->leaves.at[index];
    const struct manifest_entry *entry = leaf->entry;
    bool link = entry->kind == ENTRY_SYMLINK;
    ext_runs runs = {0};
    XXH3_128bits_update(ext->content, entry->guest, strlen(entry->guest) + 1);
    XXH3_128bits_update(ext->content, &entry->size_bytes, sizeof entry->size_bytes);
    if (link)
        XXH3_128bits_update(ext->content, entry->host, entry->size_bytes);
    int status = link ? put_link(ext, entry, &runs) : put_file(ext, entry, piece, &runs);
    const struct node node = {.mode = leaf->mode,
                              .links = leaf->links,
                              .size_bytes = entry->size_bytes,
                              .target = link && !runs.len ? entry->host : NULL,
                              .runs = &runs};
    if (!status)
        status = put_inode(ext, ext_leaf(ext, index), &node);
    vec_free(&runs);
    return status;
}

static uint64_t blocks_of(const ext_runs *runs)
{
    uint64_t blocks = 0;
    for (size_t i = 0; i < runs->len; i++)
        blocks += runs->at[i].count;
    return blocks;
}

static int put_directory(struct ext *ext, uint32_t directory, size_t *child)
{
    const struct guest_tree *tree = ext->tree;
    ext_runs runs = {0};
    bool hashed = false;
    size_t first = *child;
    while (*child < tree->children.len && tree->children.at[*child].directory == directory)
        ++*child;
    int status = ext_put_directory(ext, directory, tree->children.at + first, *child - first, &runs,
                                   &hashed);
    uint32_t links = tree->directories_in.at[directory] + 2 + !directory;
    const struct node node = {.mode = S_IFDIR | 0755,
                              .links =
                                  links > GUEST_LINKS_MAX ? 1 : links, /* 1: too many to count */
                              .flags = hashed ? EXT2_INDEX_FL : 0,
                              .size_bytes = blocks_of(&runs) * EXT_BLOCK,
                              .runs = &runs};
    if (!status)
        status = put_inode(ext, ext_directory(directory), &node);
    vec_free(&runs);
    return status;
}

/* lost+found, with room for some names, as e2fsck wants it. */
static int put_lost_and_found(struct ext *ext)
{
    enum { BLOCKS = 4 };
    unsigned char block[EXT_BLOCK] = {0};
    ext_runs runs = {0};
    size_t run = 0;
    int status = ext_take(ext, 0, BLOCKS, &runs);
    for (unsigned i = 0; i < BLOCKS && !status; i++) {
        memset(block, 0, sizeof block);
        put_le(block + 4, EXT_BLOCK, 2);
        if (!i) {
            put_le(block, EXT_FIRST_INODE - 1, 4);
            put_le(block + 4, 12, 2);
            memcpy(block + 6, "\1\2.", 3);
            put_le(block + 12, EXT2_ROOT_INO, 4);
            put_le(block + 16, EXT_BLOCK - 12, 2);
            memcpy(block + 18, "\2\2..", 4);
        }
        status = put_data(ext, &runs, &run, (uint64_t)i * EXT_BLOCK, block, EXT_BLOCK);
    }
    const struct node node = {
        .mode = S_IFDIR | 0700, .links = 2, .size_bytes = BLOCKS * EXT_BLOCK, .runs = &runs};
    if (!status)
        status = put_inode(ext, EXT_FIRST_INODE - 1, &node);
    vec_free(&runs);
    return status;
}

/* ---- the whole ---- */

static uint64_t inodes_needed(const struct manifest_list *list)
{
    /* Every slash may begin a directory of its own; counting them all would be far too many. */
    uint64_t count = EXT_FIRST_INODE;
    const char *before = "";
    for (size_t i = 0; list && i < list->entries.len; i++) {
        const char *guest = list->entries.at[i].guest;
        size_t same = 0;
        while (guest[same] && guest[same] == before[same])
            same++;
        for (const char *p = guest + same; *p; p++)
            count += *p == '/';
        count += 1;
        before = guest;
    }
    return count;
}

uint64_t ext_size(const struct manifest_list *list, uint64_t size_bytes)
{
    if (size_bytes)
        return size_bytes / EXT_BLOCK * EXT_BLOCK;
    uint64_t inodes = inodes_needed(list), blocks = 64;
    inodes += inodes / 4;
    for (size_t i = 0; list && i < list->entries.len; i++) {
        const struct manifest_entry *entry = &list->entries.at[i];
        blocks += (entry->size_bytes + EXT_BLOCK - 1) / EXT_BLOCK;
        /* Names in half-full directories, and extents of scattered files. */
        blocks += entry->size_bytes / ((uint64_t)GROUP * EXT_BLOCK);
    }
    blocks += inodes * 64 / EXT_BLOCK + inodes_needed(list) + inodes * INODE_BYTES / EXT_BLOCK;
    blocks += blocks / 32 + SLACK / EXT_BLOCK;
    if (blocks < inodes)
        blocks = inodes;
    return round_up(blocks, 256) * EXT_BLOCK;
}

static void set_features(struct ext2_super_block *super)
{
    super->s_rev_level = EXT2_DYNAMIC_REV;
    super->s_log_block_size = 2;
    super->s_inode_size = INODE_BYTES;
    super->s_min_extra_isize = super->s_want_extra_isize = 32;
    super->s_log_groups_per_flex = 4;
    super->s_feature_compat = EXT2_FEATURE_COMPAT_EXT_ATTR | EXT2_FEATURE_COMPAT_DIR_INDEX;
    super->s_feature_incompat = EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS |
                                EXT4_FEATURE_INCOMPAT_FLEX_BG;
    super->s_feature_ro_compat =
        EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
        EXT4_FEATURE_RO_COMPAT_HUGE_FILE | EXT4_FEATURE_RO_COMPAT_DIR_NLINK |
        EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE;
}

static int begin(struct ext *ext, const struct manifest_list *list, uint64_t size_bytes)
{
    enum { BYTES_PER_INODE = 16384 };
    struct ext2_super_block super = {0};
    uint64_t needed = inodes_needed(list), inodes = size_bytes / BYTES_PER_INODE;
    needed += needed / 4;
    if (inodes < needed)
        inodes = needed;
    if (size_bytes / EXT_BLOCK > UINT32_MAX || inodes > UINT32_MAX)
        return err_set(ext->err, ERR_INPUT, "%s: an ext4 file system has less than 16 TiB here",
                       ext->sink->out.path);
    if (size_bytes / EXT_BLOCK < 256)
        return err_set(ext->err, ERR_INPUT, "%s: an ext4 file system needs at least 1 MiB",
                       ext->sink->out.path);
    set_features(&super);
    ext2fs_blocks_count_set(&super, size_bytes / EXT_BLOCK);
    super.s_inodes_count = (uint32_t)inodes;
    opening = ext;
    errcode_t code = ext2fs_initialize("image", EXT2_FLAG_64BITS, &super, &sink_manager, &ext->fs);
    opening = NULL;
    if (code)
        return failed(ext, "super block", code);
    ext->fs->now = TIME;
    struct ext2_super_block *made = ext->fs->super;
    memset(made->s_hash_seed, 0x5a, sizeof made->s_hash_seed);
    made->s_def_hash_version = EXT2_HASH_HALF_MD4;
    made->s_flags = EXT2_FLAGS_UNSIGNED_HASH;
    made->s_state |= EXT2_VALID_FS;
    made->s_kbytes_written = 0;
    made->s_mkfs_time = made->s_lastcheck = made->s_wtime = TIME;
    made->s_max_mnt_count = -1;
    memset(made->s_uuid, 0x11, sizeof made->s_uuid); /* until the content is known */
    code = ext2fs_allocate_tables(ext->fs);
    if (code)
        return failed(ext, "tables", code);
    for (ext2_ino_t i = 1; i < EXT_FIRST_INODE - 1; i++)
        ext2fs_inode_alloc_stats2(ext->fs, i, +1, i == EXT2_ROOT_INO);
    return 0;
}

static int put_all(struct ext *ext)
{
    unsigned char *piece = mem_alloc(PIECE);
    size_t child = 0;
    int status = 0;
    if (EXT_FIRST_INODE + intern_count(&ext->tree->directories) + ext->tree->leaves.len >
        ext->fs->super->s_inodes_count)
        status = err_set(ext->err, ERR_SYSTEM, "%s: too few inodes", ext->sink->out.path);
    for (uint32_t d = 0; d < intern_count(&ext->tree->directories) && !status; d++) {
        status = put_directory(ext, d, &child);
        if (!d && !status)
            status = put_lost_and_found(ext);
    }
    for (uint32_t i = 0; i < ext->tree->leaves.len && !status; i++)
        status = put_leaf(ext, i, piece);
    free(piece);
    return status;
}

static void set_uuid(struct ext *ext)
{
    uint8_t *uuid = ext->fs->super->s_uuid;
    XXH128_hash_t digest = XXH3_128bits_digest(ext->content);
    put_le(uuid, digest.low64, 8);
    put_le(uuid + 8, digest.high64, 8);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

int ext_put(struct sink *sink, const struct manifest_list *list, uint64_t size_bytes,
            struct err *err)
{
    struct guest_tree tree = {0};
    struct err own = {0};
    struct ext ext = {.sink = sink, .base = sink_at(sink), .tree = &tree, .err = &own};
    ext.content = XXH3_createState();
    XXH3_128bits_reset(ext.content);
    int status = guest_tree_make(&tree, list, &own);
    if (!status)
        status = begin(&ext, list, size_bytes);
    if (!status)
        status = put_all(&ext);
    if (!status) {
        set_uuid(&ext);
        errcode_t code = ext2fs_close_free(&ext.fs);
        if (code)
            status = failed(&ext, "closing", code);
    } else if (ext.fs) {
        ext2fs_free(ext.fs);
    }
    if (!status)
        status = sink_zero_to(sink, ext.base + size_bytes, &own);
    XXH3_freeState(ext.content);
    guest_tree_free(&tree);
    if (status && err)
        *err = own;
    return status;
}
