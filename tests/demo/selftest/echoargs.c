/* Run by the self-tests: tells by its status what arguments arrived. */
#include "program.h"

/* Changed by a run, so that a second run shows whether it starts afresh. */
static int runs;

int program_main(int argc, char **argv)
{
    static const char *const wanted[] = {"/tests/echoargs.so", "one", "two words", ""};
    bool right = argc == 4 && argv[argc] == NULL && ++runs == 1;

    for (int i = 0; right && i < argc; i++)
        right = strcmp(argv[i], wanted[i]) == 0;
    return argc * 10 + (right ? 1 : 0);
}
