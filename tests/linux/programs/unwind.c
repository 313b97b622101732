// gcc -fexceptions
/* A thread is cancelled in a system call: unwinding gets out of that, to what its caller cleans up. */
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static int ends[2];

static void clean(int *value)
{
    printf("cleaned up after %d\n", *value);
}

static void __attribute__((noinline)) wait_for(int depth)
{
    int __attribute__((cleanup(clean))) own = depth;
    char byte;

    if (depth < 3)
        wait_for(depth + 1);
    else if (read(ends[0], &byte, 1) != -1)
        errx(1, "something came");
}

static void *run(void *argument)
{
    wait_for(1);
    return argument;
}

int main(void)
{
    pthread_t thread;
    void *result;

    if (pipe(ends) || pthread_create(&thread, NULL, run, NULL))
        errx(1, "begin");
    usleep(100000);
    if (pthread_cancel(thread) || pthread_join(thread, &result))
        errx(1, "end");
    puts(result == PTHREAD_CANCELED ? "cancelled" : "returned");
    return 0;
}
