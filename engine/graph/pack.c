#include "graph/pack.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <xxhash.h>

#include "base/mem.h"

enum { SCHEMA = 1, ORDER = 0x01020304 };

static const char magic[8] = "gantry\0G";

/* Then come: lengths of texts, words, texts (NUL-ended). */
struct header {
    char magic[8];
    uint32_t schema, order;
    uint64_t build; /* hash of what this program is */
    uint64_t words, texts, text_bytes;
};

/* Another program may load the same tree to another graph, whatever its version says. */
static uint64_t this_build(void)
{
    struct stat st;
    uint64_t what[4] = {XXH3_64bits(GANTRY_VERSION, strlen(GANTRY_VERSION))};
    if (stat("/proc/self/exe", &st) == 0) {
        what[1] = st.st_ino;
        what[2] = (uint64_t)st.st_size;
        what[3] = (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec;
    }
    return XXH3_64bits(what, sizeof what);
}

/* ---- putting ---- */

static void put_words(struct packer *packer, const void *words, size_t count)
{
    vec_reserve(&packer->words, packer->words.len + count);
    if (count)
        memcpy(packer->words.at + packer->words.len, words, count * sizeof *packer->words.at);
    packer->words.len += count;
}

void pack_number(struct packer *packer, uint64_t number)
{
    const uint32_t halves[2] = {(uint32_t)number, (uint32_t)(number >> 32)};
    put_words(packer, halves, 2);
}

void pack_text(struct packer *packer, const char *text)
{
    uint32_t id = text ? intern_id(&packer->texts, text) : INTERN_NONE;
    vec_push(&packer->words, id);
}

/* The number of a step's action in the table, from 1 up; 0: none; UINT32_MAX: not there. */
static uint32_t find_action(const struct pack_action *actions, const struct step *step)
{
    if (!step->action)
        return 0;
    for (uint32_t i = 0; actions[i].rule; i++)
        if (actions[i].action == step->action && actions[i].check == step->check)
            return i + 1;
    return UINT32_MAX;
}

static bool put_step(struct packer *packer, const struct step *step,
                     const struct pack_action *actions)
{
    uint32_t words = 0, action = find_action(actions, step);
    if (action == UINT32_MAX)
        return false;
    while (step->argv && step->argv[words])
        words++;
    const uint32_t numbers[] = {step->origin_line,
                                step->outputs,
                                step->outputs_count,
                                step->inputs,
                                step->inputs_count,
                                step->order,
                                step->order_count,
                                step->flags,
                                action,
                                step->argv ? words + 1 : 0};
    put_words(packer, numbers, sizeof numbers / sizeof *numbers);
    for (uint32_t i = 0; i < words; i++)
        pack_text(packer, step->argv[i]);
    const char *const texts[] = {step->rule,    step->shell, step->signature,
                                 step->depfile, step->dir,   step->origin};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        pack_text(packer, texts[i]);
    if (action && actions[action - 1].put)
        actions[action - 1].put(packer, step->data);
    return true;
}

bool graph_pack(struct packer *packer, const struct graph *graph, const struct pack_action *actions)
{
    uint32_t names = intern_count(&graph->names);
    if (graph->pools.len)
        return false;
    for (uint32_t i = 0; i < names; i++) /* so that a name and its text have one number */
        intern_id_n(&packer->texts, intern_text(&graph->names, i), graph->names.lengths_of.at[i]);
    size_t files = graph->files.len, uses = graph->use_start[files];
    const uint32_t counts[] = {names,
                               (uint32_t)graph->names.slots_count,
                               (uint32_t)files,
                               (uint32_t)graph->steps.len,
                               (uint32_t)graph->links.len,
                               (uint32_t)graph->file_of_name.len,
                               (uint32_t)graph->goals.len,
                               (uint32_t)uses};
    put_words(packer, counts, sizeof counts / sizeof *counts);
    put_words(packer, graph->names.slots, graph->names.slots_count * 2);
    put_words(packer, graph->files.at, files * 2);
    put_words(packer, graph->links.at, graph->links.len);
    put_words(packer, graph->file_of_name.at, graph->file_of_name.len);
    put_words(packer, graph->goals.at, graph->goals.len);
    put_words(packer, graph->use_start, files + 1);
    put_words(packer, graph->uses, uses);
    for (size_t i = 0; i < graph->steps.len; i++)
        if (!put_step(packer, &graph->steps.at[i], actions))
            return false;
    return true;
}

static uint64_t id_of(const char *bytes, size_t length)
{
    uint64_t hash = XXH3_64bits(bytes, length);
    return hash ? hash : 1;
}

uint64_t packer_end(struct packer *packer, struct str *bytes)
{
    uint32_t texts = intern_count(&packer->texts);
    struct header header = {.schema = SCHEMA,
                            .order = ORDER,
                            .build = this_build(),
                            .words = packer->words.len,
                            .texts = texts};
    memcpy(header.magic, magic, sizeof magic);
    str_add_n(bytes, (const char *)&header, sizeof header);
    str_add_n(bytes, (const char *)packer->texts.lengths_of.at, texts * sizeof(uint32_t));
    str_add_n(bytes, (const char *)packer->words.at, packer->words.len * sizeof(uint32_t));
    size_t before = bytes->len;
    for (uint32_t i = 0; i < texts; i++)
        str_add_n(bytes, intern_text(&packer->texts, i),
                  (size_t)packer->texts.lengths_of.at[i] + 1);
    header.text_bytes = bytes->len - before;
    memcpy(bytes->at, &header, sizeof header);
    intern_free(&packer->texts);
    vec_free(&packer->words);
    return id_of(bytes->at, bytes->len);
}

/* ---- taking ---- */

bool unpacker_begin(struct unpacker *in, char *bytes, size_t length, uint64_t id)
{
    const struct header *header = (const void *)bytes;
    *in = (struct unpacker){.bytes = bytes};
    bool whole = length >= sizeof *header && id == id_of(bytes, length) &&
                 !memcmp(header->magic, magic, sizeof magic) && header->schema == SCHEMA &&
                 header->order == ORDER && header->build == this_build();
    if (!whole || (header->words + header->texts) * sizeof(uint32_t) + header->text_bytes !=
                      length - sizeof *header) {
        unpacker_free(in);
        return false;
    }
    in->texts_count = (uint32_t)header->texts;
    in->lengths = (const uint32_t *)(const void *)(header + 1);
    in->at = in->lengths + in->texts_count;
    in->end = in->at + header->words;
    in->texts = mem_alloc((in->texts_count + (size_t)1) * sizeof *in->texts);
    const char *text = (const char *)in->end;
    for (uint32_t i = 0; i < in->texts_count; text += in->lengths[i++] + (size_t)1)
        in->texts[i] = text;
    return true;
}

void unpacker_free(struct unpacker *in)
{
    free(in->texts);
    free(in->bytes);
    *in = (struct unpacker){0};
}

/* The next words, or NULL where there are not as many. */
static const uint32_t *take_words(struct unpacker *in, size_t count)
{
    if (in->bad || count > (size_t)(in->end - in->at)) {
        in->bad = true;
        return NULL;
    }
    in->at += count;
    return in->at - count;
}

uint64_t unpack_number(struct unpacker *in)
{
    const uint32_t *halves = take_words(in, 2);
    return halves ? (uint64_t)halves[1] << 32 | halves[0] : 0;
}

uint32_t unpack_count(struct unpacker *in, size_t most)
{
    uint64_t number = unpack_number(in);
    in->bad |= number > most;
    return in->bad ? 0 : (uint32_t)number;
}

const char *unpack_text(struct unpacker *in)
{
    const uint32_t *id = take_words(in, 1);
    if (!id || *id == INTERN_NONE)
        return NULL;
    in->bad |= *id >= in->texts_count;
    return in->bad ? NULL : in->texts[*id];
}

/* A copy of words as an array of the graph; each of them is below `limit`. */
static uint32_t *take_array(struct unpacker *in, size_t count, size_t limit)
{
    const uint32_t *words = take_words(in, count);
    uint32_t *copy = mem_alloc((count + 1) * sizeof *copy);
    for (size_t i = 0; words && i < count; i++) {
        copy[i] = words[i];
        in->bad |= words[i] >= limit;
    }
    return copy;
}

static bool is_slice(const struct graph *graph, uint32_t first, uint32_t count)
{
    return first <= graph->links.len && count <= graph->links.len - first;
}

static void take_step(struct unpacker *in, struct graph *graph, const struct pack_action *actions,
                      uint32_t actions_count)
{
    const uint32_t *numbers = take_words(in, 10);
    if (!numbers)
        return;
    struct step *step = vec_new(&graph->steps);
    step->origin_line = numbers[0];
    step->outputs = numbers[1];
    step->outputs_count = numbers[2];
    step->inputs = numbers[3];
    step->inputs_count = numbers[4];
    step->order = numbers[5];
    step->order_count = numbers[6];
    step->flags = (uint8_t)numbers[7];
    uint32_t action = numbers[8], words = numbers[9];
    in->bad |= !is_slice(graph, step->outputs, step->outputs_count) || !step->outputs_count ||
               !is_slice(graph, step->inputs, step->inputs_count) ||
               !is_slice(graph, step->order, step->order_count) || action > actions_count ||
               words > (size_t)(in->end - in->at) + 1;
    if (in->bad)
        return;
    if (words) {
        const char **argv = arena_alloc(&graph->arena, words * sizeof *argv);
        for (uint32_t i = 0; i + 1 < words; i++)
            in->bad |= !(argv[i] = unpack_text(in));
        step->argv = argv;
    }
    const char **const texts[] = {&step->rule,    &step->shell, &step->signature,
                                  &step->depfile, &step->dir,   &step->origin};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = unpack_text(in);
    if (!action)
        return;
    step->action = actions[action - 1].action;
    step->check = actions[action - 1].check;
    if (actions[action - 1].take)
        step->data = actions[action - 1].take(in, &graph->arena);
}

bool graph_unpack(struct unpacker *in, struct graph *graph, const struct pack_action *actions)
{
    const uint32_t *counts = take_words(in, 8);
    graph->packed = in->bytes;
    in->bytes = NULL;
    if (!counts)
        return false;
    uint32_t names = counts[0], slots = counts[1], files = counts[2], steps = counts[3],
             links = counts[4], file_of_name = counts[5], goals = counts[6], uses = counts[7];
    const uint32_t *slot_words = take_words(in, (size_t)slots * 2);
    if (!slot_words || names > in->texts_count ||
        !intern_restore(&graph->names, in->texts, in->lengths, names, slot_words, slots))
        return false;
    graph->files.at = (void *)take_array(in, (size_t)files * 2, (size_t)UINT32_MAX + 1);
    graph->files.len = graph->files.cap = files;
    graph->links.at = take_array(in, links, files);
    graph->links.len = graph->links.cap = links;
    graph->file_of_name.at = take_array(in, file_of_name, (size_t)UINT32_MAX + 1);
    graph->file_of_name.len = graph->file_of_name.cap = file_of_name;
    graph->goals.at = take_array(in, goals, files);
    graph->goals.len = graph->goals.cap = goals;
    graph->use_start = take_array(in, (size_t)files + 1, (size_t)uses + 1);
    graph->uses = take_array(in, uses, steps);
    uint32_t actions_count = 0;
    while (actions[actions_count].rule)
        actions_count++;
    vec_reserve(&graph->steps, steps);
    for (uint32_t i = 0; i < steps && !in->bad; i++)
        take_step(in, graph, actions, actions_count);
    for (uint32_t i = 0; i < files && !in->bad; i++)
        in->bad |= graph->files.at[i].name >= names || (graph->files.at[i].producer != STEP_NONE &&
                                                        graph->files.at[i].producer >= steps);
    return !in->bad;
}
