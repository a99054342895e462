// Products of many rows of activations with a weight: multiplying is what takes time, so every number
// that comes to a register serves several products.
//
// A tile of the weight, TILE_BLOCKS blocks of it and some of their columns, is unpacked into what is
// multiplied and stays in the first cache while all rows pass by, TILE_ROWS at a time. Their sums wait
// in memory for the next columns. Each sum so runs over the columns in order, as in few_rows.h.

#pragma once

#include "few_rows.h"

// With two blocks of weights as many sums as registers can hold.
#ifdef __AVX512F__
constexpr int TILE_ROWS = 12;
constexpr int64_t DEEPEST = 192;  // columns of a tile: a half of the first cache
#else
constexpr int TILE_ROWS = 6;
constexpr int64_t DEEPEST = 320;
#endif
constexpr int64_t TILE_BLOCKS = 2;
constexpr int64_t PART_TILES = 8;                       // claimed at once
constexpr int64_t PASS_PANELS = 32 * 6 / TILE_ROWS;     // of rows whose columns fit the second cache
constexpr int64_t PANEL_SUMS = TILE_ROWS * TILE_BLOCKS;  // vectors

// What a thread needs for itself, in floats, and what all need together. Panels of TILE_ROWS rows or
// fewer lie one behind the other, each with room for what `side_by_side` writes behind it.
constexpr int64_t room_for_tiles() {
    return (DEEPEST * TILE_BLOCKS + PART_TILES * PASS_PANELS * PANEL_SUMS) * LANES;
}

static inline int64_t panels_of(int64_t rows) { return (rows + TILE_ROWS - 1) / TILE_ROWS; }

static inline int64_t room_for_panels(int64_t rows, int64_t cols) {
    return rows * cols + panels_of(rows) * LANES;
}

// Adds the products of B rows, n numbers each and side by side, with a tile [n][TILE_BLOCKS]. A
// number is a pair of bf16 where PAIRS says so.
template <bool PAIRS, int B>
static __attribute__((noinline)) void multiply_tile(const Vec* tile, const float* x, int64_t n,
                                                    bool begin, Vec* out) {
    Vec one[B], two[B];
    EACH(int b = 0; b < B; b++) {
        one[b] = begin ? Vec{} : out[b * TILE_BLOCKS];
        two[b] = begin ? Vec{} : out[b * TILE_BLOCKS + 1];
    }
    for (int64_t i = 0; i < n; i++) {
        Vec first = tile[0], second = tile[1];
        EACH(int b = 0; b < B; b++) {
            one[b] = plus_products<PAIRS>(one[b], first, x + b);
            two[b] = plus_products<PAIRS>(two[b], second, x + b);
        }
        tile += TILE_BLOCKS;
        x += B;
    }
    EACH(int b = 0; b < B; b++) {
        out[b * TILE_BLOCKS] = one[b];
        out[b * TILE_BLOCKS + 1] = two[b];
    }
}

struct TileKernel {
    void (*interleave)(const float* x, int64_t cols, float* out);
    void (*multiply)(const Vec* tile, const float* x, int64_t n, bool begin, Vec* out);
};

template <bool PAIRS, int... B>
static const TileKernel* all_tile_kernels(std::integer_sequence<int, B...>) {
    static constexpr TileKernel all[] = {
        {[](const float* x, int64_t cols, float* out) {
             if constexpr (PAIRS)
                 interleave<B + 1>(x, cols, reinterpret_cast<bf16*>(out));
             else
                 interleave<B + 1>(x, cols, out);
         },
         multiply_tile<PAIRS, B + 1>}...};
    return all;
}

static inline const TileKernel& tile_kernel(const Matrix& m, int64_t rows) {
    constexpr std::make_integer_sequence<int, TILE_ROWS> counts;
    return (m.bf16_products ? all_tile_kernels<true>(counts)
                            : all_tile_kernels<false>(counts))[rows - 1];
}

