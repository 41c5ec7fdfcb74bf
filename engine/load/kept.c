/* A loaded tree in a file, so that it is loaded again only when what loading looked at has changed. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "graph/pack.h"
#include "image/actions.h"
#include "load/load.h"

/* ---- what the steps that compose images carry ---- */

static void put_manifest(struct packer *packer, const void *step_data)
{
    const struct manifest_action *data = step_data;
    const struct manifest_scope *scope = &data->scope;
    pack_number(packer, data->manifests_count);
    for (size_t i = 0; i < data->manifests_count; i++)
        pack_text(packer, data->manifests[i]);
    pack_number(packer, scope->variables_count);
    for (size_t i = 0; i < scope->variables_count; i++) {
        pack_text(packer, scope->variables[i].name);
        pack_text(packer, scope->variables[i].value);
    }
    pack_number(packer, scope->dirs_count);
    for (size_t i = 0; i < scope->dirs_count; i++)
        pack_text(packer, scope->dirs[i]);
}

static const char **take_texts(struct unpacker *in, struct arena *arena, size_t *count)
{
    *count = unpack_count(in, (size_t)(in->end - in->at));
    const char **texts = arena_alloc(arena, (*count + 1) * sizeof *texts);
    for (size_t i = 0; i < *count; i++)
        texts[i] = unpack_text(in);
    return texts;
}

static const void *take_manifest(struct unpacker *in, struct arena *arena)
{
    struct manifest_action *data = arena_alloc(arena, sizeof *data);
    data->manifests = take_texts(in, arena, &data->manifests_count);
    size_t count = unpack_count(in, (size_t)(in->end - in->at));
    struct manifest_variable *variables = arena_alloc(arena, (count + 1) * sizeof *variables);
    for (size_t i = 0; i < count; i++) {
        variables[i].name = unpack_text(in);
        variables[i].value = unpack_text(in);
    }
    data->scope.variables = variables;
    data->scope.variables_count = count;
    data->scope.dirs = take_texts(in, arena, &data->scope.dirs_count);
    return data;
}

static void put_disk(struct packer *packer, const void *step_data)
{
    const struct disk_layout *disk = step_data;
    const uint64_t numbers[] = {disk->align,      disk->pad,        disk->size_field,
                                disk->size_unit,  disk->size_width, disk->size_of,
                                disk->cmdline_at, disk->format,     disk->parts_count};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        pack_number(packer, numbers[i]);
    for (unsigned i = 0; i < disk->parts_count; i++) {
        pack_text(packer, disk->parts[i].file);
        pack_number(packer, disk->parts[i].offset);
        pack_number(packer, disk->parts[i].partition);
    }
    pack_text(packer, disk->cmdline);
}

static const void *take_disk(struct unpacker *in, struct arena *arena)
{
    struct disk_layout *disk = arena_alloc(arena, sizeof *disk);
    disk->align = unpack_number(in);
    disk->pad = unpack_number(in);
    disk->size_field = unpack_number(in);
    disk->size_unit = unpack_number(in);
    disk->size_width = unpack_count(in, UINT32_MAX);
    disk->size_of = unpack_count(in, UINT32_MAX);
    disk->cmdline_at = unpack_number(in);
    disk->format = (enum disk_format)unpack_count(in, DISK_FORMATS - 1);
    disk->parts_count = unpack_count(in, DISK_PARTS_MAX);
    for (unsigned i = 0; i < disk->parts_count; i++) {
        disk->parts[i].file = unpack_text(in);
        disk->parts[i].offset = unpack_number(in);
        disk->parts[i].partition = unpack_count(in, UINT32_MAX);
    }
    disk->cmdline = unpack_text(in);
    return disk;
}

static const struct pack_action actions[] = {
    {"bootfs", action_bootfs, manifest_check, put_manifest, take_manifest},
    {"rofs", action_rofs, manifest_check, put_manifest, take_manifest},
    {"disk", action_disk, NULL, put_disk, take_disk},
    {"compress", action_compress, NULL, NULL, NULL},
    {"copy", action_copy, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* ---- the file ---- */

void load_facts_of(struct conf *conf, struct load_facts *facts)
{
    const str_list *warnings = conf_warnings(conf);
    *facts = (struct load_facts){
        .arch = conf_get(conf, "arch"),
        .mode = conf_get(conf, "mode"),
        .image = conf_get(conf, "image"),
        .out = conf_get(conf, "out"),
        .image_out = conf_get(conf, "image-out"),
        .image_targets = conf_get(conf, "image-targets"),
        .launcher = conf_get(conf, "launcher"),
        .warnings = (const char *const *)warnings->at,
        .warnings_count = warnings->len,
    };
}

uint64_t load_keep(const struct graph *graph, const struct load_facts *facts, const char *file)
{
    struct packer packer = {0};
    struct str bytes = {0};
    bool packed = graph_pack(&packer, graph, actions);
    const char *const texts[] = {facts->arch,      facts->mode,          facts->image,   facts->out,
                                 facts->image_out, facts->image_targets, facts->launcher};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        pack_text(&packer, texts[i]);
    pack_number(&packer, facts->warnings_count);
    for (size_t i = 0; i < facts->warnings_count; i++)
        pack_text(&packer, facts->warnings[i]);
    uint64_t id = packer_end(&packer, &bytes);
    bool kept = packed && file_replace(file, bytes.at, bytes.len);
    str_free(&bytes);
    return kept ? id : 0;
}

bool load_kept(struct graph *graph, struct load_facts *facts, const char *file, uint64_t id)
{
    size_t length;
    char *bytes = file_read_own(file, &length, NULL);
    struct unpacker in;
    if (!bytes || !unpacker_begin(&in, bytes, length, id))
        return false;
    bool good = graph_unpack(&in, graph, actions);
    const char **const texts[] = {&facts->arch,    &facts->mode,      &facts->image,
                                  &facts->out,     &facts->image_out, &facts->image_targets,
                                  &facts->launcher};
    *facts = (struct load_facts){0};
    for (size_t i = 0; good && i < sizeof texts / sizeof *texts; i++)
        good = (*texts[i] = unpack_text(&in)) != NULL;
    if (good)
        facts->warnings = take_texts(&in, &graph->arena, &facts->warnings_count);
    good = good && !in.bad;
    unpacker_free(&in);
    if (!good) {
        graph_free(graph);
        *graph = (struct graph){0};
    }
    return good;
}
