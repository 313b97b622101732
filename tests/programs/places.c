/* Looks for anything that it was given beside its parent and the console, and for what it can do with these but call them. */
#include "program.h"

enum { BAD_CAPABILITY = 2, WRONG_TYPE = 3, NO_RIGHT = 4 };
enum { RECEIVE = 4, RECEIVE_NON_BLOCKING, SIGNAL = 8, WAIT, POLL };

static unsigned attempt(unsigned operation, unsigned place, unsigned label)
{
    struct message message = { label << 16, { 0 } };

    return system_call(operation, place, &message) & 0x7fffffff;
}

static word run(void)
{
    static const unsigned forbidden[] = { RECEIVE, RECEIVE_NON_BLOCKING, SIGNAL, WAIT, POLL };
    word wrong = 0;

    for (unsigned place = 0; place < 1 << 16; place++)
        if (place != PARENT && place != CONSOLE && attempt(CALL, place, 1) != BAD_CAPABILITY)
            wrong++;
    for (unsigned bit = 1 << 16; bit < 1 << 24; bit <<= 1)
        if (attempt(CALL, bit | PARENT, EXIT) != BAD_CAPABILITY)
            wrong++;
    for (unsigned place = PARENT; place <= CONSOLE; place++)
        for (unsigned n = 0; n < sizeof forbidden / sizeof *forbidden; n++) {
            unsigned error = attempt(forbidden[n], place, 0);

            if (error != NO_RIGHT && error != WRONG_TYPE)
                wrong++;
        }
    print("Nothing but what is documented, with exceptions: ");
    print_number(wrong);
    print(".\n");
    return wrong;
}
