/* The library that the kernel gives each 64-bit program: its functions as C libraries find them, and whether they say what system calls do. */
#define _GNU_SOURCE
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifdef __x86_64__
static const char *base;
static const ElfW(Sym) *symbols;
static const char *names;
static const ElfW(Word) *hashes;
static const ElfW(Half) *versions;
static const char *definitions;

/* By the symbol's name and its version's, as musl does. */
static void *find(const char *name)
{
    for (unsigned i = 0; i < hashes[1]; i++) {
        if (ELF64_ST_TYPE(symbols[i].st_info) != STT_FUNC || !symbols[i].st_shndx || strcmp(names + symbols[i].st_name, name))
            continue;
        const ElfW(Verdef) *definition = (const void *)definitions;
        while ((definition->vd_ndx & 0x7fff) != (versions[i] & 0x7fff))
            definition = (const void *)((const char *)definition + definition->vd_next);
        const ElfW(Verdaux) *first = (const void *)((const char *)definition + definition->vd_aux);
        if (!strcmp(names + first->vda_name, "LINUX_2.6"))
            return (void *)(base + symbols[i].st_value);
    }
    return NULL;
}

static long long since(const struct timespec *time)
{
    return time->tv_sec * 1000000000LL + time->tv_nsec;
}

static void open_library(void)
{
    base = (const char *)getauxval(AT_SYSINFO_EHDR);
    const ElfW(Ehdr) *header = (const void *)base;
    const ElfW(Phdr) *program = (const void *)(base + header->e_phoff);
    const ElfW(Dyn) *dynamic = NULL;
    for (int i = 0; i < header->e_phnum; i++) {
        if (program[i].p_type == PT_LOAD)
            base += program[i].p_offset - program[i].p_vaddr;
        if (program[i].p_type == PT_DYNAMIC)
            dynamic = (const void *)((const char *)header + program[i].p_offset);
    }
    for (; dynamic->d_tag != DT_NULL; dynamic++) {
        const void *place = base + dynamic->d_un.d_ptr;
        switch (dynamic->d_tag) {
        case DT_STRTAB: names = place; break;
        case DT_SYMTAB: symbols = place; break;
        case DT_HASH: hashes = place; break;
        case DT_VERSYM: versions = place; break;
        case DT_VERDEF: definitions = place; break;
        }
    }
}

int main(void)
{
    open_library();
    int (*clock_get)(clockid_t, struct timespec *) = find("__vdso_clock_gettime");
    int (*day_get)(struct timeval *, void *) = find("__vdso_gettimeofday");
    time_t (*time_get)(time_t *) = find("__vdso_time");
    int (*cpu_get)(unsigned *, unsigned *, void *) = find("__vdso_getcpu");
    printf("found: %d %d %d %d %d\n", !!clock_get, !!day_get, !!time_get, !!cpu_get, !!find("__vdso_clock_getres"));
    printf("not by another name: %d\n", !!find("__vdso_clock"));
    clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_TAI,
                          CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    for (unsigned i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        int in_order = 1;
        long long last = 0;
        for (int round = 0; round < 1000; round++) {
            struct timespec time;
            int result = round % 2 ? (int)syscall(SYS_clock_gettime, clocks[i], &time) : clock_get(clocks[i], &time);
            in_order &= !result && since(&time) >= last && time.tv_nsec < 1000000000;
            last = since(&time);
        }
        printf("clock %d: %s\n", clocks[i], in_order ? "in order" : "not in order");
    }
    struct timespec time;
    printf("no clock: %d %d\n", clock_get(99, &time), clock_get(10, &time));
    struct timeval day;
    struct timezone zone = {1, 1};
    int results = day_get(NULL, NULL) | day_get(&day, &zone);
    clock_get(CLOCK_REALTIME, &time);
    long long apart = since(&time) / 1000 - (day.tv_sec * 1000000LL + day.tv_usec);
    printf("day: %d %d %d %s\n", results, zone.tz_minuteswest, zone.tz_dsttime, apart >= 0 && apart < 1000000 ? "near" : "far");
    time_t seconds = 0, told = time_get(&seconds);
    printf("time: %d %s\n", told == seconds, time_get(NULL) - day.tv_sec <= 1 ? "near" : "far");
    unsigned cpu = 77, node = 77;
    printf("cpu: %d %d\n", cpu_get(&cpu, &node, NULL), cpu_get(NULL, NULL, NULL));
    return 0;
}
#else
int main(void)
{
    puts("32-bit programs have another");
    return 0;
}
#endif
