// How many round trips whole programmes wait for: the kernel's calls of `tar x`, `cp -a`, `rm -r`
// and of programmes side by side, on a line with a fixed round trip.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sim/programmes.h"

namespace sftpfs::sim {
namespace {

TEST_F(Programmes, UnpackingOrCopyingTwentyFilesCostsTwoForEach) {
  const std::uint64_t directory = make_directory(kRootInode, "t");
  for (int i = 0; i < 20; ++i) put_file(directory, fmt::format("f{}", i));
  set_times(directory, 0);
  EXPECT_LE(wire_.lap(), 45);
  release_closed();
}

TEST_F(Programmes, RemovingAHundredFilesCostsOneForEach) {
  wire_.tree().mkdir("/srv/d", 0755, wire_.now_s());
  for (int i = 0; i < 100; ++i) wire_.add_file(fmt::format("/srv/d/{}", i), "x");
  wire_.wait(400);
  wire_.lap();
  const std::uint64_t directory = look(kRootInode, "d", true);
  const std::vector<std::string> names = list(directory);
  ASSERT_EQ(names.size(), 100U);
  for (const std::string& name : names) {
    EXPECT_TRUE(wire_.run(wire_.fs().unlink(op_, directory, name)));
  }
  EXPECT_TRUE(wire_.run(wire_.fs().rmdir(op_, kRootInode, "d")));
  EXPECT_LE(wire_.lap(), 105);
}

class LazyProgrammes : public Programmes {
 protected:
  LazyProgrammes() : Programmes(lazy()) {}
  // As nocto does.
  static fs::Options lazy() {
    fs::Options options;
    options.close_to_open = false;
    options.listings_serve_opendir = true;
    options.absent_lifetime = options.attr_lifetime_max;
    return options;
  }
};

// find(1), twice: 20,000 names in 40 directories that have rested.
TEST_F(LazyProgrammes, ASecondWalkThroughTheSameTreeNeedsNoServer) {
  for (int d = 0; d < 40; ++d) {
    const std::string directory = fmt::format("/srv/{}", d);
    wire_.tree().mkdir(directory, 0755, wire_.now_s());
    for (int i = 0; i < 500; ++i) wire_.add_file(fmt::format("{}/{}", directory, i), "x");
  }
  wire_.wait(20'000);
  const auto walk = [this] {
    std::size_t names = 0;
    for (const std::string& name : list(kRootInode)) {
      names += list(look(kRootInode, name, true)).size();
    }
    return names;
  };
  EXPECT_EQ(walk(), 20'000U);
  wire_.wait(10);
  wire_.lap();
  const std::uint64_t before = wire_.requests();
  EXPECT_EQ(walk(), 20'000U);
  wire_.wait(10);
  EXPECT_EQ(wire_.requests(), before);
}

// A lookup of each of many processes.
runtime::Task<void> look_for(fs::Filesystem& fs, std::string name, int& found) {
  fs::OperationContext op;
  const Result<EntryReply> entry = co_await fs.lookup(op, kRootInode, std::move(name));
  if (entry && entry->ino != 0) ++found;
}

TEST_F(Programmes, SixtyLookupsSideBySideCostOneRoundTrip) {
  constexpr int kLookups = 60;
  for (int i = 0; i < kLookups; ++i) wire_.add_file(fmt::format("/srv/{}", i), "x");
  int found = 0;
  fs::Filesystem& fs = wire_.fs();
  for (int i = 0; i < kLookups; ++i) {
    wire_.shared().pool.workers()[0]->loop().post(
        [&fs, &found, i] { runtime::spawn(look_for(fs, std::to_string(i), found)); });
  }
  wire_.wait(1);
  EXPECT_EQ(found, kLookups);
}

}  // namespace
}  // namespace sftpfs::sim
