/*
 * Images that nobody wrote: every reader stays within bounds and ends. An input is a file whose zeros
 * are left out, since images are mostly zeros: runs of u16 zeros (in units of 16 bytes), u8 length,
 * bytes. What is a tar is packed by gzip before it is read: changed bytes of a tar.gz would fail its
 * check sum, and never be a tar.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "image/image.h"
#include "tests/fuzz/ram_file.h"
#include "tests/support/elf_file.h"

enum { TAR_MAX = 256 * 1024, TAR_MAGIC_AT = 257, SEED_MAX = 4 << 20 };
enum { IMAGE_MAX = 32 << 20 }; /* more is cut off */
enum { UNIT = 16, RUN_HEAD = 3, ZEROS_MAX = 0xffff, BYTES_MAX = 255 / UNIT * UNIT };

/* Small images: a file system alone, or in a disk of some format. */
static int put_image(const char *path, const struct manifest_list *list, enum image_fs fs,
                     enum disk_format format, struct err *err)
{
    bool alone = format == DISK_RAW;
    const struct image_pack pack = {
        .volumes = {{.fs = fs, .list = list, .partition = alone ? 0 : 2, .dataset = "zfs"}},
        .volumes_count = 1,
        .align = 4096,
        .cmdline = alone ? NULL : "--rootfs=x",
        .format = format};
    return image_pack(path, &pack, NULL, err);
}

static bool all_zero(const char *bytes, size_t length)
{
    return !bytes[0] && memcmp(bytes, bytes + 1, length - 1) == 0;
}

/* A loader as OSv's, and the bundled kernel's: an ELF file with a packed kernel between two symbols. */
static int put_loader(const char *path, enum loader_format format, struct err *err)
{
    static const char start[] = "_binary_loader_stripped_elf_lz_start";
    static const char end[] = "_binary_loader_stripped_elf_lz_end", text[] = "a kernel, a kernel";
    size_t length;
    bool block = format == LOADER_LZ4;
    char *elf = elf_file_make(0x200000, NULL, NULL, text, sizeof text, &length);
    int status = file_write(path, elf, length, 0600, err);
    free(elf);
    if (!status)
        status = block ? loader_compress(path, path, err) : loader_fastlz(path, path, format, err);
    char *packed = status ? NULL : file_read(path, &length, err);
    if (!packed)
        return -1;
    elf = elf_file_make(0x1800000, block ? "lz_blob" : start, block ? NULL : end, packed, length,
                        &length);
    status = file_write(path, elf, length, 0600, err);
    free(packed);
    free(elf);
    return status;
}

/* The file in place becomes an input, unpacked where it is packed. */
static int encode(const char *path, struct err *err)
{
    size_t length = 0, at = 0;
    struct str out = {0};
    char *bytes = mem_zero(1, SEED_MAX);
    gzFile file = gzopen(path, "rb");
    int got = file ? gzread(file, bytes, SEED_MAX) : -1;
    if (file)
        gzclose(file);
    if (got < 0) {
        free(bytes);
        return err_errno(err, "cannot read %s", path);
    }
    length = (size_t)got;
    while (at < length) {
        size_t zeros = 0, run = 0;
        while (zeros < ZEROS_MAX && at + UNIT <= length && all_zero(bytes + at, UNIT))
            zeros++, at += UNIT;
        while (run < BYTES_MAX && at + run < length &&
               !(at + run + UNIT <= length && run % UNIT == 0 && all_zero(bytes + at + run, UNIT)))
            run++;
        const char head[RUN_HEAD] = {(char)zeros, (char)(zeros >> 8), (char)run};
        str_add_n(&out, head, sizeof head);
        str_add_n(&out, bytes + at, run);
        at += run;
    }
    int status = file_write(path, str_text(&out), out.len, 0600, err);
    str_free(&out);
    free(bytes);
    return status;
}

/* An input becomes a file, in `image`; it ends where the inputs' own end lies, or at IMAGE_MAX. */
static unsigned char image[IMAGE_MAX];

static size_t decode(const uint8_t *data, size_t size)
{
    size_t to = 0;
    while (size >= RUN_HEAD) {
        size_t length = data[2];
        to += (size_t)(data[0] | data[1] << 8) * UNIT;
        data += RUN_HEAD;
        size -= RUN_HEAD;
        if (length > size)
            length = size;
        if (to + length > IMAGE_MAX)
            return IMAGE_MAX;
        memcpy(image + to, data, length);
        to += length;
        data += length;
        size -= length;
    }
    return to;
}

