/* epoll, eventfd, timerfd, signalfd and what waits for signals, as a program of several sources of events uses them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void say(const char *what, long result)
{
    if (result < 0)
        printf("%s: %s\n", what, strerror(errno));
    else
        printf("%s: %ld\n", what, result);
}

static int watch;

static void add(int file, uint32_t events, uint64_t data)
{
    struct epoll_event event = {.events = events, .data.u64 = data};
    if (epoll_ctl(watch, EPOLL_CTL_ADD, file, &event))
        printf("add %llu: %s\n", (unsigned long long)data, strerror(errno));
}

static int by_data(const void *one, const void *other)
{
    const struct epoll_event *a = one, *b = other;
    return a->data.u64 < b->data.u64 ? -1 : a->data.u64 > b->data.u64;
}

static void show(const char *when, int timeout)
{
    struct epoll_event events[16];
    int count = epoll_wait(watch, events, 16, timeout);
    printf("%s:", when);
    if (count < 0)
        printf(" %s", strerror(errno));
    else
        qsort(events, count, sizeof *events, by_data);
    for (int i = 0; i < count; i++)
        printf(" %llu=%x", (unsigned long long)events[i].data.u64, events[i].events);
    putchar('\n');
}

static void levels_and_edges(void)
{
    int level[2], edge[2], pair[2];
    char bytes[8];
    if (pipe(level) || pipe(edge) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        return;
    fcntl(edge[0], F_SETFL, O_NONBLOCK);
    add(level[0], EPOLLIN, 1);
    add(edge[0], EPOLLIN | EPOLLET, 2);
    add(pair[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 3);
    show("at first", 0);
    show("told", 0);
    if (write(level[1], "abcd", 4) != 4 || write(edge[1], "abcd", 4) != 4 || write(pair[1], "x", 1) != 1)
        return;
    show("written", -1);
    show("not read", 0);
    if (read(level[0], bytes, 2) != 2 || read(edge[0], bytes, 2) != 2)
        return;
    show("half read", 0);
    if (write(edge[1], "e", 1) != 1)
        return;
    show("more", 0);
    if (read(level[0], bytes, 8) != 2 || read(edge[0], bytes, 8) != 3 || read(edge[0], bytes, 8) != -1)
        return;
    show("read", 0);
    if (write(edge[1], "f", 1) != 1)
        return;
    show("again", 0);
    close(pair[1]);
    close(edge[1]);
    show("closed", 0);
    close(level[0]);
    close(edge[0]);
    close(pair[0]);
    close(level[1]);
    show("all closed", 0);
}

static void once_and_changes(void)
{
    int counter = eventfd(3, EFD_NONBLOCK), other = dup(counter);
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 9};
    uint64_t value = 0;
    add(counter, EPOLLIN | EPOLLONESHOT, 8);
    show("once", 0);
    show("no more", 0);
    printf("mod %d\n", epoll_ctl(watch, EPOLL_CTL_MOD, counter, &event));
    show("armed", 0);
    say("add twice", epoll_ctl(watch, EPOLL_CTL_ADD, counter, &event));
    printf("other %d\n", epoll_ctl(watch, EPOLL_CTL_ADD, other, &event));
    say("absent", epoll_ctl(watch, EPOLL_CTL_DEL, 0, &event));
    say("file", epoll_ctl(watch, EPOLL_CTL_ADD, open("/data/text", O_RDONLY), &event));
    printf("del %d\n", epoll_ctl(watch, EPOLL_CTL_DEL, counter, &event));
    show("other is left", 0);
    printf("read %zd", read(counter, &value, 8));
    printf(" %llu\n", (unsigned long long)value);
    say("empty", read(counter, &value, 8));
    value = UINT64_MAX;
    say("too much", write(counter, &value, 8));
    value = UINT64_MAX - 1;
    printf("most %zd\n", write(counter, &value, 8));
    value = 1;
    say("full", write(counter, &value, 8));
    say("short", read(counter, &value, 4));
    close(counter);
    close(other);
    counter = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    while (read(counter, &value, 8) == 8)
        printf("one of them: %llu\n", (unsigned long long)value);
    close(counter);
}

static void timers(void)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec set = {.it_value.tv_nsec = 20000000, .it_interval.tv_nsec = 10000000}, left;
    uint64_t count = 0;
    struct pollfd polled = {.fd = timer, .events = POLLIN};
    printf("idle %d\n", poll(&polled, 1, 0));
    timerfd_settime(timer, 0, &set, NULL);
    add(timer, EPOLLIN, 5);
    show("timer", 10000);
    printf("%d", read(timer, &count, 8) == 8 && count >= 1);
    timerfd_gettime(timer, &left);
    printf(" %ld %d\n", left.it_interval.tv_nsec, left.it_value.tv_sec == 0 && left.it_value.tv_nsec <= 10000000);
    usleep(50000);
    printf("%d\n", read(timer, &count, 8) == 8 && count >= 4);
    memset(&set, 0, sizeof set);
    timerfd_settime(timer, 0, &set, &left);
    show("stopped", 30);
    clock_gettime(CLOCK_MONOTONIC, &set.it_value);
    set.it_value.tv_sec -= 1;
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &set, NULL);
    printf("past %zd", read(timer, &count, 8));
    printf(" %llu\n", (unsigned long long)count);
    close(timer);
}

static void signals(void)
{
    sigset_t set;
    struct signalfd_siginfo info;
    siginfo_t taken;
    struct timespec short_time = {.tv_nsec = 20000000};
    int status;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int file = signalfd(-1, &set, 0);
    add(file, EPOLLIN, 6);
    show("no signal", 0);
    kill(getpid(), SIGUSR1);
    show("signal", 0);
    ssize_t length = read(file, &info, sizeof info);
    printf("%zd %d %d\n", length, info.ssi_signo == SIGUSR1, info.ssi_pid == (uint32_t)getpid());
    show("taken", 0);
    pid_t child = fork();
    if (!child)
        _exit(7);
    length = read(file, &info, sizeof info);
    printf("%zd %d %d %d\n", length, info.ssi_signo == SIGCHLD, info.ssi_code, info.ssi_pid == (uint32_t)child);
    printf("waited %d", waitpid(child, &status, 0) == child);
    printf(" %d\n", WEXITSTATUS(status));
    say("timed", sigtimedwait(&set, &taken, &short_time));
    child = fork();
    if (!child) {
        usleep(20000);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    int got = sigwaitinfo(&set, &taken);
    printf("waited for %d %d %d\n", got == SIGUSR1, taken.si_code, taken.si_pid == child);
    printf("and %d", sigwaitinfo(&set, &taken) == SIGCHLD);
    printf(" %d %d\n", taken.si_code, waitpid(child, NULL, 0) == child);
    close(file);
}

static void *adder(void *counter)
{
    uint64_t one = 1;
    for (int i = 0; i < 100; i++)
        if (write(*(int *)counter, &one, 8) != 8)
            return counter;
    return NULL;
}

static void between_threads(void)
{
    int counter = eventfd(0, 0);
    uint64_t value, sum = 0;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, adder, &counter);
    while (sum < 400 && read(counter, &value, 8) == 8)
        sum += value;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    printf("sum %llu\n", (unsigned long long)sum);
}

static void handler(int signal)
{
    (void)signal;
}

/* What has a time limit is not made again after a handler; what has none is. */
static void interrupted(void)
{
    int pair[2];
    char byte;
    struct timeval limit = {.tv_sec = 10};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    sigaction(SIGUSR1, &action, NULL);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        return;
    for (int bounded = 0; bounded < 2; bounded++) {
        if (bounded)
            setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        pid_t child = fork();
        if (!child) {
            usleep(30000);
            kill(getppid(), SIGUSR1);
            usleep(30000);
            _exit(write(pair[1], "z", 1) != 1);
        }
        ssize_t length = recv(pair[0], &byte, 1, 0);
        printf("%s %zd %s\n", bounded ? "bounded" : "unbounded", length, length < 0 ? strerror(errno) : "");
        while (waitpid(child, NULL, 0) != child)
            ;
    }
}

int main(void)
{
    watch = epoll_create1(EPOLL_CLOEXEC);
    levels_and_edges();
    once_and_changes();
    timers();
    signals();
    between_threads();
    interrupted();
    return 0;
}
