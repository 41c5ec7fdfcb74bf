/* What a crash of the kernel is told by: an address in here. */
#ifndef GREETING
#define GREETING 1
#endif

static int depth;

int fall_over(int how)
{
    depth += how;
    return depth;
}

void premain(void)
{
    fall_over(GREETING);
}
