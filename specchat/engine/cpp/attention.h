// Attention over the pages of a request, along the ancestors of each row.

#pragma once

#include "product.h"

constexpr int64_t ROWS_TOGETHER = 4;   // rows of a request that read the cache together
constexpr int64_t HEADS_TOGETHER = 4;  // and query heads to a key head

// Products of a query with LANES keys, the cache rows `seen`; the last of `count` again and again
// behind the end. N vectors to a key, or 0: as `dim` says.
template <typename KV, int N>
static Vec score_keys(const float* query, const KV* keys, const int64_t* seen, int64_t count,
                      int64_t stride, int64_t dim) {
    Vec part[LANES], own[N > 0 ? N : 1];
    EACH(int n = 0; n < N; n++) own[n] = load(query + n * LANES);
    EACH(int j = 0; j < LANES; j++) {
        const KV* key = keys + seen[j < count ? j : count - 1] * stride;
        part[j] = Vec{};
        if constexpr (N > 0)
            EACH(int n = 0; n < N; n++) part[j] += load(key + n * LANES) * own[n];
        else
            part[j][0] = dot(key, query, dim);
    }
    return sums_of(part);
}

// Adds LANES weighted values, fewer at the end, to out [dim].
template <typename KV, int N>
static void add_values(const KV* values, const int64_t* seen, int64_t count, const float* weight,
                       int64_t stride, int64_t dim, float* out) {
    if (count > LANES) count = LANES;
    int64_t at = 0;
    if constexpr (N > 0) {
        for (; at + N * LANES <= dim; at += N * LANES) {
            Vec total[N];
            EACH(int n = 0; n < N; n++) total[n] = load(out + at + n * LANES);
            for (int64_t i = 0; i < count; i++)
                EACH(int n = 0; n < N; n++)
                    total[n] += load(values + seen[i] * stride + at + n * LANES) * weight[i];
            memcpy(out + at, total, sizeof total);
        }
    }
    for (; at < dim; at++)
        for (int64_t i = 0; i < count; i++)
            out[at] += weight[i] * value(values + seen[i] * stride + at);
}

// Of one (row, query head): what it is computed from and where it goes.
struct Query {
    const float* query;
    const int64_t* seen;  // cache rows in order of position
    int64_t count;        // of them
    float *score, *out;
};

// Queries that share a key head. Every one's sums run in order of position, whatever the others.
template <typename KV, int N>
static void attend(const Query* queries, int64_t many, const KV* keys, const KV* values,
                   int64_t stride, int64_t dim, float scale) {
    int64_t longest = 0;
    for (int64_t q = 0; q < many; q++)
        longest = queries[q].count > longest ? queries[q].count : longest;
    for (int64_t i = 0; i < longest; i += LANES)
        for (const Query* q = queries; q < queries + many; q++)
            if (i < q->count) {
                Vec scores =
                    score_keys<KV, N>(q->query, keys, q->seen + i, q->count - i, stride, dim);
                scores *= scale;
                memcpy(q->score + i, &scores, sizeof scores);
            }
    float share[ROWS_TOGETHER * HEADS_TOGETHER];
    for (int64_t q = 0; q < many; q++) {
        const Query& it = queries[q];
        Vec most = load(it.score);
        for (int64_t i = LANES; i < it.count; i += LANES) most = larger(most, load(it.score + i));
        share[q] = 1.0f / exponentials(it.score, it.count, largest(most));
        memset(it.out, 0, dim * sizeof(float));
    }
    for (int64_t i = 0; i < longest; i += LANES)
        for (const Query* q = queries; q < queries + many; q++)
            if (i < q->count)
                add_values<KV, N>(values, q->seen + i, q->count - i, q->score + i, stride, dim,
                                  q->out);
    for (int64_t q = 0; q < many; q++)
        for (int64_t n = 0; n < dim; n++) queries[q].out[n] *= share[q];
}

// The cache rows that row `r` of a segment sees, in order of position; returns how many. `where`
// holds those of the whole request.
static inline int64_t visible(const Step& s, const Segment& g, int64_t r, const int64_t* where,
                              int64_t* seen) {
    int64_t count = g.causal ? g.context + r + 1 : g.context;
    memcpy(seen, where, count * sizeof *seen);
    if (g.causal) return count;
    uint64_t bits = uint64_t(s.ancestors[g.start + r]);
    for (int64_t j = 0; j <= r; j++)
        if (bits >> j & 1) seen[count++] = s.slots[g.start + j];
    return count;
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

// Rows of one request that are computed together.
struct Group {
    int64_t segment, first, count;
};

// This thread's share of groups and key heads. `score` [ROWS_TOGETHER * HEADS_TOGETHER, width] and
// `seen` [ROWS_TOGETHER, longest] are its own.
template <typename KV>
static void attention(const Team& team, const Model& m, const Step& s, int64_t layer,
                      const Group* groups, int64_t many, const int64_t* const* where,
                      const float* query, float* score, int64_t score_width, int64_t* seen,
                      float* out) {
    int64_t width = m.kv_heads * m.head_dim, heads = m.heads / m.kv_heads;
    auto attend_all = m.head_dim == 4 * LANES   ? attend<KV, 4>
                      : m.head_dim == 8 * LANES ? attend<KV, 8>
                                                : attend<KV, 0>;
    Share share = team.share(many * m.kv_heads);
    int64_t counts[ROWS_TOGETHER];
    for (int64_t item = share.first, known = -1; item < share.last; item++) {
        const Group& group = groups[item / m.kv_heads];
        int64_t kv = item % m.kv_heads;
        const Segment& g = s.segment[group.segment];
        for (int64_t r = 0; r < group.count && known != group.first; r++)
            counts[r] = visible(s, g, group.first + r - g.start, where[group.segment],
                                seen + r * s.longest);
        known = group.first;
        for (int64_t h = 0; h < heads; h += HEADS_TOGETHER) {
            Query queries[ROWS_TOGETHER * HEADS_TOGETHER];
            int64_t asked = 0;
            for (int64_t r = 0; r < group.count; r++)
                for (int64_t i = h; i < heads && i < h + HEADS_TOGETHER; i++, asked++) {
                    int64_t at = ((group.first + r) * m.heads + kv * heads + i) * m.head_dim;
                    queries[asked] = {query + at, seen + r * s.longest, counts[r],
                                      score + asked * score_width, out + at};
                }
            attend_all(queries, asked, static_cast<const KV*>(s.keys[layer]) + kv * m.head_dim,
                       static_cast<const KV*>(s.values[layer]) + kv * m.head_dim, width,
                       m.head_dim, m.attention_scale);
        }
    }
}
