// What the speculators offer in a step, as one trie for each request; how likely the target is to
// agree, and which nodes are worth verifying. `policy/policy.py` and `policy/calibration.py` say
// what it all means.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace offers {

constexpr int64_t MOST_DRAFTERS = 16;  // that may be told apart
constexpr int64_t MOST_ASKED = 6;      // about one request
constexpr double SILENT = -1.0;  // in place of a confidence

// Drafts of one speculator for some requests: how many nodes each, their tokens, parents (-1: the
// root) and chances. A request's own begin so many numbers behind those of the one before.
struct Drafts {
    const int64_t *counts, *tokens, *parents;
    const float* chances;
    int64_t count_step, token_step, parent_step, chance_step;
    int64_t nodes_each;  // that a count stands for
};

struct Node {
    int64_t token, parent, depth, drafter;  // the surest one
    double confidence;
    double said[MOST_DRAFTERS];  // confidence of each drafter, or SILENT
};

struct Trie {
    std::vector<Node> nodes;
    std::vector<int64_t> heard;  // behind the root and each node: bits of those who offer something
    int64_t asked = 0;           // bits of the drafters
    std::vector<int64_t> kept;   // nodes, ascending
};

struct Ranked {
    double chance;
    int64_t request, node;

    bool operator<(const Ranked& other) const {
        if (chance != other.chance) return chance > other.chance;
        return request != other.request ? request < other.request : node < other.node;
    }
};

// The regressions of every way in which so many drafters can stand to a node, in the order of a
// number with a digit for each, the first drafter's last: 0 silent, 1 against, 2 for. Each has
// `columns` numbers: the step up to which it has faded, whether anything was learned, a bias and a
// weight for each drafter, and the sums of their squared gradients.
struct Table {
    double* rows;  // null where nobody was asked
};

struct Learning {
    double rate, fading, idle, largest;
    double agreed[MOST_ASKED + 1];  // weight at first, by how many propose
};

struct Step {
    std::vector<Trie> tries;
    std::vector<Ranked> ranked;
    std::vector<double> chance, claimed;
    std::vector<int64_t> room;
    int64_t requests = 0;
};

static inline double log_odds(double confidence) {
    double kept = std::min(std::max(confidence, 0.002), 0.998);
    return std::log(kept / (1.0 - kept));
}

static inline double sigmoid(double odds) {
    if (odds >= 0.0) return 1.0 / (1.0 + std::exp(-odds));
    double grown = std::exp(odds);
    return grown / (1.0 + grown);
}

// One regression, and what is put in.
struct Regression {
    double *row, *weights, *squares;
    int64_t inputs;  // those of `place` count
    int64_t place[MOST_ASKED];
    double claims[MOST_ASKED];

    double odds() const {
        double total = weights[0];
        for (int64_t i = 0; i < inputs; i++) total += weights[1 + place[i]] * claims[i];
        return total;
    }
};

// Of what the drafters in `asked` say of a node; faded up to the step.
static Regression regression(const Table& table, int64_t asked, const double* said, int64_t heard,
                             int64_t step, const Learning& learning) {
    Regression r;
    r.inputs = 0;
    int64_t drafters = 0, code = 0, digit = 1;
    for (int64_t d = 0; d < MOST_DRAFTERS; d++) {
        if (!(asked >> d & 1)) continue;
        if (said[d] >= 0.0) {
            r.place[r.inputs] = drafters;
            r.claims[r.inputs++] = log_odds(said[d]);
            code += 2 * digit;
        } else if (heard >> d & 1) {
            code += digit;
        }
        digit *= 3;
        drafters++;
    }
    r.row = table.rows + code * (2 + 2 * (1 + drafters));
    r.weights = r.row + 2;
    r.squares = r.weights + 1 + drafters;
    double idle = double(step) - r.row[0];
    if (r.row[1] != 0.0 && idle > 0.0) {
        double left = std::pow(learning.idle, idle), first = learning.agreed[r.inputs];
        r.weights[0] *= left;
        r.squares[0] = 1.0 + left * (r.squares[0] - 1.0);
        for (int64_t i = 0; i < r.inputs; i++) {
            double &weight = r.weights[1 + r.place[i]], &square = r.squares[1 + r.place[i]];
            weight = first + left * (weight - first);
            square = 1.0 + left * (square - 1.0);
        }
        r.row[0] = double(step);
    }
    return r;
}

static void learn(const Regression& r, bool hit, int64_t step, const Learning& learning) {
    double off = sigmoid(r.odds()) - (hit ? 1.0 : 0.0);
    auto move = [&](double& weight, double& square, double claim) {
        double gradient = off * claim;
        square = learning.fading * square + gradient * gradient;
        double moved = weight - learning.rate * gradient / std::sqrt(square);
        weight = std::min(std::max(moved, -learning.largest), learning.largest);
    };
    move(r.weights[0], r.squares[0], 1.0);
    for (int64_t i = 0; i < r.inputs; i++)
        move(r.weights[1 + r.place[i]], r.squares[1 + r.place[i]], r.claims[i]);
    r.row[0] = double(step + 1), r.row[1] = 1.0;
}

