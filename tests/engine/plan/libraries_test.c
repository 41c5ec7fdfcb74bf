/* A dynamic linker's cache that changes makes nothing stale but what used a library that it leads past. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "plan/libraries.h"

struct place {
    char *dir, *cache, *first, *second, *other; /* libraries: two of one name, and another */
    struct state state;
    struct now now;
};

static char *make_file(const struct place *place, const char *name)
{
    char *path = path_join(place->dir, name);
    assert_int_equal(file_make_parents(path, NULL), 0);
    assert_int_equal(file_write(path, name, strlen(name), 0644, NULL), 0);
    return path;
}

static void open_state(struct place *place)
{
    struct str notes = {0};
    assert_int_equal(state_open(&place->state, place->dir, STATE_WRITE, &notes, NULL), 0);
    assert_int_equal(notes.len, 0);
    now_open(&place->now, &place->state, -1);
}

static void close_state(struct place *place)
{
    assert_int_equal(state_commit(&place->state, NULL), 0);
    now_close(&place->now);
    state_close(&place->state);
}

static void put_number(struct str *out, uint64_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        str_add_char(out, (char)(i < sizeof number ? number >> (8 * i) : 0));
}

/* A cache of pairs of a name and a path, as ldconfig writes it. */
static void write_cache(const struct place *place, const char *const *pairs, uint32_t entries)
{
    struct str out = {0}, texts = {0};
    uint32_t first = 48 + 24 * entries;
    str_add(&out, "glibc-ld.so.cache1.1");
    put_number(&out, entries, 4);
    put_number(&out, 0, 4);
    put_number(&out, 2, 4);
    put_number(&out, 0, 16);
    assert_int_equal(out.len, 48);
    for (uint32_t i = 0; i < entries; i++) {
        put_number(&out, 0x0303, 4);
        for (uint32_t k = 0; k < 2; k++) {
            put_number(&out, first + texts.len, 4);
            str_add_n(&texts, pairs[2 * i + k], strlen(pairs[2 * i + k]) + 1);
        }
        put_number(&out, 0, 12);
    }
    str_add_n(&out, texts.at, texts.len);
    assert_int_equal(file_write(place->cache, out.at, out.len, 0644, NULL), 0);
    str_free(&out);
    str_free(&texts);
}

static int set_up(void **state)
{
    struct place *place = mem_zero(1, sizeof *place);
    char dir[] = "/tmp/gantry-libraries-XXXXXX";
    assert_non_null(mkdtemp(dir));
    place->dir = mem_copy(dir);
    place->cache = path_join(dir, "cache");
    place->first = make_file(place, "one/libz.so.1.2");
    place->second = make_file(place, "two/libz.so.1.3");
    place->other = make_file(place, "one/libm.so.6");
    open_state(place);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    close_state(place);
    file_remove_tree(place->dir, NULL);
    free(place->dir);
    free(place->cache);
    free(place->first);
    free(place->second);
    free(place->other);
    free(place);
    return 0;
}

/* What was seen to be used: both libraries, as they are. */
static version_id use(struct place *place, const char *path)
{
    text_id text = state_text(&place->state, path);
    struct identity id = identity_at(-1, path);
    return state_version(&place->state, text, &id, identity_hash(-1, path, &id));
}

static void only_what_it_leads_past_is_changed(void **state)
{
    struct place *place = *state;
    version_id zlib = use(place, place->first), math = use(place, place->other);
    const char *const before[] = {"libz.so.1", place->first, "libm.so.6", place->other};
    const char *const more[] = {"libz.so.1",   place->first, "libz.so.1",
                                place->second, "libm.so.6",  place->other};
    const char *const past[] = {"libz.so.1",  place->second, "libz.so.1",
                                place->first, "libm.so.6",   place->other};
    write_cache(place, before, 2);
    libraries_check_file(&place->now, &place->state, place->cache);
    assert_true(now_is(&place->now, zlib));
    write_cache(place, more, 3);
    close_state(place);
    open_state(place);
    libraries_check_file(&place->now, &place->state, place->cache);
    assert_true(now_is(&place->now, zlib) && now_is(&place->now, math));
    write_cache(place, past, 3);
    for (int build = 0; build < 2; build++) { /* until nobody uses it any more */
        close_state(place);
        open_state(place);
        libraries_check_file(&place->now, &place->state, place->cache);
        assert_false(now_is(&place->now, zlib));
        assert_true(now_is(&place->now, math));
    }
}

static void damaged_caches_say_nothing(void **state)
{
    struct place *place = *state;
    version_id zlib = use(place, place->first);
    const char *const pairs[] = {"libz.so.1", place->second, "libz.so.1", place->first};
    write_cache(place, pairs, 2);
    size_t length;
    char *whole = file_read(place->cache, &length, NULL);
    libraries_check_file(&place->now, &place->state, "/nowhere/cache");
    for (size_t cut = 0; cut < length; cut += 7) {
        assert_int_equal(file_write(place->cache, whole, cut, 0644, NULL), 0);
        libraries_check_file(&place->now, &place->state, place->cache);
    }
    assert_true(now_is(&place->now, zlib));
    free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_what_it_leads_past_is_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_caches_say_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
