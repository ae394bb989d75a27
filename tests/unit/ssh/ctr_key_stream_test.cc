// Promises of ssh/ctr_key_stream.h: when key stream is prepared, and that nobody notices.
#include "ssh/ctr_key_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/core_names.h>

#include <array>
#include <memory>
#include <vector>

#include "unit/ssh/spying_ctr.h"

namespace sftpfs::ssh::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::array<unsigned char, 16> kKey{1, 2, 3};
constexpr std::array<unsigned char, 16> kCounter{9, 8, 7};

class CtrKeyStreams : public testing::Test {
 protected:
  CtrKeyStreams() : cipher_(spy_.aes_128_ctr()), stream_(CtrKeyStream::create(cipher_.get())) {
    restart();
  }

  void restart() {
    EXPECT_TRUE(
        stream_->init(kKey.data(), kKey.size(), kCounter.data(), kCounter.size(), nullptr, true));
    SpyingCtr::take_calls();
  }
  void call(std::size_t size, unsigned times = 1) {
    std::vector<unsigned char> bytes(size);
    for (unsigned i = 0; i < times; ++i) {
      ASSERT_TRUE(stream_->crypt(bytes.data(), bytes.data(), bytes.size()));
    }
  }

  SpyingCtr spy_;
  Cipher cipher_;
  std::unique_ptr<CtrKeyStream> stream_;
};

TEST_F(CtrKeyStreams, FifteenShortCallsArePassedOnOneByOne) {
  call(16, 15);
  EXPECT_THAT(SpyingCtr::take_calls(), SizeIs(15));
}

TEST_F(CtrKeyStreams, BatchesDoubleFrom256BytesTo4KiB) {
  call(16, 15);
  SpyingCtr::take_calls();
  call(16, (256 + 512 + 1024 + 2048 + 4096 + 4096) / 16);
  EXPECT_THAT(SpyingCtr::take_calls(), ElementsAre(256, 512, 1024, 2048, 4096, 4096));
  call(16);
  EXPECT_THAT(SpyingCtr::take_calls(), ElementsAre(4096));
}

TEST_F(CtrKeyStreams, NothingIsPreparedBetweenLongCalls) {
  for (int i = 0; i < 20; ++i) {
    call(16, 10);
    call(65);
  }
  EXPECT_THAT(SpyingCtr::take_calls(), SizeIs(20 * 11));
}

TEST_F(CtrKeyStreams, ALongCallUsesWhatIsPreparedAndStartsOver) {
  call(16, 16);  // the last one has prepared 256 bytes
  SpyingCtr::take_calls();
  call(1000);
  EXPECT_THAT(SpyingCtr::take_calls(), ElementsAre(1000 - 240));
  call(16, 15);
  EXPECT_THAT(SpyingCtr::take_calls(), SizeIs(15));
}

TEST_F(CtrKeyStreams, NothingIsPreparedFromTheMiddleOfABlock) {
  call(5);
  SpyingCtr::take_calls();
  call(16, 100);
  EXPECT_THAT(SpyingCtr::take_calls(), SizeIs(100));
}

TEST_F(CtrKeyStreams, ANewStartForgetsTheRun) {
  call(16, 15);
  restart();
  call(16, 15);
  EXPECT_THAT(SpyingCtr::take_calls(), SizeIs(15));
}

TEST_F(CtrKeyStreams, ACopyGoesOnWithThePreparedBytes) {
  call(16, 16);
  SpyingCtr::take_calls();
  const std::unique_ptr<CtrKeyStream> copy = stream_->clone();
  ASSERT_TRUE(copy);
  std::array<unsigned char, 48> one{};
  std::array<unsigned char, 48> other{};
  EXPECT_TRUE(stream_->crypt(one.data(), one.data(), one.size()));
  EXPECT_TRUE(copy->crypt(other.data(), other.data(), other.size()));
  EXPECT_EQ(one, other);
  EXPECT_THAT(SpyingCtr::take_calls(), IsEmpty());
}

TEST_F(CtrKeyStreams, WhoHoldsAPointerToTheCounterIsNeverOvertaken) {
  void* counter = nullptr;
  std::array<OSSL_PARAM, 2> params{OSSL_PARAM_construct_octet_ptr(OSSL_CIPHER_PARAM_UPDATED_IV,
                                                                  &counter, CtrKeyStream::kIvBytes),
                                   OSSL_PARAM_construct_end()};
  ASSERT_TRUE(stream_->get_params(params.data()));
  call(16, 100);
  EXPECT_THAT(SpyingCtr::take_calls(), SizeIs(100));
}

}  // namespace
}  // namespace sftpfs::ssh::test
