// Attention over the pages of a request, along the ancestors of each row.

#pragma once

#include "product.h"

// Cache rows that one row of a step sees, in order of position: a run of the request's rows, then
// the row's own ancestors among the rows of this step.
struct View {
    const int64_t* prefix;
    int64_t prefix_count;
    const int64_t* own;
    int64_t own_count;
};

template <typename KV>
static inline void score_keys(const float* query, const KV* keys, const int64_t* where,
                              int64_t count, int64_t stride, int64_t dim, float* score) {
    for (int64_t i = 0; i < count; i++) score[i] = dot(keys + where[i] * stride, query, dim);
}

// N vectors of the weighted sum of values, starting at column `at`.
template <typename KV, int N>
static inline void add_values(const KV* values, const View& view, const float* weight,
                              int64_t stride, int64_t at, float scale, float* out) {
    Vec total[N] = {};
    auto add = [&](int64_t row, float w) {
        for (int n = 0; n < N; n++) total[n] += load(values + row * stride + at + n * LANES) * w;
    };
    for (int64_t i = 0; i < view.prefix_count; i++) add(view.prefix[i], weight[i]);
    for (int64_t i = 0; i < view.own_count; i++) add(view.own[i], weight[view.prefix_count + i]);
    for (int n = 0; n < N; n++) {
        Vec result = total[n] * scale;
        memcpy(out + at + n * LANES, &result, sizeof result);
    }
}

// One query head of one row.
template <typename KV>
static void attend(const float* query, const KV* keys, const KV* values, const View& view,
                   int64_t stride, int64_t dim, float scale, float* score, float* out) {
    int64_t count = view.prefix_count + view.own_count;
    score_keys(query, keys, view.prefix, view.prefix_count, stride, dim, score);
    score_keys(query, keys, view.own, view.own_count, stride, dim, score + view.prefix_count);
    float most = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
        score[i] *= scale;
        most = score[i] > most ? score[i] : most;
    }
    float total = exponentials(score, count, most);
    int64_t at = 0;
    for (; at + 4 * LANES <= dim; at += 4 * LANES)
        add_values<KV, 4>(values, view, score, stride, at, 1.0f / total, out);
    for (; at + LANES <= dim; at += LANES)
        add_values<KV, 1>(values, view, score, stride, at, 1.0f / total, out);
    for (; at < dim; at++) {
        float rest = 0;
        for (int64_t i = 0; i < view.prefix_count; i++)
            rest += score[i] * value(values + view.prefix[i] * stride + at);
        for (int64_t i = 0; i < view.own_count; i++)
            rest += score[view.prefix_count + i] * value(values + view.own[i] * stride + at);
        out[at] = rest / total;
    }
}

// What row `r` of a segment sees. `where` holds the request's cache rows in order of position and
// `own` has room for the ancestors.
static inline View visible(const Step& s, const Segment& g, int64_t r, const int64_t* where,
                           int64_t* own) {
    if (g.causal) return {where, g.context + r + 1, own, 0};
    uint64_t bits = uint64_t(s.ancestors[g.start + r]);
    int64_t count = 0;
    for (int64_t j = 0; j <= r; j++)
        if (bits >> j & 1) own[count++] = s.slots[g.start + j];
    return {where, g.context, own, count};
}

template <typename KV>
static void write_cache(const Model& m, const Step& s, int64_t layer, int64_t row, const float* key,
                        const float* value_) {
    int64_t width = m.kv_heads * m.head_dim;
    KV* keys = static_cast<KV*>(s.keys[layer]) + s.slots[row] * width;
    KV* values = static_cast<KV*>(s.values[layer]) + s.slots[row] * width;
    for (int64_t i = 0; i < width; i++) {
        store(keys + i, key[i]);
        store(values + i, value_[i]);
    }
}

template <typename KV>
static void attention(const Team& team, const Model& m, const Step& s, int64_t layer,
                      const int64_t* segment_of, const int64_t* const* where, const float* query,
                      float* score, float* out) {
    int64_t width = m.kv_heads * m.head_dim, group = m.heads / m.kv_heads;
    auto keys = static_cast<const KV*>(s.keys[layer]);
    auto values = static_cast<const KV*>(s.values[layer]);
    int64_t own[64], seen = -1;
    View view{};
    auto [first, last] = team.share(s.rows * m.heads);
    for (int64_t item = first; item < last; item++) {
        int64_t row = item / m.heads, head = item % m.heads, g = segment_of[row];
        if (g < 0) continue;
        if (row != seen) {
            view = visible(s, s.segment[g], row - s.segment[g].start, where[g], own);
            seen = row;
        }
        int64_t shift = head / group * m.head_dim, at = (row * m.heads + head) * m.head_dim;
        attend<KV>(query + at, keys + shift, values + shift, view, width, m.head_dim,
                   m.attention_scale, score, out + at);
    }
}
