// Threads that work on one call together.

#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

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

// What is left of a thread's share of the work that was begun last: the number of that work in the
// upper bits, then the first and the last piece.
struct alignas(128) Left {
    std::atomic<uint64_t> packed{0};
};

class Team {
  public:
    int64_t me, threads;
    std::atomic<int64_t>* arrived;
    std::atomic<int64_t>* phase;
    Left* left;           // of every thread; nothing was begun in this call
    uint64_t begun = 0;   // works
    int64_t pieces = 0;   // of the latest

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
    Share share(int64_t n) const { return share_of(me, n); }

    // Begin a work of `n` pieces, fewer than 2^20, that are claimed: all threads begin the same ones
    // in the same order. Threads that finish early then do what is left of the others' shares: the
    // system takes a processor away when it likes, and memory is not equally quick for all.
    void begin(int64_t n) { begun++, pieces = n; }

    // The next pieces to do, up to `many` of this thread's own share from its front, then up to
    // `fewer` of another's from its back. False when all are taken.
    bool claim(int64_t many, int64_t fewer, Share& part) {
        if (take(me, many, true, part)) return true;
        for (int64_t other = 1; other < threads; other++)
            if (take((me + other) % threads, fewer, false, part)) return true;
        return false;
    }

  private:
    Share share_of(int64_t whose, int64_t n) const {
        return {n * whose / threads, n * (whose + 1) / threads};
    }

    bool take(int64_t whose, int64_t many, bool front, Share& part) {
        std::atomic<uint64_t>& packed = left[whose].packed;
        uint64_t seen = packed.load(std::memory_order_relaxed), after;
        do {
            uint64_t number = seen >> 40;
            if (number > begun) return false;  // it is further on: nothing was left of this work
            Share rest = share_of(whose, pieces);
            if (number == begun) rest = {int64_t(seen >> 20 & 0xfffff), int64_t(seen & 0xfffff)};
            if (rest.first >= rest.last) return false;
            int64_t count = rest.last - rest.first < many ? rest.last - rest.first : many;
            part = front ? Share{rest.first, rest.first + count} : Share{rest.last - count, rest.last};
            (front ? rest.first : rest.last) += front ? count : -count;
            after = begun << 40 | uint64_t(rest.first) << 20 | uint64_t(rest.last);
        } while (!packed.compare_exchange_weak(seen, after, std::memory_order_relaxed));
        return true;
    }
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
        if (int64_t(left_.size()) < threads) left_ = std::vector<Left>(threads);
        for (Left& left : left_) left.packed.store(0, std::memory_order_relaxed);
        {
            std::lock_guard<std::mutex> lock(mutex_);
            work_ = &work;
            threads_ = threads;
            busy_.store(int64_t(workers_.size()), std::memory_order_relaxed);
            generation_.fetch_add(1, std::memory_order_release);
        }
        wake_.notify_all();
        Team team{0, threads, &arrived_, &phase_, left_.data()};
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
                Team team{index, threads_, &arrived_, &phase_, left_.data()};
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
    std::vector<Left> left_;
    std::atomic<int64_t> generation_{0}, busy_{0}, arrived_{0}, phase_{0};
    const std::function<void(Team&)>* work_ = nullptr;
    int64_t threads_ = 1;
};

// Never destroyed: its threads run until the process ends.
static Pool& pool() {
    static Pool* the_pool = new Pool;
    return *the_pool;
}

// body(i) for all i below n, divided between the threads; then a barrier.
template <typename Body>
static inline void for_each(Team& team, int64_t n, const Body& body) {
    auto [first, last] = team.share(n);
    for (int64_t i = first; i < last; i++) body(i);
    team.barrier();
}
