#include "base/re.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"

struct re {
    pcre2_code *code;
    pcre2_match_data *data;
};

static bool has_upper(const char *pattern)
{
    for (const char *p = pattern; *p; p++) {
        if (*p == '\\' && p[1])
            p++; /* \S and \W are no letters of the text */
        else if (*p >= 'A' && *p <= 'Z')
            return true;
    }
    return false;
}

struct re *re_compile(const char *pattern, enum re_flags flags, struct err *err)
{
    uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
    if ((flags & RE_SMART_CASE) && !has_upper(pattern))
        options |= PCRE2_CASELESS;
    int code = 0;
    PCRE2_SIZE at = 0;
    pcre2_code *compiled =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &code, &at, NULL);
    if (!compiled) {
        PCRE2_UCHAR message[200];
        pcre2_get_error_message(code, message, sizeof message);
        err_set(err, ERR_INPUT, "pattern '%s', at %zu: %s", pattern, at, (const char *)message);
        return NULL;
    }
    pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);
    struct re *re = mem_alloc(sizeof *re);
    re->code = compiled;
    re->data = pcre2_match_data_create(10, NULL);
    return re;
}

bool re_find(struct re *re, const char *text, size_t length, size_t from, struct re_match *match)
{
    int count = pcre2_match(re->code, (PCRE2_SPTR)text, length, from, 0, re->data, NULL);
    if (count < 0)
        return false;
    if (match) {
        const PCRE2_SIZE *pairs = pcre2_get_ovector_pointer(re->data);
        match->count = count ? (unsigned)count : 10;
        for (unsigned i = 0; i < 10; i++) {
            match->start[i] = i < match->count ? pairs[2 * i] : SIZE_MAX;
            match->end[i] = i < match->count ? pairs[2 * i + 1] : SIZE_MAX;
        }
    }
    return true;
}

void re_free(struct re *re)
{
    if (!re)
        return;
    pcre2_match_data_free(re->data);
    pcre2_code_free(re->code);
    free(re);
}
