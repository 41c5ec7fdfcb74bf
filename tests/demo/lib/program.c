/* Where a program begins, and what most programs need first. */
#include "program.h"

const struct kernel_api *kernel;

/* The only symbol of a program that the kernel knows: the entry point of its ELF header. */
__attribute__((visibility("default"))) int program_entry(const struct kernel_api *api, int argc,
                                                         char **argv);

int program_entry(const struct kernel_api *api, int argc, char **argv)
{
    kernel = api;
    if (api->version != KERNEL_API_VERSION) {
        print("%s: made for version %d of the kernel's table, not %u\n", argv[0],
              KERNEL_API_VERSION, api->version);
        return 127;
    }
    return program_main(argc, argv);
}

void print(const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    size_t length = format_list(text, sizeof text, format, arguments);
    va_end(arguments);
    kernel->console_write(text, length < sizeof text ? length : sizeof text - 1);
}

int complain(const char *path, int error)
{
    print("%s: %s\n", path, error_text(error));
    return 1;
}

int for_each_piece(const char *path, bool (*use)(void *context, const void *bytes, size_t size),
                   void *context)
{
    enum { PIECE = 16 * 1024 };
    struct file file;
    int64_t count = kernel->look_up(path, &file);

    if (count == 0 && file.type == FILE_DIRECTORY)
        count = ERROR_IS_DIRECTORY;
    if (count < 0)
        return complain(path, (int)count);

    char *piece = kernel->allocate(PIECE);

    if (!piece)
        return complain(path, ERROR_MEMORY);
    for (uint64_t offset = 0;; offset += (uint64_t)count) {
        count = kernel->read(&file, offset, piece, PIECE);
        if (count <= 0 || !use(context, piece, (size_t)count))
            break;
    }
    kernel->release(piece);
    return count < 0 ? complain(path, (int)count) : 0;
}
