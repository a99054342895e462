// Drafts of IBM's MLP speculator.

#pragma once

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
// tokens, chances [requests, stages, siblings]. `gumbel` [requests, stages, vocab] or null.
// Ends early, at a stage that no request is likely to reach: where the product of the best tokens'
// chances is under `least_chance` for all. Returns the stages drafted.
// scratch: requests * (2 * wide + vocab + 1) + threads * room_for(wide) floats, where wide is the
// wider of hidden and inner.
extern "C" int64_t run_draft(const Drafter* drafter, int64_t requests, int64_t siblings,
                          const float* hidden, const int64_t* last, const float* inverse_temperature,
                          const float* gumbel, float* scratch, int64_t* tokens, float* chances,
                          float least_chance, int64_t threads) {
    const Drafter& d = *drafter;
    int64_t wide = d.hidden > d.inner ? d.hidden : d.inner;
    float *state = scratch, *next = state + requests * wide, *logits = next + requests * wide;
    float *joint = logits + requests * d.draft_vocab, *rooms = joint + requests;
    int64_t drafted = d.stages;
    pool().run(threads, [&](Team& team) {
        float* room = rooms + team.me * room_for(wide);
        for_each(team, requests, [&](int64_t q) {
            const float* h = hidden + q * d.hidden;
            float scale = d.scale_input ? inverse_rms(h, d.hidden, 1e-6f) / sqrtf(2.0f) : 1.0f;
            for (int64_t i = 0; i < d.hidden; i++) state[q * d.hidden + i] = h[i] * scale;
            joint[q] = 1.0f;
        });
        for (int64_t i = 0; i < d.stages; i++) {
            product(team, d.projection[i], state, requests, room,
                    [&](int64_t n, int64_t q, Vec v, int64_t many) {
                        store_some(next + q * d.inner + n, v, many);
                    });
            team.barrier();
            for_each(team, requests, [&](int64_t q) {
                float* s = state + q * d.inner;
                int64_t token = i ? tokens[(q * d.stages + i - 1) * siblings] : last[q];
                embed(d.embedding[i], token, d.embedding_weight / d.state_weight, s);
                for (int64_t n = 0; n < d.inner; n++) s[n] += next[q * d.inner + n];
                float scale = inverse_rms(s, d.inner, 1e-6f);
                for (int64_t n = 0; n < d.inner; n += LANES) {
                    int64_t many = d.inner - n < LANES ? d.inner - n : LANES;
                    Vec v = load_some(s + n, many) * scale * load_some(d.norm_weight[i] + n, many);
                    store_some(s + n, gelu(v + load_some(d.norm_bias[i] + n, many)), many);
                }
            });
            product(team, d.head[i], state, requests, room,
                    [&](int64_t n, int64_t q, Vec v, int64_t many) {
                        store_some(logits + q * d.draft_vocab + n, v * inverse_temperature[q], many);
                    });
            team.barrier();
            for_each(team, requests, [&](int64_t q) {
                float* row = logits + q * d.draft_vocab;
                const float* noise = gumbel ? gumbel + (q * d.stages + i) * d.vocab : nullptr;
                int64_t* best = tokens + (q * d.stages + i) * siblings;
                float* chance = chances + (q * d.stages + i) * siblings;
                // With noise: how likely each is the largest, if the drafter is off by as much.
                for (int64_t n = 0; noise && n < d.draft_vocab; n++)
                    row[n] += noise[d.token_of ? d.token_of[n] : n];
                best_of(row, d.draft_vocab, siblings, best);
                for (int64_t k = 0; k < siblings; k++) chance[k] = row[best[k]];
                float most = row[0];
                for (int64_t n = 0; n < d.draft_vocab; n++) most = row[n] > most ? row[n] : most;
                float total = exponentials(row, d.draft_vocab, most);
                for (int64_t k = 0; k < siblings; k++) chance[k] = expf(chance[k] - most) / total;
                joint[q] *= chance[0];
                for (int64_t k = 0; d.token_of && k < siblings; k++) best[k] = d.token_of[best[k]];
            });
            float likeliest = 0;
            for (int64_t q = 0; q < requests; q++)
                likeliest = joint[q] > likeliest ? joint[q] : likeliest;
            if (likeliest < least_chance) {  // the same in every thread
                if (team.me == 0) drafted = i + 1;
                break;
            }
        }
    });
    return drafted;
}
