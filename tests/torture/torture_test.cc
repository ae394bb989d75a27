// Promises to programmes that check every byte they get back: fio's patterns, stress-ng's file
// stressors, a compiler, git.
#include <gtest/gtest.h>

#include <string>

#include "torture/scene.h"

namespace sftpfs::test {
namespace {

TEST_F(Torture, FioFindsItsChecksumsAfterRandomWrites) {
  fio({"--rw=randwrite", "--bsrange=512-128k", "--bs_unaligned=1", "--ioengine=psync"});
}

TEST_F(Torture, FioFindsItsChecksumsAmongReadsAndWrites) {
  fio({"--rw=randrw", "--bs=4k", "--ioengine=psync", "--fsync=32"});
}

TEST_F(Torture, FioFindsItsChecksumsInMappedFiles) {
  fio({"--rw=randrw", "--bs=4k", "--ioengine=mmap"});
}

TEST_F(Torture, FioFindsItsChecksumsWithManyWritesUnderWay) {
  fio({"--rw=randrw", "--bs=16k", "--ioengine=libaio", "--iodepth=16", "--direct=1"});
}

TEST_F(Torture, StressNgFindsNothingWrong) {
  Arguments arguments = {"stress-ng",   "--verify",  "--temp-path",
                         mount_.path(), "--timeout", std::to_string(std::max(3, seconds())) + "s"};
  // What needs only what SFTP has; --verify makes them look at what they read.
  for (const char* stressor :
       {"--hdd", "--rename", "--dir", "--dentry", "--filename", "--symlink", "--getdent", "--open",
        "--fstat", "--copy-file", "--flock", "--locka", "--sync-file", "--chmod"}) {
    arguments.insert(arguments.end(), {stressor, "1"});
  }
  arguments.insert(arguments.end(), {"--hdd-bytes", "8M", "--dentries", "200"});
  must_run(arguments);
}

TEST_F(Torture, AProjectIsCompiledByEightAtOnce) {
  must_run(
      {"sh", "-c",
       "set -e; mkdir project; cd project; "
       "for i in $(seq 1 40); do "
       "printf '#include <stdio.h>\\n#include \"all.h\"\\nint f%d(int x) { return x + %d; }\\n'"
       " $i $i > f$i.c; echo \"int f$i(int x);\" >> all.h; done; "
       "{ echo '#include \"all.h\"'; echo 'int main(void) { int x = 0;'; "
       "for i in $(seq 1 40); do echo \"x = f$i(x);\"; done; echo 'return x != 820; }'; } "
       "> main.c; "
       "printf 'OBJECTS = $(patsubst %%.c,%%.o,$(wildcard *.c))\\nprogramme: $(OBJECTS)\\n\\t"
       "gcc -o $@ $^\\n%%.o: %%.c all.h\\n\\tgcc -O1 -g -c -o $@ $<\\nclean:\\n\\trm -f *.o "
       "programme\\n' > Makefile; "
       "make -s -j8; ./programme; make -s -j8; make -s clean; make -s -j8; ./programme"});
  // Nothing is left to do, so no time is out of order.
  const Outcome again = must_run({"make", "-q"}, mount_.file("project"));
  EXPECT_EQ(again.exit_code, 0);
}

TEST_F(Torture, GitFindsItsObjectsWhole) {
  must_run(
      {"sh", "-c",
       "set -e; export HOME=\"$PWD\" GIT_CONFIG_NOSYSTEM=1; "
       "git init -q r; cd r; git config user.email a@b; git config user.name n; "
       "end=$(( $(date +%s) + " +
           seconds_text() +
           " )); i=0; "
           "while [ $(date +%s) -lt $end ] || [ $i -lt 5 ]; do i=$((i+1)); "
           "seq $i $((i*50)) > file$((i%9)); git add -A; git commit -q -m $i; "
           "[ $((i%10)) -ne 0 ] || git gc -q; done; git fsck --strict --full; "
           "git clone -q --no-local . ../copy; test -z \"$(git -C ../copy status --porcelain)\""});
}

// dbench plays an office's file server.
class LongTorture : public Torture {};

// As Debian has it: configure's hundreds of small programmes, sixty files in C, and the library's
// own tests. Nothing is compiled a second time, so no time is out of order.
TEST_F(LongTorture, LibibertyIsConfiguredCompiledByEightAtOnceAndPassesItsTests) {
  must_run({"sh", "-c",
            "set -e; tar xJf /usr/src/binutils/binutils-*.tar.xz --wildcards '*/libiberty' "
            "'*/include' '*/config.*' '*/install-sh' '*/move-if-change' '*/mkinstalldirs' "
            "'*/missing' '*/config-ml.in' '*/ltmain.sh' '*/config/*'; "
            "cd binutils-*/libiberty; ./configure -q > configured; make -s -j8 > made 2>&1; "
            "make -s check > checked 2>&1; made=$(stat -c %Y libiberty.a); make -s -j8; "
            "test $(stat -c %Y libiberty.a) = $made; ! grep -q '^FAIL' checked; "
            "grep -q '^PASS' checked"});
}

TEST_F(LongTorture, DbenchFindsItsFiles) {
  must_run({"dbench", "-D", mount_.path(), "-t", seconds_text(), "8"});
}

}  // namespace
}  // namespace sftpfs::test
