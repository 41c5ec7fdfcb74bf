/* Images that nobody wrote: every reader stays within bounds and ends. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/path.h"
#include "image/image.h"

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
    char *rofs = path_join(into, "rofs"), *bootfs = path_join(into, "bootfs");
    char *raw = path_join(into, "raw"), *qcow2 = path_join(into, "qcow2");
    struct disk_layout disk = {.parts = {{.file = rofs, .offset = 4096, .partition = 2}},
                               .parts_count = 1,
                               .align = 4096,
                               .cmdline_at = IMAGE_CMDLINE_AT,
                               .cmdline = "--rootfs=rofs"};
    bool bad = manifest_resolve(&list, &overlay.path, 1, &scope, MANIFEST_MARK, &err) < 0 ||
               rofs_write(rofs, &list, NULL, &err) < 0 ||
               bootfs_write(bootfs, &list, NULL, &err) < 0 ||
               disk_write(raw, &disk, NULL, &err) < 0;
    disk.format = DISK_QCOW2;
    if (bad || disk_write(qcow2, &disk, NULL, &err) < 0) {
        fprintf(stderr, "no first images: %s\n", err.text);
        abort();
    }
    manifest_list_free(&list);
    free(rofs);
    free(bootfs);
    free(raw);
    free(qcow2);
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
    free(image_args(path, &err));
    str_free(&text);
    close(fd);
    return 0;
}
