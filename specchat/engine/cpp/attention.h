// Attention over the pages of a request, along the ancestors of each row.

#pragma once

#include "product.h"

constexpr int64_t ROWS_TOGETHER = 16;  // rows of a request that read the cache together, at most
constexpr int64_t HEADS_TOGETHER = 4;  // and query heads to a key head
constexpr int64_t QUERIES_TOGETHER = ROWS_TOGETHER * HEADS_TOGETHER;
constexpr int64_t MOST_OWN = 64;  // rows of a tree, a bit each
constexpr int64_t SEEN_TOGETHER = ROWS_TOGETHER * MOST_OWN;

// Queries whose scores, and whose sums of values, are held in registers.
#ifdef __AVX512F__
constexpr int SCORED = 8, MIXED = 4;
#else
constexpr int SCORED = 4, MIXED = 2;
#endif

// Of one (row, query head): what it is computed from and where it goes.
struct Query {
    const float* query;
    float *score, *out;  // score: of each key that it sees, in order of position
    int64_t row;         // of its group
};

// Begins to bring a cache row of one head here.
template <typename KV>
static inline void fetch(const KV* row, int64_t dim) {
    auto bytes = reinterpret_cast<const char*>(row);
    for (int64_t at = 0; at < dim * int64_t(sizeof(KV)); at += 64) __builtin_prefetch(bytes + at, 0, 2);
}

// LANES keys as [dim][LANES]; the last of `count` again and again behind the end.

template <typename KV>
static inline void turn_rest(const KV* const* key, int64_t first, int64_t dim, float* turned) {
    for (int64_t d = first; d < dim; d++)
        for (int64_t j = 0; j < LANES; j++) turned[d * LANES + j] = value(key[j] + d);
}

static inline void turn_keys(const float* const* key, int64_t dim, float* turned) {
    int64_t d = 0;
    for (; d + LANES <= dim; d += LANES) {
        Vec v[LANES];
        EACH(int j = 0; j < LANES; j++) v[j] = load(key[j] + d);
        turn(v);
        memcpy(turned + d * LANES, v, sizeof v);
    }
    turn_rest(key, d, dim, turned);
}

static inline void turn_keys(const bf16* const* key, int64_t dim, float* turned) {
    int64_t d = 0;
    for (; d + 2 * LANES <= dim; d += 2 * LANES) {
        Vec v[LANES];  // pairs
        EACH(int j = 0; j < LANES; j++) memcpy(&v[j], key[j] + d, sizeof v[j]);
        turn(v);
        EACH(int i = 0; i < LANES; i++) {
            Bits pairs;
            memcpy(&pairs, &v[i], sizeof pairs);
            Vec first = first_of(pairs), second = second_of(pairs);
            memcpy(turned + (d + 2 * i) * LANES, &first, sizeof first);
            memcpy(turned + (d + 2 * i + 1) * LANES, &second, sizeof second);
        }
    }
    turn_rest(key, d, dim, turned);
}

// Scaled products of Q queries with LANES turned keys, at `at` of their scores. Every sum runs over
// the even numbers of a head and over the odd ones, whatever Q is.
template <int Q>
static inline void score_keys(const Query* queries, const float* turned, int64_t dim, float scale,
                              int64_t at) {
    Vec even[Q] = {}, odd[Q] = {};
    for (int64_t d = 0; d < dim; d += 2) {
        Vec first = load(turned + d * LANES), second = load(turned + (d + 1) * LANES);
        EACH(int q = 0; q < Q; q++) {
            even[q] += first * queries[q].query[d];
            odd[q] += second * queries[q].query[d + 1];
        }
    }
    EACH(int q = 0; q < Q; q++) {
        Vec scores = (even[q] + odd[q]) * scale;
        memcpy(queries[q].score + at, &scores, sizeof scores);
    }
}

// Adds values [count], each times its share, to Q outputs, N vectors of each. `share` is where the
// values begin among the scores. Every sum runs in order of position, whatever Q is.
template <typename KV, int N, int Q>
static inline void add_values(const Query* queries, const KV* values, const int64_t* slots,
                              int64_t count, int64_t stride, int64_t share, int64_t at) {
    Vec total[Q][N];
    EACH(int q = 0; q < Q; q++)
        EACH(int n = 0; n < N; n++) total[q][n] = load(queries[q].out + at + n * LANES);
    for (int64_t i = 0; i < count; i++) {
        const KV* from = values + slots[i] * stride + at;
        EACH(int n = 0; n < N; n++) {
            Vec v = load(from + n * LANES);
            EACH(int q = 0; q < Q; q++) total[q][n] += v * queries[q].score[share + i];
        }
    }
    EACH(int q = 0; q < Q; q++)
        memcpy(queries[q].out + at, total[q], sizeof total[q]);
}

template <typename KV, int Q>
static void add_values(const Query* queries, const KV* values, const int64_t* slots, int64_t count,
                       int64_t stride, int64_t share, int64_t dim) {
    int64_t at = 0;
    for (; at + 4 * LANES <= dim; at += 4 * LANES)
        add_values<KV, 4, Q>(queries, values, slots, count, stride, share, at);
    for (; at + LANES <= dim; at += LANES)
        add_values<KV, 1, Q>(queries, values, slots, count, stride, share, at);
    for (; at < dim; at++)
        for (int q = 0; q < Q; q++)
            for (int64_t i = 0; i < count; i++)
                queries[q].out[at] +=
                    queries[q].score[share + i] * value(values + slots[i] * stride + at);
}

// Rows of one request that are computed together.
struct Group {
    int64_t segment, first, count;
};

