/* Writes the files of the image benchmark: image_files DIR, 5,000 files of 202 MiB in all, every
 * other one of text that packs, and DIR.manifest and DIR.list (their names, one a line). */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILES = 5000, DIRECTORIES = 50, STEP = 17, ROOM = FILES * STEP + 1 };

static void fill(char *bytes, size_t length, uint64_t seed, int text)
{
    static const char words[] = "the quick brown fox jumps over the lazy dog; ";
    uint64_t word = seed * 2 + 1;
    for (size_t i = 0; i < length; i++) {
        word = word * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = text ? words[(i + (word >> 62)) % (sizeof words - 1)] : (char)(word >> 56);
    }
}

int main(int argc, char **argv)
{
    char path[4096];
    if (argc != 2)
        return 2;
    char *bytes = malloc(ROOM);
    snprintf(path, sizeof path, "%s.manifest", argv[1]);
    FILE *manifest = fopen(path, "w");
    snprintf(path, sizeof path, "%s.list", argv[1]);
    FILE *list = fopen(path, "w");
    if (!bytes || !manifest || !list || mkdir(argv[1], 0777) < 0)
        return 1;
    for (int i = 0; i < FILES; i++) {
        size_t length = 1 + (size_t)(i * 7919 % FILES) * STEP;
        snprintf(path, sizeof path, "%s/d%02d", argv[1], i % DIRECTORIES);
        if (i < DIRECTORIES && mkdir(path, 0777) < 0)
            return 1;
        snprintf(path, sizeof path, "%s/d%02d/f%04d", argv[1], i % DIRECTORIES, i);
        fill(bytes, length, (uint64_t)i, i % 2);
        FILE *file = fopen(path, "w");
        if (!file || fwrite(bytes, 1, length, file) != length || fclose(file) != 0)
            return 1;
        fprintf(manifest, "/d%02d/f%04d: %s\n", i % DIRECTORIES, i, path);
        fprintf(list, "%s\n", path);
    }
    free(bytes);
    return fclose(manifest) != 0 || fclose(list) != 0;
}
