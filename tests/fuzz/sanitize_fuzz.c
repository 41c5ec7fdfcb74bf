/* Output of programs: no control character reaches the terminal, however the text is cut. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "views/sanitize.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sanitize state = {0}, whole = {0};
    struct str out = {0}, at_once = {0};
    size_t cut = size ? data[0] % size : 0;
    sanitize_text(&state, (const char *)data, cut, &out);
    sanitize_text(&state, (const char *)data + cut, size - cut, &out);
    sanitize_text(&whole, (const char *)data, size, &at_once);
    if (strcmp(str_text(&out), str_text(&at_once)) != 0)
        abort();
    for (size_t i = 0; i < out.len; i++) {
        unsigned char c = (unsigned char)out.at[i];
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
            abort();
    }
    str_free(&out);
    str_free(&at_once);
    return 0;
}
