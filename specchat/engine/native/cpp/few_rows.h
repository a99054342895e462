// Products of a few rows of activations with a weight: reading the weight is what takes time, and it
// is read once.

#pragma once

#include <type_traits>
#include <utility>

#include "team.h"
#include "types.h"
#include "vectors.h"

// So many at the most: each takes a register or more.
#ifdef __AVX512F__
constexpr int FEW_ROWS = 24;
#else
constexpr int FEW_ROWS = 11;
#endif

// Floats in which they are put side by side.
constexpr int64_t room_for_few(int64_t cols) { return FEW_ROWS * (cols + cols / 32) + LANES; }

// Blocks of weight rows that are summed together with B step rows: enough sums that none waits for
// the one before it, and no more streams of weights than that. `pairs`: of two products each.
constexpr int blocks_at_once(int B, bool pairs) {
#ifdef __AVX512F__
    if (B <= 6) return B <= 3 ? 8 : 10 - B;
    return B <= 8 ? 3 : !pairs ? 1 : B <= 9 ? 3 : B <= 14 ? 2 : 1;
#else
    return B == 1 ? 6 : B == 2 ? 4 : B == 3 ? 3 : B <= 6 ? 2 : 1;
#endif
}

constexpr int MOST_SUMS = 32;  // no more than there are registers

// Activations are handed to the inner loop column by column, the step rows side by side, so that
// it reads one stream: for float arithmetic [cols][B] floats, for bf16 pairs [cols / 2][B][2].

// Stores LANES columns of B rows, v, as [LANES][B]. What is stored behind a column is overwritten by
// the next one; behind the last one there must be room for it.
template <int B>
static inline void side_by_side(Vec* v, void* out) {
    auto to = static_cast<float*>(out);
    EACH(int b = 0; b < B; b += 4) turn_fours(v + b);
    EACH(int i = 0; i < LANES; i++)
        EACH(int b = 0; b < B; b += 4)
            memcpy(to + i * B + b, reinterpret_cast<float*>(v + b + i % 4) + i / 4 * 4,
                   4 * sizeof(float));
}

template <int B>
static void interleave(const float* x, int64_t cols, float* out) {
    int64_t k = 0;
    for (; k + LANES <= cols; k += LANES) {
        Vec v[(B + 3) / 4 * 4] = {};
        EACH(int b = 0; b < B; b++) v[b] = load(x + b * cols + k);
        if (B == 1)
            *reinterpret_cast<Vec*>(out + k) = *v;
        else
            side_by_side<B>(v, out + k * B);
    }
    for (; k < cols; k++)
        for (int b = 0; b < B; b++) out[k * B + b] = x[b * cols + k];
}

template <int B>
static void interleave(const float* x, int64_t cols, bf16* out) {
    int64_t k = 0;
    for (; k + 2 * LANES <= cols; k += 2 * LANES) {
        Vec v[(B + 3) / 4 * 4] = {};
        EACH(int b = 0; b < B; b++) v[b] = round_pairs(x + b * cols + k);
        if (B == 1)
            *reinterpret_cast<Vec*>(out + k) = *v;
        else
            side_by_side<B>(v, out + k * B);
    }
    for (; k < cols; k += 2)
        for (int b = 0; b < B; b++) {
            store(out + k * B + 2 * b, x[b * cols + k]);
            store(out + k * B + 2 * b + 1, x[b * cols + k + 1]);
        }
}

constexpr int64_t LINE = LANES * sizeof(float);  // bytes: a column of float32, 2 of bf16, 4 of int8
constexpr int64_t FAR = 64, NEAR = 8;            // lines
constexpr int64_t GROUP = 32;                    // columns of int4
constexpr int64_t GROUP_LINES = 5;               // scales and least numbers, and 8 columns each

