/* Images that nobody wrote: every reader stays within bounds and ends. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/path.h"
#include "image/image.h"

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

/* Puts one image of each kind where the inputs are: our own writers are the best teachers. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct err err = {0};
    const char *into = NULL;
    for (int i = 1; i < *argc && !into; i++)
        into = (*argv)[i][0] == '-' ? NULL : (*argv)[i];
    if (!into)
        return 0;
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
        {"tar.gz", IMAGE_ROFS, DISK_GCE},
    };
    bool bad = manifest_resolve(&list, &overlay.path, 1, &scope, MANIFEST_MARK, &err) < 0;
    for (size_t i = 0; i < sizeof images / sizeof *images && !bad; i++) {
        char *path = path_join(into, images[i].name);
        bad = put_image(path, &list, images[i].fs, images[i].format, &err) < 0;
        free(path);
    }
    if (bad) {
        fprintf(stderr, "no first images: %s\n", err.text);
        abort();
    }
    manifest_list_free(&list);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct err err = {0};
    struct image_info info = {0};
    struct image_listing listing = {0};
    struct str text = {0};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (image_info(path, &info, &err) == 0)
        image_info_free(&info);
    if (image_list(path, &listing, &err) == 0) {
        for (size_t i = 0; i < listing.files.len && i < 16; i++) {
            image_cat(path, listing.files.at[i].path, &text, &err);
            str_cut(&text, 0);
        }
    }
    image_listing_free(&listing);
    image_check(path, NULL, &text, &err);
    str_cut(&text, 0);
    free(image_args(path, &err));
    str_free(&text);
    close(fd);
    return 0;
}
