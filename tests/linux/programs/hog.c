/* Takes all that there is of something, and says how that ended. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, PAGE = 4096 };

/* Allocates and fills until it is refused, or ended. */
static void allocate(void)
{
    for (;;) {
        char *bytes = malloc(MIB);
        if (bytes == NULL)
            return;
        memset(bytes, 1, MIB);
    }
}

static void heap(void)
{
    for (;;) {
        char *bytes = sbrk(MIB);
        if (bytes == (void *)-1)
            return;
        memset(bytes, 1, MIB);
    }
}

static void map(void)
{
    for (;;) {
        char *bytes = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (bytes == MAP_FAILED)
            return;
        memset(bytes, 1, MIB);
    }
}

static void share(void)
{
    for (;;) {
        char *bytes = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (bytes == MAP_FAILED)
            return;
        memset(bytes, 1, MIB);
    }
}

/* As many areas as it gets, none of which goes on in the next. */
static void areas(void)
{
    for (;;) {
        char *bytes = mmap(NULL, 64 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (bytes == MAP_FAILED)
            return;
        for (int page = 0; page < 64; page += 2)
            if (mprotect(bytes + page * PAGE, PAGE, PROT_NONE) != 0)
                return;
    }
}

/* A memory of so many bytes, some of which are used, many times. */
static void multiply(size_t size, size_t used)
{
    char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED)
        return;
    memset(bytes + size - used, 1, used);
    setpgid(0, 0);
    int children = 0;
    while (fork() > 0)
        children++;
    if (getpgrp() != getpid())
        pause();
    printf("forked some: %d, then refused: %d\n", children > 10, errno == ENOMEM || errno == EAGAIN);
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    while (wait(NULL) > 0)
        ;
}

static void copies(void)
{
    multiply(40 * MIB, 40 * MIB);
}

/* More address space than a 32-bit program begins with, many times. */
static void spaces(void)
{
    multiply((size_t)300 * MIB, MIB);
}

/* Address space, until there is no more: the page tables of what is touched are what it takes. */
static void scatter(void)
{
    for (;;) {
        char *bytes = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (bytes == MAP_FAILED)
            return;
        for (int at = 0; at < 64; at += 2)
            bytes[at * MIB] = 1;
    }
}

/* Numbers of calls that there are not. */
static void calls(void)
{
    for (int number = 1000; number < 5000; number++)
        if (syscall(number) != -1 || errno != ENOSYS)
            printf("call %d: %s\n", number, strerror(errno));
}

/* Files, then bytes of one. */
static void fill(void)
{
    static char bytes[MIB];
    char name[40];
    int made = 0;
    mkdir("/tmp/hog", 0755);
    int file = open("/tmp/hog/large", O_CREAT | O_WRONLY, 0644);
    while (write(file, bytes, sizeof bytes) > 0)
        ;
    printf("a large file: %s\n", strerror(errno));
    while (write(file, bytes, PAGE) > 0)
        ;
    for (;; made++) {
        sprintf(name, "/tmp/hog/%d", made);
        int small = open(name, O_CREAT | O_WRONLY, 0644);
        if (small < 0)
            break;
        close(small);
    }
    printf("many files: %s\n", strerror(errno));
    while (made-- > 0) {
        sprintf(name, "/tmp/hog/%d", made);
        unlink(name);
    }
    close(file);
    unlink("/tmp/hog/large");
    rmdir("/tmp/hog");
}

static const struct {
    const char *name;
    void (*take)(void);
} WAYS[] = {
    { "malloc", allocate }, { "brk", heap },      { "mmap", map },     { "share", share },
    { "areas", areas },     { "copies", copies }, { "calls", calls },  { "fill", fill },
    { "spaces", spaces },   { "scatter", scatter },
};

int main(int count, char **arguments)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        if (count != 2 || strcmp(arguments[1], WAYS[i].name) != 0)
            continue;
        pid_t pid = fork();
        if (pid == 0) {
            WAYS[i].take();
            _exit(0);
        }
        int status;
        waitpid(pid, &status, 0);
        /* Whether it is refused or ended is up to how the system promises memory: in neither case anybody else is. */
        if (WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL)
            printf("%s: over\n", WAYS[i].name);
        else
            printf("%s: status %#x\n", WAYS[i].name, status);
        return 0;
    }
    return 2;
}
