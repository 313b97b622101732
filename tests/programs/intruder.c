/* Reads a word of somebody else's, and writes there. TARGET is its address, as this program counts. */
#include "program.h"

static word run(void)
{
    volatile unsigned *target = (volatile unsigned *)TARGET;

    print("I begin to read.\n");
    unsigned found = *target;
    print(found >> 16 == 0x5ec2 ? "It is a secret.\n" : "It is something else.\n");
    *target = ~found;
    print("I have written.\n");
    return 0;
}
