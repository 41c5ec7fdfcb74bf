/*
 * Runs commands in turn, so that a noisy machine is as unfair to each, and prints medians.
 *
 *   measure ROUNDS WORK PEER-NAME PREPARE COMMAND [NAME PREPARE COMMAND]...
 *
 * PREPARE and COMMAND are lines for /bin/sh; COMMAND's wall time and the CPU time of everything
 * that it started count. The first is the peer: the others are told as a ratio to it.
 * Standard output: lines for people; descriptor 3: one JSON object a command, a line each. UNITS in the
 * environment: how many things COMMAND does; then the CPU time of one is told, too.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_COMMANDS = 8, MOST_ROUNDS = 101 };

struct candidate {
    const char *name, *prepare, *command;
    double wall_s[MOST_ROUNDS], cpu_s[MOST_ROUNDS];
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* One run; ends the benchmark where the command fails, since then it measures nothing. */
static void run(const char *line, double *wall_s, double *cpu_s)
{
    struct rusage usage;
    int status;
    double start_s = now_s();
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &usage) < 0 || status != 0) {
        fprintf(stderr, "measure: this failed: %s\n", line);
        exit(1);
    }
    *wall_s = now_s() - start_s;
    *cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

int main(int argc, char **argv)
{
    static struct candidate all[MOST_COMMANDS];
    int rounds = argc > 1 ? atoi(argv[1]) : 0;
    int count = (argc - 3) / 3;
    if (argc < 6 || (argc - 3) % 3 || rounds < 1 || rounds > MOST_ROUNDS || count > MOST_COMMANDS) {
        fprintf(stderr, "usage: measure ROUNDS WORK NAME PREPARE COMMAND...\n");
        return 2;
    }
    for (int i = 0; i < count; i++)
        all[i] = (struct candidate){
            .name = argv[3 + 3 * i], .prepare = argv[4 + 3 * i], .command = argv[5 + 3 * i]};
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < count; i++) {
            double ignored;
            run(all[i].prepare, &ignored, &ignored);
            run(all[i].command, &all[i].wall_s[round], &all[i].cpu_s[round]);
        }
    }
    FILE *json = fdopen(3, "w");
    double peer_wall = 0, peer_cpu = 0;
    const char *given = getenv("UNITS");
    int units = given ? atoi(given) : 0;
    for (int i = 0; i < count; i++) {
        double wall = median(all[i].wall_s, rounds), cpu = median(all[i].cpu_s, rounds);
        if (i == 0) {
            peer_wall = wall;
            peer_cpu = cpu;
        }
        printf("%-34s %-8s wall %8.1f ms %5.2fx   cpu %8.1f ms %5.2fx", i ? "" : argv[2],
               all[i].name, wall * 1e3, wall / peer_wall, cpu * 1e3, cpu / peer_cpu);
        if (units > 0)
            printf("   %.2f ms each", cpu * 1e3 / units);
        putchar('\n');
        if (json)
            fprintf(json,
                    "{\"work\":\"%s\",\"name\":\"%s\",\"rounds\":%d,\"wall_s\":%.6f,"
                    "\"cpu_s\":%.6f,\"wall_ratio\":%.4f,\"cpu_ratio\":%.4f,\"units\":%d}\n",
                    argv[2], all[i].name, rounds, wall, cpu, wall / peer_wall, cpu / peer_cpu,
                    units);
    }
    return 0;
}
