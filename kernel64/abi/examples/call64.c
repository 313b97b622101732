/* Makes a system call from a 64-bit program; the message is overwritten by what comes back. Returns the status. */

struct message {
    unsigned tag;
    unsigned long words[11];
};

unsigned system_call(unsigned operation, unsigned place, struct message *message)
{
    unsigned long status = operation << 24 | place, tag = message->tag, *words = message->words;
    unsigned long word0 = words[0], word1 = words[1], word2 = words[2];
    register unsigned long word4 __asm__("r8") = words[4], word5 __asm__("r9") = words[5];
    register unsigned long word6 __asm__("r10") = words[6], word7 __asm__("r12") = words[7];
    register unsigned long word8 __asm__("r13") = words[8], word9 __asm__("r14") = words[9];
    register unsigned long word10 __asm__("r15") = words[10];
    unsigned long word3 = words[3];

    __asm__ volatile(
        "push %%rbp\n\t"                /* the compiler's frame pointer; word 3 goes there */
        "mov %%rcx, %%rbp\n\t"
        "syscall\n\t"                   /* RCX and R11 are lost */
        "mov %%rbp, %%rcx\n\t"
        "pop %%rbp"
        : "+a"(status), "+d"(tag), "+b"(word0), "+S"(word1), "+D"(word2), "+c"(word3), "+r"(word4), "+r"(word5),
          "+r"(word6), "+r"(word7), "+r"(word8), "+r"(word9), "+r"(word10)
        :
        : "r11", "memory", "cc");
    message->tag = tag;
    words[0] = word0, words[1] = word1, words[2] = word2, words[3] = word3, words[4] = word4, words[5] = word5;
    words[6] = word6, words[7] = word7, words[8] = word8, words[9] = word9, words[10] = word10;
    return status;
}
