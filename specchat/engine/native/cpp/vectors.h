// Vectors of LANES floats, and bf16 numbers, in the compiler's portable vector types.
//
// A row's bits must not depend on what else is in its step, and so on which copy of a loop the
// compiler made for it. Left to itself it fuses a product with the sum behind it here and not there:
// by where a value is used again, and where the processor is said to chain fused sums slowly, by how
// many of them run side by side. So it is built with -ffp-contract=off, which makes every operation
// round by itself, and what shall be fused says so: `multiply_add`.

#pragma once

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>

#ifdef __AVX__
#include <immintrin.h>
#endif

// What a register holds: the compiler takes wider vectors apart through memory.
#ifdef __AVX512F__
constexpr int LANES = 16;
#else
constexpr int LANES = 8;
#endif

#define EACH _Pragma("GCC unroll 24") for  // what is in registers stays there if all is unrolled

// They are read and written in place, wherever they stand: copied by memcpy they sometimes go through
// the stack in two halves, and wait there.
typedef float Vec __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint16_t Half __attribute__((vector_size(LANES * 2), aligned(2)));
typedef uint32_t Bits __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t Ints __attribute__((vector_size(LANES * 4)));
typedef uint64_t Longs __attribute__((vector_size(LANES * 4)));
typedef uint32_t HalfBits __attribute__((vector_size(LANES * 2)));

struct bf16 {
    uint16_t bits;
};

struct int4;  // groups of 32 numbers: types.h

static inline Vec every(float number) { return number - Vec{}; }  // x - 0 is x, whatever its sign

