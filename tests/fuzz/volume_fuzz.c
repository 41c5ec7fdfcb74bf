/*
 * Volumes that are too large to be an input: an input is a list of changes to one that our writer
 * made (ext4, ZFS of two kinds, a packed loader). The readers stay within bounds and end, and the
 * volume is as it was afterwards.
 */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "image/image.h"
#include "image/read_image.h"
#include "manifest/manifest.h"
#include "tests/fuzz/ram_file.h"

enum { VOLUMES = 3, CHANGES_MAX = 32, CHANGE_BYTES = 16 };
#define NAME "a-name-that-takes-more-than-two-chunks-of-a-zap-leaf-"
enum { NAMES = 28 }; /* enough for a directory of its own kind, and no more: it is read each time */

/* What is in use of each volume: changes go there. */
static struct volume {
    enum image_fs fs;
    bool compress;
    uint32_t first, length;
    unsigned char *bytes; /* in memory only */
    const char *path;
} volumes[VOLUMES] = {
    {.fs = IMAGE_EXT, .first = 0, .length = 256 * 1024},
    {.fs = IMAGE_ZFS, .first = 4 << 20, .length = 384 * 1024},
    {.fs = IMAGE_ZFS, .compress = true, .first = 4 << 20, .length = 384 * 1024},
};

static void make_volume(struct volume *volume)
{
    struct str text = {0};
    for (int i = 0; i < NAMES; i++)
        str_addf(&text, "/many/" NAME "%d: %s\n", i, i == 7 ? "/proc/self/exe" : "/etc/hostname");
    str_add(&text, "/link: ->many\n/long: ->");
    for (int i = 0; i < 60; i++)
        str_add(&text, "long/");
    str_add(&text, "\n");
    const struct manifest_overlay overlay = {.path = "m", .text = str_text(&text)};
    const struct manifest_scope scope = {.overlays = &overlay, .overlays_count = 1};
    struct manifest_list list = {0};
    struct err err = {0};
    /* In memory where that can be: it is read and changed all the time. */
    char name[64];
    snprintf(name, sizeof name, "%s/gantry-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    int fd = mkstemp(name);
    const struct image_pack pack = {
        .volumes = {{.fs = volume->fs, .list = &list, .dataset = "", .compress = volume->compress}},
        .volumes_count = 1};
    if (fd < 0 || manifest_resolve(&list, &overlay.path, 1, &scope, MANIFEST_MARK, &err) < 0)
        abort();
    /* A program is too large to be of use here. */
    for (size_t i = 0; i < list.entries.len; i++)
        if (list.entries.at[i].size_bytes > 4096)
            list.entries.at[i].duplicate = true;
    if (image_pack(name, &pack, NULL, &err) < 0) {
        fprintf(stderr, "no first image: %s\n", err.text);
        abort();
    }
    close(fd);
    fd = open(name, O_RDWR | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || unlink(name) < 0 || fstat(fd, &st) < 0)
        abort();
    volume->bytes = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (volume->bytes == MAP_FAILED)
        abort();
    close(fd);
    volume->path = ram_file((unsigned)(volume - volumes), volume->bytes, (size_t)st.st_size);
    manifest_list_free(&list);
    str_free(&text);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    for (size_t i = 0; i < VOLUMES; i++)
        make_volume(&volumes[i]);
    return 0;
}

struct change {
    unsigned char *at, before[CHANGE_BYTES];
    size_t length;
};

/* A changed size may say that there is no end. */
static int take_some(void *data, const void *bytes, size_t length, struct err *err)
{
    (void)bytes;
    size_t *taken = data;
    *taken += length;
    return *taken < 1 << 20 ? 0 : err_set(err, ERR_INPUT, "that was enough");
}

/* Everything is looked at by the check; a file's own reader is another way. */
static void read_volume(const char *path)
{
    struct err err = {0};
    struct str text = {0};
    image_check(path, NULL, &text, &err);
    str_free(&text);
    size_t taken = 0;
    image_get(path, "/link/" NAME "3", take_some, &taken, &err);
}

static void read_loader(const uint8_t *data, size_t size)
{
    size_t packed_bytes, made;
    const unsigned char *packed = loader_packed(data, size, &packed_bytes);
    free(packed ? loader_unpack(packed, packed_bytes, &made) : loader_unpack(data, size, &made));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct change changes[CHANGES_MAX];
    size_t count = 0, at = 1;
    if (size < 6)
        return 0;
    if (data[0] % (VOLUMES + 1) == VOLUMES) {
        read_loader(data + 1, size - 1);
        return 0;
    }
    const struct volume *volume = &volumes[data[0] % (VOLUMES + 1)];
    while (count < CHANGES_MAX && at + 5 <= size) {
        struct change *change = &changes[count++];
        uint32_t place = (uint32_t)data[at] << 16 | (uint32_t)data[at + 1] << 8 | data[at + 2];
        change->length = 1u + data[at + 3] % CHANGE_BYTES;
        at += 4;
        if (change->length > size - at)
            change->length = size - at;
        change->at = volume->bytes + volume->first + place % volume->length;
        memcpy(change->before, change->at, change->length);
        memcpy(change->at, data + at, change->length);
        at += change->length;
    }
    read_volume(volume->path);
    while (count-- > 0)
        memcpy(changes[count].at, changes[count].before, changes[count].length);
    return 0;
}
