// Random pauses around every lock and unlock of a programme's own code, so that the thread
// sanitizer sees orders of events that a machine with few cores does not make by itself.
//
// Linked with --wrap, which turns calls of pthread_mutex_lock() into calls of wrapped_lock(). Does
// nothing unless SFTPFS_YIELDS is set, to a seed. (Locks inside of shared libraries are left
// alone.)
//
// Threads: any; each has numbers of its own, which follow from the seed and its turn.
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

namespace {

std::uint64_t seed() {
  const char* text = std::getenv("SFTPFS_YIELDS");
  return text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
}

std::uint64_t first_number() {
  static std::atomic<std::uint64_t> threads{0};
  static const std::uint64_t chosen = seed();
  return chosen == 0 ? 0 : chosen * 0x9e3779b97f4a7c15U + ++threads;
}

void perturb() {
  thread_local std::uint64_t state = first_number();
  if (state == 0) return;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  if (state % 4 == 0) ::sched_yield();
  if (state % 64 == 1) ::usleep(static_cast<useconds_t>(state >> 32) % 200);
}

}  // namespace

int real_lock(pthread_mutex_t* mutex) __asm__("__real_pthread_mutex_lock");
int real_unlock(pthread_mutex_t* mutex) __asm__("__real_pthread_mutex_unlock");
int wrapped_lock(pthread_mutex_t* mutex) __asm__("__wrap_pthread_mutex_lock");
int wrapped_unlock(pthread_mutex_t* mutex) __asm__("__wrap_pthread_mutex_unlock");

int wrapped_lock(pthread_mutex_t* mutex) {
  perturb();
  return real_lock(mutex);
}

int wrapped_unlock(pthread_mutex_t* mutex) {
  const int result = real_unlock(mutex);
  perturb();
  return result;
}
