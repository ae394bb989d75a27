// Ids of requests.
#include "sftp/request_table.h"

#include <gtest/gtest.h>

#include <limits>

namespace sftpfs::sftp {
namespace {

TEST(RequestTable, IdsSkipThoseStillInUseWhenTheyWrapAround) {
  RequestTable table(std::numeric_limits<std::uint32_t>::max());
  EXPECT_EQ(table.add(Request{}), std::numeric_limits<std::uint32_t>::max());
  EXPECT_EQ(table.add(Request{}), 0U);

  RequestTable again(0);
  EXPECT_EQ(again.add(Request{}), 0U);
  EXPECT_EQ(again.add(Request{}), 1U);
  again.take(0);
  EXPECT_EQ(again.add(Request{}), 2U);
  EXPECT_EQ(again.find(0), nullptr);
  EXPECT_NE(again.find(1), nullptr);
}

TEST(RequestTable, IsBounded) {
  RequestTable table;
  while (table.has_room(1)) table.add(Request{});
  EXPECT_EQ(table.size(), RequestTable::kRequestsMax);
  EXPECT_EQ(table.take_all().size(), RequestTable::kRequestsMax);
  EXPECT_TRUE(table.empty());
}

}  // namespace
}  // namespace sftpfs::sftp
