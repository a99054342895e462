// Tokens: the largest of log p + noise.

#pragma once

#include "team.h"
#include "vectors.h"

// best [rows]: the first of the largest of logits / temperature + noise in each row of logits
// [rows, vocab]; NO_TOKEN where it is not finite. noise[i] [vocab] or null; a temperature of 0
// leaves the logits as they are.
extern "C" void choose_tokens(const float* logits, int64_t rows, int64_t vocab,
                              const float* const* noise, const float* temperature, int64_t* best,
                              int64_t threads) {
    pool().run(threads, [&](Team& team) {
        std::vector<float> score(vocab);
        for_each(team, rows, [&](int64_t i) {
            const float* row = logits + i * vocab;
            float heat = temperature[i] > 0 ? temperature[i] : 1.0f;
            for (int64_t n = 0; n < vocab; n += LANES) {
                int64_t many = vocab - n < LANES ? vocab - n : LANES;
                Vec v = load_some(row + n, many) / heat;
                if (noise[i]) v += load_some(noise[i] + n, many);
                store_some(score.data() + n, v, many);
            }
            best[i] = first_of_largest(score.data(), vocab);
        });
    });
}
