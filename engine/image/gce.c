/*
 * What Google Compute Engine imports: a gzipped tar with one member, disk.raw, of whole GiB. The
 * disk is made in a file without a name and packed at the end, its holes left out as GNU tar's old
 * sparse format has it (tar --format=oldgnu -S, which Google's manual asks for).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"
#include "base/path.h"
#include "image/bytes.h"
#include "image/sink.h"

enum {
    TAR_BLOCK = 512,
    IN_HEADER = 4, /* places of data that the header holds, and each block behind it */
    IN_BLOCK = 21,
    PIECE = 256 * 1024,
    GRAIN = 64 * 1024, /* data and holes are told apart in pieces of this size */
};

struct extent {
    uint64_t start, length;
};
typedef VEC(struct extent) extent_list;

static uint64_t rounded(uint64_t size_bytes)
{
    return round_up(size_bytes ? size_bytes : 1, UINT64_C(1) << 30);
}

static int begin(struct sink *sink, uint64_t most_bytes, struct err *err)
{
    (void)most_bytes;
    char *dir = path_dir(sink->out.path);
    sink->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (sink->fd < 0) {
        char *name = mem_format("%s.disk", sink->out.temporary);
        sink->fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (sink->fd >= 0)
            unlink(name);
        free(name);
    }
    free(dir);
    return sink->fd < 0 ? err_errno(err, "cannot write %s", sink->out.path) : 0;
}

static bool all_zero(const unsigned char *bytes, size_t length)
{
    return !bytes[0] && memcmp(bytes, bytes + 1, length - 1) == 0;
}

static int read_piece(struct sink *sink, uint64_t at, unsigned char *bytes, size_t length,
                      struct err *err)
{
    for (size_t done = 0; done < length;) {
        ssize_t got = pread(sink->fd, bytes + done, length - done, (off_t)(at + done));
        if (got <= 0 && !(got < 0 && errno == EINTR))
            return err_errno(err, "cannot read %s back", sink->out.path);
        done += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

/* Where the data is, by content and not by how the machine stores it: equal disks, equal files. */
static int find_extents(struct sink *sink, uint64_t size_bytes, unsigned char *piece,
                        extent_list *list, struct err *err)
{
    for (uint64_t at = 0; at < size_bytes;) {
        off_t data = lseek(sink->fd, (off_t)at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            break;
        if (data > 0)
            at = (uint64_t)data / GRAIN * GRAIN;
        size_t length = size_bytes - at < GRAIN ? (size_t)(size_bytes - at) : GRAIN;
        if (read_piece(sink, at, piece, length, err) < 0)
            return -1;
        struct extent *last = list->len ? &list->at[list->len - 1] : NULL;
        if (all_zero(piece, length))
            ;
        else if (last && last->start + last->length == at)
            last->length += length;
        else
            vec_push(list, (struct extent){at, length});
        at += length;
    }
    if (!list->len || list->at[list->len - 1].start + list->at[list->len - 1].length < size_bytes)
        vec_push(list, (struct extent){size_bytes, 0}); /* the hole at the end */
    return 0;
}

/* A tar number: octal, or big endian with the top bit where it is too large for that. */
static void put_number(unsigned char *at, uint64_t value)
{
    if (value >> 33) {
        put_be(at + 4, value, 8);
        at[0] = 0x80;
    } else {
        char text[13];
        snprintf(text, sizeof text, "%011llo", (unsigned long long)value);
        memcpy(at, text, 12);
    }
}

static void put_extents(unsigned char *at, const extent_list *list, size_t from, size_t most)
{
    for (size_t i = from; i < list->len && i < from + most; i++, at += 24) {
        put_number(at, list->at[i].start);
        put_number(at + 12, list->at[i].length);
    }
}

static void make_header(unsigned char *head, const extent_list *list, uint64_t size_bytes)
{
    uint64_t stored = 0;
    unsigned sum = 0;
    for (size_t i = 0; i < list->len; i++)
        stored += list->at[i].length;
    memset(head, 0, TAR_BLOCK);
    memcpy(head, "disk.raw", 8);
    memcpy(head + 100,
           "0000644\0"
           "0000000\0"
           "0000000\0",
           24);
    put_number(head + 124, stored);
    put_number(head + 136, 0);
    memset(head + 148, ' ', 8);
    head[156] = 'S';
    memcpy(head + 257, "ustar  ", 8);
    memcpy(head + 265, "root", 4);
    memcpy(head + 297, "root", 4);
    put_extents(head + 386, list, 0, IN_HEADER);
    head[482] = list->len > IN_HEADER;
    put_number(head + 483, size_bytes);
    for (unsigned i = 0; i < TAR_BLOCK; i++)
        sum += head[i];
    char text[8];
    snprintf(text, sizeof text, "%06o", sum);
    memcpy(head + 148, text, 7);
}

struct packer {
    struct sink *sink;
    z_stream z;
    unsigned char *out;
};

static int pack(struct packer *p, const void *bytes, size_t length, int flush, struct err *err)
{
    p->z.next_in = (Bytef *)(uintptr_t)bytes;
    p->z.avail_in = (uInt)length;
    do {
        p->z.next_out = p->out;
        p->z.avail_out = PIECE;
        deflate(&p->z, flush);
        if (file_out_write(&p->sink->out, p->out, PIECE - p->z.avail_out, err) < 0)
            return -1;
    } while (!p->z.avail_out);
    return 0;
}

static int pack_disk(struct packer *p, const extent_list *list, uint64_t size_bytes,
                     unsigned char *piece, struct err *err)
{
    unsigned char block[TAR_BLOCK];
    uint64_t stored = 0;
    make_header(block, list, size_bytes);
    if (pack(p, block, sizeof block, Z_NO_FLUSH, err) < 0)
        return -1;
    for (size_t i = IN_HEADER; i < list->len; i += IN_BLOCK) {
        memset(block, 0, sizeof block);
        put_extents(block, list, i, IN_BLOCK);
        block[504] = i + IN_BLOCK < list->len;
        if (pack(p, block, sizeof block, Z_NO_FLUSH, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < list->len; i++) {
        const struct extent *extent = &list->at[i];
        for (uint64_t done = 0; done < extent->length;) {
            size_t length = extent->length - done < PIECE ? (size_t)(extent->length - done) : PIECE;
            if (read_piece(p->sink, extent->start + done, piece, length, err) < 0 ||
                pack(p, piece, length, Z_NO_FLUSH, err) < 0)
                return -1;
            done += length;
        }
        stored += extent->length;
    }
    memset(piece, 0, PIECE);
    return pack(p, piece, (size_t)(round_up(stored, TAR_BLOCK) - stored) + 2 * TAR_BLOCK, Z_FINISH,
                err);
}

static int end(struct sink *sink, uint64_t size_bytes, struct err *err)
{
    struct packer packer = {.sink = sink};
    extent_list list = {0};
    unsigned char *piece = mem_alloc(PIECE);
    packer.out = mem_alloc(PIECE);
    enum { GZIP = 15 + 16 };
    int status = 0;
    if (deflateInit2(&packer.z, 6, Z_DEFLATED, GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        status = err_set(err, ERR_SYSTEM, "%s: zlib does not start", sink->out.path);
    if (!status && find_extents(sink, size_bytes, piece, &list, err) < 0)
        status = -1;
    if (!status)
        status = pack_disk(&packer, &list, size_bytes, piece, err);
    deflateEnd(&packer.z);
    vec_free(&list);
    free(packer.out);
    free(piece);
    return status;
}

const struct sink_format format_gce = {.begin = begin, .rounded = rounded, .end = end};
