// How many draft nodes to verify: the loop of `Policy.choose`.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

struct Ranked {
    double chance;
    int64_t request, node, place;  // node of its request; place among all nodes

    bool operator<(const Ranked& other) const {
        if (chance != other.chance) return chance > other.chance;
        return request != other.request ? request < other.request : node < other.node;
    }
};

// What the nodes of all requests have, end to end: `parents` (-1 for the root) and `said`, the
// drafter's confidence. lines [requests, 2] are bias and slope of the log-odds; where the slope is
// nan, `said` holds chances as they are. step_ms [1 + all nodes]: expected of a step with so many
// nodes. `expected` tokens, and `fixed_ms`, of a step without nodes; each node adds node_ms.
// Sets kept [all nodes] to 1 or 0 and best to the expected tokens and milliseconds.
extern "C" void choose_nodes(int64_t requests, const int64_t* counts, const int64_t* parents,
                             const double* said, const double* lines, int64_t most_nodes,
                             const double* step_ms, double node_ms, double expected, double fixed_ms,
                             uint8_t* kept, double* best) {
    static thread_local std::vector<Ranked> ranked;
    static thread_local std::vector<double> own, claimed, chance;
    static thread_local std::vector<int64_t> room;
    ranked.clear();
    double hoped = expected;
    for (int64_t r = 0, start = 0; r < requests; start += counts[r], r++) {
        int64_t count = counts[r];
        const int64_t* parent = parents + start;
        own.resize(count), chance.resize(count), claimed.assign(count + 1, 0.0);
        for (int64_t i = 0; i < count; i++) {
            double v = said[start + i];
            if (!std::isnan(lines[2 * r + 1])) {
                double clear = std::min(std::max(v, 0.002), 0.998);
                double odds = lines[2 * r] + lines[2 * r + 1] * std::log(clear / (1.0 - clear));
                v = 1.0 / (1.0 + std::exp(-odds));
            }
            own[i] = v;
            claimed[parent[i] + 1] += v;
        }
        for (int64_t i = 0; i < count; i++) {
            double v = own[i];
            if (claimed[parent[i] + 1] > 1.0) v /= claimed[parent[i] + 1];
            chance[i] = parent[i] < 0 ? v : v * chance[parent[i]];
            ranked.push_back({chance[i], r, i, start + i});
            hoped += chance[i];
        }
    }
    std::sort(ranked.begin(), ranked.end());
    room.assign(requests, most_nodes);
    best[0] = expected, best[1] = fixed_ms;
    int64_t count = 0, chosen = 0, last = 0;
    for (int64_t i = 0; i < int64_t(ranked.size()); i++) {
        const Ranked& each = ranked[i];
        if (!room[each.request]) continue;
        room[each.request]--;
        count++;
        expected += each.chance;
        double ms = fixed_ms + step_ms[count] - step_ms[0] + node_ms * count;
        if (expected * best[1] > best[0] * ms)
            best[0] = expected, best[1] = ms, chosen = count, last = i + 1;
        else if (hoped * best[1] < best[0] * ms)
            break;  // not even all the rest for nothing would do
    }
    room.assign(requests, most_nodes);
    for (int64_t i = 0; i < last && chosen; i++) {
        const Ranked& each = ranked[i];
        if (!room[each.request]) continue;
        room[each.request]--;
        kept[each.place] = 1;
    }
}
