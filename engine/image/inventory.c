/*
 * What is in an image with the hash of each file: for people, and as a bill of materials: SPDX 2.3
 * (ISO/IEC 5962) and CycloneDX 1.5 (ECMA-424), both JSON. The same image gives the same text: times
 * are 1970, and names come from the content.
 */
#include "image/inventory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/sha1.h>
#include <nettle/sha2.h>

#include "base/json.h"
#include "base/mem.h"
#include "image/read_image.h"

static void to_hex(const unsigned char *digest, size_t length, char *text)
{
    for (size_t i = 0; i < length; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

struct hashing {
    struct sha256_ctx sha256;
    struct sha1_ctx sha1;
};

static int take(void *data, const void *bytes, size_t length, struct err *err)
{
    struct hashing *hashing = data;
    (void)err;
    sha256_update(&hashing->sha256, length, bytes);
    sha1_update(&hashing->sha1, length, bytes);
    return 0;
}

static int hash_file(struct fs_reader *reader, const struct fs_file *file,
                     struct inventory_file *out, struct err *err)
{
    unsigned char digest[32];
    struct hashing hashing;
    sha256_init(&hashing.sha256);
    sha1_init(&hashing.sha1);
    if (image_read_file(reader, file, take, &hashing, err) < 0)
        return -1;
    sha256_digest(&hashing.sha256, 32, digest);
    to_hex(digest, 32, out->sha256);
    sha1_digest(&hashing.sha1, 20, digest);
    to_hex(digest, 20, out->sha1);
    return 0;
}

int inventory_make(struct inventory *inventory, const char *path, struct err *err)
{
    struct disk_file disk;
    struct fs_reader reader = {0};
    struct sha256_ctx all;
    unsigned char digest[32];
    sha256_init(&all);
    int status = disk_open(&disk, path, DISK_READ, err);
    if (!status)
        status = image_open_fs(&disk, &reader, err);
    for (size_t i = 0; i < reader.files.len && !status; i++) {
        struct inventory_file file = {.file = reader.files.at[i].file};
        if (file.file.kind == ENTRY_FILE)
            status = hash_file(&reader, &reader.files.at[i], &file, err);
        sha256_update(&all, strlen(file.file.path) + 1, (const uint8_t *)file.file.path);
        sha256_update(&all, strlen(file.sha256) + 1, (const uint8_t *)file.sha256);
        vec_push(&inventory->files, file);
    }
    sha256_digest(&all, sizeof digest, digest);
    to_hex(digest, sizeof digest, inventory->sha256);
    inventory->arena = reader.arena; /* the strings go with it */
    reader.arena = (struct arena){0};
    fs_reader_free(&reader);
    disk_close(&disk);
    return status;
}

void inventory_free(struct inventory *inventory)
{
    vec_free(&inventory->files);
    arena_free(&inventory->arena);
}

static void spdx_hash(struct str *out, const char *algorithm, const char *value)
{
    json_put_object(out, NULL);
    json_put_text(out, "algorithm", algorithm);
    json_put_text(out, "checksumValue", value);
    json_put_object_end(out);
}

void inventory_spdx(const struct inventory *inventory, const char *name, struct str *out)
{
    char *space = mem_format("urn:sha256:%s", inventory->sha256);
    json_put_object(out, NULL);
    json_put_text(out, "spdxVersion", "SPDX-2.3");
    json_put_text(out, "dataLicense", "CC0-1.0");
    json_put_text(out, "SPDXID", "SPDXRef-DOCUMENT");
    json_put_text(out, "name", name);
    json_put_text(out, "documentNamespace", space);
    json_put_object(out, "creationInfo");
    json_put_text(out, "created", "1970-01-01T00:00:00Z");
    json_put_array(out, "creators");
    json_put_text(out, NULL, "Tool: gantry-" GANTRY_VERSION);
    json_put_array_end(out);
    json_put_object_end(out);
    json_put_array(out, "packages");
    json_put_object(out, NULL);
    json_put_text(out, "SPDXID", "SPDXRef-image");
    json_put_text(out, "name", name);
    json_put_text(out, "downloadLocation", "NOASSERTION");
    json_put_bool(out, "filesAnalyzed", false);
    json_put_object_end(out);
    json_put_array_end(out);
    json_put_array(out, "files");
    size_t number = 0;
    for (size_t i = 0; i < inventory->files.len; i++) {
        const struct inventory_file *file = &inventory->files.at[i];
        if (file->file.kind != ENTRY_FILE)
            continue;
        char *id = mem_format("SPDXRef-file-%zu", ++number),
             *path = mem_format(".%s", file->file.path);
        json_put_object(out, NULL);
        json_put_text(out, "SPDXID", id);
        json_put_text(out, "fileName", path);
        json_put_array(out, "checksums");
        spdx_hash(out, "SHA1", file->sha1);
        spdx_hash(out, "SHA256", file->sha256);
        json_put_array_end(out);
        json_put_text(out, "licenseConcluded", "NOASSERTION");
        json_put_text(out, "copyrightText", "NOASSERTION");
        json_put_object_end(out);
        free(id);
        free(path);
    }
    json_put_array_end(out);
    json_put_array(out, "relationships");
    json_put_object(out, NULL);
    json_put_text(out, "spdxElementId", "SPDXRef-DOCUMENT");
    json_put_text(out, "relationshipType", "DESCRIBES");
    json_put_text(out, "relatedSpdxElement", "SPDXRef-image");
    json_put_object_end(out);
    for (size_t i = 1; i <= number; i++) {
        char *id = mem_format("SPDXRef-file-%zu", i);
        json_put_object(out, NULL);
        json_put_text(out, "spdxElementId", "SPDXRef-image");
        json_put_text(out, "relationshipType", "CONTAINS");
        json_put_text(out, "relatedSpdxElement", id);
        json_put_object_end(out);
        free(id);
    }
    json_put_array_end(out);
    json_put_object_end(out);
    free(space);
}

void inventory_cyclonedx(const struct inventory *inventory, const char *name, struct str *out)
{
    const char *h = inventory->sha256;
    /* A UUID (version 5's form) of the content. */
    char *serial =
        mem_format("urn:uuid:%.8s-%.4s-5%.3s-a%.3s-%.12s", h, h + 8, h + 12, h + 15, h + 18);
    json_put_object(out, NULL);
    json_put_text(out, "bomFormat", "CycloneDX");
    json_put_text(out, "specVersion", "1.5");
    json_put_text(out, "serialNumber", serial);
    json_put_int(out, "version", 1);
    json_put_object(out, "metadata");
    json_put_object(out, "component");
    json_put_text(out, "type", "operating-system");
    json_put_text(out, "name", name);
    json_put_object_end(out);
    json_put_object_end(out);
    json_put_array(out, "components");
    for (size_t i = 0; i < inventory->files.len; i++) {
        const struct inventory_file *file = &inventory->files.at[i];
        if (file->file.kind != ENTRY_FILE)
            continue;
        json_put_object(out, NULL);
        json_put_text(out, "type", "file");
        json_put_text(out, "name", file->file.path);
        json_put_array(out, "hashes");
        json_put_object(out, NULL);
        json_put_text(out, "alg", "SHA-256");
        json_put_text(out, "content", file->sha256);
        json_put_object_end(out);
        json_put_array_end(out);
        json_put_object_end(out);
    }
    json_put_array_end(out);
    json_put_object_end(out);
    free(serial);
}
