// What the runtimes of languages ask of the system, as Go's does: much reserved and little used, threads that are interrupted on stacks of their own, a thread that waits for
// files for all others; and what programs that look after others ask.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 8
#define ROUNDS 25
#define RESERVED (384u << 20)
#define PIECE (64u << 10)

static _Atomic int taken, off_stack, stop;
static _Atomic pid_t tids[WORKERS];
static __thread char *own;

static void check(int holds, const char *what)
{
    printf("%s: %s\n", what, holds ? "yes" : "NO");
}

static void interrupted(int signal, siginfo_t *info, void *context)
{
    char here;
    (void)signal, (void)info, (void)context;
    if (&here < own || &here >= own + PIECE)
        off_stack++;
    taken++;
}

static void *work(void *argument)
{
    stack_t stack = {.ss_size = PIECE};
    stack.ss_sp = own = malloc(PIECE);
    sigaltstack(&stack, NULL);
    tids[(long)argument] = gettid();
    for (volatile unsigned long count = 0; !stop;)
        count++;
    return NULL;
}

static void preemption(void)
{
    struct sigaction action = {.sa_sigaction = interrupted, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    pthread_t threads[WORKERS];
    int sent = 0;
    sigfillset(&action.sa_mask);
    sigaction(SIGURG, &action, NULL);
    for (long place = 0; place < WORKERS; place++)
        pthread_create(&threads[place], NULL, work, (void *)place);
    for (int place = 0; place < WORKERS; place++)
        while (tids[place] == 0)
            sched_yield();
    for (int round = 0; round < ROUNDS; round++)
        for (int place = 0; place < WORKERS; place++) {
            int before = taken;
            sent += syscall(SYS_tgkill, getpid(), tids[place], SIGURG) == 0;
            while (taken == before)
                usleep(100);
        }
    stop = 1;
    for (int place = 0; place < WORKERS; place++)
        pthread_join(threads[place], NULL);
    check(sent == WORKERS * ROUNDS && taken == sent, "each signal was taken");
    check(off_stack == 0, "on the thread's own stack");
}

static void memory(void)
{
    char *arena = mmap(NULL, RESERVED, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    long sum = 0;
    check(arena != MAP_FAILED, "much is reserved");
    for (size_t at = 0; at < RESERVED; at += RESERVED / 16) {
        mmap(arena + at, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        memset(arena + at, 3, PIECE);
    }
    check(madvise(arena, PIECE / 2, MADV_DONTNEED) == 0, "pages are given back");
    for (size_t at = 0; at < PIECE; at++)
        sum += arena[at];
    check(sum == 3 * PIECE / 2, "and are empty, and the others are not");
    check(mremap(arena + RESERVED / 16, PIECE, PIECE, MREMAP_MAYMOVE | MREMAP_FIXED, arena + PIECE) == arena + PIECE
              && arena[PIECE] == 3,
          "pages move to where they are told");
    check(mprotect(arena + PIECE, PIECE, PROT_READ) == 0 && arena[2 * PIECE - 1] == 3, "and can be protected");
    check(munmap(arena, RESERVED) == 0, "all is given back");
}

static void *wake(void *argument)
{
    unsigned long long one = 1;
    usleep(5000);
    return (void *)write(*(int *)argument, &one, sizeof one);
}

static void files(void)
{
    int poll = epoll_create1(EPOLL_CLOEXEC), event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), ends[2];
    struct epoll_event wanted = {.events = EPOLLIN, .data.fd = event}, found[4];
    pthread_t thread;
    pipe2(ends, O_NONBLOCK | O_CLOEXEC);
    epoll_ctl(poll, EPOLL_CTL_ADD, event, &wanted);
    wanted = (struct epoll_event){.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = ends[0]};
    epoll_ctl(poll, EPOLL_CTL_ADD, ends[0], &wanted);
    check(epoll_wait(poll, found, 4, 0) == 0, "nothing is there");
    pthread_create(&thread, NULL, wake, &event);
    check(epoll_wait(poll, found, 4, -1) == 1 && found[0].data.fd == event, "a thread wakes who waits for files");
    pthread_join(thread, NULL);
    unsigned long long count = 0;
    check(read(event, &count, sizeof count) == sizeof count && count == 1, "once");
    write(ends[1], "x", 1);
    check(epoll_wait(poll, found, 4, 1000) == 1 && found[0].data.fd == ends[0], "there is something in a pipe");
    check(epoll_wait(poll, found, 4, 0) == 0, "which is told once");
}

static void nothing(int signal)
{
    (void)signal;
}

static void care(void)
{
    struct timespec left = {0};
    int status;
    signal(SIGALRM, nothing);
    ualarm(20000, 0);
    check(nanosleep(&(struct timespec){.tv_sec = 30}, &left) == -1 && errno == EINTR && left.tv_sec == 29,
          "who is woken early knows how much is left");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    fflush(stdout);
    if (fork() == 0) {
        if (fork() == 0) {
            while (getppid() != syscall(SYS_getpgrp))
                usleep(1000);
            _exit(9);
        }
        _exit(8);
    }
    int first = wait(&status) > 0 ? WEXITSTATUS(status) : 0;
    int second = wait(&status) > 0 ? WEXITSTATUS(status) : 0;
    check(first == 8 && second == 9, "who adopts waits for grandchildren");
    if (fork() == 0) {
        struct rlimit limit = {64 << 20, 64 << 20};
        setrlimit(RLIMIT_AS, &limit);
        _exit(malloc(100 << 20) == NULL && malloc(1 << 20) != NULL ? 7 : 0);
    }
    check(wait(&status) > 0 && WEXITSTATUS(status) == 7, "addresses are limited");
}

int main(void)
{
    setpgid(0, 0);
    preemption();
    memory();
    files();
    care();
    return 0;
}
