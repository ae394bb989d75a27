// A move-only callable without arguments or result: std::function wants copies, and
// std::move_only_function is C++23.
//
// Threads: none of its own; move it to the thread that runs it.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "base/check.h"

namespace sftpfs {

class UniqueFunction {
 public:
  UniqueFunction() = default;
  template <class F>
  requires(!std::is_same_v<std::decay_t<F>, UniqueFunction> &&
           std::is_invocable_v<std::decay_t<F>&>)
      UniqueFunction(F&& f)  // NOLINT(google-explicit-constructor): lambdas convert
      : impl_(std::make_unique<Impl<std::decay_t<F>>>(std::forward<F>(f))) {}

  explicit operator bool() const { return impl_ != nullptr; }
  void operator()() {
    SFTPFS_CHECK(impl_ != nullptr);
    impl_->run();
  }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual void run() = 0;
  };
  template <class F>
  struct Impl final : Base {
    explicit Impl(F f) : function(std::move(f)) {}
    void run() override { function(); }
    F function;
  };
  std::unique_ptr<Base> impl_;
};

}  // namespace sftpfs
