/* Rates of one x86 core with AVX-512 for a device file: pipes out of L1, then bytes per cycle read from each level.

   Build and run:  python -m ziglang cc -O2 -march=native benchmarks/core_rates.c -o core_rates && ./core_rates
   Fastest of several tries, by the processor time of the thread, so that a busy machine disturbs little.
*/
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRIES 9
#define COUNT 12000000L
#define FMA_LATENCY 4 /* cycles, of Intel's cores since Skylake and AMD's since Zen; those from Intel run slower while 512-bit FMAs do */
#define CLOBBERED "rax", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "memory"
#define TWELVE(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

static float near[4096] __attribute__((aligned(64)));

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

#define PIPE(name, ASM)                                                            \
    static void name(void) {                                                       \
        for (long i = 0; i < COUNT; i += 12) __asm__ volatile(ASM ::"r"(near) : CLOBBERED); \
    }
#define FMA(k) "vfmadd231ps %%zmm30, %%zmm31, %%zmm" #k "\n"
#define FMA_MEMORY(k) "vfmadd231ps " #k "*64(%0), %%zmm31, %%zmm" #k "\n"
#define FMA_BROADCAST(k) "vfmadd231ps " #k "*4(%0)%{1to16%}, %%zmm31, %%zmm" #k "\n"
#define LOAD(k) "vmovups " #k "*64(%0), %%zmm" #k "\n"
#define LOAD_CROSSING(k) "vmovups " #k "*64+4(%0), %%zmm" #k "\n"
#define BROADCAST(k) "vbroadcastss " #k "*4(%0), %%zmm" #k "\n"
#define STORE(k) "vmovups %%zmm" #k ", " #k "*64(%0)\n"
#define FMA_HALF(k) "vfmadd231ps %%ymm30, %%ymm31, %%ymm" #k "\n"
#define LOAD_HALF(k) "vmovups " #k "*32(%0), %%ymm" #k "\n"
#define FOUR_ROWS(a, b, c, d) \
    "vmovups 4(%0), %%zmm12\n vfmadd231ps 128(%0)%{1to16%}, %%zmm12, %%zmm" #a "\n vfmadd231ps 132(%0)%{1to16%}, %%zmm12, %%zmm" #b "\n" \
    "vfmadd231ps 136(%0)%{1to16%}, %%zmm12, %%zmm" #c "\n vfmadd231ps 140(%0)%{1to16%}, %%zmm12, %%zmm" #d "\n"
#define ADD(k) "vaddps %%zmm30, %%zmm31, %%zmm" #k "\n"
#define MAX(k) "vmaxps %%zmm30, %%zmm31, %%zmm" #k "\n"
#define PERMUTE(k) "vpermt2ps %%zmm30, %%zmm31, %%zmm" #k "\n"
PIPE(fma_zmm, TWELVE(FMA))
PIPE(fma_memory, TWELVE(FMA_MEMORY))
PIPE(fma_broadcast, TWELVE(FMA_BROADCAST))
PIPE(load_zmm, TWELVE(LOAD))
PIPE(load_crossing, TWELVE(LOAD_CROSSING))
PIPE(broadcast_zmm, TWELVE(BROADCAST))
PIPE(store_zmm, TWELVE(STORE))
PIPE(fma_ymm, TWELVE(FMA_HALF))
PIPE(load_ymm, TWELVE(LOAD_HALF))
PIPE(four_rows, FOUR_ROWS(0, 1, 2, 3) FOUR_ROWS(4, 5, 6, 7) FOUR_ROWS(8, 9, 10, 11))
PIPE(add_zmm, TWELVE(ADD))
PIPE(max_zmm, TWELVE(MAX))
PIPE(permute_zmm, TWELVE(PERMUTE))
PIPE(fma_chain, ".rept 12\n vfmadd231ps %%zmm30, %%zmm31, %%zmm0\n .endr")
PIPE(add_chain, ".rept 12\n add $1, %%rax\n .endr")

static double fastest(void (*run)(void)) {
    double best = 1e9;
    for (int i = 0; i < TRIES; i++) {
        double begin = seconds();
        run();
        double taken = seconds() - begin;
        if (taken < best) best = taken;
    }
    return best;
}

static double read_bytes_per_second(const char *from, long bytes) {
    long passes = (1L << 29) / bytes + 1;
    double best = 0;
    for (int i = 0; i < TRIES; i++) {
        double begin = seconds();
        for (long pass = 0; pass < passes; pass++)
            for (long at = 0; at < bytes; at += 256)
                __asm__ volatile("vmovups (%0), %%zmm0\n vmovups 64(%0), %%zmm1\n vmovups 128(%0), %%zmm2\n vmovups 192(%0), %%zmm3\n" ::"r"(from + at) : CLOBBERED);
        double rate = (double)bytes * passes / (seconds() - begin);
        if (rate > best) best = rate;
    }
    return best;
}

int main(void) {
    double hz = COUNT / fastest(add_chain), busy = COUNT / fastest(fma_chain) * FMA_LATENCY;
    printf("clock %.2f GHz (dependent additions), %.2f GHz while 512-bit FMAs run; per cycle means of the latter\n", hz / 1e9, busy / 1e9);
    hz = busy;
    struct { const char *name; void (*run)(void); } pipes[] = {
        {"FMA, 512 bits", fma_zmm}, {"FMA with a memory operand", fma_memory}, {"FMA with a broadcast operand", fma_broadcast},
        {"load, 512 bits", load_zmm}, {"load that crosses a line", load_crossing}, {"broadcast load, 512 bits", broadcast_zmm},
        {"store, 512 bits", store_zmm}, {"addition, 512 bits", add_zmm}, {"maximum, 512 bits", max_zmm}, {"permutation of two, 512 bits", permute_zmm},
        {"FMA, 256 bits", fma_ymm}, {"load, 256 bits", load_ymm}};
    for (unsigned i = 0; i < sizeof pipes / sizeof *pipes; i++) printf("%-32s %.2f per cycle\n", pipes[i].name, COUNT / fastest(pipes[i].run) / hz);
    printf("%-32s %.2f cycles\n", "load and 4 FMA with broadcasts", fastest(four_rows) * hz / (COUNT / 4));
    char *far = aligned_alloc(1 << 21, 512L << 20);
    memset(far, 1, 512L << 20);
    for (long kib = 16; kib <= 512L << 10; kib *= 2) {
        double rate = read_bytes_per_second(far, kib << 10);
        printf("reading %7ld KiB: %5.1f bytes per cycle, %6.1f GB/s\n", kib, rate / hz, rate / 1e9);
    }
    return 0;
}
