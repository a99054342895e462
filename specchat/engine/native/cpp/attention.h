// Attention over the pages of a request, along the ancestors of each row.

#pragma once

#include <algorithm>

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
constexpr int SCORED = 4, MIXED = 3;
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

// Where bf16 numbers can be multiplied two and two, attention to a bf16 cache rounds queries and
// shares to bf16, as products do their activations. A number below is then such a pair: of
// neighbours in a head where queries meet keys, of positions 2i and 2i + 1 where shares meet values.
#ifdef __AVX512BF16__
template <typename KV>
constexpr bool MAY_PAIR = sizeof(KV) == sizeof(bf16);
#else
template <typename KV>
constexpr bool MAY_PAIR = false;
#endif

// LANES keys as [dim][LANES] numbers (`turn_keys`) or as [dim / 2][LANES] pairs (`turn_pairs`).

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
        EACH(int i = 0; i < LANES; i++) at(turned + (d + i) * LANES) = v[i];
    }
    turn_rest(key, d, dim, turned);
}

static inline void turn_pairs(const bf16* const* key, int64_t d, Vec (&v)[LANES]) {
    EACH(int j = 0; j < LANES; j++) v[j] = (Vec)load_bits(key[j] + d);
    turn(v);
}

static inline void turn_pairs(const bf16* const* key, int64_t dim, float* turned) {
    for (int64_t d = 0; d < dim; d += 2 * LANES) {
        Vec v[LANES];
        turn_pairs(key, d, v);
        EACH(int i = 0; i < LANES; i++) at(turned + (d / 2 + i) * LANES) = v[i];
    }
}

static inline void turn_keys(const bf16* const* key, int64_t dim, float* turned) {
    int64_t d = 0;
    for (; d + 2 * LANES <= dim; d += 2 * LANES) {
        Vec v[LANES];
        turn_pairs(key, d, v);
        EACH(int i = 0; i < LANES; i++) {
            at(turned + (d + 2 * i) * LANES) = first_of((Bits)v[i]);
            at(turned + (d + 2 * i + 1) * LANES) = second_of((Bits)v[i]);
        }
    }
    turn_rest(key, d, dim, turned);
}

// Scaled products of Q queries with LANES turned keys of `n` numbers, the scores from `first` on. Every
// sum runs over the even ones of a head and over the odd ones, whatever Q is.
template <bool PAIRS, int Q>
static inline void score_keys(const Query* queries, const float* turned, int64_t n, float scale,
                              int64_t first) {
    Vec even[Q] = {}, odd[Q] = {};
    for (int64_t d = 0; d < n; d += 2) {
        Vec one = load(turned + d * LANES), two = load(turned + (d + 1) * LANES);
        EACH(int q = 0; q < Q; q++) {
            even[q] = plus_products<PAIRS>(even[q], one, queries[q].query + d);
            odd[q] = plus_products<PAIRS>(odd[q], two, queries[q].query + d + 1);
        }
    }
    EACH(int q = 0; q < Q; q++) at(queries[q].score + first) = (even[q] + odd[q]) * scale;
}

// Adds values [count], each times its share, to Q outputs, N vectors of each. `first` is where the
// values begin among the shares. Every sum runs in order of position, whatever Q is.
template <bool PAIRS, typename KV, int N, int Q>
static inline void add_values(const Query* queries, const KV* values, const int64_t* slots,
                              int64_t count, int64_t stride, int64_t first, int64_t at) {
    Vec total[Q * N];
    const float* share[Q];
    EACH(int q = 0; q < Q; q++) {
        share[q] = queries[q].score + first;
        EACH(int n = 0; n < N; n++) total[q * N + n] = load(queries[q].out + at + n * LANES);
    }
    for (int64_t i = 0; i < count; i++) {
        const KV* from = values + slots[i] * stride + at;
        Vec v[N];
        EACH(int n = 0; n < N; n++) v[n] = load(from + n * LANES);
        EACH(int q = 0; q < Q; q++)
            EACH(int n = 0; n < N; n++)
                total[q * N + n] = plus_products<PAIRS>(total[q * N + n], v[n], share[q] + i);
    }
    EACH(int q = 0; q < Q; q++)
        EACH(int n = 0; n < N; n++)
            ::at(queries[q].out + at + n * LANES) = total[q * N + n];
}

