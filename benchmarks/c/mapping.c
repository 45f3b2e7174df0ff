/* A large process of small pages that maps and unmaps all the time: mapping MEGABYTES.
 * Prints the worst of it, in milliseconds, for each line of standard input. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

int main(int count, char **words) {
    size_t size = (size_t)atol(count > 1 ? words[1] : "100") << 20;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(memory, size, MADV_NOHUGEPAGE);
    memset(memory, 1, size);
    fcntl(0, F_SETFL, O_NONBLOCK);
    printf("ready\n");
    fflush(stdout);
    for (double worst = 0;;) {
        double begun = now();
        void *piece = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        munmap(piece, 1 << 16);
        double took = now() - begun;
        if (took > worst) worst = took;
        char line;
        ssize_t got = read(0, &line, 1);
        if (got == 0) return 0;
        if (got == 1) {
            printf("%.2f\n", worst);
            fflush(stdout);
            worst = 0;
        }
        usleep(200);
    }
}
