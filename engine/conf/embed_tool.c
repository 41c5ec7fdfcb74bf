/*
 * A tool of Gantry's own build: writes files as a C table of struct stock_file (conf/stock.h).
 * Usage: embed_tool OUTPUT FILE...   Paths go into the table as they are given.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Writes one file's bytes as an array; -1 where it cannot be read. */
static int write_bytes(FILE *out, const char *path, int index, struct stat *st)
{
    FILE *in = fopen(path, "rb");
    int c, column = 0;

    if (in == NULL || fstat(fileno(in), st) != 0) {
        if (in)
            fclose(in);
        return -1;
    }
    fprintf(out, "static const char file_%d[] = {", index);
    while ((c = getc(in)) != EOF)
        fprintf(out, c > 127 ? "%s'\\%o'," : "%s%u,", column++ % 24 == 0 ? "\n" : "", (unsigned)c);
    fputs("\n0};\n", out);
    int bad = ferror(in);
    fclose(in);
    return bad ? -1 : 0;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: embed_tool OUTPUT FILE...\n");
        return 2;
    }
    int count = argc - 2;
    char **paths = argv + 2;
    struct stat *stats = calloc((size_t)count, sizeof *stats);
    FILE *out = fopen(argv[1], "w");
    if (out == NULL || stats == NULL) {
        fprintf(stderr, "embed_tool: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    qsort(paths, (size_t)count, sizeof *paths, compare);
    fputs("#include \"conf/stock.h\"\n", out);
    for (int i = 0; i < count; i++) {
        if (write_bytes(out, paths[i], i, &stats[i]) != 0) {
            fprintf(stderr, "embed_tool: %s: %s\n", paths[i], strerror(errno));
            remove(argv[1]);
            return 1;
        }
    }
    fputs("const struct stock_file stock_files[] = {\n", out);
    for (int i = 0; i < count; i++)
        fprintf(out, "{\"%s\", file_%d, sizeof file_%d - 1, 0%o},\n", paths[i], i, i,
                stats[i].st_mode & 0111 ? 0755U : 0644U);
    fprintf(out, "};\nconst size_t stock_files_count = %d;\n", count);
    free(stats);
    if (fclose(out) != 0) {
        fprintf(stderr, "embed_tool: %s: %s\n", argv[1], strerror(errno));
        remove(argv[1]);
        return 1;
    }
    return 0;
}
