/* Sockets between the threads and processes of one machine. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
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

/* A child says back all that it reads, in capitals. */
static void serve(int socket)
{
    char buffer[100];
    ssize_t count;
    while ((count = read(socket, buffer, sizeof buffer)) > 0) {
        for (ssize_t place = 0; place < count; place++)
            buffer[place] -= buffer[place] >= 'a' && buffer[place] <= 'z' ? 32 : 0;
        write(socket, buffer, count);
    }
    _exit(count == 0 ? 3 : 4);
}

static void ask(int socket, const char *text)
{
    char buffer[100] = "";
    struct iovec pieces[2] = {{buffer, 2}, {buffer + 2, 90}};
    struct msghdr header = {.msg_iov = pieces, .msg_iovlen = 2};
    say("sent", send(socket, text, strlen(text), MSG_NOSIGNAL));
    struct pollfd poller = {socket, POLLIN, 0};
    say("ready", poll(&poller, 1, -1));
    say("looked at", recv(socket, buffer, 3, MSG_PEEK));
    say("received", recvmsg(socket, &header, 0));
    printf("%s\n", buffer);
}

static void finish(int socket)
{
    int status;
    char byte;
    say("shut down", shutdown(socket, SHUT_WR));
    say("the end", read(socket, &byte, 1));
    wait(&status);
    printf("child: %d\n", WEXITSTATUS(status));
    say("again", send(socket, "x", 1, MSG_NOSIGNAL));
    close(socket);
}

static void pair(void)
{
    int sockets[2];
    say("pair", socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
    if (fork() == 0) {
        close(sockets[0]);
        serve(sockets[1]);
    }
    close(sockets[1]);
    ask(sockets[0], "by a pair");
    finish(sockets[0]);
}

static void connection(struct sockaddr *address, socklen_t length)
{
    int listener = socket(address->sa_family, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in in;
    socklen_t in_length = sizeof in;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    int client = socket(address->sa_family, SOCK_STREAM, 0);
    say("nobody there", connect(client, address, length));
    say("bind", bind(listener, address, length));
    say("bind twice", bind(client, address, length));
    say("not yet", connect(client, address, length));
    say("listen", listen(listener, 5));
    if (fork() == 0) {
        int accepted = accept(listener, NULL, NULL);
        close(listener);
        close(client);
        serve(accepted);
    }
    close(client);
    client = socket(address->sa_family, SOCK_STREAM, 0);
    say("connect", connect(client, address, length));
    close(listener);
    ask(client, "by a connection");
    if (address->sa_family == AF_INET) {
        say("peer", getpeername(client, (struct sockaddr *)&in, &in_length));
        printf("%s:%d\n", inet_ntoa(in.sin_addr), ntohs(in.sin_port));
    }
    finish(client);
    say("nobody any more", connect(socket(address->sa_family, SOCK_STREAM, 0), address, length));
}

static void datagrams(struct sockaddr *address, socklen_t length)
{
    char buffer[10] = "";
    struct sockaddr_storage from;
    socklen_t from_length = sizeof from;
    int receiver = socket(address->sa_family, SOCK_DGRAM, 0), sender = socket(address->sa_family, SOCK_DGRAM, 0);
    say("bind", bind(receiver, address, length));
    say("nothing there", recv(receiver, buffer, 10, MSG_DONTWAIT));
    say("sent", sendto(sender, "one datagram", 12, 0, address, length));
    say("connected", connect(sender, address, length));
    say("sent", write(sender, "two", 3));
    say("received", recvfrom(receiver, buffer, 9, 0, (struct sockaddr *)&from, &from_length));
    printf("%s, from family %d\n", buffer, address->sa_family == AF_INET ? from.ss_family : AF_INET);
    say("received", read(receiver, buffer, 10));
    say("too long", send(sender, calloc(1 << 20, 1), 1 << 20, 0));
    close(sender);
    close(receiver);
}

static void much(void)
{
    /* More than fits, both ways at once. */
    int sockets[2], status;
    char block[5000];
    long sum = 0, count;
    memset(block, 7, sizeof block);
    socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
    if (fork() == 0) {
        close(sockets[0]);
        for (int round = 0; round < 100; round++)
            if (write(sockets[1], block, sizeof block) != sizeof block)
                _exit(1);
        _exit(0);
    }
    close(sockets[1]);
    while ((count = read(sockets[0], block, 3000)) > 0)
        for (long place = 0; place < count; place++)
            sum += block[place];
    wait(&status);
    printf("sum %ld, child %d\n", sum, status);
}

int main(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(4321), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/tmp/socket"};
    setvbuf(stdout, NULL, _IOLBF, 0);
    fflush(stdout);
    pair();
    connection((struct sockaddr *)&in, sizeof in);
    connection((struct sockaddr *)&un, sizeof un);
    datagrams((struct sockaddr *)&in, sizeof in);
    strcpy(un.sun_path, "/tmp/datagrams");
    datagrams((struct sockaddr *)&un, sizeof un);
    much();
    say("no such domain", socket(AF_APPLETALK, SOCK_STREAM, 0));
    say("no socket", send(0, "x", 1, 0));
    return 0;
}
