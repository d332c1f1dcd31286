/* Makes each flush of a file take DISK_MS longer. Preloaded into the program that is measured. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static void pause_for_disk(void) {
    static long ms = -1;
    if (ms < 0) {
        const char *told = getenv("DISK_MS");
        ms = told ? atol(told) : 0;
    }
    if (ms > 0) usleep(ms * 1000);
}

int fsync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    pause_for_disk();
    return real(fd);
}

int fdatasync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    pause_for_disk();
    return real(fd);
}
