// One step of a decoder on CPU: paged tree attention and matrix products.
//
// Decoding multiplies a few rows of activations with every weight, so its speed is that of reading
// the weights. General matrix libraries are made for many rows and read them several times. Here a
// block of weight rows is read once and used for all rows of the step (few_rows.h). A prompt has many
// rows, and its speed is that of multiplying (many_rows.h). Weights may be stored in bf16, or in 8 or
// 4 bits; all arithmetic is float32.
//
// Every output is summed in an order that does not depend on how many rows a step has or where a
// row stands in it, so plain and speculative decoding give the same bits.
//
// Built by library.py. All pointers are owned by the caller.

#include "attention.h"
#include "layout.h"
#include "sampling.h"
#include "mlp.h"
#include "ngram.h"
#include "noise.h"
#include "merging.h"
#include "suffix.h"

// Columns of the widest product.
static int64_t widest(const Model& m) {
    int64_t most = m.hidden > m.inner ? m.hidden : m.inner;
    return m.heads * m.head_dim > most ? m.heads * m.head_dim : most;
}

struct Buffers {
    float *x, *h, *query, *key, *value, *mixed, *act, *cosine, *sine;
    float *own, *score, *turned, *room;  // per thread
    float* panels;                       // of rows, for products
    int64_t *seen;                       // per thread
    int64_t* slot;                       // cache row of each row
    int64_t* where;                      // cache rows of all requests end to end
    const int64_t** where_of;            // per segment
    Group* group;                        // at most one a row
    int64_t own_width, score_width, turned_width, room_width;
    int64_t floats;

    Buffers(const Model& m, int64_t rows, int64_t segments, int64_t cached, int64_t longest,
            int64_t threads, float* at) {
        float* begin = at;
        auto take = [&](int64_t n) {
            float* here = at;
            at += (n + 15) / 16 * 16;
            return here;
        };
        x = take(rows * m.hidden);
        h = take(rows * m.hidden);
        query = take(rows * m.heads * m.head_dim);
        key = take(rows * m.kv_heads * m.head_dim);
        value = take(rows * m.kv_heads * m.head_dim);
        mixed = take(rows * m.heads * m.head_dim);
        act = take(rows * m.inner);
        cosine = take(2 * rows * m.rotated / 2);  // of each rope
        sine = take(2 * rows * m.rotated / 2);
        own_width = (rows < FEW_ROWS ? rows : FEW_ROWS) * m.hidden;
        own = take(threads * own_width);
        score_width = (longest + 2 * LANES - 1) / (2 * LANES) * (2 * LANES);
        score = take(threads * QUERIES_TOGETHER * score_width);
        turned_width = m.head_dim * LANES;
        turned = take(threads * turned_width);
        seen = reinterpret_cast<int64_t*>(take(2 * threads * SEEN_TOGETHER));
        room_width = own_room(widest(m));
        room = take(threads * room_width);
        panels = take(panels_room(rows, widest(m)));
        slot = reinterpret_cast<int64_t*>(take(2 * rows));
        where = reinterpret_cast<int64_t*>(take(2 * cached));
        where_of = reinterpret_cast<const int64_t**>(take(2 * segments));
        group = reinterpret_cast<Group*>(take(rows * sizeof(Group) / sizeof(float)));
        floats = at - begin;
    }
};

// How weights are laid out, and what drafts need of scratch: it depends on the processor.
extern "C" int64_t lanes() { return LANES; }
extern "C" int64_t room_floats(int64_t rows, int64_t cols, int64_t threads) {
    return panels_room(rows, cols) + threads * own_room(cols);
}

