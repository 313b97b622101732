/* Descriptors that are sent from process to process, and who is at the other end. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, long result)
{
    if (result < 0)
        printf("%s: %s\n", what, strerror(errno));
    else
        printf("%s: %ld\n", what, result);
}

static ssize_t send_with(int socket, const char *text, const int *files, int count)
{
    union {
        char bytes[CMSG_SPACE(8 * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec piece = {(void *)text, strlen(text)};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (count) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        memset(&control, 0, sizeof control);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), files, count * sizeof(int));
    }
    return sendmsg(socket, &message, 0);
}

static int receive(int socket, int *files, int room, int flags)
{
    union {
        char bytes[CMSG_SPACE(8 * sizeof(int))];
        struct cmsghdr align;
    } control;
    char text[64] = "";
    struct iovec piece = {text, sizeof text - 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes};
    message.msg_controllen = room ? CMSG_SPACE(room * sizeof(int)) : 0;
    ssize_t length = recvmsg(socket, &message, flags);
    int count = 0;
    struct cmsghdr *header = length < 0 ? NULL : CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS) {
        count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(files, CMSG_DATA(header), count * sizeof(int));
    }
    printf("%zd %s: %d files, flags %x\n", length, text, count, message.msg_flags & ~MSG_CMSG_CLOEXEC);
    return count;
}

static void by(int style)
{
    int pair[2], ends[2], files[8], file = open("/data/nums", O_RDONLY);
    char bytes[16] = "";
    if (socketpair(AF_UNIX, style, 0, pair) || pipe(ends))
        return;
    lseek(file, 2, SEEK_SET);
    if (!fork()) {
        close(pair[0]);
        int sent[] = {file, ends[1]};
        send_with(pair[1], "plain", NULL, 0);
        send_with(pair[1], "both", sent, 2);
        send_with(pair[1], "more", sent, 1);
        send_with(pair[1], "lost", sent, 1);
        _exit(0);
    }
    close(pair[1]);
    close(ends[1]);
    wait(NULL);
    int count = receive(pair[0], files, 8, MSG_CMSG_CLOEXEC);
    if (!count)
        count = receive(pair[0], files, 8, MSG_CMSG_CLOEXEC);
    for (int i = 0; i < count; i++)
        printf("closes %d\n", fcntl(files[i], F_GETFD));
    if (count == 2 && read(files[0], bytes, 4) == 4)
        printf("%.4s at %ld\n", bytes, (long)lseek(file, 0, SEEK_CUR));
    if (count == 2 && write(files[1], "piped", 5) == 5 && !close(files[1]) && read(ends[0], bytes, 16) == 5)
        printf("%.5s, then %zd\n", bytes, read(ends[0], bytes, 16));
    receive(pair[0], files, 0, 0);
    printf("plainly %zd\n", read(pair[0], bytes, 16));
    say("end", recv(pair[0], bytes, 16, MSG_DONTWAIT));
    close(pair[0]);
    close(file);
    close(ends[0]);
}

/* What is sent and never received is closed with the socket. */
static void unread(void)
{
    int pair[2], ends[2];
    char byte;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || pipe(ends))
        return;
    send_with(pair[0], "x", &ends[1], 1);
    close(ends[1]);
    struct pollfd polled = {.fd = ends[0], .events = POLLIN};
    printf("kept %d\n", poll(&polled, 1, 0));
    close(pair[0]);
    close(pair[1]);
    int ready = poll(&polled, 1, 0);
    printf("gone %d %x\n", ready, polled.revents);
    printf("%zd\n", read(ends[0], &byte, 1));
    int none = 999;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        return;
    say("no file", send_with(pair[0], "x", &none, 1));
}

/* A server that hands a connection on to a child. */
static void handed_on(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/tmp/socket"};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), pair[2], file;
    struct ucred peer = {0};
    socklen_t length = sizeof peer;
    char bytes[32] = "";
    if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4))
        return;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        return;
    pid_t server = fork();
    if (!server) {
        if (receive(pair[1], &file, 1, 0) != 1)
            _exit(1);
        ssize_t got = read(file, bytes, sizeof bytes);
        for (int i = 0; i < got; i++)
            bytes[i] ^= ' ';
        _exit(write(file, bytes, got) != got);
    }
    pid_t client = fork();
    if (!client) {
        int here = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(here, (void *)&address, sizeof address) || write(here, "hello", 5) != 5)
            _exit(1);
        ssize_t got = read(here, bytes, sizeof bytes);
        getsockopt(here, SOL_SOCKET, SO_PEERCRED, &peer, &length);
        printf("%.*s, from the one that listens: %d\n", (int)got, bytes, peer.pid == getppid());
        fflush(stdout);
        _exit(0);
    }
    int there = accept(listener, NULL, NULL);
    getsockopt(there, SOL_SOCKET, SO_PEERCRED, &peer, &length);
    printf("connected: %d %d %d\n", peer.pid == client, peer.uid, peer.gid);
    fflush(stdout);
    send_with(pair[0], "take it", &there, 1);
    close(there);
    int status;
    waitpid(client, &status, 0);
    waitpid(server, &status, 0);
    printf("served %d\n", status);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("stream");
    by(SOCK_STREAM);
    puts("datagram");
    by(SOCK_DGRAM);
    unread();
    handed_on();
    return 0;
}
