/* The conf dialect: whatever the text, an error or values, and every value expands or fails. */
#include "tests/fuzz/fuzz.h"

#include "base/mem.h"
#include "conf/dialect.h"

enum { BUDGET = 100000 }; /* small: endless texts are to be refused soon */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct conf *conf = mem_zero(1, sizeof *conf);
    char *text = mem_copy_n((const char *)data, size);
    struct source source = {.name = "fuzz.mk", .text = text, .length = size, .kind = ORIGIN_TREE};
    conf->root = mem_copy("/nonexistent");
    conf->budget = BUDGET;
    if (conf_read_text(conf, &source, &err) == 0) {
        str_list names = {0};
        conf_names(conf, &names);
        for (size_t i = 0; i < names.len; i++) {
            char *reference = mem_format("$(%s)", names.at[i]);
            free(conf_expand(conf, "x.o", reference, &err));
            free(reference);
        }
        str_list_free(&names);
    }
    free(text);
    conf_free(conf);
    return 0;
}