// Returns 0; or how many floats of scratch it takes, where there are fewer, and then does nothing.
extern "C" int64_t run_step(const Model* model, const Step* step, int64_t threads, float* scratch,
                            int64_t floats) {
    const Model& m = *model;
    const Step& s = *step;
    Buffers b(m, s.rows, s.segments, s.cached, s.longest, threads, scratch);
    if (b.floats > floats) return b.floats;
    int64_t *where = b.where, groups = 0, together = ROWS_TOGETHER;
    // Smaller groups where there would be less than one for each thread.
    while (together > 1 && s.rows * m.kv_heads < threads * together) together /= 2;
    for (int64_t i = 0; i < s.segments; i++) {
        const Segment& g = s.segment[i];
        b.where_of[i] = where;
        for (int64_t r = 0; r < g.count; r += together)
            b.group[groups++] = {i, g.start + r, g.count - r < together ? g.count - r : together};
        const int64_t* pages = s.page_table + g.pages;
        for (int64_t left = g.context + g.count; left > 0; left -= s.page_size, pages++)
            for (int64_t r = 0; r < s.page_size && r < left; r++)
                *where++ = *pages * s.page_size + r;
        std::copy_n(where - g.count, g.count, b.slot + g.start);
    }
    int64_t half = m.rotated / 2, q_width = m.heads * m.head_dim,
            kv_width = m.kv_heads * m.head_dim;

    pool().run(threads, [&](Team& team) {
        float* own = b.own + team.me * b.own_width;
        float* score = b.score + team.me * QUERIES_TOGETHER * b.score_width;
        float* turned = b.turned + team.me * b.turned_width;
        Room room{b.room + team.me * b.room_width, b.panels};
        int64_t* seen = b.seen + team.me * SEEN_TOGETHER;
        // The normed rows. A few are normed by every thread for itself: to divide them would take a
        // barrier more.
        auto normed = [&](const float* weight) -> const float* {
            if (!weight) return b.x;
            auto norm = [&](int64_t t, float* out) {
                rms_norm(b.x + t * m.hidden, weight, m.hidden, m.norm_epsilon, out + t * m.hidden);
            };
            if (s.rows > FEW_ROWS) {
                for_each(team, s.rows, [&](int64_t t) { norm(t, b.h); });
                return b.h;
            }
            for (int64_t t = 0; t < s.rows; t++) norm(t, own);
            return own;
        };
        for_each(team, s.rows, [&](int64_t t) {
            embed(m.embedding, s.ids[t], m.embedding_scale, b.x + t * m.hidden);
            for (int64_t r = 0; r < 2 && m.ropes[r].inverse_frequencies; r++)
                for (int64_t i = 0, to = (r * s.rows + t) * half; i < half; i++) {
                    float angle = float(s.positions[t]) * m.ropes[r].inverse_frequencies[i];
                    b.cosine[to + i] = cosf(angle) * m.ropes[r].scale;
                    b.sine[to + i] = sinf(angle) * m.ropes[r].scale;
                }
        });
        for (int64_t l = 0; l < m.layers; l++) {
            const Layer& w = m.layer[l];
            const float* x = normed(w.attention_norm);
            auto to = [&](float* out, int64_t width) {
                return [out, width](int64_t n, int64_t t, Vec v, int64_t many) {
                    store_some(out + t * width + n, v, many);
                };
            };
            auto add_to_x = [&](int64_t n, int64_t t, Vec v, int64_t many) {
                float* sum = b.x + t * m.hidden + n;
                store_some(sum, multiply_add(v, m.residual_scale, load_some(sum, many)), many);
            };
            // x plus what a product gives; that is normed first where it has a norm, and is in h then.
            auto add_product = [&](const Matrix& weight, const float* from, const Matrix& next,
                                   const float* norm) {
                if (!norm) return product(team, weight, from, s.rows, room, next, add_to_x);
                product(team, weight, from, s.rows, room, next, to(b.h, m.hidden));
                team.barrier();
                for_each(team, s.rows, [&](int64_t t) {
                    float *more = b.h + t * m.hidden, *sum = b.x + t * m.hidden;
                    rms_norm(more, norm, m.hidden, m.norm_epsilon, more);
                    for (int64_t i = 0; i < m.hidden; i++)
                        sum[i] = multiply_add(more[i], m.residual_scale, sum[i]);
                });
            };
            product(team, w.query, x, s.rows, room, w.key, to(b.query, q_width));
            product(team, w.key, x, s.rows, room, w.value, to(b.key, kv_width), &w.query);
            product(team, w.value, x, s.rows, room, w.output, to(b.value, kv_width), &w.query);
            team.barrier();
            for_each(team, s.rows, [&](int64_t t) {
                int64_t angles = (w.rope * s.rows + t) * half;
                auto rotate_all = [&](float* of, int64_t heads, const float* norm) {
                    if (m.whole_norms) {
                        rms_norm(of, norm, heads * m.head_dim, m.norm_epsilon, of);
                        norm = nullptr;
                    }
                    for (int64_t i = 0; i < heads; i++)
                        rotate(of + i * m.head_dim, norm, m.norm_epsilon, b.cosine + angles,
                               b.sine + angles, m.head_dim, m.rotated);
                };
                rotate_all(b.query + t * q_width, m.heads, w.query_norm);
                rotate_all(b.key + t * kv_width, m.kv_heads, w.key_norm);
                if (s.kv_is_bf16)
                    write_cache<bf16>(m, s, l, b.slot[t], b.key + t * kv_width, b.value + t * kv_width);
                else
                    write_cache<float>(m, s, l, b.slot[t], b.key + t * kv_width, b.value + t * kv_width);
            });
            if (s.kv_is_bf16)
                attention<bf16>(team, m, s, l, b.group, groups, b.where_of, b.query, score,
                                b.score_width, turned, seen, b.mixed);
            else
                attention<float>(team, m, s, l, b.group, groups, b.where_of, b.query, score,
                                 b.score_width, turned, seen, b.mixed);
            team.barrier();
            add_product(w.output, b.mixed, w.gate, w.attention_out_norm);
            team.barrier();
            products<2>(team, {&w.gate, &w.up}, normed(w.mlp_norm), s.rows, room, false, w.down,
                        [&](int64_t n, int64_t t, const Vec* v, int64_t many) {
                            Vec act = activated(m.activation, v[0]) * v[1];
                            store_some(b.act + t * m.inner + n, act, many);
                        });
            team.barrier();
            add_product(w.down, b.act, l + 1 < m.layers ? m.layer[l + 1].query : m.head,
                        w.mlp_out_norm);
            team.barrier();
        }
        for_each(team, s.wanted_rows, [&](int64_t i) {
            rms_norm(b.x + s.wanted[i] * m.hidden, m.final_norm, m.hidden, m.norm_epsilon,
                     s.hidden_out + i * m.hidden);
        });
        product(team, m.head, s.hidden_out, s.wanted_rows, room, m.layer[0].query,
                [&](int64_t n, int64_t t, Vec v, int64_t many) {
                    v = capped(v * m.logit_scale, m.logit_cap);
                    store_some(s.logits_out + t * m.vocab + n, v, many);
                });
        team.barrier();
        for_each(team, s.wanted_rows, [&](int64_t t) {
            s.best_out[t] = first_of_largest(s.logits_out + t * m.vocab, m.vocab);
        });
    });
    return 0;
}
