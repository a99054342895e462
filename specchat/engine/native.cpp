// One step of a Llama-shaped model on CPU: paged tree attention and thin matrix products.
//
// Decoding multiplies a few rows of activations with every weight, so its speed is that of reading
// the weights. General matrix libraries are made for many rows and read them several times. Here a
// block of weight rows is read once and used for all rows of the step. Weights may be stored in
// bf16; all arithmetic is float32.
//
// Every output is summed in an order that does not depend on how many rows a step has or where a
// row stands in it, so plain and speculative decoding give the same bits.
//
// Built by native.py. All pointers are owned by the caller.

#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#ifdef __AVX512F__
#include <immintrin.h>
constexpr int REGISTERS = 16;  // vectors of running sums that stay in registers
#else
constexpr int REGISTERS = 4;
#endif

constexpr int LANES = 16;
constexpr int MOST_ROWS = 8;  // step rows that are summed together

typedef float Vec __attribute__((vector_size(LANES * 4), aligned(4)));
typedef uint16_t Half __attribute__((vector_size(LANES * 2), aligned(2)));
typedef uint32_t Bits __attribute__((vector_size(LANES * 4)));

struct bf16 {
    uint16_t bits;
};

extern "C" {

struct Matrix {  // [rows, cols] in blocks of LANES rows: [blocks, cols, LANES], padded with zeros
    const void* data;
    const float* bias;  // [rows] or null
    int64_t rows, cols;
    int64_t is_bf16;
};

struct Table {  // [rows, cols], row-major
    const void* data;
    int64_t cols;
    int64_t is_bf16;
};

struct Layer {
    const float* attention_norm;
    const float* mlp_norm;
    const float* query_norm;  // [head_dim] or null
    const float* key_norm;
    Matrix query, key, value, output, gate, up, down;
};

struct Model {
    int64_t layers, hidden, heads, kv_heads, head_dim, inner, vocab;
    float norm_epsilon, attention_scale, embedding_scale, residual_scale, logit_scale, rope_scale;
    const float* inverse_frequencies;  // [head_dim / 2]
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
    const int64_t *ids, *positions, *slots, *wanted, *ancestors;
    const Segment* segment;
    const int64_t* page_table;
    void* const* keys;  // per layer [slots, kv_heads, head_dim]
    void* const* values;
    float* hidden_out;  // [wanted_rows, hidden]
    float* logits_out;  // [wanted_rows, vocab]
    float* scratch;     // scratch_floats() of them
    int64_t longest;    // keys that a row of this step sees at the most
};

struct Drafter {  // IBM's MLP speculator; see speculators/mlp.py for the formula
    int64_t stages, hidden, inner, vocab, scale_input;
    float state_weight, embedding_weight;
    const Table* embedding;  // per stage
    const Matrix* projection;
    const Matrix* head;
    const float* const* norm_weight;
    const float* const* norm_bias;
};
}

// Threads that work on one call together. A step has dozens of barriers, a few microseconds apart,
// so they are waited for actively; between steps a worker sleeps after IDLE_SPIN.

constexpr auto IDLE_SPIN = std::chrono::microseconds(800);

static inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

struct Share {
    int64_t first, last;
};

class Team {
  public:
    int64_t me, threads;
    std::atomic<int64_t>* arrived;
    std::atomic<int64_t>* phase;

    // Wait until every thread of the team is here.
    void barrier() {
        if (threads == 1) return;
        int64_t now = phase->load(std::memory_order_relaxed);
        if (arrived->fetch_add(1, std::memory_order_acq_rel) == threads - 1) {
            arrived->store(0, std::memory_order_relaxed);
            phase->store(now + 1, std::memory_order_release);
            return;
        }
        for (int spins = 0; phase->load(std::memory_order_acquire) == now; spins++)
            spins < 4000 ? relax() : std::this_thread::yield();
    }

    // This thread's part of `n` pieces of work.
    Share share(int64_t n) const { return {n * me / threads, n * (me + 1) / threads}; }
};

