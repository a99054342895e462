// Products of a few rows of activations with a weight, and what goes on a row alone.

#pragma once

#include "team.h"
#include "types.h"
#include "vectors.h"

#ifdef __AVX512F__
constexpr int REGISTERS = 28;  // vectors of running sums that stay in registers
#else
constexpr int REGISTERS = 4;
#endif

constexpr int MOST_ROWS = 8;  // step rows that are summed together

// R blocks of weight rows times B step rows. Each weight is read once; each sum runs over the
// columns in order, whatever R and B are.
template <typename W, int R, int B, typename Put>
static inline void tile(const Matrix& m, const W* w, const float* x, int64_t block, int64_t row,
                        const Put& put) {
    Vec total[R][B] = {};
    const float* input[B];
    for (int b = 0; b < B; b++) input[b] = x + (row + b) * m.cols;
    for (int64_t k = 0; k < m.cols; k++)
        for (int r = 0; r < R; r++) {
            Vec weight = load(w + ((block + r) * m.cols + k) * LANES);
            for (int b = 0; b < B; b++) total[r][b] += weight * input[b][k];
        }
    for (int r = 0; r < R; r++) {
        int64_t first = (block + r) * LANES;
        int64_t many = m.rows - first < LANES ? m.rows - first : LANES;
        for (int b = 0; b < B; b++) {
            Vec v = total[r][b];
            put(first, row + b, m.bias ? v + load_some(m.bias + first, many) : v, many);
        }
    }
}

template <typename W, int B, typename Put>
static inline void blocks(const Matrix& m, const W* w, const float* x, int64_t first, int64_t last,
                          int64_t row, const Put& put) {
    constexpr int R = REGISTERS / B > 8 ? 8 : REGISTERS / B > 0 ? REGISTERS / B : 1;
    int64_t block = first;
    for (; block + R <= last; block += R) tile<W, R, B>(m, w, x, block, row, put);
    for (; block < last; block++) tile<W, 1, B>(m, w, x, block, row, put);
}

// put(first weight row, step row, products, how many) for the blocks [first, last) of m and all step rows. A few
// blocks at a time, so that they are still in the cache for the next step rows.
template <typename W, typename Put>
static inline void product_of(const Matrix& m, const float* x, int64_t rows, int64_t first,
                              int64_t last, const Put& put) {
    auto w = static_cast<const W*>(m.data);
    int64_t at_once = rows > MOST_ROWS ? 8 : last - first;
    for (int64_t from = first; from < last; from += at_once) {
        int64_t to = from + at_once < last ? from + at_once : last;
        int64_t t = 0;
        for (; t + 8 <= rows; t += 8) blocks<W, 8>(m, w, x, from, to, t, put);
        switch (rows - t) {
            case 7: blocks<W, 7>(m, w, x, from, to, t, put); break;
            case 6: blocks<W, 6>(m, w, x, from, to, t, put); break;
            case 5: blocks<W, 5>(m, w, x, from, to, t, put); break;
            case 4: blocks<W, 4>(m, w, x, from, to, t, put); break;
            case 3: blocks<W, 3>(m, w, x, from, to, t, put); break;
            case 2: blocks<W, 2>(m, w, x, from, to, t, put); break;
            case 1: blocks<W, 1>(m, w, x, from, to, t, put); break;
        }
    }
}

// This thread's share of x [rows, cols] times m transposed. Call from all threads.
template <typename Put>
static inline void product(const Team& team, const Matrix& m, const float* x, int64_t rows,
                           const Put& put) {
    auto [first, last] = team.share((m.rows + LANES - 1) / LANES);
    if (m.is_bf16)
        product_of<bf16>(m, x, rows, first, last, put);
    else
        product_of<float>(m, x, rows, first, last, put);
}

static inline float inverse_rms(const float* x, int64_t n, float epsilon) {
    float total = 0;
    for (int64_t i = 0; i < n; i++) total += x[i] * x[i];
    return 1.0f / sqrtf(total / n + epsilon);
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