template <bool PAIRS, typename KV, int Q>
static void add_values(const Query* queries, const KV* values, const int64_t* slots, int64_t count,
                       int64_t stride, int64_t first, int64_t dim) {
    int64_t at = 0;
    for (; at + 4 * LANES <= dim; at += 4 * LANES)
        add_values<PAIRS, KV, 4, Q>(queries, values, slots, count, stride, first, at);
    for (; at + LANES <= dim; at += LANES)
        add_values<PAIRS, KV, 1, Q>(queries, values, slots, count, stride, first, at);
    for (; at < dim; at++)
        for (int q = 0; q < Q; q++)
            for (int64_t i = 0; i < count; i++)
                queries[q].out[at] =
                    multiply_add(queries[q].score[first + i],
                                 value(values + slots[i] * stride + at), queries[q].out[at]);
}

template <bool PAIRS, typename KV>
static void add_values_to_all(const Query* queries, int64_t many, const KV* values,
                              const int64_t* slots, int64_t count, int64_t stride, int64_t first,
                              int64_t dim) {
    int64_t q = 0;
    for (; q + MIXED <= many; q += MIXED)
        add_values<PAIRS, KV, MIXED>(queries + q, values, slots, count, stride, first, dim);
    for (; q + 2 <= many; q += 2)
        add_values<PAIRS, KV, 2>(queries + q, values, slots, count, stride, first, dim);
    for (; q < many; q++)
        add_values<PAIRS, KV, 1>(queries + q, values, slots, count, stride, first, dim);
}

// The same for positions `first`, an even one, and behind, put into pairs in `room` [dim][LANES].
static void add_paired_values(const Query* queries, int64_t many, const bf16* values,
                              const int64_t* slots, int64_t count, int64_t stride, int64_t first,
                              int64_t dim, float* room) {
    int64_t in_order[LANES];
    for (int64_t i = 0; i < LANES; i++) in_order[i] = i;
    for (int64_t i = 0; i < count; i += 2 * LANES) {
        int64_t n = count - i < 2 * LANES ? count - i : 2 * LANES;
        for (int64_t j = 0; j < n; j += 2)
            pair_up(values + slots[i + j] * stride,
                    values + slots[i + j + 1 < count ? i + j + 1 : count - 1] * stride, dim,
                    room + j / 2 * dim);
        add_values_to_all<true, float>(queries, many, room, in_order, (n + 1) / 2, dim,
                                       (first + i) / 2, dim);
    }
}

// Rows of one request that are computed together.
struct Group {
    int64_t segment, first, count;
};

// What a group of rows sees: all of them the `common` first cache rows of their request, less the
// `passed` ones of each, and each its `own` ones behind these, some of those up to the group's last row.
struct Sight {
    const int64_t* slots;  // of the request, in order of position
    int64_t common, keys;
    int64_t passed[ROWS_TOGETHER];  // rows at the beginning that are outside of its window
    int64_t counts[ROWS_TOGETHER];  // of own ones
    int64_t* own;                   // [count][width] where they stand behind the common ones
    int64_t width;

    Sight(const Step& s, const Group& group, int64_t window, const int64_t* where, int64_t* room) {
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
            passed[r] = window ? std::max<int64_t>(0, s.positions[group.first + r] - window + 1) : 0;
        }
        // What all have passed is not read, by whole vectors: so every key keeps its place in the sums.
        int64_t all = *std::min_element(passed, passed + group.count) / (2 * LANES) * (2 * LANES);
        slots += all;
        common -= all;
        keys -= all;
        for (int64_t r = 0; r < group.count; r++) passed[r] -= all;
    }
};

