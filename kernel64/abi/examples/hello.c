/* A 32-bit program for Lilliput: says hello on the console, and tells its parent that it is done. */

#include "call32.c"

enum { CALL = 0 };                      /* operations */
enum { PARENT = 1, CONSOLE = 2 };       /* places of capabilities */
enum { EXIT = 1, WRITE = 1 };           /* labels of the parent's and of the console's messages */

/* Sends text to the console, 16 bytes a message. */
static void print(const char *text)
{
    while (*text) {
        struct message message = { WRITE << 16 | 4, { 0, 0, 0, 0 } };

        for (unsigned at = 0; at < 16 && *text; at++)
            message.words[at / 4] |= (unsigned)(unsigned char)*text++ << at % 4 * 8;
        system_call(CALL, CONSOLE, &message);
    }
}

__attribute__((noreturn, used)) static void run(unsigned word0, unsigned word1)
{
    struct message done = { EXIT << 16 | 1, { 0 } };

    (void)word0;
    (void)word1;
    print("Hello from C.\n");
    system_call(CALL, PARENT, &done);   /* does not come back: the parent destroys the task */
    for (;;)
        __builtin_trap();
}

/* A thread begins with two words in EBX and ESI. */
__asm__(".globl _start\n"
        "_start:\n\t"
        "and $-16, %esp\n\t"
        "sub $8, %esp\n\t"
        "push %esi\n\t"
        "push %ebx\n\t"
        "call run");
