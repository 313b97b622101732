// gcc -lrt
/* Timers that send signals, signals that are queued with something to say, and who takes them. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static volatile int count, codes, values;
static volatile pid_t taker;

static void handler(int signal, siginfo_t *info, void *context)
{
    (void)context;
    count++;
    codes = info->si_code;
    values = info->si_value.sival_int;
    taker = syscall(SYS_gettid);
    if (signal == SIGRTMIN + 1)
        printf("handled: %d\n", info->si_value.sival_int);
}

static void handle(int signal)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(signal, &action, NULL);
}

static void block(int how, int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigprocmask(how, &set, NULL);
}

static void say(const char *what, long result)
{
    printf("%s: %s\n", what, result < 0 ? strerror(errno) : "done");
}

static void queued(void)
{
    int signal = SIGRTMIN + 1;
    handle(signal);
    block(SIG_BLOCK, signal);
    for (int i = 1; i <= 5; i++)
        sigqueue(getpid(), signal, (union sigval){.sival_int = i * 11});
    block(SIG_BLOCK, SIGRTMIN + 2);
    block(SIG_BLOCK, SIGUSR1);
    for (int i = 1; i <= 3; i++) {
        sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = i});
        sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = i});
    }
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 2);
    sigaddset(&set, SIGUSR1);
    struct timespec none = {0, 0};
    for (int taken; (taken = sigtimedwait(&set, &info, &none)) > 0;)
        printf("taken: %s %d from me %d code %d\n", taken == SIGUSR1 ? "USR1" : "RTMIN+2", info.si_value.sival_int,
               info.si_pid == getpid(), info.si_code);
    printf("then: %s\n", strerror(errno));
    block(SIG_UNBLOCK, signal);
    printf("count: %d\n", count);
    // Another process's, by a handler and by a descriptor.
    block(SIG_BLOCK, signal);
    pid_t child = fork();
    if (!child) {
        for (int i = 0; i < 3; i++)
            sigqueue(getppid(), signal, (union sigval){.sival_int = 100 + i});
        sigqueue(getppid(), SIGRTMIN + 2, (union sigval){.sival_ptr = (void *)0x1234});
        siginfo_t forged = {.si_code = SI_USER};
        say("forged", syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &forged));
        _exit(0);
    }
    waitpid(child, NULL, 0);
    block(SIG_UNBLOCK, signal);
    int file = signalfd(-1, &set, SFD_NONBLOCK);
    struct signalfd_siginfo told;
    printf("read: %zd", read(file, &told, sizeof told));
    printf(" %d from child %d, %llx\n", told.ssi_code, told.ssi_pid == (unsigned)child, (unsigned long long)told.ssi_ptr);
    say("nobody", sigqueue(99999, SIGUSR1, (union sigval){0}));
    struct sigaction ignored = {.sa_handler = SIG_IGN};
    block(SIG_BLOCK, signal);
    sigqueue(getpid(), signal, (union sigval){.sival_int = 7});
    sigaction(signal, &ignored, NULL);
    sigset_t pending;
    sigpending(&pending);
    printf("ignored is gone: %d\n", !sigismember(&pending, signal));
}

static void full(void)
{
    signal(SIGRTMIN + 3, SIG_DFL);
    block(SIG_BLOCK, SIGRTMIN + 3);
    struct rlimit limit = {.rlim_cur = 20, .rlim_max = 20};
    setrlimit(RLIMIT_SIGPENDING, &limit);
    int sent = 0;
    while (sent < 100000 && !sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = sent}))
        sent++;
    printf("full: %s %d\n", strerror(errno), sent <= 20);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 3);
    siginfo_t info;
    int taken = 0, in_order = 1;
    struct timespec none = {0, 0};
    while (sigtimedwait(&set, &info, &none) > 0)
        in_order &= info.si_value.sival_int == taken++;
    printf("in order: %d, all: %d\n", in_order, taken == sent);
}

static void wait_for(int wanted)
{
    for (int i = 0; i < 2000 && count < wanted; i++)
        usleep(2000);
}

static void timers(void)
{
    timer_t timer, silent, other;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 4711};
    handle(SIGUSR2);
    printf("create: %d\n", timer_create(CLOCK_MONOTONIC, &event, &timer));
    struct itimerspec once = {.it_value.tv_nsec = 10000000}, often = {{0, 5000000}, {0, 5000000}}, none = {0}, left;
    count = 0;
    timer_settime(timer, 0, &once, NULL);
    wait_for(1);
    usleep(30000);
    printf("once: %d %d %d\n", count, codes == SI_TIMER, values);
    timer_gettime(timer, &left);
    printf("over: %ld %ld\n", (long)left.it_value.tv_sec, left.it_value.tv_nsec);
    timer_settime(timer, 0, &often, NULL);
    wait_for(4);
    printf("again: %d\n", count >= 4);
    block(SIG_BLOCK, SIGUSR2);
    usleep(60000);
    count = 0;
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    siginfo_t info;
    sigwaitinfo(&set, &info);
    printf("overrun: %d %d\n", info.si_overrun >= 5, timer_getoverrun(timer) == info.si_overrun);
    timer_settime(timer, 0, &none, &left);
    printf("interval: %ld\n", left.it_interval.tv_nsec);
    block(SIG_UNBLOCK, SIGUSR2);
    usleep(20000);
    printf("stopped: %d\n", count);

    event.sigev_notify = SIGEV_NONE;
    timer_create(CLOCK_REALTIME, &event, &silent);
    clock_gettime(CLOCK_REALTIME, &start);
    struct itimerspec at = {.it_value = {start.tv_sec + 100, 0}};
    timer_settime(silent, TIMER_ABSTIME, &at, NULL);
    timer_gettime(silent, &left);
    printf("a date: %d\n", left.it_value.tv_sec == 98 || left.it_value.tv_sec == 99 || left.it_value.tv_sec == 100);

    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGRTMIN + 5;
    event.sigev_notify_thread_id = syscall(SYS_gettid);
    handle(SIGRTMIN + 5);
    printf("to a thread: %d\n", timer_create(CLOCK_MONOTONIC, &event, &other));
    count = 0;
    timer_settime(other, 0, &once, NULL);
    wait_for(1);
    printf("taken by it: %d\n", taker == syscall(SYS_gettid));
    event.sigev_notify_thread_id = 99999;
    say("to another's", timer_create(CLOCK_MONOTONIC, &event, &other));
    printf("delete: %d %d %d\n", timer_delete(timer), timer_delete(silent), timer_delete(timer));

    // What it uses of the processor.
    timer_t used;
    event.sigev_notify = SIGEV_SIGNAL;
    timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &used);
    count = 0;
    once.it_value.tv_nsec = 50000000;
    timer_settime(used, 0, &once, NULL);
    usleep(120000);
    printf("asleep: %d\n", count);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    while (!count && end.tv_sec - start.tv_sec < 5);
    printf("at work: %d\n", count);
    timer_delete(used);
}

static void in_thread(union sigval value)
{
    values = value.sival_int;
    count++;
}

static void more(void)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = in_thread, .sigev_value.sival_int = 5};
    count = 0;
    printf("threads: %d\n", timer_create(CLOCK_MONOTONIC, &event, &timer));
    struct itimerspec once = {.it_value.tv_nsec = 10000000};
    timer_settime(timer, 0, &once, NULL);
    wait_for(1);
    printf("called: %d %d\n", count, values);
    timer_delete(timer);

    handle(SIGVTALRM);
    handle(SIGPROF);
    handle(SIGALRM);
    struct itimerval soon = {.it_value.tv_usec = 30000}, before;
    for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++) {
        count = 0;
        setitimer(which, &soon, NULL);
        getitimer(which, &before);
        int set = before.it_value.tv_sec == 0 && before.it_value.tv_usec > 0 && before.it_value.tv_usec <= 40000;
        for (volatile unsigned long i = 0; i < 4000000000UL && !count; i++)
            ;
        getitimer(which, &before);
        printf("alarm %d: %d %d, then %ld\n", which, set, count, (long)before.it_value.tv_usec);
    }
    say("no alarm", setitimer(3, &soon, NULL));
    pid_t child = fork();
    if (!child)
        _exit(9);
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    child = fork();
    if (!child)
        _exit(9);
    sigwaitinfo(&set, &info);
    printf("child: %d %d\n", info.si_code == CLD_EXITED, info.si_status);
    while (wait(NULL) > 0)
        ;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    queued();
    timers();
    more();
    full();
    return 0;
}
