/* x87 and SSE state: what a handler of a signal finds in its frame, what it may spoil and what it may change there, and who begins with whose. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

/* Where the compiler uses these registers by itself it is told. */
#ifdef __SSE2__
#define XMM3 , "xmm3"
#define ALL_XMM , "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7"
#else
#define XMM3
#define ALL_XMM
#endif

/* What FXSAVE stores, as far as it is looked at. */
struct fx {
    uint16_t control, status, tag, opcode;
    uint8_t pointers[16];
    uint32_t mxcsr, mask;
    uint8_t stack[128];
    uint8_t xmm[8][16];
};

static struct fx *state_of(void *context)
{
    char *state = (char *)((ucontext_t *)context)->uc_mcontext.fpregs;
#ifdef __i386__
    /* What FSAVE stores comes first. */
    state += 112;
#endif
    return (struct fx *)state;
}

static volatile int signals, what;
static uint8_t found[16];
static uint32_t found_mxcsr;
static uint16_t found_control, own_control;
static uint32_t own_mxcsr;

static void spoil(void)
{
    uint8_t zeros[16] = { 0 };
    __asm__ volatile("fninit; fldz; fld1; fldpi; fldz; fld1; fldpi; fldz; fld1");
    __asm__ volatile("movups %0, %%xmm0; movups %0, %%xmm1; movups %0, %%xmm2; movups %0, %%xmm3;"
                     "movups %0, %%xmm4; movups %0, %%xmm5; movups %0, %%xmm6; movups %0, %%xmm7"
                     : : "m"(zeros) : "memory" ALL_XMM);
    uint32_t mxcsr = 0x7f80;
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
}

static void handler(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    __asm__ volatile("fnstcw %0; stmxcsr %1" : "=m"(own_control), "=m"(own_mxcsr));
    struct fx *state = state_of(context);
    memcpy(found, state->xmm[3], 16);
    found_mxcsr = state->mxcsr;
    found_control = state->control;
    signals++;
    switch (what) {
    case 1:
        memset(state->xmm[3], 0x77, 16);
        state->mxcsr = 0x5f80;
        break;
    case 2:
        state->mxcsr = 0xffffffff;
        break;
    case 3:
        ((ucontext_t *)context)->uc_mcontext.fpregs = (void *)16;
        break;
    case 4:
        ((ucontext_t *)context)->uc_mcontext.fpregs = NULL;
        break;
    }
    spoil();
}

static void old_handler(int signal)
{
    (void)signal;
    signals++;
    spoil();
}

/* Fills registers, raises a signal by a call in between, or waits for one that a timer sends, and looks at them. */
struct seen {
    uint8_t xmm[16];
    uint32_t mxcsr;
    uint16_t control;
    double st[2];
};

static struct seen around(int by_timer)
{
    struct seen seen;
    uint8_t pattern[16];
    uint32_t mxcsr = 0x3f80;
    uint16_t control = 0x077f;
    double two[2] = { 1.25, -3.5 };
    int before = signals;
    for (int i = 0; i < 16; i++)
        pattern[i] = 0xa0 + i;
    if (by_timer) {
        struct itimerval timer = { { 0, 0 }, { 0, 20000 } };
        setitimer(ITIMER_REAL, &timer, NULL);
        __asm__ volatile("fninit; fldcw %[control]; ldmxcsr %[mxcsr]; movups %[pattern], %%xmm3; fldl %[second]; fldl %[first];"
                         "1: cmpl %[before], %[signals]; je 1b;"
                         "fstpl %[st0]; fstpl %[st1]; movups %%xmm3, %[xmm]; stmxcsr %[out]; fnstcw %[word]; fninit"
                         : [st0] "=m"(seen.st[0]), [st1] "=m"(seen.st[1]), [xmm] "=m"(seen.xmm), [out] "=m"(seen.mxcsr),
                           [word] "=m"(seen.control)
                         : [control] "m"(control), [mxcsr] "m"(mxcsr), [pattern] "m"(pattern), [first] "m"(two[0]),
                           [second] "m"(two[1]), [before] "r"(before), [signals] "m"(signals)
                         : "memory", "cc" XMM3);
    } else {
        long pid = getpid();
#ifdef __i386__
        __asm__ volatile("fninit; fldcw %[control]; ldmxcsr %[mxcsr]; movups %[pattern], %%xmm3; fldl %[second]; fldl %[first];"
                         "int $0x80;"
                         "fstpl %[st0]; fstpl %[st1]; movups %%xmm3, %[xmm]; stmxcsr %[out]; fnstcw %[word]; fninit"
                         : [st0] "=m"(seen.st[0]), [st1] "=m"(seen.st[1]), [xmm] "=m"(seen.xmm), [out] "=m"(seen.mxcsr),
                           [word] "=m"(seen.control)
                         : [control] "m"(control), [mxcsr] "m"(mxcsr), [pattern] "m"(pattern), [first] "m"(two[0]),
                           [second] "m"(two[1]), "a"(37), "b"(pid), "c"(SIGALRM)
                         : "memory", "cc" XMM3);
#else
        long number = 62;
        __asm__ volatile("fninit; fldcw %[control]; ldmxcsr %[mxcsr]; movups %[pattern], %%xmm3; fldl %[second]; fldl %[first];"
                         "syscall;"
                         "fstpl %[st0]; fstpl %[st1]; movups %%xmm3, %[xmm]; stmxcsr %[out]; fnstcw %[word]; fninit"
                         : [st0] "=m"(seen.st[0]), [st1] "=m"(seen.st[1]), [xmm] "=m"(seen.xmm), [out] "=m"(seen.mxcsr),
                           [word] "=m"(seen.control), "+a"(number)
                         : [control] "m"(control), [mxcsr] "m"(mxcsr), [pattern] "m"(pattern), [first] "m"(two[0]),
                           [second] "m"(two[1]), "D"(pid), "S"((long)SIGALRM)
                         : "memory", "cc", "rcx", "r11" XMM3);
#endif
    }
    uint32_t usual = 0x1f80;
    __asm__ volatile("ldmxcsr %0" : : "m"(usual));
    return seen;
}

