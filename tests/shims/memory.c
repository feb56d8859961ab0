/* A machine that has no more than so much memory in one piece, for one process: loaded before the C library
 * (LD_PRELOAD), it says no to every request of the allocator for HOOKBOX_MEMORY_MAX bytes or more.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

static size_t most(void) {
    static size_t most;
    if (most == 0) {
        const char *text = getenv("HOOKBOX_MEMORY_MAX");
        most = text ? strtoull(text, NULL, 10) : (size_t)-1;
    }
    return most;
}

void *mmap(void *at, size_t size, int allowed, int flags, int file, off_t offset) {
    static void *(*real)(void *, size_t, int, int, int, off_t);
    if (real == NULL)
        real = dlsym(RTLD_NEXT, "mmap");
    /* Stacks are no memory of the allocator. */
    if (file == -1 && !(flags & MAP_STACK) && size >= most()) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return real(at, size, allowed, flags, file, offset);
}

void *mmap64(void *at, size_t size, int allowed, int flags, int file, off_t offset) {
    return mmap(at, size, allowed, flags, file, offset);
}