class Pool {
  public:
    // Run `work` on `threads` threads, the caller being one of them. One call at a time.
    void run(int64_t threads, const std::function<void(Team&)>& work) {
        std::lock_guard<std::mutex> one_at_a_time(calls_);
        while (int64_t(workers_.size()) < threads - 1) {
            int64_t index = workers_.size() + 1;
            workers_.emplace_back([this, index] { serve(index); });
            workers_.back().detach();
        }
        {
            std::lock_guard<std::mutex> lock(mutex_);
            work_ = &work;
            threads_ = threads;
            busy_.store(int64_t(workers_.size()), std::memory_order_relaxed);
            generation_.fetch_add(1, std::memory_order_release);
        }
        wake_.notify_all();
        Team team{0, threads, &arrived_, &phase_};
        work(team);
        for (int spins = 0; busy_.load(std::memory_order_acquire); spins++)
            spins < 4000 ? relax() : std::this_thread::yield();
    }

  private:
    void serve(int64_t index) {
        int64_t seen = 0;
        for (;;) {
            wait_for_work(seen);
            seen = generation_.load(std::memory_order_acquire);
            if (index < threads_) {
                Team team{index, threads_, &arrived_, &phase_};
                (*work_)(team);
            }
            busy_.fetch_sub(1, std::memory_order_release);
        }
    }

    void wait_for_work(int64_t seen) {
        auto give_up = std::chrono::steady_clock::now() + IDLE_SPIN;
        for (int spins = 0; generation_.load(std::memory_order_acquire) == seen; spins++) {
            relax();
            if (spins % 256 || std::chrono::steady_clock::now() < give_up) continue;
            std::unique_lock<std::mutex> lock(mutex_);
            wake_.wait(lock, [&] { return generation_.load() != seen; });
        }
    }

    std::mutex calls_, mutex_;
    std::condition_variable wake_;
    std::vector<std::thread> workers_;
    std::atomic<int64_t> generation_{0}, busy_{0}, arrived_{0}, phase_{0};
    const std::function<void(Team&)>* work_ = nullptr;
    int64_t threads_ = 1;
};

// Never destroyed: its threads run until the process ends.
static Pool& pool() {
    static Pool* the_pool = new Pool;
    return *the_pool;
}

static inline Vec load(const float* p) {
    Vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline Vec load(const bf16* p) {
    Half h;
    memcpy(&h, p, sizeof h);
    Bits wide = __builtin_convertvector(h, Bits) << 16;
    Vec v;
    memcpy(&v, &wide, sizeof v);
    return v;
}

static inline float value(const float* p) { return *p; }

static inline float value(const bf16* p) {
    uint32_t wide = uint32_t(p->bits) << 16;
    float v;
    memcpy(&v, &wide, sizeof v);
    return v;
}

static inline void store(float* p, float v) { *p = v; }

static inline void store(bf16* p, float v) {  // rounds to nearest even
    uint32_t wide;
    memcpy(&wide, &v, sizeof wide);
    p->bits = uint16_t((wide + 0x7fff + ((wide >> 16) & 1)) >> 16);
}

static inline float sum(Vec v) {
#ifdef __AVX512F__
    return _mm512_reduce_add_ps((__m512)v);
#else
    float lane[LANES];
    memcpy(lane, &v, sizeof v);
    for (int width = LANES / 2; width; width /= 2)
        for (int i = 0; i < width; i++) lane[i] += lane[i + width];
    return lane[0];
#endif
}

template <typename T>
static inline float dot(const T* a, const float* b, int64_t n) {
    Vec total = {};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) total += load(a + i) * load(b + i);
    float rest = 0;
    for (; i < n; i++) rest += value(a + i) * b[i];
    return sum(total) + rest;
}

// R blocks of weight rows times B step rows. Each weight is read once; each sum runs over the
// columns in order, whatever R and B are.
template <typename W, int R, int B, typename Put>
static inline void tile(const Matrix& m, const W* w, const float* x, int64_t block, int64_t row,
                        const Put& put) {
    Vec total[R][B] = {};
    const float* input[B];
    for (int b = 0; b < B; b++) input[b] = x + (row + b) * m.cols;
    for (int64_t k = 0; k < m.cols; k++)
        for (int r = 0; r < R; r++) {
            Vec weight = load(w + ((block + r) * m.cols + k) * LANES);
            for (int b = 0; b < B; b++) total[r][b] += weight * input[b][k];
        }
    for (int r = 0; r < R; r++) {
        int64_t first = (block + r) * LANES;
        int64_t many = m.rows - first < LANES ? m.rows - first : LANES;
        for (int b = 0; b < B; b++)
            for (int64_t i = 0; i < many; i++) put(first + i, row + b, total[r][b][i]);
    }
}