// body(line) for each L of n * L lines of R blocks that stand one behind the other. The processor stops
// fetching at a page's end, so what is used FAR lines later is fetched here: at the end of these
// blocks that is what stands at `ahead`, as if it were blocks of the same size. Where there is time
// for it (`twice`), what is used NEAR lines later is brought closer still.
template <int R, bool twice, int L = 1, typename Body>
static inline __attribute__((always_inline)) void each_line(const void* blocks, int64_t n,
                                                            const char* ahead, const Body& body) {
    constexpr int64_t STEP = L * LINE, FAR_STEPS = FAR / L, NEAR_STEPS = (NEAR + L - 1) / L;
    auto w = static_cast<const char*>(blocks), far = w + FAR_STEPS * STEP;
    int64_t turn = n > FAR_STEPS ? n - FAR_STEPS : 0, i = 0;
    for (int64_t end : {turn, n}) {
        for (; i < end; i++) {
            EACH(int r = 0; r < R; r++)
                EACH(int l = 0; l < L; l++) {
                    __builtin_prefetch(far + (r * n + i) * STEP + l * LINE, 0, 2);
                    if (twice)
                        __builtin_prefetch(w + (r * n + i + NEAR_STEPS) * STEP + l * LINE, 0, 3);
                }
            body(w + i * STEP);
        }
        far = ahead - turn * STEP;
    }
}

// R blocks of weight rows times B step rows, each weight read once; `out` is [R][B]. Each sum runs
// over the columns in order, whatever R and B are.

template <int R, int B>
static inline __attribute__((always_inline)) void sums(const float* w, const float* x, int64_t cols,
                                                       const char* ahead, Vec* out) {
    Vec total[R][B] = {};
    each_line<R, (B > 4)>(w, cols, ahead, [&](const char* line) __attribute__((always_inline)) {
        EACH(int r = 0; r < R; r++) {
            Vec weight = load(reinterpret_cast<const float*>(line + r * cols * LINE));
            EACH(int b = 0; b < B; b++) total[r][b] = multiply_add(weight, x[b], total[r][b]);
        }
        x += B;
    });
    EACH(int r = 0; r < R; r++)
        EACH(int b = 0; b < B; b++) out[r * B + b] = total[r][b];
}

template <int R, int B>
static inline __attribute__((always_inline)) void sums(const bf16* w, const float* x, int64_t cols,
                                                       const char* ahead, Vec* out) {
    Vec total[R][B] = {};
    int64_t n = cols / 2;
    each_line<R, (B > 4)>(w, n, ahead, [&](const char* line) __attribute__((always_inline)) {
        Bits pair[R];
        EACH(int r = 0; r < R; r++) pair[r] = load_bits(line + r * n * LINE);
        Vec weight[R];
        EACH(int r = 0; r < R; r++) weight[r] = first_of(pair[r]);
        EACH(int b = 0; b < B; b++)
            EACH(int r = 0; r < R; r++)
                total[r][b] = multiply_add(weight[r], x[b], total[r][b]);
        EACH(int r = 0; r < R; r++) weight[r] = second_of(pair[r]);
        EACH(int b = 0; b < B; b++)
            EACH(int r = 0; r < R; r++)
                total[r][b] = multiply_add(weight[r], x[B + b], total[r][b]);
        x += 2 * B;
    });
    EACH(int r = 0; r < R; r++)
        EACH(int b = 0; b < B; b++) out[r * B + b] = total[r][b];
}

template <int R, int B>
static inline __attribute__((always_inline)) void sums(const bf16* w, const bf16* x, int64_t cols,
                                                       const char* ahead, Vec* out) {
    Vec total[R][B] = {};
    int64_t n = cols / 2;
    each_line<R, (B > 4)>(w, n, ahead, [&](const char* line) __attribute__((always_inline)) {
        Bits pair[R];
        EACH(int r = 0; r < R; r++) pair[r] = load_bits(line + r * n * LINE);
        EACH(int b = 0; b < B; b++) {
            uint32_t both;
            memcpy(&both, x + 2 * b, sizeof both);
            EACH(int r = 0; r < R; r++)
                total[r][b] = add_pair_products(total[r][b], pair[r], both);
        }
        x += 2 * B;
    });
    EACH(int r = 0; r < R; r++)
        EACH(int b = 0; b < B; b++) out[r * B + b] = total[r][b];
}

