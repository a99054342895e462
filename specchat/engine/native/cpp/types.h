// What Python hands over; native.py has the same structures.

#pragma once

#include <cstdint>

extern "C" {

// How numbers are stored. int4: numbers q from 0 to 15 in groups of 32 columns, each with a scale and a
// least number in float16: q * scale + least is the weight.
enum Kind : int64_t { FLOAT32, BF16, INT8, INT4 };

// [rows, cols] in blocks of LANES rows, padded with zeros, each
//   float32  [cols][LANES]
//   bf16     [cols / 2][LANES][2]
//   int8     [cols][LANES]; cols is a multiple of 4
//   int4     [cols / 32] groups of float16 scale[LANES], least[LANES], then uint32 [4][LANES] of 8
//            columns each, the first in the lowest bits
struct Matrix {
    const void* data;
    const float* bias;    // [rows] or null
    const float* scales;  // [rows] of int8 weights, else null
    int64_t rows, cols;
    Kind kind;
    int64_t bf16_products;  // 1: activations are rounded to bf16 before they are multiplied
};

struct Table {  // [rows, cols], row-major
    const void* data;
    int64_t cols;
    Kind kind;  // FLOAT32 or BF16
};

struct Layer {
    const float* attention_norm;  // [hidden] of what goes in; null: it goes in as it is
    const float* mlp_norm;
    const float* attention_out_norm;  // [hidden] of what comes out, before it is added; or null
    const float* mlp_out_norm;
    const float* query_norm;  // [head_dim], [heads, head_dim] of `whole_norms`, or null
    const float* key_norm;
    int64_t window;  // latest positions that a row sees, itself included, at least MOST_OWN; 0: all
    int64_t rope;    // which of the model's
    Matrix query, key, value, output, gate, up, down;
};

struct Rope {
    const float* inverse_frequencies;  // [rotated / 2]; null: there is none
    float scale;
};

enum Activation : int64_t { SILU, GELU_TANH };

struct Model {
    int64_t layers, hidden, heads, kv_heads, head_dim, inner, vocab;
    int64_t rotated;      // numbers of a head that are rotated, its first ones
    int64_t whole_norms;  // 1: queries and keys are normed over all heads together
    Activation activation;
    float norm_epsilon, attention_scale, embedding_scale, residual_scale, logit_scale;
    float score_cap, logit_cap;  // c * tanh(x / c) of attention's scores and of logits; 0: not
    Rope ropes[2];
    const float* final_norm;
    Table embedding;
    Matrix head;
    const Layer* layer;
};

struct Segment {  // the rows of one request
    int64_t start, count, context;
    int64_t pages;   // offset into the page table
    int64_t causal;  // 1: a row sees the rows before it; 0: its ancestor bits say
};

struct Step {
    int64_t rows, segments, wanted_rows, page_size, kv_is_bf16;
    const int64_t *ids, *positions, *wanted, *ancestors;
    const Segment* segment;
    const int64_t* page_table;
    void* const* keys;  // per layer [slots, kv_heads, head_dim]
    void* const* values;
    float* hidden_out;  // [wanted_rows, hidden]
    float* logits_out;  // [wanted_rows, vocab]
    int64_t* best_out;  // [wanted_rows] the first of the largest logits, -1 if not finite
    int64_t longest;    // keys that a row of this step sees at the most
    int64_t cached;     // cache rows of all segments together, those of this step included
};

struct Drafter {  // IBM's MLP speculator; see speculators/mlp.py for the formula
    int64_t stages, hidden, inner, vocab, scale_input;
    int64_t draft_vocab;      // rows of a head
    const int64_t* token_of;  // [draft_vocab] the token of each; null: the row is the token
    float state_weight, embedding_weight;
    const Table* embedding;  // per stage
    const Matrix* projection;
    const Matrix* head;
    const float* const* norm_weight;
    const float* const* norm_bias;
};
}
