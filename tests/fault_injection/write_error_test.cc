// The Nth WRITE of a file fails on the server, for every N: the application is told once, on write,
// fsync or close, with the reason; everything else that it has written arrives.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "fault_injection/faulty_scene.h"

namespace sftpfs::test {
namespace {

constexpr int kPieces = 100;

struct Fault {
  const char* name;
  SftpStatus status;
  bool disk_is_full;
  bool sync;  // the application calls fsync before close
  const char* expected;
};

std::ostream& operator<<(std::ostream& out, const Fault& fault) { return out << fault.name; }

class EveryWrite : public testing::TestWithParam<Fault> {};

std::string write_pieces(const std::string& path, int count, bool sync) {
  Errors errors;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  errors.note("open", fd);
  for (int i = 0; i < count; ++i) {
    errors.note("write " + std::to_string(i), write_piece(fd, static_cast<std::uint64_t>(i)));
  }
  if (sync) errors.note("fsync", ::fsync(fd));
  errors.note("close", ::close(fd));
  return errors.text();
}

// The piece of the write that was told of the error, which it did not take; -1 if none was.
int refused_piece(const std::string& errors) {
  return errors.rfind("write ", 0) == 0 ? std::stoi(errors.substr(6)) : -1;
}

TEST_P(EveryWrite, ThatFailsIsReportedExactlyOnce) {
  const Fault& fault = GetParam();
  FaultyScene scene;
  int reported_once = 0;
  for (int n = 1; n <= kPieces; ++n) {
    const std::string name = "file" + std::to_string(n);
    scene.script().fail(Request::kWrite, static_cast<std::uint32_t>(n), fault.status,
                        fault.disk_is_full);
    const std::string errors =
        run_in_child([&] { return write_pieces(scene.file(name), kPieces, fault.sync); });
    ASSERT_EQ(scene.script()->injected, 1U) << "WRITE " << n << " never came";
    EXPECT_EQ(error_of(errors), fault.expected) << "WRITE " << n << " failed: '" << errors << "'";
    if (error_of(errors) == fault.expected) ++reported_once;
    std::vector<int> allowed{n - 1};
    const int refused = refused_piece(errors);
    if (refused >= 0) allowed.push_back(refused);
    std::vector<int> wrong = wrong_pieces(scene.on_server(name), kPieces);
    std::erase_if(wrong,
                  [&](int piece) { return std::count(allowed.begin(), allowed.end(), piece); });
    EXPECT_TRUE(wrong.empty()) << "WRITE " << n << " failed, and piece " << wrong[0] << " is lost";
    ::unlink(scene.on_server(name).c_str());
  }
  EXPECT_EQ(reported_once, kPieces);
}

INSTANTIATE_TEST_SUITE_P(
    Faults, EveryWrite,
    testing::Values(Fault{"disk_full", SftpStatus::kFailure, true, true, "ENOSPC"},
                    Fault{"denied", SftpStatus::kPermissionDenied, false, true, "EACCES"},
                    Fault{"failure", SftpStatus::kFailure, false, true, "EIO"},
                    Fault{"failure_without_fsync", SftpStatus::kFailure, false, false, "EIO"}),
    [](const auto& instance) { return instance.param.name; });

class WriteError : public testing::Test {
 protected:
  // The next WRITE fails.
  void arm(SftpStatus status = SftpStatus::kPermissionDenied) {
    scene_.script().fail(Request::kWrite, 1, status);
  }
  std::string in_child(const std::function<void(Errors&)>& body) {
    return run_in_child([&] {
      Errors errors;
      body(errors);
      return errors.text();
    });
  }
  int make(const std::string& name, int flags = 0) {
    return ::open(scene_.file(name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC | flags, 0644);
  }

  FaultyScene scene_;
};

TEST_F(WriteError, IsReportedByTheNextClose) {
  arm();
  EXPECT_EQ(in_child([this](Errors& errors) {
              const int fd = make("file");
              errors.note("write", write_piece(fd, 0));
              errors.note("close", ::close(fd));
            }),
            "close: EACCES");
}

TEST_F(WriteError, IsReportedByTheFirstOfSeveralFsyncs) {
  arm();
  EXPECT_EQ(in_child([this](Errors& errors) {
              const int fd = make("file");
              errors.note("write", write_piece(fd, 0));
              errors.note("fsync 1", ::fsync(fd));
              errors.note("fsync 2", ::fsync(fd));
              errors.note("write 2", write_piece(fd, 1));
              errors.note("fsync 3", ::fsync(fd));
              errors.note("close", ::close(fd));
            }),
            "fsync 1: EACCES");
}

// The first WRITE is refused, and its error reported, while the second is still under way; then
// that is refused, too. The application was told before: what it had written by then is in doubt.
TEST_F(WriteError, OfSeveralWritesUnderWayIsOneReport) {
  Errors errors;
  int fd = -1;
  std::optional<std::uint64_t> counted;
  // A fast server refuses the first before the second is written; then both are tried again.
  constexpr int kTries = 2000;
  for (int i = 0; i < kTries && fd < 0; ++i) {
    Errors early;
    counted = scene_.mount().counter("write_errors");
    scene_.script().fail_next(Request::kWrite, 2, SftpStatus::kPermissionDenied);
    scene_.script().get_stuck_at(Request::kWrite, 1);
    fd = make("file" + std::to_string(i));
    errors.note("write 1", write_piece(fd, 0));
    early.note("write 2", write_piece(fd, 1));
    if (early.text().empty()) break;
    EXPECT_EQ(early.text(), "write 2: EACCES");
    scene_.script().fail_nothing();
    scene_.script().resume();
    EXPECT_EQ(::close(std::exchange(fd, -1)), 0);
  }
  ASSERT_GE(fd, 0) << "the server was too fast each time";
  ASSERT_TRUE(scene_.script().wait_stuck(Deadline(std::chrono::seconds(10))));
  const Deadline known{std::chrono::seconds(10)};
  while (scene_.mount().counter("write_errors") == counted) ASSERT_FALSE(known.passed());
  errors.note("write 3", write_piece(fd, 2));
  scene_.script().resume();
  errors.note("fsync", ::fsync(fd));
  errors.note("close", ::close(fd));
  EXPECT_EQ(errors.text(), "write 3: EACCES");
}

TEST_F(WriteError, IsReportedOnceToDescriptorsThatWereDuplicated) {
  arm();
  EXPECT_EQ(in_child([this](Errors& errors) {
              const int fd = make("file");
              const int twin = ::dup(fd);
              errors.note("write", write_piece(fd, 0));
              errors.note("close of the twin", ::close(twin));
              errors.note("fsync", ::fsync(fd));
              errors.note("close", ::close(fd));
            }),
            "close of the twin: EACCES");
}

TEST_F(WriteError, IsNotReportedToAnotherDescriptorOfTheProcess) {
  arm();
  EXPECT_EQ(in_child([this](Errors& errors) {
              const int fd = make("file");
              const int other = make("file");
              errors.note("write", write_piece(fd, 0));
              errors.note("fsync of the other", ::fsync(other));
              errors.note("write to the other", write_piece(other, 1));
              errors.note("close of the other", ::close(other));
              errors.note("close", ::close(fd));
            }),
            "close: EACCES");
}

// Two processes that take turns: the first writes, the second does all it does, the first asks.
TEST_F(WriteError, IsNotReportedToAnotherProcess) {
  arm();
  std::array<std::array<int, 2>, 2> turns{};
  for (auto& turn : turns) ASSERT_EQ(::pipe2(turn.data(), O_CLOEXEC), 0);
  const auto pass = [&turns](int to) { EXPECT_EQ(::write(turns[to][1], "x", 1), 1); };
  const auto wait = [&turns](int number) {
    char turn = 0;
    EXPECT_EQ(::read(turns[number][0], &turn, 1), 1);
  };
  const auto texts = run_in_children(2, [&](int number) {
    Errors errors;
    if (number == 1) wait(1);
    const int fd = make("file");
    errors.note("write", write_piece(fd, static_cast<std::uint64_t>(number)));
    if (number == 0) {
      pass(1);
      wait(0);
    }
    errors.note("fsync", ::fsync(fd));
    errors.note("close", ::close(fd));
    if (number == 1) pass(0);
    return errors.text();
  });
  for (const auto& turn : turns) {
    ::close(turn[0]);
    ::close(turn[1]);
  }
  EXPECT_EQ(texts[0], "fsync: EACCES");
  EXPECT_EQ(texts[1], "");
}

TEST_F(WriteError, OfARemovedFileIsReported) {
  for (const bool sync : {true, false}) {
    for (const bool full : {true, false}) {
      scene_.script().fail(Request::kWrite, 1, SftpStatus::kFailure, full);
      const std::string errors = in_child([this, sync](Errors& said) {
        const int fd = make("removed");
        said.note("write", write_piece(fd, 0));
        said.note("unlink", ::unlink(scene_.file("removed").c_str()));
        if (sync) said.note("fsync", ::fsync(fd));
        said.note("close", ::close(fd));
      });
      EXPECT_EQ(errors, std::string(sync ? "fsync: " : "close: ") + (full ? "ENOSPC" : "EIO"));
    }
  }
}

TEST_F(WriteError, OfAWriteBehindTheUnlinkIsReported) {
  const std::string errors = in_child([this](Errors& said) {
    const int fd = make("removed");
    said.note("unlink", ::unlink(scene_.file("removed").c_str()));
    arm();
    said.note("write", write_piece(fd, 0));
    said.note("close", ::close(fd));
  });
  EXPECT_EQ(errors, "close: EACCES");
}

TEST_F(WriteError, OfAQuotaIsReportedOnce) {
  arm(SftpStatus::kQuotaExceeded);
  const std::string errors = in_child([this](Errors& said) {
    const int fd = make("file");
    said.note("write", write_piece(fd, 0));
    said.note("fsync", ::fsync(fd));
    said.note("close", ::close(fd));
  });
  EXPECT_EQ(errors, "fsync: EDQUOT");
}

TEST_F(WriteError, OfSmallPiecesPutTogetherIsReportedOnce) {
  for (std::uint32_t n = 1; n <= 3; ++n) {
    scene_.script().fail(Request::kWrite, n, SftpStatus::kFailure, true);
    const std::string errors = in_child([this](Errors& said) {
      const int fd = make("file", O_TRUNC);
      for (int i = 0; i < 5000; ++i) said.note("write", ::write(fd, "0123456789", 10));
      said.note("fsync", ::fsync(fd));
      said.note("close", ::close(fd));
    });
    if (scene_.script()->injected == 0) continue;  // they have become fewer requests
    EXPECT_EQ(error_of(errors), "ENOSPC") << errors;
  }
}

TEST_F(WriteError, OfAMappedFileIsReportedByMsync) {
  {
    const UniqueFd fd(make("file"));
    ASSERT_EQ(write_piece(fd.get(), 0), static_cast<ssize_t>(kPieceSize));
  }
  arm();
  const std::string errors = in_child([this](Errors& said) {
    const int fd = make("file");
    auto* memory =
        static_cast<char*>(::mmap(nullptr, kPieceSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    memory[0] = 'x';
    said.note("msync", ::msync(memory, kPieceSize, MS_SYNC));
    said.note("msync again", ::msync(memory, kPieceSize, MS_SYNC));
    ::munmap(memory, kPieceSize);
    said.note("close", ::close(fd));
  });
  EXPECT_EQ(errors, "msync: EACCES");
}

}  // namespace
}  // namespace sftpfs::test
