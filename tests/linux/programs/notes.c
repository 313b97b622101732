/* What inotify tells of files and directories. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int notes;
static unsigned last_cookie;

static const char *const names[] = {"ACCESS", "MODIFY", "ATTRIB", "CLOSE_WRITE", "CLOSE_NOWRITE", "OPEN", "MOVED_FROM",
                                    "MOVED_TO", "CREATE", "DELETE", "DELETE_SELF", "MOVE_SELF"};

static void show(const char *what)
{
    char buffer[8192] __attribute__((aligned(8)));
    printf("%s:", what);
    ssize_t length;
    while ((length = read(notes, buffer, sizeof buffer)) > 0) {
        for (char *at = buffer; at < buffer + length;) {
            struct inotify_event *event = (void *)at;
            printf(" %d", event->wd);
            for (int bit = 0; bit < 12; bit++)
                if (event->mask & 1u << bit)
                    printf(" %s", names[bit]);
            if (event->mask & IN_ISDIR)
                printf(" dir");
            if (event->mask & IN_IGNORED)
                printf(" ignored");
            if (event->mask & IN_Q_OVERFLOW)
                printf(" overflow");
            if (event->len)
                printf(" %s/%u", event->name, event->len);
            if (event->cookie) {
                printf(event->cookie == last_cookie ? " same" : " moved");
                last_cookie = event->cookie;
            }
            putchar(';');
            at += sizeof *event + event->len;
        }
    }
    puts(length < 0 && errno != EAGAIN ? strerror(errno) : "");
}

static void say(const char *what, int result)
{
    printf("%s: %s\n", what, result < 0 ? strerror(errno) : "done");
}

static void put(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (write(file, text, strlen(text)) < 0)
        perror(path);
    close(file);
}

int main(void)
{
    char byte;
    setvbuf(stdout, NULL, _IOLBF, 0);
    mkdir("/tmp/n", 0755);
    mkdir("/tmp/n/other", 0755);
    put("/tmp/n/before", "text");
    notes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    printf("watch: %d %d\n", inotify_add_watch(notes, "/tmp/n", IN_ALL_EVENTS), inotify_add_watch(notes, "/tmp/n/other", IN_ALL_EVENTS));
    show("nothing");
    put("/tmp/n/new", "text");
    show("new");
    put("/tmp/n/new", "text");
    show("again");
    int file = open("/tmp/n/before", O_RDONLY);
    for (int i = 0; i < 3; i++)
        if (read(file, &byte, 1) < 0)
            perror("read");
    close(file);
    show("read");
    file = open("/tmp/n/before", O_RDWR | O_APPEND);
    if (write(file, "x", 1) < 0 || ftruncate(file, 2) || fchmod(file, 0600))
        perror("write");
    close(file);
    show("written");
    chmod("/tmp/n/before", 0640);
    struct timespec times[2] = {{1, 0}, {2, 0}}, one[2] = {{0, UTIME_OMIT}, {3, 0}};
    utimensat(AT_FDCWD, "/tmp/n/before", times, 0);
    show("attributes");
    utimensat(AT_FDCWD, "/tmp/n/before", one, 0);
    if (truncate("/tmp/n/before", 1))
        perror("truncate");
    show("modified");
    mkdir("/tmp/n/folder", 0755);
    symlink("before", "/tmp/n/link");
    link("/tmp/n/before", "/tmp/n/hard");
    mkfifo("/tmp/n/pipe", 0600);
    show("made");
    rename("/tmp/n/new", "/tmp/n/named");
    show("renamed");
    rename("/tmp/n/named", "/tmp/n/other/moved");
    show("moved");
    rename("/tmp/n/other", "/tmp/n/another");
    show("a folder");
    rename("/tmp/n/hard", "/tmp/n/before2");
    unlink("/tmp/n/link");
    rmdir("/tmp/n/folder");
    show("gone");

    int mark = inotify_add_watch(notes, "/tmp/n/before2", IN_ALL_EVENTS);
    printf("a file: %d, the same: %d\n", mark, inotify_add_watch(notes, "/tmp/n/before", IN_ATTRIB | IN_DELETE_SELF | IN_MASK_ADD));
    unlink("/tmp/n/before");
    show("a link less");
    file = open("/tmp/n/before2", O_RDONLY);
    unlink("/tmp/n/before2");
    show("still open");
    close(file);
    show("closed");
    unlink("/tmp/n/another/moved");
    rmdir("/tmp/n/another");
    show("a folder less");

    put("/tmp/n/once", "");
    show("once");
    inotify_add_watch(notes, "/tmp/n/once", IN_OPEN | IN_ONESHOT);
    inotify_add_watch(notes, "/tmp/n", IN_CREATE);
    put("/tmp/n/once", "");
    put("/tmp/n/once", "");
    show("of one kind");
    say("remove", inotify_rm_watch(notes, 1));
    say("again", inotify_rm_watch(notes, 1));
    put("/tmp/n/later", "");
    show("no more");
    say("no kind", inotify_add_watch(notes, "/tmp/n", 0));
    say("absent", inotify_add_watch(notes, "/tmp/absent", IN_OPEN));
    say("a folder only", inotify_add_watch(notes, "/tmp/n/once", IN_OPEN | IN_ONLYDIR));
    say("not that", inotify_add_watch(0, "/tmp/n", IN_OPEN));

    inotify_add_watch(notes, "/tmp/n", IN_CREATE | IN_DELETE);
    struct pollfd wait = {.fd = notes, .events = POLLIN};
    printf("poll: %d\n", poll(&wait, 1, 0));
    put("/tmp/n/sixteen letters!", "");
    int bytes;
    ioctl(notes, FIONREAD, &bytes);
    printf("poll: %d %d, %d bytes\n", poll(&wait, 1, 0), wait.revents, bytes);
    printf("too short: %zd\n", read(notes, &byte, 1));
    if (!fork()) {
        usleep(50000);
        unlink("/tmp/n/later");
        _exit(0);
    }
    show("long");
    fcntl(notes, F_SETFL, 0);
    char buffer[64];
    printf("waited for: %zd\n", read(notes, buffer, sizeof buffer));
    return 0;
}
