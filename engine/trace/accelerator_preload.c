/* The accelerator as a library that the dynamic linker preloads: its functions stand before the libc's by
 * their names. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "trace/accelerator.h"

extern int *__errno_location(void) __attribute__((const)) WEAK;
extern int clock_gettime(clockid_t clock, struct timespec *now) WEAK;
extern void *malloc(size_t size) WEAK;
extern int execve(const char *path, char *const *argv, char *const *envp) WEAK;
extern int __open64_nocancel(const char *path, int flags, ...) WEAK; /* glibc's own, from 2.26 on */

#if defined(__x86_64__)
static void divert(uintptr_t function, uintptr_t ours)
{
    if (!function || function % 16) /* what begins at 16 has as many bytes of its own */
        return;
    long page = (long)(function & ~(uintptr_t)(RING_PAGE - 1));
    if (call_seen(SYS_mprotect, page, RING_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, 0) < 0)
        return;
    jump_from(function, ours);
    call_seen(SYS_mprotect, page, RING_PAGE, PROT_READ | PROT_EXEC, 0);
}

static void divert_libc(void)
{
    divert((uintptr_t)__open64_nocancel, (uintptr_t)open_by_libc);
    if (!looks_only && execve && only_calls((const unsigned char *)(uintptr_t)execve, SYS_execve))
        divert((uintptr_t)execve, (uintptr_t)execute_by_libc);
}
#else
static void divert_libc(void)
{
}
#endif

/* Before the program's own constructors, where the linker lets us. */
__attribute__((constructor(101))) static void come_in(void)
{
    libc = (struct libc){
        .errno_location = __errno_location, .clock_gettime = clock_gettime, .malloc = malloc};
    long page =
        call6(SYS_mmap, 0, RING_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page < 0 || !stand_at(page))
        return;
    long fd = introduce();
    if (fd < 0)
        return;
    long code = call6(SYS_mmap, (long)RING_CODE, RING_CODE_BYTES, PROT_READ | PROT_EXEC,
                      MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
    bool ours = code == (long)RING_CODE && map_ring(fd);
    call_seen(SYS_close, fd, 0, 0, 0);
    if (ours)
        divert_libc();
}