template <typename W, int B, typename Put>
static inline void blocks(const Matrix& m, const W* w, const float* x, int64_t first, int64_t last,
                          int64_t row, const Put& put) {
    constexpr int R = REGISTERS / B > 8 ? 8 : REGISTERS / B > 0 ? REGISTERS / B : 1;
    int64_t block = first;
    for (; block + R <= last; block += R) tile<W, R, B>(m, w, x, block, row, put);
    for (; block < last; block++) tile<W, 1, B>(m, w, x, block, row, put);
}

// put(weight row, step row, product) for the blocks [first, last) of m and all step rows. A few
// blocks at a time, so that they are still in the cache for the next step rows.
template <typename W, typename Put>
static inline void product_of(const Matrix& m, const float* x, int64_t rows, int64_t first,
                              int64_t last, const Put& put) {
    auto w = static_cast<const W*>(m.data);
    int64_t at_once = rows > MOST_ROWS ? 8 : last - first;
    for (int64_t from = first; from < last; from += at_once) {
        int64_t to = from + at_once < last ? from + at_once : last;
        int64_t t = 0;
        for (; t + 8 <= rows; t += 8) blocks<W, 8>(m, w, x, from, to, t, put);
        switch (rows - t) {
            case 7: blocks<W, 7>(m, w, x, from, to, t, put); break;
            case 6: blocks<W, 6>(m, w, x, from, to, t, put); break;
            case 5: blocks<W, 5>(m, w, x, from, to, t, put); break;
            case 4: blocks<W, 4>(m, w, x, from, to, t, put); break;
            case 3: blocks<W, 3>(m, w, x, from, to, t, put); break;
            case 2: blocks<W, 2>(m, w, x, from, to, t, put); break;
            case 1: blocks<W, 1>(m, w, x, from, to, t, put); break;
        }
    }
}

// This thread's share of x [rows, cols] times m transposed. Call from all threads.
template <typename Put>
static inline void product(const Team& team, const Matrix& m, const float* x, int64_t rows,
                           const Put& put) {
    auto [first, last] = team.share((m.rows + LANES - 1) / LANES);
    auto with_bias = [&](int64_t n, int64_t t, float v) { put(n, t, m.bias ? v + m.bias[n] : v); };
    if (m.is_bf16)
        product_of<bf16>(m, x, rows, first, last, with_bias);
    else
        product_of<float>(m, x, rows, first, last, with_bias);
}

static inline float inverse_rms(const float* x, int64_t n, float epsilon) {
    float total = 0;
    for (int64_t i = 0; i < n; i++) total += x[i] * x[i];
    return 1.0f / sqrtf(total / n + epsilon);
}

static inline void rms_norm(const float* x, const float* weight, int64_t n, float epsilon,
                            float* out) {
    float scale = inverse_rms(x, n, epsilon);
    for (int64_t i = 0; i < n; i++) out[i] = x[i] * scale * weight[i];
}

static inline void embed(const Table& m, int64_t id, float scale, float* out) {
    if (m.is_bf16) {
        auto row = static_cast<const bf16*>(m.data) + id * m.cols;
        for (int64_t i = 0; i < m.cols; i++) out[i] = value(row + i) * scale;
    } else {
        auto row = static_cast<const float*>(m.data) + id * m.cols;
        for (int64_t i = 0; i < m.cols; i++) out[i] = row[i] * scale;
    }
}

// Norm (where the model has one) and rotary position of one head, in place.
static inline void rotate(float* head, const float* norm, float epsilon, const float* cosine,
                          const float* sine, int64_t dim) {
    if (norm) rms_norm(head, norm, dim, epsilon, head);
    int64_t half = dim / 2;
    for (int64_t i = 0; i < half; i++) {
        float a = head[i], b = head[i + half];
        head[i] = a * cosine[i] - b * sine[i];
        head[i + half] = b * cosine[i] + a * sine[i];
    }
}

