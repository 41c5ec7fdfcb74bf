/* Lookup among the embedded files. */
#include "conf/stock.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static int compare_path(const void *key, const void *file)
{
    return strcmp(key, ((const struct stock_file *)file)->path);
}

const struct stock_file *stock_find(const char *path)
{
    return bsearch(path, stock_files, stock_files_count, sizeof stock_files[0], compare_path);
}

const struct stock_file *stock_next(const char *prefix, const struct stock_file *previous)
{
    const struct stock_file *end = stock_files + stock_files_count;

    for (const struct stock_file *file = previous ? previous + 1 : stock_files; file < end; file++)
        if (str_starts(file->path, prefix))
            return file;
    return NULL;
}
