// Drafts from a store of earlier token sequences: suffix arrays, looked up by the latest tokens.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

extern "C" {

struct Suffixes {  // one sorted part of a store
    const int32_t* tokens;  // sequences end to end, each with a negative number behind it
    const int32_t* order;   // starts of all suffixes, sorted by their first `sorted` tokens
    const int32_t* starts;  // [vocab + 1] place of the first suffix that starts with a token or above
    int64_t count, sorted, vocab;
    double weight;  // of an occurrence
};

struct SuffixOptions {
    int64_t longest, shortest;  // tokens of a match
    int64_t most_nodes, most_depth, branches;
    double least_chance;  // of a node's whole path
    double doubt;         // occurrences of something else that are added to those of a match
};
}

namespace suffix {

struct Range {
    int64_t low, high;  // of the order
};

// Token `depth` of the suffix at a place of the order; a sequence's end is smaller than all tokens.
static inline int32_t at(const Suffixes& s, int64_t place, int64_t depth) {
    int64_t i = s.order[place] + depth;
    return i < s.count ? std::max(s.tokens[i], -1) : -1;
}

// The part of `in`, whose suffixes agree on `depth` tokens, that goes on with `token`.
static inline Range narrow(const Suffixes& s, Range in, int64_t depth, int32_t token) {
    int64_t low = in.low, high = in.high;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        at(s, middle, depth) < token ? low = middle + 1 : high = middle;
    }
    int64_t first = low;
    high = in.high;
    // Most often few: look close by first.
    for (int64_t step = 1; low < high; step *= 2) {
        int64_t probe = std::min(low + step, high) - 1;
        if (at(s, probe, depth) > token) {
            high = probe;
            break;
        }
        low = probe + 1;
    }
    while (low < high) {
        int64_t middle = (low + high) / 2;
        at(s, middle, depth) <= token ? low = middle + 1 : high = middle;
    }
    return {first, low};
}

// How the suffix at a place of the order compares with `count` tokens: below, at or above 0.
static inline int compare(const Suffixes& s, int64_t place, const int64_t* tokens, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        int64_t mine = at(s, place, i);
        if (mine != tokens[i]) return mine < tokens[i] ? -1 : 1;
    }
    return 0;
}

// The suffixes that start with these tokens.
static Range find(const Suffixes& s, const int64_t* tokens, int64_t count) {
    if (tokens[0] < 0 || tokens[0] >= s.vocab) return {0, 0};
    int64_t low = s.starts[tokens[0]], high = s.starts[tokens[0] + 1];
    Range found{high, high};
    while (low < high) {
        int64_t middle = (low + high) / 2;
        int order = compare(s, middle, tokens, count);
        if (order < 0) low = middle + 1;
        else high = middle;
        if (order > 0) found.high = middle;
    }
    found.low = low;
    // What follows them most often stands close by.
    for (int64_t step = 1, last = found.high; low < found.high; step *= 2) {
        int64_t probe = std::min(low + step, last) - 1;
        if (compare(s, probe, tokens, count) > 0) {
            found.high = probe;
            break;
        }
        low = probe + 1;
    }
    for (high = found.high; low < high;) {
        int64_t middle = (low + high) / 2;
        if (compare(s, middle, tokens, count) > 0) high = middle;
        else low = middle + 1;
    }
    found.high = low;
    return found;
}

struct Child {
    int32_t token;
    double weight;
};

// A node that may be drafted, and where its path occurs in each part.
struct Candidate {
    double chance;  // of the whole path
    int64_t depth, node;
    size_t ranges;  // where its ranges begin, one for each part
};

static void count_children(const Suffixes& s, Range in, int64_t depth, std::vector<Child>& out) {
    while (in.low < in.high) {
        int32_t token = at(s, in.low, depth);
        Range same = narrow(s, in, depth, token);
        if (token >= 0) {
            double weight = s.weight * (same.high - same.low);
            auto known = std::find_if(out.begin(), out.end(),
                                      [&](const Child& c) { return c.token == token; });
            if (known == out.end())
                out.push_back({token, weight});
            else
                known->weight += weight;
        }
        in.low = same.high;
    }
}

}  // namespace suffix

