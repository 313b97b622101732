/* Asks its parent for ever for what it does not have. */
#include "program.h"

static word run(void)
{
    for (word number = 0;; number++) {
        struct message question = { 4 << 16 | 1, { number } };

        system_call(CALL, PARENT, &question);
    }
    return 0;
}
