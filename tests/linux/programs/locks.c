/* Locks of files and of their parts, between processes and between descriptions. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, int result)
{
    printf("%s: %s\n", what, result < 0 ? strerror(errno) : "done");
}

static int lock(int file, int command, int kind, off_t start, off_t length)
{
    struct flock lock = {.l_type = kind, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(file, command, &lock);
}

static void ask(int file, int command, off_t start, off_t length)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    if (fcntl(file, command, &lock))
        perror("ask");
    printf("%ld+%ld: kind %d, %ld+%ld, %s\n", (long)start, (long)length, lock.l_type, (long)lock.l_start, (long)lock.l_len,
           lock.l_type == F_UNLCK ? "nobody" : lock.l_pid == getppid() ? "parent" : lock.l_pid == -1 ? "description" : "other");
}

static void in_child(void (*what)(int), int file)
{
    if (!fork()) {
        what(file);
        _exit(0);
    }
    wait(NULL);
}

static void look(int file)
{
    ask(file, F_GETLK, 0, 0);
    ask(file, F_GETLK, 30, 10);
    ask(file, F_GETLK, 60, 0);
    say("in the way", lock(file, F_SETLK, F_RDLCK, 15, 1));
    say("shared", lock(file, F_SETLK, F_RDLCK, 35, 1));
    say("not alone", lock(file, F_SETLK, F_WRLCK, 35, 1));
    say("free", lock(file, F_SETLK, F_WRLCK, 60, 0));
}

static void by_another(int file)
{
    (void)file;
    int other = open("/tmp/locked", O_RDWR);
    say("flock", flock(other, LOCK_EX | LOCK_NB));
    say("flock shared", flock(other, LOCK_SH | LOCK_NB));
    say("parts", lock(other, F_SETLK, F_WRLCK, 0, 0));
}

static void inherited(int file)
{
    say("the same description", flock(file, LOCK_EX | LOCK_NB));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    int file = open("/tmp/locked", O_RDWR | O_CREAT | O_TRUNC, 0600);
    say("write", lock(file, F_SETLK, F_WRLCK, 10, 20));
    say("read", lock(file, F_SETLK, F_RDLCK, 25, 20));
    in_child(look, file);
    say("unlock", lock(file, F_SETLK, F_UNLCK, 12, 20));
    in_child(look, file);
    // Whichever descriptor is closed.
    close(open("/tmp/locked", O_RDONLY));
    in_child(look, file);

    say("flock", flock(file, LOCK_EX));
    in_child(by_another, file);
    in_child(inherited, file);
    say("shared", flock(file, LOCK_SH));
    in_child(by_another, file);
    say("free", flock(file, LOCK_UN));
    in_child(by_another, file);
    say("wrong", flock(file, 3));

    int other = open("/tmp/locked", O_RDWR), only = open("/tmp/locked", O_RDONLY);
    say("a description's", lock(file, F_OFD_SETLK, F_WRLCK, 0, 5));
    say("another's", lock(other, F_OFD_SETLK, F_WRLCK, 4, 5));
    ask(other, F_OFD_GETLK, 0, 0);
    close(file);
    say("then", lock(other, F_OFD_SETLK, F_WRLCK, 4, 5));
    say("only read", lock(only, F_SETLK, F_WRLCK, 0, 5));
    say("before the file", lock(other, F_SETLK, F_WRLCK, -1, 5));
    say("kind", lock(other, F_SETLK, 9, 0, 5));
    close(only);
    close(other);

    // Who waits goes on when it is its turn, in any case one after the other.
    file = open("/tmp/locked", O_RDWR | O_TRUNC);
    for (int child = 0; child < 4; child++)
        if (!fork()) {
            int own = open("/tmp/locked", O_RDWR);
            for (int i = 0; i < 25; i++) {
                char text[16] = "";
                if (child % 2 ? lock(own, F_SETLKW, F_WRLCK, 0, 0) : lock(own, F_OFD_SETLKW, F_WRLCK, 0, 0))
                    _exit(1);
                if (pread(own, text, 15, 0) < 0)
                    _exit(1);
                usleep(500);
                int length = snprintf(text, sizeof text, "%d\n", atoi(text) + 1);
                if (pwrite(own, text, length, 0) != length)
                    _exit(1);
                lock(own, child % 2 ? F_SETLK : F_OFD_SETLK, F_UNLCK, 0, 0);
            }
            _exit(0);
        }
    int status, failed = 0;
    while (wait(&status) > 0)
        failed |= status;
    char text[16] = "";
    failed |= pread(file, text, 15, 0) != 4;
    printf("in turn: %d %d\n", failed, atoi(text));
    pid_t holder = fork();
    if (!holder) {
        flock(open("/tmp/locked", O_RDWR), LOCK_EX);
        pause();
    }
    usleep(100000);
    say("held", flock(file, LOCK_EX | LOCK_NB));
    kill(holder, 9);
    say("set free by its end", flock(file, LOCK_EX));
    return 0;
}