// Numbers [first, last) of a block become one column of a tile; the same of the block `ahead` begins
// to come closer.
static inline void unpack(const Matrix& m, const char* block, int64_t first, int64_t last,
                          int64_t ahead, Vec* tile) {
    if (m.is_bf16 && !m.bf16_products) {
        for (int64_t i = first; i < last; i += 2, tile += 2 * TILE_BLOCKS) {
            const char* line = block + i / 2 * LINE;
            __builtin_prefetch(line + ahead, 0, 2);
            Bits pair = load_bits(line);
            tile[0] = first_of(pair);
            tile[TILE_BLOCKS] = second_of(pair);
        }
        return;
    }
    for (int64_t i = first; i < last; i++, tile += TILE_BLOCKS) {
        __builtin_prefetch(block + i * LINE + ahead, 0, 2);
        *tile = (Vec)load_bits(block + i * LINE);
    }
}

// x [rows, cols] times N matrices; `products` says the rest. `room`, room_for_tiles() floats, is the
// thread's own, `panels`, room_for_panels(rows, cols), that of all; `again`: it holds the rows already.
template <int N, typename Put>
static void many_products(Team& team, const Matrix* const (&m)[N], const float* x, int64_t rows,
                          float* room, float* panels, bool again, const Put& put) {
    constexpr int64_t EACH_TILE = TILE_BLOCKS / N;  // blocks of each matrix
    const Matrix& one = *m[0];
    auto tile = reinterpret_cast<Vec*>(room), sums = tile + DEEPEST * TILE_BLOCKS;
    int64_t all = blocks_of(one), stride = block_bytes(one), count = panels_of(rows);
    int64_t numbers = one.bf16_products ? one.cols / 2 : one.cols;
    int64_t step = one.is_bf16 && !one.bf16_products ? 2 : 1;
    int64_t chunks = (numbers + DEEPEST - 1) / DEEPEST;
    auto row_of = [&](int64_t panel) { return rows * panel / count; };
    auto panel_at = [&](int64_t panel) { return panels + row_of(panel) * one.cols + panel * LANES; };
    if (!again)
        for_each(team, count, [&](int64_t p) {
            int64_t first = row_of(p);
            tile_kernel(one, row_of(p + 1) - first).interleave(x + first * one.cols, one.cols, panel_at(p));
        });
    team.begin((all + EACH_TILE - 1) / EACH_TILE);
    for (Share part; team.claim(PART_TILES, 2, part);)
        for (int64_t begin = 0, end; begin < count; begin = end) {
            end = begin + PASS_PANELS < count ? begin + PASS_PANELS : count;
            auto sums_of = [&](int64_t t, int64_t p) {
                return sums + ((t - part.first) * PASS_PANELS + p - begin) * PANEL_SUMS;
            };
            for (int64_t c = 0, first = 0, last; c < chunks; c++, first = last) {
                last = numbers * (c + 1) / chunks / step * step;
                for (int64_t t = part.first; t < part.last; t++) {
                    for (int64_t i = 0; i < TILE_BLOCKS; i++) {
                        int64_t block = t * EACH_TILE + (N == 1 ? i : 0);
                        auto from = static_cast<const char*>(m[N == 1 ? 0 : i]->data);
                        unpack(one, from + (block < all ? block : all - 1) * stride, first, last,
                               EACH_TILE * stride, tile + i);
                    }
                    for (int64_t p = begin; p < end; p++) {
                        int64_t many = row_of(p + 1) - row_of(p);
                        tile_kernel(one, many).multiply(tile, panel_at(p) + first * many,
                                                        last - first, c == 0, sums_of(t, p));
                    }
                }
            }
            for (int64_t t = part.first; t < part.last; t++)
                for (int64_t p = begin; p < end; p++)
                    for (int64_t b = 0; b < row_of(p + 1) - row_of(p); b++)
                        for (int64_t e = 0; e < EACH_TILE && t * EACH_TILE + e < all; e++)
                            put(t * EACH_TILE + e, row_of(p) + b,
                                sums_of(t, p) + b * TILE_BLOCKS + e);
        }
}
