/* A 64-bit program for Lilliput: counts primes, and tells its parent how that went. */

#include "call64.c"

enum { CALL = 0 };                          /* operations */
enum { PARENT = 1, CONSOLE = 2 };           /* places of capabilities */
enum { EXIT = 1, EXPLAIN = 3, WRITE = 1 };  /* labels of the parent's and of the console's messages */

enum { LIMIT = 1000000, PRIMES = 78498 };

static unsigned char composite[LIMIT];

/* Sends text, 32 bytes a message. */
static void send(unsigned place, unsigned label, const char *text)
{
    while (*text) {
        struct message message = { label << 16 | 4, { 0 } };

        for (unsigned at = 0; at < 32 && *text; at++)
            message.words[at / 8] |= (unsigned long)(unsigned char)*text++ << at % 8 * 8;
        system_call(CALL, place, &message);
    }
}

static void print_number(unsigned long number)
{
    char digits[21], *first = digits + 20;

    *first = 0;
    do
        *--first = '0' + number % 10;
    while (number /= 10);
    send(CONSOLE, WRITE, first);
}

/* A thread begins with two words in RBX and RSI, and at any stack pointer: the compiler wants a multiple of 16. */
__attribute__((noreturn, used)) static void run(void)
{
    struct message done = { EXIT << 16 | 1, { 0 } };
    unsigned long count = 0;

    for (unsigned long number = 2; number < LIMIT; number++) {
        if (composite[number])
            continue;
        count++;
        for (unsigned long multiple = number * number; multiple < LIMIT; multiple += number)
            composite[multiple] = 1;
    }
    send(CONSOLE, WRITE, "Primes below a million: ");
    print_number(count);
    send(CONSOLE, WRITE, ".\n");
    if (count != PRIMES) {
        send(PARENT, EXPLAIN, "it miscounted");
        done.words[0] = 1;
    }
    system_call(CALL, PARENT, &done);       /* does not come back: the parent destroys the task */
    for (;;)
        __builtin_trap();
}

__asm__(".globl _start\n"
        "_start:\n\t"
        "and $-16, %rsp\n\t"
        "call run");
