// gcc -Wl,-Ttext-segment=0x10000
/*
 * many COUNT [COMMAND]: that many children at once, each of which answers when all are there. Before that a shell runs the command. Linked low, so that a
 * space of 16 MiB holds it.
 * Status 1 and a line on the standard error where something is not as it must be.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child is asked by, and what it answers. */
struct word {
    uint32_t number, value;
};

static volatile uint32_t own = 1;

static uint32_t answer(uint32_t number, uint32_t value)
{
    return value * 2654435761u + number;
}

static void child(uint32_t number, int questions, int answers)
{
    struct word word = {number, 0};

    own = number;
    if (write(answers, &word, sizeof word) != sizeof word)
        err(1, "child %u", number);
    if (read(questions, &word, sizeof word) != sizeof word)
        err(1, "child %u", number);
    /* Its memory must be its own still. */
    word.value = answer(own, word.value);
    if (word.number != number || write(answers, &word, sizeof word) != sizeof word)
        err(1, "child %u", number);
    _exit(number % 100);
}

static struct word take(int from)
{
    struct word word;

    if (read(from, &word, sizeof word) != sizeof word)
        err(1, "read");
    return word;
}

int main(int argc, char **argv)
{
    uint32_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    int answers[2], questions[2], *ask = calloc(count, sizeof *ask);
    pid_t *pids = calloc(count, sizeof *pids);
    uint32_t well = 0;

    if (!ask || !pids || pipe(answers))
        err(1, "begin");
    for (uint32_t i = 0; i < count; i++) {
        if (pipe(questions))
            err(1, "pipe %u", i);
        pids[i] = fork();
        if (pids[i] < 0)
            err(1, "fork %u", i);
        if (!pids[i])
            child(i, questions[0], answers[1]);
        close(questions[0]);
        ask[i] = questions[1];
    }
    /* All are there before the first is asked. */
    for (uint32_t i = 0; i < count; i++)
        take(answers[0]);
    if (argc > 2 && system(argv[2]))
        errx(1, "the command failed");
    for (uint32_t i = 0; i < count; i++) {
        struct word word = {i, i * i};

        if (write(ask[i], &word, sizeof word) != sizeof word)
            err(1, "question %u", i);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct word word = take(answers[0]);

        well += word.number < count && word.value == answer(word.number, word.number * word.number);
    }
    printf("%u of %u answered\n", well, count);
    for (uint32_t i = 0; i < count; i++) {
        int status;

        if (waitpid(pids[i], &status, 0) != pids[i] || status != (int)(i % 100) << 8)
            errx(1, "child %u ended with %#x", i, status);
    }
    return well != count;
}
