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
typedef uint64_t Longs __attribute__((vector_size(LANES * 4)));
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

// Sixteen pairs of neighbouring bf16 numbers, the first of each in the low half. The line that the
// stream reaches 2 KB later is fetched: the processor itself stops at a page's end.
static inline Bits load_pairs(const bf16* p) {
    __builtin_prefetch(reinterpret_cast<const char*>(p) + 2048, 0, 2);
    Bits both;
    memcpy(&both, p, sizeof both);
    return both;
}

static inline Vec first_of(Bits pairs) {
    pairs <<= 16;
    Vec v;
    memcpy(&v, &pairs, sizeof v);
    return v;
}

static inline Vec second_of(Bits pairs) {
    pairs &= 0xffff0000u;
    Vec v;
    memcpy(&v, &pairs, sizeof v);
    return v;
}

// total + the sum of each pair's products with the two numbers of `both`.
static inline Vec add_pair_products(Vec total, Bits pairs, uint32_t both) {
#ifdef __AVX512BF16__
    return (Vec)_mm512_dpbf16_ps((__m512)total, (__m512bh)pairs,
                                 (__m512bh)_mm512_set1_epi32(int32_t(both)));
#else
    float low, high;
    uint32_t bits = both << 16;
    memcpy(&low, &bits, sizeof low);
    bits = both & 0xffff0000u;
    memcpy(&high, &bits, sizeof high);
    total += first_of(pairs) * low;
    return total + second_of(pairs) * high;
#endif
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

// LANES numbers rounded likewise, two to a word, the first in the low half.
static inline void round_pairs(const float* p, uint32_t* pairs) {
    Bits wide;
    memcpy(&wide, p, sizeof wide);
    wide = (wide + 0x7fffu + ((wide >> 16) & 1u)) >> 16;
    Longs two;
    memcpy(&two, &wide, sizeof two);
    two = (two | two >> 16) & 0xffffffffu;
    for (int i = 0; i < LANES / 2; i++) pairs[i] = uint32_t(two[i]);
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

static inline Vec larger(Vec a, Vec b) { return a > b ? a : b; }

static inline float largest(Vec v) {
#ifdef __AVX512F__
    return _mm512_reduce_max_ps((__m512)v);
#else
    float most = v[0];
    for (int i = 1; i < LANES; i++) most = v[i] > most ? v[i] : most;
    return most;
#endif
}

static inline int64_t first_of_largest(const float* x, int64_t n) {
    float most = x[0];
    int64_t i = 0;
    if (n >= LANES) {
        Vec best = load(x);
        for (i = LANES; i + LANES <= n; i += LANES) best = larger(best, load(x + i));
        most = largest(best);
    }
    for (; i < n; i++) most = x[i] > most ? x[i] : most;
    for (i = 0; i < n; i++)
        if (x[i] == most) return i;
    return 0;  // not a number anywhere
}

// Lane i of the result is the sum of v[i].
static inline Vec sums_of(const Vec (&v)[LANES]) {
#ifdef __AVX512F__
    __m512 two[8], four[4], eight[2];
    for (int i = 0; i < 8; i++) {
        __m512 a = (__m512)v[2 * i], b = (__m512)v[2 * i + 1];
        two[i] = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    }
    for (int i = 0; i < 4; i++) {
        __m512d a = _mm512_castps_pd(two[2 * i]), b = _mm512_castps_pd(two[2 * i + 1]);
        four[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)),
                                _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
    }
    for (int i = 0; i < 2; i++)
        eight[i] = _mm512_add_ps(_mm512_shuffle_f32x4(four[2 * i], four[2 * i + 1], 0x88),
                                 _mm512_shuffle_f32x4(four[2 * i], four[2 * i + 1], 0xdd));
    return (Vec)_mm512_add_ps(_mm512_shuffle_f32x4(eight[0], eight[1], 0x88),
                              _mm512_shuffle_f32x4(eight[0], eight[1], 0xdd));
#else
    Vec total;
    for (int i = 0; i < LANES; i++) total[i] = sum(v[i]);
    return total;
#endif
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
