/*
 * grow pieces MIB STEP: that much memory in six pieces, of which each STEP-th page is touched; all of them become larger by a fifth, are looked at, and a child
 * has them, too, until one of the two writes.
 * grow reserve MIB: that much that nobody may touch, of which bits are used after all; and as much again that may be used, and is not.
 * grow threads MIB: threads with memory and storage of their own run, call and wait while another takes that much and gives it back.
 * grow chunks MIB: that much by chunks of 64 KiB, some of which are given back and had again.
 * grow hold MIB COMMAND: reserves that much, and has a shell run the command.
 * What is not as it must be is told on the standard error, and the status is 1.
 */
#include <err.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, PAGE = 4096, PIECES = 6, THREADS = 4, CHUNK = 64 << 10 };

static uint32_t mark(uint32_t piece, size_t page, uint32_t who)
{
    return ((uint32_t)page * 2654435761u ^ piece << 28) + who;
}

static uint32_t *word(char *piece, size_t page)
{
    return (uint32_t *)(piece + page * PAGE + page % (PAGE / 4) * 4);
}

/* How many of the pages that were touched do not hold what `who` put there: who wrote last, or nobody in a page that is no writer's. */
static size_t wrong(char *const *pieces, size_t pages, size_t step, uint32_t even, uint32_t odd)
{
    size_t count = 0;

    for (uint32_t i = 0; i < PIECES; i++)
        for (size_t page = 0; page < pages; page += step)
            count += *word(pieces[i], page) != mark(i, page, page / step % 2 ? odd : even);
    return count;
}

/* Writes every other one of those pages, from the first or the second on. */
static void put(char *const *pieces, size_t pages, size_t step, size_t first, uint32_t who)
{
    for (uint32_t i = 0; i < PIECES; i++)
        for (size_t page = first * step; page < pages; page += 2 * step)
            *word(pieces[i], page) = mark(i, page, who);
}

static void pieces(size_t size, size_t step)
{
    char *all[PIECES];
    size_t pages = size / PIECES / PAGE;
    int status, ready[2], go[2];
    char byte;

    for (int i = 0; i < PIECES; i++)
        if (!(all[i] = malloc(pages * PAGE)))
            err(1, "piece %d", i);
    put(all, pages, step, 0, 1);
    put(all, pages, step, 1, 1);
    for (int i = 0; i < PIECES; i++)
        if (!(all[i] = realloc(all[i], pages * PAGE / 5 * 6)))
            err(1, "more of piece %d", i);
    printf("%zu MiB: %zu pages differ after they moved\n", size / MIB, wrong(all, pages, step, 1, 1));
    if (pipe(ready) || pipe(go))
        err(1, "pipe");
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        err(1, "fork");
    if (!child) {
        printf("child: %zu pages differ", wrong(all, pages, step, 1, 1));
        put(all, pages, step, 0, 2);
        if (write(ready[1], "r", 1) != 1 || read(go[0], &byte, 1) != 1)
            err(1, "child");
        printf(", then %zu\n", wrong(all, pages, step, 2, 1));
        exit(0);
    }
    if (read(ready[0], &byte, 1) != 1)
        err(1, "ready");
    size_t before = wrong(all, pages, step, 1, 1);
    put(all, pages, step, 1, 3);
    if (write(go[1], "g", 1) != 1 || wait(&status) != child || status)
        err(1, "the child: %#x", status);
    printf("parent: %zu pages differ, then %zu\n", before, wrong(all, pages, step, 1, 3));
    for (int i = 0; i < PIECES; i++)
        free(all[i]);
}

static sigjmp_buf back;

static void caught(int signal)
{
    siglongjmp(back, signal);
}

/* Which signal comes of touching an address. */
static int touch(volatile char *at)
{
    int signal = sigsetjmp(back, 1);

    if (!signal)
        *at = *at + 1;
    return signal;
}

/* KiB of address space. */
static long space(void)
{
    char line[100];
    long size = -1;
    FILE *file = fopen("/proc/self/status", "r");

    while (file && fgets(line, sizeof line, file))
        sscanf(line, "VmSize: %ld", &size);
    if (file)
        fclose(file);
    return size;
}

static void *map(size_t size, int protection, int flags)
{
    void *at = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

    if (at == MAP_FAILED)
        err(1, "%zu MiB", size / MIB);
    return at;
}

