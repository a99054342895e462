// Products of rows of activations with a weight, and what goes on a row alone.

#pragma once

#include "many_rows.h"

// Where products put rows: `own` of this thread, `panels` of all.
struct Room {
    float *own, *panels;
};

// For rows of so many columns, in floats, that of each thread and that of all.
static inline int64_t own_room(int64_t cols) {
    int64_t few = (room_for_few(cols) + 15) / 16 * 16, tiles = room_for_tiles();
    return few > tiles ? few : tiles;
}

static inline int64_t panels_room(int64_t rows, int64_t cols) {
    return rows > FEW_ROWS ? (panels_of(rows) * panel_floats(cols) + 15) / 16 * 16 : 0;
}

// x [rows, cols] times N matrices of one shape and kind, transposed:
// put(first weight row, step row, products with each, how many) for what this thread claims of them.
// Call from all threads. `again`: the rows that were multiplied just before, with matrices of the
// same kind, were these. The thread goes on with `then`.
template <int N, typename Put>
static void products(Team& team, const Matrix* const (&m)[N], const float* x, int64_t rows,
                     const Room& room, bool again, const Matrix& then, const Put& put) {
    if (!rows) return;
    const Matrix& one = *m[0];
    auto finish = [&](int64_t block, int64_t row, const Vec* sums) {
        int64_t first = block * LANES, behind = one.rows - first;
        int64_t count = behind < LANES ? behind : LANES;
        Vec sum[N];
        EACH(int i = 0; i < N; i++) {
            Vec scaled = m[i]->scales ? sums[i] * load_some(m[i]->scales + first, count) : sums[i];
            sum[i] = scaled + (m[i]->bias ? load_some(m[i]->bias + first, count) : Vec{});
        }
        put(first, row, sum, count);
    };
    if (rows > FEW_ROWS)
        many_products<N>(team, m, x, rows, room.own, room.panels, again, finish);
    else
        few_products<N>(team, m, x, rows, room.own, again, then, finish);
}

// As `products`, with one matrix. `before`: the one that these rows were multiplied with just before.
template <typename Put>
static inline void product(Team& team, const Matrix& m, const float* x, int64_t rows,
                           const Room& room, const Matrix& then, const Put& put,
                           const Matrix* before = nullptr) {
    bool again = before && before->bf16_products == m.bf16_products &&
                 (before->kind == INT4) == (m.kind == INT4);
    if (before && !again && rows > FEW_ROWS) team.barrier();  // others may read them yet
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

static inline Vec activated(Activation activation, Vec x) {
    if (activation == SILU) return x / (1.0f + exponential(-x));
    Vec cubic = multiply_add(0.044715f * x * x, x, x);
    return x / (1.0f + exponential(cubic * -1.5957691216057308f));  // 2 * sqrt(2 / pi)
}

static inline void embed(const Table& m, int64_t id, float scale, float* out) {
    if (m.kind == BF16) {
        auto row = static_cast<const bf16*>(m.data) + id * m.cols;
        for (int64_t i = 0; i < m.cols; i++) out[i] = value(row + i) * scale;
    } else {
        auto row = static_cast<const float*>(m.data) + id * m.cols;
        for (int64_t i = 0; i < m.cols; i++) out[i] = row[i] * scale;
    }
}

// Norm (where the model has one) and rotary position of one head, in place.
static inline void rotate(float* head, const float* norm, float epsilon, const float* cosine,
                          const float* sine, int64_t dim, int64_t rotated) {
    if (norm) rms_norm(head, norm, dim, epsilon, head);
    int64_t half = rotated / 2;
    for (int64_t i = 0; i < half; i++) {
        float a = head[i], b = head[i + half];
        head[i] = multiply_add(a, cosine[i], -(b * sine[i]));
        head[i + half] = multiply_add(b, cosine[i], a * sine[i]);
    }
}
