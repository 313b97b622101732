/* What the programs of this folder have in common, for both widths: system calls, text, the end. */

#ifdef __x86_64__
#include "call64.c"
__asm__(".globl _start\n_start:\n\tand $-16, %rsp\n\tcall begin");
#else
#include "call32.c"
__asm__(".globl _start\n_start:\n\tand $-16, %esp\n\tcall begin");
#endif

typedef __typeof__(((struct message *)0)->words[0]) word;

enum { CALL, SEND };                                /* operations */
enum { PARENT = 1, CONSOLE = 2 };                   /* places of capabilities */
enum { EXIT = 1, EXPLAIN = 3, WRITE = 1 };          /* labels */

/* Sends text, four words a message. */
static inline void text_to(unsigned place, unsigned label, const char *text)
{
    while (*text) {
        struct message message = { label << 16 | 4, { 0 } };

        for (unsigned at = 0; at < 4 * sizeof(word) && *text; at++)
            message.words[at / sizeof(word)] |= (word)(unsigned char)*text++ << at % sizeof(word) * 8;
        system_call(CALL, place, &message);
    }
}

static inline void print(const char *text)
{
    text_to(CONSOLE, WRITE, text);
}

static inline void print_number(word number)
{
    char digits[21], *first = digits + 20;

    *first = 0;
    do
        *--first = '0' + number % 10;
    while (number /= 10);
    print(first);
}

__attribute__((noreturn)) static inline void finish(word code)
{
    struct message done = { EXIT << 16 | 1, { code } };

    system_call(CALL, PARENT, &done);
    for (;;)
        __builtin_trap();
}

static word run(void);

__attribute__((noreturn, used)) static void begin(void)
{
    finish(run());
}