// One query head of one row over `count` keys at the given cache rows.
template <typename KV>
static void attend(const float* query, const KV* keys, const KV* values, const int64_t* where,
                   int64_t count, int64_t stride, int64_t dim, float scale, float* score,
                   float* out) {
    float most = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
        score[i] = dot(keys + where[i] * stride, query, dim) * scale;
        most = score[i] > most ? score[i] : most;
    }
    float total = 0;
    for (int64_t i = 0; i < count; i++) {
        score[i] = expf(score[i] - most);
        total += score[i];
    }
    for (int64_t d = 0; d < dim; d++) out[d] = 0;
    for (int64_t i = 0; i < count; i++) {
        const KV* v = values + where[i] * stride;
        float weight = score[i];
        for (int64_t d = 0; d < dim; d++) out[d] += weight * value(v + d);
    }
    float inverse = 1.0f / total;
    for (int64_t d = 0; d < dim; d++) out[d] *= inverse;
}

// Cache rows that row `r` of a segment sees, itself included, in order of position.
static int64_t visible(const Step& s, const Segment& g, int64_t r, int64_t* where) {
    const int64_t* pages = s.page_table + g.pages;
    int64_t count = 0;
    for (; count < g.context; count++)
        where[count] = pages[count / s.page_size] * s.page_size + count % s.page_size;
    uint64_t bits = g.causal ? 0 : uint64_t(s.ancestors[g.start + r]);
    for (int64_t j = 0; j <= r; j++)
        if (g.causal || (bits >> j & 1)) where[count++] = s.slots[g.start + j];
    return count;
}

template <typename KV>
static void write_cache(const Model& m, const Step& s, int64_t layer, int64_t row, const float* key,
                        const float* value_) {
    int64_t width = m.kv_heads * m.head_dim;
    KV* keys = static_cast<KV*>(s.keys[layer]) + s.slots[row] * width;
    KV* values = static_cast<KV*>(s.values[layer]) + s.slots[row] * width;
    for (int64_t i = 0; i < width; i++) {
        store(keys + i, key[i]);
        store(values + i, value_[i]);
    }
}

template <typename KV>
static void attention(const Team& team, const Model& m, const Step& s, int64_t layer, const int64_t* segment_of,
                      const float* query, int64_t* where, float* score, float* out) {
    int64_t width = m.kv_heads * m.head_dim, group = m.heads / m.kv_heads;
    auto keys = static_cast<const KV*>(s.keys[layer]);
    auto values = static_cast<const KV*>(s.values[layer]);
    int64_t seen = -1, count = 0;
    auto [first, last] = team.share(s.rows * m.heads);
    for (int64_t item = first; item < last; item++) {
        int64_t row = item / m.heads, head = item % m.heads;
        if (segment_of[row] < 0) continue;
        if (row != seen) {
            const Segment& g = s.segment[segment_of[row]];
            count = visible(s, g, row - g.start, where);
            seen = row;
        }
        int64_t shift = head / group * m.head_dim, at = (row * m.heads + head) * m.head_dim;
        attend<KV>(query + at, keys + shift, values + shift, where, count, width, m.head_dim,
                   m.attention_scale, score, out + at);
    }
}

// body(i) for all i below n, divided between the threads; then a barrier.
template <typename Body>
static inline void for_each(Team& team, int64_t n, const Body& body) {
    auto [first, last] = team.share(n);
    for (int64_t i = first; i < last; i++) body(i);
    team.barrier();
}

struct Buffers {
    float *x, *h, *query, *key, *value, *mixed, *act, *cosine, *sine, *score;
    int64_t *where, *segment_of;
    int64_t floats;

    Buffers(const Model& m, int64_t rows, int64_t longest, int64_t threads, float* at) {
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
        cosine = take(rows * m.head_dim / 2);
        sine = take(rows * m.head_dim / 2);
        score = take(threads * longest);
        where = reinterpret_cast<int64_t*>(take(2 * threads * longest));
        segment_of = reinterpret_cast<int64_t*>(take(2 * rows));
        floats = at - begin;
    }
};

