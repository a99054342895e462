// Where a text has said its latest tokens before.

#pragma once

#include <algorithm>
#include <cstdint>

// Where the longest match of the latest tokens ends, of equally long ones the latest, and in `size`
// its tokens, `shortest` to `longest`; 0 without one. Of the places where the `shortest` latest
// tokens stand only the `places` latest are looked at.
extern "C" int64_t longest_ngram(const int32_t* tokens, int64_t count, int64_t shortest,
                                 int64_t longest, int64_t places, int64_t* size) {
    const int32_t* last = tokens + count;
    int64_t most = std::min(longest, count - 1), found = 0;
    *size = 0;
    for (int64_t end = count - 1; end >= shortest && places > 0 && *size != most; end--) {
        int64_t n = 0;
        while (n < std::min(most, end) && tokens[end - n - 1] == last[-n - 1]) n++;
        if (n < shortest) continue;
        places--;
        if (n > *size) *size = n, found = end;
    }
    return found;
}
