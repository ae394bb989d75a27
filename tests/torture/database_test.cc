// Promises to databases: what was committed is there, whole, after all that concurrency.
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "support/temp_dir.h"
#include "torture/scene.h"

namespace sftpfs::test {
namespace {

TEST_F(Torture, SqliteCountsEveryTransactionOfFourWriters) {
  must_run({"sqlite3", "db", "create table t(writer int, number int, text text)"});
  const std::string one_writer =
      "end=$(( $(date +%s) + " + seconds_text() +
      " )); i=0; while [ $(date +%s) -lt $end ] || [ $i -lt 5 ]; do i=$((i+1)); "
      "sqlite3 -cmd '.timeout 60000' db "
      "\"begin immediate; insert into t values($W, $i, hex(randomblob(500))); commit\" || exit 1; "
      "done; echo $i";
  must_run({"sh", "-c",
            "for W in 1 2 3 4; do ( " + one_writer + " ) > count$W & done; wait; " +
                "test $(cat count? | awk '{s+=$1} END {print s}') = "
                "$(sqlite3 db 'select count(*) from t') && "
                "test $(sqlite3 db 'pragma integrity_check') = ok"});
}

// The server must not be root's; it gets a mount that gives new files to their makers.
TEST(LongTortureOfDatabases, PostgresKeepsItsBalance) {
  const passwd* user = ::getpwnam("postgres");
  ASSERT_NE(user, nullptr);
  const TestServer server;
  MountOptions shared;
  shared.config.shared = true;
  const TestMount mount(server, shared);
  const TempDir sockets;
  ASSERT_EQ(::chmod(sockets.path().c_str(), 0777), 0);
  const std::string data = mount.file("data");
  ASSERT_EQ(::mkdir(data.c_str(), 0700), 0);
  ASSERT_EQ(::chown(data.c_str(), user->pw_uid, user->pw_gid), 0);
  const char* seconds = std::getenv("SFTPFS_TORTURE_SECONDS");
  const std::string script =
      "set -e; PATH=$(ls -d /usr/lib/postgresql/*/bin | tail -1):$PATH; S=" + sockets.path() +
      "; D=" + data +
      "; initdb -k -D $D > /dev/null; "
      "pg_ctl -w -D $D -l $S/log -o \"-c listen_addresses= -c unix_socket_directories=$S\" start; "
      "trap 'pg_ctl -w -m fast -D $D stop' EXIT; "
      "pgbench -h $S -i -s 2 postgres 2> /dev/null; pgbench -h $S -c 8 -j 2 -T " +
      std::string(seconds == nullptr ? "8" : seconds) +
      " postgres; "
      "test $(psql -h $S -At -c 'select sum(abalance) from pgbench_accounts' postgres) = "
      "$(psql -h $S -At -c 'select sum(bbalance) from pgbench_branches' postgres); "
      "pg_ctl -w -m fast -D $D stop; pg_checksums -c -D $D; "
      "pg_ctl -w -D $D -l $S/log -o \"-c listen_addresses= -c unix_socket_directories=$S\" start";
  ProcessOptions options;
  options.user = user->pw_uid;
  options.directory = "/";
  const Outcome outcome = run({"sh", "-c", script}, options, std::chrono::hours(12));
  EXPECT_TRUE(outcome.ok()) << outcome.describe();
}

}  // namespace
}  // namespace sftpfs::test