// Adds one tree, its nodes down to `deepest`.
static void add(Trie& trie, int64_t drafter, int64_t count, const int64_t* tokens,
                const int64_t* parents, const float* chances, int64_t deepest,
                std::vector<int64_t>& index) {
    trie.asked |= int64_t(1) << drafter;
    index.assign(count, -2);  // left out
    for (int64_t i = 0; i < count; i++) {
        int64_t parent = parents[i] < 0 ? -1 : index[parents[i]];
        if (parent < -1) continue;
        int64_t depth = parent < 0 ? 1 : trie.nodes[parent].depth + 1;
        if (depth > deepest) continue;
        double confidence = chances[i];
        int64_t at = parent + 1, many = int64_t(trie.nodes.size());
        while (at < many && (trie.nodes[at].parent != parent || trie.nodes[at].token != tokens[i]))
            at++;
        if (at == many) {
            trie.nodes.push_back({tokens[i], parent, depth, drafter, confidence, {}});
            std::fill_n(trie.nodes.back().said, MOST_DRAFTERS, SILENT);
            trie.heard.push_back(0);
        } else if (confidence > trie.nodes[at].confidence) {
            trie.nodes[at].confidence = confidence, trie.nodes[at].drafter = drafter;
        }
        double& said = trie.nodes[at].said[drafter];
        said = std::max(said, confidence);
        trie.heard[parent + 1] |= int64_t(1) << drafter;
        index[i] = at;
    }
}

}  // namespace offers

extern "C" void* offers_new() { return new offers::Step; }

extern "C" void offers_free(void* step) { delete static_cast<offers::Step*>(step); }

extern "C" void offers_begin(void* step, int64_t requests) {
    auto& s = *static_cast<offers::Step*>(step);
    s.requests = requests;
    if (int64_t(s.tries.size()) < requests) s.tries.resize(requests);
    for (int64_t r = 0; r < requests; r++) {
        offers::Trie& trie = s.tries[r];
        trie.nodes.clear(), trie.kept.clear(), trie.heard.assign(1, 0), trie.asked = 0;
    }
}

// Adds a drafter's trees for the requests at `places`, each down to its own depth. Returns the
// nodes of all requests now; -1 where a token is not of the vocabulary or a parent does not come
// before its child, and then adds nothing.
extern "C" int64_t offers_add(void* step, int64_t drafter, int64_t many, const int64_t* places,
                              const int64_t* depths, const offers::Drafts* drafts, int64_t vocab) {
    auto& s = *static_cast<offers::Step*>(step);
    const offers::Drafts& d = *drafts;
    for (int64_t i = 0; i < many; i++)
        for (int64_t n = 0; n < d.counts[i * d.count_step] * d.nodes_each; n++) {
            int64_t token = d.tokens[i * d.token_step + n];
            int64_t parent = d.parents[i * d.parent_step + n];
            if (token < 0 || token >= vocab || parent < -1 || parent >= n) return -1;
        }
    static thread_local std::vector<int64_t> index;
    for (int64_t i = 0; i < many; i++)
        offers::add(s.tries[places[i]], drafter, d.counts[i * d.count_step] * d.nodes_each,
                    d.tokens + i * d.token_step, d.parents + i * d.parent_step,
                    d.chances + i * d.chance_step, depths[i], index);
    int64_t total = 0;
    for (int64_t r = 0; r < s.requests; r++) total += int64_t(s.tries[r].nodes.size());
    return total;
}

