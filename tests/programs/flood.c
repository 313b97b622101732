/* Prints for ever. */
#include "program.h"

static word run(void)
{
    for (;;)
        print("It never rains but it pours.\n");
    return 0;
}
