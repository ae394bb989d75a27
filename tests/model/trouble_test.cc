// Interrupted operations, dying servers and a cache that is far too small: nothing hangs, nothing
// is left over, and no promised byte is lost.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/direct.h"
#include "model/wanderer.h"
#include "model/world.h"

namespace sftpfs::model {
namespace {

constexpr unsigned kWanderers = 6;

Shape shape_of(unsigned workers, unsigned max_conns) {
  Shape shape;
  shape.workers = workers;
  shape.max_conns = max_conns;
  shape.dirty_bytes_max = 150'000;
  return shape;
}

class Troubled {
 public:
  Troubled(World& world, Trouble trouble) : world_(world) {
    for (unsigned i = 0; i < kWanderers; ++i) {
      wanderers_.push_back(std::make_unique<Wanderer>(world, i, trouble));
    }
  }
  void begin(int steps) {
    for (unsigned i = 0; i < kWanderers; ++i) {
      walks_.push_back(world_.start(i % world_.workers(), wanderers_[i]->walk(steps)));
    }
  }
  int end() {
    int good = 0;
    for (auto& walk : walks_) good += world_.wait(std::move(walk));
    walks_.clear();
    return good;
  }
  void finish() {
    for (unsigned i = 0; i < kWanderers; ++i) {
      world_.wait(world_.start(i % world_.workers(), wanderers_[i]->finish()));
    }
    for (const auto& wanderer : wanderers_) {
      wanderer->verify();
      wanderer->forget_all();
    }
    world_.expect_idle();
  }

 private:
  World& world_;
  std::vector<std::unique_ptr<Wanderer>> wanderers_;
  std::vector<std::future<int>> walks_;
};

struct Size {
  unsigned workers;
  unsigned max_conns;
};

class InTrouble : public ::testing::TestWithParam<Size> {};

TEST_P(InTrouble, InterruptsLeaveNothingBehind) {
  World world(shape_of(GetParam().workers, GetParam().max_conns));
  world.open_sessions();
  Troubled troubled(world, Trouble::kInterrupts);
  troubled.begin(scaled(1500));
  EXPECT_GT(troubled.end(), scaled(1500)) << "hardly anything worked";
  troubled.finish();
}

TEST_P(InTrouble, DyingServersEndOperationsButNotTheMount) {
  World world(shape_of(GetParam().workers, GetParam().max_conns));
  world.open_sessions();
  Troubled troubled(world, Trouble::kServersDie);
  for (int round = 0; round < 3; ++round) {
    troubled.begin(scaled(200));
    world.connector().kill_servers();
    troubled.end();
  }
  troubled.begin(scaled(200));
  EXPECT_GT(troubled.end(), scaled(200)) << "it does not recover";
  troubled.finish();
}

TEST_P(InTrouble, AnEndInTheMiddleOfEverythingIsClean) {
  for (int round = 0; round < 5; ++round) {
    World world(shape_of(GetParam().workers, GetParam().max_conns));
    world.open_sessions();
    Troubled troubled(world, Trouble::kServersDie);
    troubled.begin(200);
    if (round % 2 == 0) world.connector().kill_servers();
    world.shared().pool.close_sessions();
    troubled.end();
  }
}

INSTANTIATE_TEST_SUITE_P(, InTrouble, ::testing::Values(Size{1, 1}, Size{1, 4}, Size{2, 4}),
                         [](const auto& chosen) {
                           return "workers" + std::to_string(chosen.param.workers) + "sessions" +
                                  std::to_string(chosen.param.max_conns);
                         });

class SmallCache : public ::testing::TestWithParam<std::size_t> {};

TEST_P(SmallCache, ManyReadersGetTheRightBytesAroundIt) {
  constexpr std::size_t kFileBytes = 1 << 20;
  constexpr int kFiles = 4;
  Shape shape = shape_of(2, 4);
  shape.cache_slots = GetParam();
  World world(shape);
  world.open_sessions();
  Direct direct(world);
  std::vector<std::string> contents;
  std::vector<OpenedFile> files;
  for (int i = 0; i < kFiles; ++i) {
    std::string text(kFileBytes, '\0');
    std::mt19937_64 random(static_cast<unsigned>(i));
    for (char& byte : text) byte = static_cast<char>(random());
    direct.put("file" + std::to_string(i), text);
    files.push_back(direct.open("file" + std::to_string(i), O_RDONLY));
    contents.push_back(std::move(text));
  }
  constexpr std::size_t kRead = 40'000;
  fs::OperationContext op;
  for (std::size_t at = 0; at < kFileBytes; at += 4 * kRead) {
    std::vector<std::future<Result<fs::ReadReply>>> reads;
    for (std::size_t i = 0; i < 4 * kFiles; ++i) {
      const std::uint64_t handle = files[i % kFiles].handle;
      reads.push_back(world.start(static_cast<unsigned>(i / 2) % 2,
                                  world.fs().read(op, handle, at + i / kFiles * kRead, kRead)));
    }
    // Their pins are held until all have come.
    std::vector<Result<fs::ReadReply>> replies;
    for (auto& pending : reads) replies.push_back(world.wait(std::move(pending)));
    for (std::size_t i = 0; i < replies.size(); ++i) {
      ASSERT_TRUE(replies[i]);
      const std::size_t offset = std::min(at + i / kFiles * kRead, kFileBytes);
      EXPECT_TRUE(text_of(*replies[i]) == contents[i % kFiles].substr(offset, kRead)) << offset;
    }
  }
  EXPECT_GT(world.shared().cache.stats().busy, 0U);
  EXPECT_GT(world.shared().counters.reads_around_cache.load(), 0U);
  for (const OpenedFile& file : files) direct.release(file);
  direct.forget_all();
  world.expect_idle();
}

INSTANTIATE_TEST_SUITE_P(Slots, SmallCache, ::testing::Values(1, 4));

}  // namespace
}  // namespace sftpfs::model