// Keeps the m most probable nodes of all requests, at most limits[r] of each, for the m with the
// highest rate; of a request whose limit is negative so many whatever they cost. `tables` has one
// table for each request; step_ms [1 + all nodes] is what a step
// with so many nodes takes, to which each adds node_ms; without any a step brings `expected` tokens
// and takes `fixed_ms`. Sets best to the expected tokens and milliseconds; returns the nodes kept.
extern "C" int64_t offers_choose(void* step, const offers::Table* tables, int64_t now,
                                 const offers::Learning* learning, const int64_t* limits,
                                 const double* step_ms, double node_ms, double expected,
                                 double fixed_ms, double* best) {
    auto& s = *static_cast<offers::Step*>(step);
    s.ranked.clear();
    double hoped = expected;
    for (int64_t r = 0; r < s.requests; r++) {
        offers::Trie& trie = s.tries[r];
        int64_t count = int64_t(trie.nodes.size());
        trie.kept.clear();
        s.chance.resize(count), s.claimed.assign(count + 1, 0.0);
        for (int64_t i = 0; i < count; i++) {
            const offers::Node& node = trie.nodes[i];
            s.chance[i] = offers::sigmoid(
                offers::regression(tables[r], trie.asked, node.said, trie.heard[node.parent + 1],
                                   now, *learning)
                    .odds());
            s.claimed[node.parent + 1] += s.chance[i];
        }
        for (int64_t i = 0; i < count; i++) {
            int64_t parent = trie.nodes[i].parent;
            // Siblings exclude each other.
            if (s.claimed[parent + 1] > 1.0) s.chance[i] /= s.claimed[parent + 1];
            if (parent >= 0) s.chance[i] *= s.chance[parent];
            s.ranked.push_back({s.chance[i], r, i});
            if (limits[r] > 0) hoped += s.chance[i];
        }
    }
    std::sort(s.ranked.begin(), s.ranked.end());
    s.room.assign(limits, limits + s.requests);
    best[0] = expected, best[1] = fixed_ms;
    int64_t count = 0, chosen = 0, last = 0;
    for (int64_t i = 0; i < int64_t(s.ranked.size()); i++) {
        const offers::Ranked& each = s.ranked[i];
        if (s.room[each.request] <= 0) continue;
        s.room[each.request]--;
        count++;
        expected += each.chance;
        double ms = fixed_ms + step_ms[count] - step_ms[0] + node_ms * count;
        if (expected * best[1] > best[0] * ms)
            best[0] = expected, best[1] = ms, chosen = count, last = i + 1;
        else if (hoped * best[1] < best[0] * ms)
            break;  // not even all the rest for nothing would do
    }
    s.room.assign(limits, limits + s.requests);
    for (int64_t i = 0; i < int64_t(s.ranked.size()); i++) {
        const offers::Ranked& each = s.ranked[i];
        int64_t& room = s.room[each.request];
        if (!room || (room > 0 && i >= last)) continue;
        room += room > 0 ? -1 : 1;
        if (limits[each.request] < 0) chosen++;
        s.tries[each.request].kept.push_back(each.node);
    }
    for (int64_t r = 0; r < s.requests; r++)
        std::sort(s.tries[r].kept.begin(), s.tries[r].kept.end());
    return chosen;
}

// What was kept: how many nodes of each request, then the tokens, parents, depths and drafters of
// all of them, end to end, and their confidence.
extern "C" void offers_kept(void* step, int64_t total, int64_t* numbers, double* confidence) {
    auto& s = *static_cast<offers::Step*>(step);
    static thread_local std::vector<int64_t> index;
    int64_t* out = numbers + s.requests;
    for (int64_t r = 0; r < s.requests; r++) {
        offers::Trie& trie = s.tries[r];
        numbers[r] = int64_t(trie.kept.size());
        index.assign(trie.nodes.size() + 1, -1);
        for (int64_t i = 0; i < numbers[r]; i++, out++, confidence++) {
            const offers::Node& node = trie.nodes[trie.kept[i]];
            index[trie.kept[i] + 1] = i;
            out[0] = node.token;
            out[total] = index[node.parent + 1];
            out[2 * total] = node.depth;
            out[3 * total] = node.drafter;
            *confidence = node.confidence;
        }
    }
}

// How many nodes are offered for a request.
extern "C" int64_t offers_count(void* step, int64_t request) {
    return int64_t(static_cast<offers::Step*>(step)->tries[request].nodes.size());
}

namespace offers {

// Learns from what the target chose behind a root, of all nodes that this tells something about.
static void learn_all(const Trie& trie, const int64_t* tokens, int64_t count, const Table& table,
                      const Table* alone, int64_t now, const Learning& learning,
                      std::vector<int64_t>& reached) {
    reached.assign(trie.nodes.size() + 1, -1);  // tokens up to a node that was chosen
    reached[0] = 0;
    bool several = trie.asked & (trie.asked - 1);
    for (size_t i = 0; i < trie.nodes.size(); i++) {
        const Node& node = trie.nodes[i];
        int64_t known = reached[node.parent + 1];
        if (known < 0 || known == count) continue;
        bool hit = node.token == tokens[known];
        if (hit) reached[i + 1] = known + 1;
        int64_t heard = trie.heard[node.parent + 1];
        learn(regression(table, trie.asked, node.said, heard, now, learning), hit, now, learning);
        for (int64_t d = 0; several && d < MOST_DRAFTERS; d++) {
            if (node.said[d] < 0.0) continue;  // what each alone would have been worth
            int64_t own = int64_t(1) << d;
            learn(regression(alone[d], own, node.said, own, now, learning), hit, now, learning);
        }
    }
}

}  // namespace offers

// Learns from what the target chose behind the roots of the requests at `places`: `counts` tokens
// each, end to end. `tables` has the table of the drafters asked about each; `alone`
// [2, MOST_DRAFTERS] one for each drafter by itself, of sampled and of greedy requests.
extern "C" void offers_learn(void* step, int64_t many, const int64_t* places, const int64_t* counts,
                             const int64_t* greedy, const offers::Table* tables,
                             const int64_t* tokens, const offers::Table* alone, int64_t now,
                             const offers::Learning* learning) {
    auto& s = *static_cast<offers::Step*>(step);
    static thread_local std::vector<int64_t> reached;
    for (int64_t i = 0; i < many; tokens += counts[i], i++)
        offers::learn_all(s.tries[places[i]], tokens, counts[i], tables[i],
                          alone + greedy[i] * offers::MOST_DRAFTERS, now, *learning, reached);
}
