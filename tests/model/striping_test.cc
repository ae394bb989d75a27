// Big transfers spread over several sessions, or over several conversations of one: the bytes are
// those of one session, whatever order the sessions answer in, whoever reads meanwhile, and
// whatever connection is lost.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <utime.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <string>

#include "model/direct.h"
#include "model/world.h"

namespace sftpfs::model {
namespace {

constexpr std::size_t kBlock = 16 << 10;

std::string random_text(std::mt19937_64& random, std::size_t size) {
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

enum class Ways : std::uint8_t { kSessions, kSiblings };

class StripingModel : public ::testing::TestWithParam<Ways> {
 protected:
  StripingModel() : world(shape(GetParam())), direct(world) { world.open_sessions(); }
  ~StripingModel() override {
    direct.forget_all();
    world.expect_idle();
  }
  static Shape shape(Ways ways) {
    Shape shape;
    shape.siblings = ways == Ways::kSiblings;
    shape.max_conns = shape.siblings ? 1 : 4;
    shape.block_size_bytes = kBlock;
    shape.dirty_bytes_max = 512 << 10;
    shape.striped = true;
    return shape;
  }
  fs::Counters& counters() { return world.shared().counters; }
  // Writes until the writes are striped; `text` is what the file holds.
  void write_until_striped(const OpenedFile& file, std::string& text) {
    for (int i = 0; i < 2000 && counters().stripings == 0; ++i) {
      const std::string part = random_text(random, 20'000);
      ASSERT_EQ(direct.write(file, text.size(), part), 0);
      text += part;
    }
    ASSERT_GT(counters().stripings, 0U) << "the writes were never striped";
  }
  // Overlapping pieces of all sizes, of which the last must win everywhere.
  void scribble(const OpenedFile& file, std::string& text, int count) {
    for (int i = 0; i < count; ++i) {
      const std::size_t size = 1 + random() % (i % 3 == 0 ? 100'000 : 3'000);
      const std::size_t at = random() % text.size();
      const std::string part = random_text(random, size);
      ASSERT_EQ(direct.write(file, at, part), 0);
      if (text.size() < at + size) text.resize(at + size);
      text.replace(at, size, part);
    }
  }

  World world;
  Direct direct;
  std::mt19937_64 random{7};
};

TEST_P(StripingModel, OverlappingWritesKeepTheirOrder) {
  const OpenedFile file = direct.create("file");
  std::string text;
  write_until_striped(file, text);
  scribble(file, text, scaled(1200));
  EXPECT_EQ(direct.flush(file), 0);
  EXPECT_TRUE(direct.get("file") == text);
  direct.release(file);
}

TEST_P(StripingModel, WhoReadsSeesWhatWasWritten) {
  const OpenedFile file = direct.create("file");
  std::string text;
  write_until_striped(file, text);
  for (int i = 0; i < scaled(120); ++i) {
    scribble(file, text, 20);
    const std::size_t at = random() % text.size();
    ASSERT_TRUE(direct.read(file, at, 50'000) == text.substr(at, 50'000)) << i;
    ASSERT_EQ(direct.getattr(file.ino).size, text.size());
  }
  EXPECT_EQ(direct.flush(file), 0);
  EXPECT_TRUE(direct.get("file") == text);
  direct.release(file);
}

TEST_P(StripingModel, ATruncationComesBehindTheWritesBeforeIt) {
  const OpenedFile file = direct.create("file");
  std::string text;
  write_until_striped(file, text);
  for (int i = 0; i < 20; ++i) {
    scribble(file, text, 10);
    const std::size_t size = random() % (text.size() + 50'000);
    fs::SetAttr change;
    change.has_size = true;
    change.size = size;
    ASSERT_TRUE(world.run(direct.fs().setattr(direct.op(), file.ino, change, file.handle)));
    text.resize(size, '\0');
    if (!text.empty()) continue;
    text = "x";
    ASSERT_EQ(direct.write(file, 0, text), 0);
  }
  EXPECT_EQ(direct.flush(file), 0);
  EXPECT_TRUE(direct.get("file") == text);
  direct.release(file);
}

TEST_P(StripingModel, ALostConnectionLosesNoByte) {
  const OpenedFile file = direct.create("file");
  std::string text;
  write_until_striped(file, text);
  for (int round = 0; round < 8; ++round) {
    scribble(file, text, 60);
    world.connector().kill_servers();
  }
  EXPECT_EQ(direct.flush(file), 0);
  EXPECT_TRUE(direct.get("file") == text);
  direct.release(file);
}

TEST_P(StripingModel, TwoDescriptorsOfOneFileMeetInOrder) {
  const OpenedFile one = direct.create("file");
  std::string text;
  write_until_striped(one, text);
  const OpenedFile other = direct.open("file", O_WRONLY);
  for (int i = 0; i < 100; ++i) {
    scribble(one, text, 5);
    scribble(other, text, 5);
  }
  EXPECT_EQ(direct.flush(one), 0);
  EXPECT_EQ(direct.flush(other), 0);
  EXPECT_TRUE(direct.get("file") == text);
  direct.release(one);
  direct.release(other);
}

// What we ask for may come over one channel as fast as over several.
class ReadingModel : public StripingModel {};

TEST_P(ReadingModel, AStreamIsReadOverSeveralSessions) {
  const std::string text = random_text(random, 3'000'000);
  direct.put("file", text);
  const OpenedFile file = direct.open("file", O_RDONLY);
  std::string seen;
  while (seen.size() < text.size()) {
    const std::string part = direct.read(file, seen.size(), 40'000);
    ASSERT_FALSE(part.empty());
    seen += part;
  }
  EXPECT_TRUE(seen == text);
  EXPECT_GT(counters().lanes_opened, 0U);
  direct.release(file);
}

TEST_P(StripingModel, AnotherFileOfTheSameNameIsNotWrittenTo) {
  const OpenedFile file = direct.create("file");
  std::string text = random_text(random, 30'000);
  ASSERT_EQ(direct.write(file, 0, text), 0);
  ASSERT_EQ(direct.flush(file), 0);
  // Of the same size and time, so that only its bytes tell.
  const std::string other(text.size(), 'o');
  std::filesystem::rename(direct.on_server("file"), direct.on_server("moved"));
  direct.put("file", other);
  struct stat info {};
  ASSERT_EQ(::stat(direct.on_server("moved").c_str(), &info), 0);
  const utimbuf times{info.st_atime, info.st_mtime};
  ASSERT_EQ(::utime(direct.on_server("file").c_str(), &times), 0);
  for (int i = 0; i < 50 || (counters().lanes_opened == 0 && i < 2000); ++i) {
    const std::string part = random_text(random, 20'000);
    ASSERT_EQ(direct.write(file, text.size(), part), 0);
    text += part;
  }
  EXPECT_GT(counters().lanes_opened, 0U);
  EXPECT_EQ(direct.flush(file), 0);
  EXPECT_TRUE(direct.get("moved") == text);
  EXPECT_TRUE(direct.get("file") == other);
  EXPECT_EQ(counters().stripings, 0U);
  direct.release(file);
}

std::string name_of(const ::testing::TestParamInfo<Ways>& chosen) {
  return chosen.param == Ways::kSessions ? "OverSessions" : "OverSiblings";
}
INSTANTIATE_TEST_SUITE_P(, StripingModel, ::testing::Values(Ways::kSessions, Ways::kSiblings),
                         name_of);
INSTANTIATE_TEST_SUITE_P(, ReadingModel, ::testing::Values(Ways::kSessions), name_of);

}  // namespace
}  // namespace sftpfs::model
