/* Named profiles on the target screen: what is picked, saved under a name, and picked again. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "tui/screen_target.h"

/* Whether all that the words assign is in force. */
static bool is_current(struct conf *conf, const str_list *words)
{
    for (size_t i = 0; i < words->len; i++) {
        const char *value = strchr(words->at[i], '=');
        char *name = mem_copy_n(words->at[i], (size_t)(value - words->at[i]));
        bool same = strcmp(conf_get(conf, name), value + 1) == 0;
        free(name);
        if (!same)
            return false;
    }
    return words->len > 0;
}

void target_profiles_fill(struct console *console, struct conf *conf, struct arena *arena,
                          struct target_data *data)
{
    str_list names = {0};
    conf_profiles(console->root, &names);
    struct target_profile *profiles = arena_alloc(arena, (names.len + 1) * sizeof *profiles);
    for (size_t i = 0; i < names.len; i++) {
        str_list words = {0};
        struct str text = {0};
        struct err none = {0};
        bool good = conf_profile(console->root, names.at[i], &words, &none) == 0;
        for (size_t k = 0; k < words.len; k++)
            str_addf(&text, "%s%s", k ? " " : "", words.at[k]);
        profiles[i] = (struct target_profile){.name = arena_copy(arena, names.at[i]),
                                              .text = arena_copy(arena, str_text(&text)),
                                              .current = good && conf && is_current(conf, &words)};
        str_free(&text);
        str_list_free(&words);
    }
    data->profiles = profiles;
    data->profiles_count = names.len;
    str_list_free(&names);
}

static void op_pick_profile(void *app, const char *name)
{
    struct console *console = app;
    struct err err = {0};
    str_list words = {0};
    if (!console->root || conf_profile(console->root, name, &words, &err) < 0)
        app_say(&console->app, SEVERITY_ERROR, err.text);
    for (size_t i = 0; i < words.len; i++) {
        char *value = strchr(words.at[i], '=');
        *value++ = '\0';
        console->app.ops.select(console, words.at[i], value);
    }
    str_list_free(&words);
}

static void add_word(struct str *text, const char *name, const char *value)
{
    char *word = mem_format("%s=%s", name, value);
    str_add(text, text->len ? " " : "");
    text_shell_quote(text, word);
    free(word);
}

static bool is_one_of_three(const char *name)
{
    return strcmp(name, "arch") == 0 || strcmp(name, "mode") == 0 || strcmp(name, "image") == 0;
}

static void op_save_profile(void *app, const char *name)
{
    struct console *console = app;
    const struct app_state *state = &console->app.state;
    struct err err = {0};
    struct str text = {0};
    if (!console->root || state->tree != APP_TREE_NATIVE || !state->arch)
        return;
    add_word(&text, "arch", state->arch);
    add_word(&text, "mode", state->mode);
    add_word(&text, "image", state->image);
    for (size_t i = 0; i < console->assigns.len; i++)
        if (console->assigns.at[i].kind == ORIGIN_SCREEN &&
            !is_one_of_three(console->assigns.at[i].name))
            add_word(&text, console->assigns.at[i].name, console->assigns.at[i].value);
    char *key = mem_format("profile-%s", name);
    bool saved = conf_save(console->root, key, str_text(&text), &err) == 0;
    char *said = saved ? mem_format("saved; gantry profile=%s picks it, too", name) : NULL;
    app_say(&console->app, saved ? SEVERITY_NOTE : SEVERITY_ERROR, saved ? said : err.text);
    target_screen_forget(console);
    free(said);
    free(key);
    str_free(&text);
}

static void op_drop_profile(void *app, const char *name)
{
    struct console *console = app;
    struct err err = {0};
    char *key = mem_format("profile-%s", name);
    if (console->root && conf_save(console->root, key, NULL, &err) < 0)
        app_say(&console->app, SEVERITY_ERROR, err.text);
    target_screen_forget(console);
    free(key);
}

void target_profiles_ops(struct app_ops *ops)
{
    ops->pick_profile = op_pick_profile;
    ops->save_profile = op_save_profile;
    ops->drop_profile = op_drop_profile;
}
