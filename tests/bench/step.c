/*
 * A stand-in for a compiler, for benchmarks of many steps: `step SOURCE OUTPUT [DEPFILE]` reads
 * SOURCE and every file that a line of it names, writes OUTPUT and, where asked, a depfile.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char source[64 * 1024], depfile[64 * 1024];

static int take(const char *path, char *bytes, size_t room)
{
    int fd = open(path, O_RDONLY);
    ssize_t length = fd < 0 ? -1 : read(fd, bytes, room - 1);
    if (fd >= 0)
        close(fd);
    bytes[length > 0 ? length : 0] = '\0';
    return length < 0 ? -1 : 0;
}

static int put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    size_t length = strlen(text);
    int status = fd >= 0 && write(fd, text, length) == (ssize_t)length ? 0 : -1;
    if (fd >= 0)
        close(fd);
    return status;
}

int main(int argc, char **argv)
{
    char header[4096], output[64 * 1024];
    if (argc < 3 || take(argv[1], source, sizeof source) < 0)
        return 1;
    snprintf(output, sizeof output, "made of %s", source);
    snprintf(depfile, sizeof depfile, "%s: %s", argv[2], argv[1]);
    size_t used = strlen(depfile);
    for (char *line = strtok(source, "\n"); line; line = strtok(NULL, "\n")) {
        if (!strchr(line, '/'))
            continue;
        if (take(line, header, sizeof header) < 0)
            return 1;
        used += (size_t)snprintf(depfile + used, sizeof depfile - used, " %s", line);
    }
    snprintf(depfile + used, sizeof depfile - used, "\n");
    return put(argv[2], output) < 0 || (argc > 3 && put(argv[3], depfile) < 0);
}
