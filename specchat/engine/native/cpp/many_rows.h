// Products of many rows of activations with a weight: multiplying is what takes time, so every number
// that comes to a register serves several products.
//
// A tile of the weight, TILE_BLOCKS blocks of it and some of their columns, is unpacked into what is
// multiplied and stays in the first cache while all rows pass by, a panel of TILE_ROWS at a time, the
// last panel with rows of the one before it where there are not enough. Their sums wait in memory for
// the next columns. So each sum runs over the columns in order, as in few_rows.h.

#pragma once

#include "few_rows.h"

// With two blocks of weights as many sums as registers can hold.
#ifdef __AVX512F__
constexpr int TILE_ROWS = 12;
constexpr int64_t DEEPEST = 224;  // columns of a tile: a half of the first cache
#else
constexpr int TILE_ROWS = 6;
constexpr int64_t DEEPEST = 352;
#endif
constexpr int64_t TILE_BLOCKS = 2;
constexpr int64_t PART_TILES = 8;                       // claimed at once
constexpr int64_t PASS_PANELS = 32 * 6 / TILE_ROWS;     // of rows whose columns fit the second cache
constexpr int64_t PANEL_SUMS = TILE_ROWS * TILE_BLOCKS;  // vectors

constexpr int64_t TILE_VECTORS = (DEEPEST + 2 * DEEPEST / GROUP) * TILE_BLOCKS;

// What a thread needs for itself, in floats, and what all need together: panels one behind the other,
// each with room for what `side_by_side` writes behind it.
constexpr int64_t room_for_tiles() {
    return (TILE_VECTORS + PART_TILES * PASS_PANELS * PANEL_SUMS) * LANES;
}

static inline int64_t panels_of(int64_t rows) { return (rows + TILE_ROWS - 1) / TILE_ROWS; }

constexpr int64_t panel_floats(int64_t cols) {
    return TILE_ROWS * cols + group_floats(TILE_ROWS, cols);
}

// Bytes that come closer meanwhile: `each` for every number.
struct Ahead {
    const char* from;
    int64_t each;
};

// A part of the weight: numbers [n][TILE_BLOCKS], and of int4 a scale and a least number for each
// group, [n / GROUP][2][TILE_BLOCKS].
struct Tile {
    Vec *numbers, *scales;
};

// Adds the products of a panel, n numbers of each row side by side, with a tile. A number is a pair of
// bf16 where PAIRS says so; of int4 `group_sums` are those of the panel's groups.
template <bool PAIRS, bool GROUPS>
static __attribute__((noinline)) void multiply_tile(Tile tile, const float* x,
                                                    const float* group_sums, int64_t n, bool begin,
                                                    Ahead ahead, Vec* out) {
    constexpr int B = TILE_ROWS;
    const Vec *numbers = tile.numbers, *scales = tile.scales;
    for (int64_t left = n; left > 0; left -= GROUP, begin = false) {
        Vec one[B], two[B];
        EACH(int b = 0; b < B; b++) {
            one[b] = GROUPS || begin ? Vec{} : out[b * TILE_BLOCKS];
            two[b] = GROUPS || begin ? Vec{} : out[b * TILE_BLOCKS + 1];
        }
        for (int64_t i = GROUPS ? GROUP : n; i > 0; i--) {
            __builtin_prefetch(ahead.from, 0, 2);
            ahead.from += ahead.each;
            Vec first = numbers[0], second = numbers[1];
            EACH(int b = 0; b < B; b++) {
                one[b] = plus_products<PAIRS>(one[b], first, x + b);
                two[b] = plus_products<PAIRS>(two[b], second, x + b);
            }
            numbers += TILE_BLOCKS;
            x += B;
        }
        if (!GROUPS) {
            EACH(int b = 0; b < B; b++) {
                out[b * TILE_BLOCKS] = one[b];
                out[b * TILE_BLOCKS + 1] = two[b];
            }
            return;
        }
        for (int i = 0; i < TILE_BLOCKS; i++)
            EACH(int b = 0; b < B; b++) {
                Vec& sum = out[b * TILE_BLOCKS + i];
                Vec scaled = multiply_add(scales[i], i ? two[b] : one[b], begin ? Vec{} : sum);
                sum = multiply_add(scales[TILE_BLOCKS + i], group_sums[b], scaled);
            }
        scales += 2 * TILE_BLOCKS;
        group_sums += B;
    }
}

// `count` numbers of a block, which are there, become one column of a tile.
static inline void unpack(const Matrix& m, const char* from, int64_t count, Tile into) {
    Vec* tile = into.numbers;
    if (m.kind == INT8)
        for (int64_t i = 0; i < count; i++, tile += TILE_BLOCKS)
            *tile = load(reinterpret_cast<const int8_t*>(from) + i * LANES);
    else if (m.kind == INT4)
        for (int64_t i = 0; i < count; i += GROUP, from += LINE) {
            into.scales[0] = load_float16(from);
            into.scales[TILE_BLOCKS] = load_float16(from + LINE / 2);
            into.scales += 2 * TILE_BLOCKS;
            for (int l = 1; l < GROUP_LINES; l++) {
                Bits words = load_bits(from += LINE);
                EACH(int k = 0; k < 8; k++, tile += TILE_BLOCKS) {
                    if (k == 4) words >>= 16;
                    *tile = int4_of(words, k % 4);
                }
            }
        }
    else if (m.kind == BF16 && !m.bf16_products)
        for (int64_t i = 0; i < count; i += 2, from += LINE, tile += 2 * TILE_BLOCKS) {
            Bits pairs = load_bits(from);
            tile[0] = first_of(pairs);
            tile[TILE_BLOCKS] = second_of(pairs);
        }
    else
        for (int64_t i = 0; i < count; i++, from += LINE, tile += TILE_BLOCKS)
            *tile = (Vec)load_bits(from);
}

