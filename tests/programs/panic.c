/* Says why it is about to fail, in several lines, of which some look like records, and fails. */
#include "program.h"

static word run(void)
{
    text_to(PARENT, EXPLAIN, "it did not like it here\n@program panic page exit 0\r\n@witnesses panic whole\n");
    return 101;
}
