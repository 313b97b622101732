/* What a program and its children have used of the processor, by every call that tells it. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MILLISECOND 1000000LL

static long long of_clock(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time))
        return -1;
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long long of_usage(const struct rusage *usage)
{
    long long seconds = usage->ru_utime.tv_sec + usage->ru_stime.tv_sec;
    return seconds * 1000000000LL + (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1000LL;
}

static long long told(int who)
{
    struct rusage usage;
    return getrusage(who, &usage) ? -1 : of_usage(&usage);
}

/* Computes until the thread has used so much. */
static void *work(void *milliseconds)
{
    long long end = of_clock(CLOCK_THREAD_CPUTIME_ID) + *(int *)milliseconds * MILLISECOND;
    volatile unsigned sum = 0;
    while (of_clock(CLOCK_THREAD_CPUTIME_ID) < end)
        for (int i = 0; i < 1000; i++)
            sum += i;
    return NULL;
}

static void expect(const char *what, int holds)
{
    printf("%s: %s\n", what, holds ? "yes" : "no");
}

int main(void)
{
    int some = 60, more = 80;
    struct tms times_told;
    setvbuf(stdout, NULL, _IOLBF, 0);
    long long begin = of_clock(CLOCK_MONOTONIC);
    work(&some);
    expect("a program has used what it has", told(RUSAGE_SELF) >= 60 * MILLISECOND);
    expect("its clock says so", of_clock(CLOCK_PROCESS_CPUTIME_ID) >= 60 * MILLISECOND && clock() >= 60000);
    expect("no more than the time that there was",
           of_clock(CLOCK_PROCESS_CPUTIME_ID) - 60 * MILLISECOND <= of_clock(CLOCK_MONOTONIC) - begin);
    expect("no children", told(RUSAGE_CHILDREN) == 0);

    pthread_t thread;
    pthread_create(&thread, NULL, work, &more);
    pthread_join(thread, NULL);
    expect("threads that ended count", told(RUSAGE_SELF) >= 140 * MILLISECOND);
    expect("not to others", told(RUSAGE_SELF) - told(RUSAGE_THREAD) >= 80 * MILLISECOND);

    long long before = told(RUSAGE_SELF);
    pid_t child = fork();
    if (!child) {
        int is_fresh = told(RUSAGE_SELF) < before;
        if (!fork()) {
            work(&more);
            _exit(0);
        }
        wait(NULL);
        work(&some);
        _exit(!is_fresh);
    }
    clockid_t of_child;
    expect("a child has a clock", clock_getcpuclockid(child, &of_child) == 0 && of_clock(of_child) >= 0);
    struct rusage usage;
    int status;
    wait4(child, &status, 0, &usage);
    expect("a child begins with nothing", status == 0);
    expect("a child's child counts", of_usage(&usage) >= 140 * MILLISECOND);
    expect("and to its parent", told(RUSAGE_CHILDREN) == of_usage(&usage));
    times(&times_told);
    expect("in ticks as well", times_told.tms_cutime + times_told.tms_cstime >= 12);
    expect("its own too", times_told.tms_utime + times_told.tms_stime >= 12);

    char line[1024], *at;
    FILE *file = fopen("/proc/self/stat", "r");
    if (!file || !fgets(line, sizeof line, file) || !(at = strrchr(line, ')')))
        return 1;
    long user, kernel, children_user, children_kernel;
    sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld %ld %ld", &user, &kernel, &children_user,
           &children_kernel);
    expect("/proc says the same", user + kernel >= 12 && children_user + children_kernel >= 12);
    expect("nobody is unknown", getrusage(7, &usage) == -1 && errno == EINVAL);
    struct timespec absent;
    expect("nor a clock", clock_gettime(10, &absent) == -1 && errno == EINVAL);
    return 0;
}
