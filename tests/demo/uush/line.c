#include "uush.h"

enum { CONTROL_C = 3, CONTROL_D = 4, BACKSPACE = 8, CONTROL_U = 21, ESCAPE = 27, DELETE = 127 };

static char previous[LINE_MAX_BYTES];

static int wait_for_byte(void)
{
    int byte;

    while ((byte = kernel->console_read()) < 0)
        ;
    return byte;
}

static void erase(size_t count)
{
    while (count--)
        print("\b \b");
}

/* Behind ESC: takes the whole sequence; true if it is the up arrow's. */
static bool is_up_arrow(void)
{
    int byte = wait_for_byte();

    if (byte != '[' && byte != 'O')
        return false;
    do
        byte = wait_for_byte();
    while (byte < '@' || byte > '~');
    return byte == 'A';
}

bool line_read(const char *prompt, char *line, size_t size)
{
    size_t length = 0;

    print("%s", prompt);
    for (;;) {
        int byte = wait_for_byte();

        if (byte == '\r' || byte == '\n')
            break;
        if (byte == CONTROL_D && length == 0) {
            print("\n");
            return false;
        }
        if (byte == CONTROL_C || byte == CONTROL_U) {
            erase(length);
            length = 0;
        } else if ((byte == BACKSPACE || byte == DELETE) && length > 0) {
            erase(1);
            length--;
        } else if (byte == ESCAPE && is_up_arrow()) {
            erase(length);
            text_copy(line, previous, size);
            length = strlen(line);
            print("%s", line);
        } else if (byte >= ' ' && byte != DELETE && length + 1 < size) {
            line[length++] = (char)byte;
            kernel->console_write(&line[length - 1], 1);
        }
    }
    line[length] = '\0';
    if (length)
        text_copy(previous, line, sizeof previous);
    print("\n");
    return true;
}
