/*
 * What a make will run, as far as the builds before know it: told before make starts, since make tells
 * what waits for what only at its end. Of the steps that this goal's makes considered when it was built
 * to its end those that are stale, each waiting for those that make what it used when it ran last. Forecast steps have ids
 * from the highest down; the real step of the same target takes a forecast's place.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "load/make_state.h"

struct forecast {
    struct make_state *kept;
    const uint8_t *stale; /* by target */
    size_t records;
    VEC(uint8_t) told; /* by target: it is forecast */
    VEC(uint32_t) seen; /* by target: the last step + 1 that is known to need it */
    id_list needs; /* of the step that is being told */
};

static uint32_t id_of(text_id target)
{
    return EVENT_NONE - 1 - target;
}

/* A step of a make below DIRECTORY is recorded as DIRECTORY//TARGET; new. */
static char *name_of(const struct make_state *kept, text_id target)
{
    char *name = mem_copy(intern_text(&kept->state.texts, target)), *cut = strstr(name, "//");
    if (cut && cut != name)
        memmove(cut, cut + 1, strlen(cut));
    return name;
}

/* Of the first line that tells anything. */
static const char *rule_of(const struct make_state *kept, const struct step_record *record)
{
    const char *rule = NULL, *line = intern_text(&kept->state.texts, record->command);
    for (const char *end; line; line = end ? end + 1 : NULL) {
        end = strchr(line, '\1');
        char *command = mem_copy_n(line, end ? (size_t)(end - line) : strlen(line));
        rule = rule ? make_rule_with(rule, command) : make_rule_of(command);
        free(command);
    }
    return rule;
}

/* A step of this goal that has something to do: stale, or run each time. */
static bool will_run(const struct forecast *forecast, text_id target)
{
    const struct step_record *record = state_record(&forecast->kept->state, target);
    if (!record || target >= forecast->records ||
        (unsigned char)intern_text(&forecast->kept->state.texts, target)[0] < 8)
        return false;
    return forecast->stale[target] || (record->flags & (RUN_ALWAYS | RUN_FORCED));
}

static void add_need(struct forecast *forecast, text_id user, version_id version)
{
    const struct make_state *kept = forecast->kept;
    text_id path = kept->state.versions.at[version].path;
    text_id maker = path < kept->makers.len ? kept->makers.at[path] : TEXT_NONE;
    if (maker == TEXT_NONE || maker == user || maker >= forecast->records ||
        !forecast->told.at[maker] || forecast->seen.at[maker] == user + 1)
        return;
    forecast->seen.at[maker] = user + 1;
    vec_push(&forecast->needs, id_of(maker));
}

static void tell_step(const struct forecast *forecast, text_id target)
{
    const struct make_state *kept = forecast->kept;
    const struct step_record *record = state_record(&kept->state, target);
    char *name = name_of(kept, target);
    build_send(kept->make->build, &(struct event){.kind = EVENT_STEP_ADD,
                                                  .step = id_of(target),
                                                  .target = name,
                                                  .rule = rule_of(kept, record),
                                                  .forecast = true,
                                                  .expect_ns = record->wall_ns});
    free(name);
}

static void tell_needs(struct forecast *forecast, text_id target)
{
    const struct make_state *kept = forecast->kept;
    const struct step_record *record = state_record(&kept->state, target);
    forecast->needs.len = 0;
    for (uint32_t i = 0; i < record->sets; i++) {
        struct set_walk walk = state_set(&kept->state, record->ids[i]);
        for (version_id version; set_next(&walk, &version);)
            add_need(forecast, target, version);
    }
    if (forecast->needs.len)
        build_send(kept->make->build,
                   &(struct event){.kind = EVENT_STEP,
                                   .step = id_of(target),
                                   .forecast = true,
                                   .needs = forecast->needs.at,
                                   .needs_count = (uint32_t)forecast->needs.len});
}

void make_forecast_tell(struct make_state *kept, const uint8_t *stale, size_t records)
{
    const struct text_list *steps = state_list(&kept->state, make_state_key(kept, KEY_STEPS));
    const struct text_list *commands = state_list(&kept->state, make_state_key(kept, KEY_COMMANDS));
    if (!steps || !commands || commands->count != steps->count)
        return; /* the goal was never built to its end, or got more steps since: nobody knows them all */
    struct forecast forecast = {.kept = kept, .stale = stale, .records = records};
    for (size_t i = 0; i < records; i++) {
        vec_push(&forecast.told, 0);
        vec_push(&forecast.seen, 0);
    }
    for (uint32_t i = 0; i < steps->count; i++)
        if (will_run(&forecast, steps->texts[i]))
            forecast.told.at[steps->texts[i]] = 1;
    for (text_id target = 0; target < records; target++)
        if (forecast.told.at[target])
            tell_step(&forecast, target);
    for (text_id target = 0; target < records; target++)
        if (forecast.told.at[target])
            tell_needs(&forecast, target);
    vec_free(&forecast.told);
    vec_free(&forecast.seen);
    vec_free(&forecast.needs);
}
