// The main() of every test programme that starts servers and mounts: see containment.h. A run
// that selected no test, or skipped one, has proven nothing and fails.
#include <gtest/gtest.h>

#include <cstdio>

#include "support/containment.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (GTEST_FLAG_GET(list_tests)) return RUN_ALL_TESTS();
  return sftpfs::test::run_contained([] {
    const int result = RUN_ALL_TESTS();
    const testing::UnitTest& unit = *testing::UnitTest::GetInstance();
    if (unit.test_to_run_count() > 0 && unit.skipped_test_count() == 0) return result;
    std::fputs("no test was selected, or one was skipped\n", stderr);
    return 1;
  });
}
