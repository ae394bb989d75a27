// shrink(): leaves out of a failing sequence what its failure does not need.
//
// Threads: the caller's.
// Limits:  what is left fails, and (unless the time is over) does not without any one of its
//          elements; it need not be the smallest sequence of all.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "support/deadline.h"

namespace sftpfs::model {

// `fails` is asked about parts of `sequence`, which itself fails.
template <class T>
std::vector<T> shrink(std::vector<T> sequence,
                      const std::function<bool(const std::vector<T>&)>& fails,
                      const test::Deadline& deadline) {
  std::size_t piece = std::max<std::size_t>(sequence.size() / 2, 1);
  // Large pieces first; single elements until none can be spared.
  for (bool smaller = true; smaller && !deadline.passed();) {
    smaller = false;
    for (std::size_t at = 0; at < sequence.size() && !deadline.passed();) {
      const std::size_t end = std::min(at + piece, sequence.size());
      std::vector<T> rest(sequence.begin(), sequence.begin() + static_cast<long>(at));
      rest.insert(rest.end(), sequence.begin() + static_cast<long>(end), sequence.end());
      if (fails(rest)) {
        sequence = std::move(rest);
        smaller = true;
      } else {
        at = end;
      }
    }
    smaller = smaller || piece > 1;
    piece = std::max<std::size_t>(piece / 2, 1);
  }
  return sequence;
}

}  // namespace sftpfs::model
