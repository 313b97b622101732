/* Ends with a code; that of the 64-bit program is 0 in its low half. */
#include "program.h"

static word run(void)
{
    return sizeof(word) == 8 ? (word)1 << (sizeof(word) * 8 - 1) : 7;
}
