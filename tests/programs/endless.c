/* Never ends, and never asks anybody for anything. */
#include "program.h"

static word run(void)
{
    for (;;)
        __asm__ volatile("");
    return 0;
}
