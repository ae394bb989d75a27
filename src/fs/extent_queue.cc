// See extent_queue.h.
#include "fs/extent_queue.h"

#include <algorithm>
#include <utility>

namespace sftpfs::fs {

const ExtentRef& ExtentQueue::push(Extent extent) {
  extent.number = next_number_++;
  extent.accepted_bytes = extent.data.size();
  extents_.push_back(std::make_shared<Extent>(std::move(extent)));
  return extents_.back();
}

ExtentRef ExtentQueue::pop_settled() {
  if (extents_.empty() || !extents_.front()->settled) return nullptr;
  ExtentRef first = std::move(extents_.front());
  extents_.pop_front();
  return first;
}

bool ExtentQueue::overlaps(std::uint64_t from, std::uint64_t to) const {
  return std::any_of(extents_.begin(), extents_.end(), [from, to](const ExtentRef& extent) {
    return extent->offset < to && from < extent->end();
  });
}

}  // namespace sftpfs::fs