template <int R, int B>
static inline __attribute__((always_inline)) void sums(const int8_t* w, const float* x, int64_t cols,
                                                       const char* ahead, Vec* out) {
    Vec total[R][B] = {};
    each_line<R, (B > 4)>(w, cols / 4, ahead, [&](const char* line) __attribute__((always_inline)) {
        EACH(int k = 0; k < 4; k++) {
            Vec weight[R];
            EACH(int r = 0; r < R; r++)
                weight[r] = load(reinterpret_cast<const int8_t*>(line) + (r * cols + k) * LANES);
            EACH(int b = 0; b < B; b++)
                EACH(int r = 0; r < R; r++) total[r][b] = multiply_add(weight[r], x[b], total[r][b]);
            x += B;
        }
    });
    EACH(int r = 0; r < R; r++)
        EACH(int b = 0; b < B; b++) out[r * B + b] = total[r][b];
}

// Number k, below 4, of each lane's, times 16^k: what it is multiplied with makes up for it, so that
// nothing is shifted.
static inline Vec int4_of(Bits words, int k) {
    return __builtin_convertvector((Ints)(words & 15u << 4 * k), Vec);
}

// The sum over a group of int4 is scale * (sum of q * x) + least * (sum of x), in this order.
template <int R, int B>
static inline __attribute__((always_inline)) void sums(const int4* w, const float* x, int64_t cols,
                                                       const char* ahead, Vec* out) {
    int64_t n = cols / GROUP;
    const float* group_sums = x + B * cols + LANES;
    EACH(int i = 0; i < R * B; i++) out[i] = Vec{};
    each_line<R, (B > 4), GROUP_LINES>(
        w, n, ahead, [&](const char* group) __attribute__((always_inline)) {
            const int64_t stride = n * GROUP_LINES * LINE;
            Vec total[R][B] = {};
            for (int l = 1; l < GROUP_LINES; l++) {
                Bits words[R];
                EACH(int r = 0; r < R; r++) words[r] = load_bits(group + r * stride + l * LINE);
                EACH(int k = 0; k < 8; k++) {
                    Vec weight[R];
                    EACH(int r = 0; r < R; r++) {
                        if (k == 4) words[r] >>= 16;
                        weight[r] = int4_of(words[r], k % 4);
                    }
                    EACH(int b = 0; b < B; b++)
                        EACH(int r = 0; r < R; r++)
                            total[r][b] = multiply_add(weight[r], x[b], total[r][b]);
                    x += B;
                }
            }
            EACH(int r = 0; r < R; r++) {
                Vec scale = load_float16(group + r * stride),
                    least = load_float16(group + r * stride + LINE / 2);
                EACH(int b = 0; b < B; b++)
                    out[r * B + b] = multiply_add(
                        least, group_sums[b], multiply_add(scale, total[r][b], out[r * B + b]));
            }
            group_sums += B;
        });
}

// Floats behind rows that are multiplied with int4.
constexpr int64_t group_floats(int64_t rows, int64_t cols) { return LANES + rows * (cols / GROUP); }

// Makes of B rows side by side what is multiplied with int4: behind them, and what `side_by_side` left
// there, come the sums of their groups [cols / GROUP][B]; themselves they are scaled for `int4_of`.
template <int B>
static void for_int4(float* x, int64_t cols) {
    float* sums = x + B * cols + LANES;
    for (int64_t k = 0; k + GROUP <= cols; k += GROUP, sums += B) {
        for (int b = 0; b < B; b++) sums[b] = 0;
        for (int64_t i = k; i < k + GROUP; i++)
            for (int b = 0; b < B; b++) {
                sums[b] += x[i * B + b];
                x[i * B + b] *= 1.0f / (1 << 4 * (i % 4));
            }
    }
}

// The kernels for B step rows: of many blocks, of half as many, and of one.
struct Kernels {
    typedef void (*Kernel)(const char* weights, const void* x, int64_t cols, const char* ahead,
                           Vec* out);
    void (*interleave)(const float* x, int64_t cols, void* out);
    int64_t many, half;
    Kernel of_many, of_half, of_one;
};

