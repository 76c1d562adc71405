#include "parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace qpipe {
namespace {

struct Job {
  Job(const std::function<void(int64_t)>& calls, int64_t times) : body(calls), count(times) {}

  const std::function<void(int64_t)>& body;
  const int64_t count;
  std::atomic<int64_t> next{0};
  /** Guarded by the pool's mutex. */
  int helpers = 0;
  /** How the caller treats denormal numbers, which TensorFlow's threads flush to zero. */
  fenv_t environment;
};

void drain(Job& job) {
  for (int64_t index = job.next++; index < job.count; index = job.next++) job.body(index);
}

int coresOfProcess() {
  cpu_set_t cores;
  return sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

class Pool {
 public:
  Pool() : helpers_(coresOfProcess() - 1) {
    // They wait for work as long as the process lives.
    for (int index = 0; index < helpers_; index++) std::thread([this] { help(); }).detach();
  }

  void run(int64_t count, const std::function<void(int64_t)>& body) {
    Job job(body, count);
    if (count < 2 || helpers_ == 0) return drain(job);
    std::fegetenv(&job.environment);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      open_.push_back(&job);
    }
    for (int64_t index = 0; index < std::min<int64_t>(helpers_, count - 1); index++) wake_.notify_one();
    drain(job);
    std::unique_lock<std::mutex> lock(mutex_);
    close(&job);
    left_.wait(lock, [&job] { return job.helpers == 0; });
  }

 private:
  void help() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return !open_.empty(); });
      Job* job = open_.front();
      job->helpers++;
      lock.unlock();
      std::fesetenv(&job->environment);
      drain(*job);
      lock.lock();
      close(job);
      // After this the caller may return, and the job is gone.
      if (--job->helpers == 0) left_.notify_all();
    }
  }

  void close(Job* job) { open_.erase(std::remove(open_.begin(), open_.end(), job), open_.end()); }

  const int helpers_;
  std::mutex mutex_;
  std::condition_variable wake_, left_;
  /** Jobs whose calls are not all begun. */
  std::deque<Job*> open_;
};

}  // namespace

void parallelFor(int64_t count, const std::function<void(int64_t)>& body) {
  // Never destroyed: its threads are not either.
  static Pool* const pool = new Pool();
  pool->run(count, body);
}

}  // namespace qpipe
