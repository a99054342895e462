// Seeded Gumbel noise; engine/sampling.py has the formula.

#pragma once

#include "vectors.h"

typedef uint64_t Words __attribute__((vector_size(LANES * 8)));

// Natural logarithm of positive normal numbers, to within a few units in the last place (Cephes).
static inline Vec logarithm(Vec x) {
    Bits bits;
    memcpy(&bits, &x, sizeof bits);
    Ints exponent = (Ints)(bits >> 23) - 126;
    bits = (bits & 0x007fffffu) | 0x3f000000u;  // the fraction, in [0.5, 1)
    Vec m;
    memcpy(&m, &bits, sizeof m);
    Ints low = m < 0.707106781186547524f;  // -1 where true
    exponent += low;
    m = (low ? m + m : m) - 1.0f;
    Vec e = __builtin_convertvector(exponent, Vec), z = m * m;
    Vec y = m * 7.0376836292e-2f - 1.1514610310e-1f;
    y = y * m + 1.1676998740e-1f;
    y = y * m - 1.2420140846e-1f;
    y = y * m + 1.4249322787e-1f;
    y = y * m - 1.6668057665e-1f;
    y = y * m + 2.0000714765e-1f;
    y = y * m - 2.4999993993e-1f;
    y = y * m + 3.3333331174e-1f;
    y = y * m * z - e * 2.12194440e-4f - z * 0.5f;
    return m + y + e * 0.693359375f;
}

static inline Words mix_words(Words x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

// out [count, vocab]: row i is the noise of the position whose key is keys[i].
extern "C" void gumbel_noise(const uint64_t* keys, int64_t count, int64_t vocab, float* out) {
    constexpr uint64_t GOLDEN = 0x9e3779b97f4a7c15ull;
    Words lane;
    for (int i = 0; i < LANES; i++) lane[i] = uint64_t(i + 1) * GOLDEN;
    for (int64_t row = 0; row < count; row++)
        for (int64_t n = 0; n < vocab; n += LANES) {
            Words word = mix_words(lane + (keys[row] + uint64_t(n) * GOLDEN)) >> 32;
            Vec u = (__builtin_convertvector(__builtin_convertvector(word, Bits), Vec) + 0.5f) *
                    2.3283064365386963e-10f;  // 2^-32
            Vec most = u - u + (1.0f - 5.9604644775390625e-8f);
            u = u < most ? u : most;
            // log(1 - u), with what 1 - u loses of a small u made up for.
            Vec rest = 1.0f - u, lost = rest - 1.0f;
            Vec divisor = lost == 0.0f ? u - u + 1.0f : lost;
            Vec scaled = lost == 0.0f ? u : logarithm(rest) * (u / divisor);
            Vec noise = -logarithm(scaled);
            store_some(out + row * vocab + n, noise, vocab - n < LANES ? vocab - n : LANES);
        }
}