/* Leaves only zeros again. What an input says tells where something is. */
static void clear(const uint8_t *data, size_t size)
{
    size_t to = 0;
    while (size >= RUN_HEAD && to < IMAGE_MAX) {
        size_t length = data[2], left;
        to += (size_t)(data[0] | data[1] << 8) * UNIT;
        left = to < IMAGE_MAX ? IMAGE_MAX - to : 0;
        memset(image + (left ? to : 0), 0, length < left ? length : left);
        to += length;
        data += RUN_HEAD;
        size -= RUN_HEAD;
        if (length > size)
            length = size;
        data += length;
        size -= length;
    }
}

/* What is a tar is packed, and there instead of it. False where that would take long. */
static bool pack_tar(unsigned char **bytes, size_t *length)
{
    static unsigned char packed[TAR_MAX + TAR_MAX / 8];
    if (*length < TAR_MAGIC_AT + 5 || memcmp(*bytes + TAR_MAGIC_AT, "ustar", 5) != 0)
        return true;
    z_stream z = {.next_in = *bytes,
                  .avail_in = (unsigned)*length,
                  .next_out = packed,
                  .avail_out = sizeof packed};
    if (*length >= TAR_MAX || deflateInit2(&z, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    bool done = deflate(&z, Z_FINISH) == Z_STREAM_END;
    *bytes = packed;
    *length = (size_t)z.total_out;
    deflateEnd(&z);
    return done;
}

/* Puts one image of each kind where the inputs are: our own writers are the best teachers. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct err err = {0};
    struct stat st;
    const char *into = NULL;
    for (int i = 1; i < *argc && !into; i++)
        into = (*argv)[i][0] == '-' ? NULL : (*argv)[i];
    if (!into || stat(into, &st) < 0 || !S_ISDIR(st.st_mode))
        return 0; /* one input is to be tried again */
    const struct manifest_overlay overlay = {
        .path = "m", .text = "/etc/one: /etc/hostname\n/link: ->/etc/one\n"};
    const struct manifest_scope scope = {.overlays = &overlay, .overlays_count = 1};
    struct manifest_list list = {0};
    static const struct {
        const char *name;
        enum image_fs fs;
        enum disk_format format;
    } images[] = {
        {"rofs", IMAGE_ROFS, DISK_RAW},    {"bootfs", IMAGE_RAMFS, DISK_RAW},
        {"qcow2", IMAGE_ROFS, DISK_QCOW2}, {"vmdk", IMAGE_ROFS, DISK_VMDK},
        {"vdi", IMAGE_ROFS, DISK_VDI},     {"vhd", IMAGE_ROFS, DISK_VHD},
        {"tar", IMAGE_ROFS, DISK_GCE},
    };
    bool bad = manifest_resolve(&list, &overlay.path, 1, &scope, MANIFEST_MARK, &err) < 0;
    for (size_t i = 0; i < sizeof images / sizeof *images && !bad; i++) {
        char *path = path_join(into, images[i].name);
        bad = put_image(path, &list, images[i].fs, images[i].format, &err) < 0 ||
              encode(path, &err) < 0;
        free(path);
    }
    static const char *const loaders[] = {"lz4", "fastlz", "fastlz-2014"};
    for (enum loader_format i = LOADER_LZ4; i <= LOADER_FASTLZ_2014 && !bad; i++) {
        char *path = path_join(into, loaders[i]);
        bad = put_loader(path, i, &err) < 0 || encode(path, &err) < 0;
        free(path);
    }
    if (bad) {
        fprintf(stderr, "no first images: %s\n", err.text);
        abort();
    }
    manifest_list_free(&list);
    return 0;
}

static int take_some(void *data, const void *bytes, size_t length, struct err *err)
{
    (void)bytes;
    size_t *taken = data;
    *taken += length;
    return *taken < 1 << 20 ? 0 : err_set(err, ERR_INPUT, "that was enough");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct image_info info = {0};
    struct image_listing listing = {0};
    struct str text = {0};
    unsigned char *bytes = image;
    size_t length = decode(data, size);
    if (!pack_tar(&bytes, &length)) {
        clear(data, size);
        return 0;
    }
    const char *path = ram_file(0, bytes, length);
    image_info(path, &info, &err);
    image_info_free(&info);
    if (image_list(path, &listing, &err) == 0)
        for (size_t i = 0; i < listing.files.len && i < 4; i++) {
            size_t taken = 0;
            image_get(path, listing.files.at[i].path, take_some, &taken, &err);
        }
    image_listing_free(&listing);
    image_check(path, NULL, &text, &err);
    str_free(&text);
    free(image_args(path, &err));
    clear(data, size);
    return 0;
}
