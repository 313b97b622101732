/* Says something, of which the last line is not whole, and follows a pointer into the first page. */
#include "program.h"

static volatile unsigned char *volatile hole = (volatile unsigned char *)0x10;

static word run(void)
{
    print("I have seen better days.\nFarewe");
    return *hole;
}