extern "C" int64_t scratch_floats(const Model* m, int64_t rows, int64_t longest, int64_t threads) {
    return Buffers(*m, rows, longest, threads, nullptr).floats;
}

extern "C" void run_step(const Model* model, const Step* step, int64_t threads) {
    const Model& m = *model;
    const Step& s = *step;
    Buffers b(m, s.rows, s.longest, threads, s.scratch);
    for (int64_t t = 0; t < s.rows; t++) b.segment_of[t] = -1;
    for (int64_t g = 0; g < s.segments; g++)
        for (int64_t r = 0; r < s.segment[g].count; r++) b.segment_of[s.segment[g].start + r] = g;
    int64_t half = m.head_dim / 2, q_width = m.heads * m.head_dim,
            kv_width = m.kv_heads * m.head_dim;

    pool().run(threads, [&](Team& team) {
        int64_t* where = b.where + team.me * s.longest;
        float* score = b.score + team.me * s.longest;
        for_each(team, s.rows, [&](int64_t t) {
            embed(m.embedding, s.ids[t], m.embedding_scale, b.x + t * m.hidden);
            rms_norm(b.x + t * m.hidden, m.layer[0].attention_norm, m.hidden, m.norm_epsilon,
                     b.h + t * m.hidden);
            for (int64_t i = 0; i < half; i++) {
                float angle = float(s.positions[t]) * m.inverse_frequencies[i];
                b.cosine[t * half + i] = cosf(angle) * m.rope_scale;
                b.sine[t * half + i] = sinf(angle) * m.rope_scale;
            }
        });
        for (int64_t l = 0; l < m.layers; l++) {
            const Layer& w = m.layer[l];
            product(team, w.query, b.h, s.rows,
                    [&](int64_t n, int64_t t, float v) { b.query[t * q_width + n] = v; });
            product(team, w.key, b.h, s.rows,
                    [&](int64_t n, int64_t t, float v) { b.key[t * kv_width + n] = v; });
            product(team, w.value, b.h, s.rows,
                    [&](int64_t n, int64_t t, float v) { b.value[t * kv_width + n] = v; });
            team.barrier();
            for_each(team, s.rows, [&](int64_t t) {
                const float *cosine = b.cosine + t * half, *sine = b.sine + t * half;
                for (int64_t i = 0; i < m.heads; i++)
                    rotate(b.query + t * q_width + i * m.head_dim, w.query_norm, m.norm_epsilon,
                           cosine, sine, m.head_dim);
                for (int64_t i = 0; i < m.kv_heads; i++)
                    rotate(b.key + t * kv_width + i * m.head_dim, w.key_norm, m.norm_epsilon,
                           cosine, sine, m.head_dim);
                if (s.kv_is_bf16)
                    write_cache<bf16>(m, s, l, t, b.key + t * kv_width, b.value + t * kv_width);
                else
                    write_cache<float>(m, s, l, t, b.key + t * kv_width, b.value + t * kv_width);
            });
            if (s.kv_is_bf16)
                attention<bf16>(team, m, s, l, b.segment_of, b.query, where, score, b.mixed);
            else
                attention<float>(team, m, s, l, b.segment_of, b.query, where, score, b.mixed);
            team.barrier();
            product(team, w.output, b.mixed, s.rows, [&](int64_t n, int64_t t, float v) {
                b.x[t * m.hidden + n] += m.residual_scale * v;
            });
            team.barrier();
            for_each(team, s.rows, [&](int64_t t) {
                rms_norm(b.x + t * m.hidden, w.mlp_norm, m.hidden, m.norm_epsilon,
                         b.h + t * m.hidden);
            });
            // A thread multiplies the same rows of `gate` and `up`, so no barrier stands between.
            product(team, w.gate, b.h, s.rows, [&](int64_t n, int64_t t, float v) {
                b.act[t * m.inner + n] = v / (1.0f + expf(-v));
            });
            product(team, w.up, b.h, s.rows,
                    [&](int64_t n, int64_t t, float v) { b.act[t * m.inner + n] *= v; });
            team.barrier();
            product(team, w.down, b.act, s.rows, [&](int64_t n, int64_t t, float v) {
                b.x[t * m.hidden + n] += m.residual_scale * v;
            });
            team.barrier();
            if (l + 1 < m.layers) {
                for_each(team, s.rows, [&](int64_t t) {
                    rms_norm(b.x + t * m.hidden, m.layer[l + 1].attention_norm, m.hidden,
                             m.norm_epsilon, b.h + t * m.hidden);
                });
            }
        }
        for_each(team, s.wanted_rows, [&](int64_t i) {
            rms_norm(b.x + s.wanted[i] * m.hidden, m.final_norm, m.hidden, m.norm_epsilon,
                     s.hidden_out + i * m.hidden);
        });
        product(team, m.head, s.hidden_out, s.wanted_rows, [&](int64_t n, int64_t t, float v) {
            s.logits_out[t * m.vocab + n] = v * m.logit_scale;
        });
    });
}