// a * b + c, rounded once where the processor can; elsewhere twice, likewise everywhere.
static inline Vec multiply_add(Vec a, Vec b, Vec c) {
#if defined __AVX512F__
    return (Vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined __FMA__
    return (Vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined __FP_FAST_FMAF
    Vec v;
    EACH(int i = 0; i < LANES; i++) v[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return v;
#else
    return a * b + c;
#endif
}

static inline float multiply_add(float a, float b, float c) {
#if defined __FMA__ || defined __FP_FAST_FMAF
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

static inline Vec multiply_add(Vec a, float b, Vec c) { return multiply_add(a, every(b), c); }

static inline Vec& at(float* p) { return *reinterpret_cast<Vec*>(p); }

static inline Vec load(const float* p) { return *reinterpret_cast<const Vec*>(p); }

static inline Bits load_bits(const void* p) { return *static_cast<const Bits*>(p); }

static inline Vec load(const bf16* p) {
    Half h;
    memcpy(&h, p, sizeof h);
    return (Vec)(__builtin_convertvector(h, Bits) << 16);
}

// The two numbers of each of LANES pairs, of which the first is in the low half.
static inline Vec first_of(Bits pairs) { return (Vec)(pairs << 16); }

static inline Vec second_of(Bits pairs) { return (Vec)(pairs & 0xffff0000u); }

// total + the sum of each pair's products with the two numbers of `both`.
static inline Vec add_pair_products(Vec total, Bits pairs, uint32_t both) {
#ifdef __AVX512BF16__
    return (Vec)_mm512_dpbf16_ps((__m512)total, (__m512bh)pairs,
                                 (__m512bh)_mm512_set1_epi32(int32_t(both)));
#else
    Bits all = Bits{} + both;
    total = multiply_add(first_of(pairs), first_of(all), total);
    return multiply_add(second_of(pairs), second_of(all), total);
#endif
}

// total + numbers * *factor; with PAIRS numbers are pairs, and so is the factor.
template <bool PAIRS>
static inline Vec plus_products(Vec total, Vec numbers, const float* factor) {
    if (!PAIRS) return multiply_add(numbers, *factor, total);
    uint32_t both;
    memcpy(&both, factor, sizeof both);
    return add_pair_products(total, (Bits)numbers, both);
}

// LANES numbers of 8 bits.
static inline Vec load(const int8_t* p) {
#if defined __AVX512F__
    __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return (Vec)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
#elif defined __AVX2__
    __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return (Vec)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
#else
    Vec v;
    for (int i = 0; i < LANES; i++) v[i] = p[i];
    return v;
#endif
}

// LANES numbers in float16, none of them infinite.
static inline Vec load_float16(const void* p) {
#if defined __AVX512F__
    return (Vec)_mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
#elif defined __F16C__
    return (Vec)_mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(p)));
#else
    Half h;
    memcpy(&h, p, sizeof h);
    Bits wide = __builtin_convertvector(h, Bits);
    Vec size = (Vec)((wide & 0x7fffu) << 13) * 5.192296858534828e33f;  // 2^112: exponents' bias
    return (Vec)((Bits)size | (wide & 0x8000u) << 16);
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

static inline Bits rounded(const float* p) {  // likewise, in the high halves
    Bits wide = load_bits(p);
    return wide + 0x7fffu + ((wide >> 16) & 1u);
}

// 2 * LANES numbers rounded likewise, two to a lane, the first in the low half.
static inline Vec round_pairs(const float* p) {
    Bits one = rounded(p), two = rounded(p + LANES), pairs;
#ifdef __AVX512F__
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
                  odd = even | _mm512_set1_epi32(1);
    Bits low = (Bits)_mm512_permutex2var_epi32((__m512i)one, even, (__m512i)two),
         high = (Bits)_mm512_permutex2var_epi32((__m512i)one, odd, (__m512i)two);
    pairs = low >> 16 | (high & 0xffff0000u);
#else
    HalfBits halves[2];
    for (int i = 0; i < 2; i++) {
        Longs two_each = (Longs)(i ? two : one);
        two_each = (two_each >> 16 & 0xffffu) | (two_each >> 32 & 0xffff0000u);
        halves[i] = __builtin_convertvector(two_each, HalfBits);
    }
    memcpy(&pairs, halves, sizeof pairs);
#endif
    return (Vec)pairs;
}

// x [n], rounded likewise in place, takes the first half. Up to the next multiple of 2 * LANES there
// must be something.
static inline void round_to_pairs(float* x, int64_t n) {
    for (int64_t i = 0; i < n; i += 2 * LANES) {
        at(x + i / 2) = round_pairs(x + i);
    }
}

// Numbers i of a and b [n] become pair i. n is a multiple of 2 * LANES.
static inline void pair_up(const bf16* a, const bf16* b, int64_t n, float* pairs) {
    for (int64_t i = 0; i < n; i += 2 * LANES) {
        uint16_t one[2 * LANES], two[2 * LANES], both[4 * LANES];
        memcpy(one, a + i, sizeof one);
        memcpy(two, b + i, sizeof two);
        for (int j = 0; j < 2 * LANES; j++) both[2 * j] = one[j], both[2 * j + 1] = two[j];
        memcpy(pairs + i, both, sizeof both);
    }
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
    if (many == LANES) return load(p);
    Vec v = {};
    memcpy(&v, p, many * sizeof(float));
    return v;
}

static inline void store_some(float* p, Vec v, int64_t many) {
    if (many == LANES)
        at(p) = v;
    else
        memcpy(p, &v, many * sizeof(float));
}

// The first `many` lanes of v, `rest` in the others.
static inline Vec only_first(Vec v, int64_t many, float rest) {
    Ints lane;
    EACH(int i = 0; i < LANES; i++) lane[i] = i;
    return lane < int32_t(many) ? v : Vec{} + rest;
}

static inline Vec larger(Vec a, Vec b) { return a > b ? a : b; }

static inline Vec smaller(Vec a, Vec b) { return a < b ? a : b; }

static inline float largest(Vec v) {
#ifdef __AVX512F__
    return _mm512_reduce_max_ps((__m512)v);
#else
    float most = v[0];
    for (int i = 1; i < LANES; i++) most = v[i] > most ? v[i] : most;
    return most;
#endif
}

static const int64_t NO_TOKEN = -1;

// Where the largest number stands, the first of them; NO_TOKEN where it is not finite or one of them
// is no number.
static inline int64_t first_of_largest(const float* x, int64_t n) {
    float most = x[0];
    int64_t i = 0;
    bool strange = false;
    if (n >= LANES) {
        Vec best = load(x);
        Ints none = best != best;
        for (i = LANES; i + LANES <= n; i += LANES) {
            Vec next = load(x + i);
            none |= next != next;
            best = larger(best, next);
        }
        for (int lane = 0; lane < LANES; lane++) strange |= none[lane] != 0;
        most = largest(best);
    }
    for (; i < n; i++) {
        strange |= x[i] != x[i];
        most = x[i] > most ? x[i] : most;
    }
    if (strange || !std::isfinite(most)) return NO_TOKEN;
    for (i = 0; x[i] != most;) i++;
    return i;
}

// Four by four in each four lanes of four vectors: lane i of the four of v[j] becomes lane j of those
// of v[i].
static inline void turn_fours(Vec* v) {
#ifdef __AVX512F__
    __m512 a = (__m512)v[0], b = (__m512)v[1], c = (__m512)v[2], d = (__m512)v[3];
    __m512d ab = _mm512_castps_pd(_mm512_unpacklo_ps(a, b)),
            AB = _mm512_castps_pd(_mm512_unpackhi_ps(a, b)),
            cd = _mm512_castps_pd(_mm512_unpacklo_ps(c, d)),
            CD = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
    v[0] = (Vec)_mm512_unpacklo_pd(ab, cd);
    v[1] = (Vec)_mm512_unpackhi_pd(ab, cd);
    v[2] = (Vec)_mm512_unpacklo_pd(AB, CD);
    v[3] = (Vec)_mm512_unpackhi_pd(AB, CD);
#elif defined __AVX__
    __m256 a = (__m256)v[0], b = (__m256)v[1], c = (__m256)v[2], d = (__m256)v[3];
    __m256d ab = _mm256_castps_pd(_mm256_unpacklo_ps(a, b)),
            AB = _mm256_castps_pd(_mm256_unpackhi_ps(a, b)),
            cd = _mm256_castps_pd(_mm256_unpacklo_ps(c, d)),
            CD = _mm256_castps_pd(_mm256_unpackhi_ps(c, d));
    v[0] = (Vec)_mm256_unpacklo_pd(ab, cd);
    v[1] = (Vec)_mm256_unpackhi_pd(ab, cd);
    v[2] = (Vec)_mm256_unpacklo_pd(AB, CD);
    v[3] = (Vec)_mm256_unpackhi_pd(AB, CD);
#else
    float from[4][LANES], to[4][LANES];
    memcpy(from, v, sizeof from);
    for (int k = 0; k < LANES; k += 4)
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 4; j++) to[i][k + j] = from[j][k + i];
    memcpy(v, to, sizeof to);
#endif
}

// Lane i of v[j] becomes lane j of v[i].
static inline void turn(Vec (&v)[LANES]) {
    EACH(int j = 0; j < LANES; j += 4) turn_fours(v + j);
#ifdef __AVX512F__
    EACH(int i = 0; i < 4; i++) {
        __m512 a = (__m512)v[i], b = (__m512)v[4 + i], c = (__m512)v[8 + i], d = (__m512)v[12 + i];
        __m512 ab = _mm512_shuffle_f32x4(a, b, 0x88), AB = _mm512_shuffle_f32x4(a, b, 0xdd),
               cd = _mm512_shuffle_f32x4(c, d, 0x88), CD = _mm512_shuffle_f32x4(c, d, 0xdd);
        v[i] = (Vec)_mm512_shuffle_f32x4(ab, cd, 0x88);
        v[4 + i] = (Vec)_mm512_shuffle_f32x4(AB, CD, 0x88);
        v[8 + i] = (Vec)_mm512_shuffle_f32x4(ab, cd, 0xdd);
        v[12 + i] = (Vec)_mm512_shuffle_f32x4(AB, CD, 0xdd);
    }
#elif defined __AVX__
    EACH(int i = 0; i < 4; i++) {
        __m256 a = (__m256)v[i], b = (__m256)v[4 + i];
        v[i] = (Vec)_mm256_permute2f128_ps(a, b, 0x20);
        v[4 + i] = (Vec)_mm256_permute2f128_ps(a, b, 0x31);
    }
#else
    float from[LANES][LANES], to[LANES][LANES];
    memcpy(from, v, sizeof from);
    for (int i = 0; i < LANES; i++)  // fours change places
        for (int k = 0; k < LANES; k += 4)
            memcpy(to[i] + k, from[k + i % 4] + i / 4 * 4, 4 * sizeof(float));
    memcpy(v, to, sizeof to);
#endif
}

// e^x to within a few units in the last place (Cephes' expf); 0 below -87.
static inline Vec exponential(Vec x) {
    // Added to a number, it leaves the nearest integer in the low bits.
    constexpr float WHOLE = 3 << 22;
    Vec low = Vec{} - 87.0f, inside = larger(low, x);  // in this order what is no number stays so
    inside = smaller(-low, inside);
    Vec shifted = multiply_add(inside, 1.44269504088896341f, every(WHOLE)), n = shifted - WHOLE;
    Vec r = multiply_add(n, -0.693359375f, inside);
    r = multiply_add(n, 2.12194440e-4f, r);
    Vec y = every(1.9875691500e-4f);
    y = multiply_add(y, r, every(1.3981999507e-3f));
    y = multiply_add(y, r, every(8.3334519073e-3f));
    y = multiply_add(y, r, every(4.1665795894e-2f));
    y = multiply_add(y, r, every(1.6666665459e-1f));
    y = multiply_add(y, r, every(5.0000001201e-1f));
    y = multiply_add(y * r, r, r) + 1.0f;
    Vec scale = (Vec)(((Ints)shifted + 127) << 23);
    return x < low ? Vec{} : y * scale;
}

// cap * tanh(x / cap); x where there is no cap.
static inline Vec capped(Vec x, float cap) {
    if (cap == 0) return x;
    return cap * (1.0f - 2.0f / (1.0f + exponential(x * (2.0f / cap))));
}


// x[i] becomes e^(x[i] - most); returns their sum.
static inline float exponentials(float* x, int64_t n, float most) {
    Vec total = {};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        Vec v = exponential(load(x + i) - most);
        at(x + i) = v;
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
    for (; i + LANES <= n; i += LANES) total = multiply_add(load(a + i), load(b + i), total);
    float rest = 0;
    for (; i < n; i++) rest = multiply_add(value(a + i), b[i], rest);
    return sum(total) + rest;
}
