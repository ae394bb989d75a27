// The order in which queued requests reach the stream.
#include "sftp/send_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

namespace sftpfs::sftp {
namespace {

OutgoingPacket packet(std::uint32_t id, std::size_t head_bytes, std::size_t payload_bytes = 0) {
  OutgoingPacket result;
  result.id = id;
  result.head.assign(head_bytes, static_cast<std::byte>(id));
  result.payload =
      SharedBytes::copy_of(as_byte_span(std::string(payload_bytes, static_cast<char>(id))));
  return result;
}

// Lets a stream take `bytes` and returns the ids it has completely.
std::vector<std::uint32_t> take(SendQueue& queue, std::size_t bytes) {
  std::vector<std::uint32_t> sent;
  queue.taken(bytes, [&sent](std::uint32_t id) { sent.push_back(id); });
  return sent;
}

std::string gathered(const SendQueue& queue, std::size_t entries = 64) {
  std::vector<iovec> parts(entries);
  const std::size_t count = queue.gather(parts);
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  }
  return text;
}

TEST(SendQueue, MetadataGoesBeforeBulk) {
  SendQueue queue;
  queue.push(Queue::kBulk, packet('b', 2, 3));
  queue.push(Queue::kMetadata, packet('m', 2));
  EXPECT_EQ(gathered(queue), "mmbbbbb");
  EXPECT_EQ(queue.bytes(), 7U);
}

TEST(SendQueue, APacketOnceBegunIsFinishedFirst) {
  SendQueue queue;
  queue.push(Queue::kBulk, packet('b', 2, 4));
  EXPECT_TRUE(take(queue, 3).empty());
  queue.push(Queue::kMetadata, packet('m', 2));
  EXPECT_EQ(gathered(queue), "bbbmm");
  EXPECT_EQ(take(queue, 4), std::vector<std::uint32_t>{'b'});
  EXPECT_EQ(gathered(queue), "m");
  EXPECT_EQ(take(queue, 1), std::vector<std::uint32_t>{'m'});
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0U);
}

TEST(SendQueue, BulkIsOfferedPiecemeal) {
  SendQueue queue;
  for (std::uint32_t i = 0; i < 100; ++i) queue.push(Queue::kBulk, packet(i, 20, 32768));
  EXPECT_LE(gathered(queue).size(), SendQueue::kBulkBytesPerGather + 40000);
}

TEST(SendQueue, PayloadIsNotCopied) {
  SendQueue queue;
  OutgoingPacket out = packet(1, 10, 5000);
  const std::byte* data = out.payload.data();
  queue.push(Queue::kBulk, std::move(out));
  std::array<iovec, 4> parts{};
  ASSERT_EQ(queue.gather(parts), 2U);
  EXPECT_EQ(parts[1].iov_base, data);
}

TEST(SendQueue, AnyWayOfTakingYieldsEachQueueInOrder) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    SendQueue queue;
    std::uint32_t next_id[2] = {0, 1000};
    std::uint32_t next_sent[2] = {0, 1000};
    for (int step = 0; step < 300; ++step) {
      if (random() % 2 == 0) {
        const std::size_t which = random() % 2;
        queue.push(which == 0 ? Queue::kMetadata : Queue::kBulk,
                   packet(next_id[which]++, 1 + random() % 20, which * (random() % 50)));
        continue;
      }
      const std::size_t offered = gathered(queue, 1 + random() % 6).size();
      if (offered == 0) continue;
      for (const std::uint32_t id : take(queue, random() % (offered + 1))) {
        EXPECT_EQ(id, next_sent[id < 1000 ? 0 : 1]++);
      }
    }
    take(queue, queue.bytes());
    EXPECT_TRUE(queue.empty());
  }
}

}  // namespace
}  // namespace sftpfs::sftp
