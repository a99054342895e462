// Drafts of IBM's MLP speculator.

#pragma once

#include <algorithm>
#include <vector>

#include "product.h"

// The `many` largest of a row, largest first; of equals the first.
static void best_of(const float* row, int64_t count, int64_t many, int64_t* best) {
    float bar[16];
    for (int64_t k = 0; k < many; k++) best[k] = 0, bar[k] = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
        float v = row[i];
        if (v <= bar[many - 1]) continue;
        int64_t k = many - 1;
        for (; k > 0 && v > bar[k - 1]; k--) bar[k] = bar[k - 1], best[k] = best[k - 1];
        bar[k] = v, best[k] = i;
    }
}

// The Gaussian error linear unit, close enough for drafts (Abramowitz, Stegun 7.1.26).
static inline Vec gelu(Vec v) {
    Vec x = v * 0.70710678118654752f, size = x < 0.0f ? -x : x;
    Vec t = 1.0f / (1.0f + size * 0.3275911f);
    Vec tail = t * (0.254829592f +
                    t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    Vec erf = 1.0f - tail * exponential(-x * x);
    return 0.5f * v * (1.0f + (x < 0.0f ? -erf : erf));
}

// Tokens drafted for each request, the best of every stage and its runners-up:
// tokens, chances [requests, stages, siblings], and drafted [requests], the stages of each. A request
// goes on to the next stage where the product of its best tokens' chances is `least_chance` or more.
// hidden[q] [hidden]; gumbel[q] [stages, vocab], or null without noise.
// scratch: requests * (2 * wide + draft_vocab + 1) + room_floats(requests, wide, threads) floats,
// where wide is the wider of hidden and inner.
extern "C" void run_draft(const Drafter* drafter, int64_t requests, int64_t siblings,
                          const float* const* hidden, const int64_t* last,
                          const float* inverse_temperature, const float* const* gumbel,
                          float* scratch, int64_t* tokens, float* chances, int64_t* drafted,
                          float least_chance, int64_t threads) {
    const Drafter& d = *drafter;
    int64_t wide = d.hidden > d.inner ? d.hidden : d.inner;
    float *state = scratch, *next = state + requests * wide, *logits = next + requests * wide;
    float *joint = logits + requests * d.draft_vocab, *panels = joint + requests;
    float* rooms = panels + panels_room(requests, wide);
    std::vector<int64_t> going(requests);  // the requests that are drafted on, in their rows' order
    for (int64_t q = 0; q < requests; q++) going[q] = q, drafted[q] = 0, joint[q] = 1.0f;
    int64_t rows = requests;
    pool().run(threads, [&](Team& team) {
        Room room{rooms + team.me * own_room(wide), panels};
        for_each(team, rows, [&](int64_t r) {
            const float* h = hidden[r];
            float scale = d.scale_input ? inverse_rms(h, d.hidden, 1e-6f) / sqrtf(2.0f) : 1.0f;
            for (int64_t i = 0; i < d.hidden; i++) state[r * d.hidden + i] = h[i] * scale;
        });
        for (int64_t i = 0; i < d.stages; i++) {
            product(team, d.projection[i], state, rows, room, d.head[i],
                    [&](int64_t n, int64_t r, Vec v, int64_t many) {
                        store_some(next + r * d.inner + n, v, many);
                    });
            team.barrier();
            for_each(team, rows, [&](int64_t r) {
                int64_t q = going[r];
                float* s = state + r * d.inner;
                int64_t token = i ? tokens[(q * d.stages + i - 1) * siblings] : last[q];
                embed(d.embedding[i], token, d.embedding_weight / d.state_weight, s);
                for (int64_t n = 0; n < d.inner; n++) s[n] += next[r * d.inner + n];
                float scale = inverse_rms(s, d.inner, 1e-6f);
                for (int64_t n = 0; n < d.inner; n += LANES) {
                    int64_t many = d.inner - n < LANES ? d.inner - n : LANES;
                    Vec v = load_some(s + n, many) * scale * load_some(d.norm_weight[i] + n, many);
                    store_some(s + n, gelu(v + load_some(d.norm_bias[i] + n, many)), many);
                }
            });
            product(team, d.head[i], state, rows, room, d.projection[i + 1 < d.stages ? i + 1 : 0],
                    [&](int64_t n, int64_t r, Vec v, int64_t many) {
                        v *= inverse_temperature[going[r]];
                        store_some(logits + r * d.draft_vocab + n, v, many);
                    });
            team.barrier();
            for_each(team, rows, [&](int64_t r) {
                int64_t q = going[r];
                float* row = logits + r * d.draft_vocab;
                const float* noise = gumbel[q] ? gumbel[q] + i * d.vocab : nullptr;
                int64_t* best = tokens + (q * d.stages + i) * siblings;
                float* chance = chances + (q * d.stages + i) * siblings;
                // With noise: how likely each is the largest, if the drafter is off by as much.
                for (int64_t n = 0; noise && n < d.draft_vocab; n++)
                    row[n] += noise[d.token_of ? d.token_of[n] : n];
                best_of(row, d.draft_vocab, siblings, best);
                float most = row[best[0]];
                for (int64_t k = 0; k < siblings; k++) chance[k] = row[best[k]];
                float total = exponentials(row, d.draft_vocab, most);
                for (int64_t k = 0; k < siblings; k++) chance[k] = expf(chance[k] - most) / total;
                joint[q] *= chance[0];
                drafted[q] = i + 1;
                for (int64_t k = 0; d.token_of && k < siblings; k++) best[k] = d.token_of[best[k]];
            });
            if (team.me == 0) {
                int64_t kept = 0;
                for (int64_t r = 0; r < rows; r++) {
                    if (joint[going[r]] < least_chance) continue;
                    if (kept < r) std::copy_n(state + r * d.inner, d.inner, state + kept * d.inner);
                    going[kept++] = going[r];
                }
                rows = kept;
            }
            team.barrier();
            if (!rows) break;
        }
    });
}
