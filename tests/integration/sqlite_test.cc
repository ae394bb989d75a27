// sqlite3 on the mount, with a rollback journal and with a write-ahead log.
#include <string>

#include "integration/mounted_test.h"

namespace sftpfs::test {
namespace {

class Sqlite : public MountedTest {
 protected:
  // The output of `script` on the database `path`.
  static std::string sqlite(const std::string& path, const std::string& script) {
    ProcessOptions options;
    options.input = script;
    options.environment = {"HOME=/nonexistent"};
    const Outcome outcome = must_run({"sqlite3", "-batch", "-bail", path}, options);
    EXPECT_EQ(outcome.errors, "");
    return outcome.output;
  }

  void work_and_check(const std::string& mode);
};
INSTANTIATE_ON_ALL_MOUNTS(Sqlite);

constexpr const char* kWork = R"(
CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, body BLOB);
CREATE INDEX by_name ON t(name);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
  INSERT INTO t SELECT i, 'name' || (i * 7919 % 20011), zeroblob(i % 300) FROM n;
COMMIT;
BEGIN; UPDATE t SET name = 'rolled back'; ROLLBACK;
BEGIN; DELETE FROM t WHERE id % 3 = 0; UPDATE t SET body = zeroblob(1000) WHERE id % 5 = 0; COMMIT;
INSERT INTO t VALUES(100001, 'alone', x'01');
INSERT INTO t VALUES(100002, 'alone', x'02');
VACUUM;
)";
constexpr const char* kAnswers = R"(
PRAGMA integrity_check;
SELECT count(*), sum(id), sum(length(name)), sum(length(body)) FROM t;
SELECT id FROM t WHERE name = 'name7919';
)";
// 13334 rows of the 20000 remain, and two more.
constexpr const char* kFirstAnswer = "ok\n13336|";

void Sqlite::work_and_check(const std::string& mode) {
  const std::string path = mount_->file("database");
  EXPECT_EQ(sqlite(path, "PRAGMA journal_mode=" + mode + ";"), mode + "\n");
  sqlite(path, kWork);
  const std::string answers = sqlite(path, kAnswers);
  EXPECT_EQ(answers.find(kFirstAnswer), 0U) << answers;
  mount_again();
  EXPECT_EQ(sqlite(mount_->file("database"), kAnswers), answers);
  mount_.reset();
  EXPECT_EQ(sqlite(server_.root() + "/database", kAnswers), answers);
}

TEST_P(Sqlite, JournalKeepsItsIntegrity) { work_and_check("delete"); }

TEST_P(Sqlite, WriteAheadLogKeepsItsIntegrity) { work_and_check("wal"); }

TEST_P(Sqlite, ProcessesTakeTurns) {
  const std::string path = mount_->file("database");
  sqlite(path, "PRAGMA journal_mode=wal; CREATE TABLE t(who INTEGER, n INTEGER);");
  constexpr int kProcesses = 4;
  constexpr int kRows = 25;
  run_in_children(kProcesses, [&](int who) {
    std::string script = ".timeout 60000\n";
    for (int n = 0; n < kRows; ++n) {
      script += "INSERT INTO t VALUES(" + std::to_string(who) + "," + std::to_string(n) + ");\n";
    }
    ProcessOptions options;
    options.input = script;
    const Outcome outcome = run({"sqlite3", "-batch", "-bail", path}, options);
    return outcome.describe();
  });
  EXPECT_EQ(sqlite(path, "PRAGMA integrity_check; SELECT count(*), count(DISTINCT who) FROM t;"),
            "ok\n" + std::to_string(kProcesses * kRows) + "|" + std::to_string(kProcesses) + "\n");
}

}  // namespace
}  // namespace sftpfs::test
