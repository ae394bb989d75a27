// What is accepted first is seen by everything that comes after it, and errors reach the
// descriptor that caused them, once.
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "model/direct.h"
#include "model/world.h"

namespace sftpfs::model {
namespace {

constexpr std::size_t kBlock = 16 << 10;

TEST(Ordering, WhatIsReadAheadHasWhatWasWrittenBefore) {
  World world(Shape{});
  Direct direct(world);
  for (int round = 0; round < 20; ++round) {
    const std::string name = "file" + std::to_string(round);
    direct.put(name, std::string(10 * kBlock, 'a'));
    const OpenedFile writer = direct.open(name, O_RDWR);
    const OpenedFile reader = direct.open(name, O_RDONLY);
    direct.read(reader, 0, kBlock);
    direct.read(reader, kBlock, kBlock);  // has the next blocks fetched
    direct.read(reader, 2 * kBlock, 1);
    // In one turn: a write that is sent, one that waits for more of its kind, and a read from the
    // cache whose readahead covers the second.
    world.call(0, [&] {
      const auto unused = [](auto task) -> runtime::Task<void> { co_await std::move(task); };
      const std::string far(1, 'x');
      runtime::spawn(
          unused(world.fs().write(direct.op(), writer.handle, 9 * kBlock, bytes_of(far))));
      runtime::spawn(
          unused(world.fs().write(direct.op(), writer.handle, 5 * kBlock, bytes_of("yyy"))));
      runtime::spawn(unused(world.fs().read(direct.op(), reader.handle, 2 * kBlock, kBlock)));
      return true;
    });
    EXPECT_EQ(direct.read(reader, 5 * kBlock, 4), "yyya") << "round " << round;
    EXPECT_EQ(direct.flush(writer), 0);
    direct.release(writer);
    direct.release(reader);
  }
  direct.forget_all();
  world.expect_idle();
}

// A server that refuses to make files longer than this.
Shape with_short_files() {
  Shape shape;
  shape.file_bytes_max = 1 << 20;
  return shape;
}

TEST(Ordering, AFailedWriteIsReportedOnceByTheFlushOfItsDescriptor) {
  World world(with_short_files());
  Direct direct(world);
  for (int round = 0; round < 20; ++round) {
    const OpenedFile bad = direct.create("file", O_RDWR);
    const OpenedFile good = direct.open("file", O_RDWR);
    const std::string big(100'000, 'x');
    auto failing =
        world.start(0, world.fs().write(direct.op(), bad.handle, 4 << 20, bytes_of(big)));
    auto second = world.start(0, world.fs().write(direct.op(), good.handle, 0, bytes_of(big)));
    auto flushed = world.start(0, world.fs().flush(direct.op(), bad.handle));
    // These end before it is known why the first has failed.
    for (int i = 1; i < 5; ++i) {
      const auto offset = static_cast<std::uint64_t>(i) * big.size();
      EXPECT_EQ(direct.write(good, offset, big), 0);
    }
    EXPECT_TRUE(world.wait(std::move(failing))) << "write(2) does not wait for the server";
    EXPECT_TRUE(world.wait(std::move(second)));
    EXPECT_FALSE(world.wait(std::move(flushed))) << "round " << round;
    EXPECT_EQ(direct.flush(bad), 0) << "reported twice";
    EXPECT_EQ(direct.flush(good), 0) << "reported to somebody else";
    direct.release(bad);
    direct.release(good);
    EXPECT_EQ(world.dirty_bytes(), 0U);
    EXPECT_EQ(direct.get("file").size(), 5 * big.size());
    direct.forget_all();
    ASSERT_EQ(::unlink(direct.on_server("file").c_str()), 0);
  }
  world.expect_idle();
}

}  // namespace
}  // namespace sftpfs::model
