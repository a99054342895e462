// Vectors of LANES floats, and bf16 numbers, in the compiler's portable vector types.

#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

constexpr int LANES = 16;

typedef float Vec __attribute__((vector_size(LANES * 4), aligned(4)));
typedef uint16_t Half __attribute__((vector_size(LANES * 2), aligned(2)));
typedef uint32_t Bits __attribute__((vector_size(LANES * 4)));
typedef int32_t Ints __attribute__((vector_size(LANES * 4)));

struct bf16 {
    uint16_t bits;
};

static inline Vec load(const float* p) {
    Vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline Vec load(const bf16* p) {
    Half h;
    memcpy(&h, p, sizeof h);
    Bits wide = __builtin_convertvector(h, Bits) << 16;
    Vec v;
    memcpy(&v, &wide, sizeof v);
    return v;
}

static inline float value(const float* p) { return *p; }

static inline float value(const bf16* p) {
    uint32_t wide = uint32_t(p->bits) << 16;
    float v;
    memcpy(&v, &wide, sizeof v);
    return v;
}

static inline void store(float* p, float v) { *p = v; }

static inline void store(bf16* p, float v) {  // rounds to nearest even
    uint32_t wide;
    memcpy(&wide, &v, sizeof wide);
    p->bits = uint16_t((wide + 0x7fff + ((wide >> 16) & 1)) >> 16);
}

static inline float sum(Vec v) {
#ifdef __AVX512F__
    return _mm512_reduce_add_ps((__m512)v);
#else
    float lane[LANES];
    memcpy(lane, &v, sizeof v);
    for (int width = LANES / 2; width; width /= 2)
        for (int i = 0; i < width; i++) lane[i] += lane[i + width];
    return lane[0];
#endif
}

// The first `many` numbers at p, and zeros.
static inline Vec load_some(const float* p, int64_t many) {
    Vec v = {};
    memcpy(&v, p, many * sizeof(float));
    return v;
}

static inline void store_some(float* p, Vec v, int64_t many) {
    if (many == LANES)
        memcpy(p, &v, sizeof v);
    else
        memcpy(p, &v, many * sizeof(float));
}

// e^x to within a few units in the last place (Cephes' expf); 0 below -87.
static inline Vec exponential(Vec x) {
    Vec low = x - x - 87.0f;
    Vec inside = x > low ? x : low;
    inside = inside < -low ? inside : -low;
    Vec z = inside * 1.44269504088896341f;
    Ints whole = __builtin_convertvector(z + (z > 0 ? x - x + 0.5f : x - x - 0.5f), Ints);
    Vec n = __builtin_convertvector(whole, Vec);
    Vec r = inside - n * 0.693359375f + n * 2.12194440e-4f;
    Vec y = r * 1.9875691500e-4f + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * r * r + r + 1.0f;
    Ints power = (whole + 127) << 23;
    Vec scale;
    memcpy(&scale, &power, sizeof scale);
    return y * scale;
}

// x[i] becomes e^(x[i] - most); returns their sum.
static inline float exponentials(float* x, int64_t n, float most) {
    Vec total = {};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        Vec v = exponential(load(x + i) - most);
        memcpy(x + i, &v, sizeof v);
        total += v;
    }
    if (i < n) {
        Vec v = exponential(load_some(x + i, n - i) - most);
        store_some(x + i, v, n - i);
        total += load_some(x + i, n - i);
    }
    return sum(total);
}

template <typename T>
static inline float dot(const T* a, const float* b, int64_t n) {
    Vec total = {};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) total += load(a + i) * load(b + i);
    float rest = 0;
    for (; i < n; i++) rest += value(a + i) * b[i];
    return sum(total) + rest;
}
