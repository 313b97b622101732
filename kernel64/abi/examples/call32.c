/* Makes a system call from a 32-bit program; the message is overwritten by what comes back. Returns the status. */

struct message {
    unsigned tag;
    unsigned words[4];
};

unsigned system_call(unsigned operation, unsigned place, struct message *message)
{
    unsigned status = operation << 24 | place;
    unsigned tag = message->tag, word0 = message->words[0], word1 = message->words[1], word2 = message->words[2];

    __asm__ volatile(
        "push %%ecx\n\t"                /* lost in a system call, like every register but ESP */
        "push %%ebp\n\t"                /* the compiler's frame pointer; word 3 goes there */
        "mov 16(%%ecx), %%ebp\n\t"
        "call 0x1000\n\t"               /* the kernel's entry page */
        "mov %%ebp, %%ecx\n\t"
        "pop %%ebp\n\t"
        "xchg %%ecx, (%%esp)\n\t"
        "pop 16(%%ecx)"
        : "+a"(status), "+d"(tag), "+b"(word0), "+S"(word1), "+D"(word2)
        : "c"(message)
        : "memory", "cc");
    message->tag = tag;
    message->words[0] = word0;
    message->words[1] = word1;
    message->words[2] = word2;
    return status;
}
