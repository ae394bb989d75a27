// Mutex and MutexLock that clang can reason about: -Wthread-safety proves at compile time that
// what SFTPFS_GUARDED_BY names is touched under its lock only. g++ sees plain std::mutex.
//
// Ownership: MutexLock holds the Mutex for its scope; neither moves nor copies.
// Threads:   Mutex from any; never held across a suspension or a call out of its module.
#pragma once

#include <mutex>

#if defined(__clang__)
#define SFTPFS_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define SFTPFS_THREAD_ANNOTATION(x)
#endif

#define SFTPFS_CAPABILITY(name) SFTPFS_THREAD_ANNOTATION(capability(name))
#define SFTPFS_SCOPED_CAPABILITY SFTPFS_THREAD_ANNOTATION(scoped_lockable)
#define SFTPFS_GUARDED_BY(mutex) SFTPFS_THREAD_ANNOTATION(guarded_by(mutex))
#define SFTPFS_PT_GUARDED_BY(mutex) SFTPFS_THREAD_ANNOTATION(pt_guarded_by(mutex))
// For functions: the caller holds the lock, or must not hold it.
#define SFTPFS_REQUIRES(...) SFTPFS_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define SFTPFS_EXCLUDES(...) SFTPFS_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define SFTPFS_ACQUIRE(...) SFTPFS_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define SFTPFS_RELEASE(...) SFTPFS_THREAD_ANNOTATION(release_capability(__VA_ARGS__))

namespace sftpfs {

class SFTPFS_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() SFTPFS_ACQUIRE() { mutex_.lock(); }
  void unlock() SFTPFS_RELEASE() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class SFTPFS_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) SFTPFS_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() SFTPFS_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace sftpfs
