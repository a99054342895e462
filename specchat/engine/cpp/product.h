// Products of a few rows of activations with a weight, and what goes on a row alone.

#pragma once

#include <utility>

#include "team.h"
#include "types.h"
#include "vectors.h"

// Step rows that are summed together, at most: each takes a register or more.
#ifdef __AVX512F__
constexpr int MOST_ROWS = 24;
#else
constexpr int MOST_ROWS = 12;
#endif

// Floats in which rows of so many columns are put side by side.
constexpr int64_t room_for(int64_t cols) { return MOST_ROWS * cols + LANES; }

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
            memcpy(out + k, v, sizeof *v);
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
            memcpy(out + k, v, sizeof *v);
        else
            side_by_side<B>(v, out + k * B);
    }
    for (; k < cols; k += 2)
        for (int b = 0; b < B; b++) {
            store(out + k * B + 2 * b, x[b * cols + k]);
            store(out + k * B + 2 * b + 1, x[b * cols + k + 1]);
        }
}

constexpr int64_t LINE = LANES * sizeof(float);  // bytes: a column of a float block, two of bf16
constexpr int64_t FAR = 64, NEAR = 8;            // lines

// body(line) for each of n lines of R blocks that stand one behind the other. The processor stops
// fetching at a page's end, so what is used FAR lines later is fetched here: at the end of these
// blocks that is the beginning of the next R. Where there is time for it (`twice`), what is used
// NEAR lines later is brought closer still.
template <int R, bool twice, typename Body>
static inline __attribute__((always_inline)) void each_line(const void* blocks, int64_t n,
                                                            const Body& body) {
    auto w = static_cast<const char*>(blocks);
    int64_t far = FAR, i = 0;
    for (int64_t end : {n > FAR ? n - FAR : 0, n}) {
        for (; i < end; i++) {
            EACH(int r = 0; r < R; r++) {
                __builtin_prefetch(w + (r * n + i + far) * LINE, 0, 2);
                if (twice) __builtin_prefetch(w + (r * n + i + NEAR) * LINE, 0, 3);
            }
            body(w + i * LINE);
        }
        far += (R - 1) * n;
    }
}

// R blocks of weight rows times B step rows, each weight read once; `out` is [R][B]. Each sum runs
// over the columns in order, whatever R and B are.

template <int R, int B>
static __attribute__((noinline)) void sums(const float* w, const float* x, int64_t cols, Vec* out) {
    Vec total[R][B] = {};
    each_line<R, (B > 4)>(w, cols, [&](const char* line) __attribute__((always_inline)) {
        EACH(int r = 0; r < R; r++) {
            Vec weight = load(reinterpret_cast<const float*>(line + r * cols * LINE));
            EACH(int b = 0; b < B; b++) total[r][b] += weight * x[b];
        }
        x += B;
    });
    memcpy(out, total, sizeof total);
}

template <int R, int B>
static __attribute__((noinline)) void sums(const bf16* w, const float* x, int64_t cols, Vec* out) {
    Vec total[R][B] = {};
    int64_t n = cols / 2;
    each_line<R, (B > 4)>(w, n, [&](const char* line) __attribute__((always_inline)) {
        Bits pair[R];
        EACH(int r = 0; r < R; r++) memcpy(&pair[r], line + r * n * LINE, LINE);
        EACH(int r = 0; r < R; r++) {
            Vec weight = first_of(pair[r]);
            EACH(int b = 0; b < B; b++) total[r][b] += weight * x[b];
        }
        EACH(int r = 0; r < R; r++) {
            Vec weight = second_of(pair[r]);
            EACH(int b = 0; b < B; b++) total[r][b] += weight * x[B + b];
        }
        x += 2 * B;
    });
    memcpy(out, total, sizeof total);
}

template <int R, int B>
static __attribute__((noinline)) void sums(const bf16* w, const bf16* x, int64_t cols, Vec* out) {
    Vec total[R][B] = {};
    int64_t n = cols / 2;
    each_line<R, (B > 4)>(w, n, [&](const char* line) __attribute__((always_inline)) {
        Bits pair[R];
        EACH(int r = 0; r < R; r++) memcpy(&pair[r], line + r * n * LINE, LINE);
        EACH(int b = 0; b < B; b++) {
            uint32_t both;
            memcpy(&both, x + 2 * b, sizeof both);
            EACH(int r = 0; r < R; r++)
                total[r][b] = add_pair_products(total[r][b], pair[r], both);
        }
        x += 2 * B;
    });
    memcpy(out, total, sizeof total);
}

// The kernels for B step rows: of many blocks, of half as many, and of one.
template <typename W, typename X>
struct Kernels {
    typedef void (*Kernel)(const W*, const X*, int64_t, Vec*);
    void (*interleave)(const float*, int64_t, X*);
    int64_t many, half;
    Kernel of_many, of_half, of_one;
};

