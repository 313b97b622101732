/* Files that several processes map and write, by their mappings and by calls. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, long result)
{
    if (result < 0)
        printf("%s: %s\n", what, strerror(errno));
    else
        printf("%s: %ld\n", what, result);
}

static sigjmp_buf back;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)context;
    siglongjmp(back, signal == SIGBUS && info->si_code == BUS_ADRERR ? 1 : 2);
}

static void contents(int file, off_t at, const char *when)
{
    char bytes[9] = "";
    ssize_t length = pread(file, bytes, 8, at);
    printf("%s: %zd %s\n", when, length, bytes);
}

static void one_file(void)
{
    int file = open("/tmp/shared", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (ftruncate(file, 10000))
        return;
    char *one = mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    int again = open("/tmp/shared", O_RDONLY);
    char *other = mmap(NULL, 12288, PROT_READ, MAP_SHARED, again, 0);
    char *private = mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    strcpy(one + 100, "mapped");
    printf("%s %s\n", other + 100, private + 100);
    contents(file, 100, "by call");
    strcpy(private + 100, "private");
    printf("%s\n", one + 100);
    if (pwrite(file, "written", 8, 5000) != 8)
        return;
    printf("%s %s\n", one + 5000, other + 5000);
    if (!fork()) {
        strcpy(one + 200, "child");
        _exit(0);
    }
    wait(NULL);
    printf("%s\n", other + 200);
    say("protect", mprotect(other, 4096, PROT_READ | PROT_WRITE));
    printf("read only %d\n", mmap(NULL, 4096, PROT_WRITE | PROT_READ, MAP_SHARED, again, 0) == MAP_FAILED);
    printf("sync %d\n", msync(one, 12288, MS_SYNC));
    strcpy(one + 9990, "beyond the end");
    if (ftruncate(file, 9995) || ftruncate(file, 10000))
        return;
    contents(file, 9990, "cut off");
    printf("[%s]\n", one + 9990);
    if (ftruncate(file, 4096))
        return;
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    if (!sigsetjmp(back, 1)) {
        char *third = mmap(NULL, 12288, PROT_READ, MAP_SHARED, file, 0);
        printf("%d\n", third[8192]);
    } else {
        puts("behind the end");
    }
    say("by a call", write(1, mmap(NULL, 12288, PROT_READ, MAP_SHARED, file, 0) + 8192, 1));
    munmap(one, 12288);
    munmap(other, 12288);
    close(again);
    contents(file, 200, "unmapped");
    close(file);
    file = open("/tmp/shared", O_RDONLY);
    contents(file, 100, "opened again");
    close(file);
}

static void copied(void)
{
    int file = open("/tmp/source", O_RDWR | O_CREAT | O_TRUNC, 0600), copy = open("/tmp/copy", O_RDWR | O_CREAT, 0600);
    off64_t from = 4094;
    if (ftruncate(file, 8192))
        return;
    char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    memcpy(map + 4094, "HELLO!!", 7);
    say("copied", copy_file_range(file, &from, copy, NULL, 7, 0));
    printf("%lld %lld\n", (long long)from, (long long)lseek(copy, 0, SEEK_CUR));
    contents(copy, 0, "copy");
    close(copy);
    close(file);
}

/* A file of the initial tree. */
static void data_file(void)
{
    int file = open("/data/nums", O_RDWR);
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    memcpy(map, "changed", 7);
    contents(file, 0, "data");
    munmap(map, 4096);
    contents(file, 0, "data");
    close(file);
}

static void nameless(void)
{
    int file = memfd_create("name", MFD_CLOEXEC);
    struct stat status;
    struct iovec pieces[2] = {{"he", 2}, {"llo!", 5}};
    if (ftruncate(file, 8192) || pwritev(file, pieces, 2, 4094) != 7)
        return;
    char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    printf("%s\n", map + 4094);
    if (posix_fallocate(file, 0, 20000) || fstat(file, &status))
        return;
    printf("%lld %o\n", (long long)status.st_size, status.st_mode);
    close(file);
}

struct counters {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    sem_t semaphore;
    int count;
};

/* Locks and semaphores in a file, between processes that map it by themselves. */
static void locks(void)
{
    mkdir("/dev/shm", 01777);
    int file = shm_open("/counters", O_RDWR | O_CREAT, 0600);
    if (ftruncate(file, sizeof(struct counters)))
        return;
    struct counters *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    pthread_mutexattr_t lock;
    pthread_condattr_t condition;
    pthread_mutexattr_init(&lock);
    pthread_mutexattr_setpshared(&lock, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->lock, &lock);
    pthread_condattr_init(&condition);
    pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&shared->changed, &condition);
    sem_init(&shared->semaphore, 1, 0);
    for (int child = 0; child < 3; child++)
        if (!fork()) {
            munmap(shared, sizeof *shared);
            file = shm_open("/counters", O_RDWR, 0);
            shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
            for (int i = 0; i < 200; i++) {
                pthread_mutex_lock(&shared->lock);
                shared->count++;
                pthread_cond_signal(&shared->changed);
                pthread_mutex_unlock(&shared->lock);
                if (i % 50 == 0)
                    usleep(1000);
            }
            sem_post(&shared->semaphore);
            _exit(0);
        }
    pthread_mutex_lock(&shared->lock);
    while (shared->count < 600)
        pthread_cond_wait(&shared->changed, &shared->lock);
    pthread_mutex_unlock(&shared->lock);
    for (int child = 0; child < 3; child++)
        sem_wait(&shared->semaphore);
    while (wait(NULL) > 0)
        ;
    printf("count %d, unlink %d\n", shared->count, shm_unlink("/counters"));
    sem_t *named = sem_open("/named", O_CREAT, 0600, 1);
    say("named", sem_wait(named));
    say("again", sem_trywait(named));
    sem_unlink("/named");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    one_file();
    data_file();
    nameless();
    copied();
    locks();
    return 0;
}
