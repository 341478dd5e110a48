/* SPDX-License-Identifier: MIT */
/* Primes, in the kernel: arithmetic, loads and stores, and nothing that is any monitor's business. `make bench` compares how fast engines run it. */
#include "kernel.h"

enum { LIMIT = 1 << 20, ROUNDS = 200 };
static u8 composite[LIMIT];

static u32 sieve(void)
{
    u32 primes = 0;
    for (u32 i = 0; i < LIMIT; i++)
        composite[i] = 0;
    for (u32 i = 2; i < LIMIT; i++) {
        if (composite[i])
            continue;
        primes++;
        for (u32 k = i * 2; k < LIMIT; k += i)
            composite[k] = 1;
    }
    return primes;
}

void guest_main(void)
{
    u32 sum = 0;
    for (u32 round = 0; round < ROUNDS; round++)
        sum += sieve();
    print("%u primes\n", sum / ROUNDS);
}
