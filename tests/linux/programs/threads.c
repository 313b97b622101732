/* Threads of a program as glibc makes them: what they share, what each has alone, how they wait for one another. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define ROUNDS 2000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static long counter;
static __thread long own;

/* All add to one number under a lock, giving way inside it, so that others find it taken. */
static void *count(void *argument)
{
    own = (long)argument;
    pthread_barrier_wait(&barrier);
    for (int round = 0; round < ROUNDS; round++) {
        pthread_mutex_lock(&lock);
        long before = counter;
        if (round % 50 == 0)
            sched_yield();
        counter = before + 1;
        pthread_mutex_unlock(&lock);
    }
    return (void *)(own * 10);
}

static void contend(void)
{
    pthread_t threads[THREADS];
    long sum = 0;
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (long number = 0; number < THREADS; number++)
        pthread_create(&threads[number], NULL, count, (void *)number);
    for (int number = 0; number < THREADS; number++) {
        void *result;
        pthread_join(threads[number], &result);
        sum += (long)result;
    }
    printf("counted %ld, own numbers %ld, mine %ld\n", counter, sum, own);
}

/* Two hand a number to one another. */
static int turn;

static void *pong(void *argument)
{
    (void)argument;
    pthread_mutex_lock(&lock);
    for (int round = 0; round < 500; round++) {
        while (turn % 2 == 0)
            pthread_cond_wait(&changed, &lock);
        turn++;
        pthread_cond_signal(&changed);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void exchange(void)
{
    pthread_t other;
    pthread_create(&other, NULL, pong, NULL);
    pthread_mutex_lock(&lock);
    for (int round = 0; round < 500; round++) {
        turn++;
        pthread_cond_signal(&changed);
        while (turn % 2 == 1)
            pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
    pthread_join(other, NULL);
    printf("turn %d\n", turn);
}

/* A wait that nobody ends but time. */
static void overtime(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&lock);
    int error = pthread_cond_timedwait(&changed, &lock, &until);
    pthread_mutex_unlock(&lock);
    printf("waited: %s\n", strerror(error));
}

/* A thread's owner dies with a lock. */
static pthread_mutex_t robust;

static void *die(void *argument)
{
    pthread_mutex_lock(&robust);
    return argument;
}

static void inherit(void)
{
    pthread_mutexattr_t attributes;
    pthread_t thread;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attributes);
    pthread_create(&thread, NULL, die, NULL);
    pthread_join(thread, NULL);
    int error = pthread_mutex_lock(&robust);
    printf("lock of the dead: %s\n", strerror(error));
    pthread_mutex_consistent(&robust);
    printf("unlocked: %d\n", pthread_mutex_unlock(&robust));
}

/* A signal to one thread, and the end of another that waits. */
static pthread_t taker;
static volatile int taken;

static void handle(int signal)
{
    (void)signal;
    taken = pthread_equal(pthread_self(), taker) ? 1 : 2;
}

static void *take(void *argument)
{
    while (!taken)
        usleep(1000);
    return argument;
}

static void *wait_for_ever(void *argument)
{
    for (;;)
        pause();
    return argument;
}

static void interrupt(void)
{
    void *result;
    signal(SIGUSR1, handle);
    pthread_create(&taker, NULL, take, NULL);
    pthread_kill(taker, SIGUSR1);
    pthread_join(taker, NULL);
    printf("taken by %s\n", taken == 1 ? "the right one" : "another");
    pthread_t waiter;
    pthread_create(&waiter, NULL, wait_for_ever, NULL);
    pthread_cancel(waiter);
    pthread_join(waiter, &result);
    printf("cancelled: %d\n", result == PTHREAD_CANCELED);
}

/* A child of a process with several threads has one, and shares a semaphore with its parent. */
static void fork_among_threads(void)
{
    sem_t *semaphore = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_t waiter;
    int status;
    sem_init(semaphore, 1, 0);
    pthread_create(&waiter, NULL, wait_for_ever, NULL);
    pid_t child = fork();
    if (child == 0) {
        usleep(1000);
        sem_post(semaphore);
        _exit(syscall(SYS_gettid) == getpid() ? 7 : 8);
    }
    sem_wait(semaphore);
    waitpid(child, &status, 0);
    printf("child: %d\n", WEXITSTATUS(status));
    pthread_cancel(waiter);
    pthread_join(waiter, NULL);
}

/* What a child with its parent's memory could not execute its parent hears of. */
static void spawn(void)
{
    extern char **environ;
    char *arguments[] = {"true", NULL};
    pid_t child;
    int status;
    printf("spawn: %s\n", strerror(posix_spawn(&child, "/nothing", NULL, NULL, arguments, environ)));
    printf("spawn: %d\n", posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ));
    waitpid(child, &status, 0);
    printf("status: %d\n", status);
}

static void *finish(void *argument)
{
    usleep(1000);
    puts("the last one");
    fflush(stdout);
    return argument;
}

static void *become(void *argument)
{
    fflush(stdout);
    execl("/bin/echo", "echo", "another program", (char *)NULL);
    return argument;
}

int main(int count, char **arguments)
{
    pthread_t thread;
    (void)arguments;
    if (count > 1) {
        /* Its first thread ends before the others. */
        pthread_create(&thread, NULL, finish, NULL);
        pthread_exit(NULL);
    }
    contend();
    exchange();
    overtime();
    inherit();
    interrupt();
    fork_among_threads();
    spawn();
    pthread_create(&thread, NULL, become, NULL);
    pthread_join(thread, NULL);
    return 1;
}
