/* Terminals that a program makes: one process types and reads what is printed, the other has the terminal. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int other;
static char path[64];

static void say(const char *what, long result)
{
    if (result < 0)
        printf("%s: %s\n", what, strerror(errno));
    else
        printf("%s: %ld\n", what, result);
}

static void quote(const char *what, const char *bytes, ssize_t length)
{
    printf("%s:", what);
    if (length < 0)
        printf(" %s", strerror(errno));
    for (ssize_t i = 0; i < length; i++)
        printf(bytes[i] >= ' ' && bytes[i] < 127 ? " %c" : " \\%o", bytes[i]);
    putchar('\n');
}

/* The other process has come to wait by then. */
static void type(const char *keys)
{
    usleep(100000);
    if (write(other, keys, strlen(keys)) != (ssize_t)strlen(keys))
        puts("not typed");
}

/* Reads until this has come, or nothing more comes. */
static void expect(const char *what, const char *end)
{
    char all[512] = "";
    size_t length = 0;
    while (length < sizeof all - 1 && !strstr(all, end)) {
        ssize_t count = read(other, all + length, sizeof all - 1 - length);
        if (count <= 0)
            break;
        length += count;
    }
    quote(what, all, length);
}

static void on_signal(int signal)
{
    const char *name = signal == SIGINT ? "INT\n" : signal == SIGWINCH ? "WINCH\n" : "HUP\n";
    if (write(1, name, strlen(name)) < 0)
        _exit(signal == SIGHUP ? 9 : 8);
    if (signal == SIGHUP)
        _exit(7);
}

/* The process at the terminal. */
static void terminal(void)
{
    char line[100];
    struct sigaction action = {.sa_handler = on_signal};
    setsid();
    int file = open(path, O_RDWR);
    for (int i = 0; i < 3; i++)
        dup2(file, i);
    close(file);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGWINCH, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    file = open("/dev/tty", O_RDWR);
    dprintf(file, "%d %d %d\n", isatty(0), tcgetsid(0) == getpid(), tcgetpgrp(file) == getpgrp());
    close(file);
    for (;;) {
        ssize_t count = read(0, line, sizeof line - 1);
        if (count <= 0) {
            dprintf(1, "%s\n", count ? strerror(errno) : "end");
            continue;
        }
        line[count] = 0;
        if (!strcmp(line, "raw\n")) {
            struct termios settings;
            tcgetattr(0, &settings);
            cfmakeraw(&settings);
            settings.c_cc[VMIN] = 3;
            tcsetattr(0, TCSANOW, &settings);
            dprintf(1, "raw\n");
            count = read(0, line, 3);
            dprintf(1, "<%zd>", count);
            for (ssize_t i = 0; i < count; i++)
                dprintf(1, "%d.", line[i]);
            settings.c_cc[VMIN] = 1;
            settings.c_lflag |= ICANON | ECHO | ISIG;
            settings.c_iflag |= ICRNL;
            settings.c_oflag |= OPOST | ONLCR;
            tcsetattr(0, TCSANOW, &settings);
            dprintf(1, "cooked\n");
        } else if (!strcmp(line, "size\n")) {
            struct winsize size;
            ioctl(0, TIOCGWINSZ, &size);
            dprintf(1, "%d by %d\n", size.ws_row, size.ws_col);
        } else if (!strcmp(line, "quit\n")) {
            _exit(3);
        } else {
            dprintf(1, "[%.*s]\n", (int)count - 1, line);
        }
    }
}

static pid_t start(void)
{
    other = posix_openpt(O_RDWR | O_NOCTTY);
    if (other < 0 || grantpt(other) || unlockpt(other) || ptsname_r(other, path, sizeof path)) {
        say("no terminal", -1);
        exit(1);
    }
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        close(other);
        terminal();
    }
    return child;
}

int main(void)
{
    char bytes[64];
    struct stat status;
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    struct pollfd polled;
    int result;
    alarm(20);
    pid_t child = start();
    expect("begins", "\n");
    say("path", !strncmp(path, "/dev/pts/", 9));
    say("stat", stat(path, &status));
    printf("%d %d\n", S_ISCHR(status.st_mode), major(status.st_rdev) == 136);
    type("hepl\177\177lp\r");
    expect("edited", "]\r\n");
    type("two words\027\025three\n");
    expect("erased", "]\r\n");
    type("half");
    expect("half", "half");
    type("\003");
    expect("interrupted", "INT\r\nInterrupted system call\r\n");
    type("\004");
    expect("end", "end\r\n");
    usleep(100000);
    ioctl(other, TIOCSWINSZ, &size);
    expect("window", "call\r\n");
    type("size\n");
    expect("size", "80\r\n");
    ioctl(other, TIOCSWINSZ, &size);
    type("raw\n");
    expect("raw", "raw\n");
    type("\003\r");
    type("x");
    expect("keys", "cooked\r\n");
    say("in front", tcgetpgrp(other) == child);
    polled = (struct pollfd){.fd = other, .events = POLLIN | POLLOUT};
    result = poll(&polled, 1, 0);
    printf("poll %d %x\n", result, polled.revents);
    fcntl(other, F_SETFL, O_NONBLOCK);
    say("empty", read(other, bytes, sizeof bytes));
    fcntl(other, F_SETFL, 0);
    type("quit\n");
    expect("quits", "nothing");
    say("left", read(other, bytes, sizeof bytes));
    result = poll(&polled, 1, 0);
    printf("poll %d %x\n", result, polled.revents);
    waitpid(child, &result, 0);
    printf("status %d\n", WEXITSTATUS(result));
    close(other);
    say("gone", stat(path, &status));

    child = start();
    expect("again", "\n");
    int here = open(path, O_RDWR | O_NOCTTY);
    close(other);
    waitpid(child, &result, 0);
    printf("hung up %d\n", WEXITSTATUS(result));
    say("read", read(here, bytes, sizeof bytes));
    say("write", write(here, "x", 1));
    return 0;
}
