// Which appended bytes are in the file already.
#include "fs/append_replay.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace sftpfs::fs {
namespace {

using Bytes = std::vector<std::size_t>;

ByteSpan span(std::string_view text) { return as_byte_span(text); }

TEST(AppendReplay, NothingIsThereWhenTheFileEndsBeforeTheFirst) {
  EXPECT_EQ(bytes_already_appended(span(""), 10, {{10, span("abc")}, {13, span("de")}}),
            (Bytes{0, 0}));
}

TEST(AppendReplay, WholeOnesAndAPartOfTheLastAreFoundWhereTheyBelong) {
  EXPECT_EQ(bytes_already_appended(span("abcd"), 10, {{10, span("abc")}, {13, span("def")}}),
            (Bytes{3, 1}));
}

TEST(AppendReplay, AGapThatAnotherWriteFilledIsNotLookedAt) {
  // Between the two the file grew by a write at an offset.
  EXPECT_EQ(bytes_already_appended(span("abc....de"), 10, {{10, span("abc")}, {17, span("def")}}),
            (Bytes{3, 2}));
}

TEST(AppendReplay, BehindTheBytesOfOthersEachIsSearchedForWhole) {
  EXPECT_EQ(bytes_already_appended(span("theirs abc and def"), 10,
                                   {{10, span("abc")}, {13, span("def")}}),
            (Bytes{3, 3}));
}

TEST(AppendReplay, APartAmongTheBytesOfOthersIsNoProof) {
  EXPECT_EQ(bytes_already_appended(span("theirs ab"), 10, {{10, span("abc")}}), (Bytes{0}));
}

TEST(AppendReplay, BehindAMissingOneThereIsNone) {
  EXPECT_EQ(bytes_already_appended(span("theirs def"), 10, {{10, span("abc")}, {13, span("def")}}),
            (Bytes{0, 0}));
}

TEST(AppendReplay, MoreThanWasAppendedIsTheWorkOfOthers) {
  EXPECT_EQ(bytes_already_appended(span("abcabc"), 10, {{10, span("abc")}}), (Bytes{3}));
  EXPECT_EQ(bytes_already_appended(span("xyzxyz"), 10, {{10, span("abc")}}), (Bytes{0}));
}

}  // namespace
}  // namespace sftpfs::fs