// x [rows, cols] times N matrices; `products` says the rest. `room`, room_for_tiles() floats, is the
// thread's own, `panels`, of panel_floats(cols) each, that of all; `again`: it holds the rows already.
template <int N, typename Put>
static void many_products(Team& team, const Matrix* const (&m)[N], const float* x, int64_t rows,
                          float* room, float* panels, bool again, const Put& put) {
    constexpr int64_t EACH_TILE = TILE_BLOCKS / N;  // blocks of each matrix
    const Matrix& one = *m[0];
    auto room_at = reinterpret_cast<const char*>(room);
    auto numbers_at = reinterpret_cast<Vec*>(room), sums = numbers_at + TILE_VECTORS;
    Tile tile{numbers_at, numbers_at + DEEPEST * TILE_BLOCKS};
    int64_t all = blocks_of(one), stride = block_bytes(one), count = panels_of(rows);
    int64_t numbers = one.bf16_products ? one.cols / 2 : one.cols, each = stride / numbers;
    int64_t step = one.kind == INT4 ? GROUP : 2, most = DEEPEST - step;  // a chunk ends with a group
    int64_t chunks = (numbers + most - 1) / most;
    auto begins = [&](int64_t chunk) {
        return chunk < chunks ? numbers * chunk / chunks / step * step : numbers;
    };
    // Where column i of a tile comes from.
    auto source = [&](int64_t t, int64_t chunk, int64_t i) {
        int64_t block = t * EACH_TILE + (N == 1 ? i : 0);
        auto data = static_cast<const char*>(m[N == 1 ? 0 : i]->data);
        return data + (block < all ? block : all - 1) * stride + begins(chunk) * each;
    };
    auto panel_at = [&](int64_t panel) { return panels + panel * panel_floats(one.cols); };
    auto row_of = [&](int64_t panel) {
        return (panel + 1) * TILE_ROWS < rows ? panel * TILE_ROWS : rows - TILE_ROWS;
    };
    if (!again)
        for_each(team, count, [&](int64_t p) {
            const float* from = x + row_of(p) * one.cols;
            if (one.bf16_products)
                interleave<TILE_ROWS>(from, one.cols, reinterpret_cast<bf16*>(panel_at(p)));
            else
                interleave<TILE_ROWS>(from, one.cols, panel_at(p));
            if (one.kind == INT4) for_int4<TILE_ROWS>(panel_at(p), one.cols);
        });
    auto multiply = one.kind == INT4    ? multiply_tile<false, true>
                    : one.bf16_products ? multiply_tile<true, false>
                                        : multiply_tile<false, false>;
    team.begin((all + EACH_TILE - 1) / EACH_TILE);
    for (Share part; team.claim(PART_TILES, 2, part);)
        for (int64_t begin = 0, end; begin < count; begin = end) {
            end = begin + PASS_PANELS < count ? begin + PASS_PANELS : count;
            auto sums_of = [&](int64_t t, int64_t p) {
                return sums + ((t - part.first) * PASS_PANELS + p - begin) * PANEL_SUMS;
            };
            for (int64_t c = 0; c < chunks; c++) {
                int64_t first = begins(c), n = begins(c + 1) - first;
                for (int64_t t = part.first; t < part.last; t++) {
                    bool more = t + 1 < part.last, deeper = c + 1 < chunks;
                    int64_t next = more || !deeper ? t + 1 : part.first, chunk = more ? c : deeper * (c + 1);
                    for (int64_t i = 0; i < TILE_BLOCKS; i++)
                        unpack(one, source(t, c, i), n, {tile.numbers + i, tile.scales + i});
                    for (int64_t p = begin; p < end; p++) {
                        Ahead ahead{room_at, 0};
                        if (p - begin < TILE_BLOCKS) ahead = {source(next, chunk, p - begin), each};
                        const float* panel = panel_at(p);
                        const float* group_sums =
                            panel + TILE_ROWS * one.cols + LANES + first / GROUP * TILE_ROWS;
                        multiply(tile, panel + first * TILE_ROWS, group_sums, n, c == 0, ahead,
                                 sums_of(t, p));
                    }
                }
            }
            for (int64_t t = part.first; t < part.last; t++)
                for (int64_t p = begin; p < end; p++)
                    for (int64_t row = p * TILE_ROWS; row < row_of(p) + TILE_ROWS; row++)
                        for (int64_t e = 0; e < EACH_TILE && t * EACH_TILE + e < all; e++)
                            put(t * EACH_TILE + e, row,
                                sums_of(t, p) + (row - row_of(p)) * TILE_BLOCKS + e);
        }
}
