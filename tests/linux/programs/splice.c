/* splice, tee, vmsplice and sendfile between files, pipes and sockets. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, ssize_t result)
{
    printf("%s: ", what);
    if (result < 0)
        puts(strerror(errno));
    else
        printf("%zd\n", result);
}

static void show(const char *what, int file)
{
    char buffer[100];
    ssize_t length = read(file, buffer, sizeof buffer - 1);
    printf("%s: %.*s\n", what, (int)(length < 0 ? 0 : length), buffer);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    int one[2], two[2], pair[2];
    if (pipe(one) || pipe(two) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        return 1;
    int file = open("/tmp/spliced", O_RDWR | O_CREAT | O_TRUNC, 0600);
    say("write", write(file, "0123456789abcdef", 16));
    off64_t from = 4, to = 20;
    say("file to pipe", splice(file, &from, one[1], NULL, 8, 0));
    printf("place: %lld, stands: %lld\n", (long long)from, (long long)lseek(file, 0, SEEK_CUR));
    say("tee", tee(one[0], two[1], 5, 0));
    show("teed", two[0]);
    say("pipe to file", splice(one[0], NULL, file, &to, 3, 0));
    say("pipe to pipe", splice(one[0], NULL, two[1], NULL, 100, 0));
    show("spliced", two[0]);
    say("size", lseek(file, 0, SEEK_END));
    lseek(file, 0, SEEK_SET);
    say("file to pipe", splice(file, NULL, one[1], NULL, 6, SPLICE_F_MORE));
    say("pipe to socket", splice(one[0], NULL, pair[0], NULL, 6, 0));
    say("socket to pipe", splice(pair[1], NULL, one[1], NULL, 100, 0));
    show("by a socket", one[0]);
    struct iovec parts[2] = {{"mem", 3}, {"ory", 3}};
    say("memory to pipe", vmsplice(one[1], parts, 2, 0));
    char buffer[10] = "";
    struct iovec into = {buffer, 4};
    say("pipe to memory", vmsplice(one[0], &into, 1, 0));
    printf("%s\n", buffer);
    show("the rest", one[0]);

    lseek(file, 2, SEEK_SET);
    off_t place = 1;
    say("sendfile to a pipe", sendfile(one[1], file, &place, 4));
    say("sendfile to a socket", sendfile(pair[0], file, NULL, 3));
    show("sent", one[0]);
    show("sent", pair[1]);
    int copy = open("/tmp/copied", O_RDWR | O_CREAT | O_TRUNC, 0600);
    say("sendfile to a file", sendfile(copy, file, NULL, 100));
    say("at its end", sendfile(copy, file, NULL, 100));
    say("to nothing", sendfile(open("/dev/null", O_WRONLY), copy, (place = 0, &place), 5));

    say("no pipe", splice(file, NULL, copy, NULL, 5, 0));
    say("itself", splice(one[0], NULL, one[1], NULL, 5, 0));
    say("a place in a pipe", splice(one[0], &from, file, NULL, 5, 0));
    say("nothing to wait for", splice(one[0], NULL, file, NULL, 5, SPLICE_F_NONBLOCK));
    say("no pipe for memory", vmsplice(file, parts, 2, 0));
    say("from a pipe", sendfile(file, one[0], NULL, 3));
    say("closed", close(two[0]));
    say("nobody reads", splice(file, &from, two[1], NULL, 5, 0));
    if (!fork()) {
        usleep(30000);
        _exit(write(one[1], "late", 4) != 4);
    }
    say("waited for", splice(one[0], NULL, copy, NULL, 100, 0));
    wait(NULL);
    close(one[1]);
    say("at the end", splice(one[0], NULL, copy, NULL, 100, 0));
    say("flags", tee(one[0], two[1], 1, 99));
    return 0;
}
