// Byte spans and reference-counted byte buffers.
//
// Threads: SharedBytes may be read by any thread once its writer has handed it over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace sftpfs {

using ByteSpan = std::span<const std::byte>;
using MutableByteSpan = std::span<std::byte>;

inline ByteSpan as_byte_span(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// A view into a buffer that stays alive as long as the view does: what a WRITE keeps until the
// server has acknowledged it.
class SharedBytes {
 public:
  SharedBytes() = default;
  SharedBytes(std::shared_ptr<const std::byte[]> owner, ByteSpan view)
      : owner_(std::move(owner)), view_(view) {}

  static SharedBytes copy_of(ByteSpan bytes) {
    auto owner = std::make_shared_for_overwrite<std::byte[]>(bytes.size());
    if (!bytes.empty()) std::memcpy(owner.get(), bytes.data(), bytes.size());
    const ByteSpan view(owner.get(), bytes.size());
    return {std::move(owner), view};
  }

  ByteSpan span() const { return view_; }
  const std::byte* data() const { return view_.data(); }
  std::size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }
  SharedBytes subspan(std::size_t offset, std::size_t count) const {
    return {owner_, view_.subspan(offset, count)};
  }

 private:
  std::shared_ptr<const std::byte[]> owner_;
  ByteSpan view_;
};

}  // namespace sftpfs
