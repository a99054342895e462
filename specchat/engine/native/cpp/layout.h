// How a weight comes into the order in which products read it.

#pragma once

#include <atomic>
#include <cstdint>

#include "team.h"
#include "vectors.h"

// Whether bf16 loses nothing of `n` floats.
extern "C" int64_t fits_bf16(const uint32_t* bits, int64_t n, int64_t threads) {
    std::atomic<uint32_t> any{0};
    pool().run(threads, [&](Team& team) {
        auto [first, last] = team.share(n);
        uint32_t mine = 0;
        for (int64_t i = first; i < last; i++) mine |= bits[i];
        any.fetch_or(mine, std::memory_order_relaxed);
    });
    return (any.load() & 0xffff) == 0;
}

static inline uint32_t laid(uint32_t bits, uint32_t) { return bits; }
static inline uint16_t laid(uint32_t bits, uint16_t) { return uint16_t(bits >> 16); }
static inline uint16_t laid(uint16_t bits, uint16_t) { return bits; }

// [rows, cols] to blocks of LANES rows, each [cols / TOGETHER][LANES][TOGETHER], with zeros behind the
// last row.
template <int64_t TOGETHER, typename From, typename To>
static void lay_out_as(const From* weight, int64_t rows, int64_t cols, To* out, int64_t threads) {
    pool().run(threads, [&](Team& team) {
        for_each(team, (rows + LANES - 1) / LANES, [&](int64_t block) {
            To* to = out + block * LANES * cols;
            for (int64_t lane = 0; lane < LANES; lane++) {
                int64_t row = block * LANES + lane;
                const From* from = weight + row * cols;
                for (int64_t c = 0; c < cols; c += TOGETHER)
                    for (int64_t i = 0; i < TOGETHER; i++)
                        to[c * LANES + lane * TOGETHER + i] = row < rows ? laid(from[c + i], To()) : To();
            }
        });
    });
}

// A row-major weight as `Matrix` has it: in float32, or in bf16, of which the columns are even.
extern "C" void lay_out(const void* weight, int64_t from_bf16, int64_t rows, int64_t cols, void* out,
                        int64_t to_bf16, int64_t threads) {
    auto words = static_cast<const uint32_t*>(weight);
    auto halves = static_cast<const uint16_t*>(weight);
    if (!to_bf16) lay_out_as<1>(words, rows, cols, static_cast<uint32_t*>(out), threads);
    else if (from_bf16) lay_out_as<2>(halves, rows, cols, static_cast<uint16_t*>(out), threads);
    else lay_out_as<2>(words, rows, cols, static_cast<uint16_t*>(out), threads);
}