// Queries of rows of a group that share a key head. The weights have pushed the cache's rows out of
// the processor's own caches: those of the next keys, and the values, are fetched along the way.
template <bool PAIRS, typename KV>
static void attend(const Query* queries, int64_t many, const Sight& sight, const KV* keys,
                   const KV* values, int64_t stride, int64_t dim, float scale, float cap,
                   float* turned) {
    for (int64_t i = 0; i < sight.keys; i += LANES) {
        const KV* key[LANES];
        for (int64_t j = 0; j < LANES; j++)
            key[j] = keys + sight.slots[i + j < sight.keys ? i + j : sight.keys - 1] * stride;
        for (int64_t j = i; j < i + LANES && j + LANES < sight.keys; j++) {
            fetch(keys + sight.slots[j + LANES] * stride, dim);
            fetch(values + sight.slots[j] * stride, dim);
        }
        if constexpr (PAIRS)
            turn_pairs(key, dim, turned);
        else
            turn_keys(key, dim, turned);
        int64_t n = PAIRS ? dim / 2 : dim, q = 0;
        for (; q + SCORED <= many; q += SCORED)
            score_keys<PAIRS, SCORED>(queries + q, turned, n, scale, i);
        for (; q + 2 <= many; q += 2) score_keys<PAIRS, 2>(queries + q, turned, n, scale, i);
        for (; q < many; q++) score_keys<PAIRS, 1>(queries + q, turned, n, scale, i);
    }
    float share[QUERIES_TOGETHER];
    for (int64_t q = 0; q < many; q++) {
        float* score = queries[q].score;
        int64_t row = queries[q].row, count = sight.common + sight.counts[row];
        if (cap != 0)
            for (int64_t i = 0; i < sight.keys; i += LANES) at(score + i) = capped(load(score + i), cap);
        std::fill_n(score, sight.passed[row], -FLT_MAX);
        for (int64_t k = 0; k < sight.counts[row]; k++)
            score[sight.common + k] = score[sight.common + sight.own[row * sight.width + k]];
        int64_t end = (count + LANES - 1) / LANES * LANES;
        float* last = score + end - LANES;
        Vec most = only_first(load(last), count + LANES - end, -FLT_MAX);
        at(last) = most;
        for (int64_t i = 0; i < end - LANES; i += LANES) most = larger(most, load(score + i));
        share[q] = 1.0f / exponentials(score, end, largest(most));
        if (PAIRS) round_to_pairs(score, count);  // a half that is missing is 0
        memset(queries[q].out, 0, dim * sizeof(float));
    }
    auto add = [&](const Query* to, int64_t how_many, const int64_t* slots, int64_t count,
                   int64_t first) {
        if constexpr (PAIRS)
            add_paired_values(to, how_many, values, slots, count, stride, first, dim, turned);
        else
            add_values_to_all<false>(to, how_many, values, slots, count, stride, first, dim);
    };
    int64_t together = PAIRS ? sight.common / 2 * 2 : sight.common;
    add(queries, many, sight.slots, together, 0);
    for (int64_t q = 0, heads; q < many; q += heads) {
        int64_t row = queries[q].row, slots[1 + MOST_OWN], count = 0;
        for (heads = 1; q + heads < many && queries[q + heads].row == row;) heads++;
        if (together < sight.common) slots[count++] = sight.slots[together];
        for (int64_t k = 0; k < sight.counts[row]; k++)
            slots[count++] = sight.slots[sight.common + sight.own[row * sight.width + k]];
        add(queries + q, heads, slots, count, together);
    }
    for (int64_t q = 0; q < many; q++)
        for (int64_t n = 0; n < dim; n++) queries[q].out[n] *= share[q];
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

// What this thread claims of key heads and groups; `query` is overwritten.
// `score` [QUERIES_TOGETHER, width], `turned` [head_dim, LANES] and `seen` [SEEN_TOGETHER] are its own.
template <typename KV>
static void attention(Team& team, const Model& m, const Step& s, int64_t layer,
                      const Group* groups, int64_t many, const int64_t* const* where,
                      float* query, float* score, int64_t score_width, float* turned,
                      int64_t* seen, float* out) {
    bool pairs = MAY_PAIR<KV> && m.head_dim % (2 * LANES) == 0;
    int64_t stride = m.kv_heads * m.head_dim, heads = m.heads / m.kv_heads;
    team.begin(many * m.kv_heads);
    for (Share part; team.claim(1, 1, part);) {
        int64_t item = part.first;
        const Group& group = groups[item % many];
        int64_t kv = item / many;
        Sight sight(s, group, m.layer[layer].window, where[group.segment], seen);
        for (int64_t h = 0; h < heads; h += HEADS_TOGETHER) {
            Query queries[QUERIES_TOGETHER];
            int64_t asked = 0;
            for (int64_t r = 0; r < group.count; r++)
                for (int64_t i = h; i < heads && i < h + HEADS_TOGETHER; i++, asked++) {
                    int64_t at = ((group.first + r) * m.heads + kv * heads + i) * m.head_dim;
                    if (pairs) round_to_pairs(query + at, m.head_dim);
                    queries[asked] = {query + at, score + asked * score_width, out + at, r};
                }
            auto keys = static_cast<const KV*>(s.keys[layer]) + kv * m.head_dim,
                 values = static_cast<const KV*>(s.values[layer]) + kv * m.head_dim;
            (pairs ? attend<MAY_PAIR<KV>, KV> : attend<false, KV>)(
                queries, asked, sight, keys, values, stride, m.head_dim, m.attention_scale,
                m.score_cap, turned);
        }
    }
}
