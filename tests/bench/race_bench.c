/*
 * Race analysis by itself: a build of STEPS steps that touch files ACCESSES times in all, drawn in
 * memory. Objects read headers of their module and of the whole tree, a tenth of them generated and
 * declared; archives read objects, programs read archives; everything writes a log, lists a few
 * directories and makes its own directory. Prints the time and the largest memory of the process,
 * input included.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/mem.h"
#include "race/race.h"
#include "trace/trace.h"

enum { MODULES = 500, SHARED = 3000, GENERATED = 200, OWN = 60 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static uint32_t path(struct intern *paths, const char *format, unsigned a, unsigned b)
{
    char text[96];
    int length = snprintf(text, sizeof text, "/work/tree/");
    char rest[64];
    snprintf(rest, sizeof rest, "%s-%u-%u", format, a, b);
    snprintf(text + length, sizeof text - (size_t)length, "%s", rest);
    return intern_id(paths, text);
}

struct bench {
    struct intern paths;
    uint32_t steps;
    uint64_t count;
    struct race_access *accesses;
    VEC(uint32_t) needs;
    uint32_t *start;
    uint32_t clock;
};

static void touch(struct bench *b, uint32_t step, uint32_t id, uint32_t kinds, bool found)
{
    if (b->count == 0)
        b->clock = 0;
    b->accesses[b->count++] = (struct race_access){.step = step,
                                                   .path = id,
                                                   .when = b->clock++ / 64,
                                                   .kinds = (uint16_t)kinds,
                                                   .found = found,
                                                   .left = true};
}

int main(int argc, char **argv)
{
    uint32_t steps = argc > 1 ? (uint32_t)atoi(argv[1]) : 50000;
    uint64_t total = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000000;
    struct bench b = {.steps = steps};
    b.accesses = mem_alloc((total + steps) * sizeof *b.accesses);
    b.start = mem_zero((size_t)steps + 1, sizeof *b.start);
    struct race_step *infos = mem_zero(steps, sizeof *infos);
    uint32_t headers[SHARED], generated[GENERATED], log = path(&b.paths, "log", 0, 0);
    for (unsigned i = 0; i < SHARED; i++)
        headers[i] = path(&b.paths, "include/h", i, 0);
    for (unsigned i = 0; i < GENERATED; i++)
        generated[i] = path(&b.paths, "gen/g", i, 0);
    uint64_t each = total / steps;
    unsigned seed = 1;
    for (uint32_t step = 0; step < steps; step++) {
        b.start[step] = (uint32_t)b.needs.len;
        uint64_t end = (step + 1) * each;
        if (step < GENERATED) {
            touch(&b, step, generated[step], ACCESS_CREATE, false);
            while (b.count < end)
                touch(&b, step, path(&b.paths, "src/s", step, (unsigned)(b.count % OWN)),
                      ACCESS_READ, true);
            continue;
        }
        unsigned module = step % MODULES;
        /* Objects of every 100th module lack the edge to one generated header. */
        for (unsigned i = 0; i < 20; i++) {
            unsigned g = (module + i * 7) % GENERATED;
            touch(&b, step, generated[g], ACCESS_READ, true);
            if (module % 100 != 0 || i != 0)
                vec_push(&b.needs, g);
        }
        uint32_t object = path(&b.paths, "obj/o", step, module);
        touch(&b, step, object, ACCESS_CREATE, false);
        touch(&b, step, path(&b.paths, "obj/d", step, module), ACCESS_CREATE, false);
        touch(&b, step, log, ACCESS_WRITE | ACCESS_APPEND, true);
        if (step > GENERATED + MODULES) { /* a chain in each module: archive after archive */
            vec_push(&b.needs, step - MODULES);
            touch(&b, step, path(&b.paths, "lib", module, 0), ACCESS_WRITE, true);
        }
        while (b.count < end) {
            seed = seed * 1103515245u + 12345u;
            touch(&b, step, headers[(seed >> 8) % SHARED], ACCESS_READ, true);
        }
        infos[step] = (struct race_step){.recipe = 1 + module, .target = object};
    }
    b.start[steps] = (uint32_t)b.needs.len;
    const struct race_input input = {.order = {steps, b.start, b.needs.at, NULL, NULL},
                                     .steps = infos,
                                     .paths = &b.paths,
                                     .accesses = b.accesses,
                                     .accesses_count = b.count};
    struct race_result result;
    double began = now();
    if (race_detect(&input, &result) < 0)
        return 1;
    double took = now() - began;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%u steps, %llu accesses: %.3f s, %ld MiB, %zu findings, %zu witnesses\n", steps,
           (unsigned long long)b.count, took, usage.ru_maxrss / 1024, result.findings.len,
           result.witnesses.len);
    FILE *json = fdopen(3, "w");
    if (json) {
        fprintf(json,
                "{\"work\":\"race analysis\",\"steps\":%u,\"accesses\":%llu,\"s\":%.4f,"
                "\"rss_kib\":%ld}\n",
                steps, (unsigned long long)b.count, took, usage.ru_maxrss);
        fclose(json);
    }
    race_result_free(&result);
    intern_free(&b.paths);
    vec_free(&b.needs);
    free(b.accesses);
    free(b.start);
    free(infos);
    return 0;
}
