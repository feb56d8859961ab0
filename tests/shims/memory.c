/* A machine that has no more than so much memory in one piece, for one process: loaded before the C library
 * (LD_PRELOAD), it says no to every request for HOOKBOX_MEMORY_MAX bytes or more.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

static size_t most(void) {
    static size_t most;
    if (most == 0) {
        const char *text = getenv("HOOKBOX_MEMORY_MAX");
        most = text ? strtoull(text, NULL, 10) : (size_t)-1;
    }
    return most;
}

void *malloc(size_t size) {
    static void *(*real)(size_t);
    if (real == NULL)
        real = dlsym(RTLD_NEXT, "malloc");
    if (size >= most()) {
        errno = ENOMEM;
        return NULL;
    }
    return real(size);
}

void *realloc(void *held, size_t size) {
    static void *(*real)(void *, size_t);
    if (real == NULL)
        real = dlsym(RTLD_NEXT, "realloc");
    if (size >= most()) {
        errno = ENOMEM;
        return NULL;
    }
    return real(held, size);
}
