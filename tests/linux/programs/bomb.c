/* A fork bomb: each process forks as often as it can. Whoever set it off ends it by a signal to all, again and again until nobody is left; or lets it
   go on, if it is told to. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void wait_a_while(long milliseconds)
{
    struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000 * 1000 };
    nanosleep(&time, NULL);
}

int main(int count, char **arguments)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    /* How many forks succeeded, and how many were refused. */
    volatile int *counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        for (;;) {
            pid_t child = fork();
            if (child < 0 && errno != EAGAIN && errno != ENOMEM)
                _exit(1);
            if (child != 0)
                __atomic_add_fetch(&counts[child < 0], 1, __ATOMIC_RELAXED);
            if (child < 0)
                wait_a_while(1);
        }
    }
    setpgid(pid, pid);
    for (int turns = 0; counts[1] < 100 && turns < 600; turns++)
        wait_a_while(100);
    printf("it grew: %d, and was refused: %d\n", counts[0] > 10, counts[1] >= 100);
    if (count > 1 && strcmp(arguments[1], "on") == 0)
        pause();
    /* The first is there until it is waited for. */
    for (int turns = 0; turns < 20; turns++) {
        kill(-pid, SIGKILL);
        wait_a_while(10);
    }
    int status;
    waitpid(pid, &status, 0);
    printf("it is over: signal %d, and nobody is left: %d\n", WTERMSIG(status), kill(-pid, 0) < 0 && errno == ESRCH);
    return 0;
}
