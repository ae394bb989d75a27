// Who waits for renames under way, and for which.
#include "fs/names_in_flux.h"

#include <gtest/gtest.h>

#include <optional>

#include "base/clock.h"
#include "runtime/loop.h"
#include "runtime/task.h"

namespace sftpfs::fs {
namespace {

enum class Waited { kNot, kYes };

class NamesInFluxTest : public ::testing::Test {
 protected:
  static runtime::Task<void> wait(NamesInFlux& names, std::optional<Waited>& result) {
    const bool waited = co_await names.settled();
    result = waited ? Waited::kYes : Waited::kNot;
  }
  void start(std::optional<Waited>& result) {
    loop_.post([this, &result] { runtime::spawn(wait(names_, result)); });
    turn();
  }
  void turn() {
    while (loop_.run_ready()) {
    }
  }

  ManualClock clock_;
  runtime::Loop loop_{clock_};
  NamesInFlux names_;
};

TEST_F(NamesInFluxTest, WithoutARenameNobodyWaits) {
  std::optional<Waited> result;
  start(result);
  EXPECT_EQ(result, Waited::kNot);
}

TEST_F(NamesInFluxTest, ARenameUnderWayIsWaitedFor) {
  std::optional<Waited> result;
  {
    const NamesInFlux::Scope rename(names_);
    start(result);
    EXPECT_FALSE(result);
  }
  turn();
  EXPECT_EQ(result, Waited::kYes);
}

TEST_F(NamesInFluxTest, ARenameThatBeganLaterIsNotWaitedFor) {
  std::optional<Waited> result;
  std::optional<NamesInFlux::Scope> first;
  std::optional<NamesInFlux::Scope> second;
  std::optional<NamesInFlux::Scope> later;
  first.emplace(names_);
  second.emplace(names_);
  start(result);
  later.emplace(names_);
  second.reset();
  turn();
  EXPECT_FALSE(result) << "the first is still under way";
  first.reset();
  turn();
  EXPECT_EQ(result, Waited::kYes);
}

}  // namespace
}  // namespace sftpfs::fs