template <typename W, typename X, int B>
static constexpr Kernels<W, X> kernels() {
    constexpr int R = blocks_at_once(B, sizeof(X) == sizeof(bf16)), HALF = R > 2 ? R / 2 : 1;
    return {interleave<B>, R, HALF, sums<R, B>, sums<HALF, B>, sums<1, B>};
}

template <typename W, typename X, int... B>
static const Kernels<W, X>* all_kernels(std::integer_sequence<int, B...>) {
    static constexpr Kernels<W, X> all[] = {kernels<W, X, B + 1>()...};
    return all;
}

template <typename W, typename X>
static const Kernels<W, X>& kernels_for(int64_t rows) {
    return all_kernels<W, X>(std::make_integer_sequence<int, MOST_ROWS>())[rows - 1];
}

// put(first weight row, step row, products, how many) for a share of m's blocks and all step rows.
// `room` is as `product` wants it.
template <typename W, typename X, typename Put>
static void product_of(const Matrix& m, const float* x, int64_t rows, Share share, X* room, bool again,
                       const Put& put) {
    Vec out[MOST_SUMS];
    auto w = static_cast<const W*>(m.data);
    int64_t passes = (rows + MOST_ROWS - 1) / MOST_ROWS;
    // Few blocks at a time when there are several passes, so that they are still in the cache.
    int64_t at_once = passes > 1 ? 24 : share.last - share.first;
    if (passes == 1 && !again) kernels_for<W, X>(rows).interleave(x, m.cols, room);
    for (Share part{share.first, 0}; part.first < share.last; part.first = part.last) {
        part.last = part.first + at_once < share.last ? part.first + at_once : share.last;
        for (int64_t p = 0; p < passes; p++) {
            int64_t row = rows * p / passes, together = rows * (p + 1) / passes - row;
            const auto& k = kernels_for<W, X>(together);
            if (passes > 1) k.interleave(x + row * m.cols, m.cols, room);
            int64_t blocks;
            for (int64_t block = part.first; block < part.last; block += blocks) {
                int64_t left = part.last - block;
                blocks = left >= k.many ? k.many : left >= k.half ? k.half : 1;
                auto kernel = left >= k.many ? k.of_many : left >= k.half ? k.of_half : k.of_one;
                kernel(w + block * m.cols * LANES, room, m.cols, out);
                for (int64_t r = 0; r < blocks; r++) {
                    int64_t first = (block + r) * LANES;
                    int64_t many = m.rows - first < LANES ? m.rows - first : LANES;
                    Vec bias = m.bias ? load_some(m.bias + first, many) : Vec{};
                    for (int64_t b = 0; b < together; b++)
                        put(first, row + b, out[r * together + b] + bias, many);
                }
            }
        }
    }
}

// This thread's share of x [rows, cols] times m transposed. Call from all threads. `room` is the
// thread's own: room_for(cols) floats. `before` is the matrix that the same rows were multiplied
// with just before, if any: what `room` holds of them may be of use again.
template <typename Put>
static inline void product(const Team& team, const Matrix& m, const float* x, int64_t rows,
                           float* room, const Put& put, const Matrix* before = nullptr) {
    Share share = team.share((m.rows + LANES - 1) / LANES);
    bool again = before && before->bf16_products == m.bf16_products;
    if (!m.is_bf16)
        product_of<float>(m, x, rows, share, room, again, put);
    else if (m.bf16_products)
        product_of<bf16>(m, x, rows, share, reinterpret_cast<bf16*>(room), again, put);
    else
        product_of<bf16>(m, x, rows, share, room, again, put);
}

static inline float inverse_rms(const float* x, int64_t n, float epsilon) {
    return 1.0f / sqrtf(dot(x, x, n) / n + epsilon);
}

static inline void rms_norm(const float* x, const float* weight, int64_t n, float epsilon,
                            float* out) {
    float scale = inverse_rms(x, n, epsilon);
    for (int64_t i = 0; i < n; i++) out[i] = x[i] * scale * weight[i];
}

static inline void embed(const Table& m, int64_t id, float scale, float* out) {
    if (m.is_bf16) {
        auto row = static_cast<const bf16*>(m.data) + id * m.cols;
        for (int64_t i = 0; i < m.cols; i++) out[i] = value(row + i) * scale;
    } else {
        auto row = static_cast<const float*>(m.data) + id * m.cols;
        for (int64_t i = 0; i < m.cols; i++) out[i] = row[i] * scale;
    }
}

// Norm (where the model has one) and rotary position of one head, in place.
static inline void rotate(float* head, const float* norm, float epsilon, const float* cosine,
                          const float* sine, int64_t dim) {
    if (norm) rms_norm(head, norm, dim, epsilon, head);
    int64_t half = dim / 2;
    for (int64_t i = 0; i < half; i++) {
        float a = head[i], b = head[i + half];
        head[i] = a * cosine[i] - b * sine[i];
        head[i + half] = b * cosine[i] + a * sine[i];
    }
}
