// Drafts from a store of earlier token sequences: suffix arrays, looked up by the latest tokens.
// How a text goes on is told by its longest match and, blended in, by shorter ones that occur more
// often, as in prediction by partial matching (Cleary, Witten 1984).

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "team.h"

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
    int64_t most_nodes, branches;
    double least_chance;   // of a node's whole path
    double doubt;          // occurrences of something else that are added to those of a match
    double sampled_doubt;  // the same where there is noise
    int64_t blended;       // matches beside the longest, at most
    int64_t often[4];      // what the occurrences of each of these weigh at least, rising
};

struct Lookup {  // of one request
    const Suffixes* parts;
    int64_t many;
    const int64_t* context;  // the latest tokens
    int64_t length;
    int64_t most_depth;
    const float* noise;  // [noise_rows, vocab] or null
    int64_t noise_rows, vocab;
    double inverse_temperature;
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

// The first part of `in`, whose suffixes agree on `depth` tokens: those that go on with the `token`
// that the very first one goes on with.
static inline Range first_part(const Suffixes& s, Range in, int64_t depth, int32_t token) {
    int64_t low = in.low + 1, high = in.high;
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
    return {in.low, low};
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
    size_t ranges;  // where its ranges begin, one for each part
};

// A node that may be drafted, and where its path occurs in each part.
struct Candidate {
    double chance;  // of the whole path
    int64_t depth, node;
    size_t ranges;
};

// Where the nodes found go; of the parents -1 is the context, chances are given the parent.
struct Found {
    int64_t &nodes, *tokens, *parents, *depths;
    float* chances;
};

// A suffix of the context, and what each of its occurrences counts on top of its part's weight.
struct Match {
    int64_t length;
    double scale;
};

// What a thread needs for its lookups, one after the other.
struct Room {
    std::vector<Range> tried, best, ranges;
    std::vector<Match> matches;
    std::vector<Candidate> heap;
    std::vector<Child> children;
};

// The longest suffix of the context, of at most `most` tokens, that occurs at least so often: its
// length, 0 for none. Its ranges are in room.best, their weight in `weight`.
static int64_t longest_match(const Lookup& l, const SuffixOptions& o, int64_t most, double often,
                             Room& room, double& weight) {
    int64_t low = o.shortest, high = most, matched = 0;
    room.tried.resize(l.many);
    // A shorter suffix occurs wherever a longer one does. Most often the longest one occurs.
    for (int64_t size = high; low <= high; size = (low + high) / 2) {
        double total = 0.0;
        for (int64_t p = 0; p < l.many; p++) {
            Range& found = room.tried[p];
            found = find(l.parts[p], l.context + l.length - size, size);
            total += l.parts[p].weight * (found.high - found.low);
        }
        if (total >= often && total > 0.0) {
            matched = size;
            weight = total;
            std::swap(room.best, room.tried);
            room.tried.resize(l.many);
            low = size + 1;
        } else {
            high = size - 1;
        }
    }
    return matched;
}

// The longest match and the longest ones that occur more often, into room.matches; where they occur
// into room.ranges, match after match. Each but the first counts like one occurrence in all.
static void find_matches(const Lookup& l, const SuffixOptions& o, Room& room) {
    room.matches.clear();
    room.ranges.clear();
    int64_t most = std::min(o.longest, l.length);
    double weight = 0.0;
    for (int64_t m = 0; m <= o.blended; m++) {
        double often = m ? o.often[m - 1] : 0.0;
        if (m && weight >= often) continue;  // the one before does
        int64_t length = longest_match(l, o, most, often, room, weight);
        if (!length) return;
        room.matches.push_back({length, m ? 1.0 / weight : 1.0});
        room.ranges.insert(room.ranges.end(), room.best.begin(), room.best.end());
        most = length - 1;
    }
}

// How a path that occurs in these ranges goes on, into room.children. Returns how often it occurs,
// with what is doubted.
static double count_children(const Lookup& l, size_t ranges, int64_t depth, double doubt,
                             Room& room) {
    room.children.clear();
    double total = doubt;
    size_t places = room.matches.size() * l.many, place = ranges;
    for (const Match& match : room.matches) {
        for (int64_t p = 0; p < l.many; p++, place++) {
            const Suffixes& s = l.parts[p];
            Range in = room.ranges[place];
            double each = s.weight * match.scale;
            total += each * (in.high - in.low);
            while (in.low < in.high) {
                int32_t token = at(s, in.low, match.length + depth);
                Range same = first_part(s, in, match.length + depth, token);
                in.low = same.high;
                if (token < 0) continue;
                auto known = std::find_if(room.children.begin(), room.children.end(),
                                          [&](const Child& c) { return c.token == token; });
                if (known == room.children.end()) {
                    known = room.children.insert(known, {token, 0.0, room.ranges.size()});
                    room.ranges.resize(room.ranges.size() + places, {0, 0});
                }
                known->weight += each * (same.high - same.low);
                room.ranges[known->ranges + place - ranges] = same;
            }
        }
    }
    return total;
}

// Turn weights into those of the noise making a child the largest, by a softmax; returns their sum.
static double favour(const Lookup& l, int64_t depth, double total, std::vector<Child>& children) {
    const float* row = l.noise + depth * l.vocab;
    double most = -std::numeric_limits<double>::infinity(), sum = 0, rest = total;
    for (Child& c : children) {
        rest -= c.weight;
        c.weight = std::log(c.weight / total) * l.inverse_temperature + row[c.token];
        most = std::max(most, c.weight);
    }
    // What was never seen: as one token with the noise of an average best of many.
    double unseen = std::log(rest / total) * l.inverse_temperature + 0.5772;
    most = std::max(most, unseen);
    for (Child& c : children) sum += c.weight = std::exp(c.weight - most);
    return sum + std::exp(unseen - most);
}

// The most probable ways in which the matches went on.
static void draft(const Lookup& l, const SuffixOptions& o, Room& room, Found out) {
    int64_t& nodes = out.nodes = 0;
    find_matches(l, o, room);
    if (room.matches.empty()) return;
    int64_t deepest = l.most_depth, longest = room.matches[0].length;
    for (int64_t p = 0; p < l.many; p++) deepest = std::min(deepest, l.parts[p].sorted - longest);
    if (l.noise) deepest = std::min(deepest, l.noise_rows);
    double doubt = l.noise ? o.sampled_doubt : o.doubt;
    auto less_likely = [](const Candidate& a, const Candidate& b) {
        return a.chance != b.chance ? a.chance < b.chance : a.node > b.node;
    };
    std::vector<Candidate>& heap = room.heap;
    std::vector<Child>& children = room.children;
    heap.assign(1, {1.0, 0, -1, 0});
    while (!heap.empty() && nodes < o.most_nodes) {
        std::pop_heap(heap.begin(), heap.end(), less_likely);
        Candidate here = heap.back();
        heap.pop_back();
        if (here.depth >= deepest) continue;
        double total = count_children(l, here.ranges, here.depth, doubt, room);
        if (l.noise) total = favour(l, here.depth, total, children);
        int64_t kept = std::min<int64_t>(o.branches, children.size());
        std::partial_sort(children.begin(), children.begin() + kept, children.end(),
                          [](const Child& a, const Child& b) {
                              return a.weight != b.weight ? a.weight > b.weight
                                                          : a.token < b.token;
                          });
        for (int64_t c = 0; c < kept && nodes < o.most_nodes; c++) {
            double chance = children[c].weight / total, joint = chance * here.chance;
            if (joint < o.least_chance) break;
            heap.push_back({joint, here.depth + 1, nodes, children[c].ranges});
            std::push_heap(heap.begin(), heap.end(), less_likely);
            out.tokens[nodes] = children[c].token;
            out.parents[nodes] = here.node;
            out.depths[nodes] = here.depth + 1;
            out.chances[nodes++] = float(chance);
        }
    }
}

// A suffix, and some of its tokens as one number that sorts like them.
struct Entry {
    uint64_t key;
    int32_t at;
};

struct Text {
    const int32_t* tokens;
    int64_t count, sorted;
};

static const int64_t KEY_TOKENS = 3, KEY_BITS = 21;

// Tokens `depth` and behind it of a suffix; what is behind a sequence's end is all the same.
static inline uint64_t key(const Text& text, int64_t start, int64_t depth) {
    uint64_t packed = 0;
    int64_t i = start + depth, last = std::min(KEY_TOKENS, text.sorted - depth);
    for (int64_t k = 0; k < KEY_TOKENS; k++, i++) {
        bool over = k >= last || i >= text.count || text.tokens[i] < 0;
        if (over) last = 0;
        packed = packed << KEY_BITS | (over ? 0 : uint64_t(text.tokens[i]) + 1);
    }
    return packed;
}

// Sort suffixes that agree on `depth` tokens: a key's tokens at a time (Bentley, Sedgewick 1997),
// since most suffixes of texts that repeat each other agree on many.
static void sort(const Text& text, Entry* first, Entry* last, int64_t depth) {
    for (Entry* e = first; e < last; e++) e->key = key(text, e->at, depth);
    std::sort(first, last, [](const Entry& a, const Entry& b) {
        return a.key != b.key ? a.key < b.key : a.at < b.at;
    });
    const uint64_t one = (uint64_t(1) << KEY_BITS) - 1;
    if (depth + KEY_TOKENS >= text.sorted) return;
    for (Entry *run = first, *end; run < last; run = end) {
        for (end = run + 1; end < last && end->key == run->key; end++) {}
        bool over = !(run->key & one);
        if (end - run > 1 && !over) sort(text, run, end, depth + KEY_TOKENS);
    }
}

}  // namespace suffix