static void tell(const char *name, const struct seen *seen)
{
    printf("%s: %d signals, xmm3 %02x..%02x, mxcsr %x, control %x, st %g %g\n", name, signals, seen->xmm[0], seen->xmm[15],
           seen->mxcsr & ~0x3f, seen->control, seen->st[0], seen->st[1]);
}

static void tell_frame(void)
{
    printf("in the frame: xmm3 %02x..%02x, mxcsr %x, control %x; the handler's own: mxcsr %x, control %x\n", found[0], found[15],
           found_mxcsr & ~0x3f, found_control, own_mxcsr, own_control);
}

static void set(void (*with)(int, siginfo_t *, void *), void (*old)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    if (with != NULL) {
        action.sa_sigaction = with;
        action.sa_flags = SA_SIGINFO;
    } else {
        action.sa_handler = old;
    }
    sigaction(SIGALRM, &action, NULL);
}

static void hostile(const char *name, int how)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        what = how;
        struct seen seen = around(0);
        /* What is stored of an empty register differs between processors and emulators. */
        seen.st[0] = seen.st[1] = 0;
        tell(name, &seen);
        fflush(stdout);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    printf("%s: status %#x\n", name, status);
}

/* Both units round up, or as usual. */
static void round_up(int up)
{
    uint16_t control = up ? 0xb7f : 0x37f;
    uint32_t mxcsr = up ? 0x5f80 : 0x1f80;
    __asm__ volatile("fldcw %0; ldmxcsr %1" : : "m"(control), "m"(mxcsr));
}

static int rounds_up(void)
{
    uint16_t control;
    uint32_t mxcsr;
    __asm__ volatile("fnstcw %0; stmxcsr %1" : "=m"(control), "=m"(mxcsr));
    return (control >> 10 & 3) == 2 && (mxcsr >> 13 & 3) == 2;
}

static void *thread(void *argument)
{
    printf("a thread rounds as its maker: %d\n", rounds_up());
    return argument;
}

int main(void)
{
    set(handler, NULL);
    struct seen seen = around(0);
    tell("by a call", &seen);
    tell_frame();
    seen = around(1);
    tell("by a timer", &seen);
    tell_frame();
    what = 1;
    seen = around(1);
    tell("changed by the handler", &seen);
    what = 0;
    set(NULL, old_handler);
    seen = around(0);
    tell("old handler, by a call", &seen);
    seen = around(1);
    tell("old handler, by a timer", &seen);
    set(handler, NULL);
    hostile("bits of MXCSR that there are not", 2);
    hostile("a state that is nowhere", 3);
    hostile("no state", 4);
    fflush(stdout);
    round_up(1);
    if (fork() == 0) {
        printf("a child rounds as its parent: %d\n", rounds_up());
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    pthread_t id;
    pthread_create(&id, NULL, thread, NULL);
    pthread_join(id, NULL);
    return 0;
}
