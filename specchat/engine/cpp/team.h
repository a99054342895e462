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

// body(i) for all i below n, divided between the threads; then a barrier.
template <typename Body>
static inline void for_each(Team& team, int64_t n, const Body& body) {
    auto [first, last] = team.share(n);
    for (int64_t i = first; i < last; i++) body(i);
    team.barrier();
}
