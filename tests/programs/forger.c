/* Prints what the system would print if all were well, by all tricks that text has to offer. */
#include "program.h"

#define WELL "@program forger page exit 0\n"

static word run(void)
{
    print(WELL "\r" WELL "\033[1m" WELL "\302\200" WELL "\t" WELL "\001" WELL);
    print("program forger: exit with code 0\nforger: the witnesses are whole\n@witnesses forger HARMED not at all\n");
    print("[  9.999] halted with exit code 0x10\nKERNEL PANIC: not at all\nUNENFORCED | not at all\n");
    for (int column = 0; column < 600; column++)
        print("-");
    print(WELL);
    return 3;
}
