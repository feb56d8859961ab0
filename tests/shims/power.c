/* A disk that loses power, for one process: loaded before the C library (LD_PRELOAD), it remembers what every
 * sector of every file below a folder held when the file was last synced. At the chosen write it gives back,
 * sector by sector and at random, what was there before or what was written since, and ends the process: as a
 * disk does that had some of it in its cache, in any order.
 *
 * HOOKBOX_POWER_FOLDER  the folder
 * HOOKBOX_POWER_AT      at which write the power goes
 * HOOKBOX_POWER_SEED    which sectors are lost
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512

struct sector {
    uint64_t number;
    ssize_t length; /* how much of it there was */
    unsigned char before[SECTOR];
};

struct file {
    dev_t device;
    ino_t inode;
    char path[1024];
    off_t size; /* when it was last synced */
    struct sector *sectors;
    size_t count, room;
    struct file *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file *files;
static const char *folder;
static long at, writes;
static uint64_t state;

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

__attribute__((constructor)) static void begin(void) {
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_write = dlsym(RTLD_NEXT, "write");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    folder = getenv("HOOKBOX_POWER_FOLDER");
    at = getenv("HOOKBOX_POWER_AT") ? atol(getenv("HOOKBOX_POWER_AT")) : 0;
    state = getenv("HOOKBOX_POWER_SEED") ? strtoull(getenv("HOOKBOX_POWER_SEED"), NULL, 10) : 1;
}

static uint64_t draw(void) {
    state += 0x9e3779b97f4a7c15u;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* The file of a descriptor, if it lies in the folder. */
static struct file *file_of(int fd) {
    struct stat found;
    char link[64], path[1024];
    if (!folder || !at || fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) return NULL;
    for (struct file *file = files; file; file = file->next)
        if (file->device == found.st_dev && file->inode == found.st_ino) return file;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return NULL;
    path[length] = 0;
    if (strncmp(path, folder, strlen(folder)) != 0) return NULL;
    struct file *file = calloc(1, sizeof *file);
    file->device = found.st_dev;
    file->inode = found.st_ino;
    file->size = found.st_size;
    strcpy(file->path, path);
    file->next = files;
    files = file;
    return file;
}

static void remember(struct file *file, int fd, off_t offset, size_t length) {
    if (length == 0) return;
    for (uint64_t number = offset / SECTOR; number <= (offset + length - 1) / SECTOR; number++) {
        size_t index = 0;
        while (index < file->count && file->sectors[index].number != number) index++;
        if (index < file->count) continue;
        if (file->count == file->room) {
            file->room = file->room ? 2 * file->room : 64;
            file->sectors = realloc(file->sectors, file->room * sizeof *file->sectors);
        }
        struct sector *sector = &file->sectors[file->count++];
        sector->number = number;
        sector->length = pread(fd, sector->before, SECTOR, number * SECTOR);
        if (sector->length < 0) sector->length = 0;
    }
}

static void lose_power(void) {
    for (struct file *file = files; file; file = file->next) {
        int fd = open(file->path, O_RDWR);
        struct stat now;
        /* One that was removed, or whose name is another file's by now. */
        if (fd < 0 || fstat(fd, &now) != 0 || now.st_ino != file->inode) continue;
        int mode = draw() % 3; /* nothing of it arrived, all of it, or some */
        for (size_t index = 0; index < file->count; index++) {
            struct sector *sector = &file->sectors[index];
            int is_lost = mode == 0 || (mode == 2 && draw() % 2);
            if (is_lost && sector->length > 0)
                real_pwrite(fd, sector->before, sector->length, sector->number * SECTOR);
        }
        if (now.st_size > file->size && (mode == 0 || (mode == 2 && draw() % 2)))
            if (ftruncate(fd, file->size) != 0) _exit(99);
        close(fd);
    }
    _exit(137);
}

/* Before a write, with the lock held. */
static void before_write(int fd, off_t offset, size_t length) {
    struct file *file = file_of(fd);
    if (!file) return;
    remember(file, fd, offset, length);
    if (++writes >= at) lose_power();
}

static void synced(int fd) {
    struct file *file = file_of(fd);
    struct stat now;
    if (!file || fstat(fd, &now) != 0) return;
    file->count = 0;
    file->size = now.st_size;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) {
    pthread_mutex_lock(&lock);
    before_write(fd, offset, length);
    ssize_t written = real_pwrite(fd, bytes, length, offset);
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    return pwrite64(fd, bytes, length, offset);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    off_t offset = lseek(fd, 0, SEEK_CUR);
    if (offset < 0) return real_write(fd, bytes, length);
    pthread_mutex_lock(&lock);
    before_write(fd, offset, length);
    ssize_t written = real_write(fd, bytes, length);
    pthread_mutex_unlock(&lock);
    return written;
}

int fsync(int fd) {
    pthread_mutex_lock(&lock);
    int done = real_fsync(fd);
    if (done == 0) synced(fd);
    pthread_mutex_unlock(&lock);
    return done;
}

int fdatasync(int fd) {
    pthread_mutex_lock(&lock);
    int done = real_fdatasync(fd);
    if (done == 0) synced(fd);
    pthread_mutex_unlock(&lock);
    return done;
}