// Tokens drafted for each request, the best of every stage and its runners-up:
// tokens, chances [requests, stages, siblings]. `gumbel` [requests, stages, vocab] or null.
// scratch: requests * (2 * wider of hidden and inner + vocab) floats.
extern "C" void run_draft(const Drafter* drafter, int64_t requests, int64_t siblings,
                          const float* hidden, const int64_t* last, const float* inverse_temperature,
                          const float* gumbel, float* scratch, int64_t* tokens, float* chances,
                          int64_t threads) {
    const Drafter& d = *drafter;
    int64_t wide = d.hidden > d.inner ? d.hidden : d.inner;
    float *state = scratch, *next = state + requests * wide, *logits = next + requests * wide;
    pool().run(threads, [&](Team& team) {
        for_each(team, requests, [&](int64_t q) {
            const float* h = hidden + q * d.hidden;
            float scale = d.scale_input ? inverse_rms(h, d.hidden, 1e-6f) / sqrtf(2.0f) : 1.0f;
            for (int64_t i = 0; i < d.hidden; i++) state[q * d.hidden + i] = h[i] * scale;
        });
        for (int64_t i = 0; i < d.stages; i++) {
            product(team, d.projection[i], state, requests,
                    [&](int64_t n, int64_t q, float v) { next[q * d.inner + n] = v; });
            team.barrier();
            for_each(team, requests, [&](int64_t q) {
                float* s = state + q * d.inner;
                int64_t token = i ? tokens[(q * d.stages + i - 1) * siblings] : last[q];
                embed(d.embedding[i], token, d.embedding_weight / d.state_weight, s);
                for (int64_t n = 0; n < d.inner; n++) s[n] += next[q * d.inner + n];
                float scale = inverse_rms(s, d.inner, 1e-6f);
                for (int64_t n = 0; n < d.inner; n++) {
                    float v = s[n] * scale * d.norm_weight[i][n] + d.norm_bias[i][n];
                    s[n] = 0.5f * v * (1.0f + erff(v * 0.70710678118654752f));
                }
            });
            product(team, d.head[i], state, requests, [&](int64_t n, int64_t q, float v) {
                logits[q * d.vocab + n] = v * inverse_temperature[q];
            });
            team.barrier();
            for_each(team, requests, [&](int64_t q) {
                const float* row = logits + q * d.vocab;
                const float* noise = gumbel ? gumbel + (q * d.stages + i) * d.vocab : nullptr;
                float most = -INFINITY, total = 0;
                for (int64_t n = 0; n < d.vocab; n++) most = row[n] > most ? row[n] : most;
                for (int64_t n = 0; n < d.vocab; n++) total += expf(row[n] - most);
                int64_t* best = tokens + (q * d.stages + i) * siblings;
                float bar[16];
                for (int64_t k = 0; k < siblings; k++) best[k] = -1, bar[k] = -INFINITY;
                for (int64_t n = 0; n < d.vocab; n++) {
                    float v = noise ? row[n] + noise[n] : row[n];
                    if (v <= bar[siblings - 1]) continue;
                    int64_t k = siblings - 1;
                    for (; k > 0 && v > bar[k - 1]; k--) bar[k] = bar[k - 1], best[k] = best[k - 1];
                    bar[k] = v, best[k] = n;
                }
                for (int64_t k = 0; k < siblings; k++)
                    chances[(q * d.stages + i) * siblings + k] = expf(row[best[k]] - most) / total;
            });
        }
    });
}
