/*
 * A bootfs into a program that was linked with a reserve: the bytes behind a symbol are replaced, and
 * nothing is linked. Where the reserve ends is told by its own mark (reserve.h): OSv's bootfs.S has a
 * symbol at the start only.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "image/bytes.h"
#include "image/elf.h"
#include "image/image.h"
#include "image/reserve.h"

static const char mark_text[24] = "gantry: end of bootfs\n";

static void make_mark(unsigned char mark[RESERVE_MARK], uint64_t size_bytes)
{
    memcpy(mark, mark_text, sizeof mark_text);
    put_le(mark + sizeof mark_text, size_bytes, 8);
}

int reserve_end(struct sink *sink, uint64_t start, uint64_t size_bytes, struct err *err)
{
    unsigned char mark[RESERVE_MARK];
    make_mark(mark, size_bytes);
    if (sink_zero_to(sink, start + size_bytes - RESERVE_MARK, err) < 0)
        return -1;
    return sink_write(sink, mark, sizeof mark, err);
}

/* The size of the reserve that starts at `bytes`, 0 where none does. */
static uint64_t find_reserve(const unsigned char *bytes, uint64_t length)
{
    unsigned char mark[RESERVE_MARK];
    for (uint64_t at = 0; at + RESERVE_MARK <= length;) {
        const unsigned char *found =
            memmem(bytes + at, (size_t)(length - at), mark_text, sizeof mark_text);
        if (!found)
            break;
        at = (uint64_t)(found - bytes);
        make_mark(mark, at + RESERVE_MARK);
        if (at + RESERVE_MARK <= length && memcmp(found, mark, sizeof mark) == 0)
            return at + RESERVE_MARK;
        at++;
    }
    return 0;
}

/* The bytes of a bootfs without its padding; new. */
static unsigned char *read_content(const char *path, size_t *length, struct err *err)
{
    unsigned char *bytes = (unsigned char *)file_read(path, length, err);
    if (bytes && *length && find_reserve(bytes, *length) == *length)
        *length -= RESERVE_MARK;
    while (bytes && *length && !bytes[*length - 1])
        --*length; /* a reserve is zeros where nothing else is */
    return bytes;
}

/* Where the reserve lies in a program. */
struct reserve {
    uint64_t at, size_bytes;
};

static int look(int fd, uint64_t size_bytes, const struct image_embed *embed,
                struct reserve *reserve, struct err *err)
{
    const char *symbol = embed->symbol;
    struct elf elf;
    uint64_t address, left;
    void *bytes = mmap(NULL, (size_t)size_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return err_errno(err, "cannot read %s", embed->program);
    int status = 0;
    if (!elf_open(&elf, bytes, (size_t)size_bytes))
        status = err_set(err, ERR_INPUT, "%s is no ELF file", embed->program);
    else if (!elf_symbol(&elf, symbol, &address) || !elf_place(&elf, address, &reserve->at, &left))
        status = err_set(err, ERR_INPUT, "%s has no symbol %s with bytes behind it", embed->program,
                         symbol);
    else if (!(reserve->size_bytes = find_reserve(elf.bytes + reserve->at, left)))
        status = err_set(err, ERR_INPUT,
                         "%s was linked with a bootfs without a reserve; link it once with one "
                         "that was packed with --size",
                         embed->program);
    munmap(bytes, (size_t)size_bytes);
    return status;
}

/* A whole file, under the eyes of source.h, as it is. */
static int copy(struct file_out *out, const char *path, struct stat *st, struct err *err)
{
    enum { PIECE = 1 << 20 };
    struct source source;
    if (stat(path, st) < 0)
        return err_errno(err, "cannot read %s", path);
    if (source_open(&source, path, (uint64_t)st->st_size, err) < 0)
        return -1;
    unsigned char *piece = mem_alloc(PIECE);
    int status = 0;
    for (uint64_t at = 0, size = (uint64_t)st->st_size; at < size && !status; at += PIECE) {
        size_t length = size - at < PIECE ? (size_t)(size - at) : PIECE;
        status = source_read(&source, at, piece, length, err);
        if (!status)
            status = file_out_write(out, piece, length, err);
    }
    free(piece);
    int closed = source_close(&source, status ? NULL : err);
    return status ? status : closed;
}

static int put(struct file_out *out, const struct image_embed *embed, struct err *err)
{
    struct stat st;
    struct reserve reserve = {0};
    size_t length;
    if (copy(out, embed->program, &st, err) < 0 ||
        look(out->fd, (uint64_t)st.st_size, embed, &reserve, err) < 0)
        return -1;
    unsigned char *content = read_content(embed->file, &length, err);
    if (!content)
        return -1;
    uint64_t room = reserve.size_bytes - RESERVE_MARK;
    int status = 0;
    if (length > room) {
        status =
            err_set(err, ERR_INPUT,
                    "%s has %zu bytes; the reserve of %s holds %llu: link it with a larger one",
                    embed->file, length, embed->program, (unsigned long long)room);
    } else {
        unsigned char *all = mem_zero(1, (size_t)room + 1);
        memcpy(all, content, length);
        status = file_pwrite(out->fd, out->path, all, (size_t)room, reserve.at, err);
        free(all);
    }
    free(content);
    if (!status && fchmod(out->fd, st.st_mode & 0777) < 0)
        status = err_errno(err, "cannot write %s", out->path);
    return status;
}

int image_embed(const char *path, const struct image_embed *embed, struct err *err)
{
    struct file_out out;
    if (file_out_open(&out, path, 0666, err) < 0)
        return -1;
    if (put(&out, embed, err) < 0) {
        file_out_abandon(&out);
        return -1;
    }
    return file_out_commit(&out, err);
}