// Sorts the starts of all suffixes by their first `sorted` tokens, equal ones by their place.
// Tokens are below 2^21 - 1.
extern "C" void sort_suffixes(const int32_t* tokens, int64_t count, int64_t sorted,
                              int32_t* order) {
    std::vector<suffix::Entry> all(count);
    for (int64_t i = 0; i < count; i++) all[i].at = int32_t(i);
    suffix::sort({tokens, count, sorted}, all.data(), all.data() + count, 0);
    for (int64_t i = 0; i < count; i++) order[i] = all[i].at;
}

// For each request the suffixes of its context that occur in any part, and the most probable ways in
// which they went on. With noise the chances are those of log p + noise being largest.
// numbers [count, 1 + 3 * most_nodes]: how many nodes, their tokens, parents and depths;
// chances [count, most_nodes].
extern "C" void draft_suffixes(const Lookup* lookups, int64_t count, const SuffixOptions* options,
                               int64_t* numbers, float* chances, int64_t threads) {
    int64_t most = options->most_nodes;
    auto draft = [&](Share share) {
        thread_local suffix::Room room;
        for (int64_t i = share.first; i < share.last; i++) {
            int64_t* at = numbers + i * (1 + 3 * most);
            suffix::draft(lookups[i], *options, room,
                          {at[0], at + 1, at + 1 + most, at + 1 + 2 * most, chances + i * most});
        }
    };
    // To wake another thread takes about as long as a few lookups.
    int64_t useful = std::min(threads, count / 4);
    if (useful < 2) return draft({0, count});
    pool().run(useful, [&](Team& team) { draft(team.share(count)); });
}
