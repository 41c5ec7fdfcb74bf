/* The bundled kernel's compressed loader: u32 raw size, u32 packed size, one raw LZ4 block. */
#include <stdlib.h>

#include <lz4hc.h>

#include "base/file.h"
#include "base/mem.h"
#include "image/bytes.h"
#include "image/image.h"

int loader_compress(const char *input, const char *output, struct err *err)
{
    size_t length;
    char *raw = file_read(input, &length, err);
    if (!raw)
        return -1;
    if (length > LZ4_MAX_INPUT_SIZE) {
        free(raw);
        return err_set(err, ERR_INPUT, "%s is too large for one LZ4 block (%d bytes)", input,
                       LZ4_MAX_INPUT_SIZE);
    }
    int room = LZ4_compressBound((int)length);
    unsigned char *packed = mem_alloc(8 + (size_t)room);
    int size = LZ4_compress_HC(raw, (char *)packed + 8, (int)length, room, LZ4HC_CLEVEL_MAX);
    int status;
    if (size <= 0) {
        status = err_set(err, ERR_FAILED, "%s cannot be compressed", input);
    } else {
        put_le(packed, length, 4);
        put_le(packed + 4, (uint64_t)size, 4);
        status = file_write(output, packed, 8 + (size_t)size, 0666, err);
    }
    free(packed);
    free(raw);
    return status;
}