static void reserve(size_t size)
{
    signal(SIGSEGV, caught);
    free(malloc(1));
    space();
    long before = space();
    char *none = map(size, PROT_NONE, 0);
    printf("reserved: %ld MiB more, touched: signal %d\n", (space() - before) / 1024, touch(none + size / 2));
    for (size_t i = 1; i < 16; i++) {
        char *bit = none + size / 16 * i;
        if (i % 2 ? mprotect(bit, 4 * PAGE, PROT_READ | PROT_WRITE) != 0
                  : mmap(bit, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != bit)
            err(1, "bit %zu", i);
        if (touch(bit) || touch(bit + 4 * PAGE - 1) || bit[4 * PAGE - 1] != 1 || touch(bit - 1) != SIGSEGV)
            errx(1, "what is at bit %zu", i);
    }
    char *more = map(size, PROT_READ | PROT_WRITE, MAP_NORESERVE);
    if (touch(more) || touch(more + size - 1))
        errx(1, "what was said to need no memory");
    printf("and as much again: %ld MiB\n", (space() - before) / 1024);
    if (munmap(none, size) || munmap(more, size))
        err(1, "munmap");
    printf("given back: %ld KiB, touched: signal %d\n", space() - before, touch(more));
}

static volatile int over;
static __thread uint32_t own;

/* Writes and checks what no other thread has, calls and waits. */
static void *run(void *argument)
{
    uint32_t number = (uintptr_t)argument, rounds = 0, places[64];
    struct timespec shortly = {0, 100000};

    own = number;
    while (!over || rounds < 3) {
        char *chunk = malloc(PAGE + number);
        for (uint32_t i = 0; i < 64; i++)
            places[i] = i * number;
        memset(chunk, (int)number, PAGE);
        if (rounds++ % 16 == number)
            nanosleep(&shortly, NULL);
        getpid();
        for (uint32_t i = 0; i < 64; i++)
            if (places[i] != i * number || own != number || chunk[i * 64] != (char)number)
                errx(1, "thread %u has lost something", number);
        free(chunk);
    }
    return NULL;
}

static void threads(size_t size)
{
    pthread_t all[THREADS];
    char *parts[16];

    for (uintptr_t i = 0; i < THREADS; i++)
        if (pthread_create(&all[i], NULL, run, (void *)(i + 1)))
            errx(1, "thread");
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 16; i++) {
            parts[i] = map(size / 16, PROT_READ | PROT_WRITE, MAP_NORESERVE);
            for (size_t at = 0; at < size / 16; at += MIB)
                *(size_t *)(parts[i] + at) = at + i;
            sched_yield();
        }
        for (int i = 0; i < 16; i++) {
            for (size_t at = 0; at < size / 16; at += MIB)
                if (*(size_t *)(parts[i] + at) != at + i)
                    errx(1, "part %d has lost something", i);
            if (munmap(parts[i], size / 16))
                err(1, "munmap");
        }
    }
    over = 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(all[i], NULL);
    printf("threads: all is where it was\n");
}

static void chunks(size_t size)
{
    size_t count = size / CHUNK, differ = 0;
    size_t **all = calloc(count, sizeof *all);

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < count; i++) {
            if (all[i])
                continue;
            if (!(all[i] = malloc(CHUNK - 16)))
                err(1, "chunk %zu", i);
            *all[i] = i;
        }
        for (size_t i = 0; i < count; i++) {
            differ += *all[i] != i;
            if (i % 3 != 0 || round == 1) {
                free(all[i]);
                all[i] = NULL;
            }
        }
    }
    printf("%zu chunks: %zu differ\n", count, differ);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    size_t size = argc > 2 ? strtoul(argv[2], NULL, 10) * MIB : 0;

    if (!strcmp(what, "pieces") && argc == 4)
        pieces(size, strtoul(argv[3], NULL, 10));
    else if (!strcmp(what, "reserve") && argc == 3)
        reserve(size);
    else if (!strcmp(what, "threads") && argc == 3)
        threads(size);
    else if (!strcmp(what, "chunks") && argc == 3)
        chunks(size);
    else if (!strcmp(what, "hold") && argc == 4) {
        map(size, PROT_NONE, 0);
        fflush(stdout);
        return system(argv[3]) != 0;
    } else
        return 2;
    return 0;
}