template <typename W, typename X, int R, int B>
static __attribute__((noinline)) void kernel(const char* weights, const void* x, int64_t cols,
                                             const char* ahead, Vec* out) {
    sums<R, B>(reinterpret_cast<const W*>(weights), static_cast<const X*>(x), cols, ahead, out);
}

template <typename W, typename X, int B>
static constexpr Kernels kernels() {
    constexpr int R = blocks_at_once(B, sizeof(X) == sizeof(bf16)), HALF = R > 2 ? R / 2 : 1;
    auto interleaved = [](const float* x, int64_t cols, void* out) {
        interleave<B>(x, cols, static_cast<X*>(out));
        if (std::is_same<W, int4>::value) for_int4<B>(static_cast<float*>(out), cols);
    };
    return {interleaved, R, HALF, kernel<W, X, R, B>, kernel<W, X, HALF, B>, kernel<W, X, 1, B>};
}

template <typename W, typename X, int... B>
static const Kernels* all_kernels(std::integer_sequence<int, B...>) {
    static constexpr Kernels all[] = {kernels<W, X, B + 1>()...};
    return all;
}

static inline const Kernels& kernels_for(const Matrix& m, int64_t rows) {
    constexpr std::make_integer_sequence<int, FEW_ROWS> counts;
    return (m.kind == FLOAT32 ? all_kernels<float, float>(counts)
            : m.kind == INT8  ? all_kernels<int8_t, float>(counts)
            : m.kind == INT4  ? all_kernels<int4, float>(counts)
            : m.bf16_products ? all_kernels<bf16, bf16>(counts)
                              : all_kernels<bf16, float>(counts))[rows - 1];
}

static inline int64_t blocks_of(const Matrix& m) { return (m.rows + LANES - 1) / LANES; }

static inline int64_t block_bytes(const Matrix& m) {
    return m.kind == FLOAT32 ? m.cols * LINE
           : m.kind == BF16  ? m.cols / 2 * LINE
           : m.kind == INT8  ? m.cols / 4 * LINE
                             : m.cols / GROUP * GROUP_LINES * LINE;
}

// Where this thread begins with a matrix.
static inline const char* beginning(const Team& team, const Matrix& m) {
    return static_cast<const char*>(m.data) + team.share(blocks_of(m)).first * block_bytes(m);
}

// x [rows, cols], FEW_ROWS at the most, times N matrices; `products` says the rest. `again`: `room`
// holds them already.
template <int N, typename Put>
static void few_products(Team& team, const Matrix* const (&m)[N], const float* x, int64_t rows,
                         float* room, bool again, const Matrix& then, const Put& put) {
    Vec out[N][MOST_SUMS];
    const Matrix& one = *m[0];
    const char* weights[N];
    EACH(int i = 0; i < N; i++) weights[i] = static_cast<const char*>(m[i]->data);
    int64_t all = blocks_of(one), stride = block_bytes(one), own = team.share(all).last;
    const Kernels& k = kernels_for(one, rows);
    if (!again) k.interleave(x, one.cols, room);
    team.begin(all);
    for (Share part; team.claim(k.many, k.half, part);) {
        bool goes_on = part.last < own && part.first >= team.share(all).first;
        const char* after = goes_on ? weights[0] + part.last * stride : beginning(team, then);
        int64_t blocks;
        for (int64_t block = part.first; block < part.last; block += blocks) {
            int64_t left = part.last - block;
            blocks = left >= k.many ? k.many : left >= k.half ? k.half : 1;
            auto kernel = left >= k.many ? k.of_many : left >= k.half ? k.of_half : k.of_one;
            EACH(int i = 0; i < N; i++) {
                const char* ahead = i + 1 < N       ? weights[i + 1] + block * stride
                                    : blocks < left ? weights[0] + (block + blocks) * stride
                                                    : after;
                kernel(weights[i] + block * stride, room, one.cols, ahead, out[i]);
            }
            for (int64_t r = 0; r < blocks; r++)
                for (int64_t b = 0; b < rows; b++) {
                    Vec sum[N];
                    EACH(int i = 0; i < N; i++) sum[i] = out[i][r * rows + b];
                    put(block + r, b, sum);
                }
        }
    }
}
