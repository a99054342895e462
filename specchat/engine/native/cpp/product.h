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
// blocks that is what stands at `ahead`, as if it were blocks of the same size. Where there is time
// for it (`twice`), what is used NEAR lines later is brought closer still.
template <int R, bool twice, typename Body>
static inline __attribute__((always_inline)) void each_line(const void* blocks, int64_t n,
                                                            const char* ahead, const Body& body) {
    auto w = static_cast<const char*>(blocks), far = w + FAR * LINE;
    int64_t turn = n > FAR ? n - FAR : 0, i = 0;
    for (int64_t end : {turn, n}) {
        for (; i < end; i++) {
            EACH(int r = 0; r < R; r++) {
                __builtin_prefetch(far + (r * n + i) * LINE, 0, 2);
                if (twice) __builtin_prefetch(w + (r * n + i + NEAR) * LINE, 0, 3);
            }
            body(w + i * LINE);
        }
        far = ahead - turn * LINE;
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
            EACH(int b = 0; b < B; b++) total[r][b] += weight * x[b];
        }
        x += B;
    });
    memcpy(out, total, sizeof total);
}

template <int R, int B>
static inline __attribute__((always_inline)) void sums(const bf16* w, const float* x, int64_t cols,
                                                       const char* ahead, Vec* out) {
    Vec total[R][B] = {};
    int64_t n = cols / 2;
    each_line<R, (B > 4)>(w, n, ahead, [&](const char* line) __attribute__((always_inline)) {
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
static inline __attribute__((always_inline)) void sums(const bf16* w, const bf16* x, int64_t cols,
                                                       const char* ahead, Vec* out) {
    Vec total[R][B] = {};
    int64_t n = cols / 2;
    each_line<R, (B > 4)>(w, n, ahead, [&](const char* line) __attribute__((always_inline)) {
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
    };
    return {interleaved, R, HALF, kernel<W, X, R, B>, kernel<W, X, HALF, B>, kernel<W, X, 1, B>};
}

template <typename W, typename X, int... B>
static const Kernels* all_kernels(std::integer_sequence<int, B...>) {
    static constexpr Kernels all[] = {kernels<W, X, B + 1>()...};
    return all;
}

static inline const Kernels& kernels_for(const Matrix& m, int64_t rows) {
    constexpr std::make_integer_sequence<int, MOST_ROWS> counts;
    return (!m.is_bf16        ? all_kernels<float, float>(counts)
            : m.bf16_products ? all_kernels<bf16, bf16>(counts)
                              : all_kernels<bf16, float>(counts))[rows - 1];
}

static inline int64_t blocks_of(const Matrix& m) { return (m.rows + LANES - 1) / LANES; }

static inline int64_t block_bytes(const Matrix& m) {
    return (m.is_bf16 ? m.cols / 2 : m.cols) * LINE;
}

// Where this thread begins with a matrix.
static inline const char* beginning(const Team& team, const Matrix& m) {
    return static_cast<const char*>(m.data) + team.share(blocks_of(m)).first * block_bytes(m);
}

constexpr int64_t KEPT_BLOCKS = 24;  // that several passes find in the cache again

// x [rows, cols] times N matrices of one shape and kind, transposed:
// put(first weight row, step row, products with each, how many) for what this thread claims of them.
// Call from all threads. `room` is the thread's own: room_for(cols) floats; `again`: the rows that
// were multiplied just before, with matrices of the same kind, were these. The thread goes on with
// `then`.
template <int N, typename Put>
static void products(Team& team, const Matrix* const (&m)[N], const float* x, int64_t rows,
                     float* room, bool again, const Matrix& then, const Put& put) {
    if (!rows) return;
    Vec out[N][MOST_SUMS];
    const Matrix& one = *m[0];
    const char* weights[N];
    EACH(int i = 0; i < N; i++) weights[i] = static_cast<const char*>(m[i]->data);
    int64_t all = blocks_of(one), stride = block_bytes(one), own = team.share(all).last;
    int64_t passes = (rows + MOST_ROWS - 1) / MOST_ROWS;
    const Kernels& first = kernels_for(one, rows / passes);
    if (passes == 1 && !again) first.interleave(x, one.cols, room);
    // Several passes over few blocks, so that they are still in the cache.
    int64_t many = passes > 1 ? KEPT_BLOCKS / N : first.many;
    int64_t fewer = passes > 1 ? many : first.half;
    team.begin(all);
    for (Share part; team.claim(many, fewer, part);) {
        bool goes_on = part.last < own && part.first >= team.share(all).first;
        const char* after = goes_on ? weights[0] + part.last * stride : beginning(team, then);
        for (int64_t p = 0; p < passes; p++) {
            int64_t row = rows * p / passes, together = rows * (p + 1) / passes - row;
            const Kernels& k = kernels_for(one, together);
            if (passes > 1) k.interleave(x + row * one.cols, one.cols, room);
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
                for (int64_t r = 0; r < blocks; r++) {
                    int64_t row_of_weights = (block + r) * LANES, behind = one.rows - row_of_weights;
                    int64_t count = behind < LANES ? behind : LANES;
                    Vec bias[N], sum[N];
                    EACH(int i = 0; i < N; i++)
                        bias[i] = m[i]->bias ? load_some(m[i]->bias + row_of_weights, count) : Vec{};
                    for (int64_t b = 0; b < together; b++) {
                        EACH(int i = 0; i < N; i++) sum[i] = out[i][r * together + b] + bias[i];
                        put(row_of_weights, row + b, sum, count);
                    }
                }
            }
        }
    }
}

// As `products`, with one matrix. `before`: the one that these rows were multiplied with just before.
template <typename Put>
static inline void product(Team& team, const Matrix& m, const float* x, int64_t rows, float* room,
                           const Matrix& then, const Put& put, const Matrix* before = nullptr) {
    bool again = before && before->bf16_products == m.bf16_products;
    products<1>(team, {&m}, x, rows, room, again, then,
                [&](int64_t n, int64_t t, const Vec* v, int64_t many) { put(n, t, *v, many); });
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