// What a group of rows sees: all of them the `common` first cache rows of their request, and each
// its `own` ones behind these, some of those up to the group's last row.
struct Sight {
    const int64_t* slots;  // of the request, in order of position
    int64_t common, keys;
    int64_t counts[ROWS_TOGETHER];  // of own ones
    int64_t* own;                   // [count][width] where they stand behind the common ones
    int64_t width;

    Sight(const Step& s, const Group& group, const int64_t* where, int64_t* room) {
        const Segment& g = s.segment[group.segment];
        int64_t before = group.first - g.start;
        slots = where;
        common = g.context + (g.causal ? before : 0);
        keys = g.context + before + group.count;
        own = room;
        width = keys - common;
        for (int64_t r = 0; r < group.count; r++) {
            uint64_t bits = g.causal ? ~0ull : uint64_t(s.ancestors[group.first + r]);
            int64_t last = g.causal ? r : before + r, &count = counts[r] = 0;
            for (int64_t j = 0; j <= last; j++)
                if (bits >> j & 1) own[r * width + count++] = j;
        }
    }
};

// Queries of rows of a group that share a key head. The weights have pushed the cache's rows out of
// the processor's own caches: those of the next keys, and the values, are fetched along the way.
template <typename KV>
static void attend(const Query* queries, int64_t many, const Sight& sight, const KV* keys,
                   const KV* values, int64_t stride, int64_t dim, float scale, float* turned) {
    for (int64_t i = 0; i < sight.keys; i += LANES) {
        const KV* key[LANES];
        for (int64_t j = 0; j < LANES; j++)
            key[j] = keys + sight.slots[i + j < sight.keys ? i + j : sight.keys - 1] * stride;
        for (int64_t j = i; j < i + LANES && j + LANES < sight.keys; j++) {
            fetch(keys + sight.slots[j + LANES] * stride, dim);
            fetch(values + sight.slots[j] * stride, dim);
        }
        turn_keys(key, dim, turned);
        int64_t q = 0;
        for (; q + SCORED <= many; q += SCORED)
            score_keys<SCORED>(queries + q, turned, dim, scale, i);
        for (; q + 2 <= many; q += 2) score_keys<2>(queries + q, turned, dim, scale, i);
        for (; q < many; q++) score_keys<1>(queries + q, turned, dim, scale, i);
    }
    float share[QUERIES_TOGETHER];
    for (int64_t q = 0; q < many; q++) {
        float* score = queries[q].score;
        int64_t row = queries[q].row, count = sight.common + sight.counts[row];
        for (int64_t k = 0; k < sight.counts[row]; k++)
            score[sight.common + k] = score[sight.common + sight.own[row * sight.width + k]];
        for (int64_t i = count; i % LANES; i++) score[i] = score[count - 1];
        Vec most = load(score);
        for (int64_t i = LANES; i < count; i += LANES) most = larger(most, load(score + i));
        share[q] = 1.0f / exponentials(score, count, largest(most));
        memset(queries[q].out, 0, dim * sizeof(float));
    }
    int64_t q = 0;
    for (; q + MIXED <= many; q += MIXED)
        add_values<KV, MIXED>(queries + q, values, sight.slots, sight.common, stride, 0, dim);
    for (; q < many; q++)
        add_values<KV, 1>(queries + q, values, sight.slots, sight.common, stride, 0, dim);
    for (q = 0; q < many; q++) {
        int64_t row = queries[q].row, slots[MOST_OWN];
        for (int64_t k = 0; k < sight.counts[row]; k++)
            slots[k] = sight.slots[sight.common + sight.own[row * sight.width + k]];
        add_values<KV, 1>(queries + q, values, slots, sight.counts[row], stride, sight.common, dim);
        for (int64_t n = 0; n < dim; n++) queries[q].out[n] *= share[q];
    }
}

template <typename KV>
static void write_cache(const Model& m, const Step& s, int64_t layer, int64_t slot, const float* key,
                        const float* value_) {
    int64_t width = m.kv_heads * m.head_dim;
    KV* keys = static_cast<KV*>(s.keys[layer]) + slot * width;
    KV* values = static_cast<KV*>(s.values[layer]) + slot * width;
    for (int64_t i = 0; i < width; i++) {
        store(keys + i, key[i]);
        store(values + i, value_[i]);
    }
}

// What this thread claims of key heads and groups. `score` [QUERIES_TOGETHER, width], `turned`
// [head_dim, LANES] and `seen` [SEEN_TOGETHER] are its own.
template <typename KV>
static void attention(Team& team, const Model& m, const Step& s, int64_t layer,
                      const Group* groups, int64_t many, const int64_t* const* where,
                      const float* query, float* score, int64_t score_width, float* turned,
                      int64_t* seen, float* out) {
    int64_t stride = m.kv_heads * m.head_dim, heads = m.heads / m.kv_heads;
    team.begin(many * m.kv_heads);
    for (Share part; team.claim(1, 1, part);) {
        int64_t item = part.first;
        const Group& group = groups[item % many];
        int64_t kv = item / many;
        Sight sight(s, group, where[group.segment], seen);
        for (int64_t h = 0; h < heads; h += HEADS_TOGETHER) {
            Query queries[QUERIES_TOGETHER];
            int64_t asked = 0;
            for (int64_t r = 0; r < group.count; r++)
                for (int64_t i = h; i < heads && i < h + HEADS_TOGETHER; i++, asked++) {
                    int64_t at = ((group.first + r) * m.heads + kv * heads + i) * m.head_dim;
                    queries[asked] = {query + at, score + asked * score_width, out + at, r};
                }
            attend(queries, asked, sight, static_cast<const KV*>(s.keys[layer]) + kv * m.head_dim,
                   static_cast<const KV*>(s.values[layer]) + kv * m.head_dim, stride, m.head_dim,
                   m.attention_scale, turned);
        }
    }
}
