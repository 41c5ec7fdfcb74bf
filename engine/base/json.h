/*
 * Writing JSON (RFC 8259) into a struct str; reading is Jansson's. Bytes that are no UTF-8 are
 * written as U+FFFD in text, so that output is always valid. Commas are put in by the writer.
 */
#ifndef GANTRY_BASE_JSON_H
#define GANTRY_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* key NULL: an array's element or the top value. A NULL text is written as null. */
void json_put_object(struct str *out, const char *key);
void json_put_object_end(struct str *out);
void json_put_array(struct str *out, const char *key);
void json_put_array_end(struct str *out);
void json_put_text(struct str *out, const char *key, const char *text);
void json_put_text_n(struct str *out, const char *key, const char *text, size_t length);
void json_put_int(struct str *out, const char *key, int64_t number);
void json_put_uint(struct str *out, const char *key, uint64_t number);
/* An array of them, which may be long. */
void json_put_uints(struct str *out, const char *key, const uint32_t *numbers, size_t count);
void json_put_real(struct str *out, const char *key, double number);
void json_put_bool(struct str *out, const char *key, bool value);

#endif
