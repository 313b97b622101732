/* SIGKILL for a process in each state that one can be in, and what its parent is told. */
#include <pthread.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Ends of a pipe that nobody writes to, and of one by which children say that they are about to enter their state. */
static int silent[2], ready[2];

static void say(void)
{
    if (write(ready[1], "r", 1) != 1)
        _exit(99);
}

static void running(void)
{
    for (volatile int turns = 0;; turns++)
        ;
}

static void reading(void)
{
    char byte;
    read(silent[0], &byte, 1);
}

static void polling(void)
{
    struct pollfd one = { silent[0], POLLIN, 0 };
    poll(&one, 1, -1);
}

static void sleeping(void)
{
    sleep(1000);
}

static void suspended(void)
{
    sigset_t all;
    sigfillset(&all);
    sigsuspend(&all);
}

static void holds_all_back(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    pause();
}

static void stopped(void)
{
    raise(SIGSTOP);
}

static void waits_for_a_child(void)
{
    if (fork() == 0) {
        sleep(2);
        _exit(0);
    }
    wait(NULL);
}

static void waits_for_its_memory(void)
{
    if (vfork() == 0) {
        sleep(1);
        _exit(0);
    }
}

static void writes_to_a_socket(void)
{
    static char bytes[1 << 20];
    int ends[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    write(ends[0], bytes, sizeof bytes);
}

static void waits_for_a_lock(void)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    pthread_mutex_lock(&lock);
}

static void *thread(void *does)
{
    ((void (*)(void))does)();
    return NULL;
}

static void has_threads(void)
{
    static void (*const all[])(void) = { running, reading, polling, sleeping, waits_for_a_lock };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        pthread_t id;
        pthread_create(&id, NULL, thread, (void *)all[i]);
    }
    pthread_exit(NULL);
}

static const struct {
    const char *name;
    void (*enter)(void);
} STATES[] = {
    { "running", running },
    { "in read", reading },
    { "in poll", polling },
    { "asleep", sleeping },
    { "in sigsuspend", suspended },
    { "holding all signals back", holds_all_back },
    { "stopped", stopped },
    { "waiting for a child", waits_for_a_child },
    { "waiting for its memory", waits_for_its_memory },
    { "writing to a socket", writes_to_a_socket },
    { "waiting for a lock", waits_for_a_lock },
    { "with threads in all these states", has_threads },
};

static void wait_a_while(void)
{
    struct timespec time = { 0, 100 * 1000 * 1000 };
    nanosleep(&time, NULL);
}

static void tell(const char *name, pid_t pid)
{
    int status;
    if (waitpid(pid, &status, 0) != pid)
        printf("%s: no such child\n", name);
    else if (WIFSIGNALED(status))
        printf("%s: signal %d\n", name, WTERMSIG(status));
    else
        printf("%s: status %#x\n", name, status);
}

static void in_a_state(const char *name, void (*enter)(void))
{
    char byte;
    pid_t pid = fork();
    if (pid == 0) {
        say();
        enter();
        pause();
        _exit(98);
    }
    read(ready[0], &byte, 1);
    wait_a_while();
    if (kill(pid, SIGKILL) != 0)
        perror("kill");
    tell(name, pid);
}

/* It has ended already: there is nothing to kill, and its own status stays. */
static void zombie(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(7);
    wait_a_while();
    printf("kill of a zombie: %d\n", kill(pid, SIGKILL));
    tell("zombie", pid);
    printf("kill of nobody: %d\n", kill(pid, SIGKILL));
}

/* What it wrote before is there, and then the end of the pipe. */
static void in_a_long_write(void)
{
    static char bytes[300 * 1000];
    int ends[2];
    pipe(ends);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        memset(bytes, 'w', sizeof bytes);
        write(ends[1], bytes, sizeof bytes);
        _exit(97);
    }
    close(ends[1]);
    read(ends[0], bytes, 1000);
    wait_a_while();
    kill(pid, SIGKILL);
    tell("in a long write", pid);
    size_t total = 1000;
    for (ssize_t count; (count = read(ends[0], bytes, sizeof bytes)) > 0; total += count)
        ;
    printf("it ends: %d, with %s\n", total >= 65536 && total < sizeof bytes, bytes[0] == 'w' ? "what was written" : "else");
    close(ends[0]);
}

/* Whoever waits for who is killed goes on. */
static void others_notice(void)
{
    int ends[2];
    char byte;
    pipe(ends);
    pid_t writer = fork();
    if (writer == 0) {
        close(ends[0]);
        say();
        running();
    }
    pid_t reader = fork();
    if (reader == 0) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? 3 : 4);
    }
    close(ends[0]);
    close(ends[1]);
    read(ready[0], &byte, 1);
    wait_a_while();
    kill(writer, SIGKILL);
    tell("the writer", writer);
    tell("its reader", reader);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    pipe(silent);
    pipe(ready);
    for (size_t i = 0; i < sizeof STATES / sizeof *STATES; i++)
        in_a_state(STATES[i].name, STATES[i].enter);
    zombie();
    in_a_long_write();
    others_notice();
    return 0;
}