// Sorts the starts of all suffixes by their first `sorted` tokens, equal ones by their place.
extern "C" void sort_suffixes(const int32_t* tokens, int64_t count, int64_t sorted,
                              int32_t* order) {
    for (int64_t i = 0; i < count; i++) order[i] = int32_t(i);
    std::sort(order, order + count, [=](int32_t a, int32_t b) {
        for (int64_t i = 0; i < sorted; i++) {
            int32_t x = a + i < count ? std::max(tokens[a + i], -1) : -1;
            int32_t y = b + i < count ? std::max(tokens[b + i], -1) : -1;
            if (x != y) return x < y;
            if (x < 0) break;  // both sequences end here
        }
        return a < b;
    });
}

// The longest suffix of `context` that occurs in any part, and the most probable ways in which it
// went on. Returns the nodes written to tokens, parents (-1: the context) and chances (given the
// parent). With `noise` [noise_rows, vocab] the chances are those of log p + noise being largest.
extern "C" int64_t draft_suffixes(const Suffixes* parts, int64_t many, const int64_t* context,
                                  int64_t length, const SuffixOptions* options,
                                  const float* noise, int64_t noise_rows, int64_t vocab,
                                  double inverse_temperature, int64_t* tokens, int64_t* parents,
                                  float* chances) {
    using namespace suffix;
    const SuffixOptions& o = *options;
    int64_t low = o.shortest, high = std::min(o.longest, length), matched = 0;
    std::vector<Range> ranges(many), tried(many);
    // A shorter suffix occurs wherever a longer one does. Most often the longest one occurs.
    for (int64_t size = high; low <= high; size = (low + high) / 2) {
        bool any = false;
        for (int64_t p = 0; p < many; p++) {
            tried[p] = find(parts[p], context + length - size, size);
            any |= tried[p].low < tried[p].high;
        }
        if (any) {
            matched = size;
            ranges = tried;
            low = size + 1;
        } else {
            high = size - 1;
        }
    }
    if (!matched) return 0;
    int64_t deepest = o.most_depth;
    for (int64_t p = 0; p < many; p++) deepest = std::min(deepest, parts[p].sorted - matched);
    if (noise) deepest = std::min(deepest, noise_rows);
    auto less_likely = [](const Candidate& a, const Candidate& b) { return a.chance < b.chance; };
    std::vector<Candidate> heap;
    std::vector<Child> children;
    heap.reserve(2 * o.most_nodes + 1);
    children.reserve(64);
    ranges.reserve(many * (o.most_nodes + 1));
    heap.push_back({1.0, 0, -1, 0});
    int64_t nodes = 0;
    while (!heap.empty() && nodes < o.most_nodes) {
        std::pop_heap(heap.begin(), heap.end(), less_likely);
        Candidate here = heap.back();
        heap.pop_back();
        if (here.depth >= deepest) continue;
        children.clear();
        double total = o.doubt;
        for (int64_t p = 0; p < many; p++) {
            total += parts[p].weight * (ranges[here.ranges + p].high - ranges[here.ranges + p].low);
            count_children(parts[p], ranges[here.ranges + p], matched + here.depth, children);
        }
        if (noise) {  // the chance that the noise makes this one the largest, by a softmax
            const float* row = noise + here.depth * vocab;
            double most = -std::numeric_limits<double>::infinity(), sum = 0, rest = total;
            for (Child& c : children) {
                rest -= c.weight;
                c.weight = std::log(c.weight / total) * inverse_temperature + row[c.token];
                most = std::max(most, c.weight);
            }
            // What was never seen: as one token with the noise of an average best of many.
            double unseen = std::log(rest / total) * inverse_temperature + 0.5772;
            most = std::max(most, unseen);
            for (Child& c : children) sum += c.weight = std::exp(c.weight - most);
            total = sum + std::exp(unseen - most);
        }
        int64_t kept = std::min<int64_t>(o.branches, children.size());
        std::partial_sort(children.begin(), children.begin() + kept, children.end(),
                          [](const Child& a, const Child& b) {
                              return a.weight != b.weight ? a.weight > b.weight
                                                          : a.token < b.token;
                          });
        for (int64_t c = 0; c < kept && nodes < o.most_nodes; c++) {
            double chance = children[c].weight / total, joint = chance * here.chance;
            if (joint < o.least_chance) break;
            Candidate next{joint, here.depth + 1, nodes, ranges.size()};
            for (int64_t p = 0; p < many; p++)
                ranges.push_back(narrow(parts[p], ranges[here.ranges + p], matched + here.depth,
                                        children[c].token));
            tokens[nodes] = children[c].token;
            parents[nodes] = here.node;
            chances[nodes++] = float(chance);
            heap.push_back(next);
            std::push_heap(heap.begin(), heap.end(), less_likely);
        }
    }
    return nodes;
}
